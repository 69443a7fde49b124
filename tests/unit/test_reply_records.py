import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from functions_support import load
from reply_support import (
    BROKEN,
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


@pytest.fixture
def table() -> Iterator[Any]:
    with connection_table() as created:
        yield created


@pytest.fixture
def gateway(table: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:  # noqa: ARG001 - moto must be there first
    with management_api(monkeypatch) as fake:
        yield fake


def record(message_id: str, connection_id: str | None = "c-1", group: str | None = None, **more: str) -> dict[str, Any]:
    attributes = {"SentTimestamp": "1745000000000"}
    if group is not None:
        attributes |= {"MessageGroupId": group, "SequenceNumber": "18889300000000000000"}
    named = {"connectionId": connection_id, **more}
    return {
        "messageId": message_id,
        "body": f"text of {message_id}",
        "attributes": attributes,
        "messageAttributes": {k: {"stringValue": v, "dataType": "String"} for k, v in named.items() if v is not None},
    }


def post_batch(*records: dict[str, Any], milliseconds: int = 30_000) -> list[str]:
    failures = reply.handler({"Records": list(records)}, time_left(milliseconds))["batchItemFailures"]
    assert all(set(failure) == {"itemIdentifier"} for failure in failures)
    return [failure["itemIdentifier"] for failure in failures]


def test_a_message_goes_to_its_connection_byte_for_byte(gateway: Gateway) -> None:
    body = '{"a": 1}&MessageGroupId=other&x=%26 é'

    assert post_batch(record("m-1") | {"body": body}) == []
    assert gateway.posts == [("c-1", body.encode())]


def test_a_group_is_posted_in_order(gateway: Gateway) -> None:
    records = [record(f"m-{n}", f"c-{n % 2}", group=f"c-{n % 2}") for n in range(10)]

    assert post_batch(*records) == []

    for parity in (0, 1):
        texts = [data for connection_id, data in gateway.posts if connection_id == f"c-{parity}"]
        assert texts == [f"text of m-{n}".encode() for n in range(parity, 10, 2)]


@pytest.mark.parametrize(
    "failure", [THROTTLED, BROKEN, FORBIDDEN, INVALID, TOO_LARGE, ConnectionError("reset")], ids=str
)
def test_a_group_stops_at_its_first_failure_and_others_go_on(
    gateway: Gateway, caplog: pytest.LogCaptureFixture, failure: Any
) -> None:
    gateway.answers["c-2"] = failure
    batch = [
        record("m-1", "c-1", group="g"),
        record("m-2", "c-2", group="g"),
        record("m-3", "c-1", group="g"),
        record("m-4", "c-4", group="h"),
    ]

    assert post_batch(*batch) == ["m-2", "m-3"]

    assert sorted(set(gateway.to)) == ["c-1", "c-2", "c-4"]
    assert [data for _, data in gateway.posts if data == b"text of m-3"] == []
    assert "message m-2 was not posted: " in caplog.text
    assert "1 messages behind m-2 in its group wait for it" in caplog.text


def test_a_gone_connection_holds_up_nothing_in_its_group(gateway: Gateway, table: Any) -> None:
    connect(table, "c-1")
    gateway.answers["c-1"] = GONE
    batch = [record("m-1", group="g"), record("m-2", "c-2", group="g"), record("m-3", group="g")]

    assert post_batch(*batch) == []

    assert gateway.to == ["c-1", "c-2", "c-1"]
    assert connected(table) == []


@pytest.mark.parametrize("named", [{"clientId": "alice"}, {}], ids=["attribute", "record"])
def test_a_message_follows_its_client_to_another_connection(
    gateway: Gateway, table: Any, named: dict[str, str]
) -> None:
    if not named:
        connect(table, "c-1", "alice")
    connect(table, "c-2", "alice", at=1_745_000_002_000)
    gateway.answers["c-1"] = GONE

    assert post_batch(record("m-1", **named)) == []
    assert gateway.to == ["c-1", "c-2"]


def test_a_message_that_names_no_connection_is_returned_with_the_reason(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    bare = {"messageId": "m-3", "body": "x", "attributes": {}}

    assert post_batch(record("m-1", None), record("m-2"), bare) == ["m-1", "m-3"]

    assert gateway.to == ["c-1"]
    assert "message m-1 was not posted: NoConnectionError: it has no attribute connectionId" in caplog.text


def test_in_a_group_what_is_behind_it_waits(gateway: Gateway) -> None:
    assert post_batch(record("m-1", None, group="g"), record("m-2", group="g")) == ["m-1", "m-2"]
    assert gateway.posts == []


def test_a_body_above_128_kb_is_returned_alone_on_a_standard_queue(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    large = record("m-1") | {"body": "x" * 131_073}

    assert post_batch(large, record("m-2")) == ["m-1"]

    assert gateway.to == ["c-1"]
    assert "DataTooLargeError: the data takes 131073 bytes, API Gateway posts 131072" in caplog.text


def test_a_connection_of_a_standard_queue_is_posted_to_in_order(gateway: Gateway) -> None:
    assert post_batch(*(record(f"m-{n}") for n in range(10))) == []
    assert [data for _, data in gateway.posts] == [f"text of m-{n}".encode() for n in range(10)]


def test_a_fair_queues_group_is_no_order(gateway: Gateway) -> None:
    gateway.answers["c-1"] = BROKEN
    fair = [record("m-1", "c-1"), record("m-2", "c-2")]
    for one in fair:
        one["attributes"]["MessageGroupId"] = "tenant"

    assert post_batch(*fair) == ["m-1"]
    assert "c-2" in gateway.to


def test_groups_and_connections_are_posted_to_side_by_side(gateway: Gateway) -> None:
    gateway.together = threading.Barrier(10)

    grouped = [record(f"m-{n}", f"c-{n}", group=f"g-{n}") for n in range(5)]
    assert post_batch(*grouped, *(record(f"m-{n}", f"c-{n}") for n in range(5, 10))) == []


def test_what_cannot_be_posted_in_time_is_returned_and_not_raised(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    batch = [record("m-1", group="g"), record("m-2", group="g"), record("m-3")]

    assert post_batch(*batch, milliseconds=14_999) == ["m-1", "m-2", "m-3"]

    assert gateway.posts == []
    assert "message m-1 was not posted: OutOfTimeError" in caplog.text


def test_a_message_delivered_twice_in_one_batch_is_reported_once(gateway: Gateway) -> None:
    gateway.answers["c-1"] = BROKEN

    assert post_batch(record("m-1"), record("m-1")) == ["m-1"]


def test_a_message_whose_client_is_gone_says_so(gateway: Gateway, table: Any, caplog: pytest.LogCaptureFixture) -> None:
    connect(table, "c-1")
    gateway.answers["c-1"] = GONE

    with caplog.at_level(logging.INFO):
        assert post_batch(record("m-1")) == []
    assert "message m-1 has no client any more" in caplog.text
