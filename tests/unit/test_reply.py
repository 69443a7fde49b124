import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from functions_support import load
from reply_support import (
    BROKEN,
    ENDPOINT,
    FORBIDDEN,
    GONE,
    INVALID,
    THROTTLED,
    TOO_LARGE,
    Gateway,
    connect,
    connected,
    connection_table,
    management_api,
    time_left,
)

reply = load("reply")
clients = load("reply", "clients")
delivery = load("reply", "delivery")
connection_records = load("reply", "table")


@pytest.fixture
def table() -> Iterator[Any]:
    with connection_table() as created:
        yield created


@pytest.fixture
def gateway(table: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:  # noqa: ARG001 - moto must be there first
    with management_api(monkeypatch) as fake:
        yield fake


def post(connection_id: str = "c-1", data: Any = "hello", **more: Any) -> dict[str, Any]:
    return dict(reply.handler({"connection_id": connection_id, "data": data, **more}, time_left()))


def answer(connection_id: str | None, client_id: str | None = None) -> dict[str, Any]:
    return {"delivered": connection_id is not None, "connection_id": connection_id, "client_id": client_id}


@pytest.mark.parametrize(
    ("data", "posted"),
    [
        ("plain & 100 %: é✓", "plain & 100 %: é✓".encode()),
        ({"status": "stored", "id": 7}, b'{"status": "stored", "id": 7}'),
        ([1, None], b"[1, null]"),
        (None, b"null"),
        ({"odd": "\ud800"}, b'{"odd": "\\ud800"}'),
    ],
)
def test_data_goes_to_the_connection_as_text_or_as_json(gateway: Gateway, data: Any, posted: bytes) -> None:
    assert post(data=data) == answer("c-1")
    assert gateway.posts == [("c-1", posted)]


def test_the_stage_is_kept_and_the_id_is_encoded(gateway: Gateway) -> None:
    assert post("aB1-cD_2=")["delivered"]
    assert gateway.urls == [f"{ENDPOINT}/@connections/aB1-cD_2%3D"]


def test_the_client_is_told_for_the_caller_to_keep(gateway: Gateway, table: Any) -> None:
    connect(table, "c-1", "alice")

    assert post() == answer("c-1", "alice")
    assert post(client_id="given") == answer("c-1", "given")
    assert post("unknown") == answer("unknown")
    assert len(gateway.posts) == 3


def test_a_client_that_cannot_be_looked_up_is_no_reason_to_post_again(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TABLE_NAME", "missing")

    assert post() == answer("c-1")
    assert gateway.to == ["c-1"]
    assert "the client of connection c-1 is not known: ResourceNotFoundException" in caplog.text


# Gone


def test_a_gone_connection_is_a_success_and_leaves_no_record(gateway: Gateway, table: Any) -> None:
    connect(table, "c-1")
    connect(table, "c-2")
    gateway.answers["c-1"] = GONE

    assert post() == answer(None)

    assert gateway.to == ["c-1"]
    assert connected(table) == ["c-2"]


def test_a_gone_connection_without_a_record_is_a_success_as_well(gateway: Gateway) -> None:
    gateway.answers["c-1"] = GONE

    assert post() == answer(None)


def test_what_matters_of_a_gone_connection_is_the_status(gateway: Gateway) -> None:
    gateway.answers["c-1"] = (410, "")

    assert post() == answer(None)


def test_a_client_that_has_reconnected_is_found_by_the_record_of_its_old_connection(
    gateway: Gateway, table: Any
) -> None:
    connect(table, "c-1", "alice")
    connect(table, "c-2", "alice", at=1_745_000_001_000)
    connect(table, "c-3", "bob", at=1_745_000_002_000)
    gateway.answers["c-1"] = GONE

    assert post() == answer("c-2", "alice")

    assert gateway.to == ["c-1", "c-2"]
    assert connected(table) == ["c-2", "c-3"]


def test_days_later_the_client_id_finds_it(gateway: Gateway, table: Any) -> None:
    connect(table, "c-9", "alice")
    gateway.answers["c-1"] = GONE

    assert post(client_id="alice") == answer("c-9", "alice")


def test_of_two_live_connections_the_newest_gets_it_alone(gateway: Gateway, table: Any) -> None:
    connect(table, "c-2", "alice", at=1_745_000_002_000)
    connect(table, "c-3", "alice", at=1_745_000_003_000)
    gateway.answers["c-1"] = GONE

    assert post(client_id="alice") == answer("c-3", "alice")

    assert gateway.to == ["c-1", "c-3"]
    assert connected(table) == ["c-2", "c-3"]


def test_a_live_connection_is_preferred_to_a_newer_one_of_its_client(gateway: Gateway, table: Any) -> None:
    connect(table, "c-1", "alice")
    connect(table, "c-2", "alice", at=1_745_000_002_000)

    assert post() == answer("c-1", "alice")
    assert gateway.to == ["c-1"]


def test_newer_connections_that_are_gone_are_cleaned_up_on_the_way(gateway: Gateway, table: Any) -> None:
    for number in range(1, 5):
        connect(table, f"c-{number}", "alice", at=1_745_000_000_000 + number)
    gateway.answers |= {"c-1": GONE, "c-4": GONE, "c-3": GONE}

    assert post(client_id="alice") == answer("c-2", "alice")

    assert gateway.to == ["c-1", "c-4", "c-3", "c-2"]
    assert connected(table) == ["c-2"]


def test_with_no_connection_left_nothing_is_delivered(gateway: Gateway, table: Any) -> None:
    connect(table, "c-1", "alice")
    connect(table, "c-2", "alice")
    gateway.answers |= {"c-1": GONE, "c-2": GONE}

    assert post() == answer(None, "alice")
    assert connected(table) == []


def test_an_index_that_still_has_the_gone_connection_costs_no_second_post(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_records.ConnectionTable, "connections_of", lambda *_: ["c-1", "c-2"])
    gateway.answers["c-1"] = GONE

    assert post(client_id="alice") == answer("c-2", "alice")
    assert gateway.to == ["c-1", "c-2"]


def test_a_client_that_is_just_connecting_keeps_its_record(gateway: Gateway, table: Any) -> None:
    """API Gateway answers 410 for it until $connect is done."""
    connect(table, "c-2", "alice", at=int(time.time() * 1000))
    gateway.answers |= {"c-1": GONE, "c-2": GONE}

    assert post(client_id="alice") == answer(None, "alice")
    assert connected(table) == ["c-2"]


# Failures of a direct call


@pytest.mark.parametrize("failure", [THROTTLED, BROKEN, (503, ""), (504, "")], ids=str)
def test_what_is_transient_is_tried_three_times_and_then_raised(gateway: Gateway, table: Any, failure: Any) -> None:
    connect(table, "c-1", "alice")
    gateway.answers["c-1"] = [failure, failure]
    assert post() == answer("c-1", "alice")

    gateway.answers["c-1"] = failure
    gateway.posts.clear()
    with pytest.raises(ClientError):
        post()

    assert gateway.to == ["c-1"] * 3
    assert connected(table) == ["c-1"]


def test_a_throttled_other_connection_is_raised_and_kept(gateway: Gateway, table: Any) -> None:
    connect(table, "c-2", "alice")
    gateway.answers |= {"c-1": GONE, "c-2": THROTTLED}

    with pytest.raises(ClientError, match="LimitExceededException"):
        post(client_id="alice")
    assert connected(table) == ["c-2"]


def test_a_closed_port_is_raised(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    monkeypatch.setenv("MANAGEMENT_ENDPOINT", f"http://127.0.0.1:{port}/live")
    monkeypatch.setattr("moto.core.models.botocore_stubber.enabled", False)

    with pytest.raises(EndpointConnectionError):
        post()
    assert gateway.posts == []


def test_forbidden_is_an_error_that_says_what_to_allow(gateway: Gateway, table: Any) -> None:
    connect(table, "c-1")
    gateway.answers["c-1"] = FORBIDDEN

    with pytest.raises(delivery.ForbiddenError, match=f"through {ENDPOINT} .*execute-api:ManageConnections"):
        post()
    assert gateway.to == ["c-1"]
    assert connected(table) == ["c-1"]


@pytest.mark.parametrize("failure", [INVALID, TOO_LARGE], ids=str)
def test_what_can_never_succeed_is_raised_at_once(gateway: Gateway, table: Any, failure: Any) -> None:
    connect(table, "c-1")
    gateway.answers["c-1"] = failure

    with pytest.raises(ClientError, match=failure[1]):
        post()
    assert gateway.to == ["c-1"]
    assert connected(table) == ["c-1"]


def test_data_above_128_kb_is_refused_before_any_call(gateway: Gateway) -> None:
    assert post(data="x" * 131_072)["delivered"]

    with pytest.raises(delivery.DataTooLargeError, match="takes 131074 bytes, API Gateway posts 131072"):
        post(data="é" * 65_537)
    assert len(gateway.posts) == 1


def test_no_call_is_begun_that_might_not_end_in_time(gateway: Gateway) -> None:
    event = {"connection_id": "c-1", "data": ""}

    with pytest.raises(clients.OutOfTimeError, match="14999 ms are left, and a call may take 15000"):
        reply.handler(event, time_left(14_999))
    assert gateway.posts == []
    assert reply.handler(event, time_left(15_000))["delivered"]


@pytest.mark.parametrize(
    "event",
    [{}, {"connection_id": "c"}, {"data": 1}, {"connection_id": "", "data": 1}, {"connection_id": 7, "data": 1}],
)
def test_other_events_are_refused(gateway: Gateway, event: Any) -> None:
    with pytest.raises(reply.RequestError, match="give connection_id"):
        reply.handler(event, time_left())
    assert gateway.posts == []


@pytest.mark.parametrize("name", ["MANAGEMENT_ENDPOINT", "TABLE_NAME"])
def test_a_missing_variable_is_named(gateway: Gateway, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(name)

    with pytest.raises(RuntimeError, match=f"environment variable {name} is not set"):
        post()
    assert gateway.posts == []
