"""Tumbling windows: batches of one stretch of time each, with a state that is carried from one to the next.

Source: https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html. A record belongs to the window of its
arrival. The window's last invocation has no records; if it fails, the shard waits until it succeeds. A state above 1 MB
ends its window early, and the next invocation goes on in the same window with a fresh one.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from durable_sandbox.aws.arns import Arn
from durable_sandbox.events.streams.aging import LaneAge
from durable_sandbox.events.streams.batches import Batch, Outcome, Result, Verdict
from durable_sandbox.events.streams.lane import Lane, LaneRules, Target
from durable_sandbox.events.streams.records import StreamRecord

STATE_BYTES = 1024 * 1024
# A record reaches the poller up to a poll after it arrived.
_LATE_S = 1.5


@dataclass(slots=True)
class OpenWindow:
    """A window with its state. ``start``: epoch seconds."""

    start: int
    state: Any = field(default_factory=dict)
    ends_early: bool = False


class TumblingLane(Lane):
    """A lane whose batches keep to windows of ``size_s`` seconds. ``window``: the one that a lane before it left open."""

    def __init__(
        self,
        shard_id: str,
        rules: LaneRules,
        target: Target,
        age: LaneAge,
        *,
        source: Arn,
        size_s: int,
        window: OpenWindow | None = None,
    ) -> None:
        super().__init__(shard_id, rules, target, age)
        self._source = source
        self._size_s = size_s
        self.window = window
        if window is not None:
            self.idle.clear()

    def _has_nothing(self) -> bool:
        return super()._has_nothing() and self.window is None

    async def _collect(self) -> tuple[StreamRecord, ...]:
        """The next batch of a window, or nothing: the window is over."""
        while True:
            self._changed.clear()
            if self._is_over():
                return ()
            if self._queue:
                return await super()._collect()
            closes_in = None if self.window is None else self.window.start + self._size_s + _LATE_S - time.time()
            try:
                async with asyncio.timeout(closes_in):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _is_over(self) -> bool:
        if self.window is None:
            return False
        if self.window.ends_early:
            return True
        if self._queue:
            return self._start_of(self._queue[0]) != self.window.start
        return time.time() >= self.window.start + self._size_s + _LATE_S

    def _start_of(self, record: StreamRecord) -> int:
        return int(record.arrived) // self._size_s * self._size_s

    def _goes_with(self, first: StreamRecord, record: StreamRecord) -> bool:
        return self._start_of(first) == self._start_of(record)

    async def _deliver(self, batch: Batch) -> Outcome:
        if batch.records and self.window is None:
            self.window = OpenWindow(self._start_of(batch.records[0]))
        window = self.window
        assert window is not None  # noqa: S101 - without records there is one to close
        outcome = await self._target.deliver(self._shard_id, batch.records, self._context(window, batch))
        if outcome.result in (Result.HANDLED, Result.PARTIAL):
            self._advance(window, batch, outcome)
        return outcome

    def _advance(self, window: OpenWindow, batch: Batch, outcome: Outcome) -> None:
        if batch.records:
            window.state = outcome.state
            window.ends_early = len(json.dumps(outcome.state).encode()) > STATE_BYTES
        elif window.ends_early:
            self.window = OpenWindow(window.start)
        else:
            self.window = None

    def _judge(self, batch: Batch, outcome: Outcome) -> Verdict:
        if batch.records:
            return super()._judge(batch, outcome)
        closed = outcome.result in (Result.HANDLED, Result.PARTIAL)
        return Verdict() if closed else Verdict(rest=(batch,), waits=True, ages=True)

    def _window_of(self, batch: Batch) -> dict[str, Any] | None:
        return None if self.window is None else self._context(self.window, batch)

    def _context(self, window: OpenWindow, batch: Batch) -> dict[str, Any]:
        final = not batch.records
        return {
            "window": {"start": _utc(window.start), "end": _utc(window.start + self._size_s)},
            "state": window.state,
            "shardId": self._shard_id,
            "eventSourceARN": str(self._source),
            "isFinalInvokeForWindow": final and not window.ends_early,
            "isWindowTerminatedEarly": final and window.ends_early,
        }


def _utc(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
