"""What a call needs on the customer managed key of an encrypted resource: the service asks KMS as the caller.

Sources: SQS Developer Guide sqs-key-management (producers GenerateDataKey and Decrypt, consumers Decrypt), SNS Developer
Guide sns-key-management, Kinesis Developer Guide permissions-user-key-KMS, S3 User Guide UsingKMSEncryption, DynamoDB
Developer Guide encryption.usagenotes. The request carries ``kms:ViaService``: KMS Developer Guide conditions-kms.
"""

from __future__ import annotations

from durable_sandbox.iam.actions import Need

_READ = ("kms:Decrypt",)
_WRITE = ("kms:GenerateDataKey", "kms:Decrypt")

KEY_USES: dict[str, tuple[str, ...]] = {
    "sqs:SendMessage": _WRITE,
    "sqs:ReceiveMessage": _READ,
    "sns:Publish": _WRITE,
    "kinesis:PutRecord": ("kms:GenerateDataKey",),
    "kinesis:PutRecords": ("kms:GenerateDataKey",),
    "kinesis:GetRecords": _READ,
    "s3:PutObject": ("kms:GenerateDataKey",),
    "s3:GetObject": _READ,
    "s3:GetObjectVersion": _READ,
    **dict.fromkeys(
        (
            f"dynamodb:{action}"
            for action in (
                "BatchGetItem",
                "BatchWriteItem",
                "ConditionCheckItem",
                "DeleteItem",
                "GetItem",
                "GetRecords",
                "PutItem",
                "Query",
                "Scan",
                "UpdateItem",
            )
        ),
        _READ,
    ),
}


def key_needs(need: Need, key_arn: str, region: str) -> tuple[Need, ...]:
    """What ``need`` asks of the key that encrypts its resource."""
    service = need.action.partition(":")[0]
    context = {"kms:viaservice": (f"{service}.{region}.amazonaws.com",)}
    return tuple(Need(action, key_arn, context) for action in KEY_USES.get(need.action, ()))
