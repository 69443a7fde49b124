"""Who may connect: signatures of IAM, and Lambda authorizers of kind REQUEST.

Sources: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html,
apigateway-websocket-control-access-iam.html, apigateway-lambda-authorizer-output (principalId, policyDocument, context) and
configure-api-gateway-lambda-authorization (without an identity source: 401, the function is not called).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from durable_sandbox.aws.call import Call
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.events.websocket import frames
from durable_sandbox.events.websocket.calls import FunctionError, caller_of, function_of, invoke_function, resolved
from durable_sandbox.events.websocket.deployed import Authorizer
from durable_sandbox.events.websocket.expressions import looked_up
from durable_sandbox.events.websocket.ports import Gateway
from durable_sandbox.events.websocket.request import Request, handshake_members

_INVOKE = "execute-api:Invoke"
_MAXIMUM_RESULT_BYTES = 8 * 1024


class RefusedError(Exception):
    """The connection is not made; ``status`` and ``message`` are the handshake's answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


async def authorise(gateway: Gateway, request: Request) -> None:
    """Return if the client may connect; what is known of it is then part of its connection. Raises RefusedError."""
    kind = request.route.authorization
    if kind == "AWS_IAM":
        _signed(gateway, request)
    elif kind == "CUSTOM":
        await _asked(gateway, request)


def _signed(gateway: Gateway, request: Request) -> None:
    connection, stage = request.connection, request.stage
    key = connection.handshake.access_key
    if key is None:
        raise RefusedError(403, "Missing Authentication Token")
    try:
        gateway.identities.refuse_unknown(key, "execute-api")
        caller = gateway.identities.caller(key)
        params = {"ApiId": stage.api_id, "Stage": stage.name, "RouteKey": request.route.key}
        gateway.access.check(Call("apigatewaymanagementapi", "Invoke", params, caller, stage.region))
    except AwsError as error:
        raise RefusedError(403, error.message) from error
    connection.identity = {
        "accountId": caller.account,
        "caller": caller.access_key,
        "accessKey": caller.access_key,
        "user": caller.access_key,
        "userArn": caller.arn,
    }


async def _asked(gateway: Gateway, request: Request) -> None:
    authorizer = request.route.authorizer
    if authorizer is None:
        raise RefusedError(500, frames.INTERNAL_ERROR)
    handshake = handshake_members(request.connection)
    sources = {source: _source(source, request, handshake) for source in authorizer.identity_sources}
    if any(not value for value in sources.values()):
        raise RefusedError(401, "Unauthorized")
    event = {
        "type": "REQUEST",
        "methodArn": request.source_arn,
        **handshake,
        "stageVariables": dict(request.stage.variables),
        "requestContext": request.event()["requestContext"],
    }
    try:
        result = _result(await _invoke(gateway, request, authorizer, event))
        allowed = gateway.policies.allows(
            result["policyDocument"],
            _INVOKE,
            request.source_arn,
            {"aws:sourceip": request.connection.handshake.source_ip},
        )
    except (AwsError, FunctionError, ValueError) as error:
        if isinstance(error, FunctionError) and _says_unauthorized(error.payload):
            raise RefusedError(401, "Unauthorized") from error
        text = error.message if isinstance(error, AwsError) else str(error)
        request.facts["authorizer"] = {"error": text}
        raise RefusedError(500, frames.INTERNAL_ERROR) from error
    if not allowed:
        raise RefusedError(403, "User is not authorized to access this resource with an explicit deny")
    context = result.get("context") or {}
    request.connection.authorizer = {"principalId": result["principalId"], **{k: _text(v) for k, v in context.items()}}


async def _invoke(gateway: Gateway, request: Request, authorizer: Authorizer, event: Mapping[str, Any]) -> str:
    stage = request.stage
    function = function_of(resolved(authorizer.uri, stage.variables))
    if function is None:
        raise ValueError(f"the authorizer's URI names no function: {authorizer.uri}")
    source = (
        f"arn:aws:execute-api:{stage.region}:{gateway.account}:{stage.api_id}/authorizers/{authorizer.authorizer_id}"
    )
    caller = caller_of(gateway, source, authorizer.credentials)
    return await invoke_function(gateway, caller, stage.region, function, json.dumps(event))


def _says_unauthorized(payload: str) -> bool:
    """Whether the function failed with the error "Unauthorized", which is an answer: apigateway-use-lambda-authorizer."""
    try:
        return bool(json.loads(payload).get("errorMessage") == "Unauthorized")
    except (ValueError, AttributeError):
        return False


def _result(text: str) -> Mapping[str, Any]:
    if len(text.encode()) > _MAXIMUM_RESULT_BYTES:
        raise ValueError(f"the authorizer's answer is larger than {_MAXIMUM_RESULT_BYTES} bytes")
    try:
        result = json.loads(text)
    except ValueError as error:
        raise ValueError("the authorizer's answer is not JSON") from error
    if not isinstance(result, dict) or "principalId" not in result or "policyDocument" not in result:
        raise ValueError("the authorizer's answer must be an object with principalId and policyDocument")
    context = result.get("context")
    if context is not None and (
        not isinstance(context, dict) or any(isinstance(value, dict | list) for value in context.values())
    ):
        raise ValueError("the context of the authorizer's answer must be an object of texts, numbers and booleans")
    return result


def _source(source: str, request: Request, handshake: Mapping[str, Any]) -> str | None:
    """The value of ``route.request.header.X``, ``route.request.querystring.X``, ``context.X`` or ``stageVariables.X``."""
    place, _, name = source.rpartition(".")
    if place == "route.request.header":
        return request.connection.handshake.header(name.lower())
    if place == "route.request.querystring":
        return dict(handshake.get("queryStringParameters", {})).get(name)
    if place == "stageVariables":
        return request.stage.variables.get(name)
    value = looked_up(request.context(), source.removeprefix("context."))
    return None if value is None else str(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
