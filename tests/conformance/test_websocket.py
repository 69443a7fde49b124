"""WebSocket APIs as their clients and functions meet them: event-sources 6.2."""

from __future__ import annotations

import json
from typing import Any

import pytest
from enforcement_support import Account, unique
from support import Bench
from websocket_support import SHOW, Api, Client, deploy_shown
from websockets.exceptions import InvalidStatus

from durable_sandbox.pytest_plugin import Sandbox, eventually


@pytest.fixture(scope="module")
def account(sandbox: Sandbox) -> Account:
    return Account(sandbox)


@pytest.fixture(scope="module")
def shown(bench: Bench) -> str:
    """A function that prints its events."""
    return deploy_shown(bench)


def events(sandbox: Sandbox, function: str, api: Api, kind: str, count: int = 1) -> list[dict[str, Any]]:
    """What the function got from an API, once it is ``count`` events of a kind."""
    logs = sandbox.client("logs")

    def found() -> list[dict[str, Any]] | None:
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=f"/aws/lambda/{function.split(':', maxsplit=1)[0]}"
        )
        lines = [event["message"] for page in pages for event in page["events"]]
        all_events = [json.loads(line.removeprefix("EVENT ")) for line in lines if line.startswith("EVENT ")]
        mine = [
            event
            for event in all_events
            if (event["requestContext"]["apiId"], event["requestContext"]["eventType"]) == (api.id, kind)
        ]
        return mine if len(mine) >= count else None

    return eventually(found)


class TestRoutes:
    def test_6_2_route_choice(self, sandbox: Sandbox, account: Account, shown: str) -> None:
        api = Api(sandbox, account)
        integration = api.to_function(shown)
        for key in ("order", "$default"):
            api.route(key, integration, two_way=True)
        with api.connect() as client:
            assert client.ask({"action": "order"})["route"] == "order"
            assert client.ask({"action": "other"})["route"] == "$default"
            assert client.ask({"no": "action"})["route"] == "$default"
            assert client.ask("not JSON") == {"route": "$default", "body": "not JSON"}

    def test_6_2_no_route_is_forbidden(self, sandbox: Sandbox, account: Account, shown: str) -> None:
        api = Api(sandbox, account)
        api.route("order", api.to_function(shown))
        api.route("$connect", api.to_function(shown))
        with api.connect() as client:
            for message in ({"action": "other"}, "not JSON", {"action": "$connect"}):
                frame = client.ask(message)
                assert frame.keys() == {"message", "connectionId", "requestId"}
                assert frame["message"] == "Forbidden"

    def test_6_2_only_a_two_way_route_answers(self, sandbox: Sandbox, account: Account, shown: str) -> None:
        api = Api(sandbox, account)
        integration = api.to_function(shown)
        api.route("silent", integration)
        api.route("loud", integration, two_way=True)
        with api.connect() as client:
            client.send({"action": "silent"})
            assert client.ask({"action": "loud"})["route"] == "loud"

    def test_a_change_shows_at_the_next_deployment(self, sandbox: Sandbox, account: Account, shown: str) -> None:
        api = Api(sandbox, account)
        api.route("first", api.to_function(shown))
        deployment = api.client.create_deployment(ApiId=api.id)["DeploymentId"]
        api.stage("fixed", AutoDeploy=False, DeploymentId=deployment)
        api.route("$default", api.to_function(shown), two_way=True)
        with api.connect(stage="fixed") as fixed, api.connect() as live:
            assert live.ask({})["route"] == "$default"
            assert fixed.ask({})["message"] == "Forbidden"
            api.client.create_deployment(ApiId=api.id, StageName="fixed")
            assert fixed.ask({})["route"] == "$default"

    def test_models(self, sandbox: Sandbox, account: Account, shown: str) -> None:
        api = Api(sandbox, account)
        schema = {"type": "object", "required": ["sum"], "properties": {"sum": {"type": "number"}}}
        api.client.create_model(ApiId=api.id, Name="order", ContentType="application/json", Schema=json.dumps(schema))
        api.route(
            "$default",
            api.to_function(shown),
            two_way=True,
            RequestModels={"order": "order"},
            ModelSelectionExpression="$request.body.kind",
        )
        with api.connect() as client:
            assert client.ask({"kind": "order", "sum": 1})["route"] == "$default"
            assert client.ask({"kind": "order"})["message"] == "Bad request body"
            assert client.ask({"kind": "other"})["message"] == "Bad request body"

    def test_throttled(self, sandbox: Sandbox, account: Account, shown: str) -> None:
        settings = {"ThrottlingBurstLimit": 2, "ThrottlingRateLimit": 0.001}
        api = Api(sandbox, account, stage_options={"RouteSettings": {"$default": settings}})
        api.route("$default", api.to_function(shown), two_way=True)
        with api.connect() as client:
            answers = [client.ask({}) for _ in range(3)]
        assert [answer.get("message") for answer in answers] == [None, None, "Too Many Requests"]


class TestFunctions:
    def test_events(self, sandbox: Sandbox, account: Account, shown: str) -> None:
        api = Api(sandbox, account, stage_options={"StageVariables": {"colour": "red"}})
        integration = api.to_function(shown)
        for key in ("$connect", "$disconnect", "$default"):
            api.route(key, integration, two_way=key == "$default")
        with api.connect("?a=1&a=2&b=", additional_headers={"X-Shop": "north"}) as client:
            client.ask("hello")
        (connected,) = events(sandbox, shown, api, "CONNECT")
        assert connected["headers"]["X-Shop"] == "north"
        assert connected["multiValueHeaders"]["X-Shop"] == ["north"]
        assert connected["queryStringParameters"] == {"a": "2", "b": ""}
        assert connected["multiValueQueryStringParameters"] == {"a": ["1", "2"], "b": [""]}
        assert connected["stageVariables"] == {"colour": "red"}
        assert "body" not in connected
        (message,) = events(sandbox, shown, api, "MESSAGE")
        assert message["body"] == "hello"
        assert message["isBase64Encoded"] is False
        assert "headers" not in message
        context = message["requestContext"]
        assert context["messageDirection"] == "IN"
        assert context["identity"]["sourceIp"] == "127.0.0.1"
        assert context["domainName"] == f"{api.id}.execute-api.us-east-1.amazonaws.com"
        assert {"messageId", "requestId", "extendedRequestId", "requestTime", "requestTimeEpoch"} < context.keys()
        (ended,) = events(sandbox, shown, api, "DISCONNECT")
        assert ended["requestContext"]["disconnectStatusCode"] == 1000
        ids = {event["requestContext"]["connectionId"] for event in (connected, message, ended)}
        assert len(ids) == 1
        assert len({event["requestContext"]["connectedAt"] for event in (connected, message, ended)}) == 1

    def test_6_2_a_failure_is_an_error_frame(self, sandbox: Sandbox, account: Account, shown: str) -> None:
        api = Api(sandbox, account)
        api.route("$default", api.to_function(shown))
        with api.connect() as client:
            assert client.ask({"fail": True})["message"] == "Internal server error"

    def test_a_timeout_is_an_error_frame(self, bench: Bench, sandbox: Sandbox, account: Account) -> None:
        slow = bench.functions.deploy("import time\ndef handler(event, context):\n    time.sleep(5)\n")
        api = Api(sandbox, account)
        api.route("$default", api.to_function(slow, TimeoutInMillis=200))
        with api.connect() as client:
            assert client.ask({})["message"] == "Endpoint request timed out"

    def test_a_function_must_let_the_api_in(self, sandbox: Sandbox, account: Account, bench: Bench) -> None:
        function = bench.functions.deploy(SHOW)
        api = Api(sandbox, account)
        api.route("$default", api.to_function(function, permitted=False))
        with api.connect() as client:
            assert client.ask({})["message"] == "Internal server error"

    def test_connect_that_fails_or_refuses(self, sandbox: Sandbox, account: Account, bench: Bench) -> None:
        for source, status in (("return {'statusCode': 418}", 418), ("raise ValueError('no')", 502)):
            api = Api(sandbox, account)
            api.route("$connect", api.to_function(bench.functions.deploy(f"def handler(e, c):\n    {source}\n")))
            with pytest.raises(InvalidStatus) as refusal:
                api.connect()
            assert refusal.value.response.status_code == status

    def test_a_subprotocol_is_chosen_by_connect(self, sandbox: Sandbox, account: Account, bench: Bench) -> None:
        source = "def handler(e, c):\n    return {'statusCode': 200, 'headers': {'Sec-WebSocket-Protocol': 'b'}}\n"
        api = Api(sandbox, account)
        api.route("$connect", api.to_function(bench.functions.deploy(source)))
        with api.connect(subprotocols=["a", "b"]) as client:
            assert client.socket.subprotocol == "b"


class TestLimits:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html."""

    @pytest.fixture(scope="class")
    @classmethod
    def api(cls, sandbox: Sandbox, account: Account, shown: str) -> Api:
        api = Api(sandbox, account)
        api.route("$default", api.to_function(shown), two_way=True)
        return api

    def test_a_frame_of_32_kb(self, api: Api) -> None:
        with api.connect() as client:
            assert len(client.ask("x" * 32 * 1024)["body"]) == 32 * 1024
            assert client.closed("x" * (32 * 1024 + 1)) == 1009

    def test_a_message_of_128_kb(self, api: Api) -> None:
        with api.connect() as client:
            client.socket.send(["x" * 32 * 1024] * 4)
            assert len(client.receive()["body"]) == 128 * 1024
            assert client.closed(*["x" * 32 * 1024] * 4, "x") == 1009

    def test_the_code_comes_to_one_who_goes_on_sending(self, api: Api) -> None:
        """As to one who stops: RFC 6455 section 7.1.1. The rest is more than the buffers of a connection hold."""
        with api.connect() as client:
            assert client.closed(*["x" * 32 * 1024] * 256) == 1009

    def test_a_binary_message(self, api: Api) -> None:
        with api.connect() as client:
            assert client.closed(b"x") == 1003

    def test_idle(self, api: Api) -> None:
        """Ten minutes, divided by the time scale of 60."""
        with api.connect() as client:
            assert client.closed(within=20) == 1001

    def test_no_such_stage_or_api(self, api: Api) -> None:
        for url in (api.url("none"), api.url().replace(api.id, unique("none"))):
            with pytest.raises(InvalidStatus) as refusal:
                Client(url)
            assert refusal.value.response.status_code == 403
