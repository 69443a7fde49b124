"""The three shapes in which a queue message reaches the function, made one."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn


class EventError(ValueError):
    """The event is in none of the supported shapes."""


@dataclass(frozen=True)
class Message:
    """One queue message.

    Attributes:
        message_id: SQS message id.
        position: Place in the event, from 0.
        body: The parsed JSON body, or the body's text where that is not JSON.
        group: Message group on a FIFO queue, whose order is to be kept; None on a standard queue, also for a fair
            queue's group.
    """

    message_id: str
    position: int
    body: Any
    group: str | None = None


@dataclass(frozen=True)
class Batch:
    """The messages of one event, in its order.

    `from_mapping` is True behind an event source mapping, which waits for the result and takes `batchItemFailures`.
    """

    messages: tuple[Message, ...]
    from_mapping: bool

    def lanes(self) -> list[list[Message]]:
        """Group what must run in order: one lane a FIFO group, one a message otherwise, by first appearance.

        Keeping a group's order inside a batch is the handler's duty
        (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html).
        """
        lanes: dict[tuple[str, str | int], list[Message]] = {}
        for message in self.messages:
            key = ("message", message.position) if message.group is None else ("group", message.group)
            lanes.setdefault(key, []).append(message)
        return list(lanes.values())


def parse_event(event: Any) -> Batch:
    """Read an event: `{"Records": [record...]}` (mapping), `[record...]` (pipe) or one `{"messageId", "body"}`.

    Records are as in https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html; only `messageId`, `body` and
    `attributes` are used.

    Raises:
        EventError: for any other shape, and for a record without message id or body.
    """
    if isinstance(event, list):
        return Batch(_messages(event), from_mapping=False)
    if isinstance(event, dict) and isinstance(event.get("Records"), list):
        return Batch(_messages(event["Records"]), from_mapping=True)
    if isinstance(event, dict) and "messageId" in event:
        return Batch(_messages([event]), from_mapping=False)
    received = f"an object with the keys {sorted(event)}" if isinstance(event, dict) else f"a {type(event).__name__}"
    raise EventError(
        f"unsupported event: {received}; expected {{'Records': [...]}} from an event source mapping, "
        "an array of SQS records from a pipe, or one object with messageId and body"
    )


def _messages(records: Sequence[Any]) -> tuple[Message, ...]:
    return tuple(_message(record, position) for position, record in enumerate(records))


def _message(record: Any, position: int) -> Message:
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
    return Message(message_id, position, _parse_body(body), group)


def _parse_body(body: Any) -> Any:
    """Parse a text body as strict JSON; what is not JSON stays text, for `validate` to name."""
    if not isinstance(body, str):  # an input template has parsed it already
        return body
    try:
        return json.loads(body, parse_constant=_not_json, parse_float=_finite)
    except (ValueError, RecursionError):
        return body


def _not_json(constant: str) -> NoReturn:
    # Python reads and writes NaN and Infinity; the step functions' JSON has neither.
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} is out of range")
    return number
