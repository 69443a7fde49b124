"""A message, its digests and its receipt handles."""

from __future__ import annotations

import base64
import enum
import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from durable_sandbox.services.sqs.errors import invalid_receipt_handle

Attributes = Mapping[str, Mapping[str, Any]]
"""Message attributes by name, each a MessageAttributeValue of botocore's model."""

_random = random.Random()  # noqa: S311 - ids of messages are no secret
_STRING_VALUE = b"\x01"
_BINARY_VALUE = b"\x02"


class State(enum.Enum):
    """Where a message is. GONE: deleted, expired or moved to another queue."""

    DELAYED = enum.auto()
    READY = enum.auto()
    IN_FLIGHT = enum.auto()
    GONE = enum.auto()


@dataclass(slots=True, eq=False)
class Message:
    """One message. Times are epoch seconds.

    ``entered`` is when it came into this queue: when it was sent, or moved here as a dead letter.
    ``receives`` counts this queue's receives and numbers the receipt handles; ``receive_count`` is what clients see,
    which a dead-letter move carries on. ``due`` is when a delayed message appears or an in-flight one returns.
    """

    message_id: str
    body: str
    body_md5: str
    sender_id: str
    size: int
    attributes: Attributes = field(default_factory=dict)
    trace_header: str | None = None
    group_id: str | None = None
    dedup_id: str | None = None
    sequence: int | None = None
    source_arn: str | None = None
    sent: float = 0.0
    entered: float = 0.0
    first_received: float | None = None
    receive_count: int = 0
    receives: int = 0
    received: float = 0.0
    due: float = 0.0
    order: int = 0
    state: State = State.GONE


@dataclass(frozen=True, slots=True)
class Receipt:
    """A parsed receipt handle: the ``number``-th receive of a message in one queue."""

    text: str
    message_id: str
    number: int


def new_message_id() -> str:
    """A random UUID's text. Unique, not secret: os.urandom would cost more than the rest of a send."""
    digits = f"{_random.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def encode_receipt(queue_uid: str, message: Message) -> str:
    """The handle of the message's latest receive."""
    return base64.b64encode(f"{queue_uid} {message.message_id} {message.receives}".encode()).decode()


def parse_receipt(queue_uid: str, text: str) -> Receipt:
    """Parse a handle. Raises AwsError (ReceiptHandleIsInvalid) if this queue cannot have issued it."""
    try:
        uid, message_id, number = base64.b64decode(text, validate=True).decode("ascii").split(" ")
        receipt = Receipt(text, message_id, int(number))
    except ValueError as error:
        raise invalid_receipt_handle(text) from error
    if uid != queue_uid:
        raise invalid_receipt_handle(text)
    return receipt


def text_md5(text: str) -> str:
    """Hex MD5 of UTF-8 text (the API's integrity check, not a security feature)."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _framed(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def attributes_md5(attributes: Attributes) -> str:
    """Hex MD5 of message attributes.

    Algorithm: SQS Developer Guide, sqs-message-metadata "Calculating the MD5 message digest for message attributes".
    """
    digest = hashlib.md5(usedforsecurity=False)
    for name in sorted(attributes):
        value = attributes[name]
        data_type = value["DataType"]
        digest.update(_framed(name.encode()) + _framed(data_type.encode()))
        if data_type.startswith("Binary"):
            digest.update(_BINARY_VALUE + _framed(value["BinaryValue"]))
        else:
            digest.update(_STRING_VALUE + _framed(value["StringValue"].encode()))
    return digest.hexdigest()


def attributes_size(attributes: Attributes) -> int:
    """Bytes that attributes count for: names, types and values."""
    total = 0
    for name, value in attributes.items():
        data_type = value["DataType"]
        content = value["BinaryValue"] if data_type.startswith("Binary") else value["StringValue"].encode()
        total += len(name.encode()) + len(data_type.encode()) + len(content)
    return total
