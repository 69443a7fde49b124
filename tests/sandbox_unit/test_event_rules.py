"""EventBridge rules through boto3: patterns, every kind of target, archives, schedules."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError
from event_support import ACCOUNT, DETAIL, FUNCTION, PATHS, ROLE, World, event_world

from durable_sandbox.pytest_plugin import eventually


@pytest.fixture(scope="module")
def shared() -> Iterator[World]:
    with event_world() as made:
        yield made


@pytest.fixture
def world(shared: World) -> World:
    return shared.fresh()


def test_a_queue_gets_the_whole_event(world: World) -> None:
    url, arn = world.queue()
    source = world.rule({"Arn": arn})
    identifier = world.put(source, Resources=["arn:x"], Time=1_447_277_394)
    assert json.loads(world.body(url)) == {
        "version": "0",
        "id": identifier,
        "detail-type": "T",
        "source": source,
        "account": "123456789012",
        "time": "2015-11-11T21:29:54Z",
        "region": "us-east-1",
        "resources": ["arn:x"],
        "detail": DETAIL,
    }


def test_a_fifo_queue_gets_it_in_the_targets_group(world: World) -> None:
    url, arn = world.queue(FifoQueue="true", ContentBasedDeduplication="true")
    source = world.rule({"Arn": arn, "SqsParameters": {"MessageGroupId": "g"}})
    world.put(source)
    assert world.message(url)["Attributes"]["MessageGroupId"] == "g"


def test_a_function_is_invoked_asynchronously_by_its_alias(world: World) -> None:
    world.put(world.rule({"Arn": f"{FUNCTION}:live", "InputPath": "$.detail"}))
    (invoked,) = world.invoked()
    assert (invoked["FunctionName"], invoked["InvocationType"]) == (f"{FUNCTION}:live", "Event")
    assert json.loads(invoked["Payload"]) == DETAIL


def test_a_topic_gets_a_constant(world: World) -> None:
    url, arn = world.queue()
    topic = world.sns.create_topic(Name=f"t-{uuid4().hex[:10]}")["TopicArn"]
    world.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    world.put(world.rule({"Arn": topic, "Input": '{"constant": 1}'}))
    assert json.loads(world.body(url)) == {"constant": 1}


def test_a_stream_gets_it_under_a_key_from_the_original_event(world: World) -> None:
    name = f"s-{uuid4().hex[:10]}"
    world.kinesis.create_stream(StreamName=name, ShardCount=1)
    stream = {"Arn": ACCOUNT.format(service="kinesis", resource=f"stream/{name}"), "RoleArn": ROLE}
    by_path = {"KinesisParameters": {"PartitionKeyPath": "$.detail.state"}, "InputPath": "$.detail.instance-id"}
    identifier = world.put(world.rule(stream | by_path, stream))
    shard = world.kinesis.get_shard_iterator(
        StreamName=name, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
    )

    def records() -> list[dict[str, Any]] | None:
        found: list[dict[str, Any]] = world.kinesis.get_records(ShardIterator=shard["ShardIterator"])["Records"]
        return found if len(found) == 2 else None

    keyed = {record["PartitionKey"]: json.loads(record["Data"]) for record in eventually(records)}
    assert keyed["RUNNING"] == "i-0123456789"
    assert keyed[identifier]["detail"] == DETAIL


def test_a_log_group_gets_the_event_or_timestamp_and_message(world: World) -> None:
    group = f"/aws/events/{uuid4().hex[:10]}"
    world.logs.create_log_group(logGroupName=group)
    arn = ACCOUNT.format(service="logs", resource=f"log-group:{group}")
    template = '{"timestamp": <timestamp>, "message": "instance \\"<instance>\\" is in <state>"}'
    transformer = {"InputPathsMap": PATHS, "InputTemplate": template}
    then = int(time.time()) - 3600
    world.put(world.rule({"Arn": arn}, {"Arn": f"{arn}:*", "InputTransformer": transformer}), Time=then)

    def lines() -> list[dict[str, Any]] | None:
        found: list[dict[str, Any]] = world.logs.filter_log_events(logGroupName=group)["events"]
        return found if len(found) == 2 else None

    first, second = sorted(eventually(lines), key=lambda event: event["timestamp"])
    assert (first["timestamp"], first["message"]) == (then * 1000, 'instance "i-0123456789" is in RUNNING')
    assert json.loads(second["message"])["detail"] == DETAIL


def test_a_bus_gets_the_event_as_it_is(world: World) -> None:
    bus = f"b-{uuid4().hex[:10]}"
    arn = world.events.create_event_bus(Name=bus)["EventBusArn"]
    url, queue = world.queue()
    direct_url, direct = world.queue()
    source = world.rule({"Arn": arn, "RoleArn": ROLE}, {"Arn": direct})
    name = world.rule({"Arn": queue}, bus=bus, EventPattern=json.dumps({"source": [source]}))
    world.put(source)
    world.put(source, {"put": "straight"}, EventBusName=arn)
    assert {name} == {rule["Name"] for rule in world.events.list_rules(EventBusName=bus)["Rules"]}
    bodies = [json.loads(world.body(url)) for _ in range(2)]
    forwarded = next(body for body in bodies if body["detail"] == DETAIL)
    assert forwarded == json.loads(world.body(direct_url))
    assert [body["detail"] for body in bodies if body != forwarded] == [{"put": "straight"}]
    assert world.empty(direct_url)


def test_patterns_match_as_event_ruler_does(world: World) -> None:
    url, arn = world.queue()
    pattern = {
        "detail-type": ["T"],
        "$or": [{"detail": {"n": [{"numeric": [">", 5]}]}}, {"detail": {"name": [{"prefix": "x-"}]}}],
        "detail": {"state": [{"anything-but": {"wildcard": "*ED"}}]},
    }
    marker = f"m-{uuid4().hex[:10]}"
    world.rule({"Arn": arn, "InputPath": "$.detail.id"}, EventPattern=json.dumps(pattern | {"source": [marker]}))
    for detail in (
        {"id": 1, "n": 6, "state": "UP"},
        {"id": 2, "n": 5, "state": "UP"},
        {"id": 3, "name": "x-1", "state": "UP"},
        {"id": 4, "n": 6, "state": "STOPPED"},
    ):
        world.put(marker, detail)
    assert {world.body(url), world.body(url)} == {"1", "3"}
    assert world.empty(url)


def test_a_disabled_rule_delivers_nothing_until_it_is_enabled(world: World) -> None:
    url, arn = world.queue()
    source = world.rule({"Arn": arn, "InputPath": "$.detail.n"}, State="DISABLED")
    world.put(source, {"n": 1})
    world.events.enable_rule(Name=source)
    world.put(source, {"n": 2})
    assert world.body(url) == "2"
    assert world.empty(url)


def test_patterns_are_checked_and_can_be_tried(world: World) -> None:
    with pytest.raises(world.events.exceptions.InvalidEventPatternException, match="numeric"):
        world.events.put_rule(Name="bad", EventPattern='{"detail": {"n": [{"numeric": ["~", 1]}]}}')
    event = json.dumps({"id": "1", "source": "a", "detail": {"n": 3}})
    for bound, expected in ((2, True), (3, False)):
        pattern = json.dumps({"detail": {"n": [{"numeric": [">", bound]}]}})
        assert world.events.test_event_pattern(EventPattern=pattern, Event=event)["Result"] is expected


def test_only_aws_puts_events_of_aws(world: World) -> None:
    entry = {"DetailType": "T", "Detail": "{}"}
    answer = world.events.put_events(Entries=[{"Source": "aws.lambda", **entry}, {"Source": "mine", **entry}])
    assert answer["FailedEntryCount"] == 1
    refused, accepted = answer["Entries"]
    assert refused["ErrorCode"] == "NotAuthorizedForSourceException"
    assert accepted["EventId"]


def test_an_archive_keeps_events_and_replays_them(world: World) -> None:
    url, arn = world.queue()
    source = world.rule({"Arn": arn, "InputPath": "$.detail.n"})
    bus = ACCOUNT.format(service="events", resource="event-bus/default")
    name = f"a-{uuid4().hex[:10]}"
    archive = world.events.create_archive(
        ArchiveName=name, EventSourceArn=bus, EventPattern=json.dumps({"source": [source]})
    )["ArchiveArn"]
    world.put(source, {"n": 1})
    assert world.body(url) == "1"
    assert world.events.describe_archive(ArchiveName=name)["EventCount"] == 1
    world.events.start_replay(
        ReplayName=name, EventSourceArn=archive, EventStartTime=0, EventEndTime=1, Destination={"Arn": bus}
    )
    assert world.body(url) == "1"


def test_a_rate_fires_scaled_and_ends_with_its_rule(world: World) -> None:
    url, arn = world.queue()
    name = f"r-{uuid4().hex[:10]}"
    rule = world.events.put_rule(Name=name, ScheduleExpression="rate(1 minute)")["RuleArn"]
    world.events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": arn}])
    first, second = json.loads(world.body(url)), json.loads(world.body(url))
    assert (first["detail-type"], first["source"]) == ("Scheduled Event", "aws.events")
    assert (first["resources"], first["detail"]) == ([rule], {})
    assert first["id"] != second["id"]
    world.put("anything")
    world.events.disable_rule(Name=name)
    world.sqs.purge_queue(QueueUrl=url)
    assert world.empty(url)
    assert world.empty(url)
    world.events.enable_rule(Name=name)
    assert json.loads(world.body(url))["source"] == "aws.events"
    world.events.remove_targets(Rule=name, Ids=["1"])
    world.events.delete_rule(Name=name)
    tasks: Callable[[], bool] = lambda: any("fire" in repr(task) for task in asyncio.all_tasks(world.served.loop))  # noqa: E731
    eventually(lambda: True if not tasks() else None)


@pytest.mark.parametrize(
    "expression", ["rate(1 minutes)", "rate(2 hour)", "rate(0 days)", "rate(5 weeks)", "every hour"]
)
def test_a_rate_must_be_valid(world: World, expression: str) -> None:
    with pytest.raises(ClientError, match="ScheduleExpression is not valid"):
        world.events.put_rule(Name="never", ScheduleExpression=expression)
