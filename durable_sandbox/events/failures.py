"""What kind of failure an error of a called service is, which decides who tries again and when.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-error-troubleshooting.html, section on retries.
"""

from __future__ import annotations

from enum import Enum

from durable_sandbox.aws.errors import AwsError

_SERVER_ERROR = 500
_TOO_MANY_REQUESTS = 429
_UNSUPPORTED = "UnsupportedOperation"
_INTERNAL_CODES = frozenset(
    {
        "InternalError",
        "InternalException",
        "InternalFailure",
        "InternalServerError",
        "InternalServerException",
        "ServiceException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
    }
)
_THROTTLE_CODES = frozenset(
    {
        "OverLimit",
        "RequestThrottled",
        "RequestThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_MISSING_SOURCE_CODES = frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "NonExistentQueue"})


class Failure(Enum):
    """Kinds of failure."""

    PERMISSION = "permission"
    THROTTLE = "throttle"
    CUSTOMER = "customer"
    INTERNAL = "internal"


def kind_of(error: AwsError) -> Failure:
    """Classify ``error``: denied, throttled, AWS's own fault (5xx), or else the customer's (4xx)."""
    if "AccessDenied" in error.code or error.code == "AuthorizationError":
        return Failure.PERMISSION
    if error.code in _THROTTLE_CODES or error.status == _TOO_MANY_REQUESTS:
        return Failure.THROTTLE
    # What the sandbox lacks will not come by waiting.
    if error.code != _UNSUPPORTED and (error.code in _INTERNAL_CODES or error.status >= _SERVER_ERROR):
        return Failure.INTERNAL
    return Failure.CUSTOMER


def is_missing_queue(error: AwsError) -> bool:
    """Whether ``error`` says that the queue does not exist."""
    return error.code in _MISSING_SOURCE_CODES
