"""Kinesis and DynamoDB records in the pipeline: what is read of them, their order, and a poisoned one among others."""

import base64
import copy
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from functions_support import Execution, Pipeline, dynamodb_table, load, read_event, real_steps, settings

handler = load("pipeline")
messages = load("pipeline", "messages")

GOOD = {"data_source": "crm", "processing_type": "daily"}
STREAM = "arn:aws:kinesis:us-east-1:123456789012:stream/orders"
TABLE_STREAM = "arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/2025-11-25T12:00:00.000"


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler, "SETTINGS", settings())


@pytest.fixture
def table() -> Iterator[Any]:
    with dynamodb_table() as created:
        yield created


@pytest.fixture
def pipeline(table: Any) -> Iterator[Pipeline]:  # noqa: ARG001 - the store step writes to the table
    with Pipeline(real_steps()) as running:
        yield running


def sequence(number: int) -> str:
    return str(49590338271490256608559692538361571095921575989136588000 + number)


def kinesis(number: int, key: str, body: Any) -> dict[str, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {"partitionKey": key, "sequenceNumber": sequence(number), "data": base64.b64encode(data).decode()}
    event_id = f"shardId-000000000000:{sequence(number)}"
    return {"kinesis": fields, "eventSource": "aws:kinesis", "eventSourceARN": STREAM, "eventID": event_id}


def dynamodb(image: dict[str, Any] | None, name: str = "INSERT", **change: Any) -> dict[str, Any]:
    fields = {"Keys": {"id": {"S": "o-1"}}, "SequenceNumber": "100000500000000030966148590"} | change
    if image is not None:
        fields["NewImage"] = image
    about = {"eventID": "c4ca4238a0b923820dcc509a6f75849b", "eventName": name, "eventSource": "aws:dynamodb"}
    return {**about, "eventSourceARN": TABLE_STREAM, "dynamodb": fields}


def stored(table: Any) -> dict[str, Any]:
    return {item["message_id"]: item for item in table.scan()["Items"]}


def failures(execution: Execution) -> list[str]:
    return [item["itemIdentifier"] for item in execution.output["batchItemFailures"]]


def body_of(record: dict[str, Any]) -> Any:
    (message,) = messages.parse_event([record]).messages
    assert message.unreadable is None, message.unreadable
    return message.body


# What a record becomes


@pytest.mark.parametrize("event", ["kinesis_mapping", "kinesis_pipe"])
def test_kinesis_batch_is_stored_with_what_orders_its_effects(pipeline: Pipeline, table: Any, event: str) -> None:
    execution = pipeline.run(read_event(event))

    assert failures(execution) == []
    items = sorted(stored(table).values(), key=lambda item: item["sequence_number"])
    assert [(item["order_key"], item["attributes"]["order"]) for item in items] == [
        ("customer-1", 1),
        ("customer-2", 2),
        ("customer-1", 3),
    ]
    first = "49590338271490256608559692538361571095921575989136588898"
    assert items[0]["sequence_number"] == first
    assert re.fullmatch(first + "-[0-9a-f]{7}", items[0]["message_id"])
    assert len(items[0]["message_id"]) == 64  # the longest DurableExecutionName


@pytest.mark.parametrize("as_pipe", [False, True])
def test_dynamodb_batch_stores_new_images_and_returns_the_removal(
    pipeline: Pipeline, table: Any, as_pipe: bool
) -> None:
    event = read_event("dynamodb_mapping")  # o-1 inserted, o-1 modified, o-2 removed

    execution = pipeline.run(event["Records"] if as_pipe else event)

    removal = event["Records"][2]
    assert failures(execution) == [removal["eventID"] if as_pipe else removal["dynamodb"]["SequenceNumber"]]
    items = sorted(stored(table).values(), key=lambda item: item["sequence_number"])
    assert [item["attributes"] for item in items] == [{"id": "o-1", "quantity": 1}, {"id": "o-1", "quantity": 2}]
    assert {item["order_key"] for item in items} == {'{"id":{"S":"o-1"}}'}
    assert items[0]["sequence_number"] == "100000500000000030966148590".zfill(56)


def test_a_second_delivery_stores_once(pipeline: Pipeline, table: Any) -> None:
    pipeline.run(read_event("kinesis_mapping"))
    before = stored(table)

    assert failures(pipeline.run(read_event("kinesis_mapping"))) == []
    assert stored(table) == before


def test_a_queue_message_brings_no_order(pipeline: Pipeline, table: Any) -> None:
    pipeline.run({"messageId": "m", "body": GOOD})

    assert set(stored(table)["m"]) == {"message_id", "data_source", "processing_type", "stored_at", "attributes"}
    assert pipeline.calls[0] == ("validate", {"message_id": "m", "body": GOOD})


def test_one_record_from_the_dispatcher_returns_what_was_stored(pipeline: Pipeline, table: Any) -> None:
    start = load("dispatcher", "message").from_record(kinesis(1, "k", GOOD))
    event = json.loads(load("dispatcher", "message").to_payload(start))

    execution = pipeline.run(event)

    assert execution.output == {"processed": 1, "results": [{"message_id": start.message_id, "stored": True}]}
    assert stored(table)[start.message_id]["order_key"] == "k"
    assert execution.operations.total() == 4


def test_one_record_from_the_dispatcher_fails_its_execution(pipeline: Pipeline) -> None:
    start = load("dispatcher", "message").from_record(kinesis(1, "k", b"\xff"))

    execution = pipeline.run(start.content)

    assert execution.error.startswith(f"1 of 1 messages failed: {start.message_id}: UnreadableRecordError: the data of")


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ({"N": "7"}, 7),
        ({"N": "-0"}, 0),
        ({"N": "5.0"}, 5),
        ({"N": "0.25"}, 0.25),
        ({"N": "1E-130"}, 1e-130),
        ({"N": "9" * 38}, 10**38 - 1),
        ({"N": "1E+125"}, 10**125),
        ({"S": ""}, ""),
        ({"S": "é✓"}, "é✓"),
        ({"BOOL": False}, False),
        ({"NULL": True}, None),
        ({"B": "AP8="}, "AP8="),
        ({"SS": ["b", "a"]}, ["b", "a"]),
        ({"NS": ["2", "1.5", "9" * 38]}, [2, 1.5, 10**38 - 1]),
        ({"BS": ["AA==", "AP8="]}, ["AA==", "AP8="]),
        ({"L": []}, []),
        ({"M": {}}, {}),
        ({"L": [{"M": {"a": {"L": [{"NULL": True}, {"NS": ["1"]}]}}}]}, [{"a": [None, [1]]}]),
    ],
    ids=str,
)
def test_dynamodb_values_become_plain_json(value: dict[str, Any], plain: Any) -> None:
    body = body_of(dynamodb({"value": value}))

    assert body == {"value": plain}
    assert type(body["value"]) is type(plain)
    assert json.loads(json.dumps(body)) == body


def test_38_digits_come_through_the_pipeline(pipeline: Pipeline, table: Any) -> None:
    image = {
        "data_source": {"S": "x"},
        "processing_type": {"S": "y"},
        "big": {"N": "12345678901234567890123456789012345678"},
    }

    assert failures(pipeline.run({"Records": [dynamodb(image)]})) == []

    (item,) = stored(table).values()
    assert item["attributes"]["big"] == 12345678901234567890123456789012345678


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (kinesis(1, "k", b"\xff\xfe"), "the data of the Kinesis record is not text in UTF-8"),
        (
            dynamodb(None, "REMOVE"),
            "the REMOVE of a DynamoDB item has no new image (stream view type unknown): filter such",
        ),
        (
            dynamodb(None, StreamViewType="KEYS_ONLY"),
            "the INSERT of a DynamoDB item has no new image (stream view type KEYS_",
        ),
        (dynamodb(None, "REMOVE"), "stream_view_type be NEW_IMAGE or NEW_AND_OLD_IMAGES"),
        (kinesis(1, "k", b"plain text"), "the body must be a JSON object"),
        (kinesis(1, "k", b""), "the body must be a JSON object"),
    ],
)
def test_a_record_without_a_body_fails_by_itself_and_says_why(
    pipeline: Pipeline, table: Any, caplog: pytest.LogCaptureFixture, record: dict[str, Any], reason: str
) -> None:
    good = [kinesis(0, "a", GOOD), kinesis(2, "b", GOOD)]
    if "dynamodb" in record:
        image = {name: {"S": value} for name, value in GOOD.items()}
        good = [dynamodb(image, SequenceNumber=str(n), Keys={"id": {"S": str(n)}}) for n in (1, 2)]

    execution = pipeline.run({"Records": [good[0], record, good[1]]})

    failed = messages.parse_event({"Records": [record]}).messages[0]
    assert failures(execution) == [failed.item_identifier]
    assert len(stored(table)) == 2
    (error,) = [line.error for line in caplog.records if line.getMessage() == f"message {failed.message_id} failed"]
    assert reason in error


def without(record: dict[str, Any], member: str) -> dict[str, Any]:
    changed = copy.deepcopy(record)
    (changed if member in changed else changed.get("kinesis") or changed["dynamodb"]).pop(member)
    return changed


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ([kinesis(0, "a", GOOD), {"messageId": "m", "body": "{}"}], "the event has records of aws:kinesis and aws:sqs"),
        ([kinesis(0, "a", GOOD), dynamodb({})], "the event has records of aws:dynamodb and aws:kinesis"),
        ([without(kinesis(0, "a", GOOD), "data")], "record 0: a stream record has no data (received ['partitionKey', "),
        ([without(kinesis(0, "a", GOOD), "kinesis")], "has no sequenceNumber, partitionKey, data (received"),
        ([without(kinesis(0, "a", GOOD), "eventSourceARN")], "a stream record has no eventSourceARN"),
        ([dynamodb({}), without(dynamodb({}), "Keys")], "record 1: a stream record has no Keys"),
        ([without(dynamodb({}), "dynamodb")], "a stream record has no dynamodb"),
    ],
)
def test_other_events_are_refused_before_any_step(pipeline: Pipeline, event: Any, expected: str) -> None:
    assert expected in pipeline.run(event).error
    assert pipeline.calls == []


# Order and failures


def test_records_of_a_key_run_one_after_the_other(pipeline: Pipeline) -> None:
    records = [kinesis(0, "k", {**GOOD, "hold_seconds": 60}), kinesis(1, "k", GOOD), kinesis(2, "k", GOOD)]

    execution = pipeline.run({"Records": records})

    assert failures(execution) == []
    assert [(step, call["sequence"]) for step, call in pipeline.calls] == [
        (step, sequence(number)) for number in range(3) for step in ("validate", "transform", "store")
    ]
    assert {call["key"] for _, call in pipeline.calls} == {"k"}


def test_a_key_stops_at_its_first_failure_and_others_go_on(
    pipeline: Pipeline, table: Any, caplog: pytest.LogCaptureFixture
) -> None:
    bodies = [("b", GOOD), ("a", {}), ("b", GOOD), ("a", GOOD)]

    execution = pipeline.run({"Records": [kinesis(number, *body) for number, body in enumerate(bodies)]})

    assert failures(execution) == [sequence(1), sequence(3)]
    assert [item["order_key"] for item in stored(table).values()] == ["b", "b"]
    assert "NotStarted: an earlier message of its stream key failed" in [vars(r).get("error") for r in caplog.records]


def test_dynamodb_items_are_told_apart_by_their_whole_key() -> None:
    keys = [
        {"id": {"S": "a"}, "at": {"N": "1"}},
        {"at": {"N": "1"}, "id": {"S": "a"}},
        {"id": {"S": "a"}, "at": {"N": "2"}},
    ]

    lanes = messages.parse_event([dynamodb({}, Keys=key) for key in keys]).lanes()

    assert [len(lane) for lane in lanes] == [2, 1]


@pytest.mark.parametrize(
    "wrap", [lambda records: {"Records": records}, lambda records: records], ids=["mapping", "pipe"]
)
def test_a_failed_first_record_asks_for_a_split(
    pipeline: Pipeline, table: Any, wrap: Callable[[list[Any]], Any]
) -> None:
    records = [kinesis(0, "a", {}), kinesis(1, "b", GOOD), kinesis(2, "a", GOOD)]

    execution = pipeline.run(wrap(records))

    assert execution.result.error is not None
    assert execution.result.error.type == "handler.BatchSplitError"
    assert execution.error.startswith("2 of 3 records failed, the first among them, so the batch is to be halved: ")
    ids = [message.message_id for message in messages.parse_event(records).messages]
    assert f"{ids[0]}: " in execution.error
    assert "missing fields data_source, processing_type" in execution.error
    assert f"{ids[2]}: NotStarted" in execution.error
    assert list(stored(table)) == [ids[1]]


def test_a_failed_record_alone_is_returned(pipeline: Pipeline) -> None:
    assert failures(pipeline.run({"Records": [kinesis(7, "a", {})]})) == [sequence(7)]


def test_a_queues_first_failure_is_returned_as_before(pipeline: Pipeline) -> None:
    records = [{"messageId": "a", "body": "{}"}, {"messageId": "b", "body": json.dumps(GOOD)}]

    assert failures(pipeline.run({"Records": records})) == ["a"]


def deliver(
    invoke: Callable[[list[Any]], Execution], batch: list[Any], *, bisect: bool, retries: int, tries: int = 0
) -> list[Any]:
    """Deliver a batch of a stream as Lambda does, and return the records that it gives up.

    An error halves the batch, at no charge to its retries; a partial failure moves its beginning to the lowest number
    returned and counts as a try; a batch whose tries are used up is given up, with all that is in it
    (https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html).
    """
    numbers = [record["kinesis"]["sequenceNumber"] for record in batch]
    while tries <= retries:
        execution = invoke(batch)
        if execution.result.error is not None:
            if bisect and len(batch) > 1:
                halves = batch[: len(batch) // 2], batch[len(batch) // 2 :]
                return [
                    record
                    for half in halves
                    for record in deliver(invoke, half, bisect=bisect, retries=retries, tries=tries)
                ]
        elif not (failed := failures(execution)):
            return []
        else:
            first = min(map(numbers.index, failed))
            batch, numbers = batch[first:], numbers[first:]
        tries += 1
    return batch


@pytest.mark.parametrize("position", range(6))
@pytest.mark.parametrize("keys", ["abcdef", "aaaaaa", "ababab"])
def test_a_poisoned_record_is_given_up_alone(pipeline: Pipeline, table: Any, keys: str, position: int) -> None:
    batch = [kinesis(number, key, {} if number == position else GOOD) for number, key in enumerate(keys)]

    given_up = deliver(lambda records: pipeline.run({"Records": records}), batch, bisect=True, retries=1)

    assert given_up == [batch[position]]
    good = [(key, sequence(number)) for number, key in enumerate(keys) if number != position]
    assert sorted(item["sequence_number"] for item in stored(table).values()) == [number for _, number in good]
    puts = dict.fromkeys((call["key"], call["sequence"]) for step, call in pipeline.calls if step == "store")
    for key in keys:  # the first effect of each record came after those before it
        assert [number for of, number in puts if of == key] == [number for of, number in good if of == key]


@pytest.mark.parametrize("position", [0, 3, 5])
def test_without_bisect_what_is_behind_the_poison_is_processed_and_yet_given_up(
    pipeline: Pipeline, table: Any, position: int
) -> None:
    batch = [kinesis(number, key, {} if number == position else GOOD) for number, key in enumerate("abcdef")]

    given_up = deliver(lambda records: pipeline.run({"Records": records}), batch, bisect=False, retries=1)

    assert given_up == batch[position:]
    assert len(stored(table)) == 5
