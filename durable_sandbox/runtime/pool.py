"""The environments of one function version: reuse, scale out, retire.

Lambda starts an environment for every event that finds none idle. A laptop has few cores, so a pool starts as many as
there are cores at once and lets further events wait a moment for one to become free. It grows while events wait and the
machine has idle processors (handlers that wait need more environments than cores), and slowly when it has none, so that
nested invocations cannot starve each other.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

from durable_sandbox.aws.errors import AwsError
from durable_sandbox.runtime.environment import Environment
from durable_sandbox.runtime.spec import InvocationOutcome, InvocationRequest

PATIENCE_SECONDS = 0.1
BUSY_PATIENCE_SECONDS = 2.0
"""How long an event waits, for each live environment, before one more starts on a machine without idle processors."""
IDLE_SECONDS = 300
START_SECONDS = 2.0
"""How long a start counts as work for a processor: as many run at once as there are cores."""
_CORES = os.cpu_count() or 1
AT_ONCE = max(2, _CORES)
"""Environments that start as soon as events find none idle."""
MODEST = 4 * AT_ONCE
"""Environments that may start after PATIENCE_SECONDS even on a busy machine: a durable handler that suspends idles for
about 0.1 s while its SDK stops, so a few for each core keep the cores busy."""


class EnvironmentPool:
    """Environments of one version. ``launch`` starts one more and may raise; all calls come from one event loop."""

    def __init__(
        self,
        launch: Callable[[EnvironmentPool], Awaitable[Environment]],
        starting: asyncio.Semaphore,
        has_headroom: Callable[[], bool],
    ) -> None:
        self._launch = launch
        self._starting = starting
        self._has_headroom = has_headroom
        self._idle: list[Environment] = []
        self._waiting: deque[asyncio.Future[Environment]] = deque()
        self._waiting_since: float | None = None
        self._pressure: asyncio.TimerHandle | None = None
        self._launches: set[asyncio.Task[None]] = set()
        """Starts that have not settled; of these, ``_launching`` are not among ``environments`` yet."""
        self._launching = 0
        self._retired = False
        self.environments: set[Environment] = set()
        self.starts = 0

    async def invoke(self, request: InvocationRequest) -> InvocationOutcome:
        """Run ``request`` in an idle environment, or in the first that becomes one."""
        environment = await self._acquire()
        if isinstance(environment, InvocationOutcome):
            return environment
        return await environment.run(request)

    def idle(self, environment: Environment) -> None:
        """``environment`` asks for an event."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(environment)
                return
        if self._retired:
            environment.kill()
            return
        self._idle.append(environment)

    def died(self, environment: Environment) -> None:
        """``environment`` is gone. If it never got ready, its init error answers one waiting event."""
        self.environments.discard(environment)
        if environment in self._idle:
            self._idle.remove(environment)
        if not environment.initialised and self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_exception(InitFailedError(environment.init_failure()))

    def reap(self) -> None:
        """End environments that had nothing to do for a while."""
        now = time.monotonic()
        for environment in [e for e in self._idle if now - e.idle_since > IDLE_SECONDS]:
            self._idle.remove(environment)
            environment.kill()

    def retire(self) -> None:
        """Serve nothing new; let running and waiting events finish."""
        self._retired = True
        for environment in self._idle:
            environment.kill()
        self._idle.clear()

    async def close(self) -> None:
        """End everything now. Waiting events fail with AwsError."""
        self.retire()
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_exception(AwsError("ServiceException", "The sandbox was reset.", status=500))
        launches = list(self._launches)
        for task in launches:
            task.cancel()
        await asyncio.gather(*launches, return_exceptions=True)
        await asyncio.gather(*(environment.close() for environment in list(self.environments)))

    @property
    def drained(self) -> bool:
        """Whether no environment is left and none is to come."""
        return not (self.environments or self._launches or self._waiting)

    async def _acquire(self) -> Environment | InvocationOutcome:
        while self._idle:
            environment = self._idle.pop()
            if environment.ready:
                return environment
        waiter: asyncio.Future[Environment] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        if self._live < AT_ONCE:
            self._start_one()
        self._watch_pressure()
        try:
            return await waiter
        except InitFailedError as failure:
            return InvocationOutcome(failure.payload, "Unhandled", "", 0.0)
        except asyncio.CancelledError:
            self._give_back(waiter)
            raise

    @property
    def _live(self) -> int:
        return len(self.environments) + self._launching

    def _watch_pressure(self) -> None:
        if self._pressure is None and self._waiting:
            self._waiting_since = self._waiting_since or time.monotonic()
            self._pressure = asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self._relieve)

    def _relieve(self) -> None:
        """Events have waited: grow if that can help."""
        self._pressure = None
        while self._waiting and self._waiting[0].done():
            self._waiting.popleft()
        if not self._waiting:
            self._waiting_since = None
            return
        now = time.monotonic()
        waited = now - (self._waiting_since or now)
        grows = self._live < MODEST or self._has_headroom() or waited > BUSY_PATIENCE_SECONDS * self._live
        if grows and not self._launches:
            self._start_one()
            self._waiting_since = now
        self._watch_pressure()

    def _give_back(self, waiter: asyncio.Future[Environment]) -> None:
        """A cancelled caller must not keep an environment that was just handed to it."""
        if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
            self.idle(waiter.result())
        waiter.cancel()

    def _start_one(self) -> None:
        task = asyncio.get_running_loop().create_task(self._start())
        self._launching += 1
        self._launches.add(task)
        task.add_done_callback(self._launches.discard)

    async def _start(self) -> None:
        async with self._starting:
            try:
                environment = await self._launch(self)
            except Exception as error:  # noqa: BLE001 - whatever stops a launch is the waiting caller's to see
                self._refuse_one(error)
                return
            finally:
                self._launching -= 1
            self.environments.add(environment)
            self.starts += 1
            # A module that sleeps or calls another function while it loads must not hold up all other starts.
            with suppress(TimeoutError):
                await asyncio.wait_for(environment.settled.wait(), START_SECONDS)
        await environment.settled.wait()

    def _refuse_one(self, error: Exception) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_exception(error)
                return


class InitFailedError(Exception):
    """An environment ended before it was ready; ``payload`` is Lambda's error as JSON."""

    def __init__(self, payload: bytes) -> None:
        super().__init__(payload.decode(errors="replace"))
        self.payload = payload
