"""The kinds of resources and the operations on them, as a table over botocore's model of apigatewayv2.

Every kind has Create, Get, Update, Delete and a list, named after it: CreateRoute, GetRoute, UpdateRoute, DeleteRoute,
GetRoutes. A resource has the members of its Get's output.
https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/api-reference.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from botocore.model import OperationModel, ServiceModel
from botocore.session import get_session

from durable_sandbox.services.apigatewayv2.errors import bad_request

_LENGTH = re.compile(r".*LengthBetween(\d+)And(\d+)(K?)")
_KILO = 1024


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of resource. ``id_length``: characters of a generated id; 0 if the client gives it, as a name.

    ``noun``: what AWS calls it in its errors.
    """

    name: str
    plural: str
    id_member: str
    parent: Kind | None = None
    id_length: int = 6
    noun: str = ""


API = Kind("Api", "Apis", "ApiId", id_length=10, noun="API")
AUTHORIZER = Kind("Authorizer", "Authorizers", "AuthorizerId", API)
DEPLOYMENT = Kind("Deployment", "Deployments", "DeploymentId", API)
INTEGRATION = Kind("Integration", "Integrations", "IntegrationId", API, 7)
INTEGRATION_RESPONSE = Kind(
    "IntegrationResponse", "IntegrationResponses", "IntegrationResponseId", INTEGRATION, 7, "Integration Response"
)
MODEL = Kind("Model", "Models", "ModelId", API)
ROUTE = Kind("Route", "Routes", "RouteId", API, 7)
ROUTE_RESPONSE = Kind("RouteResponse", "RouteResponses", "RouteResponseId", ROUTE, 7, "Route Response")
STAGE = Kind("Stage", "Stages", "StageName", API, 0, "stage")
DOMAIN_NAME = Kind("DomainName", "DomainNames", "DomainName", id_length=0, noun="domain name")
API_MAPPING = Kind("ApiMapping", "ApiMappings", "ApiMappingId", DOMAIN_NAME, noun="API mapping")

KINDS = (
    API,
    AUTHORIZER,
    DEPLOYMENT,
    INTEGRATION,
    INTEGRATION_RESPONSE,
    MODEL,
    ROUTE,
    ROUTE_RESPONSE,
    STAGE,
    DOMAIN_NAME,
    API_MAPPING,
)

OPERATIONS: Mapping[str, tuple[str, Kind]] = {
    **{f"{verb}{kind.name}": (verb.lower(), kind) for kind in KINDS for verb in ("Create", "Get", "Update", "Delete")},
    **{f"Get{kind.plural}": ("list", kind) for kind in KINDS},
}
"""API operation -> what it does (create, get, update, delete, list), to what."""


@cache
def _model() -> ServiceModel:
    return get_session().get_service_model("apigatewayv2")


@cache
def _operation(name: str) -> OperationModel:
    return _model().operation_model(name)


@cache
def members_of(kind: Kind) -> frozenset[str]:
    """Names of the members that a resource has."""
    return frozenset(_operation(f"Get{kind.name}").output_shape.members)


def given(kind: Kind, params: Mapping[str, Any]) -> dict[str, Any]:
    """What ``params`` say of the resource itself, without what names its place."""
    return {name: value for name, value in params.items() if value is not None and name in members_of(kind)}


def check_shape(operation: str, params: Mapping[str, Any]) -> None:
    """Check what is required, lengths and ranges. Raises AwsError (BadRequestException). AWS's texts are not known."""
    shape = _operation(operation).input_shape
    if shape is None:
        return
    for name in shape.required_members:
        if params.get(name) is None:
            raise bad_request(f"Missing required parameter {name}.")
    verb, kind = OPERATIONS.get(operation, ("", API))
    for name in _operation(f"Create{kind.name}").input_shape.required_members if verb in {"create", "update"} else ():
        if params.get(name) == "":
            raise bad_request(f"Invalid value for {name}: it cannot be empty.")
    for name, value in params.items():
        # Terraform's provider removes a member by an empty text.
        if name in shape.members and value is not None and not (verb == "update" and value == ""):
            _check_limits(name, shape.members[name].name, value)


def _check_limits(name: str, shape: str, value: Any) -> None:
    """The model tells lengths and ranges by its shapes' names: StringWithLengthBetween1And128."""
    limits = _LENGTH.fullmatch(shape)
    if limits is None:
        return
    least, most = int(limits[1]), int(limits[2]) * (_KILO if limits[3] else 1)
    if isinstance(value, int) and not least <= value <= most:
        raise bad_request(f"Invalid value for {name}: {value} is not between {least} and {most}.")
    if isinstance(value, str) and not least <= len(value) <= most:
        raise bad_request(f"Invalid length of {name}: {len(value)} is not between {least} and {most}.")
