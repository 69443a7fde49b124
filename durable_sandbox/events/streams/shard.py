"""One shard: read from its position on, its records handed to the lanes of their keys."""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from durable_sandbox.aws.errors import AwsError
from durable_sandbox.events.failures import Failure, kind_of
from durable_sandbox.events.mapping_calls import Problems
from durable_sandbox.events.pipe_calls import backoff_seconds
from durable_sandbox.events.streams.aging import LaneAge
from durable_sandbox.events.streams.batches import Batch
from durable_sandbox.events.streams.lane import Lane, LaneRules, Target
from durable_sandbox.events.streams.reader import Position, ShardReader
from durable_sandbox.events.streams.records import StreamRecord, passes
from durable_sandbox.events.streams.spec import StreamSpec
from durable_sandbox.events.streams.tumbling import OpenWindow, TumblingLane

LOG = logging.getLogger(__name__)

_PAGE = 10_000
# GetRecords takes five calls a second a shard: https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
_BETWEEN_PAGES_S = 0.2
# Read ahead of the lanes: one in trouble must not fill the memory, nor stop the others at once.
_READ_AHEAD_BATCHES = 20
_READ_AHEAD_BYTES = 64 * 1024 * 1024
_GONE = "ResourceNotFoundException"


@dataclass(slots=True)
class ShardProgress:
    """Where a shard is; outlives pauses. ``position`` None: read to its end.

    ``begun``: batches with the tries that they had, by lane; ``backlog``: records that no batch has yet. ``forgotten``: the
    stream lists the shard no more.
    """

    shard_id: str
    position: Position | None
    backlog: list[StreamRecord] = field(default_factory=list)
    begun: dict[int, list[Batch]] = field(default_factory=dict)
    windows: dict[int, OpenWindow] = field(default_factory=dict)
    ages: dict[int, LaneAge] = field(default_factory=dict)
    forgotten: bool = False

    @property
    def finished(self) -> bool:
        """Whether every record was dealt with."""
        return self.position is None and not self.backlog and not self.begun and not self.windows


@dataclass(frozen=True, slots=True)
class ShardEvents:
    """What a shard tells: records polled, records filtered out, and that it is finished."""

    polled: Callable[[int], None]
    filtered_out: Callable[[int], None]
    finished: Callable[[], None]


class ShardConsumer:
    """Works on one shard from ``start`` to ``stop``."""

    def __init__(
        self,
        progress: ShardProgress,
        spec: StreamSpec,
        rules: LaneRules,
        reader: ShardReader,
        target: Target,
        *,
        pause_s: float,
        problems: Problems,
        events: ShardEvents,
    ) -> None:
        self.progress = progress
        self._spec = spec
        self._rules = rules
        self._reader = reader
        self._target = target
        self._pause_s = pause_s
        self._problems = problems
        self._events = events
        self._lanes = [self._lane(index) for index in range(spec.parallelization_factor)]
        self._read_ahead = max(_PAGE, _READ_AHEAD_BATCHES * spec.batch_size * spec.parallelization_factor)
        self._task: asyncio.Task[None] | None = None

    @property
    def busy(self) -> int:
        """Batches that are being tried now."""
        return sum(lane.busy for lane in self._lanes)

    @property
    def drained(self) -> bool:
        """Whether the lanes have nothing left."""
        return all(lane.idle.is_set() for lane in self._lanes)

    def start(self) -> None:
        """Begin with what a pause left."""
        progress = self.progress
        begun, progress.begun = progress.begun, {}
        backlog, progress.backlog = progress.backlog, []
        progress.windows = {}
        if self._still_belong(begun):
            for index, batches in begun.items():
                self._lanes[index].restore(batches)
        else:  # other lanes than before: their tries begin anew
            left = [record for batches in begun.values() for batch in batches for record in batch.records]
            backlog = sorted([*left, *backlog], key=lambda record: record.sequence)
        self._spread(backlog)
        for lane in self._lanes:
            lane.start()
        self._task = asyncio.create_task(self._run(), name=f"shard-{self.progress.shard_id}")

    async def stop(self) -> None:
        """Read no more and let the tries that are running end; what is not done waits in ``progress``."""
        await self._stop_reading()
        left = await asyncio.gather(*(lane.stop() for lane in self._lanes))
        queued = (record for _, records in left for record in records)
        self.progress.backlog = sorted(queued, key=lambda record: record.sequence)
        begun = {index: [batch for batch in batches if batch.records] for index, (batches, _) in enumerate(left)}
        self.progress.begun = {index: batches for index, batches in begun.items() if batches}
        self.progress.windows = {
            index: lane.window
            for index, lane in enumerate(self._lanes)
            if isinstance(lane, TumblingLane) and lane.window is not None
        }

    async def abort(self) -> None:
        """End now."""
        await self._stop_reading()
        await asyncio.gather(*(lane.abort() for lane in self._lanes))

    # --- inside -------------------------------------------------------------------------------------------------

    def _lane(self, index: int) -> Lane:
        shard_id, age = self.progress.shard_id, self.progress.ages.setdefault(index, LaneAge())
        if not self._spec.tumbling_window:
            return Lane(shard_id, self._rules, self._target, age)
        return TumblingLane(
            shard_id,
            self._rules,
            self._target,
            age,
            source=self._spec.source,
            size_s=self._spec.tumbling_window,
            window=self.progress.windows.get(index),
        )

    async def _stop_reading(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def _lane_of(self, record: StreamRecord) -> int:
        return zlib.crc32(record.key.encode()) % len(self._lanes)

    def _still_belong(self, begun: Mapping[int, list[Batch]]) -> bool:
        """Whether the records of ``begun`` still belong to the lanes that had begun with them."""
        return all(
            self._lane_of(record) == index
            for index, batches in begun.items()
            for batch in batches
            for record in batch.records
        )

    def _spread(self, records: list[StreamRecord]) -> None:
        shares: list[list[StreamRecord]] = [[] for _ in self._lanes]
        for record in records:
            shares[self._lane_of(record)].append(record)
        for lane, share in zip(self._lanes, shares, strict=True):
            lane.add(share)

    async def _run(self) -> None:
        failures = 0
        while self.progress.position is not None:
            if self._is_far_ahead():
                await asyncio.sleep(_BETWEEN_PAGES_S)
                continue
            try:
                pause = await self._read(self.progress.position)
            except AwsError as error:
                failures += 1
                self._explain(error)
                if error.code == _GONE and self.progress.forgotten:
                    self.progress.position = None
                pause = self._rules.scaled(backoff_seconds(failures))
            except Exception:
                failures += 1
                LOG.exception("shard %s: reading failed unexpectedly", self.progress.shard_id)
                pause = self._rules.scaled(backoff_seconds(failures))
            else:
                failures = 0
                self._problems.solved(self._activity)
            await asyncio.sleep(pause)
        await asyncio.gather(*(lane.idle.wait() for lane in self._lanes))
        self._events.finished()

    def _is_far_ahead(self) -> bool:
        waiting = [lane.waiting for lane in self._lanes]
        too_many = sum(records for records, _ in waiting) >= self._read_ahead
        return too_many or sum(size for _, size in waiting) >= _READ_AHEAD_BYTES

    async def _read(self, position: Position) -> float:
        """Read one page; seconds until the next."""
        page = await self._reader.read(position, _PAGE)
        # Nothing is awaited from here on: what was read is in its lane when the position moves.
        passing = [record for record in page.records if passes(record, self._spec.record_filter)]
        self._events.polled(len(page.records))
        self._events.filtered_out(len(page.records) - len(passing))
        self._spread(passing)
        self.progress.position = page.following
        if not page.records:
            return self._pause_s
        return min(_BETWEEN_PAGES_S, self._pause_s)

    def _explain(self, error: AwsError) -> None:
        if kind_of(error) not in (Failure.THROTTLE, Failure.INTERNAL):
            self._problems.note(self._activity, f"Cannot read {self._spec.source}: {error.code}: {error.message}")

    @property
    def _activity(self) -> str:
        return f"read {self.progress.shard_id}"
