"""Which IAM actions, on which resources, an API call needs.

One table a service, from botocore's operation names to actions; what differs from the operation's name is sourced from
the Service Authorization Reference (https://docs.aws.amazon.com/service-authorization/latest/reference/). A call
that is not in the tables needs what nobody here knows: the root may make it, a role may not.
"""

from __future__ import annotations

from collections.abc import Callable

from durable_sandbox.aws.call import Call
from durable_sandbox.iam.actions import (
    apigateway,
    dynamodb,
    kinesis,
    lambda_,
    logs,
    messaging,
    pipes,
    s3,
    security,
    sqs,
)
from durable_sandbox.iam.actions.rules import Need, Operation, Table, UnmappedError

__all__ = ["SERVICES", "Need", "UnmappedError", "changes_policies", "needs"]

SERVICES: dict[str, tuple[str, Table]] = {
    "sqs": ("sqs", sqs.TABLE),
    "lambda": ("lambda", lambda_.TABLE),
    "pipes": ("pipes", pipes.TABLE),
    "dynamodb": ("dynamodb", dynamodb.TABLE),
    "dynamodbstreams": ("dynamodb", dynamodb.STREAMS),
    "kinesis": ("kinesis", kinesis.TABLE),
    "logs": ("logs", logs.TABLE),
    "s3": ("s3", s3.TABLE),
    "sns": ("sns", messaging.SNS),
    "events": ("events", messaging.EVENTS),
    "apigatewayv2": ("apigateway", apigateway.TABLE),
    "apigatewaymanagementapi": ("execute-api", messaging.CONNECTIONS),
    "kms": ("kms", security.KMS),
    "sts": ("sts", security.STS),
    "xray": ("xray", security.XRAY),
    "cloudwatch": ("cloudwatch", security.CLOUDWATCH),
}
"""botocore's service name -> prefix of its actions, operations."""

# What needs a permission and is no operation: to connect to a route of a WebSocket API that asks for AWS_IAM.
_NO_OPERATIONS: Table = {"Invoke": messaging.invoke_route}

# Credential scopes that differ from botocore's service name: execute-api, monitoring; DynamoDB Streams signs as dynamodb.
_SIGNING_NAMES = {"execute-api": "apigatewaymanagementapi", "monitoring": "cloudwatch"}

# Operations outside IAM that write a resource's policy or key, or create or delete what carries one.
_POLICY_WRITES: dict[str, frozenset[str]] = {
    "sqs": frozenset({"AddPermission", "CreateQueue", "DeleteQueue", "RemovePermission", "SetQueueAttributes"}),
    "lambda": frozenset({"AddPermission", "RemovePermission", "CreateFunction", "DeleteFunction"}),
    "sns": frozenset({"AddPermission", "CreateTopic", "DeleteTopic", "RemovePermission", "SetTopicAttributes"}),
    "events": frozenset({"CreateEventBus", "DeleteEventBus", "PutPermission", "RemovePermission", "UpdateEventBus"}),
    "kms": frozenset({"CreateKey", "PutKeyPolicy", "CreateAlias", "UpdateAlias", "DeleteAlias"}),
    "s3": frozenset({"CreateBucket", "DeleteBucket", "PutBucketPolicy", "DeleteBucketPolicy", "PutBucketEncryption"}),
    "dynamodb": frozenset({"CreateTable", "DeleteTable", "UpdateTable", "PutResourcePolicy", "DeleteResourcePolicy"}),
    "kinesis": frozenset(
        {"CreateStream", "DeleteStream", "PutResourcePolicy", "StartStreamEncryption", "StopStreamEncryption"}
    ),
    "logs": frozenset({"PutResourcePolicy", "DeleteResourcePolicy"}),
    "cloudformation": frozenset({"CreateStack", "UpdateStack", "DeleteStack", "ExecuteChangeSet"}),
}
_READS = ("Get", "List", "Simulate", "Generate")


def needs(call: Call, *, account: str, key_arn: Callable[[str, str], str | None]) -> tuple[Need, ...]:
    """What ``call`` needs; all of it must be allowed. ``key_arn`` resolves a KMS key id or alias in a region.

    Raises UnmappedError, saying why, if the operation or its resource is not known.
    """
    name = _SIGNING_NAMES.get(call.service, call.service)
    prefix, table = SERVICES.get(name, (name, {}))
    rule = table.get(call.operation)
    if rule is None and name == "dynamodb":
        rule = dynamodb.STREAMS.get(call.operation)
    if rule is None and name == "apigatewaymanagementapi":
        rule = _NO_OPERATIONS.get(call.operation)
    if rule is None:
        raise UnmappedError("the operation is not in its table of IAM actions")
    try:
        return rule(Operation(prefix, call.operation, call.region, account, call.params, key_arn))
    except (KeyError, TypeError, AttributeError) as error:
        raise UnmappedError(f"its parameters do not name the resource ({error!r})") from error


def changes_policies(service: str, operation: str) -> bool:
    """Whether decisions may differ after this call: it writes IAM or a resource's policy."""
    if service == "iam":
        return not operation.startswith(_READS)
    return operation in _POLICY_WRITES.get(service, ())
