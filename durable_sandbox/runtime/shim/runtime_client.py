"""The native client module that awslambdaric expects, in plain Python.

awslambdaric compiles one for Linux and one interpreter; this one speaks the same protocol on every interpreter and
system, so that a function can run on its own runtime's Python. Protocol:
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import os
import site
import socket
import sys

# The process runs without site-packages (-S), but not without what site puts among the builtins: exit, quit, help.
site.setquit()
site.setcopyright()
site.sethelper()

_PREFIX = "/2018-06-01/runtime/invocation"


class _Connection:
    """One kept-alive HTTP/1.1 connection to the Runtime API. The server always sends a Content-Length."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._buffer = b""

    def request(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[bytes, dict[str, str]]:
        if self._socket is None:
            host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].rsplit(":", 1)
            self._socket = socket.create_connection((host, int(port)))
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        lines = [f"{method} {path} HTTP/1.1", "Host: runtime", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._socket.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
        return self._read_response()

    def _read_response(self) -> tuple[bytes, dict[str, str]]:
        while b"\r\n\r\n" not in self._buffer:
            self._receive()
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        status_line, *header_lines = head.decode("latin-1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in header_lines)
        length = int(headers["Content-Length"])
        while len(self._buffer) < length:
            self._receive()
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        if not status_line.split(" ", 2)[1].startswith("2"):
            msg = f"Runtime API: {status_line}: {body.decode(errors='replace')}"
            raise RuntimeError(msg)
        return body, headers

    def _receive(self) -> None:
        assert self._socket is not None  # noqa: S101 - only called on an open connection
        try:
            data = self._socket.recv(1 << 16)
        except ConnectionResetError:
            data = b""
        if not data:
            # The sandbox is gone. There is nobody to report to.
            sys.exit(0)
        self._buffer += data


_connection = _Connection()


def initialize_client(user_agent: str) -> None:
    """Accept awslambdaric's user agent; the sandbox does not ask for it."""


def next() -> tuple[bytes, dict[str, str | int]]:  # noqa: A001 - the name that awslambdaric calls
    """Wait for the next invocation: its event and the Lambda-Runtime-* headers, the deadline in ms as a number."""
    body, texts = _connection.request("GET", f"{_PREFIX}/next", b"", {})
    headers: dict[str, str | int] = dict(texts)
    headers["Lambda-Runtime-Deadline-Ms"] = int(texts["Lambda-Runtime-Deadline-Ms"])
    return body, headers


def post_invocation_result(
    invoke_id: str,
    result_data: bytes,
    content_type: str,
    invocation_id: str | None = None,  # noqa: ARG001 - the signature that awslambdaric calls
) -> None:
    """Report an invocation's result."""
    _connection.request("POST", f"{_PREFIX}/{invoke_id}/response", result_data, {"Content-Type": content_type})


def post_error(
    invoke_id: str,
    error_response_data: str,
    xray_fault: str,  # noqa: ARG001 - the signature that awslambdaric calls
    invocation_id: str | None = None,  # noqa: ARG001 - the same
) -> None:
    """Report an invocation's error."""
    _connection.request("POST", f"{_PREFIX}/{invoke_id}/error", error_response_data.encode(), {})
