"""Checks of everything but routes, integrations and stages: APIs, authorizers, models, responses, domain names.

Texts without a source are the sandbox's own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

from durable_sandbox.services.apigatewayv2.checks_routing import (
    check_integration,
    check_integration_response,
    check_route,
    check_route_response,
)
from durable_sandbox.services.apigatewayv2.checks_stages import check_deployment, check_stage
from durable_sandbox.services.apigatewayv2.errors import bad_request, conflict, not_emulated
from durable_sandbox.services.apigatewayv2.kinds import (
    API,
    API_MAPPING,
    AUTHORIZER,
    DEPLOYMENT,
    DOMAIN_NAME,
    INTEGRATION,
    INTEGRATION_RESPONSE,
    MODEL,
    ROUTE,
    ROUTE_RESPONSE,
    STAGE,
)
from durable_sandbox.services.apigatewayv2.resources import Change
from durable_sandbox.services.apigatewayv2.uris import names_function

_MODEL_NAME = re.compile(r"[A-Za-z0-9]+")
_IDENTITY_SOURCE = re.compile(r"route\.request\.(header|querystring)\.\S+|(stageVariables|context)\.\S+")
_HTTP_ONLY = ("AuthorizerResultTtlInSeconds", "AuthorizerPayloadFormatVersion", "EnableSimpleResponses")


def check(change: Change) -> None:
    """Check a resource before it is made or changed. Raises AwsError (BadRequestException, ConflictException)."""
    _CHECKS[change.kind.name](change)


def _check_api(change: Change) -> None:
    protocol = change.text("ProtocolType")
    if protocol not in {"WEBSOCKET", "HTTP"}:
        raise bad_request("Invalid protocol specified. Must be one of [HTTP, WEBSOCKET]")
    if protocol == "WEBSOCKET" and not change.text("RouteSelectionExpression"):
        raise bad_request("RouteSelectionExpression is required for an API of protocol type WEBSOCKET.")


def _check_authorizer(change: Change) -> None:
    name, uri = change.text("Name"), change.text("AuthorizerUri")
    if any(one.text("Name") == name for one in change.others()):
        # https://github.com/aws/aws-cdk/issues/13711
        raise bad_request(f"Authorizer name must be unique. Authorizer {name} already exists in this RestApi.")
    if change.text("AuthorizerType") == "REQUEST" and not names_function(uri):
        raise bad_request(
            f"Invalid Authorizer URI: {uri!r} is not arn:aws:apigateway:<region>:lambda:path/2015-03-31/functions/"
            "<function ARN>/invocations."
        )
    if not change.api.websocket:
        return
    if change.text("AuthorizerType") != "REQUEST":
        raise bad_request("An API of protocol type WEBSOCKET has authorizers of type REQUEST only.")
    for member in _HTTP_ONLY:
        if change.given.get(member) is not None:
            # https://github.com/anomalyco/sst/issues/905
            raise bad_request(f"{member} cannot be set for WEBSOCKET protocol Apis")
    for source in change.members.get("IdentitySource") or ():
        if _IDENTITY_SOURCE.fullmatch(source) is None:
            raise bad_request(
                f"Invalid identity source {source!r}: it is none of route.request.header.<name>, "
                "route.request.querystring.<name>, stageVariables.<name> and context.<name>."
            )


def _check_model(change: Change) -> None:
    name = change.text("Name")
    if _MODEL_NAME.fullmatch(name) is None:
        raise bad_request(f"Invalid model name {name!r}: it must be alphanumeric.")
    if any(one.text("Name") == name for one in change.others()):
        raise conflict(f"Model with name {name} already exists for this API")
    try:
        json.loads(change.text("Schema"))
    except ValueError as error:
        raise bad_request(f"Invalid model schema specified: it is not JSON: {error}") from error


def _check_domain_name(change: Change) -> None:
    if change.members.get("MutualTlsAuthentication"):
        raise not_emulated("custom domain names with mutual TLS")
    if change.text("RoutingMode") != "API_MAPPING_ONLY":
        raise not_emulated("routing rules of custom domain names")
    name = change.text("DomainName")
    if any(one.text("DomainName") == name for one in change.others()):
        raise conflict("The domain name resource already exists.")


def _check_api_mapping(change: Change) -> None:
    api = change.place.root.of(API).get(change.text("ApiId"))
    if api is None:
        raise bad_request(f"Invalid API identifier specified {change.text('ApiId')}")
    if change.text("Stage") not in api.of(STAGE):
        raise bad_request("Invalid stage identifier specified")
    if any(one.text("ApiMappingKey") == change.text("ApiMappingKey") for one in change.others()):
        # https://github.com/aws/aws-cdk/issues/22660
        raise conflict("ApiMapping key already exists for this domain name")


_CHECKS: Mapping[str, Callable[[Change], None]] = {
    API.name: _check_api,
    AUTHORIZER.name: _check_authorizer,
    DEPLOYMENT.name: check_deployment,
    INTEGRATION.name: check_integration,
    INTEGRATION_RESPONSE.name: check_integration_response,
    MODEL.name: _check_model,
    ROUTE.name: check_route,
    ROUTE_RESPONSE.name: check_route_response,
    STAGE.name: check_stage,
    DOMAIN_NAME.name: _check_domain_name,
    API_MAPPING.name: _check_api_mapping,
}
