"""Batches of one order of records: sizes, windows, retries, ages, pauses, tumbling windows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from stream_fakes import (
    FAILED,
    FASTER,
    HANDLED,
    NOT_RUN,
    STREAM,
    FakeTarget,
    numbers,
    poisoned,
    record,
    records,
    rules,
    until,
)

from durable_sandbox.events.streams.aging import LaneAge
from durable_sandbox.events.streams.batches import Outcome, Result, Splitting
from durable_sandbox.events.streams.lane import GivenUp, Lane
from durable_sandbox.events.streams.tumbling import TumblingLane

Scenario = Callable[[Lane, FakeTarget], Awaitable[None]]


def run(scenario: Scenario, target: FakeTarget | None = None, age: LaneAge | None = None, **changes: Any) -> None:
    """Run ``scenario`` with a lane that has started."""

    async def main() -> None:
        used = target or FakeTarget()
        lane = Lane("shard", rules(**changes), used, age or LaneAge())
        lane.start()
        try:
            async with asyncio.timeout(20):
                await scenario(lane, used)
        finally:
            await lane.abort()

    asyncio.run(main())


def test_a_batch_takes_what_is_there_up_to_its_size() -> None:
    async def scenario(lane: Lane, target: FakeTarget) -> None:
        lane.add(records(5))
        await lane.idle.wait()
        assert target.tried == [[1, 2], [3, 4], [5]]

    run(scenario, batch_size=2)


def test_a_window_collects_and_a_full_batch_does_not_wait_for_it() -> None:
    async def scenario(lane: Lane, target: FakeTarget) -> None:
        lane.add(records(1))
        await asyncio.sleep(0)
        lane.add([record(2)])
        await lane.idle.wait()
        assert target.tried == [[1, 2]]
        started = time.monotonic()
        lane.add([record(3), record(4), record(5)])
        await until(lambda: len(target.tried) == 2)
        assert target.tried[1] == [3, 4, 5]
        assert time.monotonic() - started < 0.2

    run(scenario, batch_size=3, batching_window=0.2)


def test_a_batch_holds_no_more_than_six_megabytes() -> None:
    async def scenario(lane: Lane, target: FakeTarget) -> None:
        lane.add([record(number, "x" * 1_000_000) for number in range(1, 9)])
        await lane.idle.wait()
        assert [len(batch) for batch in target.tried] == [4, 4], "base64 makes 1.33 MB of each"

    run(scenario)


def test_a_poisoned_record_is_given_up_alone_and_the_rest_is_handled_in_order() -> None:
    async def scenario(lane: Lane, target: FakeTarget) -> None:
        lane.add(records(6))
        await lane.idle.wait()
        (given_up,) = target.given_up
        assert numbers(given_up.batch.records) == [4]
        assert given_up.batch.tries == 4
        assert given_up.condition == "RetryAttemptsExhausted"
        assert given_up.outcome == FAILED
        assert [batch for batch in target.tried if 4 not in batch] == [[1, 2, 3], [5, 6]]

    run(scenario, FakeTarget(poisoned(4)), splitting=Splitting(on_error=True))


def test_throttles_are_no_tries() -> None:
    answers = [NOT_RUN] * 6 + [FAILED] * 2

    async def scenario(lane: Lane, target: FakeTarget) -> None:
        lane.add(records(1))
        await lane.idle.wait()
        assert len(target.tried) == 8
        assert target.given_up[0].batch.tries == 2

    run(scenario, FakeTarget(lambda _: answers.pop(0)), maximum_retries=1)


def test_records_that_are_too_old_are_split_off_untried_and_younger_ones_are_delivered() -> None:
    now = time.time()

    async def scenario(lane: Lane, target: FakeTarget) -> None:
        lane.add([record(1, arrived=now - 100), record(2, arrived=now - 61), record(3, arrived=now)])
        await lane.idle.wait()
        assert target.tried == [[3]]
        (given_up,) = target.given_up
        assert numbers(given_up.batch.records) == [1, 2]
        assert (given_up.condition, given_up.batch.tries, given_up.outcome) == ("RecordAgeExceeded", 1, None)

    run(scenario, maximum_age=60)


def test_an_age_limit_ends_a_failing_record_after_as_many_tries_as_on_aws() -> None:
    async def scenario(lane: Lane, target: FakeTarget) -> None:
        started = time.monotonic()
        lane.add(records(1))
        await lane.idle.wait()
        assert time.monotonic() - started < 60 / FASTER * 20
        (given_up,) = target.given_up
        # 1 + 2 + 4 + 8 + 16 + 32 seconds of back-off pass 60: six or seven tries, not thousands.
        assert 6 <= given_up.batch.tries <= 7
        assert given_up.condition == "RecordAgeExceeded"

    run(scenario, FakeTarget(lambda _: FAILED), maximum_retries=-1, maximum_age=60)


def test_back_off_that_was_skipped_before_a_record_came_does_not_age_it() -> None:
    now = [1000.0]
    age = LaneAge(lambda: now[0])
    age.skip(30)
    now[0] = 1010
    age.skip(60)
    now[0] = 1020
    assert age.of(1000.5) == 19.5 + 60
    assert age.of(990) == 30 + 90
    assert age.of(1015) == 5


def test_a_pause_lets_the_running_try_end_and_keeps_the_rest() -> None:
    async def scenario(lane: Lane, target: FakeTarget) -> None:
        lane.add(records(5))
        await until(lambda: lane.busy)
        begun, queued = await lane.stop()
        assert target.tried == [[1, 2]]
        assert begun == []
        assert numbers(queued) == [3, 4, 5]

    run(scenario, FakeTarget(takes_s=0.1), batch_size=2)


def test_a_pause_between_tries_does_not_wait_for_the_next() -> None:
    async def scenario(lane: Lane, target: FakeTarget) -> None:
        lane.add(records(2))
        await until(lambda: len(target.tried) == 1 and not lane.busy)
        async with asyncio.timeout(1):
            begun, queued = await lane.stop()
        assert [(numbers(batch.records), batch.tries) for batch in begun] == [([1, 2], 1)]
        assert queued == []

    run(scenario, FakeTarget(lambda _: FAILED), scaled=lambda _: 60.0)


def test_a_fault_of_the_target_is_a_failed_try_so_that_it_ends_as_one() -> None:
    faults = [True]

    def answer(batch: Any) -> Outcome:
        if faults or numbers(batch) == [2]:
            faults.clear()
            raise RuntimeError("out of order")
        return HANDLED

    async def scenario(lane: Lane, target: FakeTarget) -> None:
        lane.add(records(2))
        await lane.idle.wait()
        assert target.tried == [[1, 2], [1], [2], [2]]
        assert [numbers(one.batch.records) for one in target.given_up] == [[2]]

    run(scenario, FakeTarget(answer), splitting=Splitting(on_error=True), maximum_retries=1)


def test_what_cannot_be_given_up_is_tried_again() -> None:
    class Deaf(FakeTarget):
        heard = 0

        async def give_up(self, given_up: GivenUp) -> None:
            self.heard += 1
            if self.heard == 1:
                raise RuntimeError("deaf")
            await super().give_up(given_up)

    target = Deaf(lambda _: FAILED)

    async def scenario(lane: Lane, _: FakeTarget) -> None:
        lane.add(records(1))
        await lane.idle.wait()
        assert len(target.given_up) == 1

    run(scenario, target, maximum_retries=0)


def test_waiting_for_a_throttle_ages_by_the_clock_alone() -> None:
    answers = [NOT_RUN] * 12

    async def scenario(lane: Lane, target: FakeTarget) -> None:
        lane.add(records(1))
        await lane.idle.wait()
        assert len(target.tried) == 13, "the back-off alone would pass 60 seconds at the seventh"
        assert target.given_up == []

    run(scenario, FakeTarget(lambda _: answers.pop() if answers else HANDLED), maximum_age=60)


# --- tumbling windows --------------------------------------------------------------------------------------------------


def tumble(scenario: Callable[[TumblingLane, FakeTarget], Awaitable[None]], target: FakeTarget, **changes: Any) -> None:
    """Run ``scenario`` with windows of one second."""

    async def main() -> None:
        lane = TumblingLane("shard", rules(**changes), target, LaneAge(), source=STREAM, size_s=1)
        lane.start()
        try:
            async with asyncio.timeout(20):
                await scenario(lane, target)
        finally:
            await lane.abort()

    asyncio.run(main())


def summing(states: list[Any]) -> Callable[[Any], Outcome]:
    """A function that counts records in its state, which the lane hands back to it."""

    def answer(batch: Any) -> Outcome:
        states.append(len(batch))
        return Outcome(Result.HANDLED, state={"count": sum(states)})

    return answer


def test_a_window_carries_its_state_and_ends_with_an_invocation_of_its_own() -> None:
    base = int(time.time()) - 10

    async def scenario(lane: TumblingLane, target: FakeTarget) -> None:
        lane.add([record(1, arrived=base), record(2, arrived=base + 0.9), record(3, arrived=base + 1.0)])
        await lane.idle.wait()
        assert target.tried == [[1, 2], [], [3], []]
        windows = [window for window in target.windows if window is not None]
        assert [window["isFinalInvokeForWindow"] for window in windows] == [False, True, False, True]
        assert [window["state"] for window in windows] == [{}, {"count": 2}, {}, {"count": 3}]
        assert windows[0]["window"]["end"] == windows[2]["window"]["start"]
        assert windows[0]["shardId"] == "shard"
        assert windows[0]["eventSourceARN"] == str(STREAM)

    tumble(scenario, FakeTarget(summing([])))


def test_a_window_is_closed_however_often_its_last_invocation_fails() -> None:
    failing = [FAILED] * 6

    def answer(batch: Any) -> Outcome:
        return failing.pop() if not batch and failing else Outcome(Result.HANDLED, state={})

    async def scenario(lane: TumblingLane, target: FakeTarget) -> None:
        lane.add([record(1, arrived=time.time() - 10)])
        await lane.idle.wait()
        assert target.tried == [[1]] + [[]] * 7
        assert target.given_up == []

    tumble(scenario, FakeTarget(answer), maximum_retries=1)


def test_a_state_that_is_too_large_ends_its_window_early() -> None:
    base = int(time.time()) - 10
    states = ["x" * 1_100_000, {}]

    def answer(batch: Any) -> Outcome:
        return Outcome(Result.HANDLED, state=states.pop(0) if batch else {})

    async def scenario(lane: TumblingLane, target: FakeTarget) -> None:
        lane.add([record(1, arrived=base), record(2, arrived=base)])
        await lane.idle.wait()
        assert target.tried == [[1], [], [2], []]
        early = [(window or {})["isWindowTerminatedEarly"] for window in target.windows]
        assert early == [False, True, False, False]
        assert (target.windows[2] or {})["state"] == {}

    tumble(scenario, FakeTarget(answer), batch_size=1)


@pytest.mark.parametrize("position", [0, 1])
def test_a_failed_batch_leaves_the_state_as_it_was(position: int) -> None:
    answers = [FAILED, Outcome(Result.HANDLED, state={"n": 1}), Outcome(Result.HANDLED, state={})]

    async def scenario(lane: TumblingLane, target: FakeTarget) -> None:
        lane.add([record(number, arrived=time.time() - 10) for number in range(position + 1)])
        await lane.idle.wait()
        assert [(window or {})["state"] for window in target.windows] == [{}, {}, {"n": 1}]

    tumble(scenario, FakeTarget(lambda _: answers.pop(0)))
