"""One request through a route: what templates, functions and access logs may know of it.

Sources: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-mapping-template-reference.html
($context); .../apigateway-websocket-api-route-keys-connect-disconnect.html and the events that functions were seen to get
($connect has headers and query, $disconnect a status code and a reason).
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from durable_sandbox.events.websocket.connection import Connection, new_id
from durable_sandbox.events.websocket.deployed import DeployedStage, Route

CONNECT, MESSAGE, DISCONNECT = "CONNECT", "MESSAGE", "DISCONNECT"
CONNECT_ROUTE, DISCONNECT_ROUTE, DEFAULT_ROUTE = "$connect", "$disconnect", "$default"


@dataclass(slots=True)
class Request:
    """A message, or the beginning or end of a connection, on its way. ``facts`` grows as it goes: status, errors.

    What the access log alone knows of its integration: ``latency`` in milliseconds, and its error (``fault``).
    """

    connection: Connection
    stage: DeployedStage
    route: Route
    kind: str
    account: str
    body: str | None = None
    disconnect: tuple[int, str] | None = None
    request_id: str = field(default_factory=new_id)
    message_id: str | None = None
    at: float = field(default_factory=time.time)
    facts: dict[str, Any] = field(default_factory=dict)
    latency: int | None = None
    fault: str | None = None

    @property
    def source_arn(self) -> str:
        """What calls, in resource policies: ``arn:aws:execute-api:<region>:<account>:<api>/<stage>/<route key>``."""
        stage = self.stage
        return f"arn:aws:execute-api:{stage.region}:{self.account}:{stage.api_id}/{stage.name}/{self.route.key}"

    def context(self) -> dict[str, Any]:
        """``$context``; what is unknown is left out."""
        return {**self._known(), **self.facts}

    def _known(self) -> dict[str, Any]:
        """What is known from the start: ``requestContext`` of a function's event."""
        connection, when = self.connection, datetime.fromtimestamp(self.at, UTC)
        shared: dict[str, Any] = {
            "routeKey": self.route.key,
            "eventType": self.kind,
            "extendedRequestId": self.request_id,
            "requestTime": when.strftime("%d/%b/%Y:%H:%M:%S %z"),
            "messageDirection": "IN",
            "stage": self.stage.name,
            "connectedAt": int(connection.connected_at * 1000),
            "requestTimeEpoch": int(self.at * 1000),
            "identity": {
                "sourceIp": connection.handshake.source_ip,
                **({"userAgent": agent} if (agent := connection.handshake.header("user-agent")) else {}),
                **connection.identity,
            },
            "requestId": self.request_id,
            "domainName": domain_name(self.stage),
            "connectionId": connection.connection_id,
            "apiId": self.stage.api_id,
        }
        if connection.authorizer:
            shared["authorizer"] = dict(connection.authorizer)
        if self.message_id is not None:
            shared["messageId"] = self.message_id
        if self.disconnect is not None:
            shared["disconnectStatusCode"], shared["disconnectReason"] = self.disconnect
        return shared

    def event(self) -> dict[str, Any]:
        """The event of a function behind an AWS_PROXY integration."""
        event: dict[str, Any] = {"requestContext": self._known(), "isBase64Encoded": False}
        if self.kind == CONNECT:
            event = {**handshake_members(self.connection), **event}
        elif self.kind == DISCONNECT:
            host = self.connection.handshake.host
            event = {"headers": {"Host": host}, "multiValueHeaders": {"Host": [host]}, **event}
        if self.body is not None:
            event["body"] = self.body
        if self.stage.variables:
            event["stageVariables"] = dict(self.stage.variables)
        return event


def domain_name(stage: DeployedStage) -> str:
    """The host of an API on AWS."""
    return f"{stage.api_id}.execute-api.{stage.region}.amazonaws.com"


def handshake_members(connection: Connection) -> dict[str, Any]:
    """Headers and query string of the handshake, as events have them: the last value, and all values."""
    handshake = connection.handshake
    members: dict[str, Any] = {}
    for name, pairs in (("headers", _titled(handshake.headers)), ("queryStringParameters", handshake.query)):
        if pairs:
            many = _many(pairs)
            title = f"multiValue{name[0].upper()}{name[1:]}"
            members[name] = {key: values[-1] for key, values in many.items()}
            members[title] = many
    return members


def _titled(headers: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Names as clients write them: the server has them in lower case."""
    return [("-".join(part.capitalize() for part in name.split("-")), value) for name, value in headers]


def _many(pairs: Sequence[tuple[str, str]]) -> Mapping[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name, value in pairs:
        found[name].append(value)
    return dict(found)


def error_facts(message: str, kind: str) -> dict[str, Any]:
    """``$context.error`` of a request that failed."""
    return {"error": {"message": message, "messageString": json.dumps(message), "responseType": kind}}
