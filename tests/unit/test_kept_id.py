"""A message that is sent again keeps its id: pipeline and dispatcher take it from the same attribute."""

import json
from typing import Any

import pytest
from functions_support import load

dispatcher = load("dispatcher", "message")
pipeline = load("pipeline", "messages")

FIRST = "7b0c1c1e-0000-4000-8000-000000000001"


def record(value: Any = FIRST, message_id: str = "m-2", **attributes: str) -> dict[str, Any]:
    kept = {"stringValue": value, "binaryValue": None, "dataType": "String"}
    return {
        "messageId": message_id,
        "body": '{"order": 7}',
        "attributes": {"SentTimestamp": "1745000000000", **attributes},
        "messageAttributes": {"DurablePipelineMessageId": kept},
    }


def test_both_know_the_same_attribute() -> None:
    assert pipeline.KEPT_ID == dispatcher.KEPT_ID
    assert pipeline.MESSAGE_ID == dispatcher.MESSAGE_ID


@pytest.mark.parametrize(
    "event", [[record()], {"Records": [record()]}, record()], ids=["pipe", "mapping", "dispatcher"]
)
def test_the_pipeline_takes_the_first_id_and_reports_the_delivered_one(event: Any) -> None:
    (message,) = pipeline.parse_event(event).messages
    assert (message.message_id, message.item_identifier, message.body) == (FIRST, "m-2", {"order": 7})


def test_sent_again_twice_they_are_one_message_with_two_answers() -> None:
    batch = pipeline.parse_event({"Records": [record(message_id="m-2"), record(message_id="m-3")]})
    assert [(m.message_id, m.item_identifier) for m in batch.messages] == [(FIRST, "m-2"), (FIRST, "m-3")]


def test_the_dispatcher_names_the_execution_by_it_and_hands_it_on() -> None:
    message = dispatcher.from_record(record())
    assert (message.message_id, message.item_identifier) == (FIRST, "m-2")

    (handed_on,) = pipeline.parse_event(json.loads(dispatcher.to_payload(message))).messages
    assert (handed_on.message_id, handed_on.item_identifier) == (FIRST, FIRST)


@pytest.mark.parametrize("value", ["", "x" * 65, "a/b", "a b", None, 7], ids=str)
def test_what_is_no_id_is_none(value: Any) -> None:
    assert pipeline.parse_event([record(value)]).messages[0].message_id == "m-2"
    assert dispatcher.from_record(record(value)).message_id == "m-2"


def test_a_message_without_attributes_has_its_own_id() -> None:
    plain = {"messageId": "m-1", "body": "{}", "attributes": {}}
    assert pipeline.parse_event([plain]).messages[0].message_id == "m-1"
    assert pipeline.parse_event([plain | {"messageAttributes": None}]).messages[0].message_id == "m-1"
    assert dispatcher.from_record(plain).message_id == "m-1"
