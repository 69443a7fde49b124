"""Receiving for a mapping: long polling, filtering, and batches by size, window and 6 MB.

Rules: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html and .../invocation-eventfiltering.html.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from durable_sandbox.aws.errors import AwsError
from durable_sandbox.events.mapping_calls import Problems
from durable_sandbox.events.sqs_mapping_calls import QueueCalls
from durable_sandbox.events.sqs_mapping_spec import MappingCounts, SqsMappingSpec
from durable_sandbox.events.sqs_records import RECEIVE_EVERYTHING, sqs_record

SYNC_PAYLOAD_BYTES = 6 * 1024 * 1024
_FRAME_BYTES = len('{"Records":[]}')
_LONG_POLL_S = 20
_RECEIVE_MAXIMUM = 10
# A queue that answers "empty" at once instead of holding the long poll must not make the loop spin.
_EMPTY_PAUSE_S = 0.05
_VISIBILITY_REFRESH_S = 5.0
# A queue whose timeout was set to 0 later hides nothing; its messages still get their attempt.
_SHORTEST_HOLD_S = 1.0
# Lambda then hides messages for window + timeout + 30 s instead of the queue's shorter timeout (services-sqs-configure).
_WINDOW_MARGIN_S = 30

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Received:
    """A record, its size in the event (bytes, with the comma), and when it is visible again (loop time)."""

    record: Record
    size: int
    deadline: float


class Receiver:
    """Fills batches. ``discard`` has the records deleted that the filter excludes."""

    def __init__(
        self,
        calls: QueueCalls,
        counts: MappingCounts,
        problems: Problems,
        discard: Callable[[SqsMappingSpec, Sequence[Record]], None],
    ) -> None:
        self._calls = calls
        self._counts = counts
        self._problems = problems
        self._discard = discard
        self._batch: list[Received] = []
        self._ready: deque[Received] = deque()
        self._failures = 0
        self._visibility_s = 0.0
        self._visibility_known_until = 0.0

    async def collect(self, spec: SqsMappingSpec) -> None:
        """Return when there is a batch to take: BatchSize records, 6 MB, or the window over.

        May be cancelled at any time; what was received stays, for ``take``.
        """
        loop = asyncio.get_running_loop()
        closes_at: float | None = None
        while True:
            self._fill(spec)
            if len(self._batch) >= spec.batch_size or (self._batch and self._ready):
                return
            if self._batch:
                closes_at = loop.time() + spec.batching_window if closes_at is None else closes_at
                if loop.time() >= closes_at:
                    return
            wanted = min(_RECEIVE_MAXIMUM, spec.batch_size - len(self._batch))
            await self._receive(spec, wanted, None if closes_at is None else closes_at - loop.time())

    def take(self, spec: SqsMappingSpec) -> list[Received]:
        """The batch; after a cancelled ``collect`` also what it left behind, batch by batch, then nothing."""
        self._fill(spec)
        batch, self._batch = self._batch, []
        return batch

    def forget_queue(self) -> None:
        """The mapping starts anew: ask for the queue's visibility timeout before the next receive."""
        self._visibility_known_until = 0.0
        self._failures = 0

    def _fill(self, spec: SqsMappingSpec) -> None:
        """Move records to the batch as far as count and 6 MB allow, at least one; expired ones are SQS's again."""
        now = asyncio.get_running_loop().time()
        size = _FRAME_BYTES + sum(received.size for received in self._batch)
        while self._ready and len(self._batch) < spec.batch_size:
            if self._ready[0].deadline <= now:
                self._ready.popleft()
                continue
            size += self._ready[0].size
            if self._batch and size > SYNC_PAYLOAD_BYTES:
                return
            self._batch.append(self._ready.popleft())

    async def _receive(self, spec: SqsMappingSpec, maximum: int, seconds: float | None) -> None:
        """One ReceiveMessage, given up after ``seconds``; SQS hands nothing to a receiver that was given up."""
        task = asyncio.create_task(self._receive_once(spec, maximum))
        try:
            await asyncio.wait({task}, timeout=None if seconds is None else max(0.0, seconds))
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task})
        if not task.cancelled():
            task.result()

    async def _receive_once(self, spec: SqsMappingSpec, maximum: int) -> None:
        loop = asyncio.get_running_loop()
        try:
            visibility_s, parameter = await self._visibility(spec)
            asked_at = loop.time()
            params = {"MaxNumberOfMessages": maximum, "WaitTimeSeconds": _LONG_POLL_S, **parameter}
            answer = await self._calls.queue(spec.queue, "ReceiveMessage", {**params, **RECEIVE_EVERYTHING})
        except AwsError as error:
            self._failures += 1
            self._problems.note("poll", f"Cannot receive from {spec.queue}: {error.code}: {error.message}")
            self._visibility_known_until = 0.0
            await asyncio.sleep(self._calls.pause_after(self._failures))
            return
        self._failures = 0
        self._problems.solved("poll")
        messages = answer.get("Messages") or []
        # No await until all are stored: a cancelled task must not lose what it was given.
        self._counts.polled += len(messages)
        records = [sqs_record(message, str(spec.queue), spec.queue.region) for message in messages]
        self._sort(spec, records, loop.time() + max(_SHORTEST_HOLD_S, visibility_s))
        if not messages and loop.time() - asked_at < _EMPTY_PAUSE_S:
            await asyncio.sleep(_EMPTY_PAUSE_S)

    def _sort(self, spec: SqsMappingSpec, records: Sequence[Record], deadline: float) -> None:
        excluded = []
        for record in records:
            if spec.record_filter.accepts(record):
                self._ready.append(Received(record, _size(record), deadline))
            else:
                excluded.append(record)
        if excluded:
            self._counts.filtered_out += len(excluded)
            self._discard(spec, excluded)

    async def _visibility(self, spec: SqsMappingSpec) -> tuple[float, dict[str, int]]:
        """How long messages stay hidden (seconds), and ReceiveMessage's parameter if that is not the queue's own."""
        loop = asyncio.get_running_loop()
        if loop.time() >= self._visibility_known_until:
            wanted = {"AttributeNames": ["VisibilityTimeout"]}
            answer = await self._calls.queue(spec.queue, "GetQueueAttributes", wanted)
            self._visibility_s = float(answer["Attributes"]["VisibilityTimeout"])
            self._visibility_known_until = loop.time() + _VISIBILITY_REFRESH_S
        needed = spec.batching_window + self._calls.function().timeout
        if spec.batching_window and needed > self._visibility_s:
            return needed + _WINDOW_MARGIN_S, {"VisibilityTimeout": needed + _WINDOW_MARGIN_S}
        return self._visibility_s, {}


def _size(record: Record) -> int:
    return len(json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()) + 1
