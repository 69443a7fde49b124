"""Open connections, by id."""

from __future__ import annotations

import asyncio
import base64
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from durable_sandbox.events.websocket.socket import Handshake, Socket

# Of a message to a client that does not read: https://docs.aws.amazon.com/apigateway/latest/developerguide/
# apigateway-how-to-call-websocket-api-connections.html has LimitExceededException, for which AWS gives no time.
_LONGEST_SEND_SECONDS = 5.0
_ID_BYTES = 11


def new_id() -> str:
    """An id as API Gateway makes them for connections and requests, such as ``L0SM9cOFvHcCIhw=``."""
    return base64.urlsafe_b64encode(secrets.token_bytes(_ID_BYTES)).decode()


class SlowClientError(Exception):
    """The client has not read what was sent before."""


@dataclass(slots=True, eq=False)
class Connection:
    """One client. Times are seconds since the epoch.

    ``authorizer`` is what the Lambda authorizer said (``principalId`` and its context, as text), ``identity`` who signed.
    """

    region: str
    api_id: str
    stage: str
    handshake: Handshake
    socket: Socket
    connection_id: str = field(default_factory=new_id)
    connected_at: float = field(default_factory=time.time)
    last_active_at: float = field(default_factory=time.time)
    authorizer: Mapping[str, Any] = field(default_factory=dict)
    identity: Mapping[str, str] = field(default_factory=dict)
    _sending: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def send(self, text: str) -> None:
        """Send to the client, one message after another. Raises SlowClientError, ConnectionError."""
        try:
            async with asyncio.timeout(_LONGEST_SEND_SECONDS), self._sending:
                await self.socket.send(text)
        except TimeoutError as error:
            raise SlowClientError from error
        self.last_active_at = time.time()


class Connections:
    """Those that are established, from the handshake's end to the close."""

    def __init__(self) -> None:
        self._open: dict[str, Connection] = {}

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._open.values()))

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: Connection) -> None:
        """Know an established connection."""
        self._open[connection.connection_id] = connection

    def remove(self, connection: Connection) -> None:
        """Forget it."""
        self._open.pop(connection.connection_id, None)

    def find(self, api_id: str, stage: str, connection_id: str) -> Connection | None:
        """The connection, if it is open at that stage."""
        found = self._open.get(connection_id)
        return found if found is not None and (found.api_id, found.stage) == (api_id, stage) else None

    def of(self, api_id: str, stage: str | None) -> list[Connection]:
        """Those of an API, or of one of its stages."""
        return [one for one in self if one.api_id == api_id and stage in (None, one.stage)]
