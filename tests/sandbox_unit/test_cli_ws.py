"""`sandbox ws` as a user meets it: a process, against a small server."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_ws_support import COMMAND, Peer, environment, plain, run, serving

from durable_sandbox.cli import process
from durable_sandbox.cli.ws import handshake

FRAME = 32 * 1024


@pytest.fixture
def peer() -> Iterator[Peer]:
    with serving() as peer:
        yield peer


class TestMessages:
    def test_given_ones(self, peer: Peer) -> None:
        done = run(peer.url(), "-s", "one", "-s", "two", "-n", "2")
        assert (done.returncode, done.stderr) == (0, "")
        assert sorted(plain(done.stdout)) == ["< one!", "< two!", "> one", "> two"]
        assert peer.closed == [1000]

    def test_lines_of_a_pipe_and_silence_at_the_end(self, peer: Peer) -> None:
        started = time.monotonic()
        done = run(peer.url(), "--wait", "0.5", "--json", stdin="ä\r\n\n{}\nlast".encode())
        assert (done.returncode, done.stderr) == (0, "")
        assert time.monotonic() - started > 0.5
        found = [json.loads(line) for line in done.stdout.splitlines()]
        assert [one["text"] for one in found if one["direction"] == "sent"] == ["ä", "{}", "last"]
        assert [one["text"] for one in found if one["direction"] == "received"] == ["ä!", "{}!", "last!"]
        assert all(one["time"].endswith("+00:00") for one in found)

    def test_what_comes_is_one_line_and_moves_no_cursor(self, peer: Peer) -> None:
        done = run(peer.url(), "-s", "a\nb\x1b[2J", "-n", "1")
        assert plain(done.stdout) == ["> a\\nb\\x1b[2J", "< a\\nb\\x1b[2J!"]

    def test_more_than_a_frame(self, peer: Peer) -> None:
        text = "x" + "ä" * FRAME  # no character may be cut
        done = run(peer.url(), "-n", "1", stdin=f"frames\n{text}\n".encode())
        sizes = json.loads(plain(done.stdout)[-1].removeprefix("< "))
        assert sum(sizes) == len(text.encode())
        assert [size for size in sizes if size] == [FRAME - 1, FRAME, 2]

    def test_a_frame_is_one(self, peer: Peer) -> None:
        done = run(peer.url(), "-s", "frames", "-s", "x" * FRAME, "-n", "1")
        assert plain(done.stdout)[-1] == f"< [{FRAME}]"

    def test_no_input(self, peer: Peer) -> None:
        done = run(peer.url(), "--wait", "0")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    def test_too_few_come(self, peer: Peer) -> None:
        done = run(peer.url(), "-s", "a", "-n", "2", "--wait", "0.2")
        assert done.returncode == 1
        assert "1 of 2 messages came." in done.stderr
        assert "--wait" in done.stderr

    def test_not_utf8(self, peer: Peer) -> None:
        done = run(peer.url(), stdin=b"good\nb\xfcse\nnever\n")
        assert (done.returncode, "never" in done.stdout) == (2, False)
        assert "Line 2 of the input is no UTF-8: byte 2 is 0xfc." in done.stderr
        done = run(peer.url(), "-s", b"b\xfcse")
        assert done.returncode == 2
        assert "no UTF-8: byte 0xfc" in done.stderr
        assert "Traceback" not in done.stderr


class TestEnd:
    @pytest.mark.parametrize(
        ("code", "advice"),
        [
            (1000, "Whoever runs the API closed it."),
            (1001, "after 10 minutes without a message"),
            (1009, "The largest message sent has 10 bytes; API Gateway takes 131072"),
            (1011, "connect again"),
            (1012, "what was in it is gone"),
            (4000, "access log"),
        ],
    )
    def test_closed_there(self, peer: Peer, code: int, advice: str) -> None:
        done = run(peer.url(), "-s", "a", "-s", f"close {code}")
        assert done.returncode == 1
        assert f"The connection was closed: {code} as told\n" in done.stderr
        assert advice in done.stderr
        assert "< a!" in plain(done.stdout)

    def test_lost(self, peer: Peer) -> None:
        done = run(peer.url(), "-s", "abort")
        assert done.returncode == 1
        assert "The connection was closed: 1006 connection lost" in done.stderr

    def test_enough_came_before(self, peer: Peer) -> None:
        assert run(peer.url(), "-s", "a", "-s", "close 1001", "-n", "1").returncode == 0

    def test_interrupted_script(self, peer: Peer) -> None:
        command = [*COMMAND, peer.url(), "-s", "a", "--wait", "60"]
        with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
            assert child.stdout is not None
            assert [child.stdout.readline()[-4:] for _ in range(2)] == [b"> a\n", b" a!\n"]
            child.send_signal(signal.SIGINT)
            _, stderr = child.communicate(timeout=20)
        assert (child.returncode, stderr) == (130, b"Interrupted.\n")
        assert peer.closed == [1000]

    def test_reader_of_the_output_has_gone(self, peer: Peer, tmp_path: Path) -> None:
        script = f"yes x | head -50000 | {shlex.join([*COMMAND, peer.url()])} | head -1"
        done = subprocess.run(
            ["sh", "-c", script],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert plain(done.stdout) == ["> x"]
        assert "Traceback" not in done.stderr


class TestHandshake:
    def test_headers_and_subprotocol(self, peer: Peer) -> None:
        options = ["-H", "X-Shop: north: 1", "-H", "x-shop:south", "--subprotocol", "a", "--subprotocol", "b"]
        assert run(peer.url(), *options, "-s", "x", "-n", "1").returncode == 0
        (headers,) = peer.requests
        assert headers.get_all("X-Shop") == ["north: 1", "south"]
        assert headers["Sec-WebSocket-Protocol"] == "a, b"
        assert "Sec-WebSocket-Extensions" not in headers

    def test_signature(self, peer: Peer) -> None:
        keys = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}
        done = run(peer.url("/live?a=1"), "--sign", "-s", "x", "-n", "1", AWS_DEFAULT_REGION="eu-west-1", **keys)
        assert done.returncode == 0, done.stderr
        (headers,) = peer.requests
        assert re.search(r"Credential=AKIDEXAMPLE/\d{8}/eu-west-1/execute-api/aws4_request", headers["Authorization"])
        assert headers["X-Amz-Security-Token"] == "t"
        assert len(headers.get_all("Host")) == 1

    @pytest.mark.parametrize(
        ("host", "region"),
        [("abc.execute-api.eu-central-1.amazonaws.com", "eu-central-1"), ("shop.example.com", "eu-west-1")],
    )
    def test_signature_is_of_the_region_of_the_url(
        self, monkeypatch: pytest.MonkeyPatch, host: str, region: str
    ) -> None:
        for name, value in (("ACCESS_KEY_ID", "k"), ("SECRET_ACCESS_KEY", "s"), ("DEFAULT_REGION", "eu-west-1")):
            monkeypatch.setenv(f"AWS_{name}", value)
        assert f"/{region}/execute-api/" in dict(handshake._signature(f"wss://{host}/live"))["Authorization"]

    def test_signing_without_keys(self, peer: Peer, tmp_path: Path) -> None:
        nothing = {"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}
        done = run(peer.url(), "--sign", "-s", "x", **nothing)
        assert (done.returncode, peer.requests) == (1, [])
        assert "--sign needs AWS keys: there are none\nSet some: eval" in done.stderr
        done = run(peer.url(), "--sign", "-s", "x", AWS_PROFILE="nobody", **nothing)
        assert "(nobody) could not be found" in done.stderr

    @pytest.mark.parametrize(
        ("status", "advice"),
        [(401, "a header (-H)"), (403, "--sign"), (429, "wait a second"), (500, "access log"), (200, "$connect")],
    )
    def test_refused(self, peer: Peer, status: int, advice: str) -> None:
        done = run(peer.url(f"/{status}"), "-s", "x")
        assert (done.returncode, done.stdout) == (1, "")
        assert f"was refused: {status} no\n" in done.stderr
        assert advice in done.stderr

    def test_nothing_listens(self) -> None:
        port = process.free_port()
        done = run(f"ws://127.0.0.1:{port}/live", "-s", "x")
        assert done.returncode == 1
        assert f"No connection to ws://127.0.0.1:{port}/live: Connect call failed" in done.stderr
        assert re.search(rf"No sandbox runs there: .*up --detach --port {port}", done.stderr)

    def test_no_such_host(self) -> None:
        done = run("ws://no-such-host.invalid/live", "-s", "x", NO_PROXY="*")
        assert done.returncode == 1
        assert "No connection to ws://no-such-host.invalid/live: " in done.stderr
        assert "HTTPS_PROXY" in done.stderr

    def test_tls_to_a_server_without(self, peer: Peer) -> None:
        done = run(peer.url().replace("ws:", "wss:"), "-s", "x")
        assert done.returncode == 1
        assert "The sandbox speaks ws://, without TLS." in done.stderr

    def test_a_proxy_is_not_asked_for_this_machine(self, peer: Peer) -> None:
        proxies = dict.fromkeys(("http_proxy", "HTTP_PROXY", "ws_proxy", "all_proxy"), "http://127.0.0.1:9")
        assert run(peer.url(), "-s", "x", "-n", "1", **proxies).returncode == 0

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["http://127.0.0.1/live"], "'http://127.0.0.1/live' is no WebSocket URL.\nGive ws://"),
            (["ws://"], "'ws://' is no URL: hostname isn't provided.\nGive ws://"),
            (["ws://127.0.0.1:99999/"], "'ws://127.0.0.1:99999/' is no URL: Port out of range 0-65535."),
            (["ws://x", "-H", "Name"], "--header is 'Name'.\nWrite it as 'Name: value'"),
            (["ws://x", "-H", "a b: c"], "--header is 'a b: c'."),
            (["ws://x", "-H", "a: b\nc: d"], "--header is 'a: b\\nc: d'."),
            (["ws://x", "--subprotocol", "a b"], "--subprotocol is 'a b'."),
            (["ws://x", "--count", "0"], "--count"),
        ],
    )
    def test_wrong_usage(self, arguments: list[str], said: str) -> None:
        done = run(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr
        assert "Traceback" not in done.stderr
