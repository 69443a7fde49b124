"""One message of a client: its route, its model, its integration, and what the client is told.

Sources: https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-develop-routes.html (no route: $default),
apigateway-websocket-api-route-response (only a two-way route answers), websocket-api-request-validation (models).
"""

from __future__ import annotations

import logging

from durable_sandbox.events.websocket import frames
from durable_sandbox.events.websocket.access_log import log
from durable_sandbox.events.websocket.connection import Connection, new_id
from durable_sandbox.events.websocket.deployed import DeployedStage, Route
from durable_sandbox.events.websocket.expressions import Answer, ExpressionError, chosen, select
from durable_sandbox.events.websocket.integrations import (
    IntegrationError,
    IntegrationTimeoutError,
    integrate,
    respond,
)
from durable_sandbox.events.websocket.models import SchemaError, violation
from durable_sandbox.events.websocket.ports import Gateway
from durable_sandbox.events.websocket.request import (
    CONNECT_ROUTE,
    DEFAULT_ROUTE,
    DISCONNECT_ROUTE,
    MESSAGE,
    Request,
    error_facts,
)

logger = logging.getLogger(__name__)

_BAD_REQUEST, _FORBIDDEN, _TOO_MANY, _SERVER_ERROR, _TIMEOUT = 400, 403, 429, 500, 504


async def handle(gateway: Gateway, stage: DeployedStage, connection: Connection, text: str) -> str | None:
    """What to send to the client for its message ``text``: the answer of a two-way route, an error frame, or None for nothing.

    What goes wrong behind the route is told to the client, logged and counted, not raised.
    """
    route = _route(stage, text)
    message_id = new_id()
    shown = route or Route(DEFAULT_ROUTE, "")
    request = Request(connection, stage, shown, MESSAGE, gateway.account, text, message_id=message_id)
    counts = gateway.counts.of(stage.region, stage.api_id, stage.name, shown.key)
    counts.messages += 1
    refusal = _refused(gateway, request) if route is not None else _no_route(gateway, request)
    if refusal is not None:
        counts.client_errors += 1
        return refusal
    try:
        answer = await integrate(gateway, request)
    except IntegrationError as error:
        return _failed(gateway, request, error)
    try:
        reply = respond(request, answer) if shown.two_way else _one_way(answer)
    except IntegrationError as error:
        if answer.status < _BAD_REQUEST:
            counts.execution_errors += 1
        return _failed(gateway, request, error)
    log(gateway, request, answer.status)
    return reply or None


def _one_way(answer: Answer) -> str:
    """Nothing for the client, but of an error of the integration it is told (what clients of AWS's samples see)."""
    if answer.status >= _BAD_REQUEST:
        raise IntegrationError(f"the integration answered {answer.status}: {answer.body[:1000]}")
    return ""


def _route(stage: DeployedStage, text: str) -> Route | None:
    """A client cannot name the routes that are called by themselves."""
    key = select(stage.selection, text)
    found = stage.routes.get(key) if key and key not in (CONNECT_ROUTE, DISCONNECT_ROUTE) else None
    return found or stage.routes.get(DEFAULT_ROUTE)


def _no_route(gateway: Gateway, request: Request) -> str:
    request.facts |= error_facts(frames.FORBIDDEN, "ROUTE_NOT_FOUND")
    return _told(gateway, request, _FORBIDDEN, frames.FORBIDDEN)


def _refused(gateway: Gateway, request: Request) -> str | None:
    """The frame for a message that may not reach its integration; None if it may."""
    route, stage = request.route, request.stage
    if not gateway.throttles.take(stage.api_id, stage.name, route.key, route.throttle):
        request.facts |= error_facts(frames.TOO_MANY, "THROTTLED")
        return _told(gateway, request, _TOO_MANY, frames.TOO_MANY)
    try:
        fault = _fault(route, request.body or "")
    except (SchemaError, ExpressionError) as error:
        return _failed(gateway, request, IntegrationError(f"the model cannot be applied: {error}"))
    if fault is not None:
        facts = error_facts(frames.BAD_BODY, "BAD_REQUEST_BODY")
        facts["error"]["validationErrorString"] = fault
        request.facts |= facts
        return _told(gateway, request, _BAD_REQUEST, frames.BAD_BODY)
    return None


def _fault(route: Route, body: str) -> str | None:
    """What the route's model has against a message; None if nothing, or there is no model.

    A selection that leads to no model refuses the message: websocket-api-request-validation.
    """
    if not route.models:
        return None
    key = chosen(route.models, select(route.model_selection or DEFAULT_ROUTE, body))
    return "no model fits the message" if key is None else violation(route.models[key], body)


def _failed(gateway: Gateway, request: Request, error: IntegrationError) -> str:
    stage = request.stage
    logger.warning("%s %s %s: %s", stage.api_id, stage.name, request.route.key, error)
    timed_out = isinstance(error, IntegrationTimeoutError)
    message = frames.TIMED_OUT if timed_out else frames.INTERNAL_ERROR
    request.fault = str(error)
    request.facts |= error_facts(message, "INTEGRATION_FAILURE")
    return _told(gateway, request, _TIMEOUT if timed_out else _SERVER_ERROR, message)


def _told(gateway: Gateway, request: Request, status: int, message: str) -> str:
    """The error frame, after the request's line in the access log."""
    log(gateway, request, status)
    return frames.error(message, request.connection.connection_id, request.request_id)
