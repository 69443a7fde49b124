"""For the tests of `sandbox ws`: the command as a process, also on a terminal, and what it talks to."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve
from websockets.typing import Subprotocol

from durable_sandbox.cli import aws

COMMAND = [sys.executable, "-c", "from durable_sandbox.cli.main import main; main()", "ws"]
# On a terminal of its own; a process in between, because this one has threads, with which it must not fork.
_ON_TERMINAL = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"


def environment(**env: str) -> dict[str, str]:
    """This process's without AWS's variables, and ``env``."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SANDBOX_"))} | env


def run(*arguments: str | bytes, stdin: bytes = b"", **env: str) -> subprocess.CompletedProcess[str]:
    """Run `sandbox ws`."""
    done = subprocess.run(
        [*COMMAND, *arguments], env=environment(**env), input=stdin, capture_output=True, timeout=60, check=False
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def plain(output: str) -> list[str]:
    """Lines without their times."""
    return [re.sub(r"^\d\d:\d\d:\d\d\.\d{3} ", "", line) for line in output.splitlines()]


@dataclass
class Peer:
    """A server that answers each message with it; `close CODE` and `abort` are done, `frames` tells the sizes of the next's."""

    server: Server = field(init=False)
    requests: list[Headers] = field(default_factory=list)
    closed: list[int | None] = field(default_factory=list)

    def url(self, path: str = "/") -> str:
        host, port = self.server.socket.getsockname()
        return f"ws://{host}:{port}{path}"

    def talk(self, connection: ServerConnection) -> None:
        try:
            for message in connection:
                word, _, rest = str(message).partition(" ")
                if word == "close":
                    connection.close(int(rest), "as told")
                elif word == "abort":
                    connection.socket.shutdown(socket.SHUT_RDWR)
                elif word == "frames":
                    sizes = [len(str(piece).encode()) for piece in connection.recv_streaming()]
                    connection.send(json.dumps(sizes))
                else:
                    connection.send(f"{message}!")
        except ConnectionClosed:
            pass
        self.closed.append(connection.close_code)

    def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        self.requests.append(request.headers)
        status = request.path.strip("/")
        return connection.respond(HTTPStatus(int(status)), "no\n") if status.isdigit() else None


@contextmanager
def serving() -> Iterator[Peer]:
    """A server that serves."""
    peer = Peer()
    options: dict[str, Any] = {"process_request": peer.answer, "subprotocols": [Subprotocol("b")], "max_size": None}
    # Chooses what is offered and known, and takes clients that offer nothing.
    options["select_subprotocol"] = lambda _, offered: next((name for name in offered if name == "b"), None)
    with serve(peer.talk, "127.0.0.1", 0, **options) as server:
        peer.server = server
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield peer
        server.shutdown()
        thread.join()


class Terminal:
    """`sandbox ws` on a terminal of 24 lines of 80 characters."""

    def __init__(self, *arguments: str, **env: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _ON_TERMINAL, *COMMAND, *arguments],
            env=environment(LINES="24", COLUMNS="80", **env),
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._seen = ""

    def type(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode())

    def until(self, text: str) -> str:
        """What was shown since the last call, up to and with ``text``."""
        while text not in self._seen:
            chunk = self._read()
            assert chunk, f"it has ended: {self._seen}"
            self._seen += chunk
        shown, _, self._seen = self._seen.partition(text)
        return shown + text

    def end(self) -> tuple[int, str]:
        """The exit code, and the rest of what was shown."""
        while chunk := self._read():
            self._seen += chunk
        return self.process.wait(timeout=10), self._seen

    def _read(self) -> str:
        assert self.process.stdout is not None
        chunk: bytes = self.process.stdout.read(65_536)
        return chunk.decode()


def mock_stage(port: int, name: str, *, signed: bool = False) -> str:
    """The URL of a stage that answers each message with its connection's id; ``signed``: to who may sign alone."""
    apis = aws.client(port, "apigatewayv2")
    api = apis.create_api(Name=name, ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action")
    key = {"ApiId": api["ApiId"]}
    template = {"TemplateSelectionExpression": "\\$default"}
    mock = apis.create_integration(
        **key, **template, IntegrationType="MOCK", RequestTemplates={"$default": '{"statusCode": 200}'}
    )["IntegrationId"]
    apis.create_integration_response(
        **key,
        **template,
        IntegrationId=mock,
        IntegrationResponseKey="$default",
        ResponseTemplates={"$default": '{"id": "$context.connectionId"}'},
    )
    target = {"Target": f"integrations/{mock}"}
    route = apis.create_route(**key, **target, RouteKey="$default", RouteResponseSelectionExpression="$default")
    apis.create_route_response(**key, RouteId=route["RouteId"], RouteResponseKey="$default")
    if signed:
        apis.create_route(**key, **target, RouteKey="$connect", AuthorizationType="AWS_IAM")
    apis.create_stage(**key, StageName="live", AutoDeploy=True)
    return f"{api['ApiEndpoint']}/live"
