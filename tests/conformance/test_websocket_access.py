"""Who may connect, and who may reach a client: event-sources 6.2 and 6.3."""

from __future__ import annotations

import json
import time
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from enforcement_support import REGION, Account, Role, allow, refused, trust, unique
from support import Bench
from websocket_support import Api, Client, deploy_shown, function_uri
from websockets.exceptions import InvalidStatus

from durable_sandbox.pytest_plugin import Sandbox, eventually

AUTHORIZER = """
import json


def handler(event, context):
    print("ASKED " + json.dumps(event))
    who = event["headers"].get("X-Token") or event["queryStringParameters"]["token"]
    if who == "unauthorized":
        raise Exception("Unauthorized")
    if who == "nonsense":
        return {"principalId": "x"}
    effect = "Allow" if who == "alice" else "Deny"
    statement = {"Effect": effect, "Action": "execute-api:Invoke", "Resource": event["methodArn"]}
    return {
        "principalId": who,
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
        "context": {"level": 7, "admin": True},
    }
"""


@pytest.fixture(scope="module")
def account(sandbox: Sandbox) -> Account:
    return Account(sandbox)


@pytest.fixture(scope="module")
def shown(bench: Bench) -> str:
    return deploy_shown(bench)


def status_of(api: Api, **options: Any) -> tuple[int, str]:
    """Status and message with which the handshake is refused."""
    with pytest.raises(InvalidStatus) as refusal:
        api.connect(**options)
    response = refusal.value.response
    assert response.body is not None
    return response.status_code, json.loads(response.body)["message"]


class TestAuthorizer:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html."""

    @pytest.fixture(scope="class")
    @classmethod
    def function(cls, bench: Bench) -> str:
        return bench.functions.deploy(AUTHORIZER)

    @pytest.fixture(scope="class")
    @classmethod
    def api(cls, sandbox: Sandbox, account: Account, shown: str, function: str) -> Api:
        api = Api(sandbox, account)
        api.to_function(function)  # for its permission
        authorizer = api.client.create_authorizer(
            ApiId=api.id,
            Name="a",
            AuthorizerType="REQUEST",
            AuthorizerUri=function_uri(function),
            IdentitySource=["route.request.header.X-Token"],
        )["AuthorizerId"]
        api.route("$connect", api.to_function(shown), AuthorizationType="CUSTOM", AuthorizerId=authorizer)
        api.route("$default", api.to_function(shown), two_way=True)
        return api

    def test_allowed(self, api: Api, sandbox: Sandbox, shown: str) -> None:
        with api.connect(additional_headers={"X-Token": "alice"}) as client:
            assert client.ask({})["route"] == "$default"
        logs = sandbox.client("logs")

        def told() -> list[Any] | None:
            events = logs.filter_log_events(logGroupName=f"/aws/lambda/{shown.split(':', maxsplit=1)[0]}")["events"]
            found = [json.loads(e["message"][6:]) for e in events if e["message"].startswith("EVENT ")]
            mine = [event["requestContext"] for event in found if event["requestContext"]["apiId"] == api.id]
            return mine if len(mine) == 2 else None

        for context in eventually(told):
            assert context["authorizer"] == {"principalId": "alice", "level": "7", "admin": "true"}

    @pytest.mark.parametrize(
        ("headers", "status", "words"),
        [
            ({}, 401, "Unauthorized"),
            ({"X-Token": "unauthorized"}, 401, "Unauthorized"),
            ({"X-Token": "bob"}, 403, "not authorized"),
            ({"X-Token": "nonsense"}, 500, "Internal server error"),
        ],
        ids=["no identity", "unauthorized", "denied", "nonsense"],
    )
    def test_refused(self, api: Api, headers: dict[str, str], status: int, words: str) -> None:
        found, message = status_of(api, additional_headers=headers)
        assert found == status
        assert words in message

    def test_its_function_must_let_the_api_in(self, sandbox: Sandbox, account: Account, function: str) -> None:
        api = Api(sandbox, account)
        authorizer = api.client.create_authorizer(
            ApiId=api.id, Name="a", AuthorizerType="REQUEST", AuthorizerUri=function_uri(function), IdentitySource=[]
        )["AuthorizerId"]
        api.route("$connect", AuthorizationType="CUSTOM", AuthorizerId=authorizer)
        assert status_of(api, additional_headers={"X-Token": "alice"})[0] == 500


class TestIam:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-control-access-iam.html."""

    @pytest.fixture(scope="class")
    @classmethod
    def api(cls, sandbox: Sandbox, account: Account) -> Api:
        api = Api(sandbox, account)
        api.route("$connect", api.to_nothing(), AuthorizationType="AWS_IAM")
        return api

    def signed(self, api: Api, account: Account, role: Role) -> dict[str, str]:
        keys = account.sandbox.client("sts").assume_role(RoleArn=role.arn, RoleSessionName="test")["Credentials"]
        request = AWSRequest("GET", api.url().replace("ws", "http", 1))
        credentials = Credentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
        SigV4Auth(credentials, "execute-api", REGION).add_auth(request)
        return dict(request.headers)

    def test_a_role_that_may(self, api: Api, account: Account) -> None:
        role = account.role(allow("execute-api:Invoke", f"{api.arn}/live/$connect"))
        with api.connect(additional_headers=self.signed(api, account, role)) as client:
            assert client.id()

    def test_a_role_that_may_not(self, api: Api, account: Account) -> None:
        role = account.role(allow("execute-api:Invoke", f"{api.arn}/other/*"))
        status, message = status_of(api, additional_headers=self.signed(api, account, role))
        assert status == 403
        assert "is not authorized to perform: execute-api:Invoke" in message

    def test_no_signature(self, api: Api) -> None:
        assert status_of(api) == (403, "Missing Authentication Token")


class TestConnections:
    @pytest.fixture(scope="class")
    @classmethod
    def api(cls, sandbox: Sandbox, account: Account) -> Api:
        api = Api(sandbox, account)
        api.route("named", api.to_nothing())
        return api

    @pytest.fixture
    def backend(self, api: Api) -> Any:
        return api.connections()

    def error(self, call: Any, **params: Any) -> str:
        with pytest.raises(ClientError) as failed:
            call(**params)
        status: int = failed.value.response["ResponseMetadata"]["HTTPStatusCode"]
        return f"{failed.value.response['Error']['Code']} {status}"

    def test_post_in_order(self, api: Api, backend: Any) -> None:
        with api.connect() as client:
            connection = client.id()
            for number in range(20):
                backend.post_to_connection(ConnectionId=connection, Data=json.dumps({"n": number}).encode())
            assert [client.receive()["n"] for _ in range(20)] == list(range(20))

    def test_get(self, api: Api, backend: Any) -> None:
        with api.connect(additional_headers={"User-Agent": "me"}, user_agent_header=None) as client:
            found = backend.get_connection(ConnectionId=client.id())
        assert found["Identity"] == {"SourceIp": "127.0.0.1", "UserAgent": "me"}
        assert abs(found["ConnectedAt"].timestamp() - time.time()) < 60
        assert found["LastActiveAt"] >= found["ConnectedAt"]

    def test_delete(self, api: Api, backend: Any) -> None:
        with api.connect() as client:
            connection = client.id()
            backend.delete_connection(ConnectionId=connection)
            assert client.closed() == 1000
        assert self.error(backend.get_connection, ConnectionId=connection) == "GoneException 410"

    def test_6_3_gone(self, api: Api, backend: Any) -> None:
        with api.connect() as client:
            connection = client.id()
        eventually(lambda: True if self.gone(backend, connection) else None)
        assert self.error(backend.delete_connection, ConnectionId=connection) == "GoneException 410"
        assert self.error(backend.post_to_connection, ConnectionId="none=", Data=b"x") == "GoneException 410"

    def gone(self, backend: Any, connection: str) -> bool:
        try:
            backend.post_to_connection(ConnectionId=connection, Data=b"x")
        except backend.exceptions.GoneException:
            return True
        return False

    def test_6_3_it_is_gone_at_another_stage(self, api: Api) -> None:
        api.stage("other")
        with api.connect() as client:
            assert self.gone(api.connections("other"), client.id())

    def test_6_3_not_yet_established(self, sandbox: Sandbox, account: Account, bench: Bench) -> None:
        api = Api(sandbox, account)
        endpoint = api.url().replace("ws", "http", 1)
        source = (
            "import boto3\n"
            "def handler(event, context):\n"
            f"    client = boto3.client('apigatewaymanagementapi', endpoint_url={endpoint!r})\n"
            "    try:\n"
            "        client.post_to_connection(ConnectionId=event['requestContext']['connectionId'], Data=b'x')\n"
            "    except client.exceptions.GoneException:\n"
            "        return {'statusCode': 200, 'headers': {'Sec-WebSocket-Protocol': 'gone'}}\n"
            "    return {'statusCode': 200}\n"
        )
        api.route("$connect", api.to_function(bench.functions.deploy(source)))
        with api.connect(subprotocols=["gone"]) as client:
            assert client.socket.subprotocol == "gone"

    def test_6_3_too_large(self, api: Api, backend: Any) -> None:
        with api.connect() as client:
            connection = client.id()
            backend.post_to_connection(ConnectionId=connection, Data=b"x" * 131_072)
            assert len(client.socket.recv(timeout=10)) == 131_072
            too_large = self.error(backend.post_to_connection, ConnectionId=connection, Data=b"x" * 131_073)
        assert too_large == "PayloadTooLargeException 413"

    def test_6_3_permission(self, api: Api, account: Account) -> None:
        may = account.role(allow("execute-api:ManageConnections", f"{api.arn}/live/POST/@connections/*"))
        with api.connect() as client:
            connection = client.id()
            backend = self.by_role(api, account, may)
            backend.post_to_connection(ConnectionId=connection, Data=b'"hello"')
            assert client.receive() == "hello"
            error = refused(backend.delete_connection, ConnectionId=connection)
        assert error["Status"] == 403
        assert "execute-api:ManageConnections" in error["Message"]

    def by_role(self, api: Api, account: Account, role: Role) -> Any:
        keys = account.sandbox.client("sts").assume_role(RoleArn=role.arn, RoleSessionName="test")["Credentials"]
        return boto3.client(
            "apigatewaymanagementapi",
            endpoint_url=api.url().replace("ws", "http", 1),
            region_name=REGION,
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
        )

    def test_what_is_deleted_closes_its_connections(self, sandbox: Sandbox, account: Account) -> None:
        api = Api(sandbox, account)
        api.route("named", api.to_nothing())
        with api.connect() as client, Client(api.url()) as other:
            api.client.delete_api(ApiId=api.id)
            assert (client.closed(), other.closed()) == (1001, 1001)


def test_access_log(sandbox: Sandbox, account: Account) -> None:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-logging.html: a role of the account writes."""
    group = unique("access")
    sandbox.client("logs").create_log_group(logGroupName=group)
    destination = f"arn:aws:logs:us-east-1:123456789012:log-group:{group}"
    line = {"id": "$context.requestId", "route": "$context.routeKey", "status": "$context.status", "no": "$context.no"}
    settings = {"AccessLogSettings": {"DestinationArn": destination, "Format": json.dumps(line)}}
    api = Api(sandbox, account)
    with pytest.raises(ClientError, match="CloudWatch Logs role ARN must be set in account settings"):
        api.stage("logged", **settings)
    role = account.role(
        allow(["logs:CreateLogStream", "logs:PutLogEvents"], f"{destination}:*"), trusted=trust("apigateway")
    )
    gateway = sandbox.client("apigateway")
    gateway.update_account(patchOperations=[{"op": "replace", "path": "/cloudwatchRoleArn", "value": role.arn}])
    api.stage("logged", **settings)
    api.route("$default", api.to_nothing())
    api.route("$connect", api.to_nothing())
    with api.connect(stage="logged") as client:
        client.send("x")

        def written() -> list[Any] | None:
            events = sandbox.client("logs").filter_log_events(logGroupName=group)["events"]
            return [json.loads(event["message"]) for event in events] if len(events) == 2 else None

        lines = eventually(written)
    assert [(line["route"], line["status"], line["no"]) for line in lines] == [
        ("$connect", "200", "-"),
        ("$default", "200", "-"),
    ]
