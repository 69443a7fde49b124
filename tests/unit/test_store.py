import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ClientError
from functions_support import dynamodb_table, load

store = load("store").handler
GOOD = {"data_source": "CRM", "processing_type": "daily"}


@pytest.fixture
def table() -> Iterator[Any]:
    with dynamodb_table() as created:
        yield created


def put(body: dict[str, Any], message_id: str = "m") -> Any:
    return store({"message_id": message_id, "body": body}, None)


def read(table: Any) -> dict[str, Any]:
    return dict(table.get_item(Key={"message_id": "m"})["Item"])


def test_item_has_columns_and_the_free_fields_in_attributes(table: Any) -> None:
    free = {"price": 0.1, "count": 3, "ok": True, "none": None, "tags": ["a", 1.5], "deep": {"empty": ""}}

    assert put({**GOOD, **free}) == {"message_id": "m", "stored": True}

    item = read(table)
    assert datetime.now(UTC) - datetime.fromisoformat(item.pop("stored_at")) < timedelta(minutes=1)
    assert item == {
        "message_id": "m",
        **GOOD,
        "attributes": {**free, "price": Decimal("0.1"), "tags": ["a", Decimal("1.5")]},
    }


def test_a_stream_record_is_stored_with_a_number_that_sorts_as_text(table: Any) -> None:
    numbers = ["9" * 21, "1" + "0" * 39, "4" + "9" * 55]

    for position, number in enumerate(numbers):
        store({"message_id": str(position), "body": GOOD, "key": "k", "sequence": number}, None)

    items = sorted(table.scan()["Items"], key=lambda item: item["sequence_number"])
    assert [item["message_id"] for item in items] == ["0", "1", "2"]
    assert [int(item["sequence_number"]) for item in items] == [int(number) for number in numbers]
    assert {item["order_key"] for item in items} == {"k"}


def test_free_fields_cannot_displace_the_key_or_a_column(table: Any) -> None:
    sneaky = {"message_id": "other", "stored_at": "never", "attributes": "x", "order_key": "k", "sequence_number": "1"}

    put({**GOOD, **sneaky})

    assert read(table)["attributes"] == sneaky
    assert read(table)["stored_at"] != "never"
    assert table.scan()["Count"] == 1


def test_second_delivery_is_a_success_that_changes_nothing(table: Any) -> None:
    put(GOOD)
    before = read(table)

    assert put({**GOOD, "data_source": "OTHER"}) == {"message_id": "m", "stored": False}
    assert read(table) == before


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (10**50, Decimal("1E+50")),
        (10**38 - 1, Decimal(10**38 - 1)),
        (-1e-130, Decimal("-1E-130")),
        (9.9e125, Decimal("9.9E+125")),
        (0, Decimal(0)),
        (-0.0, Decimal(0)),
    ],
)
def test_numbers_in_dynamodbs_range_are_exact(table: Any, value: float, stored: Decimal) -> None:
    put({**GOOD, "n": value})

    assert read(table)["attributes"]["n"] == stored


@pytest.mark.parametrize("value", [1e126, 1e-131, 10**38 + 1, 10**4000 + 1, float("inf"), float("nan")])
def test_other_numbers_are_refused_naming_their_place(table: Any, value: float) -> None:
    with pytest.raises(ValueError, match=re.escape("deep.list[1] is a number that DynamoDB cannot hold")):
        put({**GOOD, "deep": {"list": [0, value]}})
    assert table.scan()["Count"] == 0


def test_what_dynamodb_refuses_is_raised(table: Any) -> None:
    with pytest.raises(ClientError, match="Item size"):
        put({**GOOD, "text": "x" * 500_000})
    assert table.scan()["Count"] == 0


def test_missing_table_name_is_named(table: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TABLE_NAME")

    with pytest.raises(RuntimeError, match="environment variable TABLE_NAME is not set"):
        put(GOOD)
    assert table.scan()["Count"] == 0
