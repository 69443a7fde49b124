"""Queue messages that are to be posted, and which of them must stay in order."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


class NoConnectionError(ValueError):
    """A message does not name the connection that it is for."""


@dataclass(frozen=True)
class Message:
    """One record of an SQS event (https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html).

    Attributes:
        message_id: SQS message id.
        connection_id: Attribute `connectionId`; None without it.
        client_id: Attribute `clientId`; None without it.
        text: The body.
        group: Message group on a FIFO queue; None on a standard queue, also for a fair queue's group.
    """

    message_id: str
    connection_id: str | None
    client_id: str | None
    text: str
    group: str | None

    @classmethod
    def of(cls, record: dict[str, Any]) -> "Message":
        """Read one of an event's `Records`."""
        attributes = record.get("attributes") or {}
        return cls(
            record["messageId"],
            _text_attribute(record, "connectionId"),
            _text_attribute(record, "clientId"),
            record["body"],
            # Only FIFO has sequence numbers.
            attributes.get("MessageGroupId") if "SequenceNumber" in attributes else None,
        )

    def require_connection_id(self) -> str:
        """Return the connection to post to.

        Raises:
            NoConnectionError: if the message names none; it can never be posted.
        """
        if self.connection_id is None:
            raise NoConnectionError("it has no attribute connectionId (String), which names the connection to post to")
        return self.connection_id


def lanes(messages: Iterable[Message]) -> list[list[Message]]:
    """Group what must be posted in order: one lane a FIFO group, or a connection on a standard queue."""
    found: dict[tuple[str, str | None], list[Message]] = {}
    for message in messages:
        key = ("connection", message.connection_id) if message.group is None else ("group", message.group)
        found.setdefault(key, []).append(message)
    return list(found.values())


def _text_attribute(record: dict[str, Any], name: str) -> str | None:
    attribute = (record.get("messageAttributes") or {}).get(name) or {}
    return attribute.get("stringValue") or None
