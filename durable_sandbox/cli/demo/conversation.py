"""The two clients of the WebSocket demo: each sends its orders and listens until it has heard the end of all."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from durable_sandbox.cli.demo.orders import CLIENTS, Ledger, Order, Report
from durable_sandbox.cli.ws.client import GOING_AWAY, EndedError
from durable_sandbox.cli.ws.handshake import RefusedError, Target, UnreachableError, connected

OnFrame = Callable[[str, str, str, Mapping[str, Any]], None]
"""Called for each frame with the client, < or >, the order's id and the frame."""


class Conversation:
    """Notes in ``ledger`` what is heard at ``url``, and tells ``on_frame``."""

    def __init__(self, url: str, ledger: Ledger, on_frame: OnFrame) -> None:
        self._url = url
        self._ledger = ledger
        self._on_frame = on_frame
        # Of a run of its own: what an earlier one left would be reported to whoever has the same client id.
        self._run = uuid.uuid4().hex[:8]

    async def hold(self, seconds: float) -> None:
        """Converse until all is heard or ``seconds`` have passed; what goes wrong is noted as a fault."""
        async with asyncio.TaskGroup() as group:
            for client in CLIENTS:
                group.create_task(self._client(client, seconds))

    async def _client(self, client: str, seconds: float) -> None:
        target = Target(f"{self._url}?{urlencode({'client_id': f'{client}-{self._run}'})}")
        faults = self._ledger.faults
        try:
            async with asyncio.timeout(seconds), connected(target) as connection:
                await self._converse(client, connection)
        except TimeoutError:
            faults.append(f"{client} has not heard the end of all its orders within {seconds:g} s.")
        except ConnectionClosed as error:
            end = EndedError.of(error)
            why = " (idle for too long: see --time-scale of `sandbox up`)" if end.code == GOING_AWAY else ""
            faults.append(f"The connection of {client} was closed: {end}{why}")
        except (RefusedError, UnreachableError) as error:
            faults.append(f"{client} could not connect to {target.url}: {error}")

    async def _converse(self, client: str, connection: ClientConnection) -> None:
        for order in self._ledger.of(client):
            self._on_frame(client, ">", order.id, order.body)
            await connection.send(json.dumps(order.body))
            # One after another, so that an acknowledgement is of the order that was sent last: it has no id.
            while not await self._hear(client, connection, order):
                pass
        while not self._ledger.ended(client):
            await self._hear(client, connection, None)

    async def _hear(self, client: str, connection: ClientConnection, waiting: Order | None) -> bool:
        """Note one frame. True if it answers the order that waits for an answer of API Gateway."""
        text = str(await connection.recv())
        try:
            frame = json.loads(text)
        except ValueError:
            frame = None
        if not isinstance(frame, dict):
            frame = {"message": text}
        if "id" in frame and "status" in frame:
            report = Report(client, str(frame["id"]), str(frame["status"]), str(frame.get("message_id", "")))
            self._ledger.reports.append(report)
            self._on_frame(client, "<", report.id, frame)
            return False
        self._on_frame(client, "<", waiting.id if waiting else "", frame)
        if waiting is None or frame.get("status") != "accepted":
            about = waiting.id if waiting else "nothing that it waits for"
            self._ledger.faults.append(f"{client} was answered {text[:200]}, of {about}.")
        return waiting is not None
