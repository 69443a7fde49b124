"""A FIFO queue: groups in order, one batch of a group in flight at a time, deduplication for five minutes.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace

from durable_sandbox.services.sqs.errors import invalid_parameter, receipt_handle_expired
from durable_sandbox.services.sqs.message import Message, Receipt, State
from durable_sandbox.services.sqs.queue import IN_FLIGHT_LIMIT, Lane, MessageQueue, QueueSettings

DEDUPLICATION_WINDOW = 300.0
_FIRST_SEQUENCE = 18_850_000_000_000_000_000
_SEQUENCE_STEP = 256

DedupKey = tuple[str | None, str]


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A receive that its caller may repeat: each message with the number and end of that receive."""

    until: float
    handed_out: tuple[tuple[Message, int, float], ...]


class FifoQueue(MessageQueue):
    """See the module. Sequence numbers have 20 digits and gaps, as AWS's do."""

    def __init__(self, arn: str, uid: str, settings: QueueSettings, now: Callable[[], float]) -> None:
        super().__init__(arn, uid, settings, now)
        self._sequences = itertools.count(_FIRST_SEQUENCE, _SEQUENCE_STEP)
        self._seen: dict[DedupKey, tuple[float, str, int]] = {}

    def purge(self) -> None:
        """Drop every message. What was seen for deduplication stays seen."""
        super().purge()
        self._attempts: dict[str, _Attempt] = {}

    def configure(self, settings: QueueSettings) -> None:
        """Apply changed attributes. On FIFO queues a new delay holds for messages already sent, too."""
        previous, self.settings = self.settings, settings
        if previous.delay != settings.delay:
            for message in [m for m in self._messages.values() if m.state is State.DELAYED]:
                self._schedule(message, message.sent + settings.delay)
            self.advance()

    def send(self, message: Message, delay: int | None = None) -> Message:
        """Enqueue, or return the message that this one duplicates. Needs ``group_id``.

        Raises AwsError (InvalidParameterValue) without ``dedup_id`` unless the content stands for it.
        """
        now = self._now()
        if message.dedup_id is None:
            if not self.settings.content_based_dedup:
                raise invalid_parameter(
                    "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided "
                    "explicitly"
                )
            message.dedup_id = hashlib.sha256(message.body.encode()).hexdigest()
        self._forget_seen(now)
        key = (message.group_id if self.settings.dedup_by_group else None, message.dedup_id)
        known = self._seen.get(key)
        if known is not None:
            return replace(message, message_id=known[1], sequence=known[2])
        message.sequence = next(self._sequences)
        self._seen[key] = (now + DEDUPLICATION_WINDOW, message.message_id, message.sequence)
        return super().send(message, delay)

    def adopt(self, message: Message, source_arn: str) -> Message:
        """Take a dead letter: sent now, deduplication id the original message id."""
        adopted = replace(
            message,
            source_arn=source_arn,
            receives=0,
            sent=self._now(),
            dedup_id=message.message_id,
            sequence=next(self._sequences),
        )
        self._enqueue(adopted, 0)
        return adopted

    def restore(self, message: Message) -> Message:
        """Enqueue a message that a move task brings, without deduplication: a move must lose nothing."""
        message.sequence = next(self._sequences)
        return super().send(message, 0)

    def repeat(self, attempt_id: str, visibility: int | None) -> list[Message] | None:
        """The messages that ``attempt_id`` received, hidden anew, unless one was deleted or changed since."""
        now = self.advance()
        while self._attempts and (first := next(iter(self._attempts))) and self._attempts[first].until <= now:
            del self._attempts[first]
        attempt = self._attempts.get(attempt_id)
        if attempt is None or any(
            m.state is not State.IN_FLIGHT or m.receives != number or m.due != due
            for m, number, due in attempt.handed_out
        ):
            return None
        messages = [m for m, _, _ in attempt.handed_out]
        for message in messages:
            self._schedule(message, now + (self.settings.visibility_timeout if visibility is None else visibility))
        # The window counts from the first attempt, hence the same end; the dict keeps its order.
        self._attempts[attempt_id] = _Attempt(attempt.until, tuple((m, m.receives, m.due) for m in messages))
        return messages

    def remember(self, attempt_id: str, messages: list[Message]) -> None:
        """Make a receive repeatable for five minutes."""
        self._attempts.pop(attempt_id, None)
        self._attempts[attempt_id] = _Attempt(
            self._now() + DEDUPLICATION_WINDOW, tuple((m, m.receives, m.due) for m in messages)
        )

    def delete(self, receipt: Receipt) -> bool:
        """Delete the message. Raises AwsError (InvalidParameterValue) if it is not in flight under this handle."""
        self.advance()
        message = self._messages.get(receipt.message_id)
        if message is None:
            return False
        if message.state is not State.IN_FLIGHT or message.receives != receipt.number:
            raise receipt_handle_expired(receipt.text)
        self._remove(message)
        return True

    def _forget_seen(self, now: float) -> None:
        while self._seen:
            key = next(iter(self._seen))
            if self._seen[key][0] > now:
                return
            del self._seen[key]

    def _room(self, limit: int) -> int:
        return max(0, min(limit, IN_FLIGHT_LIMIT - self.in_flight))

    def _may_open(self, lane: Lane) -> bool:
        return bool(lane.ready) and lane.in_flight == 0

    def _stay(self, lane: Lane) -> bool:
        return bool(lane.ready)

    def _order(self, message: Message) -> int:
        return message.sequence or 0

    def _is_poison(self, message: Message) -> bool:  # noqa: ARG002 - a message that fails keeps its place
        return False

    def _is_noisy(self, lane: Lane) -> bool:  # noqa: ARG002 - a group is one consumer's at a time: nothing to be fair about
        return False
