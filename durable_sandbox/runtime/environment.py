"""One execution environment: a process that runs one version's handler, one event at a time.

Life cycle and error forms as on Lambda:
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from durable_sandbox.aws.identity import Credentials
from durable_sandbox.runtime.api import RuntimeApiConnection
from durable_sandbox.runtime.logs import InvocationLog, LogLines
from durable_sandbox.runtime.spec import InvocationOutcome, InvocationRequest, RuntimeSpec

INIT_SECONDS = 60
MAX_RESPONSE_BYTES = 6 * 1024 * 1024
"""Largest response of a synchronous invocation (Lambda quotas: 6 MB)."""
_STREAM_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class LaunchSettings:
    """What every environment of a sandbox shares: the interpreter's module path and the address of AWS."""

    layer: Path
    endpoint_url: str


class Environment:
    """A process and its Runtime API. Idle from the moment it asks for an event; ``on_idle`` then hears of it."""

    def __init__(
        self,
        spec: RuntimeSpec,
        settings: LaunchSettings,
        log: LogLines,
        on_idle: Callable[[Environment], None],
        on_death: Callable[[Environment], None],
    ) -> None:
        self.spec = spec
        self.idle_since = time.monotonic()
        self.invocations = 0
        self.initialised = False
        self._settings = settings
        self._log = log
        self._on_idle = on_idle
        self._on_death = on_death
        self._next: RuntimeApiConnection | None = None
        self._request: InvocationRequest | None = None
        self._answer: asyncio.Future[tuple[bytes, str | None, bool]] | None = None
        self._init_error: bytes | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Future[None] | None = None
        self._server: asyncio.Server | None = None
        self._watch: asyncio.Task[None] | None = None
        self._scratch = TemporaryDirectory(prefix="sandbox-env-")
        self._init_guard: asyncio.TimerHandle | None = None
        self.settled = asyncio.Event()
        """Set once the environment is ready or will never be."""

    @property
    def pid(self) -> int | None:
        """The process, once started."""
        return self._process.pid if self._process else None

    @property
    def ready(self) -> bool:
        """Whether it waits for an event; a process that was killed while idle does not."""
        return self._next is not None and not self._next.closed

    @property
    def busy(self) -> bool:
        """Whether an event is being handled."""
        return self._answer is not None

    async def start(self, python: Path, credentials: Credentials) -> None:
        """Start the process. It reports by ``on_idle`` when its module is loaded, by ``on_death`` when it is not."""
        try:
            await self._launch(python, credentials)
        except BaseException:
            # Nobody else knows of it yet, so nobody else would let go of its port and folder.
            if self._server:
                self._server.close()
            self._scratch.cleanup()
            raise

    async def _launch(self, python: Path, credentials: Credentials) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: RuntimeApiConnection(self), "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self._process = await asyncio.create_subprocess_exec(
            python,
            "-S",  # Without what is installed beside it: a package that a function forgot to bundle is missing on Lambda too.
            "-m",
            "awslambdaric",
            self.spec.handler,
            cwd=self.spec.code_dir,
            env=self._environment(port, credentials),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=_STREAM_LIMIT,
            start_new_session=True,
        )
        self._init_guard = loop.call_later(INIT_SECONDS, self.kill)
        self._watch = loop.create_task(self._run())

    def invoke(self, request: InvocationRequest) -> asyncio.Future[tuple[bytes, str | None, bool]]:
        """Hand over one event; the environment must be idle. Yields payload, function error, crashed."""
        assert self._next is not None  # noqa: S101 - the pool hands out idle environments only
        loop = asyncio.get_running_loop()
        self._answer = loop.create_future()
        self._request = request
        self.invocations += 1
        connection, self._next = self._next, None
        headers = {
            "Lambda-Runtime-Aws-Request-Id": request.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + self.spec.timeout) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": request.invoked_arn,
            "Lambda-Runtime-Trace-Id": request.trace_header or f"Root=1-{int(time.time()):08x}-{uuid4().hex[:24]}",
        }
        if request.client_context:
            headers["Lambda-Runtime-Client-Context"] = request.client_context
        connection.send(200, request.payload, headers)
        return self._answer

    async def run(self, request: InvocationRequest) -> InvocationOutcome:
        """Invoke, wait for the answer or the function's timeout, and write Lambda's log lines around it."""
        started = time.monotonic()
        log = InvocationLog(self._log, request.request_id, self.spec)
        log.start()
        timer = asyncio.get_running_loop().call_later(self.spec.timeout, self._on_timeout, request)
        try:
            payload, error, crashed = await self.invoke(request)
        finally:
            timer.cancel()
        if len(payload) > MAX_RESPONSE_BYTES:
            payload, error = _too_large(len(payload)), "Unhandled"
        duration = (time.monotonic() - started) * 1000
        # What the handler printed travels by another pipe than its answer: let it be read first.
        if crashed:
            await self._drain_output()
        else:
            await asyncio.sleep(0)
        log.end(duration, error=_error_line(payload) if crashed else None, failed=error is not None)
        return InvocationOutcome(payload, error, log.tail(), duration, crashed)

    def kill(self) -> None:
        """End the process at once. A running event fails as crashed."""
        if self._process and self._process.returncode is None:
            self._kill_group()

    async def close(self) -> None:
        """Kill and wait until everything of this environment is gone."""
        self.kill()
        if self._watch:
            await self._watch

    # --- Runtime API -------------------------------------------------------------------------------------------

    def on_next(self, reply: RuntimeApiConnection) -> None:
        """The process asks for an event: it is idle."""
        if self._init_guard:
            self._init_guard.cancel()
            self._init_guard = None
        self.settled.set()
        self.initialised = True
        self._next = reply
        self._request = None
        self.idle_since = time.monotonic()
        self._on_idle(self)

    def on_response(self, request_id: str, body: bytes) -> None:
        """The handler returned."""
        self._settle(request_id, body, None)

    def on_error(self, request_id: str, body: bytes) -> None:
        """The handler raised."""
        self._settle(request_id, body, "Unhandled")

    def on_init_error(self, body: bytes) -> None:
        """The module could not be loaded; the process exits by itself."""
        self._init_error = body

    def init_failure(self) -> bytes:
        """Lambda's error for an environment that never became ready."""
        if self._init_error is not None:
            return self._init_error
        return _error("Runtime.ExitError", f"Error: Runtime exited during init ({self._exit_reason()})")

    # --- inside ------------------------------------------------------------------------------------------------

    def _settle(self, request_id: str, body: bytes, error: str | None, *, crashed: bool = False) -> None:
        if self._answer is None or self._request is None or self._request.request_id != request_id:
            return
        answer, self._answer = self._answer, None
        if not answer.done():
            answer.set_result((body, error, crashed))

    async def _run(self) -> None:
        assert self._process is not None  # noqa: S101 - started by start()
        assert self._process.stdout is not None  # noqa: S101 - a pipe, by start()
        self._reader = asyncio.ensure_future(self._read_output(self._process.stdout))
        await self._process.wait()
        self._kill_group()
        await self._drain_output()
        self.settled.set()
        self._next = None
        if self._init_guard:
            self._init_guard.cancel()
        if self._request is not None:
            message = f"RequestId: {self._request.request_id} Error: Runtime exited with error: {self._exit_reason()}"
            self._settle(self._request.request_id, _error("Runtime.ExitError", message), "Unhandled", crashed=True)
        if self._server:
            self._server.close()
        self._scratch.cleanup()
        self._on_death(self)

    def _kill_group(self) -> None:
        # With what the handler started: a child would keep the output pipe open, and outlive the sandbox.
        if self._process:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def _read_output(self, stream: asyncio.StreamReader) -> None:
        while True:
            try:
                line = await stream.readline()
            except ValueError:
                # Longer than the reader's limit: take it in pieces, as CloudWatch Logs would split it.
                line = await stream.read(_STREAM_LIMIT)
            if not line:
                return
            # awslambdaric keeps a traceback in one event by carriage returns and hard spaces; CloudWatch shows lines.
            text = line.decode("utf-8", errors="replace").rstrip("\r\n")
            self._log.write(text.replace("\r", "\n").replace("\u00a0", " "))

    async def _drain_output(self) -> None:
        if self._reader:
            await asyncio.wait([self._reader], timeout=1)

    def _exit_reason(self) -> str:
        code = self._process.returncode if self._process else None
        if code is not None and code < 0:
            return f"signal: {signal.Signals(-code).name.removeprefix('SIG').lower()}"
        return f"exit status {code}"

    def _on_timeout(self, request: InvocationRequest) -> None:
        message = f"RequestId: {request.request_id} Error: Task timed out after {self.spec.timeout:.2f} seconds"
        self._settle(request.request_id, _error("Sandbox.Timedout", message), "Unhandled", crashed=True)
        self.kill()

    def _environment(self, port: int, credentials: Credentials) -> dict[str, str]:
        """The variables of a Lambda environment.

        Names: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
        """
        spec = self.spec
        variables = {
            "AWS_ACCESS_KEY_ID": credentials.access_key,
            "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
            "AWS_SESSION_TOKEN": credentials.session_token,
            "AWS_REGION": spec.region,
            "AWS_DEFAULT_REGION": spec.region,
            "AWS_ENDPOINT_URL": self._settings.endpoint_url,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{spec.runtime}",
            "AWS_LAMBDA_FUNCTION_NAME": spec.function_name,
            "AWS_LAMBDA_FUNCTION_VERSION": spec.version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory_mb),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_FORMAT": spec.log_format,
            "AWS_LAMBDA_LOG_GROUP_NAME": spec.log_group,
            "AWS_LAMBDA_LOG_STREAM_NAME": self._log.stream,
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}",
            "LAMBDA_TASK_ROOT": str(spec.code_dir),
            "LAMBDA_RUNTIME_DIR": str(self._settings.layer),
            "_HANDLER": spec.handler,
            "PYTHONPATH": str(self._settings.layer),
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            # A laptop's own AWS profile must not reach a handler.
            "HOME": self._scratch.name,
            "TMPDIR": self._scratch.name,
        }
        if spec.log_level:
            variables["AWS_LAMBDA_LOG_LEVEL"] = spec.log_level
        return variables | dict(spec.environment)


def _error(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()


def _error_line(payload: bytes) -> str:
    message: str = json.loads(payload)["errorMessage"]
    return message


def _too_large(size: int) -> bytes:
    return _error(
        "Function.ResponseSizeTooLarge",
        f"Response payload size ({size} bytes) exceeded maximum allowed payload size ({MAX_RESPONSE_BYTES} bytes).",
    )
