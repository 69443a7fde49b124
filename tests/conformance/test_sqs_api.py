"""The API of SQS event source mappings: parameters, defaults, errors, states (1.1), and durable functions (1.6).

Section numbers as in test_sqs.py. Ranges: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html.
"""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError
from lambda_support import ECHO
from support import Bench

from durable_sandbox.pytest_plugin import Sandbox, eventually

INVALID = "InvalidParameterValueException"

DURABLE = """
from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python.config import Duration


@durable_execution
def handler(event, context):
    context.wait(Duration.from_seconds(120), name="hold")
    failed = [r["messageId"] for r in event["Records"] if r["body"] == "bad" and
              r["attributes"]["ApproximateReceiveCount"] == "1"]
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in failed]}
"""


@pytest.fixture(scope="module")
def function(bench: Bench) -> str:
    """A function for which nothing is ever invoked."""
    return bench.functions.deploy(ECHO, Timeout=3)


def _refused(call: Any, **params: Any) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Message"]


# --- 1.1 defaults and states ----------------------------------------------------------------------------------------------


def test_1_1_defaults(bench: Bench, function: str) -> None:
    queue = bench.queue()
    created = bench.create(queue, function)
    assert created.pop("ResponseMetadata")["HTTPStatusCode"] == 202
    uuid = created["UUID"]
    created.pop("LastModified")
    assert created == {
        "UUID": uuid,
        "EventSourceMappingArn": f"arn:aws:lambda:us-east-1:123456789012:event-source-mapping:{uuid}",
        "EventSourceArn": queue.arn,
        "FunctionArn": f"arn:aws:lambda:us-east-1:123456789012:function:{function}",
        "BatchSize": 10,
        "MaximumBatchingWindowInSeconds": 0,
        "FunctionResponseTypes": [],
        "State": "Creating",
        "StateTransitionReason": "USER_INITIATED",
    }
    settled = bench.settled(uuid)
    assert settled["State"] == "Enabled"
    assert "LastProcessingResult" not in settled


def test_1_1_every_option_is_kept_and_can_be_taken_back(bench: Bench, function: str) -> None:
    options: dict[str, Any] = {
        "BatchSize": 500,
        "MaximumBatchingWindowInSeconds": 5,
        "ScalingConfig": {"MaximumConcurrency": 7},
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "FilterCriteria": {"Filters": [{"Pattern": '{"body":{"a":[1]}}'}]},
        "KMSKeyArn": f"arn:aws:kms:us-east-1:123456789012:key/{uuid4()}",
        "MetricsConfig": {"Metrics": ["EventCount"]},
    }
    uuid = bench.create(bench.queue(), function, **options)["UUID"]
    shown = bench.settled(uuid)
    assert {name: shown[name] for name in options} == options
    shown = bench.update(uuid, ScalingConfig={}, FilterCriteria={}, MetricsConfig={}, KMSKeyArn="", BatchSize=20)
    assert shown["BatchSize"] == 20
    assert shown["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert not {"ScalingConfig", "FilterCriteria", "MetricsConfig", "KMSKeyArn"} & shown.keys()


def test_1_1_provisioned_pollers_have_defaults_and_exclude_scaling(bench: Bench, function: str) -> None:
    uuid = bench.create(bench.queue(), function, ProvisionedPollerConfig={"MaximumPollers": 5})["UUID"]
    assert bench.settled(uuid)["ProvisionedPollerConfig"] == {"MinimumPollers": 2, "MaximumPollers": 5}
    change = {"UUID": uuid, "ScalingConfig": {"MaximumConcurrency": 2}}
    code, _, text = _refused(bench.lambda_.update_event_source_mapping, **change)
    assert (code, "mutually exclusive" in text) == (INVALID, True)
    assert "ProvisionedPollerConfig" not in bench.update(uuid, ProvisionedPollerConfig={})


def test_1_1_states(bench: Bench, function: str) -> None:
    lambda_ = bench.lambda_
    uuid = bench.create(bench.queue(), function, Enabled=False)["UUID"]
    assert bench.settled(uuid)["State"] == "Disabled"
    for change, transition, state in (
        ({"Enabled": True}, "Enabling", "Enabled"),
        ({"BatchSize": 5}, "Updating", "Enabled"),
        ({"Enabled": False}, "Disabling", "Disabled"),
        ({"BatchSize": 6}, "Updating", "Disabled"),
    ):
        answer = lambda_.update_event_source_mapping(UUID=uuid, **change)
        assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["State"]) == (202, transition)
        assert bench.settled(uuid)["State"] == state
    assert lambda_.delete_event_source_mapping(UUID=uuid)["State"] == "Deleting"

    def gone() -> tuple[str, int, str] | None:
        try:
            bench.get(uuid)
        except ClientError:
            return _refused(lambda_.get_event_source_mapping, UUID=uuid)
        return None

    missing = ("ResourceNotFoundException", 404, "The resource you requested does not exist.")
    assert eventually(gone) == missing
    assert _refused(lambda_.update_event_source_mapping, UUID=uuid, BatchSize=5) == missing
    assert _refused(lambda_.delete_event_source_mapping, UUID=uuid) == missing


def test_1_1_a_deleted_mapping_finishes_what_it_received(bench: Bench) -> None:
    queue = bench.queue()
    uuid = bench.map(queue)
    bench.send(queue, {"sleep": 1})
    eventually(lambda: True if bench.counts(queue) == (0, 1) else None)
    bench.lambda_.delete_event_source_mapping(UUID=uuid)
    bench.emptied(queue)
    bench.send(queue, "after")
    assert bench.counts(queue) == (1, 0)


# --- 1.1 errors -----------------------------------------------------------------------------------------------------------


def _filters(count: int, pattern: str = '{"body": ["a"]}') -> dict[str, Any]:
    return {"Filters": [{"Pattern": pattern}] * count}


@pytest.mark.parametrize(
    ("fifo", "settings", "code", "text"),
    [
        (
            False,
            {"BatchSize": 11},
            INVALID,
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
        ),
        (False, {"BatchSize": 10_001, "MaximumBatchingWindowInSeconds": 1}, "ValidationException", "10000"),
        (False, {"MaximumBatchingWindowInSeconds": 301}, "ValidationException", "300"),
        (True, {"BatchSize": 11}, INVALID, "10"),
        (True, {"MaximumBatchingWindowInSeconds": 1}, INVALID, "Batching window is not supported for FIFO queues"),
        (False, {"FilterCriteria": _filters(1, "{")}, INVALID, "Invalid filter pattern definition."),
        (False, {"FilterCriteria": _filters(6)}, INVALID, "5"),
        (False, {"FilterCriteria": _filters(1, '{"body": ["' + "a" * 4096 + '"]}')}, "ValidationException", "4096"),
        (False, {"ScalingConfig": {"MaximumConcurrency": 1001}}, "ValidationException", "1000"),
        (False, {"FunctionResponseTypes": ["Everything"]}, "ValidationException", "ReportBatchItemFailures"),
        (False, {"MetricsConfig": {"Metrics": ["KafkaMetrics"]}}, INVALID, "KafkaMetrics"),
        (False, {"ProvisionedPollerConfig": {"MinimumPollers": 201}}, "ValidationException", "200"),
        (False, {"StartingPosition": "LATEST"}, INVALID, "StartingPosition"),
        (False, {"ParallelizationFactor": 2}, INVALID, "ParallelizationFactor"),
        (False, {"BisectBatchOnFunctionError": True}, INVALID, "BisectBatchOnFunctionError"),
        (False, {"MaximumRetryAttempts": 2}, INVALID, "MaximumRetryAttempts"),
        (False, {"MaximumRecordAgeInSeconds": 60}, INVALID, "MaximumRecordAgeInSeconds"),
        (False, {"TumblingWindowInSeconds": 5}, INVALID, "TumblingWindowInSeconds"),
        (
            False,
            {"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:123456789012:other"}}},
            INVALID,
            "DestinationConfig",
        ),
        (False, {"DocumentDBEventSourceConfig": {"DatabaseName": "d"}}, INVALID, "DocumentDBEventSourceConfig"),
    ],
)
def test_1_1_refused_parameters(
    bench: Bench, function: str, fifo: bool, settings: dict[str, Any], code: str, text: str
) -> None:
    queue = bench.queue(fifo=fifo)
    refused = _refused(bench.create, queue=queue, function=function, **settings)
    assert refused[:2] == (code, 400)
    assert text in refused[2]
    listed = bench.lambda_.list_event_source_mappings(EventSourceArn=queue.arn)
    assert listed["EventSourceMappings"] == []


def test_1_1_the_queue_must_exist(bench: Bench, function: str) -> None:
    arn = f"arn:aws:sqs:us-east-1:123456789012:q-{uuid4()}"
    code, status, text = _refused(bench.lambda_.create_event_source_mapping, EventSourceArn=arn, FunctionName=function)
    assert (code, status) == (INVALID, 400)
    assert text.startswith(
        "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue"
    )


def test_1_1_the_function_must_exist(bench: Bench, function: str) -> None:
    create, queue = bench.lambda_.create_event_source_mapping, bench.queue()
    params = {"EventSourceArn": queue.arn, "FunctionName": f"f-{uuid4().hex[:8]}"}
    assert _refused(create, **params) == (INVALID, 400, "Function does not exist")
    params["FunctionName"] = f"{function.partition(':')[0]}:nowhere"
    assert _refused(create, **params)[0] == "ResourceNotFoundException"


def test_1_1_queue_and_function_share_a_region(bench: Bench, sandbox: Sandbox, function: str) -> None:
    sandbox.client("sqs", region="eu-west-1").create_queue(QueueName="elsewhere")
    arn = "arn:aws:sqs:eu-west-1:123456789012:elsewhere"
    code, _, text = _refused(bench.lambda_.create_event_source_mapping, EventSourceArn=arn, FunctionName=function)
    assert (code, "same Region" in text) == (INVALID, True)


def test_1_1_the_function_must_be_done_before_its_messages_are_visible(bench: Bench) -> None:
    function = bench.functions.deploy(ECHO, Timeout=10)
    text = "Queue visibility timeout: 5 seconds is less than Function timeout: 10 seconds"
    queue = bench.queue(visibility=5)
    assert _refused(bench.create, queue=queue, function=function) == (INVALID, 400, text)
    attributes = {"VisibilityTimeout": "10"}
    bench.sqs.set_queue_attributes(QueueUrl=queue.url, Attributes=attributes)
    uuid = bench.create(queue, function)["UUID"]
    bench.settled(uuid)
    bench.sqs.set_queue_attributes(QueueUrl=queue.url, Attributes={"VisibilityTimeout": "5"})
    change = {"UUID": uuid, "BatchSize": 5}
    assert _refused(bench.lambda_.update_event_source_mapping, **change) == (INVALID, 400, text)
    assert bench.get(uuid)["BatchSize"] == 10


def test_1_1_a_queue_is_mapped_to_a_function_once(bench: Bench, function: str) -> None:
    queue = bench.queue()
    uuid = bench.create(queue, function)["UUID"]
    text = (
        f'An event source mapping with SQS arn (" {queue.arn} ") and function (" {function} ") already exists. '
        f"Please update or delete the existing mapping with UUID {uuid}"
    )
    assert _refused(bench.create, queue=queue, function=function) == ("ResourceConflictException", 409, text)
    other = bench.create(queue, function.partition(":")[0])["UUID"]
    bench.settled(other)
    change = {"UUID": other, "FunctionName": function}
    assert _refused(bench.lambda_.update_event_source_mapping, **change)[:2] == ("ResourceConflictException", 409)


@pytest.mark.parametrize("source", ["kafka:us-east-1:123456789012:cluster/c/x", "mq:us-east-1:123456789012:broker:b:x"])
def test_1_1_a_source_that_is_not_emulated_is_refused(bench: Bench, function: str, source: str) -> None:
    arn = f"arn:aws:{source.replace(':1:', ':123456789012:')}"
    params = {"EventSourceArn": arn, "FunctionName": function, "StartingPosition": "LATEST"}
    code, status, _ = _refused(bench.lambda_.create_event_source_mapping, **params)
    assert (code, status) == ("UnsupportedOperation", 501)


# --- lists and tags -------------------------------------------------------------------------------------------------------


def test_mappings_are_listed_by_function_and_source_in_pages(bench: Bench) -> None:
    function = bench.functions.deploy(ECHO, Timeout=3)
    name = function.partition(":")[0]
    queues = [bench.queue() for _ in range(3)]
    made = [bench.create(queue, function)["UUID"] for queue in queues]
    made.append(bench.create(queues[0], name)["UUID"])

    def listed(**params: Any) -> list[str]:
        pages = bench.lambda_.get_paginator("list_event_source_mappings").paginate(**params)
        return [mapping["UUID"] for page in pages for mapping in page["EventSourceMappings"]]

    assert listed(FunctionName=name) == made
    assert listed(FunctionName=name, PaginationConfig={"PageSize": 3}) == made
    assert listed(FunctionName=function) == made[:3]
    assert listed(EventSourceArn=queues[0].arn) == [made[0], made[3]]
    assert listed(FunctionName=function, EventSourceArn=queues[1].arn) == [made[1]]
    assert listed(FunctionName="nobody") == []
    page = bench.lambda_.list_event_source_mappings(FunctionName=name, MaxItems=1)
    assert len(page["EventSourceMappings"]) == 1
    assert page["NextMarker"]


def test_mappings_have_tags(bench: Bench, function: str) -> None:
    arn = bench.create(bench.queue(), function, Tags={"a": "1"})["EventSourceMappingArn"]
    bench.lambda_.tag_resource(Resource=arn, Tags={"b": "2"})
    bench.lambda_.untag_resource(Resource=arn, TagKeys=["a"])
    assert bench.lambda_.list_tags(Resource=arn)["Tags"] == {"b": "2"}
    of_function = f"arn:aws:lambda:us-east-1:123456789012:function:{function.partition(':')[0]}"
    assert bench.lambda_.list_tags(Resource=of_function)["Tags"] == {}


def test_a_mapping_outlives_its_function_and_says_what_is_wrong(bench: Bench) -> None:
    function = bench.functions.deploy(ECHO, Timeout=3)
    queue = bench.queue()
    uuid = bench.create(queue, function)["UUID"]
    bench.settled(uuid)
    bench.lambda_.delete_function(FunctionName=function.partition(":")[0])
    bench.send(queue, "a")

    def problem() -> str | None:
        result: str | None = bench.get(uuid).get("LastProcessingResult")
        return result

    assert "Function not found" in eventually(problem)


def test_event_counts_are_published(bench: Bench, sandbox: Sandbox) -> None:
    queue = bench.queue()
    uuid = bench.map(queue, MetricsConfig={"Metrics": ["EventCount"]})
    bench.send(queue, "a", "b")
    bench.emptied(queue)
    bench.update(uuid, Enabled=False)
    dimension = [{"Name": "EventSourceMappingUUID", "Value": uuid}]
    listed = sandbox.client("cloudwatch").list_metrics(Namespace="AWS/Lambda", Dimensions=dimension)["Metrics"]
    assert {metric["MetricName"] for metric in listed} == {
        "PolledEventCount",
        "FilteredOutEventCount",
        "InvokedEventCount",
        "FailedInvokeEventCount",
        "DeletedEventCount",
    }


# --- 1.6 durable functions ------------------------------------------------------------------------------------------------


def test_1_6_a_durable_function_is_mapped_by_a_qualified_arn_and_within_fifteen_minutes(bench: Bench) -> None:
    queue = bench.queue()
    long = bench.functions.durable(DURABLE, timeout=901, Timeout=10)
    assert _refused(bench.create, queue=queue, function=long)[:2] == (INVALID, 400)
    short = bench.functions.durable(DURABLE, timeout=900, Timeout=10)
    assert _refused(bench.create, queue=queue, function=short.partition(":")[0])[:2] == (INVALID, 400)
    created = bench.create(queue, short)
    assert created["FunctionArn"].endswith(f":{short}")
    bench.settled(created["UUID"])
    change = {"UUID": created["UUID"], "FunctionName": long}
    assert _refused(bench.lambda_.update_event_source_mapping, **change)[:2] == (INVALID, 400)


def test_1_6_the_mapping_waits_for_the_execution_and_a_redelivery_starts_a_new_one(bench: Bench) -> None:
    function = bench.functions.durable(DURABLE, timeout=900, Timeout=5)
    queue = bench.queue(visibility=5)
    uuid = bench.map(queue, function, Enabled=False)
    sent = bench.send(queue, "good", "bad")
    bench.update(uuid, Enabled=True)
    bench.emptied(queue)
    name = function.partition(":")[0]
    executions = bench.lambda_.list_durable_executions_by_function(FunctionName=name)["DurableExecutions"]
    assert [execution["Status"] for execution in executions] == ["SUCCEEDED", "SUCCEEDED"]
    second, first = (  # newest first
        [record["messageId"] for record in json.loads(shown["InputPayload"])["Records"]]
        for shown in (
            bench.lambda_.get_durable_execution(DurableExecutionArn=execution["DurableExecutionArn"])
            for execution in executions
        )
    )
    assert first == sent
    assert second == [sent[1]], "the failed message alone came back"
