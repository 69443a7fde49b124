"""``<name>-failed`` with what is no event of the function: kept, whatever is redriven beside it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from ops_support import Deployed, Said, environment, run

from durable_sandbox.pytest_plugin import Sandbox

Ops = Callable[..., Said]

# Of the on-failure destination of a stream's mapping:
# https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
POINTER = json.dumps({
    "requestContext": {"requestId": "1", "condition": "RetryAttemptsExhausted", "approximateInvokeCount": 4},
    "version": "1.0",
    "DDBStreamBatchInfo": {
        "shardId": "shardId-1",
        "startSequenceNumber": "10",
        "endSequenceNumber": "12",
        "batchSize": 3,
        "streamArn": "arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/2026-01-01T00:00:00.000",
    },
})  # fmt: skip


@pytest.fixture
def deployed(sandbox: Sandbox) -> Deployed:
    return Deployed(sandbox)


@pytest.fixture
def ops(sandbox: Sandbox) -> Ops:
    return lambda *arguments: run(environment(sandbox), *arguments)


def put(deployed: Deployed, *bodies: str) -> list[str]:
    return [deployed.sqs.send_message(QueueUrl=deployed.failed, MessageBody=body)["MessageId"] for body in bodies]


def test_they_are_listed_as_what_they_are(deployed: Deployed, ops: Ops) -> None:
    pointer, by_hand = put(deployed, POINTER, "[1]")

    listed = ops("dead-letters", "list", deployed.name, "--json").json["dead_letters"]
    planned = ops("dead-letters", "redrive", deployed.name, "--dry-run")

    reasons = {one["id"]: (one["reason"], one["redrivable"]) for one in listed}
    assert reasons[pointer] == ("a pointer to records of a stream: no event of a function; see stream-redrive", False)
    assert reasons[by_hand][0].startswith("no event of a function: RequestID, ErrorCode and ErrorMessage")
    assert f"{deployed.name}-failed: 0 would be redriven" in planned.out
    assert "2 of these are no events of a function, and stay." in planned.out


def test_a_redrive_starts_the_events_and_keeps_the_rest(deployed: Deployed, ops: Ops) -> None:
    deployed.deploy()
    ids = deployed.fail(1)
    deployed.mend()
    kept = put(deployed, POINTER, "[]")

    said = ops("dead-letters", "redrive", deployed.name, "--queue", "failed", "--json")

    assert said.code == 1
    (queue,) = said.json["queues"]
    assert (queue["redriven"], sorted(queue["failed"])) == (1, sorted(kept))
    assert "see stream-redrive" in queue["failed"][kept[0]]
    deployed.settled()
    assert deployed.attempts() == dict.fromkeys(ids, 1)
    assert len(deployed.executions()) == 2
    assert sorted(m["MessageId"] for m in deployed.take(deployed.failed)) == sorted(kept)


def test_one_that_is_named_is_not_redriven_either_and_can_be_deleted(deployed: Deployed, ops: Ops) -> None:
    deployed.deploy()
    (pointer,) = put(deployed, POINTER)

    said = ops("dead-letters", "redrive", deployed.name, "--id", pointer)

    assert said.code == 1
    assert f"{pointer}: a pointer to records of a stream: no event of a function; see stream-redrive" in said.err
    assert (deployed.depth(deployed.failed), deployed.executions()) == (1, [])
    assert ops("dead-letters", "delete", deployed.name, "--id", pointer, "--yes").code == 0
    assert deployed.depth(deployed.failed) == 0
