"""What is deployed to a stage of a WebSocket API: all that the data plane knows of the control plane.

Fields are API Gateway's own (botocore's model of apigatewayv2); a deployment is a snapshot, so that a change shows at the
next deployment, or at once on a stage that deploys by itself:
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-routes-integrations.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

ENDPOINT_PATH = "/_aws/execute-api"
"""Where APIs are on the sandbox's port: ``<path>/<API id>/<stage>``."""


@dataclass(frozen=True, slots=True)
class IntegrationResponse:
    """How an integration's answer is mapped. ``key`` is ``$default``, a status or an expression such as ``/4../``."""

    key: str
    templates: Mapping[str, str] = field(default_factory=dict)
    template_selection: str | None = None


@dataclass(frozen=True, slots=True)
class Integration:
    """What a route leads to. ``kind``: AWS, AWS_PROXY, MOCK. ``timeout``: seconds."""

    integration_id: str
    kind: str
    uri: str | None = None
    method: str | None = None
    credentials: str | None = None
    passthrough: str = "WHEN_NO_MATCH"
    request_parameters: Mapping[str, str] = field(default_factory=dict)
    request_templates: Mapping[str, str] = field(default_factory=dict)
    template_selection: str | None = None
    response_selection: str | None = None
    responses: Mapping[str, IntegrationResponse] = field(default_factory=dict)
    timeout: float = 29.0


@dataclass(frozen=True, slots=True)
class Authorizer:
    """A Lambda authorizer of kind REQUEST."""

    authorizer_id: str
    name: str
    uri: str
    credentials: str | None = None
    identity_sources: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Throttle:
    """A token bucket: ``rate`` requests a second, ``burst`` at once; None for no limit of its own."""

    rate: float | None = None
    burst: int | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """``authorization``: NONE, AWS_IAM or CUSTOM. ``models``: JSON schema (text) by the values of ``model_selection``.

    ``two_way``: it has a route response, so that the client gets what the integration answers.
    """

    key: str
    route_id: str
    integration: Integration | None = None
    authorization: str = "NONE"
    authorizer: Authorizer | None = None
    model_selection: str | None = None
    models: Mapping[str, str] = field(default_factory=dict)
    two_way: bool = False
    throttle: Throttle = field(default_factory=Throttle)


@dataclass(frozen=True, slots=True)
class AccessLog:
    """Where a stage logs its requests: log group's name, and a format of $context variables."""

    group: str
    format: str


@dataclass(frozen=True, slots=True)
class DeployedStage:
    """A stage as clients meet it. ``role``: the account's role by which API Gateway writes logs."""

    region: str
    api_id: str
    name: str
    selection: str
    routes: Mapping[str, Route]
    variables: Mapping[str, str] = field(default_factory=dict)
    access_log: AccessLog | None = None
    log_role: str | None = None


@runtime_checkable
class Apis(Protocol):
    """The control plane as the data plane asks it."""

    def stage(self, api_id: str, stage: str) -> DeployedStage | None:
        """What is deployed there now; None if there is no such WebSocket API, stage or deployment."""
        ...

    def mapped(self, host: str, mapping_key: str) -> tuple[str, str] | None:
        """API id and stage behind a custom domain's name and the path's first part ("" for none)."""
        ...
