"""websocket-ingress as an echo: a crowd, odd frames, those who leave, frames that reach nobody, and a guarded door."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from attachment import terraform_env
from deployment import Deployment, inventory
from observe import only
from pytest_terraform import terraform
from socket_clients import TIME_SCALE, Behind, Client, Crowd, attributes
from websockets.exceptions import InvalidStatus

from durable_sandbox.pytest_plugin import Sandbox, eventually, started

pytestmark = pytest.mark.timeout(420)  # the first test applies, which takes a minute

CLIENTS, MESSAGES = 200, 20
SLOW = """
import time

import as_it_was
import clients

clients.READ_SECONDS = 60


def handler(event, context):
    time.sleep(1)
    return as_it_was.handler(event, context)
"""
"""A handler that takes a second more for each batch. Its calls are patient, for the sandbox takes long to answer while a crowd
pours in: what is posted again after a timeout arrives twice."""

ODD = [
    '{"text": "&MessageGroupId=other&x=%26", "id": "1"}',
    '{"text": "+ %2B %25 % & = ; # ? / \\\\ $input.body #set($x = 1) ${context.connectionId}"}',
    '{ "text" : "Grüße, naïve façade, Ωmega, 漢字, 🚀, \\ud83d\\ude80", "id":"2" }',
    '{"text": "\\"quoted\\" \'single\' <tag> &amp; \\\\n \\n \\t \\u0001"}',
    '\n{\r\n\t"text" : "spaces  and   lines"  ,\n  "n" : 1.50 , "n2": 1e3\r\n}\n  ',
    '{"action": "none", "MessageGroupId": "other", "MessageBody": "other&MessageBody=another"}',
]
"""Frames of which a careless hand would lose a part, or make a parameter."""

KB = 1024


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with started(tmp_path_factory.mktemp("sandbox"), time_scale=TIME_SCALE) as running:
        yield running


@pytest.fixture(scope="module")
def for_terraform(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with terraform_env(sandbox, tmp_path_factory.mktemp("terraform")) as variables:
        yield variables


@pytest.fixture(scope="module")
def before(sandbox: Sandbox) -> set[str]:
    """What was in the account before the apply."""
    return inventory(sandbox)


class Echo(Behind):
    """The applied scenario."""

    def slow_down(self) -> str:
        """Deploy the reply function anew, with a handler that sleeps; its version."""
        changed = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(self._package())) as package, zipfile.ZipFile(changed, "w") as other:
            for name in package.namelist():
                other.writestr("as_it_was.py" if name == "handler.py" else name, package.read(name))
            other.writestr("handler.py", SLOW)
        name = self.outputs["reply_function_name"]
        answer = self.functions.update_function_code(FunctionName=name, ZipFile=changed.getvalue(), Publish=True)
        version: str = answer["Version"]
        self.functions.update_alias(FunctionName=name, Name="live", FunctionVersion=version)
        return version

    def mend(self) -> None:
        """Let the alias lead to the first version again."""
        self.functions.update_alias(FunctionName=self.outputs["reply_function_name"], Name="live", FunctionVersion="1")

    def forget(self, version: str) -> None:
        """Leave nothing of the slow handler."""
        name = self.outputs["reply_function_name"]
        self.functions.update_function_code(FunctionName=name, ZipFile=self._package())
        self.functions.delete_function(FunctionName=name, Qualifier=version)

    def _package(self) -> bytes:
        bucket, storage = self.outputs["artifact_bucket"], self.sandbox.client("s3")
        found = storage.list_objects_v2(Bucket=bucket, Prefix=f"{self.outputs['reply_function_name']}/")
        package: bytes = storage.get_object(Bucket=bucket, Key=only(found["Contents"])["Key"])["Body"].read()
        return package

    def queued(self) -> list[dict[str, Any]]:
        """What is on the queue, in the order in which it was sent."""
        return sorted(self.peek("queue_url"), key=lambda message: int(message["Attributes"]["SequenceNumber"]))


@pytest.fixture(scope="module")
def deployed(before: set[str], sandbox: Sandbox, request: pytest.FixtureRequest) -> Echo:  # noqa: ARG001 - order
    applied = request.getfixturevalue("websocket-echo")
    return Echo(sandbox, {name: output["value"] for name, output in applied.outputs.items()})


@dataclass(frozen=True)
class Burst:
    """What a crowd met with a slow handler, which is mended when all messages are accepted.

    Attributes:
        waiting: Messages on the queue at that time.
    """

    crowd: Crowd
    waiting: int


@pytest.fixture(scope="module")
def burst(deployed: Echo) -> Burst:
    version, depths = deployed.slow_down(), []

    def mended() -> None:
        depths.append(deployed.depth("queue_url"))
        deployed.mend()

    try:
        crowd = Crowd.of(deployed.url, CLIENTS, MESSAGES, mended)
    finally:
        deployed.mend()
        deployed.forget(version)
    return Burst(crowd, only(depths))


@pytest.fixture(scope="class")
def held(deployed: Echo) -> Iterator[Echo]:
    """The echo with nobody who takes messages off the queue; the test may let somebody. Nothing is left in the end."""
    deployed.poll(enabled=False)
    yield deployed
    deployed.poll(enabled=True)
    deployed.idle()
    deployed.nobody("table_name")
    deployed.nobody("guarded_table_name")


@terraform("websocket-echo", scope="module")
def test_every_reply_reaches_its_own_connection_in_order(burst: Burst) -> None:
    """None is doubled, and none is missing."""
    assert [talk.accepted for talk in burst.crowd.talks] == [MESSAGES] * CLIENTS
    for talk in burst.crowd.talks:
        assert talk.heard == talk.sent


def test_the_queue_absorbs_what_a_slow_handler_leaves(deployed: Echo, burst: Burst) -> None:
    assert burst.waiting > CLIENTS * MESSAGES / 4
    deployed.idle()
    deployed.nobody("table_name")


def test_a_frame_arrives_byte_for_byte_and_changes_no_other_field(held: Echo) -> None:
    with Client(held.url) as client:
        connection_id = client.id()
        messages = [*ODD, largest()]
        # Of 4 characters with 7 bytes: none of the frames has 32 KB.
        requests = [
            client.accepted([text[at : at + 16 * KB] for at in range(0, len(text), 16 * KB)]) for text in messages
        ]
        queued = held.queued()
        assert [message["Body"] for message in queued] == messages
        for text, request_id, message in zip(messages, requests, queued, strict=True):
            assert message["Attributes"]["MessageGroupId"] == connection_id
            assert message["Attributes"]["MessageDeduplicationId"] == json.loads(text).get("id", request_id)
            assert attributes(message) == {
                "connectionId": connection_id,
                "requestId": request_id,
                "routeKey": "$default",
            }
        held.poll(enabled=True)
        assert [client.text() for _ in messages] == messages


def test_who_leaves_before_the_reply_blocks_nobody_and_leaves_no_record(held: Echo) -> None:
    """API Gateway does not send each $disconnect: of one who left, the record is put back."""
    with Client(held.url) as stays:
        left = {}
        for name in ("leaves", "vanishes"):
            with Client(held.url) as client:
                left[name] = client.id()
                client.accepted({"from": name})
                record = held.connections("table_name")[left[name]]
        eventually(lambda: held.connections("table_name").keys() == {stays.id()} or None, what="for $disconnect")
        held.dynamodb.put_item(TableName=held.outputs["table_name"], Item=record)
        stays.accepted({"from": "stays"})
        assert held.depth("queue_url") == 3

        held.poll(enabled=True)
        assert stays.receive() == {"from": "stays"}
        held.idle()
        assert held.connections("table_name").keys() == {stays.id()}


class TestWhatReachesNobody:
    """The documented answers: https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-request-validation.html
    and .../apigateway-websocket-api-overview.html (close codes).
    """

    @pytest.fixture(autouse=True)
    @classmethod
    def _nothing_queued(cls, held: Echo) -> Iterator[None]:
        yield
        assert held.depth("queue_url") == 0

    @pytest.mark.parametrize(
        "message",
        [
            "not JSON",
            "",
            '{"a": 1',
            "[1]",
            '"text"',
            "NaN",
            '{"id": "a b"}',
            '{"id": 1}',
            json.dumps({"id": "x" * 129}),
        ],
    )
    def test_what_the_model_refuses(self, held: Echo, message: str) -> None:
        with Client(held.url) as client:
            assert client.refused(message, "Bad request body") == client.id(), "it stays connected"

    @pytest.mark.parametrize(
        ("frames", "code"),
        [
            pytest.param(['{"a": "' + 32 * KB * "x" + '"}'], 1009, id="frame of more than 32 KB"),
            pytest.param(['{"a": "', *[32 * KB * "x"] * 4, '"}'], 1009, id="message of more than 128 KB"),
            pytest.param([b"{}"], 1003, id="binary"),
        ],
    )
    def test_what_closes_the_connection(self, held: Echo, frames: list[str | bytes], code: int) -> None:
        with Client(held.url) as client:
            assert client.closed(*frames) == code

    def test_an_action_that_is_no_route(self, held: Echo) -> None:
        with Client(held.outputs["guarded_url"], token="allow ann") as client:
            for message in (
                {"action": "cancel", "id": "1", "sum": 1},
                {"id": "1", "sum": 1},
                {"action": "$connect"},
                "?",
            ):
                client.refused(message, "Forbidden")

    def test_a_message_that_the_model_of_its_route_refuses(self, held: Echo) -> None:
        with Client(held.outputs["guarded_url"], token="allow ann") as client:
            client.refused({"action": "order", "id": "1"}, "Bad request body")
            client.refused({"action": "order", "id": "1", "sum": -1}, "Bad request body")

    @pytest.mark.parametrize(
        ("query", "status", "words"),
        [
            ({}, 401, "Unauthorized"),
            ({"token": ""}, 401, "Unauthorized"),
            ({"token": "deny ann"}, 403, "User is not authorized to access this resource with an explicit deny"),
        ],
    )
    def test_whom_the_authorizer_refuses(self, held: Echo, query: dict[str, str], status: int, words: str) -> None:
        with pytest.raises(InvalidStatus) as refusal:
            Client(held.outputs["guarded_url"], **query)
        assert refusal.value.response.status_code == status
        assert json.loads(refusal.value.response.body or b"") == {"message": words}
        assert held.connections("guarded_table_name") == {}


def test_a_client_is_known_on_all_its_connections_and_its_repetition_is_handled_once(held: Echo) -> None:
    order = {"action": "order", "id": "order-1", "sum": 3}
    url, table = held.outputs["guarded_url"], "guarded_table_name"
    with Client(url, token="allow ann/+&") as first:
        request_id = first.accepted(order)
        (connection_id,) = held.connections(table)
        assert held.connections(table)[connection_id]["client_id"] == {"S": "ann/+&"}
    held.nobody(table)
    with Client(url, token="allow ann/+&") as again, Client(url, token="allow bob") as other:
        assert again.accepted(order) != request_id
        other.accepted(order)
    held.nobody(table)

    ann, bob = held.queued()
    assert json.loads(ann["Body"]) == json.loads(bob["Body"]) == order
    assert [message["Attributes"]["MessageGroupId"] for message in (ann, bob)] == ["ann/+&", "bob"]
    assert {message["Attributes"]["MessageDeduplicationId"] for message in (ann, bob)} == {"order-1"}
    assert attributes(ann) == {
        "clientId": "ann/+&",
        "connectionId": connection_id,
        "requestId": request_id,
        "routeKey": "order",
    }
    since = time.time()
    held.poll(enabled=True)
    held.idle()
    for message_id in (ann["MessageId"], bob["MessageId"]):
        lines = held.those("reply_log_group_name", since, message_id)
        assert f"message {message_id} has no client any more" in only(lines)


def test_the_access_log_tells_what_became_of_a_request(deployed: Echo) -> None:
    since = time.time()
    with Client(deployed.url) as client:
        connection_id = client.refused({"id": 'x","status":"200'}, "Bad request body")
        request_id = client.accepted({})
        assert client.text() == "{}"
    accepted = deployed.written("access_log_group_name", since, requestId=request_id)
    assert accepted["latency"].isdigit()
    del accepted["latency"], accepted["messageId"], accepted["connectedAt"], accepted["requestTime"]
    nothing = dict.fromkeys(("authorizerError", "authorizerStatus", "error", "errorType", "integrationError"), "-")
    assert accepted == {
        **nothing,
        "connectionId": connection_id,
        "eventType": "MESSAGE",
        "integrationStatus": "200",
        "principalId": "-",
        "requestId": request_id,
        "routeKey": "$default",
        "sourceIp": "127.0.0.1",
        "status": "200",
        "validationError": "-",
    }
    refused = deployed.written("access_log_group_name", since, connectionId=connection_id, status="400")
    assert refused["error"] == "Bad request body"
    assert refused["errorType"] == "BAD_REQUEST_BODY"
    assert refused["validationError"] == (
        '[ECMA 262 regex "^[A-Za-z0-9_-]{1,128}$" does not match input string "x","status":"200"]'
    )
    for event in ("CONNECT", "DISCONNECT"):
        line = deployed.written("access_log_group_name", since, connectionId=connection_id, eventType=event)
        assert (line["status"], line["integrationStatus"], line["routeKey"]) == ("200", "200", f"${event.lower()}")


@pytest.fixture
def locked(deployed: Echo) -> Iterator[Echo]:
    """The echo without the API's permission to send; it gets it back."""
    iam, role = deployed.sandbox.client("iam"), deployed.outputs["role_arn"].rpartition("/")[2]
    name = only(iam.list_role_policies(RoleName=role)["PolicyNames"])
    policy = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    iam.delete_role_policy(RoleName=role, PolicyName=name)
    yield deployed
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(policy))


def test_a_client_hears_that_the_queue_did_not_take_its_message_and_the_access_log_tells_why(locked: Echo) -> None:
    since = time.time()
    with Client(locked.url) as client:
        connection_id = client.refused({}, "Internal server error")
    line = locked.written("access_log_group_name", since, connectionId=connection_id, eventType="MESSAGE")
    assert (line["status"], line["integrationStatus"]) == ("403", "403")
    assert "is not authorized to perform: sqs:sendmessage" in line["integrationError"]


def test_the_access_log_tells_who_was_let_in_and_who_was_not(deployed: Echo) -> None:
    since, group = time.time(), "guarded_access_log_group_name"
    for query in ({}, {"token": "deny ann"}):
        with pytest.raises(InvalidStatus):
            Client(deployed.outputs["guarded_url"], **query)
    with Client(deployed.outputs["guarded_url"], token="allow ann") as client:
        client.refused({"action": "cancel"}, "Forbidden")
    unknown = deployed.written(group, since, status="401")
    assert (unknown["eventType"], unknown["error"], unknown["errorType"]) == ("CONNECT", "Unauthorized", "UNAUTHORIZED")
    denied = deployed.written(group, since, status="403", eventType="CONNECT")
    assert (denied["errorType"], denied["integrationStatus"]) == ("ACCESS_DENIED", "-")
    assert "explicit deny" in denied["error"]
    assert deployed.written(group, since, status="200", eventType="CONNECT")["principalId"] == "ann"
    assert deployed.written(group, since, status="403", eventType="MESSAGE")["error"] == "Forbidden"


def test_second_plan_is_empty(deployed: Echo, request: pytest.FixtureRequest) -> None:  # noqa: ARG001 - applied
    Deployment.of(request.getfixturevalue("websocket-echo")).assert_nothing_to_change()


def test_destroy_leaves_nothing_and_closes_what_is_open(
    deployed: Echo, before: set[str], request: pytest.FixtureRequest
) -> None:
    created = {entry.partition(":")[0] for entry in inventory(deployed.sandbox) - before}
    assert created == {"apigatewayv2", "dynamodb", "iam", "lambda", "logs", "s3", "sqs"}
    with Client(deployed.url) as client, Client(deployed.outputs["guarded_url"], token="allow ann") as other:
        Deployment.of(request.getfixturevalue("websocket-echo")).changed("destroy")
        assert (client.closed(), other.closed()) == (1001, 1001)
    assert inventory(deployed.sandbox) == before


def largest() -> str:
    """A message of 128 KB."""
    begun = '{"text": "' + "&+%🚀" * 18_000
    return begun + "x" * (128 * KB - len(begun.encode()) - 2) + '"}'
