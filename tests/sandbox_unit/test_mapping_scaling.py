"""How many batches a mapping has in flight."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from mapping_support import Bench, run
from pipes_fakes import FIFO, until

from durable_sandbox.aws.arns import Arn
from durable_sandbox.events.sqs_mapping_scaling import Concurrency
from durable_sandbox.events.sqs_mapping_spec import ScalingLimits

# --- concurrency -----------------------------------------------------------------------------------------------------


def test_maximum_concurrency_caps_what_is_fetched() -> None:
    async def scenario(bench: Bench) -> None:
        hold = asyncio.Event()

        async def handler(_: Any) -> Any:
            await hold.wait()

        bench.answer(handler)
        for n in range(10):
            bench.queue.put(str(n))
        bench.poller.start(bench.spec)
        await until(lambda: len(bench.api.invokes) == 2)
        await asyncio.sleep(0.2)  # nothing may happen in this time
        assert len(bench.api.invokes) == 2
        assert len(bench.queue.hidden_until) == 2, "what cannot be invoked stays in the queue"
        hold.set()
        await until(lambda: not bench.queue.messages)

    scaling = ScalingLimits.of(ordered=False, maximum_concurrency=2, provisioned=None)
    run(scenario, batch_size=1, scaling=replace(scaling, growth_s=0.02))


def test_it_starts_with_five_and_grows_while_busy_then_shrinks() -> None:
    async def scenario(bench: Bench) -> None:
        hold = asyncio.Event()

        async def handler(_: Any) -> Any:
            await hold.wait()

        bench.answer(handler)
        for n in range(40):
            bench.queue.put(str(n))
        bench.poller.start(bench.spec)
        await until(lambda: len(bench.api.invokes) == 5)
        assert bench.poller.concurrency == 5
        await until(lambda: len(bench.api.invokes) == 12)
        await asyncio.sleep(0.2)  # nothing may happen in this time
        assert len(bench.api.invokes) == bench.poller.concurrency == 12
        hold.set()
        await until(lambda: not bench.queue.messages and not bench.poller.in_flight)
        assert bench.poller.concurrency == 5

    run(scenario, batch_size=1, scaling=ScalingLimits(maximum=12, growth_s=0.05))


@pytest.mark.parametrize(
    ("ordered", "maximum", "provisioned", "initial", "most"),
    [
        (False, None, None, 5, 100),
        (False, 3, None, 3, 3),
        (False, 1000, None, 5, 100),
        (True, None, None, 100, 100),
        (True, 4, None, 4, 4),
        (False, None, (2, 3), 20, 30),
        (False, None, (2, 200), 20, 100),
    ],
)
def test_limits(
    ordered: bool, maximum: int | None, provisioned: tuple[int, int] | None, initial: int, most: int
) -> None:
    limits = ScalingLimits.of(ordered=ordered, maximum_concurrency=maximum, provisioned=provisioned)
    assert (limits.initial, limits.maximum) == (initial, most)


def test_raised_limits_wake_a_waiting_poll() -> None:
    async def scenario() -> None:
        places = Concurrency(ScalingLimits(initial=1, maximum=1))
        await places.acquire()
        waiting = asyncio.create_task(places.acquire())
        await asyncio.sleep(0)
        assert not waiting.done()
        places.configure(ScalingLimits(initial=2, maximum=2))
        async with asyncio.timeout(1):
            await waiting

    asyncio.run(scenario())


# --- FIFO ------------------------------------------------------------------------------------------------------------


def test_a_group_has_one_batch_even_if_it_outlives_its_visibility() -> None:
    async def scenario(bench: Bench) -> None:
        running: list[str] = []
        together: list[set[str]] = []
        hold = asyncio.Event()

        async def handler(records: list[dict[str, Any]]) -> Any:
            groups = {record["attributes"]["MessageGroupId"] for record in records}
            assert not groups & set(running), "two batches of a group at once"
            running.extend(groups)
            together.append(set(running))
            await hold.wait()
            for group in groups:
                running.remove(group)

        bench.answer(handler)
        bench.queue.visibility_s = 1
        bench.queue.put("a1", group="a")
        bench.queue.put("b1", group="b")
        bench.poller.start(bench.spec)
        await until(lambda: bench.poller.counts.polled >= 4)  # both came again
        assert together[-1] == {"a", "b"}, "groups run side by side"
        assert len(bench.api.invokes) == 2
        hold.set()
        await until(lambda: not bench.queue.messages)

    run(scenario, queue=Arn.parse(FIFO), batch_size=1)
