"""A stream's shards: where reading begins, who waits for whom, order by key, pauses, refusals."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from stream_fakes import HANDLED, FakeShard, FakeStream, FakeTarget, data_of, numbers, poisoned, record, spec, until

from durable_sandbox.aws.clock import TimePolicy
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.events.filters import RecordFilter
from durable_sandbox.events.mapping_calls import Problems
from durable_sandbox.events.streams.batches import Outcome
from durable_sandbox.events.streams.consumer import StreamConsumer
from durable_sandbox.events.streams.spec import StartingPosition


@dataclass
class Bench:
    """A consumer of shards in memory."""

    stream: FakeStream
    target: FakeTarget = field(default_factory=FakeTarget)
    settings: dict[str, Any] = field(default_factory=dict)
    polled: int = 0
    filtered_out: int = 0

    def __post_init__(self) -> None:
        self.problems = Problems("mapping")
        time = TimePolicy(time_scale=1000.0)
        self.consumer = StreamConsumer(time, self.problems, polled=self._polled, filtered_out=self._filtered)

    def _polled(self, count: int) -> None:
        self.polled += count

    def _filtered(self, count: int) -> None:
        self.filtered_out += count

    def start(self, **changes: Any) -> None:
        self.settings |= changes
        self.consumer.start(spec(**self.settings), self.stream, self.target)

    @property
    def seen(self) -> list[int]:
        return [number for batch in self.target.tried for number in batch]


def run(scenario: Callable[[Bench], Awaitable[None]], bench: Bench) -> None:
    async def main() -> None:
        try:
            async with asyncio.timeout(20):
                await scenario(bench)
        finally:
            await bench.consumer.abort()

    asyncio.run(main())


def test_shards_run_side_by_side_and_each_one_batch_at_a_time() -> None:
    shards = [FakeShard(f"s{n}", held=[record(i) for i in range(1, 7)]) for n in range(3)]
    target = FakeTarget(takes_s=0.05)

    async def scenario(bench: Bench) -> None:
        bench.start(batch_size=2)
        await until(lambda: len(bench.seen) == 18)
        assert target.most == 3
        for shard in shards:
            assert [batch for name, batch in target.tries if name == shard.shard_id] == [[1, 2], [3, 4], [5, 6]]

    run(scenario, Bench(FakeStream(shards), target))


def test_a_parallelization_factor_keeps_the_order_of_each_key_and_runs_keys_side_by_side() -> None:
    held = [record(n, key=f"key-{n % 5}") for n in range(1, 101)]
    target = FakeTarget(takes_s=0.005)

    async def scenario(bench: Bench) -> None:
        bench.start(batch_size=3, parallelization_factor=4)
        await until(lambda: len(bench.seen) == 100)
        by_key: dict[str, list[int]] = {}
        keys = {one.sequence: one.key for one in held}
        for number in bench.seen:
            by_key.setdefault(keys[number], []).append(number)
        assert all(order == sorted(order) for order in by_key.values())
        assert 1 < target.most <= 4

    run(scenario, Bench(FakeStream([FakeShard("s", held=held)]), target))


def test_a_blocked_key_does_not_hold_up_the_lanes_of_others() -> None:
    held = [record(n, key=f"key-{n % 20}") for n in range(1, 101)]
    blocked = [one.sequence for one in held if one.key == "key-1"]

    async def scenario(bench: Bench) -> None:
        bench.start(batch_size=10, parallelization_factor=10, maximum_retries=-1)
        # Twenty keys on ten lanes: most of the others are on another one.
        await until(lambda: len(set(bench.seen) - set(blocked)) > 60)
        assert bench.target.given_up == []

    run(scenario, Bench(FakeStream([FakeShard("s", held=held)]), FakeTarget(poisoned(*blocked))))


def test_children_of_a_closed_shard_begin_when_it_is_done() -> None:
    parent = FakeShard("parent", closed=True, held=[record(n) for n in range(1, 5)])
    children = [FakeShard(f"child-{n}", ("parent",), held=[record(10 + n)]) for n in range(2)]

    async def scenario(bench: Bench) -> None:
        bench.start(batch_size=1)
        await until(lambda: len(bench.seen) == 6)
        assert bench.seen[:4] == [1, 2, 3, 4]
        assert sorted(bench.seen[4:]) == [10, 11]
        assert all(child.reads[0].kind == "TRIM_HORIZON" for child in children)
        await until(lambda: bench.consumer.shards == 2)

    run(scenario, Bench(FakeStream([*children, parent]), FakeTarget(takes_s=0.03)))


def test_latest_leaves_closed_shards_alone_and_reads_new_ones_from_their_beginning() -> None:
    closed = FakeShard("old", closed=True, held=[record(1)])
    open_one = FakeShard("open", held=[record(2)])

    async def scenario(bench: Bench) -> None:
        bench.start(starting_position=StartingPosition.LATEST)
        await until(lambda: open_one.reads)
        assert open_one.reads[0].kind == "AT_TIMESTAMP"
        started = open_one.reads[0].timestamp
        assert started is not None
        assert abs((datetime.now(UTC) - started).total_seconds()) < 5
        new = FakeShard("new", held=[record(5)])
        bench.stream.fakes.append(new)
        await until(lambda: new.reads)
        assert new.reads[0].kind == "TRIM_HORIZON"
        assert closed.reads == []

    run(scenario, Bench(FakeStream([closed, open_one])))


def test_a_pause_keeps_the_position_and_what_was_read_but_not_done() -> None:
    shard = FakeShard("s", held=[record(n) for n in range(1, 8)])

    async def scenario(bench: Bench) -> None:
        bench.start(batch_size=2)
        await until(lambda: bench.consumer.busy)
        await bench.consumer.stop()
        assert bench.seen == [1, 2]
        shard.held.append(record(8))
        bench.start(batch_size=3)
        await until(lambda: len(bench.seen) == 8)
        assert bench.target.tried[:2] == [[1, 2], [3, 4, 5]]
        assert bench.seen == list(range(1, 9))

    run(scenario, Bench(FakeStream([shard]), FakeTarget(takes_s=0.03)))


def test_records_that_the_filter_excludes_are_passed_over_and_counted() -> None:
    pattern = RecordFilter.parse(['{"data": {"kind": ["order"]}}'], data_key="data")
    held = [record(n, {"kind": "order" if n % 2 else "noise"}) for n in range(1, 7)] + [record(7, "text")]

    async def scenario(bench: Bench) -> None:
        bench.start(record_filter=pattern)
        await until(lambda: bench.polled == 7)
        await until(lambda: bench.seen == [1, 3, 5])
        assert bench.filtered_out == 4
        assert data_of(held[0]) == {"kind": "order"}

    run(scenario, Bench(FakeStream([FakeShard("s", held=held)])))


def test_a_refusal_to_read_is_a_problem_until_it_works() -> None:
    shard = FakeShard("s", held=[record(1)], refuse=AwsError("AccessDeniedException", "not you", status=400))

    async def scenario(bench: Bench) -> None:
        bench.start()
        await until(lambda: bench.problems.text)
        assert "not you" in (bench.problems.text or "")
        shard.refuse = None
        await until(lambda: bench.seen == [1])
        assert bench.problems.text is None

    run(scenario, Bench(FakeStream([shard])))


def test_a_refusal_to_list_is_a_problem_until_it_works() -> None:
    stream = FakeStream([FakeShard("s", held=[record(1)])], refuse=AwsError("ResourceNotFoundException", "gone"))

    async def scenario(bench: Bench) -> None:
        bench.start()
        await until(lambda: bench.problems.text)
        assert "gone" in (bench.problems.text or "")
        stream.refuse = None
        await until(lambda: bench.seen == [1])

    run(scenario, Bench(stream))


def test_a_poisoned_record_holds_up_only_its_own_shard() -> None:
    bad, good = FakeShard("bad", held=[record(1)]), FakeShard("good", held=[record(n) for n in range(2, 30)])

    async def scenario(bench: Bench) -> None:
        bench.start(maximum_retries=-1)
        await until(lambda: set(range(2, 30)) <= set(bench.seen))
        assert numbers(bad.held) == [1]
        assert bench.target.given_up == []

    def answer(batch: Any) -> Outcome:
        return poisoned(1)(batch) if batch else HANDLED

    run(scenario, Bench(FakeStream([bad, good]), FakeTarget(answer)))


def test_a_pause_keeps_the_tries_that_a_batch_had() -> None:
    async def scenario(bench: Bench) -> None:
        bench.start(maximum_retries=3)
        await until(lambda: len(bench.target.tried) == 2)
        await bench.consumer.stop()
        before = len(bench.target.tried)
        bench.start()
        await until(lambda: bench.target.given_up)
        assert len(bench.target.tried) == 4, f"{before} before the pause"
        assert bench.target.given_up[0].batch.tries == 4

    run(scenario, Bench(FakeStream([FakeShard("s", held=[record(1)])]), FakeTarget(poisoned(1))))


def test_another_factor_spreads_what_had_begun_over_other_lanes() -> None:
    held = [record(n, key=f"key-{n}") for n in range(1, 21)]

    async def scenario(bench: Bench) -> None:
        bench.start(parallelization_factor=4, maximum_retries=-1)
        await until(lambda: len(bench.target.tried) >= 4)
        await bench.consumer.stop()
        bench.target.answer = lambda _: HANDLED
        bench.target.tries.clear()
        bench.start(parallelization_factor=2)
        await until(lambda: sorted(bench.seen) == list(range(1, 21)))

    run(scenario, Bench(FakeStream([FakeShard("s", held=held)]), FakeTarget(poisoned(*range(1, 21)))))


def test_lanes_in_trouble_do_not_age_each_others_records() -> None:
    """Ten lanes that wait a minute each have waited a minute, not ten."""
    held = [record(n, key=f"key-{n}") for n in range(1, 41)]

    async def scenario(bench: Bench) -> None:
        bench.start(parallelization_factor=10, batch_size=1, maximum_retries=-1, maximum_age=600)
        await until(lambda: bench.target.given_up, within=10)
        tries = max(given_up.batch.tries for given_up in bench.target.given_up)
        # 1 + 2 + 4 + ... + 32 and then 60 seconds each: some fifteen tries in ten minutes.
        assert tries >= 13

    run(scenario, Bench(FakeStream([FakeShard("s", held=held)]), FakeTarget(poisoned(*range(1, 41)))))


def test_a_shard_that_the_stream_forgets_while_it_is_read_ends_and_lets_its_children_begin() -> None:
    parent = FakeShard("parent", held=[record(1)])
    child = FakeShard("child", ("parent",), held=[record(2)])
    stream = FakeStream([parent, child])

    async def scenario(bench: Bench) -> None:
        bench.start()
        await until(lambda: bench.seen == [1])
        parent.refuse = AwsError("ResourceNotFoundException", "no such shard")
        stream.hidden = {"parent"}
        await until(lambda: bench.seen == [1, 2])

    run(scenario, Bench(stream))
