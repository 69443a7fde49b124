"""The pipeline with its three real steps, in the official in-process runner, on a DynamoDB table in moto."""

import json
import logging
import re
import time
from collections.abc import Callable, Iterator
from threading import Barrier
from typing import Any

import pytest
from awslambdaric.lambda_runtime_log_utils import JsonFormatter
from functions_support import Execution, Pipeline, dynamodb_table, load, read_event, real_steps, settings

handler = load("pipeline")
messages = load("pipeline", "messages")
processing = load("pipeline", "processing")

GOOD = {"data_source": "crm", "processing_type": "daily"}


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


def record(message_id: str, body: Any, **attributes: str) -> dict[str, Any]:
    text = body if isinstance(body, str) else json.dumps(body)
    return {"messageId": message_id, "body": text, "attributes": attributes}


def fifo(message_id: str, group: str, body: Any) -> dict[str, Any]:
    return record(message_id, body, MessageGroupId=group, SequenceNumber="18889300000000000000")


def stored_ids(table: Any) -> list[str]:
    return sorted(item["message_id"] for item in table.scan()["Items"])


def failures(execution: Execution) -> list[str]:
    return [item["itemIdentifier"] for item in execution.output["batchItemFailures"]]


# The three shapes


def test_mapping_batch_is_stored_and_reports_no_failure(pipeline: Pipeline, table: Any) -> None:
    event = read_event("sqs_mapping")

    execution = pipeline.run(event)

    assert execution.output == {"batchItemFailures": []}
    item = table.get_item(Key={"message_id": event["Records"][0]["messageId"]})["Item"]
    assert item["data_source"] == "CRM"
    assert item["processing_type"] == "daily"
    assert item["attributes"]["customer"]["id"] == 42
    assert stored_ids(table) == [r["messageId"] for r in event["Records"]]


def test_pipe_array_returns_what_was_stored(pipeline: Pipeline, table: Any) -> None:
    event = read_event("sqs_pipe")
    message_id = event[0]["messageId"]

    execution = pipeline.run(event)

    assert execution.output == {"processed": 1, "results": [{"message_id": message_id, "stored": True}]}
    assert stored_ids(table) == [message_id]


def test_normalised_message_returns_what_was_stored(pipeline: Pipeline, table: Any) -> None:
    event = read_event("dispatcher")

    execution = pipeline.run(event)

    assert execution.output == {"processed": 1, "results": [{"message_id": event["messageId"], "stored": True}]}
    assert stored_ids(table) == [event["messageId"]]


def test_body_parsed_by_an_input_template_is_taken_as_it_is(pipeline: Pipeline, table: Any) -> None:
    assert pipeline.run({"messageId": "m", "body": GOOD}).output["processed"] == 1
    assert stored_ids(table) == ["m"]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"detail": {}}, r"unsupported event: an object with the keys \['detail'\]"),
        ("text", "unsupported event: a str"),
        ({"Records": "none"}, "unsupported event"),
        ([{"body": "{}"}], r"record 0 is not an SQS message with messageId and body, it has the keys \['body'\]"),
        ({"Records": [{"eventID": "1", "kinesis": {}}]}, r"record 0 is not .* the keys \['eventID', 'kinesis'\]"),
        ([record("m", GOOD), "text"], "record 1 is not .* a str"),
    ],
)
def test_other_events_are_refused_before_any_step(pipeline: Pipeline, event: Any, expected: str) -> None:
    execution = pipeline.run(event)

    assert re.search(expected, execution.error)
    assert pipeline.calls == []


# Failures


def test_invalid_among_valid_is_reported_to_the_mapping_and_the_others_are_stored(
    pipeline: Pipeline, table: Any
) -> None:
    execution = pipeline.run({"Records": [record("a", GOOD), record("b", {"data_source": "x"}), record("c", GOOD)]})

    assert failures(execution) == ["b"]
    assert stored_ids(table) == ["a", "c"]


def test_all_failed_still_returns_every_id(pipeline: Pipeline, table: Any) -> None:
    execution = pipeline.run({"Records": [record("a", {}), record("b", "no json"), record("a", {})]})

    assert failures(execution) == ["a", "b"]
    assert stored_ids(table) == []


def test_asynchronous_failure_raises_with_each_id_and_error_after_the_others_completed(
    pipeline: Pipeline, table: Any
) -> None:
    bad = {"data_source": 20260101, "processing_type": "daily"}

    execution = pipeline.run([record("a", {"data_source": "x"}), record("b", GOOD), record("c", bad)])

    assert execution.error.startswith("2 of 3 messages failed: ")
    assert "a: " in execution.error
    assert "InvalidMessageError: missing field processing_type" in execution.error
    assert "c: TypeError: data_source must be text, got 20260101" in execution.error
    assert "b: " not in execution.error
    assert stored_ids(table) == ["b"]


def test_single_invalid_message_names_the_missing_fields(pipeline: Pipeline, table: Any) -> None:
    execution = pipeline.run(record("m", {"other": 1}))

    assert "m: " in execution.error
    assert "missing fields data_source, processing_type" in execution.error
    assert [step for step, _ in pipeline.calls] == ["validate"]
    assert stored_ids(table) == []


@pytest.mark.usefixtures("table")
def test_missing_step_function_fails_its_message() -> None:
    steps = real_steps()
    del steps["store"]

    with Pipeline(steps) as pipeline:
        execution = pipeline.run(record("m", GOOD))

    assert "Function not found: demo-store" in execution.error


@pytest.mark.parametrize("variable", ["VALIDATE_FUNCTION_ARN", "TRANSFORM_FUNCTION_ARN", "STORE_FUNCTION_ARN"])
def test_missing_variable_is_named(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    environment = {f"{step}_FUNCTION_ARN": "arn" for step in ("VALIDATE", "TRANSFORM", "STORE")}
    del environment[variable]
    monkeypatch.setattr(handler, "SETTINGS", load("pipeline", "settings").Settings.from_environment(environment))

    execution = pipeline.run(record("m", GOOD))

    assert f"environment variable {variable} is not set" in execution.error
    assert pipeline.calls == []


def test_lane_without_a_result_counts_as_failed() -> None:
    batch = messages.parse_event([record("a", GOOD), record("b", GOOD), record("c", GOOD)])
    sdk = load("pipeline", "aws_durable_execution_sdk_python.concurrency.models")
    error = sdk.ErrorObject(message="boom", type="KeyError", data=None, stack_trace=None)
    succeeded = {"message_id": "a", "stored": True, "error": None}
    result = sdk.BatchResult(
        [
            sdk.BatchItem(0, sdk.BatchItemStatus.SUCCEEDED, [succeeded]),
            sdk.BatchItem(2, sdk.BatchItemStatus.FAILED, error=error),
        ],
        sdk.CompletionReason.ALL_COMPLETED,
    )

    outcomes = processing._outcomes(batch.lanes(), result)

    assert [outcomes[position].error for position in range(3)] == [None, "NotStarted: it did not run", "KeyError: boom"]


def test_unexpected_reply_of_a_step_fails_its_message_only(table: Any) -> None:
    steps = real_steps()

    def store(event: dict[str, Any], context: object) -> Any:
        return None if event["message_id"] == "odd" else steps["store"](event, context)

    with Pipeline(steps | {"store": store}) as pipeline:
        execution = pipeline.run({"Records": [record("odd", GOOD), record("even", GOOD)]})

    assert failures(execution) == ["odd"]
    assert stored_ids(table) == ["even"]


def test_oversized_payload_fails_its_message_only(pipeline: Pipeline, table: Any) -> None:
    large = {**GOOD, "text": "x" * processing.MAX_PAYLOAD_BYTES}

    execution = pipeline.run([record("large", large), record("small", GOOD)])

    assert "large: MessageError: the message takes 1048" in execution.error
    assert stored_ids(table) == ["small"]


def test_batch_beyond_the_operations_of_an_execution_is_refused_before_any_step(pipeline: Pipeline) -> None:
    execution = pipeline.run([record(str(i), GOOD) for i in range(processing.MAX_MESSAGES + 1)])

    assert "set the bridge's batch_size to at most 749" in execution.error
    assert pipeline.calls == []


@pytest.mark.parametrize("body", ["plain", '{"data_source": NaN}', '{"x": 1e999}', "[" * 200_000])
def test_body_that_is_no_json_object_fails_in_validate(pipeline: Pipeline, body: str) -> None:
    assert "the body must be a JSON object" in pipeline.run(record("m", body)).error


# Delivery


def test_duplicate_delivery_stores_once(pipeline: Pipeline, table: Any) -> None:
    first = pipeline.run([record("m", GOOD)])
    before = table.get_item(Key={"message_id": "m"})["Item"]
    second = pipeline.run([record("m", {**GOOD, "data_source": "other"})])

    assert first.output["results"] == [{"message_id": "m", "stored": True}]
    assert second.output["results"] == [{"message_id": "m", "stored": False}]
    assert table.get_item(Key={"message_id": "m"})["Item"] == before


def test_fifo_group_keeps_order_and_stops_at_its_first_failure(pipeline: Pipeline, table: Any) -> None:
    event = read_event("sqs_fifo_mapping")  # groups a, a (invalid), b, a
    first, invalid, other, behind = [r["messageId"] for r in event["Records"]]

    execution = pipeline.run(event)

    assert failures(execution) == [invalid, behind]
    assert stored_ids(table) == [first, other]
    assert behind not in {call["message_id"] for _, call in pipeline.calls}


def test_fifo_group_runs_one_message_after_the_other(pipeline: Pipeline) -> None:
    execution = pipeline.run({"Records": [fifo("1", "g", {**GOOD, "hold_seconds": 60}), fifo("2", "g", GOOD)]})

    assert failures(execution) == []
    assert [(step, call["message_id"]) for step, call in pipeline.calls] == [
        (step, message_id) for message_id in ("1", "2") for step in ("validate", "transform", "store")
    ]


def test_fair_queue_group_does_not_serialise() -> None:
    batch = messages.parse_event([record("a", GOOD, MessageGroupId="t"), record("b", GOOD, MessageGroupId="t")])

    assert [len(lane) for lane in batch.lanes()] == [1, 1]


# Hold


def waits(execution: Execution) -> list[int]:
    return [e.wait_started_details.duration for e in execution.history if e.event_type == "WaitStarted"]


def test_held_message_waits_1800_modelled_seconds_and_no_real_ones(pipeline: Pipeline, table: Any) -> None:
    started = time.monotonic()

    execution = pipeline.run([record("m", {**GOOD, "hold_seconds": 1800})])

    assert time.monotonic() - started < 30
    assert waits(execution) == [1800]
    assert execution.names == ["hold", "store", "transform", "validate"]
    assert stored_ids(table) == ["m"]


def test_default_hold_applies_unless_the_message_says_otherwise(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler, "SETTINGS", settings(hold_seconds="60"))

    assert waits(pipeline.run([record("a", GOOD)])) == [60]
    assert waits(pipeline.run([record("b", {**GOOD, "hold_seconds": 0})])) == []


@pytest.mark.parametrize("value", [-1, 31_622_401, 1.5, "1800", True, None])
def test_bad_hold_seconds_fails_its_message_only(pipeline: Pipeline, table: Any, value: Any) -> None:
    execution = pipeline.run({"Records": [record("bad", {**GOOD, "hold_seconds": value}), record("good", GOOD)]})

    assert failures(execution) == ["bad"]
    assert stored_ids(table) == ["good"]
    message = messages.parse_event([record("bad", {"hold_seconds": value})]).messages[0]
    expected = f"hold_seconds of the message is {json.dumps(value)}: it must be an integer from 0 to 31622400"
    with pytest.raises(ValueError, match=expected):
        processing.hold_seconds(message, settings())


@pytest.mark.parametrize("value", ["soon", "-5", "31622401", "1.5", "²"])
def test_bad_default_hold_names_the_variable(value: str) -> None:
    message = messages.parse_event([record("m", GOOD)]).messages[0]

    with pytest.raises(ValueError, match=r"environment variable HOLD_SECONDS is .*: it must be an integer"):
        processing.hold_seconds(message, settings(hold_seconds=value))


def test_longest_hold_is_accepted() -> None:
    message = messages.parse_event([record("m", {"hold_seconds": 31_622_400})]).messages[0]

    assert processing.hold_seconds(message, settings()) == 31_622_400


# Cost and logs


@pytest.mark.parametrize(
    ("count", "extra", "operations", "invocations"),
    [(1, {}, 4, 4), (1, {"hold_seconds": 9}, 5, 5), (10, {}, 32, 31), (10, {"hold_seconds": 9}, 42, 41)],
)
def test_operations_and_invocations_stay_as_documented(
    pipeline: Pipeline, count: int, extra: dict[str, int], operations: int, invocations: int
) -> None:
    """Invocations of a batch depend on how many results arrive together; the bound is one for each result."""
    execution = pipeline.run([record(str(i), {**GOOD, **extra}) for i in range(count)])

    assert execution.operations.total() == operations
    assert 4 <= execution.invocations <= invocations


@pytest.mark.usefixtures("table")
def test_batch_runs_side_by_side() -> None:
    """Each message leaves validate together with another one: if they took turns, the barrier would break."""
    together = Barrier(2)
    # Loaded before the messages run: loading changes sys.path, which their threads would do to each other.
    steps = real_steps()

    def validate(event: Any, context: object) -> Any:
        together.wait(timeout=20)
        return steps["validate"](event, context)

    with Pipeline(steps | {"validate": validate}) as pipeline:
        execution = pipeline.run([record(str(i), GOOD) for i in range(10)])

    assert execution.output["processed"] == 10
    assert [r["message_id"] for r in execution.output["results"]] == [str(i) for i in range(10)]


def test_one_log_line_an_outcome_in_spite_of_replays(pipeline: Pipeline, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="pipeline"):
        pipeline.run({"Records": [record("a", GOOD), record("b", {}), record("c", {**GOOD, "hold_seconds": 5})]})

    lines = [json.loads(JsonFormatter().format(r)) for r in caplog.records if r.name == "pipeline"]
    assert [(line["level"], line["message"]) for line in lines] == [
        ("INFO", "processing 3 messages"),
        ("INFO", "message a stored"),
        ("ERROR", "message b failed"),
        ("INFO", "message c stored"),
    ]
    assert all(line["executionArn"] for line in lines)
    assert [line.get("message_id") for line in lines] == [None, "a", "b", "c"]
    assert "missing fields data_source, processing_type" in lines[2]["error"]


def test_environment_is_read_without_judging_it() -> None:
    read: Callable[[dict[str, str]], Any] = load("pipeline", "settings").Settings.from_environment

    assert read({}).hold_seconds == ""
    assert read({"HOLD_SECONDS": "x", "STORE_FUNCTION_ARN": "arn"}).store_arn == "arn"
