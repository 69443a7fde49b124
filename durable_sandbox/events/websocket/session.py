"""The life of one connection, from the handshake to $disconnect.

Messages of a connection are handled one after another; AWS promises no order between messages that a client sends without
waiting for an answer. Limits: https://docs.aws.amazon.com/apigateway/latest/developerguide/
apigateway-execution-service-websocket-limits-table.html. Close codes: RFC 6455; those of API Gateway as its clients report.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time

from durable_sandbox.events.websocket import frames
from durable_sandbox.events.websocket.access_log import log
from durable_sandbox.events.websocket.connection import Connection, SlowClientError, new_id
from durable_sandbox.events.websocket.deployed import DeployedStage
from durable_sandbox.events.websocket.handshakes import Refusal, connect
from durable_sandbox.events.websocket.integrations import IntegrationError, integrate
from durable_sandbox.events.websocket.messages import handle
from durable_sandbox.events.websocket.ports import Gateway
from durable_sandbox.events.websocket.request import DISCONNECT, DISCONNECT_ROUTE, Request
from durable_sandbox.events.websocket.socket import Binary, Closed, Handshake, Socket

logger = logging.getLogger(__name__)

IDLE_SECONDS = 600.0
LIFETIME_SECONDS = 7200.0

_FORBIDDEN = 403


async def serve(gateway: Gateway, target: tuple[str, str] | None, handshake: Handshake, socket: Socket) -> None:
    """Serve a client that wants to connect to ``target`` (API id, stage; None if its URL names none) until it is gone."""
    stage = gateway.apis.stage(*target) if target is not None else None
    if stage is None:
        await _refuse(socket, Refusal(_FORBIDDEN, frames.FORBIDDEN))
        return
    connection = Connection(stage.region, stage.api_id, stage.name, handshake, socket)
    result = await connect(gateway, stage, connection)
    if isinstance(result, Refusal):
        await _refuse(socket, result)
        return
    # Before the client knows, so that whoever it tells of the connection finds it.
    gateway.connections.add(connection)
    end = Closed(frames.GOING_AWAY)
    try:
        await socket.accept([("Sec-WebSocket-Protocol", result)] if result else [])
        end = await _converse(gateway, connection)
    except ConnectionError:
        logger.debug("connection %s was lost", connection.connection_id)
    finally:
        gateway.connections.remove(connection)
    if end.code != frames.RESTART:
        await _disconnected(gateway, connection, end)


async def _refuse(socket: Socket, refusal: Refusal) -> None:
    body = json.dumps({"message": refusal.message})
    await socket.refuse(refusal.status, [("content-type", "application/json")], body)


async def _converse(gateway: Gateway, connection: Connection) -> Closed:
    """Handle messages until the connection ends, or is ended: idle, too old, or with something that is not text."""
    idle, lifetime = gateway.time.scaled(IDLE_SECONDS), gateway.time.scaled(LIFETIME_SECONDS)
    while True:
        now = time.time()
        left = min(connection.last_active_at + idle, connection.connected_at + lifetime) - now
        if left <= 0:
            reason = "Going away"
            await connection.socket.close(frames.GOING_AWAY, reason)
            return Closed(frames.GOING_AWAY, reason)
        try:
            async with asyncio.timeout(left):
                message = await connection.socket.receive()
        except TimeoutError:
            continue  # something may have been sent to the client meanwhile
        if isinstance(message, Closed):
            return message
        connection.last_active_at = time.time()
        if isinstance(message, Binary):
            await connection.socket.close(frames.UNSUPPORTED, "")
            return Closed(frames.UNSUPPORTED)
        await _answer(gateway, connection, message)


async def _answer(gateway: Gateway, connection: Connection, text: str) -> None:
    stage = gateway.apis.stage(connection.api_id, connection.stage)
    if stage is None:
        return  # deleted under the client, whose connection is about to be closed
    try:
        reply = await handle(gateway, stage, connection, text)
    except Exception:
        logger.exception("a message of connection %s failed inside the sandbox", connection.connection_id)
        reply = frames.error(frames.INTERNAL_ERROR, connection.connection_id, new_id())
    if reply is not None:
        try:
            await connection.send(reply)
        except SlowClientError:
            logger.warning("connection %s does not read: an answer is lost", connection.connection_id)


async def _disconnected(gateway: Gateway, connection: Connection, end: Closed) -> None:
    """Call $disconnect's integration; whatever becomes of it, nobody is told but the access log."""
    stage: DeployedStage | None = gateway.apis.stage(connection.api_id, connection.stage)
    route = stage.routes.get(DISCONNECT_ROUTE) if stage is not None else None
    if stage is None or route is None or route.integration is None:
        return
    reason = end.reason or ("Client-side close frame status not set" if end.code == frames.NO_STATUS else "")
    request = Request(connection, stage, route, DISCONNECT, gateway.account, disconnect=(end.code, reason))
    try:
        answer = await integrate(gateway, request)
    except IntegrationError as error:
        logger.warning("%s %s: $disconnect failed: %s", stage.api_id, stage.name, error)
        request.fault = str(error)
        log(gateway, request, 500)
        return
    log(gateway, request, answer.status)
