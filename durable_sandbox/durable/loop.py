"""The engine's threads replaced by one event loop.

The engine gives every execution a thread, its scheduler a loop in another, and blocks a third for each invocation. Here
all state is touched from one loop only, so a task can run where it is submitted: measured, this halves the server's time
for an execution and takes away the limit of six invocations at once (see docs/measurements.md).
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor as FuturesExecutor
from concurrent.futures import Future
from typing import Any, TypeVar

from aws_durable_execution_sdk_python_testing.scheduler import Event, Scheduler
from aws_durable_execution_sdk_python_testing.stores.base import ExecutionStore
from aws_durable_execution_sdk_python_testing.worker.registry import ExecutionRegistry
from aws_durable_execution_sdk_python_testing.worker.status import InvocationState
from aws_durable_execution_sdk_python_testing.worker.task import ExecutionTask

from durable_sandbox.durable.clock import ExecutionClock

logger = logging.getLogger(__name__)

T = TypeVar("T")


class LoopScheduler(Scheduler):
    """Runs callables on the running event loop after a delay."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._tasks: set[asyncio.Task[Any]] = set()

    def call_later(
        self,
        func: Callable[[], Any],
        delay: float = 0,
        count: int | None = 1,
        completion_event: Event | None = None,  # noqa: ARG002 - the engine's signature; nobody waits on events here
    ) -> Any:
        """Run ``func`` once, ``delay`` seconds from now. Returns a task, which can be cancelled."""
        if count != 1:
            msg = "the sandbox schedules single calls only"
            raise ValueError(msg)
        task = self._loop.create_task(_run_later(func, delay))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def cancel_all(self) -> None:
        """Cancel everything that is still to come."""
        for task in list(self._tasks):
            task.cancel()


async def _run_later(func: Callable[[], Any], delay: float) -> None:
    if delay > 0:
        await asyncio.sleep(delay)
    try:
        result = func()
        if inspect.isawaitable(result):
            await result
    except Exception:
        # Nobody awaits a scheduled task: the log is where its failure can be seen.
        logger.exception("a scheduled task of the durable engine failed")


class _Lane:
    """Tasks of one execution, one at a time, in order, run where they are submitted."""

    def __init__(self, arn: str, store: ExecutionStore) -> None:
        self._arn = arn
        self._store = store
        self._queue: deque[tuple[ExecutionTask[Any], Future[Any]]] = deque()
        self.running = False
        self.status = InvocationState.PRE_INVOKE

    def set_status(self, status: InvocationState) -> None:
        """The invocation gate, set by the engine."""
        self.status = status

    def reload(self) -> Any:
        """The execution, for a task."""
        return self._store.load(self._arn)

    @property
    def over(self) -> bool:
        """Whether the execution is closed or, its function deleted, forgotten."""
        if self.status is InvocationState.COMPLETED:
            return True
        try:
            self._store.load(self._arn)
        except KeyError:
            return True
        return False

    def submit(self, task: ExecutionTask[T]) -> Future[T]:
        """Run ``task`` now, or after the one that is running and submitted it."""
        future: Future[T] = Future()
        self._queue.append((task, future))
        if self.running:
            return future
        self.running = True
        try:
            while self._queue:
                self._run(*self._queue.popleft())
        finally:
            self.running = False
        return future

    def _run(self, task: ExecutionTask[Any], future: Future[Any]) -> None:
        future.set_running_or_notify_cancel()
        try:
            outcome = task.execute(self.status, self)
        except Exception as error:  # noqa: BLE001 - the future carries it to whoever submitted the task
            future.set_exception(error)
            return
        self.status = outcome.next_status
        future.set_result(outcome.value)


class LoopRegistry(ExecutionRegistry):
    """The engine's registry of workers, with lanes instead of threads; sets the execution's clock for each task."""

    def __init__(self, store: ExecutionStore, clock: ExecutionClock) -> None:
        self._execution_store = store
        self._clock = clock
        self._lanes: dict[str, _Lane] = {}

    def get_or_create(self, execution_arn: str) -> Any:
        """The lane of ``execution_arn``."""
        lane = self._lanes.get(execution_arn)
        if lane is None:
            lane = self._lanes[execution_arn] = _Lane(execution_arn, self._execution_store)
        return lane

    def submit(self, execution_arn: str, task: ExecutionTask[T]) -> Future[T]:
        """Run ``task`` on the lane of ``execution_arn``."""
        with self._clock.during(execution_arn):
            lane = self.get_or_create(execution_arn)
            future: Future[T] = lane.submit(task)
        if not lane.running and lane.over:
            self.remove(execution_arn)
        return future

    def get(self, execution_arn: str) -> Any:
        """The lane, if there is one."""
        return self._lanes.get(execution_arn)

    def remove(self, execution_arn: str) -> None:
        """Drop the lane of a closed execution."""
        self._lanes.pop(execution_arn, None)

    def active_count(self) -> int:
        """How many executions have a lane."""
        return len(self._lanes)

    def shutdown(self) -> None:
        """Drop all lanes."""
        self._lanes.clear()


class InlinePool(FuturesExecutor):
    """Runs quick work at once, in the loop."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run ``fn`` and return its finished future."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - the future carries it
            future.set_exception(error)
        return future


class StartedPool(FuturesExecutor):
    """For callables that start work in the loop and return its future, where the engine expects them to block."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call ``fn`` and return the future that it returned."""
        started = fn(*args, **kwargs)
        assert isinstance(started, Future)  # noqa: S101 - both callers return run_coroutine_threadsafe's future
        return started
