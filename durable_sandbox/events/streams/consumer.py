"""A stream as a mapping or a pipe consumes it: which shards, and when each may begin.

A shard that came from a split or a merge begins when all that came before is done, so that the order by key outlives
resharding. Sources: https://docs.aws.amazon.com/streams/latest/dev/kinesis-using-sdk-java-after-resharding.html and
https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html (starting positions).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from durable_sandbox.aws.clock import TimePolicy
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.events.mapping_calls import Problems
from durable_sandbox.events.pipe_calls import backoff_seconds
from durable_sandbox.events.streams.batches import Splitting
from durable_sandbox.events.streams.lane import LaneRules, Target
from durable_sandbox.events.streams.reader import LATEST, TRIM_HORIZON, Position, Shard, StreamReader
from durable_sandbox.events.streams.shard import ShardConsumer, ShardEvents, ShardProgress
from durable_sandbox.events.streams.spec import UNLIMITED, StartingPosition, StreamSpec

LOG = logging.getLogger(__name__)

# How soon a shard is noticed that comes of itself; AWS does not say. Those that come of others are looked for at their end.
_DISCOVERY_S = 600.0


class StreamConsumer:
    """Consumes a stream from ``start`` to ``stop``, as often as wanted; positions outlive the pauses between."""

    def __init__(
        self,
        time: TimePolicy,
        problems: Problems,
        *,
        polled: Callable[[int], None],
        filtered_out: Callable[[int], None],
    ) -> None:
        self._time = time
        self._problems = problems
        self._events = ShardEvents(polled, filtered_out, self._look_again)
        self._progress: dict[str, ShardProgress] = {}
        self._running: dict[str, ShardConsumer] = {}
        self._first_start: datetime | None = None
        self._listed_once = False
        self._again = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def busy(self) -> int:
        """Batches that are being tried now."""
        return sum(shard.busy for shard in self._running.values())

    @property
    def shards(self) -> int:
        """Shards that are being read or have records left."""
        return len(self._running)

    def start(self, spec: StreamSpec, reader: StreamReader, target: Target) -> None:
        """Consume as ``spec`` says."""
        assert self._task is None, "stop first"  # noqa: S101 - a second consumer would double every record
        if self._first_start is None:
            self._first_start = datetime.now(UTC)
        self._task = asyncio.create_task(self._discover(spec, reader, target), name=f"stream-{spec.source.resource}")

    async def stop(self) -> None:
        """Read no more, let the tries that are running end and keep what is not done."""
        await self._stop_discovering()
        await asyncio.gather(*(shard.stop() for shard in self._running.values()))
        self._running.clear()

    async def abort(self) -> None:
        """End now."""
        await self._stop_discovering()
        await asyncio.gather(*(shard.abort() for shard in self._running.values()))
        self._running.clear()

    # --- inside -------------------------------------------------------------------------------------------------

    def _look_again(self) -> None:
        self._again.set()

    async def _stop_discovering(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def _discover(self, spec: StreamSpec, reader: StreamReader, target: Target) -> None:
        failures, rules = 0, None
        while True:
            self._again.clear()
            try:
                await self._retire()
                if rules is None:
                    rules = self._rules(spec, await reader.retention_s())
                self._begin(spec, await reader.shards(), reader, rules, target)
            except Exception as error:  # noqa: BLE001 - discovery must not die unseen
                failures += 1
                self._explain(spec, error)
                await asyncio.sleep(self._time.scaled(backoff_seconds(failures)))
                continue
            failures = 0
            self._problems.solved("list")
            try:
                async with asyncio.timeout(self._time.scaled(_DISCOVERY_S)):
                    await self._again.wait()
            except TimeoutError:
                continue

    def _explain(self, spec: StreamSpec, error: Exception) -> None:
        if isinstance(error, AwsError):
            why = f"{error.code}: {error.message}"
        else:
            LOG.error("listing the shards of %s failed unexpectedly", spec.stream, exc_info=error)
            why = f"Internal error of the sandbox: {type(error).__name__}: {error}"
        self._problems.note("list", f"Cannot list the shards of {spec.stream}: {why}")

    def _begin(
        self, spec: StreamSpec, shards: Sequence[Shard], reader: StreamReader, rules: LaneRules, target: Target
    ) -> None:
        """Start every shard that is not running, not finished, and whose parents are."""
        self._forget({shard.shard_id for shard in shards})
        for shard in shards:
            self._progress.setdefault(shard.shard_id, ShardProgress(shard.shard_id, self._first_position(spec, shard)))
        self._listed_once = True
        for shard in shards:
            progress = self._progress[shard.shard_id]
            if shard.shard_id in self._running or progress.finished or not self._may_begin(shard):
                continue
            consumer = ShardConsumer(
                progress,
                spec,
                rules,
                reader.reader(shard.shard_id),
                target,
                pause_s=reader.pause_s,
                problems=self._problems,
                events=self._events,
            )
            self._running[shard.shard_id] = consumer
            consumer.start()

    async def _retire(self) -> None:
        """End the work on shards that were read to their end."""
        for shard_id, running in list(self._running.items()):
            if running.progress.finished and running.drained:
                await running.stop()
                del self._running[shard_id]

    def _forget(self, listed: set[str]) -> None:
        """Shards that the stream itself has forgotten; one that is being worked on ends when it cannot be read."""
        for shard_id in self._progress.keys() - listed:
            if shard_id in self._running:
                self._progress[shard_id].forgotten = True
            else:
                del self._progress[shard_id]

    def _may_begin(self, shard: Shard) -> bool:
        parents = [self._progress[parent] for parent in shard.parents if parent in self._progress]
        return all(parent.finished and parent.shard_id not in self._running for parent in parents)

    def _first_position(self, spec: StreamSpec, shard: Shard) -> Position | None:
        """Where to begin with a shard; None: not at all. Shards found later are new and read from their beginning."""
        if self._listed_once or spec.starting_position is StartingPosition.TRIM_HORIZON:
            return TRIM_HORIZON
        if spec.starting_position is StartingPosition.AT_TIMESTAMP:
            return Position("AT_TIMESTAMP", timestamp=spec.starting_timestamp)
        if shard.closed:
            return None
        # Kinesis: by the time of the start, so that nothing falls between the start and the first read.
        return Position("AT_TIMESTAMP", timestamp=self._first_start) if spec.is_kinesis else LATEST

    def _rules(self, spec: StreamSpec, retention_s: float) -> LaneRules:
        return LaneRules(
            batch_size=spec.batch_size,
            batching_window=spec.batching_window,
            maximum_retries=spec.maximum_retries,
            maximum_age=retention_s if spec.maximum_age == UNLIMITED else spec.maximum_age,
            splitting=Splitting(on_error=spec.bisect, halve_partial=spec.halve_partial),
            scaled=self._time.scaled,
        )
