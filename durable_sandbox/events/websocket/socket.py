"""A client's WebSocket as this package sees it, apart from any server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

# https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
MAXIMUM_FRAME_BYTES = 32 * 1024
MAXIMUM_MESSAGE_BYTES = 128 * 1024


@dataclass(frozen=True, slots=True)
class Closed:
    """The connection has ended: RFC 6455 status code, and the reason that came with it."""

    code: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Binary:
    """A binary message, which API Gateway does not take."""

    size: int


class Socket(Protocol):
    """One connection. Nothing is sent after ``close``, and ``receive`` then gives Closed."""

    async def accept(self, headers: Sequence[tuple[str, str]]) -> None:
        """Complete the handshake."""
        ...

    async def refuse(self, status: int, headers: Sequence[tuple[str, str]], body: str) -> None:
        """Answer the handshake with an HTTP response instead."""
        ...

    async def receive(self) -> str | Binary | Closed:
        """The next message, whole. May be cancelled without losing one."""
        ...

    async def send(self, text: str) -> None:
        """Send a text message; returns once it is on its way. Raises ConnectionError if the client is gone."""
        ...

    async def close(self, code: int, reason: str) -> None:
        """Close, if it is open."""
        ...


@dataclass(frozen=True, slots=True)
class Handshake:
    """An upgrade request. ``headers`` have lower-case names; ``access_key`` is the one that signed it, None if unsigned."""

    host: str
    path: str
    headers: Sequence[tuple[str, str]]
    query: Sequence[tuple[str, str]]
    source_ip: str
    access_key: str | None = None

    def header(self, name: str) -> str | None:
        """The first value of header ``name`` (lower case)."""
        return next((value for key, value in self.headers if key == name), None)
