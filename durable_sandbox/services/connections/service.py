"""The API Gateway Management API: send to a client, look at its connection, close it.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html and
botocore's model of apigatewaymanagementapi. The endpoint names API and stage: they come with a call as ApiId and Stage.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from durable_sandbox.aws.call import Call, Service
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.events.websocket import frames
from durable_sandbox.events.websocket.connection import Connection, SlowClientError
from durable_sandbox.events.websocket.counts import Counts
from durable_sandbox.events.websocket.ports import Gateway
from durable_sandbox.events.websocket.socket import Handshake, Socket

_MAXIMUM_BYTES = 131_072


class ConnectionsService(Service):
    """Owns the open connections: serves them, and the API that reaches them."""

    name: ClassVar[str] = "apigatewaymanagementapi"

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self._closing: set[asyncio.Future[None]] = set()

    @property
    def counts(self) -> Counts:
        """What happened at each route."""
        return self.gateway.counts

    async def serve(self, target: tuple[str, str] | None, handshake: Handshake, socket: Socket) -> None:
        """Serve a client until it is gone; ``target`` is API id and stage, None if its URL names none."""
        # Schemas and templates take a tenth of a second to load, which no start need wait for.
        from durable_sandbox.events.websocket.session import serve  # noqa: PLC0415 - see above

        await serve(self.gateway, target, handshake, socket)

    async def post_to_connection(self, call: Call) -> None:
        """Send ``Data`` as text. Raises GoneException, PayloadTooLargeException, LimitExceededException."""
        data = bytes(call.params.get("Data") or b"")
        if len(data) > _MAXIMUM_BYTES:
            raise AwsError("PayloadTooLargeException", "Request entity too large", status=413)
        connection = self._connection(call)
        try:
            await connection.send(data.decode(errors="replace"))
        except ConnectionError as error:
            raise _gone() from error
        except SlowClientError as error:
            raise AwsError(
                "LimitExceededException", "The client does not read what was sent before.", status=429
            ) from error

    def get_connection(self, call: Call) -> Mapping[str, Any]:
        """When it was made and last used, and whose it is. Raises GoneException."""
        connection = self._connection(call)
        agent = connection.handshake.header("user-agent")
        return {
            "ConnectedAt": datetime.fromtimestamp(connection.connected_at, UTC),
            "LastActiveAt": datetime.fromtimestamp(connection.last_active_at, UTC),
            "Identity": {"SourceIp": connection.handshake.source_ip, "UserAgent": agent or ""},
        }

    async def delete_connection(self, call: Call) -> None:
        """Close it. Raises GoneException."""
        connection = self._connection(call)
        self.gateway.connections.remove(connection)
        await connection.socket.close(frames.DELETED, "Connection Closed Normally")

    def deleted(self, api_id: str, stage: str | None) -> None:
        """Close what was open at an API or a stage that is no more."""
        for connection in self.gateway.connections.of(api_id, stage):
            self._end(connection, frames.GOING_AWAY)

    def status(self) -> dict[str, list[dict[str, Any]]]:
        """Open connections by API and stage, for the status page."""
        numbers: dict[tuple[str, str], int] = {}
        for one in self.gateway.connections:
            numbers[one.api_id, one.stage] = numbers.get((one.api_id, one.stage), 0) + 1
        return {
            "websockets": [
                {"api": api, "stage": stage, "connections": number} for (api, stage), number in sorted(numbers.items())
            ]
        }

    async def close(self) -> None:
        """Close every connection, as a service that restarts does."""
        connections = list(self.gateway.connections)
        for connection in connections:
            self.gateway.connections.remove(connection)
        await asyncio.gather(
            *(one.socket.close(frames.RESTART, "Service restart") for one in connections),
            return_exceptions=True,
        )

    async def reset(self) -> None:
        """Close every connection and forget what was counted."""
        await self.close()
        self.gateway.throttles.clear()
        self.gateway.counts.clear()

    def _connection(self, call: Call) -> Connection:
        found = self.gateway.connections.find(call.params["ApiId"], call.params["Stage"], call.params["ConnectionId"])
        if found is None:
            raise _gone()
        return found

    def _end(self, connection: Connection, code: int) -> None:
        self.gateway.connections.remove(connection)
        task = asyncio.ensure_future(connection.socket.close(code, "Going away"))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def _gone() -> AwsError:
    return AwsError("GoneException", "The connection is gone, or was never there.", status=410)
