from collections.abc import Iterator
from typing import Any

import pytest
from functions_support import load
from reply_support import TABLE, connected, connection_table

connections = load("connections")


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("TABLE_NAME", TABLE)
    connections.dynamodb.cache_clear()
    with connection_table() as created:
        yield created
    connections.dynamodb.cache_clear()


def event(kind: str, *, authorizer: Any = None, query: Any = None) -> dict[str, Any]:
    """The members of an AWS_PROXY event that matter."""
    request = {
        "connectionId": "aB1=",
        "connectedAt": 1_745_000_000_123,
        "eventType": kind,
        "routeKey": f"${kind.lower()}",
        "stage": "live",
    }
    if authorizer is not None:
        request["authorizer"] = authorizer
    return {"requestContext": request, "isBase64Encoded": False} | ({"queryStringParameters": query} if query else {})


def test_a_connection_is_recorded_for_as_long_as_it_may_last(table: Any) -> None:
    assert connections.handler(event("CONNECT"), None) == {"statusCode": 200}

    assert table.scan()["Items"] == [
        {"connection_id": "aB1=", "connected_at": 1_745_000_000_123, "expires_at": 1_745_000_000 + 7200}
    ]


def test_a_disconnection_leaves_no_record(table: Any) -> None:
    connections.handler(event("CONNECT"), None)

    assert connections.handler(event("DISCONNECT"), None) == {"statusCode": 200}
    assert connected(table) == []
    assert connections.handler(event("DISCONNECT"), None) == {"statusCode": 200}


@pytest.mark.parametrize(
    ("source", "client_id"), [("authorizer", "principal"), ("query", "chosen"), ("", None)], ids=str
)
def test_the_client_is_named_by_what_is_configured(
    table: Any, monkeypatch: pytest.MonkeyPatch, source: str, client_id: str | None
) -> None:
    monkeypatch.setenv("CLIENT_ID_FROM", source)

    connections.handler(event("CONNECT", authorizer={"principalId": "principal"}, query={"client_id": "chosen"}), None)

    (item,) = table.scan()["Items"]
    assert item.get("client_id") == client_id
    found = table.query(
        IndexName="client",
        KeyConditionExpression="client_id = :c",
        ExpressionAttributeValues={":c": client_id or "chosen"},
    )
    assert found["Count"] == (client_id is not None)


@pytest.mark.parametrize("source", ["authorizer", "query"])
@pytest.mark.parametrize(
    ("authorizer", "query"), [(None, None), ({"principalId": ""}, {"client_id": ""}), ({}, {"x": "y"})]
)
def test_without_its_name_a_client_is_recorded_all_the_same(
    table: Any, monkeypatch: pytest.MonkeyPatch, source: str, authorizer: Any, query: Any
) -> None:
    monkeypatch.setenv("CLIENT_ID_FROM", source)

    assert connections.handler(event("CONNECT", authorizer=authorizer, query=query), None) == {"statusCode": 200}
    assert "client_id" not in table.scan()["Items"][0]


def test_a_client_id_that_is_too_long_for_a_key_is_refused(table: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIENT_ID_FROM", "query")

    assert connections.handler(event("CONNECT", query={"client_id": "é" * 1025}), None) == {"statusCode": 400}
    assert connected(table) == []
    assert connections.handler(event("CONNECT", query={"client_id": "é" * 1024}), None) == {"statusCode": 200}


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("client", ["with blank", "ümlaut", "x" * 129], ids=["blank", "umlaut", "long"])
def test_a_client_that_can_be_no_message_group_is_refused_where_it_would_be_one(
    monkeypatch: pytest.MonkeyPatch, client: str
) -> None:
    monkeypatch.setenv("CLIENT_ID_FROM", "query")
    connect = event("CONNECT", query={"client_id": client})
    assert connections.handler(connect, None) == {"statusCode": 200}
    monkeypatch.setenv("GROUP", "client")
    assert connections.handler(connect, None) == {"statusCode": 400}
    assert connections.handler(event("CONNECT", query={"client_id": "who|1"}), None) == {"statusCode": 200}


def test_another_route_is_an_error(table: Any) -> None:
    with pytest.raises(
        ValueError, match=r"event type MESSAGE of route \$message: route \$connect and \$disconnect here"
    ):
        connections.handler(event("MESSAGE"), None)
    assert connected(table) == []


def test_what_is_misconfigured_is_named(table: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIENT_ID_FROM", "cookie")
    with pytest.raises(RuntimeError, match='environment variable CLIENT_ID_FROM is "cookie"'):
        connections.handler(event("CONNECT"), None)
    assert connected(table) == []

    monkeypatch.delenv("TABLE_NAME")
    with pytest.raises(RuntimeError, match="environment variable TABLE_NAME is not set"):
        connections.handler(event("CONNECT"), None)


def test_what_dynamodb_refuses_is_raised_so_that_the_connection_is_refused(
    table: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TABLE_NAME", "missing")

    with pytest.raises(connections.dynamodb().exceptions.ResourceNotFoundException):
        connections.handler(event("CONNECT"), None)
    assert connected(table) == []
