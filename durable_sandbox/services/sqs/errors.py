"""Errors of SQS, with AWS's texts. Codes: botocore model of sqs, and AWS's replies where the model names no shape."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from durable_sandbox.aws.errors import AwsError

_LEGACY = "AWS.SimpleQueueService."

QUERY_ERROR_CODES: Mapping[str, str] = MappingProxyType(
    {
        "QueueDoesNotExist": f"{_LEGACY}NonExistentQueue",
        "QueueNameExists": "QueueAlreadyExists",
        **{
            name: _LEGACY + name
            for name in (
                "BatchEntryIdsNotDistinct",
                "BatchRequestTooLong",
                "EmptyBatchRequest",
                "InvalidBatchEntryId",
                "MessageNotInflight",
                "PurgeQueueInProgress",
                "QueueDeletedRecently",
                "TooManyEntriesInBatchRequest",
                "UnsupportedOperation",
            )
        },
    }
)
"""Shape name -> the older query protocol's code, which AWS sends in ``x-amzn-query-error`` and in batch results.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html; shapes not listed keep their name.
"""


def query_code(code: str) -> str:
    """The code that a client of a query-compatible service sees for ``code``."""
    return QUERY_ERROR_CODES.get(code, code)


def queue_does_not_exist() -> AwsError:
    """No such queue in this region."""
    return AwsError("QueueDoesNotExist", "The specified queue does not exist.")


def invalid_parameter(message: str) -> AwsError:
    """A parameter's value is refused."""
    return AwsError("InvalidParameterValue", message)


def invalid_value(parameter: str, value: object, reason: str) -> AwsError:
    """A parameter's value is refused, in AWS's usual wording."""
    return invalid_parameter(f"Value {value} for parameter {parameter} is invalid. Reason: {reason}")


def missing_parameter(parameter: str) -> AwsError:
    """A parameter that this queue type needs is absent or empty."""
    return AwsError("MissingParameter", f"The request must contain the parameter {parameter}.")


def unknown_attribute(name: str) -> AwsError:
    """No such attribute, or not one of this queue type."""
    return AwsError("InvalidAttributeName", f"Unknown Attribute {name}.")


def invalid_attribute(name: str) -> AwsError:
    """An attribute's value is out of its range."""
    return AwsError("InvalidAttributeValue", f"Invalid value for the parameter {name}.")


def invalid_receipt_handle(handle: str) -> AwsError:
    """The text is not a receipt handle of this queue."""
    return AwsError("ReceiptHandleIsInvalid", f'The input receipt handle "{handle}" is not a valid receipt handle.')


def receipt_handle_expired(handle: str) -> AwsError:
    """FIFO: the message is no longer in flight under this handle."""
    return invalid_value("ReceiptHandle", handle, "The receipt handle has expired.")


def not_available_for_change(handle: str) -> AwsError:
    """The message is gone, or has been received again since."""
    return invalid_value(
        "ReceiptHandle", handle, "Message does not exist or is not available for visibility timeout change."
    )


def message_not_in_flight() -> AwsError:
    """The message is visible again."""
    return AwsError("MessageNotInflight", "The message referred to isn't in flight.")


def resource_not_found(message: str) -> AwsError:
    """A queue or task named by ARN or handle does not exist."""
    return AwsError("ResourceNotFoundException", message, status=404)
