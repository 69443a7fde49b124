"""A standard queue as a data structure: no asyncio, no AWS names, every call O(log n).

Messages wait in lanes, one a message group (no group is a lane of its own). ``_open`` holds the lanes that may be
served, by the order of their head. One timer heap holds delayed and in-flight messages; one age heap serves
retention. Heap entries that a later change made stale are dropped when they surface, and a heap that is mostly stale is
rebuilt, so memory follows the live messages.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace

from durable_sandbox.aws.errors import AwsError
from durable_sandbox.services.sqs.errors import invalid_value, message_not_in_flight, not_available_for_change
from durable_sandbox.services.sqs.faults import MissedDeletes
from durable_sandbox.services.sqs.message import Message, Receipt, State

IN_FLIGHT_LIMIT = 120_000
MAX_VISIBILITY = 43_200
_NOISY_IN_FLIGHT = 30
_NOISY_SHARE = 10
_STALE_SLACK = 1024
_POISON_RECEIVES = 3


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """What the structure needs of the queue's attributes. Times in seconds; ``max_receives`` None: no redrive."""

    visibility_timeout: int = 30
    delay: int = 0
    retention: int = 345_600
    max_receives: int | None = None
    content_based_dedup: bool = False
    dedup_by_group: bool = False


class Lane:
    """The ready messages of one group as a heap of (order, message), and how many are in flight."""

    __slots__ = ("in_flight", "key", "open", "ready")

    def __init__(self, key: str | None) -> None:
        self.key = key
        self.ready: list[tuple[int, Message]] = []
        self.in_flight = 0
        self.open = False


class MessageQueue:
    """A standard queue. ``now`` returns epoch seconds; ``uid`` marks its receipt handles."""

    def __init__(self, arn: str, uid: str, settings: QueueSettings, now: Callable[[], float]) -> None:
        self.arn = arn
        self.uid = uid
        self.settings = settings
        self._now = now
        self._ticks = itertools.count(1)
        self.faults: MissedDeletes | None = None
        self.purge()

    def purge(self) -> None:
        """Drop every message, whatever its state."""
        self._messages: dict[str, Message] = {}
        self._lanes: dict[str | None, Lane] = {}
        self._open: list[tuple[int, Lane]] = []
        self._noisy: list[Lane] = []
        self._timers: list[tuple[float, int, Message]] = []
        self._ages: list[tuple[float, int, Message]] = []
        self._stale_ready = 0
        self.visible = 0
        self.in_flight = 0
        self.delayed = 0

    def configure(self, settings: QueueSettings) -> None:
        """Apply changed attributes. A new delay leaves messages already sent alone (SQS Developer Guide)."""
        self.settings = settings

    def __len__(self) -> int:
        return len(self._messages)

    def oldest(self) -> float:
        """Seconds since the oldest message came here, 0 if there is none.

        One received three times counts no more: it went behind the others. A dead letter counts from its move. Source:
        ApproximateAgeOfOldestMessage in the SQS Developer Guide, sqs-available-cloudwatch-metrics.
        """
        now = self.advance()
        entered = (m.entered for m in self._messages.values() if not self._is_poison(m))
        return max(0.0, now - next(entered, now))

    def groups_in_flight(self) -> int:
        """Message groups of which a message is in flight."""
        return sum(lane.in_flight > 0 for lane in self._lanes.values())

    def send(self, message: Message, delay: int | None = None) -> Message:
        """Enqueue and return the stored message. ``delay`` in seconds overrides the queue's."""
        message.sent = self._now()
        if self.faults is not None:
            self.faults.note_send(message.message_id)
        self._enqueue(message, self.settings.delay if delay is None else delay)
        return message

    def adopt(self, message: Message, source_arn: str) -> Message:
        """Take a dead letter from ``source_arn``: same id and sent time, so that retention counts from the first send."""
        adopted = replace(message, source_arn=source_arn, receives=0)
        self._enqueue(adopted, 0)
        return adopted

    def receive(
        self, limit: int, visibility: int | None = None, dead_letters: MessageQueue | None = None
    ) -> list[Message]:
        """Hand out up to ``limit`` messages; those received ``max_receives`` times already move to ``dead_letters``.

        Without ``dead_letters`` a message over its limit is delivered, never dropped. Raises AwsError (OverLimit).
        """
        now = self.advance()
        batch: list[Message] = []
        room = self._room(limit)
        due = now + (self.settings.visibility_timeout if visibility is None else visibility)
        self._recall_quiet()
        while len(batch) < room and (lane := self._next_lane()) is not None:
            while len(batch) < room and (message := self._pop(lane)) is not None:
                if dead_letters is not None and self._spent(message):
                    self._drop(message)
                    dead_letters.adopt(message, self.arn)
                else:
                    self._hand_out(message, lane, now, due)
                    batch.append(message)
                if not self._stay(lane):
                    break
            self._settle(lane)
        return batch

    def withdraw(self) -> Message | None:
        """Remove and return the next ready message, for a move task."""
        self.advance()
        while (lane := self._next_lane()) is not None:
            message = self._pop(lane)
            if message is not None:
                self._drop(message)
            self._settle(lane)
            if message is not None:
                return message
        return None

    def restore(self, message: Message) -> Message:
        """Enqueue a message that a move task brings, sent now."""
        return self.send(message, 0)

    def put_back(self, message: Message) -> None:
        """Undo ``withdraw``."""
        self._enqueue(message, 0)

    def delete(self, receipt: Receipt) -> bool:
        """Delete the message if the handle is that of its latest receive; else nothing happens, as on AWS."""
        self.advance()
        message = self._messages.get(receipt.message_id)
        if message is None or message.receives != receipt.number:
            return False
        if self.faults is not None and self.faults.misses(message.message_id):
            if message.state is State.IN_FLIGHT:
                self._show(message)
        else:
            self._remove(message)
        return True

    def change_visibility(self, receipt: Receipt, timeout: int) -> None:
        """Hide the message for ``timeout`` seconds from now; 0 shows it at once.

        Raises AwsError: InvalidParameterValue (no such receive, or over 12 hours in all), MessageNotInflight.
        """
        now = self.advance()
        message = self._messages.get(receipt.message_id)
        if message is None or message.receives != receipt.number:
            raise not_available_for_change(receipt.text)
        if message.state is not State.IN_FLIGHT:
            raise message_not_in_flight()
        if now + timeout > message.received + MAX_VISIBILITY:
            raise invalid_value(
                "VisibilityTimeout",
                timeout,
                f"Total VisibilityTimeout for the message is beyond the limit [{MAX_VISIBILITY} seconds].",
            )
        if timeout == 0:
            self._show(message)
        else:
            self._schedule(message, now + timeout)

    def advance(self) -> float:
        """Apply everything that time has done: delays over, visibility over, retention over. Returns the time."""
        now = self._now()
        timers = self._timers
        while timers and timers[0][0] <= now:
            due, _, message = heapq.heappop(timers)
            if message.due == due and message.state in (State.IN_FLIGHT, State.DELAYED):
                self._show(message)
        oldest = now - self.settings.retention
        while self._ages and (self._ages[0][2].state is State.GONE or self._ages[0][0] <= oldest):
            message = heapq.heappop(self._ages)[2]
            if message.state is not State.GONE:
                self._remove(message)
        return now

    def next_due(self) -> float | None:
        """When the next hidden message appears (epoch seconds), if any is hidden."""
        timers = self._timers
        while timers:
            due, _, message = timers[0]
            if message.due == due and message.state in (State.IN_FLIGHT, State.DELAYED):
                return due
            heapq.heappop(timers)
        return None

    # Differences of FIFO queues

    def _room(self, limit: int) -> int:
        if self.in_flight >= IN_FLIGHT_LIMIT:
            raise AwsError("OverLimit", f"The maximum number of in flight messages is reached: {IN_FLIGHT_LIMIT}.")
        return min(limit, IN_FLIGHT_LIMIT - self.in_flight)

    def _may_open(self, lane: Lane) -> bool:
        return bool(lane.ready)

    def _stay(self, lane: Lane) -> bool:
        """Whether the next message comes from this lane too: the oldest first over all lanes."""
        if not lane.ready or self._is_noisy(lane):
            return False
        return not self._open or lane.ready[0][0] < self._open[0][0]

    def _order(self, message: Message) -> int:  # noqa: ARG002 - FIFO queues order by the message
        # A message that comes back goes behind those waiting, so that one failing message cannot hold up the rest.
        return next(self._ticks)

    def _is_poison(self, message: Message) -> bool:
        return message.receives >= _POISON_RECEIVES

    # Fair queues: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues-detailed.html

    def _is_noisy(self, lane: Lane) -> bool:
        return (
            lane.key is not None
            and lane.in_flight >= _NOISY_IN_FLIGHT
            and lane.in_flight * _NOISY_SHARE > self.in_flight
        )

    def _recall_quiet(self) -> None:
        """Put lanes set aside as noisy back in line once quiet.

        At most nine lanes stay: each has more than a tenth of all messages in flight.
        """
        if not self._noisy:
            return
        lanes, self._noisy = self._noisy, []
        for lane in lanes:
            if lane.ready and self._is_noisy(lane):
                self._noisy.append(lane)
            elif lane.ready:
                heapq.heappush(self._open, (lane.ready[0][0], lane))
            else:
                self._close(lane)

    def _next_lane(self) -> Lane | None:
        """Take the next lane out of line: quiet ones first, then of the noisy ones that with the fewest in flight."""
        while self._open:
            lane = heapq.heappop(self._open)[1]
            if not self._is_noisy(lane):
                lane.open = False
                return lane
            self._noisy.append(lane)
        if not self._noisy:
            return None
        lane = min(self._noisy, key=lambda lane: lane.in_flight if lane.ready else -1)
        self._noisy.remove(lane)
        lane.open = False
        return lane

    # Transitions

    def _enqueue(self, message: Message, delay: float) -> None:
        self._messages[message.message_id] = message
        message.entered = self._now()
        heapq.heappush(self._ages, (message.sent, next(self._ticks), message))
        if delay > 0:
            message.state = State.DELAYED
            self.delayed += 1
            self._schedule(message, self._now() + delay)
        else:
            self._put_ready(message)

    def _put_ready(self, message: Message) -> None:
        message.state = State.READY
        message.order = self._order(message)
        self.visible += 1
        lane = self._lanes.get(message.group_id)
        if lane is None:
            lane = self._lanes[message.group_id] = Lane(message.group_id)
        heapq.heappush(lane.ready, (message.order, message))
        self._settle(lane)

    def _settle(self, lane: Lane) -> None:
        """Put a lane in line if it may be served; forget it if it is empty."""
        if lane.open:
            return
        if self._may_open(lane):
            lane.open = True
            heapq.heappush(self._open, (lane.ready[0][0], lane))
        else:
            self._close(lane)

    def _close(self, lane: Lane) -> None:
        lane.open = False
        if not lane.ready and not lane.in_flight:
            self._lanes.pop(lane.key, None)

    def _pop(self, lane: Lane) -> Message | None:
        while lane.ready:
            message = heapq.heappop(lane.ready)[1]
            if message.state is State.READY:
                self.visible -= 1
                return message
            self._stale_ready -= 1
        return None

    def _spent(self, message: Message) -> bool:
        limit = self.settings.max_receives
        return limit is not None and message.receives >= limit

    def _hand_out(self, message: Message, lane: Lane, now: float, due: float) -> None:
        message.state = State.IN_FLIGHT
        message.received = now
        message.receives += 1
        message.receive_count += 1
        if message.first_received is None:
            message.first_received = now
        lane.in_flight += 1
        self.in_flight += 1
        self._schedule(message, due)

    def _schedule(self, message: Message, due: float) -> None:
        message.due = due
        heapq.heappush(self._timers, (due, next(self._ticks), message))
        if len(self._timers) > 2 * (self.in_flight + self.delayed) + _STALE_SLACK:
            self._timers = [
                entry
                for entry in self._timers
                if entry[2].due == entry[0] and entry[2].state in (State.IN_FLIGHT, State.DELAYED)
            ]
            heapq.heapify(self._timers)

    def _show(self, message: Message) -> None:
        self._leave(message)
        self._put_ready(message)

    def _leave(self, message: Message) -> None:
        """Undo the counts of a hidden message."""
        if message.state is State.DELAYED:
            self.delayed -= 1
        elif message.state is State.IN_FLIGHT:
            self.in_flight -= 1
            self._lanes[message.group_id].in_flight -= 1

    def _remove(self, message: Message) -> None:
        """Delete or expire a message in any state."""
        state = message.state
        if state is State.READY:
            self.visible -= 1
            self._stale_ready += 1
        else:
            self._leave(message)
        self._drop(message)
        if state is State.IN_FLIGHT:
            self._settle(self._lanes[message.group_id])
        if self._stale_ready > self.visible + _STALE_SLACK:
            self._rebuild_lanes()

    def _drop(self, message: Message) -> None:
        """Forget a message that is in no count any more."""
        message.state = State.GONE
        del self._messages[message.message_id]
        if len(self._ages) > 2 * len(self._messages) + _STALE_SLACK:
            self._ages = [entry for entry in self._ages if entry[2].state is not State.GONE]
            heapq.heapify(self._ages)

    def _rebuild_lanes(self) -> None:
        self._stale_ready = 0
        self._open.clear()
        self._noisy.clear()
        for lane in list(self._lanes.values()):
            lane.ready = [entry for entry in lane.ready if entry[1].state is State.READY]
            heapq.heapify(lane.ready)
            lane.open = False
            self._settle(lane)
