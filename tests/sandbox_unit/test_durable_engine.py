"""The engine in this process, with handlers that are functions here: clocks, timers and what a closed execution leaves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aws_durable_execution_sdk_python_testing.execution import Execution

from durable_sandbox.aws.clock import TimePolicy
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.durable.clock import ExecutionClock
from durable_sandbox.durable.engine import DurableEngine
from durable_sandbox.durable.loop import LoopScheduler
from durable_sandbox.durable.ports import DurableTarget, HandlerResult, PlainTarget

TARGET = DurableTarget("123456789012", "us-east-1", "f", "1", 86_400, 3)

Handler = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


class HandlersHere:
    """Runs ``handler`` for every invocation."""

    def __init__(self) -> None:
        self.engine = DurableEngine(self, TimePolicy(), self)
        self.statuses: list[str] = []
        self.handler: Handler | None = None

    def resolve(self, region: str, function_name: str, qualifier: str | None) -> DurableTarget | PlainTarget:
        raise AwsError("ResourceNotFoundException", f"{region} {function_name} {qualifier}", status=404)

    async def run_handler(
        self, region: str, function_name: str, version: str, execution_arn: str, payload: bytes
    ) -> HandlerResult:
        assert (region, function_name, version) == ("us-east-1", "f", "1")
        assert json.loads(payload)["DurableExecutionArn"] == execution_arn
        assert self.handler is not None
        return HandlerResult("r-1", json.dumps(await self.handler(json.loads(payload))).encode(), failed=False)

    async def invoke_plain(self, parent: Execution, target: PlainTarget, payload: bytes) -> HandlerResult:
        raise AssertionError(f"{parent} invoked {target} with {payload!r}")

    def on_closed(self, execution: Execution) -> None:
        self.engine.closed(execution)

    def status_changed(self, execution: Execution) -> None:
        self.statuses.append(execution.current_status().value)

    def reset(self) -> None:
        self.statuses.clear()


def _update(operation: str, kind: str, **options: Any) -> dict[str, Any]:
    return {"Id": operation, "Type": kind, "Action": "START"} | options


def _tasks() -> set[asyncio.Task[Any]]:
    return asyncio.all_tasks() - {asyncio.current_task()}  # type: ignore[arg-type]


async def _quiet(within: float = 5) -> None:
    async with asyncio.timeout(within):
        while _tasks():  # noqa: ASYNC110 - whatever still runs
            await asyncio.sleep(0.005)
        await asyncio.sleep(0)  # what is called when a task is done comes a turn later


@pytest.mark.parametrize("end", ["stop", "delete"])
def test_a_closed_execution_leaves_no_timer_and_no_lane(end: str) -> None:
    async def test() -> None:
        functions = HandlersHere()
        engine = functions.engine

        async def ask(event: dict[str, Any]) -> dict[str, Any]:
            arn, token = event["DurableExecutionArn"], event["CheckpointToken"]
            options = {"TimeoutSeconds": 3600, "HeartbeatTimeoutSeconds": 600}
            await engine.checkpoint(arn, token, [_update("a", "CALLBACK", CallbackOptions=options)], None)
            asked.set()
            return {"Status": "PENDING"}

        asked = asyncio.Event()
        functions.handler = ask
        arn, _ = engine.start(TARGET, None, b"{}")
        await asyncio.wait_for(asked.wait(), 5)
        executor = engine._executor("us-east-1")
        assert len(executor.loop_scheduler._tasks) >= 3  # the execution's timeout and the callback's two
        if end == "stop":
            engine.stop(arn, None)
        else:
            engine.stop_function("us-east-1", "f")
            engine.forget_function("us-east-1", "f")
        await _quiet()
        assert not executor.loop_scheduler._tasks
        assert executor._registry.active_count() == 0
        assert not executor._callback_timeouts
        assert not executor._callback_heartbeats

    asyncio.run(test())


def test_a_finished_execution_leaves_no_lane() -> None:
    async def test() -> None:
        functions = HandlersHere()

        async def wait_then_end(event: dict[str, Any]) -> dict[str, Any]:
            arn, token = event["DurableExecutionArn"], event["CheckpointToken"]
            if len(event["InitialExecutionState"]["Operations"]) == 1:
                update = _update("a", "WAIT", WaitOptions={"WaitSeconds": 600})
                await functions.engine.checkpoint(arn, token, [update], None)
                return {"Status": "PENDING"}
            return {"Status": "SUCCEEDED", "Result": "1"}

        functions.handler = wait_then_end
        arn, _ = functions.engine.start(TARGET, None, b"{}")
        execution = await asyncio.wait_for(functions.engine.wait(arn), 5)
        assert execution.current_status().value == "SUCCEEDED"
        await _quiet()
        executor = functions.engine._executor("us-east-1")
        assert executor._registry.active_count() == 0
        assert executor.clock.skipped(arn) >= timedelta(seconds=599)
        functions.engine.forget_function("us-east-1", "f")
        assert executor.clock.skipped(arn) == timedelta(0)

    asyncio.run(test())


def test_a_reset_tells_those_who_wait() -> None:
    async def test() -> None:
        functions = HandlersHere()

        async def never(event: dict[str, Any]) -> dict[str, Any]:
            del event
            await asyncio.Event().wait()
            return {}

        functions.handler = never
        arn, _ = functions.engine.start(TARGET, None, b"{}")
        waiting = asyncio.get_running_loop().create_task(functions.engine.wait(arn))
        await asyncio.sleep(0.01)
        functions.engine.reset()
        with pytest.raises(AwsError, match="reset"):
            await waiting
        await _quiet()

    asyncio.run(test())


def test_a_clock_belongs_to_one_execution() -> None:
    clock = ExecutionClock(real_time=False)
    with clock.during("a"):
        assert clock.arm(clock.now() + timedelta(hours=1)) == 0
        assert clock.now() - datetime.now(UTC) >= timedelta(minutes=59)
        with clock.during("b"):
            assert clock.now() - datetime.now(UTC) < timedelta(seconds=1)
    clock.align("b", "a")
    assert clock.skipped("b") == clock.skipped("a")
    clock.forget(["a", "nobody"])
    assert (clock.skipped("a"), clock.skipped("b") > timedelta(0)) == (timedelta(0), True)


def test_in_real_time_nothing_is_skipped() -> None:
    clock = ExecutionClock(real_time=True)
    with clock.during("a"):
        assert clock.arm(clock.now() + timedelta(hours=1)) == pytest.approx(3600, abs=1)
    assert clock.skipped("a") == timedelta(0)


def test_a_scheduled_task_that_fails_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        scheduler = LoopScheduler(asyncio.get_running_loop())
        loop_errors: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: loop_errors.append(context))

        def fail() -> None:
            raise ValueError("no good")

        task = scheduler.call_later(fail)
        await asyncio.wait([task])
        del task
        await _quiet()
        assert not loop_errors

    asyncio.run(test())
    assert caplog.text.count("ValueError: no good") == 1
