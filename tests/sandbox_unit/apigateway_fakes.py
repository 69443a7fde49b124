"""API Gateway by its service alone, called as the server would, or by boto3 without a network."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from durable_sandbox.aws.call import Call, Caller
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.aws.http import HttpRequest
from durable_sandbox.aws.protocol import ServiceProtocol
from durable_sandbox.services.apigatewayv2.service import ApiGatewayService

ACCOUNT, REGION = "123456789012", "us-east-1"
BASE = "http://127.0.0.1:4566"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/gateway"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f:live"
FUNCTION_URI = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{FUNCTION}/invocations"
QUEUE_URI = f"arn:aws:apigateway:{REGION}:sqs:path/{ACCOUNT}/q.fifo"
CALLER = Caller(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", "sandbox")


class Bench:
    """The service, with what it was told to tell and ask."""

    def __init__(self) -> None:
        self.deleted: list[tuple[str, str | None]] = []
        self.role: str | None = None
        self.service = ApiGatewayService(
            account=ACCOUNT,
            base_url=BASE,
            account_role=lambda _: self.role,
            on_deleted=lambda api, stage: self.deleted.append((api, stage)),
        )

    def do(self, operation: str, *, region: str = REGION, **params: Any) -> dict[str, Any]:
        """Call an operation; its output."""
        call = Call("apigatewayv2", operation, params, CALLER, region)
        return dict(asyncio.run(self.service.handle(call)))

    def refused(self, operation: str, **params: Any) -> AwsError:
        """Call an operation that fails; its error."""
        try:
            self.do(operation, **params)
        except AwsError as error:
            return error
        raise AssertionError(f"{operation} was not refused")

    def api(self, **more: Any) -> str:
        """A WebSocket API; its id."""
        params = {"Name": "a", "ProtocolType": "WEBSOCKET", "RouteSelectionExpression": "$request.body.action", **more}
        return str(self.do("CreateApi", **params)["ApiId"])

    def http_api(self, **more: Any) -> str:
        """An HTTP API; its id."""
        return str(self.do("CreateApi", Name="h", ProtocolType="HTTP", **more)["ApiId"])

    def integration(self, api: str, **more: Any) -> str:
        """An integration, by default of no kind that needs anything; its id."""
        return str(self.do("CreateIntegration", ApiId=api, **{"IntegrationType": "MOCK", **more})["IntegrationId"])

    def route(self, api: str, key: str = "$default", **more: Any) -> str:
        """A route; its id."""
        return str(self.do("CreateRoute", ApiId=api, RouteKey=key, **more)["RouteId"])

    def authorizer(self, api: str, **more: Any) -> str:
        """A Lambda authorizer; its id."""
        params = {"Name": "auth", "AuthorizerType": "REQUEST", "AuthorizerUri": FUNCTION_URI, "IdentitySource": []}
        return str(self.do("CreateAuthorizer", ApiId=api, **{**params, **more})["AuthorizerId"])

    def stage(self, api: str, **more: Any) -> dict[str, Any]:
        """A stage ``live``."""
        return self.do("CreateStage", ApiId=api, **{"StageName": "live", **more})

    def client(self) -> Any:
        """boto3's client, whose requests end at the service in this process."""
        session = boto3.Session(aws_access_key_id="sandbox", aws_secret_access_key="sandbox", region_name=REGION)
        client = session.client("apigatewayv2")
        client.meta.events.register("before-send.apigatewayv2", self._answer)
        return client

    def _answer(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        protocol, url = ServiceProtocol("apigatewayv2"), urlsplit(request.url)
        body = request.body or b""
        asked = HttpRequest(
            str(request.method), url.path, url.query, {}, body.encode() if isinstance(body, str) else bytes(body)
        )
        try:
            parsed = protocol.parse(asked)
            answer = protocol.serialise(parsed, self.do(parsed.operation, **parsed.params), "id")
        except AwsError as error:
            answer = protocol.serialise_error(error, "id")
        return AWSResponse(request.url, answer.status, _headers(answer.headers), _Raw(answer.body))


def _headers(headers: Any) -> Mapping[str, str]:
    return {name.lower(): value for name, value in headers}


class _Raw:
    """A response's body as botocore streams it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_: Any, **__: Any) -> Any:
        yield self._body
