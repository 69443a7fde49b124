"""What is in ``<name>-dlq``, ``<name>-backlog-dlq`` and ``<name>-failed``, and looking at it without taking it off."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from durable_ops.queue import SEARCHED, Message, Queue, looking_seconds
from durable_ops.stack import Kind

KEPT_ID = "DurablePipelineMessageId"
"""The attribute under which a message that is sent again keeps its id; the pipeline and the dispatcher read it."""
_LAMBDAS = frozenset({"RequestID", "ErrorCode", "ErrorMessage"})
"""What Lambda adds to an event (https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html#invocation-dlq)."""
_POINTERS = frozenset({"KinesisBatchInfo", "DDBStreamBatchInfo"})
"""What a stream's on-failure destination gets instead (https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html)."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message of a dead-letter queue.

    Attributes:
        kind: In which queue it is.
        id: Its SQS message id there.
        message_ids: Ids of the pipeline's messages in it: of a message its own, or the one it had at first; of an event
            those of its records.
        reason: Why it is there.
        sent: In a standard queue's ``-dlq``, when the message was first sent; otherwise since when it is there
            (SQS Developer Guide, sqs-dead-letter-queues).
        receives: How often SQS says that it was received, looks included.
        group: Message group.
        body: The message, or the event that the function was given.
        attributes: Message attributes, as SQS gives them.
        system: System attributes.
        receipt: Handle of this receive.
    """

    kind: Kind
    id: str
    message_ids: tuple[str, ...]
    reason: str
    sent: datetime
    receives: int
    group: str | None
    body: str
    attributes: Mapping[str, Any]
    system: Mapping[str, str]
    receipt: str

    @classmethod
    def of(cls, kind: Kind, message: Message) -> DeadLetter:
        """From a message as ReceiveMessage returns it."""
        system, attributes = message["Attributes"], message.get("MessageAttributes", {})
        kept = attributes.get(KEPT_ID, {}).get("StringValue")
        if kind is not Kind.FAILED:
            source = system.get("DeadLetterQueueSourceArn", "")
            reason = f"given up by {source.rsplit(':', 1)[-1]}" if source else "sent here by hand"
            ids: tuple[str, ...] = (kept or message["MessageId"],)
        else:
            reason = _why_failed(message["Body"], attributes)
            ids = tuple(dict.fromkeys(_ids(message["Body"])))
        return cls(
            kind,
            message["MessageId"],
            ids,
            reason,
            datetime.fromtimestamp(int(system["SentTimestamp"]) / 1000, UTC),
            int(system.get("ApproximateReceiveCount", 1)),
            system.get("MessageGroupId"),
            message["Body"],
            attributes,
            system,
            message["ReceiptHandle"],
        )

    @property
    def can_be_redriven(self) -> bool:
        """Whether it is what its queue is for: ``<name>-failed`` may have been given to a stream's mapping, too."""
        return self.kind is not Kind.FAILED or self.attributes.keys() >= _LAMBDAS

    def is_one_of(self, ids: Collection[str]) -> bool:
        """Whether an id names it: its own, or of a message in it."""
        return self.id in ids or any(one in ids for one in self.message_ids)

    def shown(self, now: datetime) -> dict[str, Any]:
        """As JSON, without its content."""
        found = {
            "queue": str(self.kind),
            "id": self.id,
            "message_ids": list(self.message_ids),
            "reason": self.reason,
            "redrivable": self.can_be_redriven,
            "sent": self.sent.isoformat(timespec="milliseconds"),
            "age_seconds": max(0, int((now - self.sent).total_seconds())),
            "receives": self.receives,
        }
        return found if self.group is None else found | {"group": self.group}


class Look(NamedTuple):
    """What was found, and of how many that were looked at."""

    letters: list[DeadLetter]
    seen: int


def look(queue: Queue, kind: Kind, limit: int, ids: Collection[str] = ()) -> Look:
    """Up to ``limit`` dead letters, oldest first; with ``ids`` those only. All are given back, none is deleted.

    Of a FIFO group SQS shows ten at most, since it locks the group while they are in hand; of a queue, SEARCHED.
    """
    seen: dict[str, DeadLetter] = {}
    found: dict[str, DeadLetter] = {}
    seconds = looking_seconds(queue.depth().visible if ids else limit)
    try:
        while len(found) < limit and len(seen) < SEARCHED:
            letters = [DeadLetter.of(kind, message) for message in queue.receive(seconds)]
            if all(letter.id in seen for letter in letters):  # none, or what came back since
                break
            seen |= {letter.id: letter for letter in letters}
            found |= {letter.id: letter for letter in letters if not ids or letter.is_one_of(ids)}
            if ids and all(any(letter.is_one_of({one}) for letter in found.values()) for one in ids):
                break
    finally:
        queue.give_back(letter.receipt for letter in seen.values())
    return Look(sorted(found.values(), key=lambda letter: (letter.sent, letter.id))[:limit], len(seen))


def _why_failed(body: str, attributes: Mapping[str, Any]) -> str:
    if attributes.keys() >= _LAMBDAS:
        return str(attributes["ErrorMessage"].get("StringValue", ""))
    try:
        content = json.loads(body)
    except ValueError:
        content = None
    if isinstance(content, dict) and content.keys() & _POINTERS:
        return "a pointer to records of a stream: no event of a function; see stream-redrive"
    return "no event of a function: RequestID, ErrorCode and ErrorMessage, which Lambda adds, are not all there"


def _ids(body: str) -> Iterator[str]:
    """Ids of the messages in an event: ``{"Records": [...]}``, a bare array, or one message."""
    try:
        event = json.loads(body)
    except ValueError:
        return
    records = event.get("Records", [event]) if isinstance(event, dict) else event
    for record in records if isinstance(records, list) else []:
        if not isinstance(record, dict):
            continue
        attributes = record.get("messageAttributes") or {}
        kept = attributes.get(KEPT_ID, {}).get("stringValue") if isinstance(attributes, dict) else None
        found = kept or record.get("messageId") or record.get("eventID")
        if isinstance(found, str):
            yield found
