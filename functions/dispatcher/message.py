"""A queue message or stream record as the durable function gets it: the same bytes at each delivery."""

import re
from dataclasses import dataclass
from typing import Any

from record import Record, canonical_json, is_stream_record, normalise, order_key, sequence_number

# An asynchronous invocation takes 1 MB: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_PAYLOAD_BYTES = 1_048_576

# What SQS sets once, when the message is sent. The rest of a record belongs to one receive of it (receipt handle, receive
# count, time of the first receive, the queue it came from), and would make a redelivery a different payload: Lambda
# refuses that under the name of a known execution. A redrive from a dead-letter queue changes sent timestamp and sequence
# number. SQS's own changes the message id as well, and so the name; with a kept id the name is known, if it was started.
STABLE_ATTRIBUTES = ("MessageDeduplicationId", "MessageGroupId", "SentTimestamp", "SequenceNumber")

# The attribute under which a message that is sent again keeps its id, for SQS gives each sent message an id of its own:
# see docs/guides/operate.md. The pipeline knows it as well.
KEPT_ID = "DurablePipelineMessageId"
# What a DurableExecutionName may be (botocore model of lambda).
MESSAGE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class PayloadTooLargeError(ValueError):
    """The message and its envelope exceed what an asynchronous invocation takes."""


@dataclass(frozen=True)
class Message:
    """One queue message or stream record.

    Attributes:
        message_id: The name of its execution: SQS message id, the one that it had at first if it was sent again
            (`kept_id`), or the stream record's id.
        item_identifier: What `batchItemFailures` calls it: SQS message id as delivered, or sequence number.
        group: What must start in order: message group on a FIFO queue, or a stream record's key; None on a standard queue,
            also for a fair queue's group.
        content: What stays the same at each delivery.
        is_stream: Whether it is a stream record.
        log: What tells a delivery from another in the log.
    """

    message_id: str
    item_identifier: str
    group: str | None
    content: Record
    is_stream: bool
    log: dict[str, Any]


def from_record(record: Record) -> Message:
    """Read one of an event's `Records`.

    A queue's (https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html) becomes `{"messageId", "body", "attributes",
    "messageAttributes"}`, a stream's its normal form (`record.normalise`).

    Raises:
        RecordError: for a stream record that is none.
    """
    if not is_stream_record(record):
        return _queue_message(record)
    content = normalise(record)
    sequence = sequence_number(content)
    return Message(
        content["messageId"],
        sequence,
        order_key(content),
        content,
        is_stream=True,
        log={"message_id": content["messageId"], "stream": content["eventSourceARN"]},
    )


def _queue_message(record: Record) -> Message:
    delivered_id, attributes = record["messageId"], record["attributes"]
    message_id = kept_id(record) or delivered_id
    content = {
        "messageId": message_id,
        "body": record["body"],
        "attributes": {name: attributes[name] for name in STABLE_ATTRIBUTES if name in attributes},
        "messageAttributes": record.get("messageAttributes", {}),
    }
    # A fair (standard) queue has groups too, but only FIFO has sequence numbers.
    group = attributes["MessageGroupId"] if "SequenceNumber" in attributes else None
    log = {"message_id": message_id, "receive_count": attributes.get("ApproximateReceiveCount")}
    return Message(message_id, delivered_id, group, content, is_stream=False, log=log)


def kept_id(record: Record) -> str | None:
    """Return the id that a message had before it was sent again; None if it was not, or if that is no id."""
    attribute = record.get("messageAttributes", {}).get(KEPT_ID, {})
    value = attribute.get("stringValue")
    return value if isinstance(value, str) and MESSAGE_ID.fullmatch(value) else None


def to_payload(message: Message) -> bytes:
    """Return the message's content as JSON in UTF-8, sorted and without spaces.

    Raises:
        PayloadTooLargeError: above 1,048,576 bytes. A queue message's body is text inside JSON, where each quote and line
            end counts twice; Kinesis' data is base64, four bytes for three.
    """
    payload = canonical_json(message.content).encode()
    if len(payload) > MAX_PAYLOAD_BYTES:
        advice = (
            "or let the stream's mapping start the durable function itself"
            if message.is_stream
            else "or lower the queue's max_message_size"
        )
        raise PayloadTooLargeError(
            f"the payload takes {len(payload)} bytes, an asynchronous invocation takes {MAX_PAYLOAD_BYTES}: "
            f"send a reference to the data instead, {advice}"
        )
    return payload
