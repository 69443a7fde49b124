"""Which actions and resources an API call needs."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from iam_support import ACCOUNT, KEY, QUEUE, REGION, ROLE, URL, FakeSource, call, callback_id, model, sample_params

from durable_sandbox.aws.call import method_name
from durable_sandbox.iam.actions import SERVICES, UnmappedError, changes_policies, needs
from durable_sandbox.services.lambda_.service import LambdaService

PRE = f"{REGION}:{ACCOUNT}"
FUNCTION = f"arn:aws:lambda:{PRE}:function:store"
EXECUTION = f"{FUNCTION}:3/durable-execution/n/i"
TABLE = f"arn:aws:dynamodb:{PRE}:table/orders"
STREAM = f"arn:aws:kinesis:{PRE}:stream/orders"
TABLE_STREAM = f"{TABLE}/stream/2026-01-01T00:00:00.000"
GROUP = f"arn:aws:logs:{PRE}:log-group:/aws/lambda/f"
BUS = f"arn:aws:events:{PRE}:event-bus"
DLQ = f"{QUEUE}-dlq"
HANDLE = base64.b64encode(json.dumps({"taskId": "t", "sourceArn": DLQ}).encode()).decode()
ITERATOR = base64.encodebytes(b"orders:shardId-000000000000:0").decode()
MAPPING = f"arn:aws:lambda:{PRE}:event-source-mapping:u"
BUCKET = "arn:aws:s3:::artifacts"
OBJECT = {"Bucket": "artifacts", "Key": "a/b.zip"}
QUEUE_URL = {"QueueUrl": URL}
NAMED = {"FunctionName": "store"}

CASES: list[tuple[str, str, dict[str, Any], list[tuple[str, str]]]] = [
    # SQS
    ("sqs", "SendMessage", QUEUE_URL, [("sqs:SendMessage", QUEUE)]),
    ("sqs", "SendMessageBatch", QUEUE_URL, [("sqs:SendMessage", QUEUE)]),
    ("sqs", "ReceiveMessage", QUEUE_URL, [("sqs:ReceiveMessage", QUEUE)]),
    ("sqs", "DeleteMessage", QUEUE_URL, [("sqs:DeleteMessage", QUEUE)]),
    ("sqs", "DeleteMessageBatch", QUEUE_URL, [("sqs:DeleteMessage", QUEUE)]),
    ("sqs", "ChangeMessageVisibility", QUEUE_URL, [("sqs:ChangeMessageVisibility", QUEUE)]),
    ("sqs", "ChangeMessageVisibilityBatch", QUEUE_URL, [("sqs:ChangeMessageVisibility", QUEUE)]),
    ("sqs", "GetQueueAttributes", {"QueueUrl": f"{URL}/"}, [("sqs:GetQueueAttributes", QUEUE)]),
    ("sqs", "GetQueueUrl", {"QueueName": "orders"}, [("sqs:GetQueueUrl", QUEUE)]),
    (
        "sqs",
        "GetQueueUrl",
        {"QueueName": "orders", "QueueOwnerAWSAccountId": "999999999999"},
        [("sqs:GetQueueUrl", f"arn:aws:sqs:{REGION}:999999999999:orders")],
    ),
    ("sqs", "CreateQueue", {"QueueName": "orders"}, [("sqs:CreateQueue", QUEUE)]),
    ("sqs", "ListQueues", {}, [("sqs:ListQueues", f"arn:aws:sqs:{PRE}:")]),
    (
        "sqs",
        "StartMessageMoveTask",
        {"SourceArn": DLQ, "DestinationArn": QUEUE},
        [
            ("sqs:StartMessageMoveTask", DLQ),
            ("sqs:ReceiveMessage", DLQ),
            ("sqs:DeleteMessage", DLQ),
            ("sqs:GetQueueAttributes", DLQ),
            ("sqs:SendMessage", QUEUE),
        ],
    ),
    (
        "sqs",
        "CancelMessageMoveTask",
        {"TaskHandle": HANDLE},
        [
            ("sqs:CancelMessageMoveTask", DLQ),
            ("sqs:ReceiveMessage", DLQ),
            ("sqs:DeleteMessage", DLQ),
            ("sqs:GetQueueAttributes", DLQ),
        ],
    ),
    (
        "sqs",
        "ListMessageMoveTasks",
        {"SourceArn": DLQ},
        [("sqs:ListMessageMoveTasks", DLQ), ("sqs:GetQueueAttributes", DLQ)],
    ),
    # Lambda: how a function is named
    ("lambda", "Invoke", NAMED, [("lambda:InvokeFunction", FUNCTION)]),
    ("lambda", "Invoke", {**NAMED, "Qualifier": "live"}, [("lambda:InvokeFunction", f"{FUNCTION}:live")]),
    ("lambda", "Invoke", {"FunctionName": "store:live"}, [("lambda:InvokeFunction", f"{FUNCTION}:live")]),
    ("lambda", "Invoke", {"FunctionName": f"{FUNCTION}:live"}, [("lambda:InvokeFunction", f"{FUNCTION}:live")]),
    ("lambda", "Invoke", {"FunctionName": f"{ACCOUNT}:store:7"}, [("lambda:InvokeFunction", f"{FUNCTION}:7")]),
    (
        "lambda",
        "Invoke",
        {"FunctionName": "arn:aws:lambda:eu-west-1:999999999999:function:store:$LATEST"},
        [("lambda:InvokeFunction", "arn:aws:lambda:eu-west-1:999999999999:function:store:$LATEST")],
    ),
    ("lambda", "InvokeWithResponseStream", NAMED, [("lambda:InvokeFunction", FUNCTION)]),
    ("lambda", "InvokeAsync", NAMED, [("lambda:InvokeAsync", FUNCTION)]),
    ("lambda", "GetFunction", {**NAMED, "Qualifier": "live"}, [("lambda:GetFunction", f"{FUNCTION}:live")]),
    ("lambda", "PublishVersion", NAMED, [("lambda:PublishVersion", FUNCTION)]),
    ("lambda", "ListFunctions", {}, [("lambda:ListFunctions", "*")]),
    ("lambda", "ListTags", {"Resource": FUNCTION}, [("lambda:ListTags", FUNCTION)]),
    # Lambda: durable executions
    *[
        ("lambda", operation, {"DurableExecutionArn": EXECUTION}, [(f"lambda:{operation}", EXECUTION)])
        for operation in (
            "CheckpointDurableExecution",
            "GetDurableExecutionState",
            "GetDurableExecution",
            "GetDurableExecutionHistory",
            "StopDurableExecution",
            "PauseDurableExecution",
            "ResumeDurableExecution",
            "DeleteDurableExecution",
        )
    ],
    *[
        ("lambda", operation, {"CallbackId": callback_id(EXECUTION)}, [(f"lambda:{operation}", EXECUTION)])
        for operation in (
            "SendDurableExecutionCallbackSuccess",
            "SendDurableExecutionCallbackFailure",
            "SendDurableExecutionCallbackHeartbeat",
        )
    ],
    (
        "lambda",
        "ListDurableExecutionsByFunction",
        {**NAMED, "Qualifier": "3"},
        [("lambda:ListDurableExecutionsByFunction", f"{FUNCTION}:3")],
    ),
    # Lambda, event source mappings
    ("lambda", "CreateEventSourceMapping", NAMED, [("lambda:CreateEventSourceMapping", "*")]),
    ("lambda", "GetEventSourceMapping", {"UUID": "u"}, [("lambda:GetEventSourceMapping", MAPPING)]),
    ("lambda", "UpdateEventSourceMapping", {"UUID": "u"}, [("lambda:UpdateEventSourceMapping", MAPPING)]),
    ("lambda", "DeleteEventSourceMapping", {"UUID": "u"}, [("lambda:DeleteEventSourceMapping", MAPPING)]),
    # Pipes
    ("pipes", "DescribePipe", {"Name": "p"}, [("pipes:DescribePipe", f"arn:aws:pipes:{PRE}:pipe/p")]),
    ("pipes", "ListPipes", {}, [("pipes:ListPipes", "*")]),
    # DynamoDB
    ("dynamodb", "PutItem", {"TableName": "orders"}, [("dynamodb:PutItem", TABLE)]),
    ("dynamodb", "PutItem", {"TableName": TABLE}, [("dynamodb:PutItem", TABLE)]),
    ("dynamodb", "Query", {"TableName": "orders"}, [("dynamodb:Query", TABLE)]),
    ("dynamodb", "Query", {"TableName": "orders", "IndexName": "i"}, [("dynamodb:Query", f"{TABLE}/index/i")]),
    ("dynamodb", "BatchWriteItem", {"RequestItems": {"orders": []}}, [("dynamodb:BatchWriteItem", TABLE)]),
    (
        "dynamodb",
        "TransactWriteItems",
        {
            "TransactItems": [
                {"Put": {"TableName": "orders"}},
                {"Put": {"TableName": "orders"}},
                {"ConditionCheck": {"TableName": "orders"}},
            ]
        },
        [("dynamodb:PutItem", TABLE), ("dynamodb:ConditionCheckItem", TABLE)],
    ),
    (
        "dynamodb",
        "TransactGetItems",
        {"TransactItems": [{"Get": {"TableName": "orders"}}]},
        [("dynamodb:GetItem", TABLE)],
    ),
    *[
        ("dynamodb", "ExecuteStatement", {"Statement": text}, [(f"dynamodb:{action}", resource)])
        for text, action, resource in (
            ('SELECT * FROM "orders" WHERE id = ?', "PartiQLSelect", TABLE),
            ('select a from "orders"."by-day"', "PartiQLSelect", f"{TABLE}/index/by-day"),
            ("INSERT INTO orders VALUE {'id': 1}", "PartiQLInsert", TABLE),
            ('UPDATE "orders" SET a = 1', "PartiQLUpdate", TABLE),
            ("DELETE FROM orders WHERE id = 1", "PartiQLDelete", TABLE),
        )
    ],
    ("dynamodb", "ListTables", {}, [("dynamodb:ListTables", "*")]),
    ("dynamodbstreams", "DescribeStream", {"StreamArn": TABLE_STREAM}, [("dynamodb:DescribeStream", TABLE_STREAM)]),
    (
        "dynamodbstreams",
        "GetRecords",
        {"ShardIterator": f"{TABLE_STREAM}|1|abc"},
        [("dynamodb:GetRecords", TABLE_STREAM)],
    ),
    ("dynamodb", "GetShardIterator", {"StreamArn": TABLE_STREAM}, [("dynamodb:GetShardIterator", TABLE_STREAM)]),
    ("dynamodbstreams", "ListStreams", {}, [("dynamodb:ListStreams", "*")]),
    ("dynamodbstreams", "ListStreams", {"TableName": "orders"}, [("dynamodb:ListStreams", f"{TABLE}/stream/*")]),
    ("dynamodbstreams", "ListStreams", {"TableName": TABLE_STREAM}, [("dynamodb:ListStreams", TABLE_STREAM)]),
    # Kinesis
    ("kinesis", "PutRecord", {"StreamName": "orders"}, [("kinesis:PutRecord", STREAM)]),
    ("kinesis", "GetShardIterator", {"StreamARN": STREAM}, [("kinesis:GetShardIterator", STREAM)]),
    ("kinesis", "GetRecords", {"ShardIterator": ITERATOR}, [("kinesis:GetRecords", STREAM)]),
    ("kinesis", "ListStreams", {}, [("kinesis:ListStreams", "*")]),
    # Logs
    (
        "logs",
        "PutLogEvents",
        {"logGroupName": "/aws/lambda/f", "logStreamName": "s"},
        [("logs:PutLogEvents", f"{GROUP}:log-stream:s")],
    ),
    (
        "logs",
        "CreateLogStream",
        {"logGroupName": "/aws/lambda/f", "logStreamName": "s"},
        [("logs:CreateLogStream", f"{GROUP}:log-stream:s")],
    ),
    ("logs", "CreateLogGroup", {"logGroupName": "/aws/lambda/f"}, [("logs:CreateLogGroup", f"{GROUP}:log-stream:")]),
    (
        "logs",
        "FilterLogEvents",
        {"logGroupIdentifier": f"{GROUP}:*"},
        [("logs:FilterLogEvents", f"{GROUP}:log-stream:")],
    ),
    ("logs", "DescribeLogGroups", {}, [("logs:DescribeLogGroups", f"arn:aws:logs:{PRE}:log-group::log-stream:")]),
    # S3
    ("s3", "GetObject", OBJECT, [("s3:GetObject", f"{BUCKET}/a/b.zip")]),
    ("s3", "HeadObject", OBJECT, [("s3:GetObject", f"{BUCKET}/a/b.zip")]),
    ("s3", "GetObject", {**OBJECT, "VersionId": "v"}, [("s3:GetObjectVersion", f"{BUCKET}/a/b.zip")]),
    (
        "s3",
        "GetObjectAttributes",
        {**OBJECT, "VersionId": "v"},
        [("s3:GetObjectVersion", f"{BUCKET}/a/b.zip"), ("s3:GetObjectVersionAttributes", f"{BUCKET}/a/b.zip")],
    ),
    (
        "s3",
        "GetObjectTagging",
        {**OBJECT, "VersionId": "v"},
        [("s3:GetObjectVersionTagging", f"{BUCKET}/a/b.zip")],
    ),
    ("s3", "PutObject", OBJECT, [("s3:PutObject", f"{BUCKET}/a/b.zip")]),
    (
        "s3",
        "PutObject",
        {**OBJECT, "Tagging": "a=b", "ACL": "private"},
        [
            ("s3:PutObject", f"{BUCKET}/a/b.zip"),
            ("s3:PutObjectTagging", f"{BUCKET}/a/b.zip"),
            ("s3:PutObjectAcl", f"{BUCKET}/a/b.zip"),
        ],
    ),
    (
        "s3",
        "CopyObject",
        {**OBJECT, "CopySource": "/other/x%20y?versionId=v"},
        [("s3:GetObject", "arn:aws:s3:::other/x y"), ("s3:PutObject", f"{BUCKET}/a/b.zip")],
    ),
    (
        "s3",
        "DeleteObjects",
        {"Bucket": "artifacts", "Delete": {"Objects": [{"Key": "a"}, {"Key": "b", "VersionId": "v"}]}},
        [("s3:DeleteObject", f"{BUCKET}/a"), ("s3:DeleteObjectVersion", f"{BUCKET}/b")],
    ),
    ("s3", "ListObjectsV2", {"Bucket": "artifacts"}, [("s3:ListBucket", BUCKET)]),
    ("s3", "HeadBucket", {"Bucket": "artifacts"}, [("s3:ListBucket", BUCKET)]),
    ("s3", "ListBuckets", {}, [("s3:ListAllMyBuckets", "*")]),
    # SNS, EventBridge, connections
    ("sns", "Publish", {"TopicArn": f"arn:aws:sns:{PRE}:t"}, [("sns:Publish", f"arn:aws:sns:{PRE}:t")]),
    ("sns", "PublishBatch", {"TopicArn": f"arn:aws:sns:{PRE}:t"}, [("sns:Publish", f"arn:aws:sns:{PRE}:t")]),
    ("sns", "Publish", {"PhoneNumber": "+1555"}, [("sns:Publish", "*")]),
    ("sns", "ListTopics", {}, [("sns:ListTopics", f"arn:aws:sns:{PRE}:*")]),
    (
        "events",
        "PutEvents",
        {"Entries": [{"Source": "a"}, {"Source": "a"}, {"EventBusName": "b"}, {"EventBusName": f"{BUS}/c"}]},
        [("events:PutEvents", f"{BUS}/default"), ("events:PutEvents", f"{BUS}/b"), ("events:PutEvents", f"{BUS}/c")],
    ),
    ("events", "PutRule", {"Name": "r"}, [("events:PutRule", f"arn:aws:events:{PRE}:rule/r")]),
    (
        "events",
        "PutTargets",
        {"Rule": "r", "EventBusName": "b"},
        [("events:PutTargets", f"arn:aws:events:{PRE}:rule/b/r")],
    ),
    (
        "apigatewaymanagementapi",
        "PostToConnection",
        {"ApiId": "a1", "Stage": "live", "ConnectionId": "c="},
        [("execute-api:ManageConnections", f"arn:aws:execute-api:{PRE}:a1/live/POST/@connections/c=")],
    ),
    # KMS, STS, telemetry
    ("kms", "GenerateDataKey", {"KeyId": "alias/orders"}, [("kms:GenerateDataKey", KEY)]),
    ("kms", "Decrypt", {"CiphertextBlob": KEY[-36:].encode() + b"..."}, [("kms:Decrypt", KEY)]),
    ("kms", "Decrypt", {"KeyId": "gone"}, [("kms:Decrypt", f"arn:aws:kms:{PRE}:key/gone")]),
    (
        "kms",
        "ReEncrypt",
        {"SourceKeyId": KEY, "DestinationKeyId": KEY},
        [("kms:ReEncryptFrom", KEY), ("kms:ReEncryptTo", KEY)],
    ),
    ("sts", "GetCallerIdentity", {}, []),
    ("sts", "AssumeRole", {"RoleArn": ROLE, "RoleSessionName": "s"}, [("sts:AssumeRole", ROLE)]),
    ("xray", "PutTraceSegments", {}, [("xray:PutTraceSegments", "*")]),
    ("monitoring", "PutMetricData", {"Namespace": "n"}, [("cloudwatch:PutMetricData", "*")]),
]


def wanted(service: str, operation: str, params: dict[str, Any]) -> list[Any]:
    return list(needs(call(service, operation, params), account=ACCOUNT, key_arn=FakeSource().key_arn))


@pytest.mark.parametrize(("service", "operation", "params", "expected"), CASES)
def test_needs(service: str, operation: str, params: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert [(need.action, need.resource) for need in wanted(service, operation, params)] == expected


@pytest.mark.parametrize(
    ("service", "operation", "params", "context"),
    [
        (
            "lambda",
            "CreateEventSourceMapping",
            {"FunctionName": "store:live"},
            {"lambda:functionarn": (f"{FUNCTION}:live",)},
        ),
        ("lambda", "UpdateEventSourceMapping", {"UUID": "u", **NAMED}, {"lambda:functionarn": (FUNCTION,)}),
        (
            "events",
            "PutEvents",
            {"Entries": [{"Source": "app", "DetailType": "Done"}]},
            {"events:source": ("app",), "events:detail-type": ("Done",)},
        ),
        (
            "s3",
            "ListObjectsV2",
            {"Bucket": "b", "Prefix": "a/"},
            {"s3:prefix": ("a/",), "s3:delimiter": (), "s3:max-keys": ()},
        ),
        (
            "sts",
            "AssumeRole",
            {"RoleArn": ROLE, "RoleSessionName": "s"},
            {"sts:externalid": (), "sts:rolesessionname": ("s",)},
        ),
        ("cloudwatch", "PutMetricData", {"Namespace": "n"}, {"cloudwatch:namespace": ("n",)}),
    ],
)
def test_condition_keys_of_operations(
    service: str, operation: str, params: dict[str, Any], context: dict[str, Any]
) -> None:
    (need,) = wanted(service, operation, params)
    assert need.context == context


@pytest.mark.parametrize(
    ("service", "operation", "params", "message"),
    [
        ("iam", "CreateRole", {}, "not in its table"),
        ("sqs", "SendMessage", {}, "QueueUrl?|none of the parameters"),
        ("sqs", "SendMessage", {"QueueUrl": "http://127.0.0.1/orders"}, "does not end in /account/name"),
        ("sqs", "CancelMessageMoveTask", {"TaskHandle": "?"}, "TaskHandle names no queue"),
        ("lambda", "Invoke", {"FunctionName": "a b"}, "'a b' is no function name"),
        ("lambda", "SendDurableExecutionCallbackSuccess", {"CallbackId": "zz"}, "CallbackId names no execution"),
        ("dynamodb", "ExecuteStatement", {"Statement": "EXPLAIN"}, "cannot tell the table"),
        ("dynamodb", "BatchGetItem", {}, "RequestItems names no table"),
        ("dynamodb", "TransactWriteItems", {"TransactItems": []}, "TransactItems is empty"),
        ("dynamodb", "TransactWriteItems", {"TransactItems": [{"Put": {}}]}, "do not name the resource"),
        ("dynamodbstreams", "GetRecords", {"ShardIterator": "x"}, "ShardIterator names no stream"),
        ("kinesis", "GetRecords", {"ShardIterator": "x"}, "ShardIterator names no stream"),
        ("s3", "CopyObject", OBJECT, "do not name the resource"),
        ("apigatewaymanagementapi", "PostToConnection", {"ConnectionId": "c"}, "ApiId"),
        ("sts", "AssumeRoleWithWebIdentity", {}, "no federated identities"),
    ],
)
def test_what_cannot_be_told_is_said(service: str, operation: str, params: dict[str, Any], message: str) -> None:
    with pytest.raises(UnmappedError, match=message):
        wanted(service, operation, params)


OPERATIONS = [(service, operation) for service, (_, table) in SERVICES.items() for operation in table]
SPECIAL: dict[str, dict[str, Any]] = {
    # What botocore's required members do not tell: identifiers in a form of their own, one of several members.
    "sqs": {"QueueUrl": URL, "TaskHandle": HANDLE},
    "lambda": {"CallbackId": callback_id(EXECUTION)},
    "dynamodb": {"Statement": "SELECT * FROM t", "Statements": [{"Statement": "SELECT * FROM t"}]},
    "dynamodbstreams": {"ShardIterator": f"{TABLE_STREAM}|1|abc"},
    "kinesis": {"StreamName": "orders", "StreamARN": STREAM, "ConsumerARN": f"{STREAM}/consumer/c:1"},
    "logs": {"logGroupName": "/aws/lambda/f"},
    "s3": {"CopySource": "b/k"},
    "sns": {"TopicArn": f"arn:aws:sns:{PRE}:t"},
    "apigatewaymanagementapi": {"ApiId": "a1", "Stage": "live"},
}
TRANSACTIONS: dict[str, Any] = {
    "TransactGetItems": {"TransactItems": [{"Get": {"TableName": "orders"}}]},
    "TransactWriteItems": {"TransactItems": [{"Update": {"TableName": "orders"}}]},
    "ExecuteTransaction": {"TransactStatements": [{"Statement": "DELETE FROM orders WHERE id = 1"}]},
}
WITHOUT_NEEDS = {"GetCallerIdentity", "GetSessionToken"}
FEDERATED = {"AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"}


@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
def test_every_rule_names_an_operation_of_its_service_and_answers_its_parameters(service: str, operation: str) -> None:
    params = sample_params(model(service).operation_model(operation))
    params |= {**SPECIAL.get(service, {}), **TRANSACTIONS.get(operation, {})}
    if operation in FEDERATED:
        return
    found = wanted(service, operation, params)
    assert bool(found) is (operation not in WITHOUT_NEEDS)
    for need in found:
        assert need.action.startswith(f"{SERVICES[service][0]}:")
        assert need.resource == "*" or need.resource.startswith("arn:aws:")


@pytest.mark.parametrize("service", ["sqs", "pipes"])
def test_our_whole_services_are_in_the_tables(service: str) -> None:
    assert set(SERVICES[service][1]) == set(model(service).operation_names)


def test_every_lambda_operation_of_ours_is_in_the_table() -> None:
    ours = {name for name in model("lambda").operation_names if hasattr(LambdaService, method_name(name))}
    assert len(ours) > 30
    assert ours <= set(SERVICES["lambda"][1])


@pytest.mark.parametrize(
    ("service", "operation", "changes"),
    [
        ("iam", "PutRolePolicy", True),
        ("iam", "DeleteRolePermissionsBoundary", True),
        ("iam", "GetRole", False),
        ("iam", "ListRolePolicies", False),
        ("sqs", "SetQueueAttributes", True),
        ("sqs", "SendMessage", False),
        ("lambda", "AddPermission", True),
        ("cloudformation", "CreateStack", True),
        ("dynamodb", "PutItem", False),
    ],
)
def test_calls_that_change_policies(service: str, operation: str, changes: bool) -> None:
    assert changes_policies(service, operation) is changes
