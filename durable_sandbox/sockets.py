"""WebSockets of the server: from ASGI to what the data plane of WebSocket APIs serves.

ASGI: https://asgi.readthedocs.io/en/latest/specs/www.html#websocket and its extension "websocket.http.response".
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping, Sequence
from typing import Any, Protocol, runtime_checkable
from urllib.parse import parse_qsl, unquote

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from durable_sandbox.asgi import Receive, Send
from durable_sandbox.aws.http import HttpRequest
from durable_sandbox.events.websocket import frames
from durable_sandbox.events.websocket.deployed import ENDPOINT_PATH, Apis
from durable_sandbox.events.websocket.socket import Binary, Closed, Handshake, Socket

_PATH = re.compile(rf"{ENDPOINT_PATH}/(?P<api>[^/]+)/(?P<stage>[^/]+)(?P<rest>/.*)?")


@runtime_checkable
class WebSockets(Protocol):
    """What serves clients of WebSocket APIs."""

    async def serve(self, target: tuple[str, str] | None, handshake: Handshake, socket: Socket) -> None:
        """Serve a client until it is gone; ``target`` is API id and stage, None if its URL names none."""
        ...


class AsgiSocket:
    """One ASGI connection as a Socket."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._closed: Closed | None = None

    async def accept(self, headers: Sequence[tuple[str, str]]) -> None:
        """Complete the handshake."""
        await self._put({"type": "websocket.accept", "headers": _encoded(headers)})

    async def refuse(self, status: int, headers: Sequence[tuple[str, str]], body: str) -> None:
        """Answer the handshake with an HTTP response instead."""
        data = body.encode()
        headers = [*headers, ("content-length", str(len(data)))]
        await self._put({"type": "websocket.http.response.start", "status": status, "headers": _encoded(headers)})
        await self._put({"type": "websocket.http.response.body", "body": data})

    async def receive(self) -> str | Binary | Closed:
        """The next message, whole; Closed again and again once the connection has ended."""
        while self._closed is None:
            event = await self._receive()
            if event["type"] == "websocket.disconnect":
                self._closed = Closed(event.get("code") or frames.ABNORMAL, event.get("reason") or "")
            elif event["type"] == "websocket.receive":
                text = event.get("text")
                return text if text is not None else Binary(len(event.get("bytes") or b""))
        return self._closed

    async def send(self, text: str) -> None:
        """Send a text message. Raises ConnectionError if the client is gone."""
        if self._closed is not None:
            raise ConnectionResetError("the connection is closed")
        await self._put({"type": "websocket.send", "text": text})

    async def close(self, code: int, reason: str) -> None:
        """Close, if it is open."""
        if self._closed is None:
            self._closed = Closed(code, reason)
            try:
                await self._send({"type": "websocket.close", "code": code, "reason": reason})
            except OSError:
                return  # the client was faster

    async def _put(self, message: MutableMapping[str, Any]) -> None:
        try:
            await self._send(message)
        except OSError as error:  # uvicorn's ClientDisconnected is one
            raise ConnectionResetError("the client is gone") from error


class LingeringProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSockets, whose clients hear why a frame or message is refused even while they go on sending.

    uvicorn closes at once, and a TCP connection closed with data unread is reset: the client loses the close frame with its
    code. RFC 6455 section 7.1.1 has the server send its frame and EOF, and read on until the client closes too.
    """

    def data_received(self, data: bytes) -> None:
        """Take bytes of the client; those that come after the refusal are read and dropped."""
        if self.conn.parser_exc is not None:
            self.conn.receive_data(data)
            return
        super().data_received(data)

    def handle_parser_exception(self) -> None:
        """Tell the application and the client, and wait for the client to close, up to ``close_timeout`` seconds."""
        refusal = self.conn.close_sent
        assert refusal is not None  # noqa: S101 - the parser has failed the connection
        self.queue.put_nowait({"type": "websocket.disconnect", "code": refusal.code, "reason": refusal.reason})
        self.close_sent = True
        self.close_timer = self.loop.call_later(self.close_timeout, self.transport.close)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.write_eof()


def target_of(path: str, host: str, apis: Apis) -> tuple[str, str] | None:
    """API id and stage that a URL names: by its path, or by a custom domain's name and the path's first part."""
    match = _PATH.fullmatch(path)
    if match is not None:
        return match["api"], match["stage"]
    return apis.mapped(host.partition(":")[0], path.strip("/").partition("/")[0])


def connections_request(request: HttpRequest) -> tuple[HttpRequest, dict[str, str]] | None:
    """A request of @connections without the endpoint's own path, and what that says; None if it has no such path."""
    match = _PATH.fullmatch(request.raw_path)
    if match is None or not (match["rest"] or "").startswith("/@connections/"):
        return None
    inner = HttpRequest(request.method, match["rest"], request.query_string, request.headers, request.body)
    return inner, {"ApiId": unquote(match["api"]), "Stage": unquote(match["stage"])}


def handshake_of(scope: MutableMapping[str, Any], access_key: str | None) -> Handshake:
    """The upgrade request of an ASGI scope."""
    headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
    query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    client = scope.get("client")
    host = next((value for name, value in headers if name == "host"), "")
    return Handshake(host, scope["path"], headers, query, client[0] if client else "127.0.0.1", access_key)


def _encoded(headers: Sequence[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
