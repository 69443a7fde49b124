"""What becomes of events and records that cannot be delivered, and what is counted of it all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from enforcement_support import Account, allow
from lambda_support import Functions

from durable_sandbox.pytest_plugin import Sandbox, eventually, started

BAD_HANDLER = "def handler(event, context):\n    raise ValueError('no')\n"


@pytest.fixture(scope="module")
def account(sandbox: Sandbox) -> Account:
    return Account(sandbox)


@pytest.fixture(scope="module")
def functions(sandbox: Sandbox) -> Functions:
    return Functions(sandbox.client("lambda"))


def _metrics(sandbox: Sandbox, function: str) -> dict[str, Any]:
    name = function.removesuffix(":live").rsplit(":", 1)[-1]
    found = [row for row in sandbox.status()["async_metrics"] if row["name"] == name]
    return found[0] if found else {}


def _counted(sandbox: Sandbox, function: str, metric: str, value: int = 1) -> dict[str, Any]:
    """The function's metrics once one of them has that value."""

    def reached() -> dict[str, Any] | None:
        metrics = _metrics(sandbox, function)
        return metrics if metrics.get(metric) == value else None

    return eventually(reached)


def _send(functions: Functions, function: str) -> None:
    functions.client.invoke(FunctionName=function, InvocationType="Event", Payload=b'{"n": 1}')


def _wanted(functions: Functions, function: str, target: str) -> None:
    functions.client.put_function_event_invoke_config(
        FunctionName=function, MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": target}}
    )


@pytest.mark.parametrize("service", ["sqs", "sns"])
def test_a_fifo_destination_is_taken_but_nothing_can_be_delivered_to_it(
    sandbox: Sandbox, functions: Functions, service: str
) -> None:
    name, client = f"d-{uuid4().hex[:12]}.fifo", sandbox.client(service)
    if service == "sqs":
        client.create_queue(QueueName=name, Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"})
        target = f"arn:aws:sqs:us-east-1:123456789012:{name}"
    else:
        attributes = {"FifoTopic": "true", "ContentBasedDeduplication": "true"}
        target = client.create_topic(Name=name, Attributes=attributes)["TopicArn"]
    live = functions.deploy(BAD_HANDLER)
    _wanted(functions, live, target)
    _send(functions, live)
    metrics = _counted(sandbox, live, "DestinationDeliveryFailures")
    assert (metrics["AsyncEventsReceived"], metrics["AsyncEventsDropped"], metrics["DeadLetterErrors"]) == (1, 1, 0)


def test_rights_taken_away_later_are_a_delivery_failure(account: Account, functions: Functions) -> None:
    (_, queue), (dead_url, dead) = account.queue(), account.queue()
    role = account.role(allow("logs:*", "*"), allow("sqs:SendMessage", [queue, dead]))
    function = account.function(role, BAD_HANDLER, DeadLetterConfig={"TargetArn": dead}) + ":live"
    _wanted(functions, function, queue)
    account.grant(role, allow("logs:*", "*"), allow("sqs:SendMessage", dead))
    _send(functions, function)
    metrics = _counted(account.sandbox, function, "DestinationDeliveryFailures")
    assert metrics["DeadLetterErrors"] == 0
    (message,) = account.sqs.receive_message(QueueUrl=dead_url, WaitTimeSeconds=5)["Messages"]
    assert json.loads(message["Body"]) == {"n": 1}
    (refusal,) = account.sandbox.iam(role.name)["refused"]
    assert (refusal["action"], refusal["resource"]) == ("sqs:SendMessage", queue)


def test_a_dead_letter_that_is_refused_is_counted(account: Account, functions: Functions) -> None:
    (_, dead), (url, queue) = account.queue(), account.queue()
    role = account.role(allow("logs:*", "*"), allow("sqs:SendMessage", queue))
    function = account.function(role, BAD_HANDLER, DeadLetterConfig={"TargetArn": dead}) + ":live"
    _wanted(functions, function, queue)
    _send(functions, function)
    metrics = _counted(account.sandbox, function, "DeadLetterErrors")
    (message,) = account.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    assert json.loads(message["Body"])["requestContext"]["condition"] == "RetriesExhausted"
    assert metrics["AsyncEventAge"]["SampleCount"] == 1


def test_a_dead_letter_of_a_durable_execution_that_is_refused_is_counted(
    account: Account, functions: Functions
) -> None:
    _, dead = account.queue()
    role = account.role(allow(["logs:*", "lambda:CheckpointDurableExecution", "lambda:GetDurableExecutionState"], "*"))
    source = (
        "from aws_durable_execution_sdk_python import durable_execution\n"
        "@durable_execution\ndef handler(event, context):\n    raise ValueError('no')\n"
    )
    config = {"ExecutionTimeout": 600, "RetentionPeriodInDays": 1}
    function = account.function(role, source, DeadLetterConfig={"TargetArn": dead}, DurableConfig=config) + ":live"
    _send(functions, function)
    _counted(account.sandbox, function, "DeadLetterErrors")


def test_events_that_succeed_are_counted_as_received_alone(sandbox: Sandbox, functions: Functions) -> None:
    live = functions.deploy("def handler(event, context):\n    return None\n")
    for _ in range(3):
        _send(functions, live)

    def run() -> dict[str, Any] | None:
        metrics = _metrics(sandbox, live)
        return metrics if metrics and metrics["AsyncEventAge"]["SampleCount"] == 3 else None

    metrics = eventually(run)
    assert metrics["AsyncEventsReceived"] == 3
    assert metrics["AsyncEventsDropped"] == metrics["DestinationDeliveryFailures"] == metrics["DeadLetterErrors"] == 0
    assert 0 <= metrics["AsyncEventAge"]["Minimum"] <= metrics["AsyncEventAge"]["Maximum"] < 60_000


def test_a_reset_forgets_the_counts(tmp_path: Path) -> None:
    with started(tmp_path) as own:  # other tests live in the session's
        functions = Functions(own.client("lambda"))
        live = functions.deploy("def handler(event, context):\n    return None\n")
        _send(functions, live)
        _counted(own, live, "AsyncEventsReceived")
        own.reset()
        assert own.status()["async_metrics"] == []
