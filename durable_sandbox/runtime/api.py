"""The Lambda Runtime API for one execution environment.

Protocol: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol, cast

import httptools


class RuntimeApiHandler(Protocol):
    """What an environment does when its process calls."""

    def on_next(self, reply: RuntimeApiConnection) -> None:
        """The process is ready for an event; answer through ``reply`` when there is one."""

    def on_response(self, request_id: str, body: bytes) -> None:
        """The handler returned ``body``."""

    def on_error(self, request_id: str, body: bytes) -> None:
        """The handler raised; ``body`` is the error as JSON."""

    def on_init_error(self, body: bytes) -> None:
        """The module could not be loaded; ``body`` is the error as JSON."""


class RuntimeApiConnection(asyncio.Protocol):
    """One HTTP/1.1 connection of a process."""

    def __init__(self, handler: RuntimeApiHandler) -> None:
        self._handler = handler
        self._parser: Any = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._url = b""
        self._body: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the transport."""
        self._transport = cast("asyncio.Transport", transport)

    @property
    def closed(self) -> bool:
        """Whether the process has gone."""
        return self._transport is None or self._transport.is_closing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the process has gone."""
        del exc
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Feed the parser."""
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        """Called by the parser."""
        self._url += url

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Called by the parser: dispatch one request."""
        url, body = self._url.decode("latin-1"), b"".join(self._body)
        self._url, self._body = b"", []
        parts = url.removeprefix("/2018-06-01/runtime/").split("/")
        match parts:
            case ["invocation", "next"]:
                self._handler.on_next(self)
            case ["invocation", request_id, "response"]:
                self._handler.on_response(request_id, body)
                self.send(202, b"{}", {})
            case ["invocation", request_id, "error"]:
                self._handler.on_error(request_id, body)
                self.send(202, b"{}", {})
            case ["init", "error"]:
                self._handler.on_init_error(body)
                self.send(202, b"{}", {})
            case _:
                self.send(404, b'{"errorMessage":"unknown Runtime API path"}', {})

    def send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        """Answer the request in flight."""
        if self._transport is None or self.closed:
            return
        head = [f"HTTP/1.1 {status} OK", f"Content-Length: {len(body)}", "Content-Type: application/json"]
        head += [f"{name}: {value}" for name, value in headers.items()]
        self._transport.write("\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body)
