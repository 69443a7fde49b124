"""The beginning of a connection: throttling, authorisation, and the integration of $connect.

"Until execution of the integration associated with the $connect route is completed, the upgrade request is pending":
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-route-keys-connect-disconnect.html
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from durable_sandbox.events.websocket import frames
from durable_sandbox.events.websocket.access_log import log
from durable_sandbox.events.websocket.authorizers import RefusedError, authorise
from durable_sandbox.events.websocket.calls import FunctionError
from durable_sandbox.events.websocket.connection import Connection
from durable_sandbox.events.websocket.deployed import DeployedStage
from durable_sandbox.events.websocket.integrations import IntegrationError, integrate
from durable_sandbox.events.websocket.ports import Gateway
from durable_sandbox.events.websocket.request import CONNECT, CONNECT_ROUTE, Request, error_facts

logger = logging.getLogger(__name__)

_OK, _REDIRECT, _TOO_MANY, _SERVER_ERROR, _BAD_GATEWAY = 200, 300, 429, 500, 502
_SUBPROTOCOL = "sec-websocket-protocol"
# https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
_KINDS = {401: "UNAUTHORIZED", 403: "ACCESS_DENIED", 429: "THROTTLED"}


@dataclass(frozen=True, slots=True)
class Refusal:
    """The handshake is answered with an HTTP status and this message instead."""

    status: int
    message: str


async def connect(gateway: Gateway, stage: DeployedStage, connection: Connection) -> str | Refusal | None:
    """Whether the client may connect: the subprotocol that the integration chose, None for none, or a refusal."""
    route = stage.routes.get(CONNECT_ROUTE)
    counts = gateway.counts.of(stage.region, stage.api_id, stage.name, CONNECT_ROUTE)
    counts.connects += 1
    if route is None:
        return None
    request = Request(connection, stage, route, CONNECT, gateway.account)
    failure = "INTEGRATION_FAILURE"
    if not gateway.throttles.take(stage.api_id, stage.name, route.key, route.throttle):
        result: str | Refusal | None = Refusal(_TOO_MANY, frames.TOO_MANY)
    else:
        try:
            await authorise(gateway, request)
            result = None if route.integration is None else await _integrated(gateway, request)
        except RefusedError as error:
            result, failure = Refusal(error.status, error.message), "AUTHORIZER_FAILURE"
            if error.status >= _SERVER_ERROR:
                counts.execution_errors += 1
    if isinstance(result, Refusal):
        request.facts = {**error_facts(result.message, _KINDS.get(result.status, failure)), **request.facts}
        if result.status < _SERVER_ERROR:
            counts.client_errors += 1
    log(gateway, request, result.status if isinstance(result, Refusal) else _OK)
    return result


async def _integrated(gateway: Gateway, request: Request) -> str | Refusal | None:
    try:
        answer = await integrate(gateway, request)
    except IntegrationError as error:
        logger.warning("%s %s: $connect failed: %s", request.stage.api_id, request.stage.name, error)
        request.fault = str(error)
        return Refusal(
            _BAD_GATEWAY if isinstance(error.__cause__, FunctionError) else _SERVER_ERROR, frames.INTERNAL_ERROR
        )
    # Of anything but a function behind AWS_PROXY the status is not looked at: https://repost.aws/questions/QU8pVByT1jRvW3hb4MD6UtoQ
    if request.route.integration is None or request.route.integration.kind != "AWS_PROXY":
        return None
    if not _OK <= answer.status < _REDIRECT:
        return Refusal(answer.status, answer.body or frames.FORBIDDEN)
    return answer.headers.get(_SUBPROTOCOL)
