"""Asynchronous invocation: retries, age, and what destinations and dead-letter queues get (3.1 to 3.3).

The tests carry the numbers of the sections of the project's fact sheet on event sources. Sources:
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html, .../invocation-async-retain-records.html,
and what AWS answered LocalStack's recorded runs (tests/aws/services/lambda_/test_lambda_destinations.snapshot.json). Waits
are short here (the sandbox scales them); counts are as on AWS.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from botocore.exceptions import ClientError
from support import Bench, Queue

from durable_sandbox.pytest_plugin import eventually

REGION, ACCOUNT = "us-east-1", "123456789012"
ORDERS = """
import json


def handler(event, context):
    print(json.dumps({"seen": event}))
    if isinstance(event, dict) and event.get("raise"):
        raise ValueError(event["raise"])
    return {"answer": event["n"] if isinstance(event, dict) else None}
"""
MILLISECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
POISON = {"n": 7, "raise": "no good"}
FAILURE = "Lambda Function Invocation Result - Failure"
SUCCESS = "Lambda Function Invocation Result - Success"


def _deploy(bench: Bench, **settings: Any) -> str:
    """A function that does what its event says; ``name:live``."""
    return bench.functions.deploy(ORDERS, **settings)


def _configure(bench: Bench, function: str, **settings: Any) -> None:
    """PutFunctionEventInvokeConfig; ``success`` and ``failure`` are ARNs of destinations."""
    sides = {"OnSuccess": settings.pop("success", None), "OnFailure": settings.pop("failure", None)}
    config = {side: {"Destination": arn} for side, arn in sides.items() if arn}
    bench.lambda_.put_function_event_invoke_config(FunctionName=function, DestinationConfig=config, **settings)


def _send(bench: Bench, function: str, event: Any) -> str:
    """Invoke asynchronously; the request's id."""
    payload = json.dumps(event).encode()
    answer = bench.lambda_.invoke(FunctionName=function, InvocationType="Event", Payload=payload)
    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
    request_id: str = answer["ResponseMetadata"]["RequestId"]
    return request_id


def _messages(bench: Bench, queue: Queue) -> list[dict[str, Any]]:
    """What comes to a queue, once something does."""

    def received() -> list[dict[str, Any]] | None:
        found: list[dict[str, Any]] | None = bench.sqs.receive_message(
            QueueUrl=queue.url, WaitTimeSeconds=1, MessageAttributeNames=["All"], MaxNumberOfMessages=10
        ).get("Messages")
        return found

    return eventually(received)


def _record(bench: Bench, queue: Queue) -> dict[str, Any]:
    """The one record that comes to a queue."""
    (message,) = _messages(bench, queue)
    record: dict[str, Any] = json.loads(message["Body"])
    return record


def _outcome(record: Mapping[str, Any]) -> tuple[str, int]:
    context = record["requestContext"]
    return context["condition"], context["approximateInvokeCount"]


def _arn(function: str) -> str:
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"


# --- 3.2 records of every condition -------------------------------------------------------------------------------------


def test_3_2_success(bench: Bench) -> None:
    function, queue = _deploy(bench), bench.queue()
    _configure(bench, function, success=queue.arn)
    before = time.time()
    request_id = _send(bench, function, {"n": 1, "text": "é"})
    record = _record(bench, queue)
    moment = record.pop("timestamp")
    assert MILLISECONDS.fullmatch(moment)
    told = datetime.strptime(moment, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC).timestamp()
    assert before - 0.01 <= told <= time.time()
    assert record == {
        "version": "1.0",
        "requestContext": {
            "requestId": request_id,
            "functionArn": _arn(function),
            "condition": "Success",
            "approximateInvokeCount": 1,
        },
        "requestPayload": {"n": 1, "text": "é"},
        "responseContext": {"statusCode": 200, "executedVersion": "1"},
        "responsePayload": {"answer": 1},
    }


def test_3_2_retries_exhausted(bench: Bench) -> None:
    name = _deploy(bench).partition(":")[0]
    queue = bench.queue()
    _configure(bench, name, failure=queue.arn)
    request_id = _send(bench, name, POISON)
    record = _record(bench, queue)
    assert MILLISECONDS.fullmatch(record.pop("timestamp"))
    answer = record.pop("responsePayload")
    assert (answer["errorMessage"], answer["errorType"]) == ("no good", "ValueError")
    assert answer["stackTrace"]
    assert record == {
        "version": "1.0",
        "requestContext": {
            "requestId": request_id,
            "functionArn": f"{_arn(name)}:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": POISON,
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
    }


@pytest.mark.parametrize(("age", "tries"), [(60, 1), (90, 2)])
def test_3_1_event_age_exceeded_by_the_next_wait(bench: Bench, age: int, tries: int) -> None:
    function, queue = _deploy(bench), bench.queue()
    _configure(bench, function, failure=queue.arn, MaximumEventAgeInSeconds=age)
    request_id = _send(bench, function, POISON)
    record = _record(bench, queue)
    assert MILLISECONDS.fullmatch(record.pop("timestamp"))
    answer = record.pop("responsePayload")
    assert (answer["errorMessage"], answer["errorType"]) == ("no good", "ValueError")
    assert record == {
        "version": "1.0",
        "requestContext": {
            "requestId": request_id,
            "functionArn": _arn(function),
            "condition": "EventAgeExceeded",
            "approximateInvokeCount": tries,
        },
        "requestPayload": POISON,
        "responseContext": {"statusCode": 200, "executedVersion": "1", "functionError": "Unhandled"},
    }


def test_3_1_zero_reserved_concurrency(bench: Bench) -> None:
    dead, queue = bench.queue(), bench.queue()
    function = _deploy(bench, DeadLetterConfig={"TargetArn": dead.arn})
    _configure(bench, function, failure=queue.arn)
    bench.lambda_.put_function_concurrency(FunctionName=function.partition(":")[0], ReservedConcurrentExecutions=0)
    request_id = _send(bench, function, {"n": 1})
    record = _record(bench, queue)
    assert MILLISECONDS.fullmatch(record.pop("timestamp"))
    assert record == {
        "version": "1.0",
        "requestContext": {
            "requestId": request_id,
            "functionArn": _arn(function),
            "condition": "ZeroReservedConcurrency",
            "approximateInvokeCount": 0,
        },
        "requestPayload": {"n": 1},
    }
    (message,) = _messages(bench, dead)
    assert json.loads(message["Body"]) == {"n": 1}


# --- 3.1 behaviour ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("retries", [0, 1])
def test_3_1_as_many_retries_as_set(bench: Bench, retries: int) -> None:
    function, queue = _deploy(bench), bench.queue()
    _configure(bench, function, failure=queue.arn, MaximumRetryAttempts=retries)
    _send(bench, function, POISON)
    assert _outcome(_record(bench, queue)) == ("RetriesExhausted", 1 + retries)


def test_3_1_settings_are_of_the_qualifier_that_is_invoked(bench: Bench) -> None:
    function = _deploy(bench)
    name, of_alias, of_version = function.partition(":")[0], bench.queue(), bench.queue()
    _configure(bench, function, failure=of_alias.arn, MaximumRetryAttempts=0)
    _configure(bench, f"{name}:1", failure=of_version.arn, MaximumRetryAttempts=1)
    _send(bench, function, POISON)
    _send(bench, f"{name}:1", POISON)
    by_version = _record(bench, of_version)
    assert _outcome(by_version) == ("RetriesExhausted", 2)
    assert by_version["requestContext"]["functionArn"] == f"{_arn(name)}:1"
    by_alias = _record(bench, of_alias)
    assert _outcome(by_alias) == ("RetriesExhausted", 1)
    assert by_alias["requestContext"]["functionArn"] == _arn(function)


def test_3_1_a_throttled_event_waits_and_spends_no_retry(bench: Bench) -> None:
    queue = bench.queue()
    busy = bench.functions.deploy("import time\ndef handler(event, context):\n    time.sleep(event['sleep'])\n")
    bench.lambda_.put_function_concurrency(FunctionName=busy.partition(":")[0], ReservedConcurrentExecutions=1)
    _configure(bench, busy, success=queue.arn, MaximumRetryAttempts=0)
    _send(bench, busy, {"sleep": 1.5})
    _send(bench, busy, {"sleep": 0})
    records: list[dict[str, Any]] = []
    while len(records) < 2:
        records += [json.loads(message["Body"]) for message in _messages(bench, queue)]
    assert [_outcome(record) for record in records] == [("Success", 1)] * 2
    assert [record["requestPayload"]["sleep"] for record in records] == [1.5, 0]


def test_3_1_at_most_1_mb(bench: Bench) -> None:
    function = _deploy(bench)
    with pytest.raises(ClientError) as refused:
        bench.lambda_.invoke(FunctionName=function, InvocationType="Event", Payload=b'"' + b"x" * 1024 * 1024 + b'"')
    answer = refused.value.response
    assert answer["Error"]["Code"] == "RequestTooLargeException"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 413
    _send(bench, function, "x" * (1024 * 1024 - 2))


# --- 3.2 every kind of destination --------------------------------------------------------------------------------------


def test_3_2_a_topic(bench: Bench) -> None:
    function, queue = _deploy(bench), bench.queue()
    sns = bench.sandbox.client("sns")
    topic = sns.create_topic(Name=f"t-{uuid4().hex[:12]}")["TopicArn"]
    _open(bench, queue, "sns.amazonaws.com")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn, Attributes={"RawMessageDelivery": "true"})
    _configure(bench, function, success=topic, failure=topic, MaximumRetryAttempts=0)
    _send(bench, function, {"n": 1})
    assert _outcome(_record(bench, queue)) == ("Success", 1)
    _send(bench, function, {"raise": "x" * 10, "fill": "y" * 256 * 1024})
    record = _record(bench, queue)
    assert _outcome(record) == ("RetriesExhausted", 1)
    assert "requestPayload" not in record, "what SNS would refuse goes without payloads"
    assert "responsePayload" not in record
    assert record["responseContext"]["functionError"] == "Unhandled"


def test_3_2_another_function(bench: Bench) -> None:
    function, queue = _deploy(bench), bench.queue()
    told = bench.functions.deploy("def handler(event, context):\n    return event\n")
    _configure(bench, function, success=_arn(told))
    _configure(bench, told, success=queue.arn)
    request_id = _send(bench, function, {"n": 3})
    onward = _record(bench, queue)
    assert onward["requestContext"]["functionArn"] == _arn(told)
    record = onward["requestPayload"]
    assert onward["responsePayload"] == record
    assert record["requestContext"]["requestId"] == request_id
    assert record["responsePayload"] == {"answer": 3}
    assert UUID(onward["requestContext"]["requestId"]) != UUID(request_id)


def test_3_2_an_event_bus(bench: Bench) -> None:
    function, queue, events = _deploy(bench), bench.queue(), bench.sandbox.client("events")
    name = f"b-{uuid4().hex[:12]}"
    bus = events.create_event_bus(Name=name)["EventBusArn"]
    events.put_rule(Name=name, EventBusName=name, EventPattern=json.dumps({"source": ["lambda"]}))
    events.put_targets(Rule=name, EventBusName=name, Targets=[{"Id": "q", "Arn": queue.arn}])
    _open(bench, queue, "events.amazonaws.com")
    _configure(bench, function, success=bus, failure=bus, MaximumRetryAttempts=0)
    for order, detail_type, outcome in (({"n": 1}, SUCCESS, "Success"), (POISON, FAILURE, "RetriesExhausted")):
        _send(bench, function, order)
        event = _record(bench, queue)
        assert (event["source"], event["detail-type"]) == ("lambda", detail_type)
        assert event["resources"] == [bus, _arn(function)]
        assert _outcome(event["detail"]) == (outcome, 1)
        assert event["detail"]["requestPayload"] == order


def test_3_2_a_bucket_for_failures(bench: Bench) -> None:
    function, s3, bucket = _deploy(bench), bench.sandbox.client("s3"), f"b-{uuid4().hex[:12]}"
    s3.create_bucket(Bucket=bucket)
    _configure(bench, function, failure=f"arn:aws:s3:::{bucket}", MaximumRetryAttempts=0)
    before = datetime.now(UTC)
    _send(bench, function, POISON)
    (found,) = eventually(lambda: s3.list_objects_v2(Bucket=bucket).get("Contents"))
    name = function.partition(":")[0]
    parts = re.fullmatch(
        rf"aws/lambda/async/{name}/(\d{{4}}/\d\d/\d\d)/(\d{{4}}-\d\d-\d\dT\d\d\.\d\d\.\d\d)-([0-9a-f-]{{36}})",
        found["Key"],
    )
    assert parts, found["Key"]
    moment = datetime.strptime(parts[2], "%Y-%m-%dT%H.%M.%S").replace(tzinfo=UTC)
    assert parts[1] == f"{moment:%Y/%m/%d}"
    assert -1 < (moment - before).total_seconds() < 60
    record = json.loads(s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read())
    assert _outcome(record) == ("RetriesExhausted", 1)
    assert record["requestPayload"] == POISON


# --- 3.3 the function's dead-letter queue -------------------------------------------------------------------------------


def test_3_3_the_raw_event_with_three_attributes_beside_the_record(bench: Bench) -> None:
    dead, queue = bench.queue(), bench.queue()
    function = _deploy(bench, DeadLetterConfig={"TargetArn": dead.arn})
    _configure(bench, function, failure=queue.arn, MaximumRetryAttempts=0)
    event = {"raise": "é" * 1000}
    request_id = _send(bench, function, event)
    (message,) = _messages(bench, dead)
    assert json.loads(message["Body"]) == event
    attributes = {
        name: (value["DataType"], value["StringValue"]) for name, value in message["MessageAttributes"].items()
    }
    assert attributes == {
        "RequestID": ("String", request_id),
        "ErrorCode": ("Number", "200"),
        "ErrorMessage": ("String", "é" * 512),
    }
    assert _outcome(_record(bench, queue)) == ("RetriesExhausted", 1)


def test_3_3_a_topic_as_the_dead_letter_target(bench: Bench) -> None:
    queue, sns = bench.queue(), bench.sandbox.client("sns")
    topic = sns.create_topic(Name=f"t-{uuid4().hex[:12]}")["TopicArn"]
    _open(bench, queue, "sns.amazonaws.com")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn, Attributes={"RawMessageDelivery": "true"})
    function = _deploy(bench, DeadLetterConfig={"TargetArn": topic})
    _configure(bench, function, MaximumRetryAttempts=0)
    _send(bench, function, POISON)
    (message,) = _messages(bench, queue)
    assert json.loads(message["Body"]) == POISON
    assert message["MessageAttributes"]["ErrorMessage"]["StringValue"] == "no good"


def test_3_3_a_success_leaves_no_dead_letter(bench: Bench) -> None:
    dead, queue = bench.queue(), bench.queue()
    function = _deploy(bench, DeadLetterConfig={"TargetArn": dead.arn})
    _configure(bench, function, success=queue.arn)
    _send(bench, function, {"n": 1})
    assert _outcome(_record(bench, queue)) == ("Success", 1)
    assert bench.counts(dead) == (0, 0)


def _open(bench: Bench, queue: Queue, service: str) -> None:
    """Let a service send to a queue."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sqs:SendMessage",
        "Resource": queue.arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    bench.sqs.set_queue_attributes(QueueUrl=queue.url, Attributes={"Policy": policy})
