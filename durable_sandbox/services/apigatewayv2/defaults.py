"""What a new resource has of itself, and what an update makes of one.

Defaults and removal by empty values as the acceptance tests and the requests of terraform's provider show them
(github.com/hashicorp/terraform-provider-aws, internal/service/apigatewayv2), else botocore's documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from durable_sandbox.services.apigatewayv2.kinds import (
    API,
    DEPLOYMENT,
    DOMAIN_NAME,
    INTEGRATION,
    MODEL,
    ROUTE,
    STAGE,
    Kind,
)
from durable_sandbox.services.apigatewayv2.resources import Place, random_id
from durable_sandbox.services.apigatewayv2.uris import names_function

_Members = dict[str, Any]

# Maps that an update adds to; an empty value removes its key.
_MERGED: Mapping[str, frozenset[str]] = {
    STAGE.name: frozenset({"StageVariables", "DefaultRouteSettings"}),
    INTEGRATION.name: frozenset({"RequestParameters", "ResponseParameters"}),
    ROUTE.name: frozenset({"RequestParameters"}),
}
_WEBSOCKET_SETTINGS = {"DataTraceEnabled": False, "DetailedMetricsEnabled": False, "LoggingLevel": "OFF"}
_HTTP_SETTINGS = {"DetailedMetricsEnabled": False}
# The zone of regional names in us-east-1: https://docs.aws.amazon.com/general/latest/gr/apigateway.html
_HOSTED_ZONE = "Z1UJRXOUMOOFQ8"


def now() -> datetime:
    """This second."""
    return datetime.now(UTC).replace(microsecond=0)


def with_defaults(place: Place, kind: Kind, given: Mapping[str, Any]) -> _Members:
    """The members of a new resource."""
    make = _DEFAULTS.get(kind.name)
    made = {**(make(place, given) if make is not None else {}), **given}
    if kind is STAGE:
        settings = _WEBSOCKET_SETTINGS if place.owner.websocket else _HTTP_SETTINGS
        made["DefaultRouteSettings"] = {**settings, **(given.get("DefaultRouteSettings") or {})}
    elif kind is DOMAIN_NAME:
        made["DomainNameConfigurations"] = _configurations(
            made.get("DomainNameConfigurations"), _regional(place.region)
        )
    return _settled(kind, made)


def updated(kind: Kind, current: Mapping[str, Any], given: Mapping[str, Any]) -> _Members:
    """``current`` with the given members; an empty text or an empty AccessLogSettings removes its member."""
    merged = _MERGED.get(kind.name, frozenset())
    made = dict(current)
    for name, value in given.items():
        if name in merged:
            both = {**(current.get(name) or {}), **value}
            made[name] = {key: item for key, item in both.items() if item not in ("", {})}
        elif name == "RouteSettings":
            made[name] = _route_settings(current.get(name) or {}, value)
        else:
            made[name] = value
    if kind is STAGE:
        made["LastUpdatedDate"] = now()
    elif kind is DOMAIN_NAME:
        made["DomainNameConfigurations"] = _configurations(
            made["DomainNameConfigurations"], current["DomainNameConfigurations"][0]
        )
    return _settled(kind, made)


def _settled(kind: Kind, members: Mapping[str, Any]) -> _Members:
    """Without what is empty, and without an authorizer that the type has no use for.

    AWS accepts that one and forgets it: https://github.com/hashicorp/terraform-provider-aws/issues/40833.
    """
    made = {name: value for name, value in members.items() if value != ""}
    if not any((made.get("AccessLogSettings") or {}).values()):
        made.pop("AccessLogSettings", None)
    if kind is ROUTE and made.get("AuthorizationType") not in {"CUSTOM", "JWT"}:
        made.pop("AuthorizerId", None)
    if kind is DOMAIN_NAME and not (made.get("MutualTlsAuthentication") or {}).get("TruststoreUri"):
        made.pop("MutualTlsAuthentication", None)
    return made


def _configurations(given: Sequence[Mapping[str, Any]] | None, known: Mapping[str, Any]) -> list[_Members]:
    """A domain name's configurations with what is ``known`` besides."""
    return [{**known, **one} for one in given or ({},)]


def _regional(region: str) -> _Members:
    return {
        "ApiGatewayDomainName": f"d-{random_id(10)}.execute-api.{region}.amazonaws.com",
        "HostedZoneId": _HOSTED_ZONE,
        "EndpointType": "REGIONAL",
        "IpAddressType": "ipv4",
        "SecurityPolicy": "TLS_1_2",
        "DomainNameStatus": "AVAILABLE",
    }


def _route_settings(current: Mapping[str, Any], change: Mapping[str, Any]) -> _Members:
    return {**current, **{key: {**current.get(key, {}), **value} for key, value in change.items()}}


def _api(_: Place, given: Mapping[str, Any]) -> _Members:
    made: _Members = {
        "ApiKeySelectionExpression": "$request.header.x-api-key",
        "DisableExecuteApiEndpoint": False,
        "IpAddressType": "ipv4",
        "CreatedDate": now(),
        "Tags": {},
    }
    if given.get("ProtocolType") == "HTTP":
        made["RouteSelectionExpression"] = "$request.method $request.path"
    return made


def _integration(place: Place, given: Mapping[str, Any]) -> _Members:
    kind, uri = given.get("IntegrationType"), str(given.get("IntegrationUri") or "")
    made: _Members = {"ConnectionType": "INTERNET", "PayloadFormatVersion": "1.0"}
    if uri and kind in {"AWS", "AWS_PROXY"}:
        made["IntegrationMethod"] = "POST"
    if not place.owner.websocket:
        return {**made, "TimeoutInMillis": 30_000}
    made |= {"PassthroughBehavior": "WHEN_NO_MATCH", "TimeoutInMillis": 29_000}
    if kind == "AWS" and names_function(uri):
        made["IntegrationResponseSelectionExpression"] = "${integration.response.body.errorMessage}"
    elif kind in {"AWS", "HTTP", "MOCK"}:
        made["IntegrationResponseSelectionExpression"] = "${integration.response.statuscode}"
    return made


def _route(_: Place, _given: Mapping[str, Any]) -> _Members:
    return {"ApiKeyRequired": False, "AuthorizationType": "NONE"}


def _model(_: Place, _given: Mapping[str, Any]) -> _Members:
    return {"ContentType": "application/json"}


def _stage(_: Place, _given: Mapping[str, Any]) -> _Members:
    moment = now()
    return {
        "AutoDeploy": False,
        "CreatedDate": moment,
        "LastUpdatedDate": moment,
        "RouteSettings": {},
        "StageVariables": {},
        "Tags": {},
    }


def _deployment(_: Place, _given: Mapping[str, Any]) -> _Members:
    return {"AutoDeployed": False, "CreatedDate": now(), "DeploymentStatus": "DEPLOYED"}


def _domain_name(place: Place, given: Mapping[str, Any]) -> _Members:
    name = str(given["DomainName"])
    return {
        "ApiMappingSelectionExpression": "$request.basepath",
        "DomainNameArn": f"arn:aws:apigateway:{place.region}::/domainnames/{name}",
        "RoutingMode": "API_MAPPING_ONLY",
        "Tags": {},
    }


_DEFAULTS: Mapping[str, Callable[[Place, Mapping[str, Any]], _Members]] = {
    API.name: _api,
    INTEGRATION.name: _integration,
    ROUTE.name: _route,
    MODEL.name: _model,
    STAGE.name: _stage,
    DEPLOYMENT.name: _deployment,
    DOMAIN_NAME.name: _domain_name,
}
