"""Rule targets that fail: retries, limits, dead letters; and what PutTargets refuses."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from event_support import ACCOUNT, DETAIL, FUNCTION, ROLE, World, event_world, labels

from durable_sandbox.aws.errors import AwsError


@pytest.fixture(scope="module")
def shared() -> Iterator[World]:
    with event_world() as made:
        yield made


@pytest.fixture
def world(shared: World) -> World:
    return shared.fresh()


BUSY = ("TooManyRequestsException", "Rate Exceeded.", 429)
BROKEN = ("ServiceException", "broken", 500)


def errors(kind: tuple[str, str, int], count: int) -> list[AwsError]:
    return [AwsError(kind[0], kind[1], status=kind[2]) for _ in range(count)]


def test_put_events_does_not_wait_for_the_target(world: World) -> None:
    source = world.rule({"Arn": FUNCTION})
    world.function.gate.clear()
    try:
        world.put(source)
        assert len(world.invoked()) == 1
        world.put(source)
        assert len(world.invoked(2)) == 2
    finally:
        world.function.gate.set()


def test_a_target_that_recovers_gets_the_event_once(world: World) -> None:
    dead_url, dead = world.queue()
    source = world.rule({"Arn": FUNCTION, "DeadLetterConfig": {"Arn": dead}})
    world.function.failures = [*errors(BUSY, 2), *errors(BROKEN, 1)]
    identifier = world.put(source)
    calls = world.invoked(4)
    assert {json.loads(call["Payload"])["id"] for call in calls} == {identifier}
    assert world.empty(dead_url)
    assert len(world.function.made("Invoke")) == 4


@pytest.mark.parametrize(
    ("policy", "kind", "code", "retries", "exhausted"),
    [
        ({"MaximumRetryAttempts": 0}, BUSY, "THROTTLING", 0, "MaximumRetryAttempts"),
        ({"MaximumRetryAttempts": 3}, BROKEN, "ERROR_FROM_TARGET", 3, "MaximumRetryAttempts"),
        ({"MaximumEventAgeInSeconds": 90}, BUSY, "THROTTLING", 6, "MaximumEventAgeInSeconds"),
    ],
)
def test_exhausted_retries_end_in_the_dead_letter_queue(
    world: World, policy: dict[str, int], kind: tuple[str, str, int], code: str, retries: int, exhausted: str
) -> None:
    dead_url, dead = world.queue()
    target = {"Arn": FUNCTION, "DeadLetterConfig": {"Arn": dead}, "RetryPolicy": policy, "Input": '{"not": "this"}'}
    source = world.rule(target)
    world.function.failures = errors(kind, 20)
    identifier = world.put(source)
    message = world.message(dead_url)
    assert labels(message) == {
        "RULE_ARN": ACCOUNT.format(service="events", resource=f"rule/{source}"),
        "TARGET_ARN": FUNCTION,
        "ERROR_CODE": code,
        "ERROR_MESSAGE": kind[1],
        "EXHAUSTED_RETRY_CONDITION": exhausted,
        "RETRY_ATTEMPTS": str(retries),
    }
    assert (json.loads(message["Body"])["id"], json.loads(message["Body"])["detail"]) == (identifier, DETAIL)
    assert len(world.function.made("Invoke")) == retries + 1


@pytest.mark.parametrize(
    ("arn", "code"),
    [
        (ACCOUNT.format(service="lambda", resource="function:gone"), "NO_RESOURCE"),
        (ACCOUNT.format(service="sqs", resource="gone"), "NO_RESOURCE"),
        (ACCOUNT.format(service="sns", resource="gone"), "NO_RESOURCE"),
        (ACCOUNT.format(service="logs", resource="log-group:gone"), "NO_RESOURCE"),
        (ACCOUNT.format(service="kinesis", resource="stream/gone"), "NO_RESOURCE"),
        (ACCOUNT.format(service="events", resource="event-bus/gone"), "NO_RESOURCE"),
    ],
)
def test_a_missing_target_is_not_tried_again(world: World, arn: str, code: str) -> None:
    dead_url, dead = world.queue()
    world.put(world.rule({"Arn": arn, "RoleArn": ROLE, "DeadLetterConfig": {"Arn": dead}}))
    found = labels(world.message(dead_url))
    assert (found["TARGET_ARN"], found["ERROR_CODE"], found["RETRY_ATTEMPTS"]) == (arn, code, "0")
    assert "EXHAUSTED_RETRY_CONDITION" not in found
    assert found["ERROR_MESSAGE"]


def test_what_a_target_refuses_is_not_tried_again(world: World) -> None:
    dead_url, dead = world.queue()
    _, fifo = world.queue(FifoQueue="true")  # without content-based deduplication, which EventBridge needs
    world.put(world.rule({"Arn": fifo, "SqsParameters": {"MessageGroupId": "g"}, "DeadLetterConfig": {"Arn": dead}}))
    found = labels(world.message(dead_url))
    assert (found["ERROR_CODE"], found["RETRY_ATTEMPTS"]) == ("INVALID_PARAMETER", "0")


def test_one_failing_target_does_not_hold_up_another(world: World) -> None:
    url, arn = world.queue()
    gone = ACCOUNT.format(service="lambda", resource="function:gone")
    world.put(world.rule({"Arn": gone}, {"Arn": arn}))
    assert json.loads(world.body(url))["detail"] == DETAIL


def test_a_reset_ends_what_is_retried(world: World) -> None:
    source = world.rule({"Arn": FUNCTION})
    world.function.failures = errors(BUSY, 100_000)
    world.put(source)
    world.invoked(3)
    asyncio.run_coroutine_threadsafe(world.served.sandbox.reset(), world.served.loop).result(30)
    assert not [task for task in asyncio.all_tasks(world.served.loop) if "deliver" in repr(task)]


def _transformer(template: str, **paths: str) -> dict[str, Any]:
    return {"InputTransformer": {"InputPathsMap": paths, "InputTemplate": template}}


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "two inputs": (
        {"Input": "{}", "InputPath": "$.detail"},
        "Only one of Input, InputPath, or InputTransformer must be provided for target 1",
    ),
    "input": ({"Input": "{"}, "Input for target 1 is not a valid JSON text"),
    "long input": ({"Input": json.dumps("x" * 8192)}, "targets.1.member.input' .* less than or equal to 8192"),
    "variable": (_transformer('"<other>"', a="$.a"), "InputTemplate for target 1 contains invalid placeholder other"),
    "unquoted text": (_transformer("is <a>", a="$.a"), r"Invalid InputTemplate for target 1 : \[Source: .*is null"),
    "bad JSON": (_transformer('{"x": <a>', a="$.a"), "Invalid InputTemplate for target 1"),
    "long template": (_transformer(json.dumps("x" * 8192)), "inputTemplate' .* less than or equal to 8192"),
    "variables": (_transformer('"x"', **{f"v{n}": "$" for n in range(101)}), "inputPathsMap' .* equal to 100"),
    "variable name": (_transformer('"x"', **{"AWS.x": "$"}), "inputPathsMap' .* regular expression"),
    "retries": ({"RetryPolicy": {"MaximumRetryAttempts": 186}}, "maximumRetryAttempts' .* less than or equal to 185"),
    "age": (
        {"RetryPolicy": {"MaximumEventAgeInSeconds": 86_401}},
        "maximumEventAgeInSeconds' .* less than or equal to 86400",
    ),
    "dead letters": ({"DeadLetterConfig": {"Arn": ACCOUNT.format(service="sqs", resource="d.fifo")}}, "standard SQS"),
    "fifo": ({"Arn": ACCOUNT.format(service="sqs", resource="q.fifo")}, "SqsParameters must be specified"),
    "stream": ({"Arn": ACCOUNT.format(service="kinesis", resource="stream/s")}, "RoleArn is required for target"),
    "no ARN": ({"Arn": "target"}, "Provided Arn is not in correct format"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_put_targets_refuses(world: World, case: str) -> None:
    settings, expected = REFUSED[case]
    world.events.put_rule(Name="refusing", EventPattern='{"source": ["none"]}')
    with pytest.raises(ClientError, match=expected) as refused:
        world.events.put_targets(Rule="refusing", Targets=[{"Id": "1", "Arn": FUNCTION, **settings}])
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert world.events.list_targets_by_rule(Rule="refusing")["Targets"] == []


def test_a_target_that_the_sandbox_lacks_is_refused(world: World) -> None:
    machine = ACCOUNT.format(service="states", resource="stateMachine:m")
    with pytest.raises(ClientError, match=r"delivers no events to .*stateMachine") as refused:
        world.rule({"Arn": machine, "RoleArn": ROLE})
    assert refused.value.response["Error"]["Code"] == "UnsupportedOperation"


def test_a_rule_has_five_targets(world: World) -> None:
    source = world.rule(*({"Arn": FUNCTION} for _ in range(5)))
    world.events.put_targets(Rule=source, Targets=[{"Id": "4", "Arn": f"{FUNCTION}:live"}])
    with pytest.raises(world.events.exceptions.LimitExceededException, match="maximum number allowed"):
        world.events.put_targets(Rule=source, Targets=[{"Id": "5", "Arn": FUNCTION}])
    assert len(world.events.list_targets_by_rule(Rule=source)["Targets"]) == 5
