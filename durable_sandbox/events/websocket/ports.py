"""What the data plane of WebSocket APIs needs from the rest of the sandbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from durable_sandbox.aws.access import Access
from durable_sandbox.aws.call import Api, Caller
from durable_sandbox.aws.clock import TimePolicy
from durable_sandbox.aws.http import HttpRequest, HttpResponse
from durable_sandbox.aws.identity import Identities
from durable_sandbox.events.websocket.connection import Connections
from durable_sandbox.events.websocket.counts import Counts
from durable_sandbox.events.websocket.deployed import Apis
from durable_sandbox.events.websocket.throttling import Throttles


class AwsHttp(Protocol):
    """AWS by HTTP, in a service's own wire protocol: for integrations, whose templates write requests as text."""

    async def exchange(self, caller: Caller, region: str, service: str, request: HttpRequest) -> HttpResponse:
        """Answer ``request`` as its service would, errors included."""
        ...


class Policies(Protocol):
    """The evaluation of the policy that an authorizer returns."""

    def allows(self, document: Any, action: str, resource: str, context: Mapping[str, str]) -> bool:
        """Whether ``document`` allows it. Raises ValueError for what is no policy."""
        ...


class LogSink(Protocol):
    """CloudWatch Logs."""

    def put(
        self, region: str, group: str, stream: str, events: Sequence[tuple[int, str]], *, role_arn: str | None = None
    ) -> None:
        """Write lines (milliseconds since the epoch, text) with a role's permissions. Never blocks."""
        ...


@dataclass(frozen=True)
class Gateway:
    """Everything that a connection works with."""

    account: str
    api: Api
    http: AwsHttp
    identities: Identities
    access: Access
    policies: Policies
    apis: Apis
    time: TimePolicy
    logs: LogSink
    connections: Connections = field(default_factory=Connections)
    throttles: Throttles = field(default_factory=Throttles)
    counts: Counts = field(default_factory=Counts)
