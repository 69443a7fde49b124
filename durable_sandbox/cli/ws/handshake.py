"""From a URL to an open connection."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, InvalidURI, WebSocketException
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from durable_sandbox.cli.environment import REGION

# What $connect calls may take 29 seconds: https://docs.aws.amazon.com/apigateway/latest/developerguide/
# apigateway-execution-service-websocket-limits-table.html
_OPEN_SECONDS = 35.0
_CLOSE_SECONDS = 3.0
_LOCAL = ("127.0.0.1", "localhost", "::1")
_REGION = re.compile(r"\.execute-api\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?$")


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect, and with which headers. Raises ValueError for a URL that is none."""

    url: str
    headers: Sequence[tuple[str, str]] = ()
    subprotocols: Sequence[str] = ()
    sign: bool = False

    def __post_init__(self) -> None:
        try:
            parse_uri(self.url)
        except (InvalidURI, ValueError) as error:
            raise ValueError(f"{self.url!r} is no URL: {getattr(error, 'msg', error)}.") from error

    @property
    def local(self) -> bool:
        """Whether it is on this machine, as a sandbox is."""
        return urlsplit(self.url).hostname in _LOCAL

    @property
    def port(self) -> int:
        """The port, that of the scheme if the URL has none."""
        return parse_uri(self.url).port

    async def open(self) -> ClientConnection:
        """Connect. Raises RefusedError, UnreachableError, KeysError."""
        headers = [*self.headers, *(_signature(self.url) if self.sign else ())]
        try:
            return await connect(
                self.url,
                additional_headers=headers,
                subprotocols=[Subprotocol(name) for name in self.subprotocols] or None,
                compression=None,  # API Gateway offers none
                max_size=None,
                open_timeout=_OPEN_SECONDS,
                close_timeout=_CLOSE_SECONDS,
                proxy=None if self.local else True,  # a proxy must never stand between us and our own machine
            )
        except InvalidStatus as error:
            response = error.response
            raise RefusedError(response.status_code, (response.body or b"").decode(errors="replace")) from error
        except (OSError, WebSocketException, ImportError) as error:  # ImportError: of a SOCKS proxy
            raise UnreachableError(getattr(error, "strerror", None) or str(error) or type(error).__name__) from error


@contextlib.asynccontextmanager
async def connected(target: Target) -> AsyncIterator[ClientConnection]:
    """A connection that is closed in order however the block ends. Raises as ``Target.open``."""
    connection = await target.open()
    try:
        yield connection
    finally:
        await connection.close()


class RefusedError(Exception):
    """The handshake was answered with an HTTP response."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"{status} {body}".rstrip())
        self.status = status
        self.body = body


class UnreachableError(Exception):
    """There is no connection, or nothing at its other end that speaks WebSocket."""


class KeysError(Exception):
    """There are no AWS keys to sign with."""


def _signature(url: str) -> list[tuple[str, str]]:
    """Headers of Signature Version 4: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-control-access-iam.html."""
    from botocore.auth import SigV4Auth  # noqa: PLC0415 - a second of imports, seldom needed
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415 - as above
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - as above
    from botocore.session import Session  # noqa: PLC0415 - as above

    session = Session()
    try:
        credentials = session.get_credentials()
        region = session.get_config_variable("region")
    except BotoCoreError as error:  # such as a profile that is not there
        raise KeysError(str(error)) from error
    if credentials is None:
        raise KeysError("there are none")
    named = _REGION.search(urlsplit(url).hostname or "")
    request = AWSRequest("GET", url.replace("ws", "http", 1))
    SigV4Auth(credentials, "execute-api", named[1] if named else region or REGION).add_auth(request)
    return [(name, value) for name, value in request.headers.items() if name.lower() != "host"]
