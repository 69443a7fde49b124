"""Checks of stages and deployments. Texts without a source are the sandbox's own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from durable_sandbox.services.apigatewayv2.errors import bad_request, conflict, not_emulated, not_found
from durable_sandbox.services.apigatewayv2.kinds import DEPLOYMENT, ROUTE, STAGE
from durable_sandbox.services.apigatewayv2.resources import Change, Resource

# botocore, UpdateStageRequest
_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}|\$default")
_VARIABLE = re.compile(r"[A-Za-z0-9_]+")
_VARIABLE_VALUE = re.compile(r"[A-Za-z0-9\-._~:/?#&=,]+")
_LOG_GROUP = re.compile(r"arn:aws[a-z-]*:logs:[a-z0-9-]+:\d{12}:log-group:[^:*]+(:\*)?")
_LOGGING = frozenset({"AccessLogSettings", "DefaultRouteSettings", "RouteSettings"})
_FORMAT_BYTES = 3 * 1024
_REQUEST_ID = re.compile(r"\$context\.(requestId|extendedRequestId)\b")


def check_stage(change: Change) -> None:
    """Raises AwsError (BadRequestException, ConflictException, NotFoundException, UnsupportedOperation)."""
    name = change.text("StageName")
    if _NAME.fullmatch(name) is None:
        raise bad_request(f"Invalid stage name {name!r}: only letters, digits, hyphens and underscores, or $default.")
    if any(one.text("StageName") == name for one in change.others()):
        # https://github.com/hashicorp/terraform-provider-aws/issues/30256 (version 1)
        raise conflict("Stage already exists")
    if change.text("ClientCertificateId"):
        raise not_emulated("client certificates of stages")
    _check_deployment_id(change)
    for key, value in (change.members.get("StageVariables") or {}).items():
        if _VARIABLE.fullmatch(key) is None or _VARIABLE_VALUE.fullmatch(value) is None:
            raise bad_request(f"Invalid stage variable {key}={value!r}: {_VARIABLE.pattern}={_VARIABLE_VALUE.pattern}.")
    _check_route_settings(change)
    _check_access_log(change, change.members.get("AccessLogSettings"))
    if _logs(change) and change.account_role(change.place.region) is None:
        # https://github.com/anomalyco/sst/issues/4663
        raise bad_request("CloudWatch Logs role ARN must be set in account settings to enable logging")


def check_deployment(change: Change) -> None:
    """Raises AwsError (BadRequestException)."""
    problem = undeployable(change.api) if change.key is None else None
    if problem is not None:
        raise bad_request(problem)


def undeployable(api: Resource) -> str | None:
    """Why ``api`` cannot be deployed.

    https://github.com/aws/serverless-application-model/issues/2512, https://github.com/mach-composer/mach-composer-cli/issues/42
    """
    if api.of(ROUTE):
        return None
    if api.websocket:
        return "At least one route is required before deploying the Api"
    return "Unable to deploy API because no routes exist in this API"


def _check_deployment_id(change: Change) -> None:
    deployment = change.given.get("DeploymentId")
    if not deployment:
        return
    if change.key is not None and change.members.get("AutoDeploy"):
        # botocore, UpdateStageRequest
        raise bad_request("DeploymentId can't be updated if autoDeploy is enabled.")
    if deployment not in change.api.of(DEPLOYMENT):
        # https://github.com/aws/chalice/pull/1839 (version 1)
        raise bad_request("Deployment id does not exist")


def _check_route_settings(change: Change) -> None:
    keys = {one.text("RouteKey") for one in change.api.of(ROUTE).values()}
    for key in change.given.get("RouteSettings") or {}:
        # Terraform's provider tests set $connect, $disconnect and $default of WebSocket APIs that have no routes.
        if key not in keys and not (change.api.websocket and key.startswith("$")):
            # https://github.com/terraform-aws-modules/terraform-aws-apigateway-v2/pull/80
            raise not_found(f"Unable to find Route by key {key} within the provided RouteSettings")
    for settings in _all_settings(change.members):
        for member in ("ThrottlingBurstLimit", "ThrottlingRateLimit"):
            if (settings.get(member) or 0) < 0:
                raise bad_request(f"Invalid {member}: {settings[member]} is negative.")


def _check_access_log(change: Change, settings: Mapping[str, Any] | None) -> None:
    if settings is None:
        return
    destination, layout = settings.get("DestinationArn") or "", settings.get("Format") or ""
    if ":firehose:" in destination:
        raise not_emulated("access logs to Firehose")
    if _LOG_GROUP.fullmatch(destination) is None:
        raise bad_request(f"Invalid ARN specified in the request: {destination!r} is not a log group's.")
    if not layout or len(layout.encode()) > _FORMAT_BYTES or "\n" in layout.rstrip("\n"):
        raise bad_request("Access log format must be a single line of at most 3 KB.")
    if change.api.websocket and _REQUEST_ID.search(layout) is None:
        # https://github.com/aws/aws-cdk/pull/33977
        raise bad_request("Access log format must include $context.requestId or $context.extendedRequestId.")


def _logs(change: Change) -> bool:
    """Whether the request makes a WebSocket API's stage write logs: access logs, or an execution log."""
    if not change.api.websocket or not change.given.keys() & _LOGGING:
        return False
    levels = {settings.get("LoggingLevel") for settings in _all_settings(change.members)}
    return change.members.get("AccessLogSettings") is not None or bool(levels & {"INFO", "ERROR"})


def _all_settings(members: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield members.get("DefaultRouteSettings") or {}
    yield from (members.get("RouteSettings") or {}).values()


def in_use(deployment: str, api: Resource) -> bool:
    """Whether a stage serves ``deployment``."""
    return any(stage.text("DeploymentId") == deployment for stage in api.of(STAGE).values())
