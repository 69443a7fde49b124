"""moto behind the sandbox: calls from inside, deliveries to our services, logs."""

from __future__ import annotations

import asyncio
import base64
import gc
import gzip
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from moto.dynamodb.models.dynamo_type import Item
from moto.iam.models import iam_backends
from moto.logs.models import LogEvent
from server_support import RecordingLambda, Running, recorder, running

from durable_sandbox.aws.errors import AwsError
from durable_sandbox.aws.http import HttpRequest
from durable_sandbox.moto_adapter.wsgi import environ_of
from durable_sandbox.wiring import build_sqs

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:target"


@pytest.fixture(scope="module")
def world() -> Iterator[tuple[Running, RecordingLambda]]:
    service, build = recorder()
    with running(build_sqs, build) as sandbox:
        sandbox.sandbox.services["lambda"].functions["target"] = {"FunctionName": "target", "FunctionArn": FUNCTION}  # type: ignore[attr-defined]
        yield sandbox, service


@pytest.fixture
def served(world: tuple[Running, RecordingLambda]) -> Running:
    return world[0]


@pytest.fixture
def lambda_(world: tuple[Running, RecordingLambda]) -> RecordingLambda:
    world[1].calls.clear()
    return world[1]


def call(served: Running, service: str, operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Call as the sandbox's own parts do."""
    inside = served.sandbox.call(served.sandbox.identities.root(), "us-east-1", service, operation, params)
    return asyncio.run_coroutine_threadsafe(inside, served.loop).result(30)


def test_each_account_has_awss_managed_policies_and_says_alone_how_often_they_are_attached(served: Running) -> None:
    iam, arn = served.client("iam"), "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    role = json.dumps({"Version": "2012-10-17", "Statement": []})
    iam.create_role(RoleName="attached", AssumeRolePolicyDocument=role)
    iam.attach_role_policy(RoleName="attached", PolicyArn=arn)

    def found(account: str) -> tuple[int, str]:
        policy = iam_backends[account]["aws"].get_policy(arn)
        return policy.attachment_count, policy.account_id

    assert (found("123456789012"), found("210987654321")) == ((1, "123456789012"), (0, "210987654321"))
    document = iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"]
    assert "logs:PutLogEvents" in document["Statement"][0]["Action"]
    iam.detach_role_policy(RoleName="attached", PolicyArn=arn)
    iam.delete_role(RoleName="attached")


def test_what_an_account_does_to_a_managed_policy_no_other_sees_and_a_reset_forgets(served: Running) -> None:
    arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    statement = {"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam_backends["111111111111"]["aws"].create_policy_version(arn, document, "true")

    def versions(account: str) -> list[tuple[str, bool]]:
        policy = iam_backends[account]["aws"].get_policy(arn)
        return [(version.version_id, version.is_default) for version in policy.versions]

    assert (len(versions("111111111111")), len(versions("222222222222"))) == (2, 1)
    before = versions("222222222222")
    asyncio.run_coroutine_threadsafe(served.sandbox.moto.reset(), served.loop).result(30)
    assert versions("111111111111") == before


def test_a_reset_waits_for_a_service_that_loads(served: Running) -> None:
    with served.sandbox.moto.application().lock:
        reset = asyncio.run_coroutine_threadsafe(served.sandbox.moto.reset(), served.loop)
        with pytest.raises(TimeoutError):
            reset.result(0.3)
    assert reset.result(30) is None


def test_what_is_deleted_is_forgotten(served: Running) -> None:
    dynamodb, logs = served.client("dynamodb"), served.client("logs")
    key = {"AttributeName": "id", "KeyType": "HASH"}
    dynamodb.create_table(
        TableName="passing",
        KeySchema=[key],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for _ in range(2):
        dynamodb.put_item(TableName="passing", Item={"id": {"S": "forgotten"}})
    dynamodb.delete_table(TableName="passing")
    logs.create_log_group(logGroupName="passing")
    logs.create_log_stream(logGroupName="passing", logStreamName="stream")
    events = [{"timestamp": int(time.time() * 1000), "message": "forgotten"}]
    logs.put_log_events(logGroupName="passing", logStreamName="stream", logEvents=events)
    logs.delete_log_group(logGroupName="passing")
    gc.collect()
    kept = [one for one in gc.get_objects() if type(one) in {Item, LogEvent} and "forgotten" in str(vars(one))]
    assert kept == []


def queue(served: Running, name: str, **attributes: str) -> tuple[str, str]:
    """URL and ARN of a new queue."""
    sqs = served.client("sqs")
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    return url, f"arn:aws:sqs:us-east-1:123456789012:{name}"


def received(served: Running, url: str) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = (
        served.client("sqs")
        .receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], WaitTimeSeconds=1)
        .get("Messages", [])
    )
    return messages


def events_to(lambda_: RecordingLambda) -> list[Any]:
    return [json.loads(params["Payload"]) for params in lambda_.made("Invoke")]


def test_what_few_sandboxes_need_is_not_loaded_ahead() -> None:
    """CloudFormation brings EC2: a second, and twice the memory."""
    program = (
        "import importlib, sys; from durable_sandbox.moto_adapter.load import _MODULES\n"
        "for name in _MODULES: importlib.import_module(f'moto.{name}.models'), importlib.import_module(f'moto.{name}.responses')\n"
        "print({'moto.cloudformation', 'moto.ec2'} & sys.modules.keys())"
    )
    assert (
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "set()\n"
    )


def test_calls_from_inside_round_trip(served: Running) -> None:
    call(served, "s3", "CreateBucket", {"Bucket": "inside"})
    call(served, "s3", "PutObject", {"Bucket": "inside", "Key": "a b/ü", "Body": b"\xac\x00", "Metadata": {"k": "v"}})
    got = call(served, "s3", "GetObject", {"Bucket": "inside", "Key": "a b/ü"})
    assert (got["Body"], got["Metadata"]) == (b"\xac\x00", {"k": "v"})
    call(served, "kinesis", "CreateStream", {"StreamName": "s", "ShardCount": 1})
    put = call(served, "kinesis", "PutRecord", {"StreamName": "s", "Data": b"\xff", "PartitionKey": "p"})
    assert put["ShardId"] == "shardId-000000000000"
    metric = {"Namespace": "N", "MetricData": [{"MetricName": "m", "Value": 1.0}]}
    call(served, "cloudwatch", "PutMetricData", metric)
    assert call(served, "cloudwatch", "ListMetrics", {"Namespace": "N"})["Metrics"][0]["MetricName"] == "m"
    assert call(served, "sqs", "ListQueues", {}) is not None


def test_errors_from_inside_keep_code_status_and_message(served: Running) -> None:
    with pytest.raises(AwsError) as missing:
        call(served, "s3", "GetObject", {"Bucket": "inside-not", "Key": "k"})
    assert (missing.value.code, missing.value.status) == ("NoSuchBucket", 404)
    with pytest.raises(AwsError) as conditional:
        call(served, "dynamodb", "DescribeTable", {"TableName": "absent"})
    assert conditional.value.code == "ResourceNotFoundException"
    with pytest.raises(AwsError, match="Bucket"):
        call(served, "s3", "GetObject", {"Key": "k"})


def test_sns_delivers_to_our_queue_and_function(served: Running, lambda_: RecordingLambda) -> None:
    url, arn = queue(served, "from-sns")
    raw_url, raw_arn = queue(served, "from-sns-raw")
    sns = served.client("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=raw_arn, Attributes={"RawMessageDelivery": "true"})
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=f"{FUNCTION}:live")
    attributes = {"n": {"DataType": "Number", "StringValue": "7"}, "b": {"DataType": "Binary", "BinaryValue": b"\xff"}}
    published = sns.publish(TopicArn=topic, Message="hello", Subject="s", MessageAttributes=attributes)
    (message,) = received(served, url)
    assert json.loads(message["Body"])["Message"] == "hello"
    (raw,) = received(served, raw_url)
    assert raw["Body"] == "hello"
    assert raw["MessageAttributes"]["n"] == {"DataType": "Number", "StringValue": "7"}
    assert raw["MessageAttributes"]["b"]["BinaryValue"] == b"\xff"
    (invoked,) = lambda_.made("Invoke")
    assert (invoked["FunctionName"], invoked["InvocationType"]) == (f"{FUNCTION}:live", "Event")
    (record,) = json.loads(invoked["Payload"])["Records"]
    assert record["EventSource"] == "aws:sns"
    assert record["Sns"]["MessageId"] == published["MessageId"]
    assert (record["Sns"]["Message"], record["Sns"]["Subject"], record["Sns"]["TopicArn"]) == ("hello", "s", topic)


def test_sns_that_cannot_deliver_uses_the_dead_letter_queue(served: Running) -> None:
    url, arn = queue(served, "sns-dead")
    sns = served.client("sns")
    topic = sns.create_topic(Name="dead")["TopicArn"]
    policy = json.dumps({"deadLetterTargetArn": arn})
    gone = "arn:aws:sqs:us-east-1:123456789012:gone"
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=gone, Attributes={"RedrivePolicy": policy})
    assert sns.publish(TopicArn=topic, Message="lost?")["MessageId"]
    (message,) = received(served, url)
    assert message["Body"] == "lost?"


def test_s3_notifies_our_queue_and_function(served: Running, lambda_: RecordingLambda) -> None:
    url, arn = queue(served, "from-s3")
    s3 = served.client("s3")
    s3.create_bucket(Bucket="notifying")
    configuration = {
        "QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}],
        "LambdaFunctionConfigurations": [{"LambdaFunctionArn": FUNCTION, "Events": ["s3:ObjectCreated:*"]}],
    }
    s3.put_bucket_notification_configuration(Bucket="notifying", NotificationConfiguration=configuration)
    s3.put_object(Bucket="notifying", Key="in/1", Body=b"x")
    bodies = [json.loads(message["Body"]) for message in received(served, url)]
    records = [body["Records"][0] for body in bodies if "Records" in body]
    assert [record["s3"]["object"]["key"] for record in records] == ["in%2F1"]
    assert [event["Records"][0]["eventSource"] for event in events_to(lambda_)] == ["aws:s3"]


def test_a_bucket_policy_that_demands_tls_locks_nobody_out(served: Running) -> None:
    s3 = served.client("s3")
    s3.create_bucket(Bucket="tls-only")
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": "arn:aws:s3:::tls-only/*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    s3.put_bucket_policy(Bucket="tls-only", Policy=policy)
    s3.put_object(Bucket="tls-only", Key="k", Body=b"x")
    assert json.loads(s3.get_bucket_policy(Bucket="tls-only")["Policy"])["Statement"] == [statement]


def test_log_lines_arrive_in_order_and_feed_subscriptions(served: Running, lambda_: RecordingLambda) -> None:
    logs = served.client("logs")
    for group in ("/aws/lambda/f", "/aws/lambda/new"):
        logs.create_log_group(logGroupName=group)
    logs.put_subscription_filter(
        logGroupName="/aws/lambda/f", filterName="all", filterPattern="", destinationArn=FUNCTION
    )
    now = int(time.time() * 1000)

    async def write() -> None:
        for index in range(500):
            group = "/aws/lambda/f" if index % 2 == 0 else "/aws/lambda/new"
            served.sandbox.logs.put("us-east-1", group, "stream", [(now + index, f"line {index}")])
        await served.sandbox.logs.drain()

    asyncio.run_coroutine_threadsafe(write(), served.loop).result(30)
    read = logs.get_log_events(logGroupName="/aws/lambda/new", logStreamName="stream", startFromHead=True)["events"]
    assert [event["message"] for event in read] == [f"line {index}" for index in range(1, 500, 2)]
    delivered = []
    for event in events_to(lambda_):
        data = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
        assert (data["logGroup"], data["subscriptionFilters"]) == ("/aws/lambda/f", ["all"])
        delivered += [line["message"] for line in data["logEvents"]]
    assert delivered == [f"line {index}" for index in range(0, 500, 2)]


def test_a_service_writes_into_no_group_that_is_not_there(served: Running) -> None:
    async def write() -> None:
        served.sandbox.logs.put("us-east-1", "/deleted", "stream", [(int(time.time() * 1000), "late")])
        await served.sandbox.logs.drain()

    asyncio.run_coroutine_threadsafe(write(), served.loop).result(30)
    assert served.client("logs").describe_log_groups(logGroupNamePrefix="/deleted")["logGroups"] == []


def test_the_environ_keeps_metadata_spelling_and_drops_other_underscores() -> None:
    request = HttpRequest(
        "PUT",
        "/b/k%C3%A9",
        "x=1",
        {
            "host": "127.0.0.1:9",
            "x-amz-meta-my_key": "v",
            "x_forged": "1",
            "transfer-encoding": "chunked",
            "content-type": "text/plain",
        },
        b"body",
    )
    environ = environ_of(request, host="127.0.0.1:9")
    assert environ["PATH_INFO"].encode("latin-1").decode() == "/b/ké"
    assert environ["RAW_URI"] == "/b/k%C3%A9?x=1"
    assert environ["moto.preserved_header_names"] == {"HTTP_X_AMZ_META_MY_KEY": "x-amz-meta-my_key"}
    assert (environ["CONTENT_LENGTH"], environ["CONTENT_TYPE"]) == ("4", "text/plain")
    assert not {"HTTP_X_FORGED", "HTTP_TRANSFER_ENCODING"} & set(environ)
