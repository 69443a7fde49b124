"""One order of records: the batches of a shard, or with a parallelization factor of a share of its keys, one by one."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from durable_sandbox.events.pipe_calls import backoff_seconds
from durable_sandbox.events.streams.aging import LaneAge
from durable_sandbox.events.streams.batches import Batch, Outcome, Result, Splitting, Verdict, judge
from durable_sandbox.events.streams.records import StreamRecord
from durable_sandbox.events.streams.spec import UNLIMITED

LOG = logging.getLogger(__name__)

PAYLOAD_BYTES = 6 * 1024 * 1024
"""A synchronous invocation takes no more, the envelope of the records included."""

RETRIES_EXHAUSTED = "RetryAttemptsExhausted"
TOO_OLD = "RecordAgeExceeded"
_FRAME_BYTES = 512


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A batch that is tried no more. ``condition``: RETRIES_EXHAUSTED or TOO_OLD.

    ``outcome`` is its last try; None if its age ended it. ``window``: what its event held besides the records, in a tumbling window.
    """

    shard_id: str
    batch: Batch
    condition: str
    outcome: Outcome | None
    window: Mapping[str, Any] | None = None


class Target(Protocol):
    """Where batches go. Neither method raises AwsError."""

    async def deliver(
        self, shard_id: str, records: Sequence[StreamRecord], window: Mapping[str, Any] | None = None
    ) -> Outcome:
        """Try a batch once. ``window``: what the event of a tumbling window holds besides its records."""
        ...

    async def give_up(self, given_up: GivenUp) -> None:
        """Tell the failure destination, if there is one."""
        ...


@dataclass(frozen=True, slots=True)
class LaneRules:
    """What the mapping says of batches. Times in seconds; ``maximum_retries`` and ``maximum_age`` may be UNLIMITED."""

    batch_size: int
    batching_window: float
    maximum_retries: int
    maximum_age: float
    splitting: Splitting
    scaled: Callable[[float], float]
    """Seconds that AWS would wait -> seconds that the sandbox waits."""


class Lane:
    """Processes records in the order in which they are added, from ``start`` to ``stop``."""

    def __init__(self, shard_id: str, rules: LaneRules, target: Target, age: LaneAge) -> None:
        self._shard_id = shard_id
        self._rules = rules
        self._target = target
        self._age = age
        self._queue: deque[StreamRecord] = deque()
        self._queued_bytes = 0
        self._changed = asyncio.Event()
        self._current: deque[Batch] = deque()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self.busy = False
        """Whether a batch is being tried now."""
        self.idle = asyncio.Event()
        """Set while the lane has nothing left."""
        self.idle.set()

    @property
    def waiting(self) -> tuple[int, int]:
        """Records that were added and are not done, and their bytes."""
        trying = [record for batch in self._current for record in batch.records]
        return len(self._queue) + len(trying), self._queued_bytes + sum(record.size for record in trying)

    def add(self, records: Iterable[StreamRecord]) -> None:
        """Append ``records``, in the order of their shard; from the event loop alone."""
        for record in records:
            self._queue.append(record)
            self._queued_bytes += record.size
            self.idle.clear()
        self._changed.set()

    def restore(self, batches: Iterable[Batch]) -> None:
        """Go on with what another lane had begun: the batches of its ``stop``. Before ``start``."""
        self._current.extend(batches)
        if self._current:
            self.idle.clear()

    def start(self) -> None:
        """Begin, in a task of the running event loop; once."""
        self._task = asyncio.create_task(self._run(), name=f"lane-{self._shard_id}")

    async def stop(self) -> tuple[list[Batch], list[StreamRecord]]:
        """Let the try that is running end. Returns what is left, in order: batches begun, and records in none yet."""
        self._stopping = True
        if self._task is not None:
            if not self.busy:
                self._task.cancel()
            await asyncio.wait({self._task})
        return list(self._current), list(self._queue)

    async def abort(self) -> None:
        """End now, in the middle of a try if there is one; what is left is not handed back."""
        self._stopping = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    # --- inside -------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        failures = 0
        while not self._stopping:
            if not self._current:
                self._current.append(Batch(await self._collect()))
            try:
                verdict = await self._step()
            except Exception:
                # Only the telling of what is given up comes here, and that is not given up: the batch is tried again.
                LOG.exception("shard %s: a batch could not be given up", self._shard_id)
                verdict = Verdict(waits=True)
            failures = failures + 1 if verdict.waits else 0
            if self._has_nothing():
                self._age.forget()
                self.idle.set()
            if verdict.waits and not self._stopping:
                await self._back_off(failures, ages=verdict.ages)

    def _has_nothing(self) -> bool:
        return not self._current and not self._queue

    async def _collect(self) -> tuple[StreamRecord, ...]:
        """The next batch: what is there, or what comes within the window, up to the batch size and 6 MB."""
        loop, closes_at = asyncio.get_running_loop(), None
        while True:
            self._changed.clear()
            if self._queue and closes_at is None:
                closes_at = loop.time() + self._rules.batching_window
            if closes_at is not None and (self._is_full() or loop.time() >= closes_at):
                return self._take()
            try:
                async with asyncio.timeout_at(closes_at):
                    await self._changed.wait()
            except TimeoutError:
                return self._take()

    def _is_full(self) -> bool:
        return len(self._queue) >= self._rules.batch_size or self._queued_bytes + _FRAME_BYTES >= PAYLOAD_BYTES

    def _take(self) -> tuple[StreamRecord, ...]:
        taken: list[StreamRecord] = []
        size = _FRAME_BYTES
        while self._queue and len(taken) < self._rules.batch_size:
            head = self._queue[0]
            size += head.size
            if taken and (size > PAYLOAD_BYTES or not self._goes_with(taken[0], head)):
                break
            taken.append(self._queue.popleft())
            self._queued_bytes -= head.size
        return tuple(taken)

    def _goes_with(self, first: StreamRecord, record: StreamRecord) -> bool:  # noqa: ARG002 - for windows to override
        """Whether ``record`` may be in the batch that begins with ``first``."""
        return True

    async def _try(self, batch: Batch) -> Outcome:
        """Try ``batch``; a fault of the sandbox is a failed try, so that it ends as one."""
        try:
            return await self._deliver(batch)
        except Exception:
            LOG.exception("shard %s: a try failed unexpectedly", self._shard_id)
            return Outcome(Result.FAILED)

    async def _deliver(self, batch: Batch) -> Outcome:
        return await self._target.deliver(self._shard_id, batch.records)

    def _judge(self, batch: Batch, outcome: Outcome) -> Verdict:
        return judge(batch, outcome, maximum_retries=self._rules.maximum_retries, splitting=self._rules.splitting)

    async def _step(self) -> Verdict:
        """Try the first batch once, or give up what is too old of it."""
        batch = self._current[0]
        old = self._expired(batch)
        self.busy = True
        try:
            if old:
                await self._give_up(Batch(batch.records[:old], max(1, batch.tries)), TOO_OLD, None)
                self._replace(Batch(batch.records[old:], batch.tries) if old < len(batch.records) else None)
                return Verdict()
            outcome = await self._try(batch)
            verdict = self._judge(batch, outcome)
            if verdict.given_up is not None:
                await self._give_up(verdict.given_up, RETRIES_EXHAUSTED, outcome)
            self._replace(*verdict.rest)
            return verdict
        finally:
            self.busy = False

    def _replace(self, *batches: Batch | None) -> None:
        self._current.popleft()
        self._current.extendleft(batch for batch in reversed(batches) if batch is not None)

    def _expired(self, batch: Batch) -> int:
        """How many records at the head of ``batch`` are too old; they arrived in order."""
        if self._rules.maximum_age == UNLIMITED:
            return 0
        old = 0
        for record in batch.records:
            if self._age.of(record.arrived) <= self._rules.maximum_age:
                break
            old += 1
        return old

    async def _give_up(self, batch: Batch, condition: str, outcome: Outcome | None) -> None:
        await self._target.give_up(GivenUp(self._shard_id, batch, condition, outcome, self._window_of(batch)))

    def _window_of(self, batch: Batch) -> Mapping[str, Any] | None:  # noqa: ARG002 - for windows to override
        return None

    async def _back_off(self, failures: int, *, ages: bool) -> None:
        modelled = backoff_seconds(failures)
        pause = self._rules.scaled(modelled)
        await asyncio.sleep(pause)
        if ages:
            self._age.skip(modelled - pause)
