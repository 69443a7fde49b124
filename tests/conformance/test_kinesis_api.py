"""The API of stream event source mappings: parameters, defaults, errors and states (2.1), durable functions (1.6).

Each test names the row it covers: "2.1" is a section of the fact sheet on event sources. Parameters:
https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-parameters.html and .../services-ddb-params.html.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError
from lambda_support import ECHO
from stream_support import ACCOUNT, INVALID, REPORT, TRIM_HORIZON, Source, Streams, deny, filters, refused
from support import Bench

from durable_sandbox.pytest_plugin import eventually

DURABLE = """
import base64

from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python.config import Duration


@durable_execution
def handler(event, context):
    context.wait(Duration.from_seconds(120), name="hold")
    if any(base64.b64decode(record["kinesis"]["data"]) == b'"poison"' for record in event["Records"]):
        raise ValueError("poison")
    return {"batchItemFailures": []}
"""


@pytest.fixture(scope="module")
def streams(bench: Bench) -> Streams:
    return Streams(bench)


@pytest.fixture(scope="module")
def function(bench: Bench) -> str:
    """A function for which nothing is ever invoked."""
    return bench.functions.deploy(ECHO, Timeout=3)


@pytest.fixture(params=["kinesis", "dynamodb"])
def source(request: pytest.FixtureRequest, streams: Streams) -> Source:
    return streams.stream() if request.param == "kinesis" else streams.table()


# --- defaults and states ------------------------------------------------------------------------------------------------


def test_2_1_defaults(streams: Streams, function: str, source: Source) -> None:
    created = streams.create(source, function, **TRIM_HORIZON)
    assert created.pop("ResponseMetadata")["HTTPStatusCode"] == 202
    uuid = created["UUID"]
    created.pop("LastModified")
    assert created == {
        "UUID": uuid,
        "EventSourceMappingArn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:event-source-mapping:{uuid}",
        "EventSourceArn": source.arn,
        "FunctionArn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{function}",
        "StartingPosition": "TRIM_HORIZON",
        "BatchSize": 100,
        "MaximumBatchingWindowInSeconds": 0,
        "ParallelizationFactor": 1,
        "MaximumRetryAttempts": -1,
        "MaximumRecordAgeInSeconds": -1,
        "BisectBatchOnFunctionError": False,
        "TumblingWindowInSeconds": 0,
        "FunctionResponseTypes": [],
        "DestinationConfig": {"OnFailure": {}},
        "State": "Creating",
        "StateTransitionReason": "User action",
        "LastProcessingResult": "No records processed",
    }
    settled = streams.bench.settled(uuid)
    assert (settled["State"], settled["LastProcessingResult"]) == ("Enabled", "No records processed")


def test_2_1_every_option_is_kept_and_can_be_taken_back(streams: Streams, function: str, source: Source) -> None:
    options: dict[str, Any] = {
        "BatchSize": 10_000,
        "MaximumBatchingWindowInSeconds": 300,
        "ParallelizationFactor": 10,
        "MaximumRetryAttempts": 10_000,
        "MaximumRecordAgeInSeconds": 604_800,
        "BisectBatchOnFunctionError": True,
        "DestinationConfig": {"OnFailure": {"Destination": streams.bench.queue().arn}},
        "FilterCriteria": filters({"eventSource": ["aws:kinesis", "aws:dynamodb"]}),
        "KMSKeyArn": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{uuid4()}",
        "MetricsConfig": {"Metrics": ["EventCount"]},
        **REPORT,
    }
    uuid = streams.create(source, function, **TRIM_HORIZON, **options)["UUID"]
    shown = streams.bench.settled(uuid)
    assert {name: shown[name] for name in options} == options
    back = {
        "MaximumRetryAttempts": -1,
        "MaximumRecordAgeInSeconds": -1,
        "BisectBatchOnFunctionError": False,
        "MaximumBatchingWindowInSeconds": 0,
    }
    empty = {"FilterCriteria": {}, "MetricsConfig": {}, "KMSKeyArn": "", "FunctionResponseTypes": []}
    shown = streams.bench.update(uuid, **back, **empty, DestinationConfig={"OnFailure": {"Destination": ""}})
    assert {name: shown[name] for name in back} == back
    assert shown["DestinationConfig"] == {"OnFailure": {}}
    assert shown["FunctionResponseTypes"] == []
    assert shown["BatchSize"] == 10_000
    assert not {"FilterCriteria", "MetricsConfig", "KMSKeyArn"} & shown.keys()


def test_2_1_states(streams: Streams, function: str) -> None:
    lambda_, bench = streams.lambda_, streams.bench
    uuid = streams.create(streams.stream(), function, Enabled=False, **TRIM_HORIZON)["UUID"]
    assert bench.settled(uuid)["State"] == "Disabled"
    for change, transition, state in (
        ({"Enabled": True}, "Enabling", "Enabled"),
        ({"BatchSize": 5}, "Updating", "Enabled"),
        ({"Enabled": False}, "Disabling", "Disabled"),
    ):
        answer = lambda_.update_event_source_mapping(UUID=uuid, **change)
        assert (answer["State"], answer["StateTransitionReason"]) == (transition, "User action")
        assert bench.settled(uuid)["State"] == state
    assert lambda_.delete_event_source_mapping(UUID=uuid)["State"] == "Deleting"


def test_2_1_a_starting_timestamp_is_kept(streams: Streams, function: str) -> None:
    moment = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    position = {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": moment}
    created = streams.create(streams.stream(), function, **position)
    assert {name: created[name] for name in position} == position


# --- errors -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"BatchSize": 10_001}, "10000"),
        ({"MaximumBatchingWindowInSeconds": 301}, "300"),
        ({"ParallelizationFactor": 11}, "10"),
        ({"MaximumRetryAttempts": 10_001}, "10000"),
        ({"MaximumRecordAgeInSeconds": 604_801}, "604800"),
        ({"MaximumRecordAgeInSeconds": 59}, "MaximumRecordAgeInSeconds"),
        ({"MaximumRecordAgeInSeconds": 0}, "MaximumRecordAgeInSeconds"),
        ({"TumblingWindowInSeconds": 901}, "900"),
        ({"FunctionResponseTypes": ["Everything"]}, "ReportBatchItemFailures"),
        ({"FilterCriteria": {"Filters": [{"Pattern": "{"}]}}, "Invalid filter pattern definition."),
        ({"FilterCriteria": filters(*[{"eventName": ["INSERT"]}] * 6)}, "5"),
        ({"ScalingConfig": {"MaximumConcurrency": 2}}, "ScalingConfig"),
    ],
)
def test_2_1_refused_parameters(
    streams: Streams, function: str, source: Source, settings: dict[str, Any], text: str
) -> None:
    code, status, message = refused(
        streams.create, source=source, function=function, **{"StartingPosition": "LATEST"} | settings
    )
    assert code in (INVALID, "ValidationException")
    assert status == 400
    assert text.casefold() in message.casefold()
    assert streams.lambda_.list_event_source_mappings(EventSourceArn=source.arn)["EventSourceMappings"] == []


def test_2_1_a_starting_position_is_required(streams: Streams, function: str, source: Source) -> None:
    code, status, message = refused(streams.create, source=source, function=function)
    assert (code, status) == (INVALID, 400)
    assert "startingposition" in message.casefold()


def test_2_1_at_timestamp_is_for_kinesis_needs_a_time_and_not_a_future_one(streams: Streams, function: str) -> None:
    now = datetime.now(UTC)
    kinesis, dynamodb = streams.stream(), streams.table()
    for source, moment in ((dynamodb, now), (kinesis, now + timedelta(hours=1)), (kinesis, None)):
        given = {} if moment is None else {"StartingPositionTimestamp": moment}
        params = {"source": source, "function": function, "StartingPosition": "AT_TIMESTAMP", **given}
        code, status, message = refused(streams.create, **params)
        assert (code, status) == (INVALID, 400)
        assert "position" in message.casefold() or "timestamp" in message.casefold()


@pytest.mark.parametrize(
    "resource", ["kinesis:{}:stream/none", "dynamodb:{}:table/none/stream/2026-01-01T00:00:00.000"]
)
def test_2_1_the_stream_must_exist(streams: Streams, function: str, resource: str) -> None:
    arn = "arn:aws:" + resource.format(f"us-east-1:{ACCOUNT}")
    answer = refused(streams.create, source=arn, function=function, **TRIM_HORIZON)
    assert answer == (INVALID, 400, f"Stream not found: {arn}")


def test_2_1_a_stream_is_mapped_to_a_function_once(streams: Streams, function: str, source: Source) -> None:
    uuid = streams.create(source, function, **TRIM_HORIZON)["UUID"]
    code, status, message = refused(streams.create, source=source, function=function, **TRIM_HORIZON)
    assert (code, status) == ("ResourceConflictException", 409)
    said = f'The event source arn (" {source.arn} ") and function (" {function} ") provided mapping already exists.'
    assert message.startswith(said)
    assert uuid in message


def test_2_1_the_role_must_be_allowed_to_read(streams: Streams) -> None:
    """AWS refuses to create the mapping: https://github.com/awsdocs/aws-lambda-developer-guide/issues/237 cites it."""
    function = streams.bench.functions.deploy(ECHO, Timeout=3).partition(":")[0]
    deny(streams.bench, function, "kinesis:GetRecords")
    stream = streams.stream()
    code, status, message = refused(streams.create, source=stream, function=function, **TRIM_HORIZON)
    assert (code, status) == (INVALID, 400)
    assert message.startswith(f"Cannot access stream {stream.arn}. Please ensure the role can perform")


# --- metrics, enhanced fan-out, durable functions -------------------------------------------------------------------------


def test_8_1_event_counts_are_published(streams: Streams) -> None:
    stream = streams.stream()
    streams.put(stream, {"n": 1})
    uuid = streams.map(stream, MetricsConfig={"Metrics": ["EventCount"]})
    streams.until_number(stream, 1)
    streams.bench.update(uuid, Enabled=False)
    dimension = [{"Name": "EventSourceMappingUUID", "Value": uuid}]
    cloudwatch = streams.bench.sandbox.client("cloudwatch")
    listed = cloudwatch.list_metrics(Namespace="AWS/Lambda", Dimensions=dimension)["Metrics"]
    assert {metric["MetricName"] for metric in listed} == {
        "PolledEventCount",
        "FilteredOutEventCount",
        "InvokedEventCount",
        "FailedInvokeEventCount",
        "DroppedEventCount",
        "OnFailureDestinationDeliveredEventCount",
    }


def test_2_1_enhanced_fan_out_delivers_what_the_role_may_subscribe_to(streams: Streams) -> None:
    """That eventSourceARN is the consumer's is not documented; it is the mapping's EventSourceArn."""
    stream = streams.stream()
    streams.put(stream, {"n": 1}, {"n": 2})
    made = streams.kinesis.register_stream_consumer(StreamARN=stream.arn, ConsumerName="fan-out")["Consumer"]

    def active() -> bool | None:
        shown = streams.kinesis.describe_stream_consumer(ConsumerARN=made["ConsumerARN"])
        return True if shown["ConsumerDescription"]["ConsumerStatus"] == "ACTIVE" else None

    eventually(active)
    arn = made["ConsumerARN"]
    assert streams.bench.get(streams.map(arn))["EventSourceArn"] == arn
    (seen,) = streams.until_number(stream, 2)
    assert seen.numbers == [1, 2]
    assert {record["eventSourceARN"] for record in seen.records} == {arn}

    denied = streams.probe.partition(":")[0]
    deny(streams.bench, denied, "kinesis:SubscribeToShard")
    assert "SubscribeToShard" in _complaint(streams, arn, denied)
    assert streams.seen(stream, denied) == []


def _complaint(streams: Streams, source: str, function: str) -> str:
    """What is said of a right that is missing: when the mapping is created, or else by the mapping."""
    try:
        uuid = streams.map(source, function)
    except ClientError as error:
        return error.response["Error"]["Message"]

    def problem() -> str | None:
        result: str = streams.bench.get(uuid)["LastProcessingResult"]
        return None if result in ("No records processed", "OK") else result

    return eventually(problem)


def test_1_6_a_durable_function_is_mapped_by_a_qualified_arn_and_within_fifteen_minutes(streams: Streams) -> None:
    stream = streams.stream()
    long = streams.bench.functions.durable(DURABLE, timeout=901, Timeout=10)
    assert refused(streams.create, source=stream, function=long, **TRIM_HORIZON)[:2] == (INVALID, 400)
    unqualified = streams.bench.functions.durable(DURABLE, timeout=900, Timeout=10).partition(":")[0]
    assert refused(streams.create, source=stream, function=unqualified, **TRIM_HORIZON)[:2] == (INVALID, 400)


def test_1_6_a_batch_waits_for_its_execution_and_a_retry_starts_a_new_one(streams: Streams) -> None:
    function = streams.bench.functions.durable(DURABLE, timeout=900, Timeout=10)
    stream, queue = streams.stream(), streams.bench.queue()
    poison, good = streams.put(stream, "poison", "good")
    streams.map(stream, function, BatchSize=1, MaximumRetryAttempts=1, on_failure=queue)
    (failure,) = streams.failures(queue)
    assert failure["requestContext"]["approximateInvokeCount"] == 2
    assert failure["KinesisBatchInfo"]["startSequenceNumber"] == poison
    name = function.partition(":")[0]

    def closed() -> list[dict[str, Any]] | None:
        found = streams.lambda_.list_durable_executions_by_function(FunctionName=name)["DurableExecutions"]
        return found if len(found) == 3 and all(one["Status"] != "RUNNING" for one in found) else None

    executions = sorted(eventually(closed), key=lambda execution: execution["StartTimestamp"])
    assert [execution["Status"] for execution in executions] == ["FAILED", "FAILED", "SUCCEEDED"]
    read = [
        json.loads(
            streams.lambda_.get_durable_execution(DurableExecutionArn=one["DurableExecutionArn"])["InputPayload"]
        )
        for one in executions
    ]
    sequence = [record["kinesis"]["sequenceNumber"] for event in read for record in event["Records"]]
    assert sequence == [poison, poison, good]
