"""Deployments: what they freeze of an API, and what a stage serves of it.

A stage with AutoDeploy gets a deployment with every change of its API; the others keep theirs.
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-set-up-websocket-deployment.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from durable_sandbox.events.websocket.deployed import (
    AccessLog,
    Authorizer,
    DeployedStage,
    Integration,
    IntegrationResponse,
    Route,
    Throttle,
)
from durable_sandbox.services.apigatewayv2.checks_routing import DEFAULT, TARGET
from durable_sandbox.services.apigatewayv2.checks_stages import undeployable
from durable_sandbox.services.apigatewayv2.defaults import now
from durable_sandbox.services.apigatewayv2.kinds import (
    AUTHORIZER,
    DEPLOYMENT,
    INTEGRATION,
    INTEGRATION_RESPONSE,
    MODEL,
    ROUTE,
    ROUTE_RESPONSE,
    STAGE,
)
from durable_sandbox.services.apigatewayv2.resources import Resource, Snapshot, random_id
from durable_sandbox.services.apigatewayv2.uris import invocation

_MILLISECONDS = 1000
_BURST, _RATE = "ThrottlingBurstLimit", "ThrottlingRateLimit"


def snapshot(api: Resource) -> Snapshot:
    """What a deployment freezes now. An HTTP API's routes are not served, so nothing is kept of them."""
    routes = [_route(api, one) for one in api.of(ROUTE).values()] if api.websocket else []
    return Snapshot(api.text("RouteSelectionExpression"), {route.key: route for route in routes})


def point(stage: Resource, deployment: str) -> None:
    """Let ``stage`` serve ``deployment``."""
    stage.members = {
        **stage.members,
        "DeploymentId": deployment,
        "LastDeploymentStatusMessage": f"Successfully deployed stage with deployment ID '{deployment}'",
        "LastUpdatedDate": now(),
    }


def auto_deploy(api: Resource) -> None:
    """Deploy ``api`` to the stages that ask for it; what cannot be deployed leaves them as they were, and says why."""
    stages = [stage for stage in api.of(STAGE).values() if stage.members.get("AutoDeploy")]
    problem = undeployable(api)
    if problem is not None:
        message = f"Deployment attempt failed: {problem}"
        for stage in stages:
            stage.members = {**stage.members, "LastDeploymentStatusMessage": message}
        return
    for stage in stages:
        deployment = random_id(DEPLOYMENT.id_length)
        api.of(DEPLOYMENT)[deployment] = Resource(
            {
                "AutoDeployed": True,
                "CreatedDate": now(),
                "DeploymentId": deployment,
                "DeploymentStatus": "DEPLOYED",
                "Description": "Automatic deployment triggered by changes to the Api configuration",
            },
            snapshot(api),
        )
        point(stage, deployment)


def deployed_stage(region: str, api: Resource, stage: Resource) -> DeployedStage | None:
    """What ``stage`` serves; None without a deployment. The role for its log is yet to be added."""
    deployment = api.of(DEPLOYMENT).get(stage.text("DeploymentId"))
    if deployment is None or deployment.snapshot is None:
        return None
    members, routes = stage.members, deployment.snapshot.routes
    log = members.get("AccessLogSettings")
    return DeployedStage(
        region=region,
        api_id=api.text("ApiId"),
        name=stage.text("StageName"),
        selection=deployment.snapshot.selection,
        routes={key: replace(route, throttle=_throttle(members, key)) for key, route in routes.items()},
        variables=dict(members.get("StageVariables") or {}),
        access_log=None if log is None else AccessLog(_group(log["DestinationArn"]), log["Format"]),
    )


def _group(arn: str) -> str:
    return arn.partition(":log-group:")[2].removesuffix(":*")


def _throttle(stage: Mapping[str, Any], key: str) -> Throttle:
    """A route's settings come before the stage's; 0 lets nothing through."""
    settings = {**(stage.get("DefaultRouteSettings") or {}), **((stage.get("RouteSettings") or {}).get(key) or {})}
    return Throttle(settings.get(_RATE), settings.get(_BURST))


def _route(api: Resource, route: Resource) -> Route:
    members = route.members
    integration = api.of(INTEGRATION).get(route.text("Target").removeprefix(TARGET))
    authorizer = api.of(AUTHORIZER).get(route.text("AuthorizerId"))
    schemas = {model.text("Name"): model.text("Schema") for model in api.of(MODEL).values()}
    requested: Mapping[str, str] = members.get("RequestModels") or {}
    return Route(
        key=route.text("RouteKey"),
        route_id=route.text("RouteId"),
        integration=None if integration is None else _integration(integration),
        authorization=route.text("AuthorizationType"),
        authorizer=None if authorizer is None else _authorizer(authorizer),
        model_selection=members.get("ModelSelectionExpression"),
        models={key: schemas[name] for key, name in requested.items() if name in schemas},
        two_way=members.get("RouteResponseSelectionExpression") == DEFAULT and _answers(route),
    )


def _answers(route: Resource) -> bool:
    return any(one.text("RouteResponseKey") == DEFAULT for one in route.of(ROUTE_RESPONSE).values())


def _authorizer(authorizer: Resource) -> Authorizer:
    members = authorizer.members
    return Authorizer(
        authorizer_id=authorizer.text("AuthorizerId"),
        name=authorizer.text("Name"),
        uri=invocation(authorizer.text("AuthorizerUri")),
        credentials=members.get("AuthorizerCredentialsArn"),
        identity_sources=tuple(members.get("IdentitySource") or ()),
    )


def _integration(integration: Resource) -> Integration:
    members = integration.members
    responses = [_response(one) for one in integration.of(INTEGRATION_RESPONSE).values()]
    uri = members.get("IntegrationUri")
    return Integration(
        integration_id=integration.text("IntegrationId"),
        kind=integration.text("IntegrationType"),
        uri=None if uri is None else invocation(uri),
        method=members.get("IntegrationMethod"),
        credentials=members.get("CredentialsArn"),
        passthrough=members.get("PassthroughBehavior", "WHEN_NO_MATCH"),
        request_parameters=dict(members.get("RequestParameters") or {}),
        request_templates=dict(members.get("RequestTemplates") or {}),
        template_selection=members.get("TemplateSelectionExpression"),
        response_selection=members.get("IntegrationResponseSelectionExpression"),
        responses={response.key: response for response in responses},
        timeout=members["TimeoutInMillis"] / _MILLISECONDS,
    )


def _response(response: Resource) -> IntegrationResponse:
    members = response.members
    return IntegrationResponse(
        key=response.text("IntegrationResponseKey"),
        templates=dict(members.get("ResponseTemplates") or {}),
        template_selection=members.get("TemplateSelectionExpression"),
    )
