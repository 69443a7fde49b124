"""Event source mappings of streams: settings, what Lambda checks before it makes one, and what the API answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError
from lambda_support import DURABLE, ECHO, package
from pipes_fakes import ACCOUNT, QUEUE, REGION
from server_support import Running, running

from durable_sandbox.aws.arns import Arn
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.events.streams.spec import StartingPosition, StreamCounts
from durable_sandbox.pytest_plugin import eventually
from durable_sandbox.services.lambda_ import mapping_pollers
from durable_sandbox.services.lambda_.mapping_sources import source_defaults
from durable_sandbox.services.lambda_.mapping_stream_settings import StreamSettings
from durable_sandbox.wiring import build_lambda, build_sqs

KINESIS = Arn.parse(f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/orders")
DYNAMODB = Arn.parse(f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/orders/stream/2026-01-01T00:00:00.000")
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:failed"
INVALID = "InvalidParameterValueException"
TRIM_HORIZON = {"StartingPosition": "TRIM_HORIZON"}
HOUR = timedelta(hours=1)

# --- settings --------------------------------------------------------------------------------------------------------


def settings(source: Arn = KINESIS, **params: Any) -> StreamSettings:
    made = source_defaults(source).updated({**TRIM_HORIZON, **params}, source)
    assert isinstance(made, StreamSettings)
    return made


def on_failure(destination: str) -> dict[str, Any]:
    return {"DestinationConfig": {"OnFailure": {"Destination": destination}}}


@pytest.mark.parametrize(
    ("source", "params", "text"),
    [
        (KINESIS, {"StartingPosition": None}, "Value null at 'startingPosition' failed to satisfy constraint"),
        (KINESIS, {"StartingPosition": "AT_TIMESTAMP"}, "Need to specify a timestamp"),
        (
            KINESIS,
            {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": datetime.now(UTC) + HOUR},
            "StartingPositionTimestamp cannot be in the future",
        ),
        (KINESIS, {"StartingPositionTimestamp": datetime.now(UTC) - HOUR}, "AT_TIMESTAMP only, not for TRIM_HORIZON"),
        (
            DYNAMODB,
            {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": datetime.now(UTC) - HOUR},
            f"Unsupported starting position for arn type: {DYNAMODB}",
        ),
        (KINESIS, {"MaximumRecordAgeInSeconds": 0}, r"either -1 \(forever\) or between 60 and 604800 \(inclusive\)"),
        (KINESIS, {"MaximumRecordAgeInSeconds": 59}, "MaximumRecordAgeInSeconds must be"),
        (KINESIS, {"TumblingWindowInSeconds": 1, "ParallelizationFactor": 2}, "needs a ParallelizationFactor of 1"),
        (KINESIS, on_failure("kafka://failed"), "kafka://failed is not for stream event sources"),
        (KINESIS, on_failure(f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"), "an SQS queue, an SNS topic or an S3"),
        (KINESIS, on_failure("arn:aws:s3:::bucket/key"), "is not for stream event sources"),
        (KINESIS, {"DestinationConfig": {"OnSuccess": {"Destination": QUEUE}}}, "DestinationConfig.OnSuccess"),
        (KINESIS, {"FilterCriteria": {"Filters": [{"Pattern": "{"}]}}, "Invalid filter pattern definition."),
        (KINESIS, {"FilterCriteria": {"Filters": [{"Pattern": '{"a": ["b"]}'}] * 6}}, "maximum of 5"),
        (KINESIS, {"MetricsConfig": {"Metrics": ["ErrorCount"]}}, "ErrorCount"),
        (DYNAMODB, {"ScalingConfig": {"MaximumConcurrency": 2}}, "Unsupported ScalingConfig parameter for given"),
        (DYNAMODB, {"Queues": ["q"]}, "Unsupported Queues parameter"),
        (DYNAMODB, {"ProvisionedPollerConfig": {"MinimumPollers": 1}}, "Unsupported ProvisionedPollerConfig"),
    ],
)
def test_settings_that_are_refused(source: Arn, params: dict[str, Any], text: str) -> None:
    with pytest.raises(AwsError, match=text) as caught:
        settings(source, **params)
    assert caught.value.code == INVALID


def test_a_full_mapping_tells_its_poller_everything() -> None:
    moment = datetime.now(UTC) - HOUR
    made = settings(
        StartingPosition="AT_TIMESTAMP",
        StartingPositionTimestamp=moment,
        BatchSize=7,
        MaximumBatchingWindowInSeconds=3,
        ParallelizationFactor=2,
        MaximumRetryAttempts=4,
        MaximumRecordAgeInSeconds=60,
        BisectBatchOnFunctionError=True,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        FilterCriteria={"Filters": [{"Pattern": '{"data": {"kind": ["order"]}}'}]},
        MetricsConfig={"Metrics": ["EventCount"]},
        **on_failure(TOPIC),
    )
    spec = made.spec("u", KINESIS, "f")
    assert (spec.uuid, spec.function_arn, spec.publish_metrics) == ("u", "f", True)
    stream = spec.stream
    assert (stream.source, stream.on_failure) == (KINESIS, Arn.parse(TOPIC))
    assert (stream.starting_position, stream.starting_timestamp) == (StartingPosition.AT_TIMESTAMP, moment)
    assert (stream.batch_size, stream.batching_window, stream.parallelization_factor) == (7, 3, 2)
    assert (stream.maximum_retries, stream.maximum_age, stream.tumbling_window) == (4, 60, 0)
    assert stream.bisect
    assert stream.report_failures
    assert stream.record_filter.accepts({"data": '{"kind": "order"}'})
    assert not stream.record_filter.accepts({"data": '{"kind": "other"}'})


def test_a_pattern_looks_into_an_items_change() -> None:
    pattern = {"eventName": ["INSERT"], "dynamodb": {"NewImage": {"kind": {"S": ["order"]}}}}
    made = settings(DYNAMODB, FilterCriteria={"Filters": [{"Pattern": json.dumps(pattern)}]})
    record = {"eventName": "INSERT", "dynamodb": {"NewImage": {"kind": {"S": "order"}}}}
    assert made.record_filter.accepts(record)
    assert not made.record_filter.accepts({**record, "eventName": "REMOVE"})


def test_empty_values_take_settings_back() -> None:
    full = settings(
        FilterCriteria={"Filters": [{"Pattern": '{"data": ["x"]}'}]},
        MetricsConfig={"Metrics": ["EventCount"]},
        FunctionResponseTypes=["ReportBatchItemFailures"],
        KMSKeyArn=f"arn:aws:kms:{REGION}:{ACCOUNT}:key/k",
        **on_failure(QUEUE),
    )
    assert full.updated({"ScalingConfig": {}, "Queues": []}, KINESIS) == full
    empty = {"FilterCriteria": {}, "MetricsConfig": {}, "FunctionResponseTypes": [], "KMSKeyArn": ""}
    assert full.updated({**empty, **on_failure("")}, KINESIS) == settings()


def test_the_starting_position_stays_as_it_was() -> None:
    began = settings(StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=datetime.now(UTC) - HOUR)
    assert began.updated({"BatchSize": 5, "StartingPosition": "LATEST"}, KINESIS) == replace(began, batch_size=5)


# --- the API ---------------------------------------------------------------------------------------------------------

READS_KINESIS = [
    "kinesis:DescribeStream",
    "kinesis:DescribeStreamSummary",
    "kinesis:GetRecords",
    "kinesis:GetShardIterator",
    "kinesis:ListShards",
]
SUBSCRIBES = [*READS_KINESIS, "kinesis:SubscribeToShard"]
READS_DYNAMODB = [f"dynamodb:{name}" for name in ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")]
READS = {"kinesis": READS_KINESIS, "consumer": SUBSCRIBES, "dynamodb": READS_DYNAMODB}
NAMES = {
    "kinesis": "GetRecords, GetShardIterator, DescribeStream, ListShards, and ListStreams",
    "consumer": "GetRecords, GetShardIterator, DescribeStream, ListShards, SubscribeToShard, and ListStreams",
    "dynamodb": "GetRecords, GetShardIterator, DescribeStream, and ListStreams",
}


@dataclass
class Cloud:
    """A sandbox that enforces IAM, with a stream, a consumer of it and a table's stream."""

    at: Running

    def __post_init__(self) -> None:
        self.lambda_, self.iam, self.sqs = (self.at.client(name) for name in ("lambda", "iam", "sqs"))
        kinesis, dynamodb = self.at.client("kinesis"), self.at.client("dynamodb")
        kinesis.create_stream(StreamName="orders", ShardCount=2)
        consumer = kinesis.register_stream_consumer(StreamARN=str(KINESIS), ConsumerName="fast")["Consumer"]
        table = {
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
            "BillingMode": "PAY_PER_REQUEST",
        }
        view = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
        made = dynamodb.create_table(TableName="orders", StreamSpecification=view, **table)["TableDescription"]
        dynamodb.create_table(TableName="quiet", **table)
        self.sources = {
            "kinesis": str(KINESIS),
            "consumer": consumer["ConsumerARN"],
            "dynamodb": made["LatestStreamArn"],
        }

    def function(self, *actions: str, source: str = ECHO, **settings: Any) -> str:
        """A function whose role may do ``actions`` and no more; returns its name."""
        name = f"f-{uuid4().hex[:8]}"
        trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        role = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(trust))["Role"]["Arn"]
        rights = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        self.iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=_policy(rights))
        code = {"ZipFile": package(source)}
        settings |= {"Runtime": "python3.13", "Handler": "handler.handler", "Code": code, "Timeout": 3}
        self.lambda_.create_function(FunctionName=name, Role=role, Publish=True, **settings)
        return name

    def create(self, source: str, function: str, **params: Any) -> dict[str, Any]:
        arn = self.sources.get(source, source)
        made: dict[str, Any] = self.lambda_.create_event_source_mapping(
            EventSourceArn=arn, FunctionName=function, **TRIM_HORIZON | params
        )
        return made

    def settled(self, uuid: str) -> dict[str, Any]:
        """The mapping once it is no longer changing."""

        def stable() -> dict[str, Any] | None:
            shown: dict[str, Any] = self.lambda_.get_event_source_mapping(UUID=uuid)
            return shown if shown["State"] in ("Enabled", "Disabled") else None

        return eventually(stable)


def _policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with running(build_sqs, build_lambda, iam=True) as at:
        yield Cloud(at)


def refused(call: Any, *args: Any, **params: Any) -> tuple[str, str]:
    """Code and message of a call that must fail."""
    with pytest.raises(ClientError) as caught:
        call(*args, **params)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.mark.parametrize("source", ["kinesis", "consumer", "dynamodb"])
def test_what_a_role_with_the_documented_rights_gets(cloud: Cloud, source: str) -> None:
    function = cloud.function(*READS[source])
    made = cloud.create(source, function, Enabled=False)
    assert made.pop("ResponseMetadata")["HTTPStatusCode"] == 202
    made.pop("LastModified")
    uuid = made["UUID"]
    assert made == {
        "UUID": uuid,
        "EventSourceMappingArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:event-source-mapping:{uuid}",
        "EventSourceArn": cloud.sources[source],
        "FunctionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}",
        "State": "Creating",
        "StateTransitionReason": "User action",
        "LastProcessingResult": "No records processed",
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
    }
    shown = cloud.settled(uuid)
    assert (shown["State"], shown["LastProcessingResult"]) == ("Disabled", "No records processed")


@pytest.mark.parametrize(("source", "missing"), [(source, action) for source in READS for action in READS[source]])
def test_a_role_that_lacks_one_of_them_is_refused(cloud: Cloud, source: str, missing: str) -> None:
    function = cloud.function(*(action for action in READS[source] if action != missing))
    code, message = refused(cloud.create, source, function)
    asked = f"Please ensure the role can perform the {NAMES[source]} Actions on your stream in IAM."
    assert (code, message) == (INVALID, f"Cannot access stream {cloud.sources[source]}. {asked}")
    assert cloud.lambda_.list_event_source_mappings(FunctionName=function)["EventSourceMappings"] == []


@pytest.mark.parametrize(
    "source",
    [
        f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/none",
        f"{KINESIS}/consumer/none:1700000000",
        f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/none/stream/2026-01-01T00:00:00.000",
        f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/quiet/stream/2026-01-01T00:00:00.000",
        f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/orders/stream/2020-01-01T00:00:00.000",
    ],
)
def test_a_stream_that_is_not_there(cloud: Cloud, source: str) -> None:
    function = cloud.function(*SUBSCRIBES, *READS_DYNAMODB)
    assert refused(cloud.create, source, function) == (INVALID, f"Stream not found: {source}")


def test_a_stream_of_another_region(cloud: Cloud) -> None:
    source = f"arn:aws:kinesis:eu-west-1:{ACCOUNT}:stream/orders"
    code, message = refused(cloud.create, source, cloud.function(*READS_KINESIS))
    assert code == INVALID
    assert source in message
    assert REGION in message


@pytest.mark.parametrize(
    ("destination", "granted", "text"),
    [
        (QUEUE, "sqs:ReceiveMessage", "SendMessage on SQS"),
        (QUEUE, "sqs:SendMessage", None),
        (TOPIC, "sns:Subscribe", "Publish on SNS"),
        (TOPIC, "sns:Publish", None),
        ("arn:aws:s3:::failed", "s3:ListBucket", "PutObject on S3"),
        ("arn:aws:s3:::failed", "s3:PutObject", "ListBucket on S3"),
        ("arn:aws:s3:::failed", "s3:*", None),
    ],
)
def test_the_role_must_be_allowed_to_send_to_the_destination(
    cloud: Cloud, destination: str, granted: str, text: str | None
) -> None:
    function = cloud.function(*READS_KINESIS, granted)
    params = {"Enabled": False, **on_failure(destination)}
    if text is None:
        shown = cloud.create("kinesis", function, **params)
        assert shown["DestinationConfig"] == {"OnFailure": {"Destination": destination}}
        return
    told = (INVALID, f"The provided execution role does not have permissions to call {text}")
    assert refused(cloud.create, "kinesis", function, **params) == told
    uuid = cloud.create("kinesis", function, Enabled=False)["UUID"]
    cloud.settled(uuid)
    change = {"UUID": uuid, **on_failure(destination)}
    assert refused(cloud.lambda_.update_event_source_mapping, **change) == told
    assert cloud.settled(uuid)["DestinationConfig"] == {"OnFailure": {}}


def test_a_source_is_mapped_to_a_function_once(cloud: Cloud) -> None:
    function = cloud.function(*SUBSCRIBES)
    uuid = cloud.create("kinesis", function, Enabled=False)["UUID"]
    told = f'The event source arn (" {KINESIS} ") and function (" {function} ") provided mapping already exists.'
    advice = f"Please update or delete the existing mapping with UUID {uuid}"
    assert refused(cloud.create, "kinesis", function) == ("ResourceConflictException", f"{told} {advice}")
    # A consumer is a source of its own, and so is the stream for a version of the function.
    assert cloud.create("consumer", function, Enabled=False)["UUID"] != uuid
    assert cloud.create("kinesis", f"{function}:1", Enabled=False)["UUID"] != uuid


@pytest.mark.parametrize(("timeout", "qualifier"), [(900, ""), (901, ":1")])
def test_a_durable_function_needs_a_qualifier_and_at_most_fifteen_minutes(
    cloud: Cloud, timeout: int, qualifier: str
) -> None:
    config = {"ExecutionTimeout": timeout, "RetentionPeriodInDays": 1}
    function = cloud.function(*READS_KINESIS, source=DURABLE, DurableConfig=config)
    code, message = refused(cloud.create, "kinesis", f"{function}{qualifier}")
    assert code == INVALID
    assert ("qualified ARN" if timeout == 900 else "15 minutes") in message


def test_values_outside_the_model_are_refused(cloud: Cloud) -> None:
    function = cloud.function(*READS_KINESIS)
    for change in ({"BatchSize": 10_001}, {"ParallelizationFactor": 11}, {"StartingPosition": "NOW"}):
        assert refused(cloud.create, "kinesis", function, **change)[0] == "ValidationException"


class RecordingPoller:
    """A poller that reads nothing."""

    def __init__(self) -> None:
        self.counts = StreamCounts()
        self.in_flight, self.concurrency, self.problem = 0, 3, ""
        self.did: list[Any] = []

    def start(self, spec: Any) -> None:
        self.did.append(spec.stream.batch_size)

    async def pause(self) -> None:
        self.did.append("pause")

    async def drain(self) -> None:
        self.did.append("drain")

    async def abort(self) -> None:
        self.did.append("abort")


def test_a_mapping_drives_its_poller_and_tells_how_it_fares(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    poller = RecordingPoller()
    monkeypatch.setattr(mapping_pollers, "StreamMappingPoller", lambda *_, **__: poller)
    uuid = cloud.create("kinesis", cloud.function(*READS_KINESIS), BatchSize=5)["UUID"]
    assert cloud.settled(uuid)["State"] == "Enabled"

    def result() -> str:
        told: str = cloud.settled(uuid)["LastProcessingResult"]
        return told

    poller.counts.polled = poller.counts.invoked = 3
    assert result() == "OK"
    poller.problem = "Function call failed"
    assert result() == "PROBLEM: Function call failed"
    service = cloud.at.sandbox.services["lambda"]
    (row,) = (row for row in service.status()["mappings"] if row["uuid"] == uuid)  # type: ignore[attr-defined]
    assert (row["source"], row["concurrency"], row["counts"]["invoked"]) == (str(KINESIS), 3, 3)

    update = cloud.lambda_.update_event_source_mapping
    assert update(UUID=uuid, BatchSize=6)["State"] == "Updating"
    cloud.settled(uuid)
    assert update(UUID=uuid, Enabled=False)["State"] == "Disabling"
    assert cloud.settled(uuid)["State"] == "Disabled"
    cloud.lambda_.delete_event_source_mapping(UUID=uuid)
    eventually(lambda: poller.did[-1] == "drain" or None)
    assert poller.did == ["pause", 5, "pause", 6, "pause", "pause", "drain"]
