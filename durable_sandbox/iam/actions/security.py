"""AWS KMS, AWS STS, and the telemetry actions that Lambda roles carry (X-Ray, CloudWatch metrics).

Sources: Service Authorization Reference list_awskeymanagementservice, list_awssecuritytokenservice, list_awsx-ray,
list_amazoncloudwatch; KMS Developer Guide kms-alias (permission is on the key, whatever names it).
"""

from __future__ import annotations

from durable_sandbox.iam.actions.rules import (
    Need,
    Operation,
    Rule,
    Table,
    UnmappedError,
    anything,
    each,
    nothing,
    on,
)

_KEY_ID_LENGTH = 36


def key(operation: Operation, parameter: str = "KeyId") -> str:
    """The key's ARN. A ciphertext without KeyId begins with the key's id, as moto writes it."""
    named = operation.params.get(parameter)
    if not named:
        blob = operation.params.get("CiphertextBlob", b"")
        named = bytes(blob[:_KEY_ID_LENGTH]).decode("ascii", "replace")
    return operation.key_arn(str(named), operation.region) or operation.arn(f"key/{named}")


def _re_encrypt(operation: Operation) -> tuple[Need, ...]:
    return (
        Need("kms:ReEncryptFrom", key(operation, "SourceKeyId")),
        Need("kms:ReEncryptTo", key(operation, "DestinationKeyId")),
    )


KMS: Table = {
    **each(
        "CancelKeyDeletion CreateGrant Decrypt DescribeKey DisableKey DisableKeyRotation EnableKey EnableKeyRotation "
        "Encrypt GenerateDataKey GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext "
        "GenerateDataKeyWithoutPlaintext GenerateMac GetKeyPolicy GetKeyRotationStatus GetPublicKey ListGrants "
        "ListKeyPolicies ListResourceTags PutKeyPolicy ScheduleKeyDeletion Sign TagResource UntagResource "
        "UpdateKeyDescription Verify VerifyMac",
        on(key),
    ),
    "ReEncrypt": _re_encrypt,
    **each("CreateKey GenerateRandom ListAliases ListKeys", on(anything)),
}


def _assume_role(operation: Operation) -> tuple[Need, ...]:
    context = {
        f"sts:{name.lower()}": (str(operation.params[name]),) if operation.params.get(name) else ()
        for name in ("ExternalId", "RoleSessionName")
    }
    return (Need("sts:AssumeRole", operation.text("RoleArn"), context),)


def _assume_by_token(_operation: Operation) -> tuple[Need, ...]:
    raise UnmappedError("the sandbox has no federated identities")


STS: Table = {
    "GetCallerIdentity": nothing,  # STS API reference: "No permissions are required to perform this operation."
    "GetSessionToken": nothing,
    "AssumeRole": _assume_role,
    **each("DecodeAuthorizationMessage GetAccessKeyInfo", on(anything)),
    **each("AssumeRoleWithSAML AssumeRoleWithWebIdentity", _assume_by_token),
}

XRAY: Table = each(
    "GetSamplingRules GetSamplingStatisticSummaries GetSamplingTargets PutTelemetryRecords PutTraceSegments",
    on(anything),
)


def _put_metrics(operation: Operation) -> tuple[Need, ...]:
    return (Need("cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": (operation.text("Namespace"),)}),)


_metrics: Rule = on(anything)
CLOUDWATCH: Table = {
    "PutMetricData": _put_metrics,
    **each("GetMetricData GetMetricStatistics ListMetrics", _metrics),
}
