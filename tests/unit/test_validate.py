import re
from typing import Any

import pytest
from functions_support import load

validate = load("validate").handler
GOOD = {"data_source": "crm", "processing_type": "daily"}


@pytest.mark.parametrize(
    "body",
    [GOOD, {**GOOD, "extra": [1, {"a": None}]}, {"data_source": 20260101, "processing_type": False}],
)
def test_valid_body_passes_unchanged(body: dict[str, Any]) -> None:
    assert validate({"message_id": "m", "body": body}, None) == {"message_id": "m", "body": body}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, "missing fields data_source, processing_type (received {})"),
        ({"data_source": "x"}, 'missing field processing_type (received {"data_source": "x"})'),
        ({"data_source": "", "processing_type": " \n"}, "empty fields data_source, processing_type (received "),
        ({"data_source": None}, "missing field processing_type and empty field data_source (received "),
        ({**GOOD, "data_source": []}, "empty field data_source (received "),
        ({**GOOD, "data_source": {}}, "empty field data_source (received "),
        ("hello", 'the body must be a JSON object with data_source and processing_type (received "hello")'),
        (["a"], 'the body must be a JSON object with data_source and processing_type (received ["a"])'),
        (None, "the body must be a JSON object with data_source and processing_type (received null)"),
    ],
)
def test_invalid_body_names_every_fault_and_what_was_received(body: Any, expected: str) -> None:
    with pytest.raises(ValueError, match=re.escape(expected)):
        validate({"message_id": "m", "body": body}, None)


def test_long_body_is_shown_in_part() -> None:
    with pytest.raises(ValueError, match=r"characters\)") as raised:
        validate({"message_id": "m", "body": "x" * 100_000}, None)
    assert len(str(raised.value)) < 400
