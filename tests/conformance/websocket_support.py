"""WebSocket APIs by boto3, and clients of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import uuid4

import boto3
import pytest
from enforcement_support import ACCOUNT, REGION, Account, Role, allow, trust, unique
from support import Bench
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from durable_sandbox.pytest_plugin import Sandbox

SHOW = """
import json


def handler(event, context):
    print("EVENT " + json.dumps(event))
    body = json.loads(event.get("body") or "{}") if (event.get("body") or "").startswith("{") else {}
    if body.get("fail"):
        raise ValueError("as told")
    return {"statusCode": body.get("status", 200), "body": json.dumps({"route": event["requestContext"]["routeKey"], "body": event.get("body")})}
"""
"""Prints its event; answers with the route and the body, fails or answers a status as the body says."""


def deploy_shown(bench: Bench) -> str:
    """Deploy SHOW, with its log group, which else comes with the first line; ``name:live``."""
    function = bench.functions.deploy(SHOW)
    group = f"/aws/lambda/{function.partition(':')[0]}"
    bench.sandbox.client("logs").create_log_group(logGroupName=group)
    return function


FORM = (
    "Action=SendMessage&MessageGroupId=$util.urlEncode($context.connectionId)"
    "&MessageDeduplicationId=$util.urlEncode($context.requestId)&MessageBody=$util.urlEncode($input.body)"
)
"""A message template that encodes what it inserts."""


@dataclass
class Api:
    """One WebSocket API with a stage ``live`` that deploys by itself."""

    sandbox: Sandbox
    account: Account
    options: Mapping[str, Any] = field(default_factory=dict)
    stage_options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.client = self.sandbox.client("apigatewayv2")
        settings = {"RouteSelectionExpression": "$request.body.action", **self.options}
        made = self.client.create_api(Name=unique("api"), ProtocolType="WEBSOCKET", **settings)
        self.id: str = made["ApiId"]
        self.endpoint: str = made["ApiEndpoint"]
        self.stage()

    def stage(self, name: str = "live", **options: Any) -> None:
        """Create a stage."""
        settings = {"AutoDeploy": True, **self.stage_options, **options}
        self.client.create_stage(ApiId=self.id, StageName=name, **settings)

    @property
    def arn(self) -> str:
        """Its execution ARN."""
        return f"arn:aws:execute-api:{REGION}:{ACCOUNT}:{self.id}"

    def url(self, stage: str = "live", query: str = "") -> str:
        """Where clients connect."""
        return f"{self.endpoint}/{stage}{query}"

    def connections(self, stage: str = "live") -> Any:
        """A client of @connections, with the root's keys."""
        return boto3.client(
            "apigatewaymanagementapi",
            endpoint_url=self.url(stage).replace("ws", "http", 1),
            region_name=REGION,
            aws_access_key_id="sandbox",
            aws_secret_access_key="sandbox",
        )

    def route(self, key: str, integration: str | None = None, *, two_way: bool = False, **options: Any) -> str:
        """Create a route."""
        if integration is not None:
            options["Target"] = f"integrations/{integration}"
        if two_way:
            options["RouteResponseSelectionExpression"] = "$default"
        made = self.client.create_route(ApiId=self.id, RouteKey=key, **options)
        if two_way:
            self.client.create_route_response(ApiId=self.id, RouteId=made["RouteId"], RouteResponseKey="$default")
        route_id: str = made["RouteId"]
        return route_id

    def to_function(self, function: str, *, permitted: bool = True, **options: Any) -> str:
        """An AWS_PROXY integration of ``name:alias``, which lets this API call it."""
        name, _, alias = function.partition(":")
        if permitted:
            self.account.functions.add_permission(
                FunctionName=name,
                Qualifier=alias,
                StatementId=f"s-{uuid4().hex[:8]}",
                Action="lambda:InvokeFunction",
                Principal="apigateway.amazonaws.com",
                SourceArn=f"{self.arn}/*",
            )
        settings = {"IntegrationType": "AWS_PROXY", "IntegrationMethod": "POST", **options}
        return self.integration(IntegrationUri=function_uri(function), **settings)

    def to_queue(self, url: str, role: Role, template: str = FORM, **options: Any) -> str:
        """An integration that sends to a queue."""
        settings = {
            "IntegrationType": "AWS",
            "IntegrationMethod": "POST",
            "IntegrationUri": f"arn:aws:apigateway:{REGION}:sqs:path/{ACCOUNT}/{url.rsplit('/', 1)[1]}",
            "CredentialsArn": role.arn,
            "PassthroughBehavior": "NEVER",
            "RequestParameters": {"integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"},
            "TemplateSelectionExpression": "\\$default",
            "RequestTemplates": {"$default": template},
            **options,
        }
        return self.integration(**settings)

    def to_nothing(self, **options: Any) -> str:
        """A MOCK integration that answers 200."""
        templates = {"$default": '{"statusCode": 200}'}
        return self.integration(
            **{
                "IntegrationType": "MOCK",
                "RequestTemplates": templates,
                "TemplateSelectionExpression": "\\$default",
                **options,
            }
        )

    def integration(self, **options: Any) -> str:
        """Create an integration."""
        made: str = self.client.create_integration(ApiId=self.id, **options)["IntegrationId"]
        return made

    def connect(self, query: str = "", stage: str = "live", **options: Any) -> Client:
        """A connected client."""
        return Client(self.url(stage, query), **options)


class Client:
    """One connection, open from the beginning."""

    def __init__(self, url: str, **options: Any) -> None:
        self._stack = ExitStack()
        self.socket: ClientConnection = self._stack.enter_context(connect(url, compression=None, **options))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def send(self, message: Any) -> None:
        """Send text as it is, anything else as JSON."""
        self.socket.send(message if isinstance(message, str) else json.dumps(message))

    def receive(self, within: float = 10) -> Any:
        """The next message, parsed."""
        return json.loads(self.socket.recv(timeout=within))

    def ask(self, message: Any, within: float = 10) -> Any:
        """Send, and what comes back."""
        self.send(message)
        return self.receive(within)

    def closed(self, *frames: str | bytes, within: float = 10) -> int:
        """The code with which the server closes, here at a message of ``frames``; that may be before it is sent whole."""
        with pytest.raises(ConnectionClosed) as end:
            self._until_closed(frames, within)
        assert end.value.rcvd is not None
        return end.value.rcvd.code

    def _until_closed(self, frames: Sequence[str | bytes], within: float) -> None:
        if frames:
            self.socket.send(frames)
        self.socket.recv(timeout=within)

    def id(self) -> str:
        """Its connection id, by the error frame of a message that no route takes."""
        found: str = self.ask({"action": f"none-{uuid4().hex}"})["connectionId"]
        return found


def function_uri(function: str) -> str:
    """The integration URI of ``name:alias``."""
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"
    return f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{arn}/invocations"


def sender(account: Account, queue_arn: str) -> Role:
    """A role by which API Gateway may send to the queue."""
    return account.role(allow("sqs:SendMessage", queue_arn), trusted=trust("apigateway"))


def messages(account: Account, url: str, count: int = 1) -> Sequence[dict[str, Any]]:
    """``count`` messages of a queue, deleted."""
    found: list[dict[str, Any]] = []
    while len(found) < count:
        answer = account.sqs.receive_message(
            QueueUrl=url,
            WaitTimeSeconds=5,
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
        batch = answer.get("Messages", [])
        assert batch, f"{len(found)} of {count} messages came"
        for message in batch:
            account.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        found += batch
    return found
