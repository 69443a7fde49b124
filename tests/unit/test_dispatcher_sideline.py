"""Backlog protection in the dispatcher: what steps aside, how it comes back, and that it is the same execution then."""

import itertools
import json
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.awsrequest import AWSRequest, AWSResponse
from functions_support import load, read_event

dispatcher = load("dispatcher")
message = load("dispatcher", "message")
sideline = load("dispatcher", "sideline")

SOURCE = "arn:aws:sqs:us-east-1:123456789012:orders"
BACKLOG = f"{SOURCE}-backlog"
MAX_AGE = 60
LIMIT = 1_048_576


def answer(request: AWSRequest, status: int, body: bytes, **headers: str) -> Any:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return AWSResponse(request.url, status, names, SimpleNamespace(stream=lambda: [body], read=lambda: body))


@dataclass
class Cloud:
    """SQS and Lambda on the wire: SQS refuses, as a whole or by body; what it takes comes back as the mapping delivers it."""

    refuse: tuple[int, str] | Exception | None = None
    refused_bodies: frozenset[str] = frozenset()
    queue: list[dict[str, Any]] = field(default_factory=list)
    batches: list[list[dict[str, Any]]] = field(default_factory=list)
    starts: list[tuple[str, bytes, float]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def send(self, request: AWSRequest, **_: object) -> Any:
        call = json.loads(request.body)
        assert call["QueueUrl"].endswith("/orders-backlog")
        self.batches.append(call["Entries"])
        if isinstance(self.refuse, Exception):
            raise self.refuse
        if self.refuse is not None:
            status, code = self.refuse
            return answer(request, status, json.dumps({"__type": code, "message": "because"}).encode())
        reply: dict[str, list[dict[str, Any]]] = {"Successful": [], "Failed": []}
        for entry in call["Entries"]:
            if entry["MessageBody"] in self.refused_bodies:
                reply["Failed"].append({"Id": entry["Id"], "SenderFault": True, "Code": "InvalidMessageContents"})
            else:
                self.queue.append(self._delivered(entry))
                reply["Successful"].append({"Id": entry["Id"], "MessageId": "x", "MD5OfMessageBody": ""})
        return answer(request, 200, json.dumps(reply).encode())

    def start(self, request: AWSRequest, **_: object) -> Any:
        header = {key.lower(): value for key, value in request.headers.items()}
        name = header["x-amz-durable-execution-name"]
        self.starts.append((name.decode() if isinstance(name, bytes) else name, bytes(request.body), time.monotonic()))
        return answer(request, 202, b"")

    def _delivered(self, entry: dict[str, Any]) -> dict[str, Any]:
        attributes = {"ApproximateReceiveCount": "1", "SentTimestamp": str(milliseconds(0))}
        if "MessageGroupId" in entry:
            attributes["MessageGroupId"] = entry["MessageGroupId"]
        for name, value in entry.get("MessageSystemAttributes", {}).items():
            attributes[name] = value["StringValue"]
        return {
            "messageId": f"backlog-{next(self.numbers)}",
            "body": entry["MessageBody"],
            "attributes": attributes,
            "messageAttributes": {
                name: {
                    "stringValue": value["StringValue"],
                    "stringListValues": [],
                    "binaryListValues": [],
                    "dataType": value["DataType"],
                }
                for name, value in entry["MessageAttributes"].items()
            },
            "eventSource": "aws:sqs",
            "eventSourceARN": BACKLOG,
        }

    @property
    def names(self) -> list[str]:
        return sorted(name for name, _, _ in self.starts)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    environment = {
        "TARGET_FUNCTION_ARN": "arn:aws:lambda:us-east-1:123456789012:function:demo:live",
        "BACKLOG_QUEUE_ARN": BACKLOG,
        "BACKLOG_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/orders-backlog",
        "BACKLOG_START_SECONDS": "0.1",
        "MAX_AGE_SECONDS": str(MAX_AGE),
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
    fake = Cloud()
    for client in (dispatcher.lambda_client, dispatcher.sqs_client):
        client.cache_clear()
    dispatcher.lambda_client().meta.events.register("before-send.lambda.Invoke", fake.start)
    dispatcher.sqs_client().meta.events.register("before-send.sqs.SendMessageBatch", fake.send)
    yield fake
    for client in (dispatcher.lambda_client, dispatcher.sqs_client):
        client.cache_clear()


def milliseconds(age: float) -> int:
    return int((time.time() - age) * 1000)


def record(message_id: str = "m-1", body: str = "{}", age: float = MAX_AGE + 5, **changes: Any) -> dict[str, Any]:
    attributes = {"ApproximateReceiveCount": "1", "SentTimestamp": str(milliseconds(age))}
    given = {"messageId": message_id, "body": body, "attributes": attributes | changes.pop("attributes", {})}
    return given | {"messageAttributes": {}, "eventSource": "aws:sqs", "eventSourceARN": SOURCE} | changes


def dispatch(*records: dict[str, Any], remaining: int = 30_000) -> list[str]:
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: remaining)
    failures = dispatcher.handler({"Records": list(records)}, context)["batchItemFailures"]
    return [failure["itemIdentifier"] for failure in failures]


def payload_of(one: dict[str, Any]) -> bytes:
    content: bytes = message.to_payload(message.from_record(one))
    return content


def test_old_messages_step_aside_and_fresh_ones_start(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert dispatch(record("old"), record("fresh", age=MAX_AGE - 5)) == []

    assert cloud.names == ["fresh"]
    (delivered,) = cloud.queue
    assert delivered["body"] == "{}"
    assert "message old was sidelined" in caplog.text


def test_what_comes_back_is_the_same_execution_byte_by_byte(cloud: Cloud) -> None:
    attributes = {
        "tenant": {"stringValue": "acmé", "stringListValues": [], "binaryListValues": [], "dataType": "String"},
        "raw": {"binaryValue": "AAEC", "stringListValues": [], "binaryListValues": [], "dataType": "Binary.png"},
    }
    first = record("m-1", '{"é": "\\t✓"}', attributes={"MessageGroupId": "acme"}, messageAttributes=attributes)

    dispatch(first)
    assert dispatch(cloud.queue[0]) == []

    assert [(name, payload) for name, payload, _ in cloud.starts] == [("m-1", payload_of(first))]
    assert json.loads(cloud.starts[0][1])["attributes"]["SentTimestamp"] == first["attributes"]["SentTimestamp"]


def test_ten_attributes_are_no_hindrance(cloud: Cloud) -> None:
    value = {"stringValue": "v", "stringListValues": [], "binaryListValues": [], "dataType": "String"}
    first = record(messageAttributes={f"a{number}": value for number in range(10)})

    dispatch(first)
    assert len(cloud.batches[0][0]["MessageAttributes"]) <= 10
    dispatch(cloud.queue[0])

    assert cloud.starts[0][1] == payload_of(first)


def test_an_id_that_was_kept_before_stays(cloud: Cloud) -> None:
    kept = {message.KEPT_ID: {"stringValue": "at-first", "dataType": "String"}}
    first = record("sent-again", messageAttributes=kept)

    dispatch(first)
    dispatch(cloud.queue[0])

    assert [(name, payload) for name, payload, _ in cloud.starts] == [("at-first", payload_of(first))]


def test_a_message_may_step_aside_twice(cloud: Cloud) -> None:
    """One that somebody sent from the backlog's dead-letter queue to the source again, where it grew old again."""
    first = record("m-1", messageAttributes={"a": {"stringValue": "v", "dataType": "String"}})
    dispatch(first)
    again = record("m-2", messageAttributes=cloud.queue.pop()["messageAttributes"])
    assert dispatch(again) == []
    dispatch(cloud.queue[0])

    assert [(name, payload) for name, payload, _ in cloud.starts] == [("m-1", payload_of(first))]


def test_tenant_and_trace_go_along(cloud: Cloud) -> None:
    dispatch(
        record(attributes={"MessageGroupId": "acme", "AWSTraceHeader": "Root=1-5759e988-bd862e3fe1be46a994272793"})
    )

    (entry,) = cloud.batches[0]
    assert entry["MessageGroupId"] == "acme"
    trace = {"DataType": "String", "StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793"}
    assert entry["MessageSystemAttributes"] == {"AWSTraceHeader": trace}


def test_the_backlog_starts_however_old_it_is(cloud: Cloud) -> None:
    assert dispatch(record("m-1", eventSourceARN=BACKLOG, age=1_000_000)) == []

    assert cloud.names == ["m-1"]
    assert cloud.batches == []


def test_the_backlog_starts_one_after_another_and_then_pauses(cloud: Cloud) -> None:
    began = time.monotonic()
    dispatch(*(record(f"m-{number}", eventSourceARN=BACKLOG) for number in range(3)))

    assert time.monotonic() - began >= 0.3
    times = [at for _, _, at in cloud.starts]
    # A start is begun on time, but takes its own time until it is on the wire.
    assert times[2] - began >= 0.2
    assert times[1] - began >= 0.1


def test_what_the_backlog_cannot_start_is_named_as_it_was_delivered(cloud: Cloud) -> None:
    dispatch(record("m-1"))
    delivered = cloud.queue[0]

    assert dispatch(delivered, remaining=dispatcher.LONGEST_START_MILLISECONDS - 1) == [delivered["messageId"]]


@pytest.mark.parametrize(
    "refuse",
    [
        (403, "AccessDenied"),
        (400, "AWS.SimpleQueueService.NonExistentQueue"),
        (503, "ServiceUnavailable"),
        ConnectionError("reset"),
    ],
    ids=str,
)
def test_what_cannot_step_aside_starts_as_usual(
    cloud: Cloud, caplog: pytest.LogCaptureFixture, refuse: tuple[int, str] | Exception
) -> None:
    cloud.refuse = refuse
    first = record("m-1")

    assert dispatch(first, record("m-2", age=0)) == []

    assert cloud.names == ["m-1", "m-2"]
    assert next(payload for name, payload, _ in cloud.starts if name == "m-1") == payload_of(first)
    assert "message m-1 was not sidelined, and is started now: " in caplog.text


def test_one_that_sqs_does_not_take_starts_and_the_others_step_aside(cloud: Cloud) -> None:
    cloud.refused_bodies = frozenset({"3"})

    assert dispatch(*(record(f"m-{number}", str(number)) for number in range(10))) == []

    assert cloud.names == ["m-3"]
    assert len(cloud.queue) == 9


def test_batches_are_what_sqs_takes(cloud: Cloud) -> None:
    small = [record(f"s-{number}") for number in range(21)]
    large = [record(f"l-{number}", "é" * 180_000) for number in range(5)]

    assert dispatch(*small, *large) == []

    assert len(cloud.queue) == 26
    assert all(len(batch) <= 10 for batch in cloud.batches)
    assert all(sum(size(entry) for entry in batch) <= LIMIT for batch in cloud.batches)
    assert len(cloud.batches) == 5  # 10, 10, 1 + 2, 2, 1


def size(entry: dict[str, Any]) -> int:
    values = entry["MessageAttributes"].items()
    return len(entry["MessageBody"].encode()) + sum(
        len(name) + len(value["DataType"]) + len(value["StringValue"].encode()) for name, value in values
    )


def test_a_message_delivered_twice_in_one_batch_steps_aside_once(cloud: Cloud) -> None:
    assert dispatch(record("m-1"), record("m-1")) == []

    assert len(cloud.queue) == 1
    assert cloud.starts == []


def test_nothing_steps_aside_without_time_for_it(cloud: Cloud) -> None:
    assert dispatch(record("m-1"), remaining=dispatcher.LONGEST_START_MILLISECONDS - 1) == ["m-1"]

    assert cloud.batches == []
    assert cloud.starts == []


def test_order_is_kept_where_there_is_one(cloud: Cloud) -> None:
    fifo = read_event("sqs_fifo_mapping")["Records"]
    stream = read_event("kinesis_mapping")["Records"]

    assert dispatch(*fifo) == []
    assert dispatch(*stream) == []

    assert cloud.batches == []
    assert len(cloud.starts) == len(fifo) + len(stream)


@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        "[]",
        '{"messageId": "m-2"}',
        '{"messageId": "two words", "attributes": {}, "messageAttributes": {}}',
        '{"messageId": 2, "attributes": {}, "messageAttributes": {}}',
    ],
)
def test_an_attribute_of_that_name_that_is_something_else_is_an_attribute(cloud: Cloud, text: str) -> None:
    one = record(age=0, messageAttributes={sideline.SIDELINED: {"stringValue": text, "dataType": "String"}})

    assert dispatch(one) == []

    assert [(name, payload) for name, payload, _ in cloud.starts] == [("m-1", payload_of(one))]


def test_without_a_backlog_queue_age_does_not_matter(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BACKLOG_QUEUE_URL")

    assert dispatch(record("m-1", age=1_000_000)) == []

    assert cloud.names == ["m-1"]
