"""A refusal as AWS words it.

Texts: IAM User Guide troubleshoot_access-denied. Codes and spellings of single services are from errors that they
returned in public: SQS says AccessDenied and writes the action in lower case, SNS says AuthorizationError and writes
``SNS:``, S3 quotes the resource, JSON services answer 400.
"""

from __future__ import annotations

from durable_sandbox.aws.errors import AwsError
from durable_sandbox.iam.actions import Need
from durable_sandbox.iam.evaluator import Decision, PolicyType
from durable_sandbox.iam.model import Principal

_FORBIDDEN = 403
_BAD_REQUEST = 400

_CODES: dict[str, tuple[str, int]] = {
    "sqs": ("AccessDenied", _FORBIDDEN),
    "sns": ("AuthorizationError", _FORBIDDEN),
    "lambda": ("AccessDeniedException", _FORBIDDEN),
    "pipes": ("AccessDeniedException", _FORBIDDEN),
    "apigatewaymanagementapi": ("AccessDeniedException", _FORBIDDEN),
    "execute-api": ("AccessDeniedException", _FORBIDDEN),
    "xray": ("AccessDeniedException", _FORBIDDEN),
    "s3": ("AccessDenied", _FORBIDDEN),
    "sts": ("AccessDenied", _FORBIDDEN),
    "iam": ("AccessDenied", _FORBIDDEN),
    "cloudwatch": ("AccessDenied", _FORBIDDEN),
    "monitoring": ("AccessDenied", _FORBIDDEN),
    "cloudformation": ("AccessDenied", _FORBIDDEN),
}
_OTHERS = ("AccessDeniedException", _BAD_REQUEST)
"""dynamodb, kinesis, events, logs, kms: JSON protocols, in which a client error is 400."""

# A service that uses the caller's key reports the refusal of KMS in its own error shape (botocore models).
_KEY_CODES: dict[str, tuple[str, int]] = {
    "sqs": ("KmsAccessDenied", _BAD_REQUEST),
    "sns": ("KMSAccessDenied", _BAD_REQUEST),
    "kinesis": ("KMSAccessDeniedException", _BAD_REQUEST),
}


def denial(service: str, principal: Principal, need: Need, decision: Decision) -> AwsError:
    """The error, to be raised, of ``service`` (``sqs``, ``lambda``) for a refused ``need``; code and status are the service's."""
    code, status = _CODES.get(service, _OTHERS)
    if need.action.startswith("kms:") and service in _KEY_CODES:
        code, status = _KEY_CODES[service]
    return AwsError(code, text(principal, need, decision), status=status)


def cannot_decide(service: str, principal: Principal, operation: str, why: str) -> AwsError:
    """The error, to be raised, for a call that the sandbox cannot judge; ``why`` goes into its message.

    Not AWS's words, so that nobody looks for a policy.
    """
    code, status = _CODES.get(service, _OTHERS)
    message = (
        f"The sandbox cannot tell whether {principal.arn} may call {service}:{operation}: {why}. "
        "Calls by a role need a rule in durable_sandbox/iam; run with --no-iam to skip authorisation."
    )
    return AwsError(code, message, status=status)


def text(principal: Principal, need: Need, decision: Decision) -> str:
    """AWS's message for a refusal: who, which action, on what, and the kind of policy that denies or lacks it."""
    action = _spelt(need.action)
    resource = f'"{need.resource}"' if action.startswith("s3:") else need.resource
    asked = f"User: {principal.arn} is not authorized to perform: {action} on resource: {resource}"
    policy_type = decision.policy_type or PolicyType.IDENTITY
    if decision.explicit:
        return f"{asked} with an explicit deny in {_article(policy_type)} {policy_type.value}"
    return f"{asked} because no {policy_type.value} allows the {action} action"


def _article(policy_type: PolicyType) -> str:
    if policy_type is PolicyType.TRUST:
        return "the"
    return "an" if policy_type is PolicyType.IDENTITY else "a"


def _spelt(action: str) -> str:
    prefix, _, name = action.partition(":")
    if prefix == "sqs":
        return action.lower()
    return f"SNS:{name}" if prefix == "sns" else action
