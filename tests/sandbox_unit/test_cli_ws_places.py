"""`sandbox ws` on a terminal, and against a sandbox."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from cli_ws_support import COMMAND, Peer, Terminal, environment, mock_stage, run, serving

from durable_sandbox.cli import process
from durable_sandbox.cli.process import Start

KEYS = {"AWS_ACCESS_KEY_ID": "sandbox", "AWS_SECRET_ACCESS_KEY": "sandbox"}


@pytest.fixture
def peer() -> Iterator[Peer]:
    with serving() as peer:
        yield peer


Open = Callable[..., Terminal]


@pytest.fixture
def terminal() -> Iterator[Open]:
    opened: list[Terminal] = []

    def start(*arguments: str, **env: str) -> Terminal:
        opened.append(Terminal(*arguments, **env))
        return opened[-1]

    yield start
    for one in opened:
        with one.process:
            process.stop_tree(one.process.pid)


class TestTerminal:
    def test_what_comes_is_put_above_what_is_being_typed(self, terminal: Open, peer: Peer) -> None:
        screen = terminal(peer.url())
        assert f"Connected to {peer.url()}. Each line is a message; Ctrl-D ends.\r\n" in screen.until("> ")
        screen.type("hello\nhalf a li")
        above = screen.until("half a li") + screen.until("\x1b8\x1b[1B")
        assert re.search(r"\x1b7\r\n\x1b\[1A\x1b\[1L\d\d:\d\d:\d\d\.\d{3} < hello!\r\n\x1b8\x1b\[1B$", above)
        screen.type("ne\n")
        screen.until("< half a line!")
        long = "x" * 100
        screen.type(f"{long}\n")
        assert f"< {long}!\r\n\x1b8\x1b[2B" in screen.until("\x1b8\x1b[2B"), "of two rows"

    @pytest.mark.parametrize("key", ["\x04", "\x03"], ids=["Ctrl-D", "Ctrl-C"])
    def test_ended_here(self, terminal: Open, peer: Peer, key: str) -> None:
        screen = terminal(peer.url())
        screen.until("> ")
        started = time.monotonic()
        screen.type(key)
        code, shown = screen.end()
        assert (code, shown[-2:]) == (0, "\r\n")
        assert time.monotonic() - started < 4, "without a wait for silence"
        assert peer.closed == [1000]

    def test_closed_there(self, terminal: Open, peer: Peer) -> None:
        screen = terminal(peer.url(), "-n", "3")
        screen.until("> ")
        screen.type("close 1001\n")
        code, shown = screen.end()
        assert code == 1
        assert "\r\nError: The connection was closed: 1001 as told\r\n" in shown

    def test_refused(self, terminal: Open, peer: Peer) -> None:
        screen = terminal(peer.url("/403"))
        code, shown = screen.end()
        assert (code, shown[:21]) == (1, "Error: The connection")


@dataclass(frozen=True)
class Stage:
    """A stage in a sandbox whose connections may be idle for three seconds."""

    port: int
    url: str


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    running = process.start_detached(Start(process.free_port(), time_scale=200), tmp_path_factory.mktemp("sandbox"))
    try:
        yield Stage(running.port, mock_stage(running.port, "mock", signed=True))
    finally:
        process.stop_tree(running.pid)


class TestWithSandbox:
    def test_signed_conversation(self, stage: Stage) -> None:
        done = run(f"{stage.url}?a=b%20c", "--sign", "-s", "{}", "-s", "no JSON", "-n", "2", "--json", **KEYS)
        assert done.returncode == 0, done.stderr
        texts = [json.loads(line) for line in done.stdout.splitlines()]
        ids = {json.loads(one["text"])["id"] for one in texts if one["direction"] == "received"}
        assert len(ids) == 1

    def test_unsigned_is_refused(self, stage: Stage) -> None:
        done = run(stage.url, "-s", "{}")
        assert done.returncode == 1
        assert f"The connection to {stage.url} was refused: 403" in done.stderr
        assert "wants a signature (--sign)" in done.stderr
        assert "no such API" not in done.stderr

    def test_no_such_stage(self, stage: Stage) -> None:
        done = run(f"{stage.url}ly", "-s", "{}")
        assert done.returncode == 1
        assert f"There is no such API and stage. The sandbox has: {stage.url}.\n" in done.stderr

    def test_too_large(self, stage: Stage) -> None:
        done = run(stage.url, "--sign", stdin=b"x" * 140_000, **KEYS)
        assert done.returncode == 1
        assert "closed: 1009" in done.stderr
        assert "The largest message sent has 140000 bytes; API Gateway takes 131072" in done.stderr

    def test_idle(self, stage: Stage) -> None:
        done = run(stage.url, "--sign", "-s", "{}", "--wait", "30", **KEYS)
        assert done.returncode == 1
        assert "The connection was closed: 1001 Going away\n" in done.stderr
        assert "this sandbox after 3 s and 36 s (time scale 200)" in done.stderr
        assert f"up --detach --time-scale 1 --port {stage.port}" in done.stderr

    def test_who_types_is_told_of_it(self, terminal: Open, stage: Stage) -> None:
        screen = terminal(stage.url, "--sign", **KEYS)
        assert "After 3 s without a message this sandbox closes it" in screen.until("> ")
        assert "closed: 1001" in screen.end()[1]

    def test_reset(self, stage: Stage) -> None:
        """The last of these: it deletes the API."""
        command = [*COMMAND, stage.url, "--sign", "-s", "{}", "--wait", "60"]
        with subprocess.Popen(
            command, env=environment(**KEYS), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as child:
            assert child.stdout is not None
            child.stdout.readline(), child.stdout.readline()
            process.request_json(stage.port, "/_sandbox/reset", method="POST", timeout=60.0)
            _, stderr = child.communicate(timeout=20)
        assert child.returncode == 1
        assert b"The sandbox was reset: what was in it is gone." in stderr
