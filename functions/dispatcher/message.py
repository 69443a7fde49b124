"""A queue message as the durable function gets it: the same bytes at each delivery."""

import json
from typing import Any

# An asynchronous invocation takes 1 MB: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_PAYLOAD_BYTES = 1_048_576

# What SQS sets once, when the message is sent. The rest of a record belongs to one receive of it (receipt handle, receive
# count, time of the first receive, the queue it came from), and would make a redelivery a different payload: Lambda
# refuses that under the name of a known execution. A redrive from a dead-letter queue changes sent timestamp and sequence
# number, but the message id as well, and so the name.
STABLE_ATTRIBUTES = ("MessageDeduplicationId", "MessageGroupId", "SentTimestamp", "SequenceNumber")


class PayloadTooLargeError(ValueError):
    """The message and its envelope exceed what an asynchronous invocation takes."""


def to_payload(record: dict[str, Any]) -> bytes:
    """Return `{"messageId", "body", "attributes", "messageAttributes"}` as JSON in UTF-8, sorted and without spaces.

    Args:
        record: One of an event's `Records`: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html

    Raises:
        PayloadTooLargeError: above 1,048,576 bytes. The body is text inside JSON, where each quote and line end counts
            twice.
    """
    attributes = record["attributes"]
    message = {
        "messageId": record["messageId"],
        "body": record["body"],
        "attributes": {name: attributes[name] for name in STABLE_ATTRIBUTES if name in attributes},
        "messageAttributes": record.get("messageAttributes", {}),
    }
    # Not as ASCII: that would make up to six bytes of one character.
    payload = json.dumps(message, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise PayloadTooLargeError(
            f"the payload takes {len(payload)} bytes, an asynchronous invocation takes {MAX_PAYLOAD_BYTES}: "
            "send a reference to the data instead, or lower the queue's max_message_size"
        )
    return payload


def group(record: dict[str, Any]) -> str | None:
    """Return the FIFO group, whose order is to be kept; None on a standard queue, also for a fair queue's group."""
    attributes = record["attributes"]
    # Only FIFO has sequence numbers.
    return attributes["MessageGroupId"] if "SequenceNumber" in attributes else None
