"""Pipes with Kinesis and DynamoDB streams: section 4 of the fact sheet on event sources, by boto3 alone.

Sources: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-kinesis.html, .../eb-pipes-dynamodb.html,
.../eb-pipes-error-troubleshooting.html, .../eb-pipes-permissions.html. Every pipe has a role with the documented rights to
its source, its target and its dead-letter queue, and no others. Back-off is short here (the sandbox scales it).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError
from stream_support import ACCOUNT, Source, Streams, filters
from support import Bench, Queue

from durable_sandbox.pytest_plugin import eventually

READS = {
    "kinesis": [
        "DescribeStream",
        "DescribeStreamSummary",
        "GetRecords",
        "GetShardIterator",
        "ListShards",
        "SubscribeToShard",
    ],
    "dynamodb": ["DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"],
}
MEMBERS = {"kinesis": "KinesisStreamParameters", "dynamodb": "DynamoDBStreamParameters"}
TRANSITIONS = ("CREATING", "STARTING", "STOPPING", "UPDATING")
BISECT: dict[str, Any] = {"OnPartialBatchItemFailure": "AUTOMATIC_BISECT"}
FIRE_AND_FORGET = {"LambdaFunctionParameters": {"InvocationType": "FIRE_AND_FORGET"}}

PROBE = """
import base64
import json


def handler(event, context):
    print(json.dumps({"event": event}))
    failed, poison = [], False
    for record in event:
        if "data" in record:
            order = json.loads(base64.b64decode(record["data"]))
            number = record["sequenceNumber"]
        else:
            order = json.loads(record["dynamodb"]["NewImage"]["order"]["S"])
            number = record["dynamodb"]["SequenceNumber"]
        poison = poison or order.get("raise")
        if order.get("fail"):
            failed.insert(0, {"itemIdentifier": record["eventID"]})
    if poison:
        raise ValueError("poison")
    return {"batchItemFailures": failed}
"""


class Pipes:
    """Pipes to a function of their own that says what it saw, or to a queue; all are deleted in the end."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.streams = Streams(bench)
        self.pipes = bench.sandbox.client("pipes")
        self._iam = bench.sandbox.client("iam")
        self._logs = bench.sandbox.client("logs")
        self._made: list[str] = []

    def role(self, source: str, target: str, dead: str | None = None, *, without: str = "") -> str:
        """A role with the documented rights, ``without`` one action of them."""
        service = source.split(":")[2]
        stream = source.partition("/consumer/")[0]
        wanted = [(f"{service}:{action}", [stream, f"{stream}/consumer/*"]) for action in READS[service]]
        wanted.append(("lambda:InvokeFunction" if ":lambda:" in target else "sqs:SendMessage", [target]))
        if dead is not None:
            wanted.append((f"{dead.split(':')[2]}:{'SendMessage' if ':sqs:' in dead else 'Publish'}", [dead]))
        statements = [
            {"Effect": "Allow", "Action": action, "Resource": resources}
            for action, resources in wanted
            if action != without
        ]
        name = f"r-{uuid4().hex[:12]}"
        trust = {"Effect": "Allow", "Principal": {"Service": "pipes.amazonaws.com"}, "Action": "sts:AssumeRole"}
        made = self._iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(trust))
        self._iam.put_role_policy(RoleName=name, PolicyName="rights", PolicyDocument=_policy(*statements))
        arn: str = made["Role"]["Arn"]
        return arn

    def function(self) -> str:
        """The ARN of a new probe's alias."""
        name = self.bench.functions.deploy(PROBE, Timeout=5)
        return f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}"

    def create(self, source: str, target: str, *, without: str = "", **settings: Any) -> str:
        """Create a pipe from TRIM_HORIZON with the stream ``settings``; its name once it has settled.

        ``dead``: ARN of the dead-letter queue; ``patterns``: filters; ``with_``: further members of CreatePipe.
        """
        extra, patterns, dead = settings.pop("with_", {}), settings.pop("patterns", ()), settings.pop("dead", None)
        if dead is not None:
            settings["DeadLetterConfig"] = {"Arn": dead}
        parameters: dict[str, Any] = {
            MEMBERS[source.split(":")[2]]: {"StartingPosition": "TRIM_HORIZON", **settings},
        }
        if patterns:
            parameters["FilterCriteria"] = filters(*patterns)
        name, role = f"p-{uuid4().hex[:12]}", self.role(source, target, dead, without=without)
        self.pipes.create_pipe(
            Name=name, Source=source, Target=target, RoleArn=role, SourceParameters=parameters, **extra
        )
        self._made.append(name)
        self.settled(name)
        return name

    def settled(self, name: str, *leaving: str) -> dict[str, Any]:
        """DescribePipe, once the pipe is in no transition and in none of the states ``leaving``."""

        def done() -> dict[str, Any] | None:
            shown: dict[str, Any] = self.pipes.describe_pipe(Name=name)
            return None if shown["CurrentState"] in {*TRANSITIONS, *leaving} else shown

        return eventually(done)

    def seen(self, function: str, condition: Callable[[list[list[dict[str, Any]]]], Any]) -> list[list[dict[str, Any]]]:
        """The events that a probe got, by time, once they satisfy ``condition``."""
        group = f"/aws/lambda/{function.split(':')[6]}"

        def satisfied() -> list[list[dict[str, Any]]] | None:
            try:
                pages = self._logs.get_paginator("filter_log_events").paginate(logGroupName=group)
                lines = [(one["timestamp"], one["message"]) for page in pages for one in page["events"]]
            except self._logs.exceptions.ResourceNotFoundException:
                return None
            events = [json.loads(text)["event"] for _, text in sorted(lines) if text.startswith("{")]
            return events if condition(events) else None

        return eventually(satisfied)

    def orders(self, function: str, batches: int) -> list[list[int]]:
        """Order "n" of every record of the first ``batches`` events."""
        events = self.seen(function, lambda events: len(events) >= batches)
        return [[_order(record)["n"] for record in event] for event in events]

    def delete_all(self) -> None:
        """Delete every pipe."""
        for name in self._made:
            self.pipes.delete_pipe(Name=name)


def _policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _order(record: dict[str, Any]) -> dict[str, Any]:
    text = base64.b64decode(record["data"]) if "data" in record else record["dynamodb"]["NewImage"]["order"]["S"]
    order: dict[str, Any] = json.loads(text)
    return order


@pytest.fixture(scope="module")
def pipes(bench: Bench) -> Iterator[Pipes]:
    made = Pipes(bench)
    yield made
    made.delete_all()


def put(pipes: Pipes, *orders: Any) -> tuple[Source, list[str]]:
    """A stream with records, and their sequence numbers."""
    stream = pipes.streams.stream()
    return stream, pipes.streams.put(stream, *orders)


# --- 4.2 what the target gets -------------------------------------------------------------------------------------------


def test_4_2_kinesis_records_come_flat_in_a_bare_array(pipes: Pipes) -> None:
    stream, (number, _) = put(pipes, {"n": 1}, {"n": 2})
    function = pipes.function()
    name = pipes.create(stream.arn, function)
    shown = pipes.settled(name)
    assert (shown["CurrentState"], shown.get("StateReason")) == ("RUNNING", None)
    ((first, second),) = pipes.seen(function, bool)
    assert isinstance(first.pop("approximateArrivalTimestamp"), float)
    assert first == {
        "kinesisSchemaVersion": "1.0",
        "partitionKey": "key",
        "sequenceNumber": number,
        "data": base64.b64encode(b'{"n": 1}').decode(),
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"shardId-000000000000:{number}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": shown["RoleArn"],
        "awsRegion": "us-east-1",
        "eventSourceARN": stream.arn,
    }
    assert _order(second) == {"n": 2}


def test_4_2_changes_of_a_table_come_in_a_bare_array(pipes: Pipes) -> None:
    table, function = pipes.streams.table(), pipes.function()
    pipes.create(table.arn, function, patterns=({"eventName": ["INSERT"], "dynamodb": {"Keys": {"id": {"S": ["1"]}}}},))
    pipes.streams.write(table, {"n": 0}, {"n": 1})
    ((record,),) = pipes.seen(function, bool)
    assert record["dynamodb"]["Keys"] == {"id": {"S": "1"}}
    assert (record["eventSource"], record["eventSourceARN"]) == ("aws:dynamodb", table.arn)
    assert record["dynamodb"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"


def test_4_2_a_consumer_with_enhanced_fan_out(pipes: Pipes) -> None:
    stream, _ = put(pipes, {"n": 1})
    kinesis, function = pipes.streams.kinesis, pipes.function()
    consumer = kinesis.register_stream_consumer(StreamARN=stream.arn, ConsumerName="fast")["Consumer"]["ConsumerARN"]
    eventually(
        lambda: (
            kinesis.describe_stream_consumer(ConsumerARN=consumer)["ConsumerDescription"]["ConsumerStatus"] == "ACTIVE"
            or None
        )
    )
    pipes.create(consumer, function)
    assert pipes.orders(function, 1) == [[1]]


def test_4_1_what_a_pipe_did_is_in_its_log_group(pipes: Pipes) -> None:
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-logs.html"""
    logs = pipes.bench.sandbox.client("logs")
    group = f"/aws/vendedlogs/pipes/{uuid4().hex[:12]}"
    logs.create_log_group(logGroupName=group)
    arn = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]["logGroupArn"]
    stream, _ = put(pipes, {"n": 1})
    told = {"CloudwatchLogsLogDestination": {"LogGroupArn": arn}, "Level": "INFO"}
    name = pipes.create(stream.arn, pipes.function(), with_={"LogConfiguration": told})

    def written() -> list[dict[str, Any]] | None:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        found = [json.loads(event["message"]) for page in pages for event in page["events"]]
        return found if any(record["messageType"] == "ExecutionSucceeded" for record in found) else None

    records = eventually(written)
    assert {record["resourceArn"].rsplit("/", 1)[1] for record in records} == {name}
    assert {record["logLevel"] for record in records} == {"INFO"}


def test_4_2_filter_and_template_to_a_queue(pipes: Pipes) -> None:
    queue = pipes.bench.queue(fifo=True)
    stream, _ = put(pipes, {"n": 1, "city": "Rome"}, b"plain", {"n": 2, "city": "Oslo"}, {"n": 3, "city": "Oslo"})
    template = '{"n": <$.data.n>, "key": "<$.partitionKey>", "pipe": <aws.pipes.pipe-name>}'
    target = {"InputTemplate": template, "SqsQueueParameters": {"MessageGroupId": "$.partitionKey"}}
    patterns = ({"partitionKey": ["key"], "data": {"city": ["Oslo"]}},)
    name = pipes.create(stream.arn, queue.arn, patterns=patterns, with_={"TargetParameters": target})
    messages = pipes.streams.failures(queue, 2)
    assert messages == [{"n": n, "key": "key", "pipe": name} for n in (2, 3)]


# --- 4.3, 4.4 failures --------------------------------------------------------------------------------------------------


def dead_letter(pipes: Pipes, queue: Queue) -> dict[str, Any]:
    """The one message of a dead-letter queue."""
    (message,) = pipes.streams.failures(queue)
    return message


def test_4_4_tries_then_the_dead_letter_queue_and_the_shard_goes_on(pipes: Pipes) -> None:
    stream, (first, last, _) = put(pipes, {"n": 0, "raise": True}, {"n": 1}, {"n": 2})
    dead, function = pipes.bench.queue(), pipes.function()
    # Ordered sources are invoked synchronously, or nobody would know of the failure (4.3).
    settings: dict[str, Any] = {"BatchSize": 2, "MaximumRetryAttempts": 2}
    name = pipes.create(stream.arn, function, dead=dead.arn, **settings, with_={"TargetParameters": FIRE_AND_FORGET})
    message = dead_letter(pipes, dead)
    info = message["KinesisBatchInfo"]
    assert message["context"] == {
        "partnerResourceArn": f"arn:aws:pipes:us-east-1:{ACCOUNT}:pipe/{name}",
        "condition": "RetryAttemptsExhausted",
    }
    assert message["version"] == "1.0"
    assert message.keys() == {"context", "version", "timestamp", "KinesisBatchInfo"}
    assert (info["startSequenceNumber"], info["endSequenceNumber"], info["batchSize"]) == (first, last, 2)
    assert (info["shardId"], info["streamArn"]) == ("shardId-000000000000", stream.arn)
    assert pipes.orders(function, 4) == [[0, 1]] * 3 + [[2]]


def test_4_4_a_partial_failure_goes_on_from_the_lowest_sequence_number(pipes: Pipes) -> None:
    stream, _ = put(pipes, {"n": 0}, {"n": 1, "fail": True}, {"n": 2, "fail": True})
    dead, function = pipes.bench.queue(), pipes.function()
    pipes.create(stream.arn, function, dead=dead.arn, MaximumRetryAttempts=1)
    assert dead_letter(pipes, dead)["KinesisBatchInfo"]["batchSize"] == 2
    assert pipes.orders(function, 2) == [[0, 1, 2], [1, 2]]


@pytest.mark.parametrize("how", ["raise", "fail"])
def test_4_4_automatic_bisect_leaves_one_record(pipes: Pipes, how: str) -> None:
    stream, numbers = put(pipes, {"n": 0}, {"n": 1, how: True}, {"n": 2}, {"n": 3})
    dead, function = pipes.bench.queue(), pipes.function()
    pipes.create(stream.arn, function, dead=dead.arn, MaximumRetryAttempts=0, **BISECT)
    info = dead_letter(pipes, dead)["KinesisBatchInfo"]
    assert (info["startSequenceNumber"], info["endSequenceNumber"]) == (numbers[1], numbers[1])
    halves = {"raise": [[0, 1, 2, 3], [0, 1], [0], [1], [2, 3]], "fail": [[0, 1, 2, 3], [1], [2, 3]]}
    assert pipes.orders(function, len(halves[how])) == halves[how]


def test_4_4_a_table_s_records_are_given_up_by_age(pipes: Pipes) -> None:
    table, dead, function = pipes.streams.table(), pipes.bench.queue(), pipes.function()
    pipes.streams.write(table, {"n": 0, "raise": True})
    pipes.create(table.arn, function, dead=dead.arn, MaximumRecordAgeInSeconds=60)
    message = dead_letter(pipes, dead)
    assert message["context"]["condition"] == "RecordAgeExceeded"
    assert (message["DDBStreamBatchInfo"]["batchSize"], message["DDBStreamBatchInfo"]["streamArn"]) == (1, table.arn)


# --- 4.5, the life of a pipe --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", READS["kinesis"][:5])
def test_4_5_every_documented_right_on_a_stream_is_needed(pipes: Pipes, action: str) -> None:
    stream, _ = put(pipes, {"n": 0})
    name = pipes.create(stream.arn, pipes.function(), without=f"kinesis:{action}")
    shown = pipes.settled(name)
    assert shown["CurrentState"] == "CREATE_FAILED"
    assert f"Cannot access stream {stream.arn}. Please ensure the customer role can" in shown["StateReason"]
    assert f"kinesis:{action}".lower() in shown["StateReason"].lower()


@pytest.mark.parametrize("action", READS["dynamodb"])
def test_4_5_every_documented_right_on_a_table_s_stream_is_needed(pipes: Pipes, action: str) -> None:
    table = pipes.streams.table()
    name = pipes.create(table.arn, pipes.function(), without=f"dynamodb:{action}")
    shown = pipes.settled(name)
    assert shown["CurrentState"] == "CREATE_FAILED"
    assert f"dynamodb:{action}".lower() in shown["StateReason"].lower()


def test_4_5_the_dead_letter_queue_needs_its_right(pipes: Pipes) -> None:
    stream, dead = pipes.streams.stream(), pipes.bench.queue()
    name = pipes.create(stream.arn, pipes.function(), dead=dead.arn, without="sqs:SendMessage")
    shown = pipes.settled(name)
    assert shown["CurrentState"] == "CREATE_FAILED"
    assert f"Error occurred while sending message to SQS queue: {dead.arn}" in shown["StateReason"]


def test_4_5_a_right_that_is_taken_away_stops_the_pipe(pipes: Pipes) -> None:
    stream, _ = put(pipes, {"n": 0})
    function = pipes.function()
    name = pipes.create(stream.arn, function)
    assert pipes.orders(function, 1) == [[0]]
    role = pipes.settled(name)["RoleArn"].rpartition("/")[2]
    pipes.bench.sandbox.client("iam").delete_role_policy(RoleName=role, PolicyName="rights")
    shown = pipes.settled(name, "RUNNING")
    assert (shown["CurrentState"], shown["DesiredState"]) == ("STOPPED", "RUNNING")
    assert "Cannot access stream" in shown["StateReason"]


def test_a_stopped_pipe_goes_on_where_it_was(pipes: Pipes) -> None:
    stream, _ = put(pipes, {"n": 0})
    function = pipes.function()
    name = pipes.create(stream.arn, function)
    assert pipes.orders(function, 1) == [[0]]
    pipes.pipes.stop_pipe(Name=name)
    assert pipes.settled(name, "RUNNING")["CurrentState"] == "STOPPED"
    pipes.streams.put(stream, {"n": 1}, {"n": 2})
    pipes.pipes.start_pipe(Name=name)
    events = pipes.seen(function, lambda events: events and _order(events[-1][-1])["n"] == 2)
    assert [_order(record)["n"] for event in events for record in event] == [0, 1, 2]


def test_4_8_describe_update_and_the_provider_s_zeros(pipes: Pipes) -> None:
    table = pipes.streams.table()
    name = pipes.create(table.arn, pipes.function(), MaximumRetryAttempts=3, **BISECT)
    shown = pipes.settled(name)
    settings = shown["SourceParameters"]["DynamoDBStreamParameters"]
    assert settings == {"BatchSize": 100, "MaximumRetryAttempts": 3, "StartingPosition": "TRIM_HORIZON", **BISECT}
    change: dict[str, Any] = {"MaximumRecordAgeInSeconds": 0, "MaximumBatchingWindowInSeconds": 0}
    with pytest.raises(ClientError) as refused:
        pipes.pipes.update_pipe(
            Name=name, RoleArn=shown["RoleArn"], SourceParameters={"DynamoDBStreamParameters": change}
        )
    error = refused.value.response["Error"]
    assert error["Code"] == "ValidationException"
    assert (
        "MaximumRecordAgeInSeconds must be either -1 (forever) or between 60 and 604800 (inclusive)" in error["Message"]
    )
    change = {"MaximumRecordAgeInSeconds": -1, "MaximumBatchingWindowInSeconds": 0, "DeadLetterConfig": {}}
    pipes.pipes.update_pipe(Name=name, RoleArn=shown["RoleArn"], SourceParameters={"DynamoDBStreamParameters": change})
    change = {"BatchSize": 100, "StartingPosition": "TRIM_HORIZON", **change}
    del change["DeadLetterConfig"]
    assert pipes.settled(name)["SourceParameters"] == {"DynamoDBStreamParameters": change}
