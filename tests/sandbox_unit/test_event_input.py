"""What a rule's targets receive, by the examples of AWS's documentation."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from event_support import ACCOUNT, DETAIL, PATHS, World, event_world, labels


@pytest.fixture(scope="module")
def shared() -> Iterator[World]:
    with event_world() as made:
        yield made


@pytest.fixture
def world(shared: World) -> World:
    return shared.fresh()


EXAMPLES = {
    "simple string": ('"instance <instance> is in <state>"', '"instance i-0123456789 is in RUNNING"'),
    "escaped quotes": (
        '"instance \\"<instance>\\" is in <state>"',
        '"instance \\"i-0123456789\\" is in RUNNING"',
    ),
    "several lines": ('"<instance>"\n"is <state>"', '"i-0123456789"\n"is RUNNING"'),
    "simple JSON": (
        '{\n  "instance" : <instance>,\n  "state": <state>\n}',
        '{"instance":"i-0123456789","state":"RUNNING"}',
    ),
    "strings and variables": (
        '{"instance": <instance>, "state": "<state>", "instanceStatus": "instance \\"<instance>\\" is in <state>"}',
        '{"instance":"i-0123456789","state":"RUNNING","instanceStatus":"instance \\"i-0123456789\\" is in RUNNING"}',
    ),
    "static information": (
        '{"instance": <instance>, "state": [ 9, <state>, true ], "Transformed" : "Yes"}',
        '{"instance":"i-0123456789","state":[9,"RUNNING",true],"Transformed":"Yes"}',
    ),
    "reserved in a string": ('"<aws.events.rule-name> triggered"', '"RULE triggered"'),
    "nowhere in a string": ('"<none>."', '"."'),
    "nowhere in JSON": ('{"none": <none>}', '{"none":""}'),
    "an object": ('{"detail": <detail>}', '{"detail":{"instance-id":"i-0123456789","state":"RUNNING"}}'),
    "an object in a string": ('"<detail>"', '"{instance-id:i-0123456789,state:RUNNING}"'),
    "a number in a string": ('{"text": "<count> of <all>"}', '{"text":"3 of [1,2]"}'),
    "an element and all": ('{"first": <first>, "names": <names>}', '{"first":"a","names":["a","b"]}'),
    "alone": ("<all>", "[1,2]"),
}


@pytest.mark.parametrize("example", EXAMPLES)
def test_input_templates_give_what_aws_documents(world: World, example: str) -> None:
    template, expected = EXAMPLES[example]
    url, arn = world.queue()
    more = {"detail": "$.detail.plain", "count": "$.detail.count", "all": "$.detail.all", "none": "$.detail.none"}
    paths = PATHS | more | {"first": "$.detail.people[0].name", "names": "$.detail.people[*].name"}
    source = world.rule({"Arn": arn, "InputTransformer": {"InputPathsMap": paths, "InputTemplate": template}})
    people = [{"name": "a"}, {"name": "b"}]
    world.put(source, DETAIL | {"plain": DETAIL, "count": 3, "all": [1, 2], "people": people})
    assert world.body(url) == expected.replace("RULE", source)


def test_reserved_variables(world: World) -> None:
    url, arn = world.queue()
    template = (
        '{"rule": <aws.events.rule-arn>, "at": "<aws.events.event.ingestion-time>", "when": '
        '<aws.events.event.ingestion-time>, "event": <aws.events.event>, "whole": <aws.events.event.json>}'
    )
    source = world.rule({"Arn": arn, "InputTransformer": {"InputTemplate": template}})
    identifier = world.put(source, Time=1_447_277_394)
    body = json.loads(world.body(url))
    assert body["rule"] == ACCOUNT.format(service="events", resource=f"rule/{source}")
    assert body["at"] == body["when"]
    assert abs(time.time() - time.mktime(time.strptime(body["at"], "%Y-%m-%dT%H:%M:%SZ")) + time.timezone) < 60
    assert body["whole"]["detail-type"] == "T"
    assert body["whole"]["detail"] == DETAIL
    assert body["event"] == {
        "version": "0",
        "id": identifier,
        "detailType": "T",
        "source": source,
        "account": "123456789012",
        "time": "2015-11-11T21:29:54Z",
        "region": "us-east-1",
        "resources": [],
    }


@pytest.mark.parametrize(
    ("template", "detail"),
    [('{"text": "<value>"}', {"value": {"a": 1}}), ('{"text": "<value>"}', {"value": 'say "hi"'})],
)
def test_values_are_not_escaped_and_spoiled_json_is_a_dead_letter(world: World, template: str, detail: Any) -> None:
    url, arn = world.queue()
    dead_url, dead = world.queue()
    transformer = {"InputPathsMap": {"value": "$.detail.value"}, "InputTemplate": template}
    world.put(world.rule({"Arn": arn, "InputTransformer": transformer, "DeadLetterConfig": {"Arn": dead}}), detail)
    message = world.message(dead_url)
    assert (labels(message)["ERROR_CODE"], json.loads(message["Body"])["detail"]) == ("INVALID_JSON", detail)
    assert world.empty(url)
