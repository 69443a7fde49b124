"""Environments in this process: how a pool grows, gives back and ends, and what a runtime leaves behind."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest
import uvloop
from lambda_support import ECHO, ROLE, package

from durable_sandbox.aws.errors import AwsError
from durable_sandbox.aws.identity import Identities
from durable_sandbox.runtime import pool as pool_module
from durable_sandbox.runtime import pythons
from durable_sandbox.runtime.environment import Environment
from durable_sandbox.runtime.manager import Runtime
from durable_sandbox.runtime.pool import AT_ONCE, EnvironmentPool
from durable_sandbox.runtime.pythons import Interpreters
from durable_sandbox.runtime.spec import InvocationOutcome, InvocationRequest, RuntimeSpec

REQUEST = InvocationRequest("r-1", b"{}", "arn:aws:lambda:us-east-1:123456789012:function:f")


class FakeEnvironment:
    """An environment without a process: ready, busy or dead when the test says so."""

    def __init__(self, pool: EnvironmentPool) -> None:
        self.pool = pool
        self.settled = asyncio.Event()
        self.ready = self.initialised = self.killed = False
        self.idle_since = 0.0
        self.release = asyncio.Event()

    def become_ready(self) -> None:
        self.ready = self.initialised = True
        self.settled.set()
        self.pool.idle(cast("Environment", self))

    async def run(self, request: InvocationRequest) -> InvocationOutcome:
        del request
        await self.release.wait()
        self.become_ready()
        return InvocationOutcome(b"done", None, "", 0.0)

    def init_failure(self) -> bytes:
        return b'{"errorType": "Runtime.ExitError"}'

    def kill(self) -> None:
        if not self.killed:
            self.killed = True
            self.ready = False
            self.settled.set()
            self.pool.died(cast("Environment", self))

    async def close(self) -> None:
        self.kill()


class Launcher:
    """Starts fake environments and keeps them."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.environments: list[FakeEnvironment] = []
        self.failure = failure

    async def __call__(self, pool: EnvironmentPool) -> Environment:
        if self.failure:
            raise self.failure
        self.environments.append(FakeEnvironment(pool))
        return cast("Environment", self.environments[-1])

    async def started(self, count: int) -> None:
        await _until(lambda: len(self.environments) >= count)


def _pool(launcher: Launcher, *, slots: int = 8, headroom: bool = True) -> EnvironmentPool:
    return EnvironmentPool(launcher, asyncio.Semaphore(slots), lambda: headroom)


def _invoke(pool: EnvironmentPool) -> asyncio.Task[InvocationOutcome]:
    return asyncio.get_running_loop().create_task(pool.invoke(REQUEST))


async def _until(condition: Callable[[], bool], within: float = 10) -> None:
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - it also watches processes
            await asyncio.sleep(0.005)


def _run(test: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(30):
            await test()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(limited())


# --- the pool ---------------------------------------------------------------------------------------------------


def test_a_pool_starts_one_environment_an_event_up_to_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "PATIENCE_SECONDS", 3600)

    async def test() -> None:
        launcher = Launcher()
        pool = _pool(launcher)
        calls = []
        for count in range(1, AT_ONCE + 1):
            calls.append(_invoke(pool))
            await launcher.started(count)
            await _until(lambda: len(pool.environments) == count)  # noqa: B023 - awaited in this turn
        calls.append(_invoke(pool))
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(launcher.environments) == AT_ONCE
        for environment in launcher.environments:
            environment.release.set()
            environment.become_ready()
        assert [(await call).payload for call in calls] == [b"done"] * (AT_ONCE + 1)
        await pool.close()

    _run(test)


def test_an_environment_handed_to_a_cancelled_caller_goes_to_the_next() -> None:
    async def test() -> None:
        launcher = Launcher()
        pool = _pool(launcher)
        first = _invoke(pool)
        await launcher.started(1)
        environment = launcher.environments[0]
        environment.release.set()
        environment.become_ready()
        first.cancel()  # it holds the environment but has not run yet
        with pytest.raises(asyncio.CancelledError):
            await first
        assert (await _invoke(pool)).payload == b"done"
        assert len(launcher.environments) == 1
        await pool.close()

    _run(test)


def test_failed_inits_answer_every_waiting_event() -> None:
    async def test() -> None:
        launcher = Launcher()
        pool = _pool(launcher)
        calls = [_invoke(pool) for _ in range(AT_ONCE + 2)]

        async def fail_all() -> None:
            while True:
                for environment in launcher.environments:
                    environment.kill()
                await asyncio.sleep(0.005)

        failing = asyncio.get_running_loop().create_task(fail_all())
        outcomes = await asyncio.gather(*calls)
        failing.cancel()
        assert {(o.function_error, o.payload) for o in outcomes} == {
            ("Unhandled", b'{"errorType": "Runtime.ExitError"}')
        }

    _run(test)


def test_a_launch_that_fails_is_its_callers_error() -> None:
    async def test() -> None:
        pool = _pool(Launcher(OSError("no more processes")))
        answers = await asyncio.gather(*(_invoke(pool) for _ in range(AT_ONCE + 1)), return_exceptions=True)
        assert [str(answer) for answer in answers] == ["no more processes"] * (AT_ONCE + 1)

    _run(test)


def test_a_ready_environment_that_is_killed_fails_no_waiting_event() -> None:
    async def test() -> None:
        launcher = Launcher()
        pool = _pool(launcher)
        first = _invoke(pool)
        await launcher.started(1)
        launcher.environments[0].become_ready()
        second = _invoke(pool)
        await launcher.started(2)
        launcher.environments[0].release.set()
        await asyncio.gather(first, second)
        launcher.environments[1].become_ready()
        unused = launcher.environments[1]
        for environment in launcher.environments:
            environment.ready = False  # the connection is gone, the end of the process is not known yet
        third = _invoke(pool)
        await asyncio.sleep(0)
        unused.kill()
        launcher.environments[0].kill()
        await launcher.started(3)
        launcher.environments[2].release.set()
        launcher.environments[2].become_ready()
        assert (await third).payload == b"done"
        await pool.close()

    _run(test)


def test_a_retired_pool_serves_those_who_wait_and_ends() -> None:
    async def test() -> None:
        launcher = Launcher()
        pool = _pool(launcher)
        call = _invoke(pool)
        await launcher.started(1)
        pool.retire()
        assert not pool.drained
        launcher.environments[0].release.set()
        launcher.environments[0].become_ready()
        assert (await call).payload == b"done"
        await _until(lambda: pool.drained)
        assert launcher.environments[0].killed

    _run(test)


def test_a_closed_pool_refuses_those_who_wait() -> None:
    async def test() -> None:
        launcher = Launcher()
        pool = _pool(launcher)
        calls = [_invoke(pool) for _ in range(AT_ONCE + 3)]
        await launcher.started(AT_ONCE)
        await pool.close()
        for answer in await asyncio.gather(*calls, return_exceptions=True):
            assert isinstance(answer, AwsError)
            assert answer.code == "ServiceException"
        assert pool.drained
        assert all(environment.killed for environment in launcher.environments)

    _run(test)


def test_a_module_that_loads_slowly_does_not_hold_up_other_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "START_SECONDS", 0.05)

    async def test() -> None:
        slots = asyncio.Semaphore(1)
        slow, quick = Launcher(), Launcher()
        slow_pool = EnvironmentPool(slow, slots, lambda: True)
        waiting = _invoke(slow_pool)
        await slow.started(1)
        quick_pool = EnvironmentPool(quick, slots, lambda: True)
        call = _invoke(quick_pool)
        await quick.started(1)
        quick.environments[0].release.set()
        quick.environments[0].become_ready()
        assert (await call).payload == b"done"
        await asyncio.gather(quick_pool.close(), slow_pool.close())
        await asyncio.gather(waiting, return_exceptions=True)

    _run(test)


# --- the runtime, with processes ---------------------------------------------------------------------------------


class Lines:
    """Takes log lines."""

    def put(
        self, region: str, group: str, stream: str, events: Sequence[tuple[int, str]], *, role_arn: str | None = None
    ) -> None:
        """Drop ``events``."""


def _runtime() -> Runtime:
    return Runtime("http://127.0.0.1:1", Identities("123456789012"), Lines())


def _spec(runtime: Runtime, source: str, **settings: Any) -> RuntimeSpec:
    common: dict[str, Any] = {
        "account": "123456789012",
        "region": "us-east-1",
        "function_name": "f",
        "version": "$LATEST",
        "revision": "1",
        "runtime": "python3.13",
        "handler": "handler.handler",
        "code_dir": runtime.unpack(package(source)),
        "timeout": 60,
        "memory_mb": 128,
        "role_arn": ROLE,
        "log_group": "/aws/lambda/f",
    }
    return RuntimeSpec(**common | settings)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_reset_ends_the_busy_environments_of_a_deleted_function() -> None:
    async def test() -> None:
        runtime = _runtime()
        spec = _spec(runtime, "import time\ndef handler(event, context):\n    time.sleep(50)\n")
        call = asyncio.get_running_loop().create_task(runtime.invoke(spec, REQUEST))
        await _until(lambda: any(e.busy for e in runtime.environments()))
        (pid,) = [e.pid for e in runtime.environments() if e.busy]
        runtime.retire("us-east-1", "f")
        assert pid in [e.pid for e in runtime.environments()]
        await runtime.close()
        assert not _alive(pid)
        assert (await call).crashed

    _run(test)


def test_what_a_handler_started_ends_with_its_environment(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    source = (
        "import os, subprocess\n"
        "def handler(event, context):\n"
        "    child = subprocess.Popen(['sleep', '50'])\n"
        f"    open({str(note)!r}, 'w').write(str(child.pid))\n"
        "    os._exit(3)\n"
    )

    async def test() -> None:
        runtime = _runtime()
        outcome = await runtime.invoke(_spec(runtime, source), REQUEST)
        assert (outcome.crashed, b"exit status 3" in outcome.payload) == (True, True)
        # An orphan may stay a zombie where nobody reaps it; its command line is empty then.
        command = Path(f"/proc/{note.read_text()}/cmdline")
        await _until(lambda: not command.exists() or not command.read_bytes())
        await runtime.close()

    _run(test)


def test_an_interpreter_that_cannot_start_leaves_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Environment] = []

    async def test() -> None:
        runtime = _runtime()
        monkeypatch.setattr(Interpreters, "for_runtime", lambda *_: Path("/nowhere/python"))
        original = Environment.__init__

        def remember(self: Environment, *args: Any) -> None:
            original(self, *args)
            kept.append(self)  # or the folder's finaliser would hide the leak

        monkeypatch.setattr(Environment, "__init__", remember)
        spec = _spec(runtime, ECHO)
        with pytest.raises(FileNotFoundError):
            await runtime.invoke(spec, REQUEST)
        assert kept
        assert not any(environment._server and environment._server.is_serving() for environment in kept)
        await runtime.close()

    _run(test)
    assert not any(Path(environment._scratch.name).exists() for environment in kept)


def test_one_package_may_be_unpacked_by_several_threads_at_once() -> None:
    runtime = _runtime()
    try:
        for turn in range(5):
            archive = package(ECHO + "#" * 500_000 + str(turn))
            with ThreadPoolExecutor(8) as threads:
                folders = list(threads.map(runtime.unpack, [archive] * 8))
            assert len(set(folders)) == 1
            assert (folders[0] / "handler.py").exists()
        assert not list(runtime._home.glob("unpack-*"))
    finally:
        asyncio.run(runtime.close())


def test_a_damaged_package_is_refused() -> None:
    archive = bytearray(package(ECHO))
    archive[archive.find(b"PK\x01\x02") + 10] = archive[8] = 99  # a compression method that nobody knows
    runtime = _runtime()
    try:
        with pytest.raises(AwsError, match="Could not unzip"):
            runtime.unpack(bytes(archive))
        assert not list(runtime._home.glob("unpack-*"))
    finally:
        asyncio.run(runtime.close())


# --- interpreters -----------------------------------------------------------------------------------------------


def test_a_runtime_without_an_interpreter_warns_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pythons, "_candidates", lambda _: iter(()))
    interpreters = Interpreters()
    with caplog.at_level(logging.WARNING):
        first, second = interpreters.for_runtime("python3.13"), interpreters.for_runtime("python3.13")
    assert first == second
    assert [record.args[0] for record in caplog.records if record.args] == ["3.13"]
    with pytest.raises(AwsError, match="not python3"):
        interpreters.for_runtime("nodejs22.x")
