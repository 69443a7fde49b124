"""The conversation: messages out as they are given, messages in as they come."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from durable_sandbox.cli.ws.handshake import Target, connected
from durable_sandbox.cli.ws.messages import framed, given, lines
from durable_sandbox.cli.ws.show import Screen

GOING_AWAY = 1001
"""Idle for too long, too old, or the stage is no more."""

LOST = 1006
"""Never sent: the connection broke, or nobody answered for 20 s."""


class EndedError(Exception):
    """The other side closed the connection: ``code`` of RFC 6455 and ``reason``, of it or of what went wrong."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code} {reason}".rstrip())
        self.code = code
        self.reason = reason

    @classmethod
    def of(cls, error: ConnectionClosed) -> EndedError:
        """From what websockets raises."""
        if error.rcvd is not None:
            return cls(error.rcvd.code, error.rcvd.reason)
        return cls(LOST, "connection lost" if error.sent is None else error.sent.reason or "connection lost")


class Client:
    """One connection. ``count``: end once so many messages have come; ``wait``: seconds of silence that end it.

    ``received`` counts them, and ``largest`` is the size in bytes of the largest message sent.
    """

    def __init__(self, target: Target, screen: Screen, *, count: int | None, wait: float) -> None:
        self._target = target
        self._screen = screen
        self._count = count
        self._wait = wait
        self.received = 0
        self.largest = 0

    async def run(self, messages: Sequence[str]) -> None:
        """Send ``messages``, or else the lines of the standard input, until the end.

        Raises EndedError, and what ``connected`` and ``lines`` raise.
        """
        async with connected(self._target) as connection:
            self._screen.opened(self._target.url, connection.subprotocol)
            sending = asyncio.create_task(self._send(connection, messages))
            try:
                while self._count is None or self.received < self._count:
                    message = await self._next(connection, sending)
                    if message is None:
                        return
                    self.received += 1
                    self._screen.received(message if isinstance(message, str) else message.decode(errors="replace"))
            except ConnectionClosed as error:
                raise EndedError.of(error) from error
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)

    async def _send(self, connection: ClientConnection, messages: Sequence[str]) -> bool:
        """Whether all could be sent."""
        async for text in given(messages) if messages else lines():
            self._screen.sent(text)
            self.largest = max(self.largest, len(text.encode()))
            try:
                await connection.send(framed(text))
            except ConnectionClosed:
                return False
        return True

    async def _next(self, connection: ClientConnection, sending: asyncio.Task[bool]) -> str | bytes | None:
        """The next message; None after a silence that begins when all is sent."""
        receiving = asyncio.ensure_future(connection.recv())
        try:
            await asyncio.wait((receiving, sending), return_when=asyncio.FIRST_COMPLETED)
            if not receiving.done():
                # What could not be sent finds the connection closed, and so does receiving: in a moment.
                await asyncio.wait((receiving,), timeout=self._wait if sending.result() else None)
            return receiving.result() if receiving.done() else None
        finally:
            receiving.cancel()
