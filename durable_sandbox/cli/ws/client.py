"""The conversation: messages out as they are given, messages in as they come."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from durable_sandbox.cli.environment import REGION
from durable_sandbox.cli.ws.show import Screen

# A larger message has to come in frames of this size: https://docs.aws.amazon.com/apigateway/latest/developerguide/
# apigateway-execution-service-websocket-limits-table.html
_FRAME_BYTES = 32 * 1024
_SHOWN = 300


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect, and with which headers."""

    url: str
    headers: Sequence[tuple[str, str]] = ()
    subprotocols: Sequence[str] = ()
    sign: bool = False


class UnreachableError(Exception):
    """There is no connection; ``what`` is wrong, ``fix`` says what to do."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix


class ConnectionEndedError(Exception):
    """The other side closed the connection."""


class Client:
    """One connection. ``count``: end once so many messages have come; ``wait``: seconds of silence that end it."""

    def __init__(self, target: Target, screen: Screen, *, count: int | None, wait: float) -> None:
        self._target = target
        self._screen = screen
        self._count = count
        self._wait = wait
        self._received = 0
        self._all_sent = asyncio.Event()

    async def run(self, messages: Sequence[str]) -> int:
        """Send ``messages``, or else the lines of the standard input; how many came back.

        Raises UnreachableError, ConnectionEndedError.
        """
        async with self._connected() as connection:
            self._screen.opened(self._target.url, connection.subprotocol)
            sending = asyncio.create_task(self._send(connection, messages))
            try:
                await self._receive(connection)
            except ConnectionClosed as error:
                code, reason = (error.rcvd.code, error.rcvd.reason) if error.rcvd else (1006, "the connection was lost")
                raise ConnectionEndedError(f"The connection was closed: {code} {reason}".rstrip()) from error
            finally:
                sending.cancel()
                with contextlib.suppress(asyncio.CancelledError, ConnectionClosed):
                    await sending
        return self._received

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[ClientConnection]:
        target = self._target
        headers = [*target.headers, *(_signature(target.url) if target.sign else ())]
        try:
            connection = await connect(
                target.url,
                additional_headers=headers,
                subprotocols=list(target.subprotocols) or None,  # type: ignore[arg-type] # texts of a NewType
                compression=None,
                max_size=None,
            )
        except InvalidStatus as error:
            body = (error.response.body or b"").decode(errors="replace")[:_SHOWN]
            raise UnreachableError(
                f"The connection was refused: {error.response.status_code} {body}".rstrip(),
                "Look at the API's access log, and at what $connect asks for: headers (-H), a signature (--sign).",
            ) from error
        except (OSError, InvalidHandshake, InvalidURI, TimeoutError) as error:
            raise UnreachableError(
                f"There is no WebSocket API at {target.url}: {error or type(error).__name__}",
                "Is the sandbox up (`sandbox status`), and the stack applied?",
            ) from error
        async with connection:
            yield connection

    async def _send(self, connection: ClientConnection, messages: Sequence[str]) -> None:
        source = _given(messages) if messages else _lines()
        async for text in source:
            await connection.send(list(_frames(text)))
            self._screen.sent(text)
        self._all_sent.set()

    async def _receive(self, connection: ClientConnection) -> None:
        while self._count is None or self._received < self._count:
            message = await self._next(connection)
            if message is None:
                return
            self._received += 1
            self._screen.received(message if isinstance(message, str) else message.decode(errors="replace"))

    async def _next(self, connection: ClientConnection) -> str | bytes | None:
        """The next message; None after a silence that begins when all is sent."""
        receiving = asyncio.ensure_future(connection.recv())
        sent = asyncio.ensure_future(self._all_sent.wait())
        try:
            await asyncio.wait((receiving, sent), return_when=asyncio.FIRST_COMPLETED)
            if not receiving.done():
                await asyncio.wait((receiving,), timeout=self._wait)
            return receiving.result() if receiving.done() else None
        finally:
            sent.cancel()
            receiving.cancel()


def _frames(text: str) -> Iterator[str]:
    """``text`` in pieces of at most a frame's size, never within a character."""
    data, start = text.encode(), 0
    while start < len(data) or start == 0:
        piece = data[start : start + _FRAME_BYTES].decode(errors="ignore")
        yield piece
        start += len(piece.encode()) or 1


async def _given(messages: Sequence[str]) -> AsyncIterator[str]:
    for message in messages:
        yield message


async def _lines() -> AsyncIterator[str]:
    """Lines of the standard input, without their ends; empty ones are none. Read by a thread, which may stay behind."""
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[str | None]()

    def read() -> None:
        with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody waits for the rest
            for line in sys.stdin:
                loop.call_soon_threadsafe(queue.put_nowait, line.rstrip("\r\n"))
            loop.call_soon_threadsafe(queue.put_nowait, None)

    threading.Thread(target=read, name="stdin", daemon=True).start()
    while (line := await queue.get()) is not None:
        if line:
            yield line


def _signature(url: str) -> list[tuple[str, str]]:
    """Headers of Signature Version 4: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-control-access-iam.html."""
    from botocore.auth import SigV4Auth  # noqa: PLC0415 - a second of imports, seldom needed
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415 - as above
    from botocore.session import Session  # noqa: PLC0415 - as above

    session = Session()
    credentials = session.get_credentials()
    if credentials is None:
        raise UnreachableError("--sign needs AWS keys, and there are none.", 'Set them: eval "$(sandbox env)".')
    request = AWSRequest("GET", url.replace("ws", "http", 1))
    SigV4Auth(credentials, "execute-api", session.get_config_variable("region") or REGION).add_auth(request)
    return [(name, value) for name, value in request.headers.items() if name.lower() != "host"]
