"""The sandbox as a process: is it there, starting it, stopping it with everything that it started."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from durable_sandbox.cli.environment import HOST, command_line, endpoint_url
from durable_sandbox.cli.errors import ENVIRONMENT, CliError

START_SECONDS = 60.0
"""Far above the second that it takes: a machine may be busy, and a process that has died is noticed at once."""
STOP_SECONDS = 8.0
_TAIL_LINES = 25
# A proxy must never stand between us and our own machine.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class Running:
    """A sandbox that answers on ``port``."""

    port: int
    pid: int
    real_time: bool
    time_scale: float
    version: str
    instance: str
    iam: bool = True

    @property
    def endpoint_url(self) -> str:
        """Its address."""
        return endpoint_url(self.port)


@dataclass(frozen=True, slots=True)
class Start:
    """How to start a sandbox."""

    port: int
    real_time: bool = False
    time_scale: float = 60.0
    log_level: str = "info"
    iam: bool = True

    def command(self, *, with_stdin: bool) -> list[str]:
        """The command line of the server process; ``with_stdin``: it ends when its standard input does."""
        command = [sys.executable, "-m", "durable_sandbox.cli.serve", "--port", str(self.port)]
        command += ["--time-scale", str(self.time_scale), "--log-level", self.log_level]
        command += ["--real-time"] if self.real_time else []
        command += [] if self.iam else ["--no-iam"]
        return command + (["--until-stdin-closes"] if with_stdin else [])


def request_json(
    port: int, path: str, *, method: str = "GET", send: object = None, timeout: float = 10.0
) -> dict[str, Any]:
    """Call one of the sandbox's own routes, with ``send`` as JSON. Raises OSError or ValueError if it gives no JSON object."""
    data = None if send is None else json.dumps(send).encode()
    request = urllib.request.Request(endpoint_url(port) + path, data, method=method)  # noqa: S310 - http to this machine
    with _OPENER.open(request, timeout=timeout) as response:
        body = response.read()
    answer = json.loads(body) if body else {}
    if not isinstance(answer, dict):
        raise ValueError(f"{path} did not answer with a JSON object")  # noqa: TRY004 - a wrong value from outside
    return answer


def find(port: int, timeout: float = 2.0) -> Running | None:
    """The sandbox on ``port``, or None if nothing or something else is there."""
    try:
        health = request_json(port, "/_sandbox/health", timeout=timeout)
        if health.get("status") != "ok":
            return None
        pid = int(health["pid"])
        instance = str(health.get("instance") or f"{pid}-{_create_time(pid):.2f}")
        return Running(
            port,
            pid,
            bool(health["real_time"]),
            float(health["time_scale"]),
            str(health["version"]),
            instance,
            bool(health.get("iam")),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def require(port: int) -> Running:
    """The sandbox on ``port``. Raises CliError if there is none."""
    running = find(port)
    if running is None:
        fix = f"Start one: {command_line('up --detach', port)}"
        raise CliError(f"No sandbox answers on port {port}.", fix, exit_code=ENVIRONMENT)
    return running


def port_is_free(port: int) -> bool:
    """Whether a server could listen on ``port`` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port that is free at the moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


def listener(port: int) -> psutil.Process | None:
    """The process that listens on ``port``, where the system lets us know it."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.Error:  # macOS shows them to root only
        return None
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
            try:
                return psutil.Process(connection.pid)
            except psutil.Error:
                return None
    return None


def port_conflict(port: int) -> CliError:
    """The error for a port that something else than a sandbox uses."""
    owner = listener(port)
    try:
        who = f" by {owner.name()} (pid {owner.pid})" if owner else ""
    except psutil.Error:
        who = ""
    return CliError(
        f"Port {port} is in use{who}, and it is no sandbox.",
        f"Stop that process, or choose another port, such as --port {free_port()}.",
        exit_code=ENVIRONMENT,
    )


def start_detached(start: Start, directory: Path) -> Running:
    """Start a sandbox that outlives this process, its log in ``directory``; return when it answers.

    Raises CliError if the port is taken by something else or the sandbox does not answer within 10 s.
    """
    if not port_is_free(start.port):
        raise port_conflict(start.port)
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / f"sandbox-{start.port}.log"
    with log.open("wb") as output:
        child = subprocess.Popen(  # noqa: S603 - our own module
            start.command(with_stdin=False),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        running = wait_until_up(child, start.port, log)
    except BaseException:
        stop_tree(child.pid)
        raise
    write_pid_file(directory, running)
    return running


def wait_until_up(child: subprocess.Popen[bytes], port: int, log: Path) -> Running:
    """Wait until ``child`` answers on ``port``. Raises CliError with the tail of ``log`` if it does not."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        running = find(port, timeout=1.0)
        if running is not None:
            return running  # perhaps one that was started at the same time: as good as ours
        if child.poll() is not None:
            raise _failed_start(f"The sandbox ended at its start (exit code {child.returncode}).", log)
        time.sleep(0.05)
    raise _failed_start(f"The sandbox did not answer within {START_SECONDS:.0f} s.", log)


def _failed_start(what: str, log: Path) -> CliError:
    lines = log.read_text(errors="replace").splitlines()[-_TAIL_LINES:]
    return CliError(what, "\n".join([f"The end of its log ({log}):", *lines]))


def _create_time(pid: int) -> float:
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return 0.0


def pid_file(directory: Path, port: int) -> Path:
    """Where the pid of the sandbox on ``port`` is kept."""
    return directory / f"sandbox-{port}.json"


def write_pid_file(directory: Path, running: Running) -> None:
    """Remember ``running`` in ``directory``, so that ``down`` finds it even if it hangs."""
    directory.mkdir(parents=True, exist_ok=True)
    content = {"pid": running.pid, "port": running.port, "created": _create_time(running.pid)}
    pid_file(directory, running.port).write_text(json.dumps(content) + "\n")


def recorded_pid(directory: Path, port: int) -> int | None:
    """The pid in the pid file, if that very process still runs."""
    try:
        content = json.loads(pid_file(directory, port).read_text())
        pid, created = int(content["pid"]), float(content["created"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return pid if created and _create_time(pid) == created else None


def stop(port: int, directory: Path) -> int | None:
    """Stop the sandbox on ``port`` with all that it started. Its pid, or None if there was none.

    Raises CliError if it runs where this machine's processes cannot be seen or may not be stopped.
    """
    running = find(port)
    pid = running.pid if running else recorded_pid(directory, port)
    if pid is None:
        return None
    if running and not psutil.pid_exists(pid):
        raise CliError(
            f"The sandbox on port {port} is process {pid} of another machine or container.", "Stop it where it started."
        )
    stop_tree(pid)
    pid_file(directory, port).unlink(missing_ok=True)
    return pid


def stop_tree(pid: int, seconds: float = STOP_SECONDS) -> None:
    """SIGTERM to ``pid``; after ``seconds`` kill it; then kill what is left of its descendants."""
    try:
        process = psutil.Process(pid)
        descendants = process.children(recursive=True)
        process.terminate()
        try:
            process.wait(timeout=seconds)
        except psutil.TimeoutExpired:
            descendants = process.children(recursive=True)
            process.kill()
            process.wait(timeout=seconds)
    except psutil.NoSuchProcess:
        return
    except psutil.AccessDenied as error:
        raise CliError(
            f"Process {pid} may not be stopped by this user.", "Stop it as the user who started it."
        ) from error
    for descendant in descendants:
        if descendant.is_running():
            descendant.kill()
