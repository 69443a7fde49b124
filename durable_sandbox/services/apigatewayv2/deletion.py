"""What stands in the way of a deletion."""

from __future__ import annotations

from durable_sandbox.services.apigatewayv2.checks_routing import TARGET
from durable_sandbox.services.apigatewayv2.checks_stages import in_use
from durable_sandbox.services.apigatewayv2.errors import bad_request, conflict
from durable_sandbox.services.apigatewayv2.kinds import (
    API,
    API_MAPPING,
    AUTHORIZER,
    DEPLOYMENT,
    DOMAIN_NAME,
    INTEGRATION,
    MODEL,
    ROUTE,
    ROUTE_RESPONSE,
    STAGE,
    Kind,
)
from durable_sandbox.services.apigatewayv2.resources import Place, Resource


def check_deletion(place: Place, kind: Kind, found: Resource) -> None:
    """Raises AwsError (ConflictException, BadRequestException) while another resource needs ``found``."""
    if kind is API:
        _check_unmapped(place.root, found.text("ApiId"), None)
    elif kind is STAGE:
        _check_unmapped(place.root, place.owner.text("ApiId"), found.text("StageName"))
    elif kind is INTEGRATION:
        _check_integration(place.owner, found)
    elif kind is AUTHORIZER:
        _check_authorizer(place.owner, found)
    elif kind is MODEL:
        _check_model(place.owner, found)
    elif kind is DEPLOYMENT and in_use(found.text("DeploymentId"), place.owner):
        # https://github.com/hashicorp/terraform-provider-aws/issues/19805 (version 1)
        raise bad_request("Active stages pointing to this deployment must be moved or deleted")


def _check_integration(api: Resource, found: Resource) -> None:
    target = f"{TARGET}{found.text('IntegrationId')}"
    routes = [key for key, route in api.of(ROUTE).items() if route.text("Target") == target]
    if routes:
        # https://github.com/milliHQ/terraform-aws-next-js/issues/247
        raise conflict(
            f"Cannot delete Integration because it is referenced by the following Routes with Ids: [{', '.join(routes)}]"
        )


def _check_authorizer(api: Resource, found: Resource) -> None:
    for route in api.of(ROUTE).values():
        if route.text("AuthorizerId") == found.text("AuthorizerId"):
            # https://github.com/anomalyco/sst/issues/5586
            raise conflict(
                f"Cannot delete authorizer '{found.text('Name')}', is referenced in route: {route.text('RouteKey')}"
            )


def _check_model(api: Resource, found: Resource) -> None:
    name = found.text("Name")
    for route in api.of(ROUTE).values():
        answers = [one.members.get("ResponseModels") or {} for one in route.of(ROUTE_RESPONSE).values()]
        for models in (route.members.get("RequestModels") or {}, *answers):
            if name in models.values():
                # After version 1: https://github.com/amazon-archives/aws-apigateway-importer/issues/89
                raise conflict(f"Cannot delete model '{name}', is referenced in route: {route.text('RouteKey')}")


def _check_unmapped(root: Resource, api_id: str, stage: str | None) -> None:
    """After version 1: https://github.com/glomex/gcdt/issues/373."""
    domains = [
        name
        for name, domain in sorted(root.of(DOMAIN_NAME).items())
        for mapping in domain.of(API_MAPPING).values()
        if mapping.text("ApiId") == api_id and stage in {None, mapping.text("Stage")}
    ]
    if domains:
        what = f"API {api_id}" if stage is None else f"stage {stage}"
        raise bad_request(
            f"Deleting {what} failed. Please remove all API mappings related to it in your domains: {', '.join(domains)}"
        )
