"""Records, targets and shards for the tests of the stream poller."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from durable_sandbox.aws.arns import Arn
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.events.filters import RecordFilter
from durable_sandbox.events.streams.batches import Outcome, Result, Splitting
from durable_sandbox.events.streams.lane import GivenUp, LaneRules
from durable_sandbox.events.streams.reader import Page, Position, Shard, ShardReader, after
from durable_sandbox.events.streams.records import RecordOrigin, StreamRecord, kinesis_record
from durable_sandbox.events.streams.spec import UNLIMITED, StartingPosition, StreamSpec

STREAM = Arn("kinesis", "us-east-1", "123456789012", "stream/orders")
ORIGIN = RecordOrigin(STREAM, "arn:aws:iam::123456789012:role/reader")
FASTER = 1000.0
"""How much shorter the tests' back-off is."""


def record(sequence: int, data: Any = None, *, key: str = "k", arrived: float | None = None) -> StreamRecord:
    """A Kinesis record whose data is ``data`` as JSON."""
    raw = {
        "SequenceNumber": str(sequence),
        "PartitionKey": key,
        "Data": json.dumps(data).encode(),
        "ApproximateArrivalTimestamp": datetime.fromtimestamp(time.time() if arrived is None else arrived, UTC),
    }
    return kinesis_record(raw, "shardId-000000000000", ORIGIN)


def records(count: int, **values: Any) -> tuple[StreamRecord, ...]:
    """Records 1 to ``count``."""
    return tuple(record(number, **values) for number in range(1, count + 1))


def numbers(batch: Sequence[StreamRecord]) -> list[int]:
    """Their sequence numbers."""
    return [one.sequence for one in batch]


def data_of(one: StreamRecord) -> Any:
    """The record's data."""
    return json.loads(base64.b64decode(one.event["kinesis"]["data"]))


def rules(**changes: Any) -> LaneRules:
    """Rules of a lane: no window, three retries, no age."""
    base = LaneRules(
        batch_size=100,
        batching_window=0,
        maximum_retries=3,
        maximum_age=UNLIMITED,
        splitting=Splitting(),
        scaled=lambda seconds: seconds / FASTER,
    )
    return replace(base, **changes)


def spec(**changes: Any) -> StreamSpec:
    """A mapping of ``STREAM``."""
    base = StreamSpec(
        source=STREAM,
        starting_position=StartingPosition.TRIM_HORIZON,
        starting_timestamp=None,
        batch_size=100,
        batching_window=0,
        parallelization_factor=1,
        maximum_retries=3,
        maximum_age=UNLIMITED,
        bisect=False,
        record_filter=RecordFilter(()),
        report_failures=True,
    )
    return replace(base, **changes)


HANDLED = Outcome(Result.HANDLED)
FAILED = Outcome(Result.FAILED, function_error="Unhandled")
NOT_RUN = Outcome(Result.NOT_RUN)


def partial(position: int) -> Outcome:
    """The record at ``position`` was the first that failed."""
    return Outcome(Result.PARTIAL, position)


Answer = Callable[[Sequence[StreamRecord]], Outcome]


@dataclass
class FakeTarget:
    """Answers as told and remembers every try."""

    answer: Answer = lambda _: HANDLED
    takes_s: float = 0.0
    tries: list[tuple[str, list[int]]] = field(default_factory=list)
    windows: list[Mapping[str, Any] | None] = field(default_factory=list)
    given_up: list[GivenUp] = field(default_factory=list)
    running: dict[str, int] = field(default_factory=dict)
    most: int = 0

    async def deliver(
        self, shard_id: str, batch: Sequence[StreamRecord], window: Mapping[str, Any] | None = None
    ) -> Outcome:
        self.tries.append((shard_id, numbers(batch)))
        self.windows.append(window)
        self.running[shard_id] = self.running.get(shard_id, 0) + 1
        self.most = max(self.most, sum(self.running.values()))
        try:
            await asyncio.sleep(self.takes_s)
        finally:
            self.running[shard_id] -= 1
        return self.answer(batch)

    async def give_up(self, given_up: GivenUp) -> None:
        self.given_up.append(given_up)

    @property
    def tried(self) -> list[list[int]]:
        return [batch for _, batch in self.tries]


def poisoned(*bad: int) -> Answer:
    """Fails whole batches that hold one of ``bad``."""
    return lambda batch: FAILED if set(numbers(batch)) & set(bad) else HANDLED


@dataclass
class FakeShard(ShardReader):
    """A shard in memory; ``closed`` once it is at its end."""

    shard_id: str
    parents: tuple[str, ...] = ()
    closed: bool = False
    held: list[StreamRecord] = field(default_factory=list)
    reads: list[Position] = field(default_factory=list)
    refuse: AwsError | None = None

    async def read(self, position: Position, limit: int) -> Page:
        self.reads.append(position)
        if self.refuse is not None:
            raise self.refuse
        low = int(position.sequence or 0)
        found = [one for one in self.held if one.sequence > low][:limit]
        if position.kind == "LATEST":
            found = []
        if not found:
            return Page((), None if self.closed else position)
        return Page(found, after(str(found[-1].sequence)))


@dataclass
class FakeStream:
    """Shards in memory."""

    fakes: list[FakeShard]
    pause_s: float = 0.01
    refuse: AwsError | None = None
    hidden: set[str] = field(default_factory=set)

    async def shards(self) -> list[Shard]:
        if self.refuse is not None:
            raise self.refuse
        shown = [one for one in self.fakes if one.shard_id not in self.hidden]
        return [Shard(one.shard_id, one.parents, one.closed) for one in shown]

    async def retention_s(self) -> float:
        return 86_400.0

    def reader(self, shard_id: str) -> ShardReader:
        return next(one for one in self.fakes if one.shard_id == shard_id)


async def until(condition: Callable[[], Any], within: float = 5.0) -> None:
    """Wait until ``condition`` holds."""
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - conditions are of many kinds
            await asyncio.sleep(0.002)
