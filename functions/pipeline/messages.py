"""The shapes in which queue messages and stream records reach the function, made one."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from body import UnreadableRecordError, from_stream_record, from_text
from record import RecordError, is_stream_record, normalise, order_key, sequence_number

# The attribute under which a message that is sent again keeps its id, for SQS gives each sent message an id of its own:
# see docs/guides/operate.md. The dispatcher knows it as well.
KEPT_ID = "DurablePipelineMessageId"
# What a DurableExecutionName may be (botocore model of lambda), since the dispatcher names executions by it.
MESSAGE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class EventError(ValueError):
    """The event is in none of the supported shapes."""


@dataclass(frozen=True)
class Sender:
    """The WebSocket client that sent a message, by the attributes that its API gave the message.

    Attributes:
        connection_id: `connectionId`: the connection over which it came.
        client_id: `clientId`: who the client is on every connection; None if that is not known.
        request_id: `requestId`: of the frame; None if it is not known.
    """

    connection_id: str
    client_id: str | None = None
    request_id: str | None = None


@dataclass(frozen=True)
class Message:
    """One queue message or stream record.

    Attributes:
        message_id: SQS message id, the one that it had at first if it was sent again (`kept_id`), or the stream record's id
            (`record.record_id`).
        position: Place in the event, from 0.
        body: The parsed JSON body, or the body's text where that is not JSON; for DynamoDB, the new image.
        item_identifier: What `batchItemFailures` calls it: SQS message id as delivered, or a stream record's sequence number. For a pipe
            from a stream, the `eventID`
            (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-batching-concurrency.html).
        group: What must run in order: message group on a FIFO queue, or a stream record's key; None on a standard queue,
            also for a fair queue's group.
        sequence: A stream record's sequence number; None for a queue message.
        unreadable: Why a stream record has no body; None if it has one.
        sender: Who sent it; None unless it came over a WebSocket.
    """

    message_id: str
    position: int
    body: Any
    item_identifier: str
    group: str | None = None
    sequence: str | None = None
    unreadable: UnreadableRecordError | None = None
    sender: Sender | None = None


@dataclass(frozen=True)
class Batch:
    """The messages of one event, in its order.

    `takes_failures` is True where the sender waits for the result and takes `batchItemFailures`: behind an event source
    mapping, and behind a pipe from a stream.
    """

    messages: tuple[Message, ...]
    takes_failures: bool

    @property
    def is_stream(self) -> bool:
        """Whether these are stream records, of which a failed one returns with all that are behind it."""
        return any(message.sequence is not None for message in self.messages)

    def lanes(self) -> list[list[Message]]:
        """Group what must run in order: one lane a FIFO group or key, one a message otherwise, by first appearance.

        Keeping the order inside a batch is the handler's duty
        (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html).
        """
        lanes: dict[tuple[str, str | int], list[Message]] = {}
        for message in self.messages:
            key = ("message", message.position) if message.group is None else ("group", message.group)
            lanes.setdefault(key, []).append(message)
        return list(lanes.values())


def parse_event(event: Any) -> Batch:
    """Read an event: `{"Records": [record...]}` (mapping), `[record...]` (pipe) or one `{"messageId", ...}` (dispatcher).

    SQS records are as in https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html; only `messageId`, `body`, `attributes`
    and, of `messageAttributes`, the kept id and what tells the sender are used. For stream records, and the one that the dispatcher makes of them, see `record.normalise`.
    A pipe from a stream waits for the result
    (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes.html#pipes-invocation), unlike a pipe from a queue in
    this library.

    Raises:
        EventError: for any other shape, for a record that lacks what every record has, and for records of several sources.
    """
    if isinstance(event, list):
        messages = _messages(event, from_pipe=True)
        return Batch(messages, takes_failures=any(message.sequence is not None for message in messages))
    if isinstance(event, dict) and isinstance(event.get("Records"), list):
        return Batch(_messages(event["Records"]), takes_failures=True)
    if isinstance(event, dict) and "messageId" in event:
        return Batch(_messages([event]), takes_failures=False)
    received = f"an object with the keys {sorted(event)}" if isinstance(event, dict) else f"a {type(event).__name__}"
    raise EventError(
        f"unsupported event: {received}; expected {{'Records': [...]}} from an event source mapping, "
        "an array of SQS, Kinesis or DynamoDB records from a pipe, or one object with messageId as the dispatcher sends it"
    )


def _messages(records: Sequence[Any], *, from_pipe: bool = False) -> tuple[Message, ...]:
    sources = {record["eventSource"] if is_stream_record(record) else "aws:sqs" for record in records}
    if len(sources) > 1:
        raise EventError(
            f"the event has records of {' and '.join(sorted(sources))}: records are of one source, "
            "since a queue's and a stream's failures are answered differently"
        )
    return tuple(
        _stream_message(record, position, from_pipe=from_pipe)
        if is_stream_record(record)
        else _queue_message(record, position)
        for position, record in enumerate(records)
    )


def _stream_message(record: Any, position: int, *, from_pipe: bool) -> Message:
    try:
        normal = normalise(record)
    except RecordError as error:
        raise EventError(f"record {position}: {error}") from error
    if from_pipe and not record.get("eventID"):
        raise EventError(f"record {position} has no eventID, by which a pipe knows it: an input template must keep it")
    body, unreadable = None, None
    try:
        body = from_stream_record(normal)
    except UnreadableRecordError as error:  # this record's failure, not its neighbours'
        unreadable = error
    sequence = sequence_number(normal)
    return Message(
        normal["messageId"],
        position,
        body,
        item_identifier=record["eventID"] if from_pipe else sequence,
        group=order_key(normal),
        sequence=sequence,
        unreadable=unreadable,
    )


def _queue_message(record: Any, position: int) -> Message:
    fields = record if isinstance(record, dict) else {}
    message_id, body = fields.get("messageId"), fields.get("body")
    if not isinstance(message_id, str) or not message_id or body is None:
        received = f"the keys {sorted(fields)}" if fields else f"a {type(record).__name__}"
        raise EventError(
            f"record {position} is not an SQS message with messageId and body, it has {received}; "
            "an input template of a pipe must keep both"
        )
    attributes = fields.get("attributes") or {}
    # A fair (standard) queue has groups too, but only FIFO has sequence numbers.
    group = attributes.get("MessageGroupId") if "SequenceNumber" in attributes else None
    # An input template may have parsed the body already.
    parsed = from_text(body) if isinstance(body, str) else body
    return Message(
        kept_id(fields) or message_id,
        position,
        parsed,
        item_identifier=message_id,
        group=group,
        sender=_sender(fields),
    )


def kept_id(record: dict[str, Any]) -> str | None:
    """Return the id that a message had before it was sent again; None if it was not, or if that is no id."""
    value = _text_attribute(record, KEPT_ID)
    return value if value is not None and MESSAGE_ID.fullmatch(value) else None


def _sender(record: dict[str, Any]) -> Sender | None:
    connection_id = _text_attribute(record, "connectionId")
    if connection_id is None:
        return None
    return Sender(connection_id, _text_attribute(record, "clientId"), _text_attribute(record, "requestId"))


def _text_attribute(record: dict[str, Any], name: str) -> str | None:
    attribute = (record.get("messageAttributes") or {}).get(name) or {}
    value = attribute.get("stringValue")
    return value if isinstance(value, str) and value else None
