"""Checks of routes and integrations, and of their responses.

Quotas: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html.
Texts without a source are the sandbox's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from durable_sandbox.services.apigatewayv2.errors import bad_request, conflict, not_emulated
from durable_sandbox.services.apigatewayv2.kinds import AUTHORIZER, INTEGRATION, MODEL
from durable_sandbox.services.apigatewayv2.resources import Change
from durable_sandbox.services.apigatewayv2.uris import names_function, names_service

CONNECT = "$connect"
DEFAULT = "$default"
TARGET = "integrations/"
_TEMPLATE_BYTES = 300 * 1024
_LEAST_TIMEOUT = 50
_MOST_TIMEOUT = {True: 29_000, False: 30_000}
_PROXIES = frozenset({"AWS_PROXY", "HTTP_PROXY"})
_PREDEFINED = frozenset({CONNECT, "$disconnect", DEFAULT})
_CALLERS_CREDENTIALS = "arn:aws:iam::*:user/*"


def check_route(change: Change) -> None:
    """Raises AwsError (BadRequestException, ConflictException, UnsupportedOperation)."""
    key = change.text("RouteKey")
    if any(one.text("RouteKey") == key for one in change.others()):
        # https://github.com/serverless/serverless/issues/7260
        raise conflict(f"Route with key {key} already exists for this API")
    _check_authorization(change, key)
    target = change.text("Target")
    if target and target.removeprefix(TARGET) not in change.api.of(INTEGRATION):
        raise bad_request(f"Invalid target specified: {target!r} is not {TARGET}<id of an integration of this API>.")
    _check_models(change, "RequestModels")
    if not change.api.websocket:
        return
    if change.members.get("ApiKeyRequired"):
        raise not_emulated("API keys")
    if key.startswith("$") and key not in _PREDEFINED:
        raise bad_request(f"Invalid route key {key!r}: with $ begin {', '.join(sorted(_PREDEFINED))} only.")
    _only_default(change, "RouteResponseSelectionExpression")


def _check_authorization(change: Change, key: str) -> None:
    """Authorization is for $connect only, and by a Lambda function, not by tokens.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-route-keys-connect-disconnect.html
    """
    kind = change.text("AuthorizationType")
    authorizer = change.api.of(AUTHORIZER).get(change.text("AuthorizerId"))
    if kind == "CUSTOM" and (authorizer is None or authorizer.text("AuthorizerType") != "REQUEST"):
        # https://github.com/hashicorp/terraform-provider-aws/issues/17497
        raise bad_request(
            "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS requires "
            "a valid authorizer."
        )
    if kind == "JWT" and (authorizer is None or authorizer.text("AuthorizerType") != "JWT"):
        # https://github.com/anomalyco/sst/issues/4591
        raise bad_request(
            "Invalid authorizer ID specified. Setting the authorization type to JWT requires a valid JWT authorizer."
        )
    if not change.api.websocket or kind == "NONE":
        return
    if kind == "JWT":
        raise bad_request("An API of protocol type WEBSOCKET has no authorization of type JWT.")
    if key != CONNECT:
        raise bad_request(
            f"Authorization of type {kind} is for the route {CONNECT} only in an API of protocol type WEBSOCKET, "
            f"not for {key}."
        )


def check_route_response(change: Change) -> None:
    """Only ``$default`` is there: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-route-response.html.

    Raises AwsError (BadRequestException, ConflictException).
    """
    _only_default(change, "RouteResponseKey")
    _key_once(change, "RouteResponseKey", "Route response")
    _check_models(change, "ResponseModels")


def check_integration(change: Change) -> None:
    """Raises AwsError (BadRequestException, UnsupportedOperation)."""
    kind, websocket = change.text("IntegrationType"), change.api.websocket
    if change.text("ConnectionType") == "VPC_LINK" or change.text("ConnectionId"):
        raise not_emulated("VPC links")
    timeout, most = change.members["TimeoutInMillis"], _MOST_TIMEOUT[websocket]
    if not _LEAST_TIMEOUT <= timeout <= most:
        raise bad_request(f"Timeout should be between {_LEAST_TIMEOUT} ms and {most} ms, not {timeout}.")
    _check_templates(change.members.get("RequestTemplates"))
    if websocket:
        _check_websocket_integration(change, kind)
    elif kind not in _PROXIES:
        # https://github.com/aws/aws-cli/issues/6363
        raise bad_request(
            "Currently, an API with a protocol type of HTTP may only be associated with proxy integrations "
            "(AWS_PROXY, HTTP_PROXY)"
        )


def _check_websocket_integration(change: Change, kind: str) -> None:
    uri = change.text("IntegrationUri")
    if kind in {"HTTP", "HTTP_PROXY"}:
        raise not_emulated(f"{kind} integrations of WebSocket APIs")
    if change.text("CredentialsArn") == _CALLERS_CREDENTIALS:
        raise not_emulated("integrations with the caller's credentials")
    if change.text("ContentHandlingStrategy") == "CONVERT_TO_BINARY":
        raise not_emulated("conversions to binary (ContentHandlingStrategy)")
    if change.text("IntegrationSubtype") or change.members.get("ResponseParameters"):
        raise bad_request("IntegrationSubtype and ResponseParameters are for an API of protocol type HTTP.")
    if kind == "AWS_PROXY" and not names_function(uri):
        raise bad_request(
            f"Invalid integration URI {uri!r}: AWS_PROXY needs arn:aws:apigateway:<region>:lambda:path/2015-03-31/"
            "functions/<function ARN>/invocations."
        )
    if kind == "AWS" and not names_service(uri):
        raise bad_request(
            f"Invalid integration URI {uri!r}: it is not arn:aws:apigateway:<region>:<service>:<path or action>/..."
        )


def check_integration_response(change: Change) -> None:
    """Raises AwsError (BadRequestException, ConflictException, UnsupportedOperation)."""
    if change.text("ContentHandlingStrategy") == "CONVERT_TO_BINARY":
        raise not_emulated("conversions to binary (ContentHandlingStrategy)")
    key = change.text("IntegrationResponseKey")
    if key != DEFAULT and not (len(key) > 2 and key.startswith("/") and key.endswith("/")):  # noqa: PLR2004 - two slashes
        raise bad_request(f"Invalid integration response key {key!r}: it is neither {DEFAULT} nor /<expression>/.")
    _key_once(change, "IntegrationResponseKey", "Integration response")
    _check_templates(change.members.get("ResponseTemplates"))


def _check_templates(templates: Mapping[str, Any] | None) -> None:
    for key, template in (templates or {}).items():
        if len(template.encode()) > _TEMPLATE_BYTES:
            raise bad_request(f"The mapping template {key} has {len(template.encode())} bytes, more than 300 KB.")


def _check_models(change: Change, member: str) -> None:
    names = {one.text("Name") for one in change.api.of(MODEL).values()}
    for name in (change.members.get(member) or {}).values():
        if name not in names:
            raise bad_request(f"Invalid model specified in {member}: this API has no model {name!r}.")


def _only_default(change: Change, member: str) -> None:
    if change.api.websocket and change.text(member) not in {"", DEFAULT}:
        raise bad_request(f"Invalid {member} {change.text(member)!r}: only {DEFAULT} is supported.")


def _key_once(change: Change, member: str, what: str) -> None:
    key = change.text(member)
    if any(one.text(member) == key for one in change.others()):
        raise conflict(f"{what} with key {key} already exists")
