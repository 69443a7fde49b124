"""examples/websocket: clients that order, hear of each step and of the result, and find both again when they have reconnected."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from attachment import terraform_env
from deployment import Deployment, inventory
from observe import only
from pytest_terraform import terraform
from socket_clients import TIME_SCALE, Behind, Client

from durable_sandbox.pytest_plugin import Sandbox, eventually, started

pytestmark = pytest.mark.timeout(300)  # the first test applies, which takes a minute

HOLD_S = 15
"""Time for a client to reconnect."""
RECEIVES, HIDDEN_S = 2, 8
STEPS = ["accepted", "validated", "transformed"]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """In real time: a hold is what lies between two connections of a client."""
    with started(tmp_path_factory.mktemp("sandbox"), real_time=True, time_scale=TIME_SCALE) as running:
        yield running


@pytest.fixture(scope="module")
def for_terraform(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with terraform_env(sandbox, tmp_path_factory.mktemp("terraform")) as variables:
        yield variables


@pytest.fixture(scope="module")
def before(sandbox: Sandbox) -> set[str]:
    """What was in the account before the apply."""
    return inventory(sandbox)


class Shop(Behind):
    """The applied example."""

    def reply(self, **event: Any) -> dict[str, Any]:
        """Invoke the reply function, as a durable function does."""
        answer = self.functions.invoke(
            FunctionName=f"{self.outputs['reply_function_name']}:live", Payload=json.dumps(event).encode()
        )
        payload = answer["Payload"].read()
        assert "FunctionError" not in answer, payload
        result: dict[str, Any] = json.loads(payload)
        return result

    def letters(self) -> list[dict[str, Any]]:
        """What is in the dead-letter queue, taken off it."""
        return list(self._drain(self.outputs["dead_letter_queue_url"]))


class Customer:
    """A client that keeps what it is told of its orders apart from the acceptances."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.requests: dict[str, str] = {}
        self.reports: list[dict[str, Any]] = []

    def order(self, name: str, **fields: Any) -> None:
        """Send an order, and wait until it is accepted."""
        self._client.send({**order(name), **fields})
        while "requestId" not in (heard := self._client.receive()):
            self.reports.append(heard)
        assert heard.keys() == {"status", "requestId"}
        assert heard["status"] == "accepted"
        self.requests[name] = heard["requestId"]

    def told(self, count: int) -> list[dict[str, Any]]:
        """The first reports, as many as there must be."""
        while len(self.reports) < count:
            self.reports.append(self._client.receive())
        return self.reports[:count]


def order(name: str) -> dict[str, Any]:
    return {"id": name, "data_source": f"invoices-{name}", "processing_type": "summarise"}


@pytest.fixture(scope="module")
def deployed(before: set[str], sandbox: Sandbox, request: pytest.FixtureRequest) -> Shop:  # noqa: ARG001 - order
    applied = request.getfixturevalue("websocket")
    return Shop(sandbox, {name: output["value"] for name, output in applied.outputs.items()})


@pytest.fixture
def shop(deployed: Shop) -> Iterator[Shop]:
    """The example with nobody connected and nothing on its queues, before and after."""
    deployed.nobody("connection_table_name")
    deployed.idle()
    yield deployed
    deployed.nobody("connection_table_name")
    deployed.idle()


@pytest.fixture
def hasty(shop: Shop) -> Iterator[Shop]:
    """The example with a queue that soon delivers again what failed, and does so once."""
    url, names = shop.outputs["queue_url"], ["VisibilityTimeout", "RedrivePolicy"]
    attributes = shop.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    redrive = {**json.loads(attributes["RedrivePolicy"]), "maxReceiveCount": RECEIVES}
    changed = {"VisibilityTimeout": str(HIDDEN_S), "RedrivePolicy": json.dumps(redrive)}
    shop.sqs.set_queue_attributes(QueueUrl=url, Attributes=changed)
    yield shop
    shop.sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)


@terraform("websocket", scope="module")
def test_an_order_is_accepted_reported_on_and_stored(shop: Shop) -> None:
    with Client(shop.url, client_id="me") as client:
        customer = Customer(client)
        customer.order("1")
        reports = customer.told(4)
    assert [report["status"] for report in reports] == [*STEPS, "stored"]
    (message_id,) = {report["message_id"] for report in reports}
    for report in reports:
        assert report == {
            "status": report["status"],
            "message_id": message_id,
            "request_id": customer.requests["1"],
            "id": "1",
        }
    assert "INVOICES-1" in json.dumps(shop.rows([message_id])[message_id])


def test_an_invalid_order_is_reported_and_dead_after_its_receives(hasty: Shop) -> None:
    """The reports are of each receive."""
    with Client(hasty.url, client_id="me") as client:
        customer = Customer(client)
        customer.order("2", data_source=" ")
        reports = customer.told(2 * RECEIVES)
        assert [report["status"] for report in reports] == ["accepted", "failed"] * RECEIVES
        error = "InvalidMessageError: empty field data_source"
        assert all(report["error"].startswith(error) for report in reports[1::2]), reports
        (message_id,) = {report["message_id"] for report in reports}

        eventually(lambda: hasty.depth("dead_letter_queue_url") or None, what="for the dead letter")
        letter = only(hasty.letters())
        assert letter["MessageId"] == message_id
        assert json.loads(letter["Body"])["id"] == "2"
        assert letter["MessageAttributes"]["requestId"]["StringValue"] == customer.requests["2"]
        customer.order("3")
        assert [report["status"] for report in customer.told(2 * RECEIVES + 4)[2 * RECEIVES :]] == [*STEPS, "stored"]
    assert hasty.rows([message_id]) == {}


def test_a_report_goes_to_the_connection_that_the_client_has_then(shop: Shop) -> None:
    """Of two orders the second waits for the first, so that nothing was told of it over the connection that it came by."""
    with Client(shop.url, client_id="me") as client:
        customer = Customer(client)
        customer.order("4", hold_seconds=HOLD_S)
        customer.order("5")
        reports = customer.told(4)
        assert [report["status"] for report in reports] == [*STEPS, "held"]
        assert reports[-1]["hold_seconds"] == HOLD_S
    with Client(shop.url, client_id="other"), Client(shop.url, client_id="me") as client:
        assert client.receive() == {
            "status": "stored",
            "message_id": reports[0]["message_id"],
            "request_id": customer.requests["4"],
            "id": "4",
        }
        reports = [client.receive() for _ in range(4)]
        assert [report["status"] for report in reports] == [*STEPS, "stored"]
        assert {report["request_id"] for report in reports} == {customer.requests["5"]}


def test_a_reply_finds_its_client(shop: Shop) -> None:
    """Of a connection that is on record though it is gone, since no $disconnect came, the record tells the client."""
    table = shop.outputs["connection_table_name"]
    with Client(shop.url, client_id="me") as client:
        gone = client.id()
        record = shop.connections("connection_table_name")[gone]
        assert record["client_id"] == {"S": "me"}
    shop.nobody("connection_table_name")
    with Client(shop.url, client_id="me") as client, Client(shop.url, client_id="other"):
        found = {"delivered": True, "connection_id": client.id(), "client_id": "me"}
        assert shop.reply(connection_id=gone, client_id="me", data={"n": 1}) == found
        assert client.text() == '{"n": 1}'
        shop.dynamodb.put_item(TableName=table, Item=record)
        assert shop.reply(connection_id=gone, data="as it is") == found
        assert client.text() == "as it is"
        assert gone not in shop.connections("connection_table_name")
    shop.nobody("connection_table_name")
    nowhere = {"delivered": False, "connection_id": None, "client_id": "me"}
    assert shop.reply(connection_id=gone, client_id="me", data={}) == nowhere


def test_reports_reach_their_own_connection_in_order(shop: Shop) -> None:
    with Client(shop.url, client_id="a") as first, Client(shop.url, client_id="b") as second:
        customers = {"a": Customer(first), "b": Customer(second)}
        for number in range(5):
            for name, customer in customers.items():
                customer.order(f"{name}-{number}")
        for name, customer in customers.items():
            reports = customer.told(5 * 4)
            expected = [(f"{name}-{number}", status) for number in range(5) for status in (*STEPS, "stored")]
            assert [(report["id"], report["status"]) for report in reports] == expected
            assert [report["request_id"] for report in reports[::4]] == list(customer.requests.values())


def test_second_plan_is_empty(deployed: Shop, websocket: Any) -> None:  # noqa: ARG001 - as the orders left it
    Deployment.of(websocket).assert_nothing_to_change()


def test_destroy_leaves_nothing(deployed: Shop, websocket: Any, before: set[str]) -> None:
    created = {entry.partition(":")[0] for entry in inventory(deployed.sandbox) - before}
    assert created == {"apigatewayv2", "dynamodb", "iam", "lambda", "logs", "s3", "sqs", "stack"}
    Deployment.of(websocket).changed("destroy")
    assert inventory(deployed.sandbox) == before
