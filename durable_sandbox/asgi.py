"""HTTP of the server, between ASGI and the requests and responses of the sandbox.

ASGI: https://asgi.readthedocs.io/en/latest/specs/www.html#http.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from durable_sandbox.aws.http import HttpRequest, HttpResponse

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


async def read_request(scope: Scope, receive: Receive) -> HttpRequest:
    """The whole request of an ASGI scope. Raises ConnectionError if the client leaves while sending it."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    chunks: list[bytes] = []
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError("The client left before its request was complete.")
        chunks.append(message.get("body", b""))
        more = message.get("more_body", False)
    raw_path = scope.get("raw_path") or scope["path"].encode()
    return HttpRequest(
        scope["method"],
        raw_path.decode("latin-1"),
        scope["query_string"].decode("latin-1"),
        headers,
        chunks[0] if len(chunks) == 1 else b"".join(chunks),
    )


async def write_response(response: HttpResponse, send: Send) -> None:
    """Send ``response``, with a Content-Length if it brings none and may have one."""
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    bodiless = response.status in (204, 304)
    if not bodiless and response.header("content-length") is None:
        headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if bodiless else response.body})


async def unless_disconnected(handling: Awaitable[Mapping[str, Any]], receive: Receive) -> Mapping[str, Any] | None:
    """What ``handling`` gives; None, and it is cancelled, if the client leaves before that."""
    work = asyncio.ensure_future(handling)
    gone = asyncio.ensure_future(receive())
    try:
        await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            return work.result()
        work.cancel()
        await asyncio.wait((work,))
        return None
    finally:
        gone.cancel()
        if not work.done():
            work.cancel()
