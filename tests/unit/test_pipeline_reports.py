"""What the pipeline tells the WebSocket client that sent a message, in the official in-process runner."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from functions_support import Execution, Pipeline, arn, dynamodb_table, load, real_steps, settings
from reply_support import Reply, ThrottledError, delivered

handler = load("pipeline")
dispatcher_message = load("dispatcher", "message")
messages = load("pipeline", "messages")
processing = load("pipeline", "processing")
report = load("pipeline", "report")

GOOD = {"data_source": "crm", "processing_type": "daily"}
ALL = ["accepted", "validated", "transformed", "stored"]


def record(message_id: str, body: Any = None, *, group: str | None = None, **named: str) -> dict[str, Any]:
    """A queue's record as the WebSocket API sends it; of no connection with `connectionId=""`."""
    named = {"connectionId": "c-1", "requestId": f"r-{message_id}", **named}
    attributes = {} if group is None else {"MessageGroupId": group, "SequenceNumber": "18889300000000000000"}
    return {
        "messageId": message_id,
        "body": json.dumps(GOOD if body is None else body),
        "attributes": attributes,
        "messageAttributes": {k: {"stringValue": v, "dataType": "String"} for k, v in named.items() if v},
    }


@pytest.fixture
def reply() -> Reply:
    return Reply()


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch)


def configure(monkeypatch: pytest.MonkeyPatch, **changes: str | bool) -> None:
    monkeypatch.setattr(handler, "SETTINGS", settings(**{"reply_arn": arn("reply"), **changes}))


@pytest.fixture
def table() -> Iterator[Any]:
    with dynamodb_table() as created:
        yield created


@pytest.fixture
def pipeline(table: Any, reply: Reply) -> Iterator[Pipeline]:  # noqa: ARG001 - the store step writes to the table
    with Pipeline(real_steps() | {"reply": reply}) as running:
        yield running


def stored_ids(table: Any) -> list[str]:
    return sorted(item["message_id"] for item in table.scan()["Items"])


def waits(execution: Execution) -> list[int]:
    return [e.wait_started_details.duration for e in execution.history if e.event_type == "WaitStarted"]


# The three shapes


def dispatched(message: dict[str, Any]) -> Any:
    return json.loads(dispatcher_message.to_payload(dispatcher_message.from_record(message)))


@pytest.mark.parametrize("shape", ["mapping", "pipe", "dispatcher"])
def test_progress_and_result_reach_the_sender_in_each_shape(pipeline: Pipeline, reply: Reply, shape: str) -> None:
    message = record("m", {**GOOD, "id": "order-7"})
    event = {"mapping": {"Records": [message]}, "pipe": [message], "dispatcher": dispatched(message)}[shape]

    execution = pipeline.run(event)

    about = {"message_id": "m", "request_id": "r-m", "id": "order-7"}
    assert reply.requests == [{"connection_id": "c-1", "data": {"status": status, **about}} for status in ALL]
    assert execution.operations.total() == 8
    assert execution.invocations == 8
    assert execution.names == sorted(["validate", "transform", "store", *(f"report-{status}" for status in ALL)])


@pytest.mark.parametrize(
    ("body", "own"),
    [
        ({**GOOD, "id": 7}, 7),
        ({**GOOD, "id": "x" * 128}, "x" * 128),
        ({**GOOD, "id": "x" * 129}, None),
        ({**GOOD, "id": True}, None),
        ({**GOOD, "id": {"a": 1}}, None),
        (GOOD, None),
        ([1], None),
    ],
    ids=str,
)
def test_a_report_has_the_id_that_the_client_gave(pipeline: Pipeline, reply: Reply, body: Any, own: Any) -> None:
    pipeline.run([record("m", body)])

    assert {report.get("id") for report in reply.reports} == {own}
    assert all(("id" in report) == (own is not None) for report in reply.reports)


def test_without_a_request_id_there_is_none(pipeline: Pipeline, reply: Reply) -> None:
    pipeline.run([record("m", requestId="")])

    assert reply.reports[0] == {"status": "accepted", "message_id": "m"}


# What costs nothing


@pytest.mark.parametrize(
    "changes", [{"reply_arn": ""}, {"reply_arn": arn("reply")}], ids=["no reply function", "no connection"]
)
def test_without_connection_or_reply_function_all_is_as_before(
    pipeline: Pipeline, reply: Reply, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str]
) -> None:
    configure(monkeypatch, **changes)
    connection = "" if changes["reply_arn"] else "c-1"

    execution = pipeline.run([record("m", {**GOOD, "hold_seconds": 9}, connectionId=connection)])

    assert execution.names == ["hold", "store", "transform", "validate"]
    assert (execution.operations.total(), execution.invocations) == (5, 5)
    assert reply.requests == []


def test_result_only(pipeline: Pipeline, reply: Reply, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, reply_progress=False)

    execution = pipeline.run([record("m", {**GOOD, "hold_seconds": 9})])

    assert reply.statuses() == ["stored"]
    assert (execution.operations.total(), execution.invocations) == (6, 6)


def test_stream_records_are_nobodys(pipeline: Pipeline, reply: Reply) -> None:
    stream = {
        "eventSource": "aws:kinesis",
        "eventSourceARN": "arn:aws:kinesis:us-east-1:123456789012:stream/s",
        "kinesis": {"sequenceNumber": "1", "partitionKey": "k", "data": "e30="},
        "messageAttributes": record("m")["messageAttributes"],
    }

    pipeline.run({"Records": [stream]})

    assert reply.requests == []


# Hold and failure


def test_a_held_message_says_for_how_long(pipeline: Pipeline, reply: Reply) -> None:
    execution = pipeline.run([record("m", {**GOOD, "hold_seconds": 172_800})])

    assert reply.statuses() == ["accepted", "validated", "transformed", "held", "stored"]
    assert reply.reports[3] == {"status": "held", "message_id": "m", "request_id": "r-m", "hold_seconds": 172_800}
    assert waits(execution) == [172_800]
    assert (execution.operations.total(), execution.invocations) == (10, 10)


def test_a_message_that_fails_says_why(pipeline: Pipeline, reply: Reply) -> None:
    execution = pipeline.run([record("m", {"data_source": "x", "id": 7})])

    assert reply.statuses() == ["accepted", "failed"]
    assert reply.reports[1]["id"] == 7
    assert "InvalidMessageError: missing field processing_type" in reply.reports[1]["error"]
    assert "InvalidMessageError: missing field processing_type" in execution.error
    assert execution.operations.total() == 4


def test_a_hold_that_is_none_is_accepted_first_and_then_fails(pipeline: Pipeline, reply: Reply) -> None:
    pipeline.run([record("m", {**GOOD, "hold_seconds": -1})])

    assert reply.statuses() == ["accepted", "failed"]
    assert reply.reports[1]["error"].startswith("MessageError: hold_seconds of the message is -1")


def test_a_message_that_was_stored_before_is_stored(pipeline: Pipeline, reply: Reply) -> None:
    pipeline.run([record("m")])
    execution = pipeline.run([record("m")])

    assert execution.output["results"] == [{"message_id": "m", "stored": False}]
    assert reply.statuses() == ALL * 2


# What goes wrong with reports


def test_progress_that_does_not_arrive_is_logged_once_and_harms_nothing(
    pipeline: Pipeline, reply: Reply, table: Any, caplog: pytest.LogCaptureFixture
) -> None:
    reply.answers = [ThrottledError("no"), ThrottledError("no"), delivered("c-1")]

    with caplog.at_level(logging.INFO, logger="pipeline"):
        execution = pipeline.run([record("m")])

    assert execution.output["processed"] == 1
    assert stored_ids(table) == ["m"]
    assert reply.statuses() == ALL
    assert execution.operations.total() == 8
    lines = [line for line in caplog.messages if "no report" in line]
    assert len(lines) == 2
    assert lines[0].startswith("message m: its sender got no report accepted: ")
    assert lines[0].endswith("ThrottledError: no")
    assert lines[1].startswith("message m: its sender got no report validated: ")


def test_a_result_is_tried_again_after_waits(pipeline: Pipeline, reply: Reply, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, reply_progress=False)
    reply.answers = [ThrottledError("no"), ThrottledError("no"), delivered("c-1")]

    execution = pipeline.run([record("m")])

    assert reply.statuses() == ["stored"] * 3
    assert waits(execution) == [5, 15]
    assert (execution.operations.total(), execution.invocations) == (9, 9)
    assert execution.output["results"] == [{"message_id": "m", "stored": True}]


@pytest.mark.parametrize("body", [GOOD, {}], ids=["stored", "failed"])
def test_a_result_that_never_arrives_is_logged_and_changes_no_outcome(
    pipeline: Pipeline, reply: Reply, table: Any, caplog: pytest.LogCaptureFixture, body: Any
) -> None:
    reply.answers = [ThrottledError("no")] * 20

    with caplog.at_level(logging.INFO, logger="pipeline"):
        execution = pipeline.run({"Records": [record("m", body)]})

    status = "stored" if body else "failed"
    assert execution.output == {"batchItemFailures": [] if body else [{"itemIdentifier": "m"}]}
    assert stored_ids(table) == (["m"] if body else [])
    assert reply.statuses().count(status) == 4
    assert waits(execution) == [5, 15, 45]
    assert any(line.startswith(f"message m: its sender got no report {status}: ") for line in caplog.messages)


def test_the_most_operations_of_a_message_are_those_that_a_batch_is_measured_by(
    pipeline: Pipeline, reply: Reply
) -> None:
    reply.answers = [ThrottledError("no")] * 20
    message = record("m", {**GOOD, "hold_seconds": 9})

    execution = pipeline.run([message])

    parsed = messages.parse_event([message]).messages[0]
    assert execution.operations.total() - 1 == 4 + report.max_operations(parsed, handler.SETTINGS) == 15


def test_a_reply_function_that_is_not_there_fails_no_message(table: Any) -> None:
    with Pipeline(real_steps()) as pipeline:
        execution = pipeline.run([record("m")])

    assert execution.output["processed"] == 1
    assert stored_ids(table) == ["m"]


@pytest.mark.parametrize("answer", [None, "text", {}], ids=str)
def test_an_odd_answer_fails_no_message(pipeline: Pipeline, reply: Reply, answer: Any) -> None:
    reply.answers = [answer] * 20

    assert pipeline.run([record("m")]).output["processed"] == 1


# Clients that go and come


def test_the_clients_id_goes_with_all_reports_after_it_was_told(pipeline: Pipeline, reply: Reply) -> None:
    reply.answers = [delivered("c-1", "alice"), delivered("c-2", "alice"), delivered(None, "alice")]

    pipeline.run([record("m", {**GOOD, "hold_seconds": 172_800})])

    asked = [(request["connection_id"], request.get("client_id")) for request in reply.requests]
    assert asked == [("c-1", None), ("c-1", "alice"), ("c-2", "alice"), ("c-2", "alice"), ("c-2", "alice")]


def test_a_client_id_that_the_message_brings_is_used_from_the_first_report(pipeline: Pipeline, reply: Reply) -> None:
    pipeline.run([record("m", clientId="bob")])

    assert [request["client_id"] for request in reply.requests] == ["bob"] * 4


def test_a_client_that_is_gone_for_good_costs_one_report(pipeline: Pipeline, reply: Reply, table: Any) -> None:
    reply.answers = [delivered(None)]

    execution = pipeline.run([record("m")])

    assert reply.statuses() == ["accepted"]
    assert execution.operations.total() == 5
    assert stored_ids(table) == ["m"]


def test_a_known_client_that_is_away_is_no_failure_of_the_result(pipeline: Pipeline, reply: Reply) -> None:
    reply.answers = [delivered(None, "alice")] * 4

    execution = pipeline.run([record("m", clientId="alice")])

    assert reply.statuses() == ALL
    assert waits(execution) == []


# Batches


def test_a_group_reports_in_order_and_what_waits_reports_nothing(pipeline: Pipeline, reply: Reply) -> None:
    batch = [record("a", group="c-1"), record("b", {}, group="c-1"), record("c", group="c-1")]

    execution = pipeline.run({"Records": batch})

    assert execution.output == {"batchItemFailures": [{"itemIdentifier": "b"}, {"itemIdentifier": "c"}]}
    assert [(r["message_id"], r["status"]) for r in reply.reports] == [
        *(("a", status) for status in ALL),
        ("b", "accepted"),
        ("b", "failed"),
    ]


def test_messages_of_a_batch_report_side_by_side_each_in_order(
    pipeline: Pipeline, reply: Reply, caplog: pytest.LogCaptureFixture
) -> None:
    reply.answers = [ThrottledError("no")]
    batch = [record(str(n), connectionId="" if n == 9 else f"c-{n}") for n in range(10)]

    with caplog.at_level(logging.INFO, logger="pipeline"):
        execution = pipeline.run(batch)

    assert execution.output["processed"] == 10
    for n in range(10):
        assert reply.statuses(str(n)) == ([] if n == 9 else ALL)
    assert {(r["connection_id"], r["data"]["message_id"]) for r in reply.requests} == {
        (f"c-{n}", str(n)) for n in range(9)
    }
    # Each line once, in spite of replays.
    assert len([line for line in caplog.messages if "no report accepted" in line]) == 1
    assert execution.operations.total() == 2 + 10 * 3 + 9 * 4


@pytest.mark.parametrize(("progress", "limit"), [(True, 199), (False, 272)])
def test_a_batch_is_limited_by_what_its_reports_may_take(
    pipeline: Pipeline, reply: Reply, monkeypatch: pytest.MonkeyPatch, progress: bool, limit: int
) -> None:
    configure(monkeypatch, reply_progress=progress)
    parsed = messages.parse_event([record(str(n)) for n in range(limit)])
    processing._require_operations(parsed, handler.SETTINGS)

    execution = pipeline.run([record(str(n)) for n in range(limit + 1)])

    assert f"a batch of {limit + 1} messages needs more than the 3000 operations" in execution.error
    assert f"set the bridge's batch_size to at most {limit}" in execution.error
    assert reply.requests == []


def test_messages_without_a_connection_leave_the_limit_as_it_is() -> None:
    plain = [record(str(n), connectionId="") for n in range(processing.MAX_MESSAGES)]

    processing._require_operations(messages.parse_event(plain), handler.SETTINGS)
    with pytest.raises(processing.BatchTooLargeError, match="a batch of 749 messages needs more"):
        processing._require_operations(messages.parse_event([*plain[1:], record("last")]), handler.SETTINGS)


@pytest.mark.parametrize(
    ("value", "progress"), [({}, True), ({"REPLY_PROGRESS": "true"}, True), ({"REPLY_PROGRESS": "false"}, False)]
)
def test_the_environment_says_what_is_reported(value: dict[str, str], progress: bool) -> None:
    read = load("pipeline", "settings").Settings.from_environment({"REPLY_FUNCTION_ARN": "arn", **value})

    assert (read.reply_arn, read.reply_progress) == ("arn", progress)
