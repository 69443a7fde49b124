import base64
import json
import logging
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.awsrequest import AWSRequest, AWSResponse
from functions_support import load, read_event

dispatcher = load("dispatcher")
message = load("dispatcher", "message")
pipeline_messages = load("pipeline", "messages")

TARGET = "arn:aws:lambda:us-east-1:123456789012:function:demo:live"
FIFO = read_event("sqs_fifo_mapping")["Records"]
IDS = [record["messageId"] for record in FIFO]  # groups: a, a, b, a
KINESIS = read_event("kinesis_mapping")["Records"]  # keys: 1, 2, 1
NAMES = [message.from_record(record).message_id for record in KINESIS]
NUMBERS = [record["kinesis"]["sequenceNumber"] for record in KINESIS]
DYNAMODB = read_event("dynamodb_mapping")["Records"]  # o-1, o-1, o-2


@dataclass(frozen=True)
class Start:
    """One Invoke as Lambda sees it."""

    name: str
    invocation_type: str
    path: str
    payload: bytes


@dataclass
class Lambda:
    """Answers the real client's requests on the wire: 202, or by name (status, error code) and exceptions."""

    answers: dict[str, tuple[int, str] | Exception] = field(default_factory=dict)
    starts: list[Start] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    together: threading.Barrier | None = None

    def __call__(self, request: AWSRequest, **_: object) -> Any:
        header = {key.lower(): value for key, value in request.headers.items()}
        name, invocation_type = (
            value.decode() if isinstance(value, bytes) else value
            for value in (header["x-amz-durable-execution-name"], header["x-amz-invocation-type"])
        )
        with self.lock:
            self.starts.append(Start(name, invocation_type, request.url.split("/functions/")[1], request.body))
        if self.together is not None:
            self.together.wait(timeout=5)
        answer = self.answers.get(name, (202, ""))
        if isinstance(answer, Exception):
            raise answer
        status, code = answer
        body = json.dumps({"message": "because"}).encode() if code else b""
        headers = {"x-amzn-errortype": code, "x-amz-durable-execution-arn": f"arn:{name}"}
        return AWSResponse(request.url, status, headers, SimpleNamespace(stream=lambda: [body], read=lambda: body))

    @property
    def names(self) -> list[str]:
        return [start.name for start in self.starts]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lambda]:
    monkeypatch.setenv("TARGET_FUNCTION_ARN", TARGET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
    fake = Lambda()
    dispatcher.lambda_client.cache_clear()
    dispatcher.lambda_client().meta.events.register("before-send.lambda.Invoke", fake)
    yield fake
    dispatcher.lambda_client.cache_clear()


def record(message_id: str = "m-1", body: str = "{}", **changes: Any) -> dict[str, Any]:
    attributes = {"ApproximateReceiveCount": "1", "SentTimestamp": "1745000000000"}
    return {"messageId": message_id, "receiptHandle": "r", "body": body, "attributes": attributes} | changes


def dispatch(*records: dict[str, Any], milliseconds: int = 30_000) -> list[str]:
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: milliseconds)
    failures = dispatcher.handler({"Records": list(records)}, context)["batchItemFailures"]
    assert all(set(failure) == {"itemIdentifier"} for failure in failures)
    return [failure["itemIdentifier"] for failure in failures]


def test_a_message_starts_an_execution_of_its_name(aws: Lambda) -> None:
    assert dispatch(record(messageAttributes={"tenant": {"stringValue": "acme", "dataType": "String"}})) == []

    (start,) = aws.starts
    assert start.name == "m-1"
    assert start.invocation_type == "Event"
    assert start.path == f"{TARGET.replace(':', '%3A')}/invocations"
    assert json.loads(start.payload) == {
        "messageId": "m-1",
        "body": "{}",
        "attributes": {"SentTimestamp": "1745000000000"},
        "messageAttributes": {"tenant": {"stringValue": "acme", "dataType": "String"}},
    }


def test_a_redelivery_is_the_same_start_byte_by_byte(aws: Lambda) -> None:
    first = FIFO[0] | {"messageAttributes": {"b": {"dataType": "String"}, "a": {"dataType": "Number"}}}
    again = {
        "messageAttributes": {"a": {"dataType": "Number"}, "b": {"dataType": "String"}},
        "attributes": dict(reversed(first["attributes"].items()))
        | {
            "ApproximateReceiveCount": "2",
            "ApproximateFirstReceiveTimestamp": "9",
            "DeadLetterQueueSourceArn": "arn:dlq",
        },
        "receiptHandle": "other",
    } | {key: first[key] for key in ("messageId", "body", "md5OfBody", "eventSourceARN", "eventSource", "awsRegion")}

    dispatch(first)
    dispatch(again)

    assert aws.starts[0] == aws.starts[1]


def test_the_pipeline_reads_what_the_dispatcher_sends() -> None:
    batch = pipeline_messages.parse_event(json.loads(message.to_payload(message.from_record(FIFO[0]))))

    assert batch.takes_failures is False
    assert [(m.message_id, m.body, m.group) for m in batch.messages] == [(IDS[0], json.loads(FIFO[0]["body"]), "a")]


def test_a_known_name_counts_as_started(aws: Lambda, caplog: pytest.LogCaptureFixture) -> None:
    aws.answers["m-1"] = (409, "DurableExecutionAlreadyStartedException")

    with caplog.at_level(logging.INFO):
        assert dispatch(record()) == []

    assert "message m-1 was started before" in caplog.text
    assert len(aws.starts) == 1


@pytest.mark.parametrize(
    ("answer", "attempts"),
    [
        ((429, "TooManyRequestsException"), 2),
        ((503, "ServiceException"), 2),
        ((403, "AccessDeniedException"), 1),
        ((409, "ResourceConflictException"), 1),
        ((400, "InvalidRequestContentException"), 1),
        (ConnectionError("reset"), 1),
        (KeyError("anything"), 1),
    ],
    ids=str,
)
def test_what_does_not_start_returns_alone(
    aws: Lambda, caplog: pytest.LogCaptureFixture, answer: tuple[int, str] | Exception, attempts: int
) -> None:
    aws.answers["m-4"] = answer

    assert dispatch(*(record(f"m-{n}") for n in range(10))) == ["m-4"]

    assert aws.names.count("m-4") == attempts
    assert set(aws.names) == {f"m-{n}" for n in range(10)}
    (line,) = (line for line in caplog.messages if "not started" in line)
    assert line.startswith("message m-4 was not started: ")
    assert (answer[1] if isinstance(answer, tuple) else type(answer).__name__) in line


def test_a_batch_that_fails_altogether_is_reported_and_not_raised(aws: Lambda) -> None:
    aws.answers |= dict.fromkeys(("m-1", "m-2"), (429, "TooManyRequestsException"))

    assert dispatch(record("m-1"), record("m-2")) == ["m-1", "m-2"]


def test_a_payload_above_1_mb_is_refused_before_any_call(aws: Lambda, caplog: pytest.LogCaptureFixture) -> None:
    envelope = len(message.to_payload(message.from_record(record(body=""))))
    fits = record("m-1", "x" * (message.MAX_PAYLOAD_BYTES - envelope))
    too_large = record("m-2", "x" * (message.MAX_PAYLOAD_BYTES - envelope + 1))

    assert dispatch(fits, too_large) == ["m-2"]

    assert aws.names == ["m-1"]
    assert len(aws.starts[0].payload) == 1_048_576
    assert "message m-2 was not started: PayloadTooLargeError: the payload takes 1048577 bytes" in caplog.text


def test_text_beyond_ascii_is_sent_in_utf_8(aws: Lambda) -> None:
    dispatch(record(body="é✓"))

    assert "é✓".encode() in aws.starts[0].payload


def test_a_standard_batch_starts_side_by_side(aws: Lambda) -> None:
    aws.together = threading.Barrier(10)

    assert dispatch(*(record(f"m-{n}") for n in range(10))) == []


def test_a_fair_queues_group_is_no_order(aws: Lambda) -> None:
    fair = {"ApproximateReceiveCount": "1", "SentTimestamp": "1", "MessageGroupId": "tenant"}
    aws.answers["m-1"] = (429, "TooManyRequestsException")

    assert dispatch(record("m-1", attributes=fair), record("m-2", attributes=fair)) == ["m-1"]

    assert {json.loads(start.payload)["attributes"]["MessageGroupId"] for start in aws.starts} == {"tenant"}


def test_a_fifo_group_starts_in_order(aws: Lambda) -> None:
    assert dispatch(*FIFO) == []

    assert [name for name in aws.names if name != IDS[2]] == [IDS[0], IDS[1], IDS[3]]
    assert IDS[2] in aws.names


def test_a_fifo_group_stops_at_its_first_failure_and_others_go_on(
    aws: Lambda, caplog: pytest.LogCaptureFixture
) -> None:
    aws.answers[IDS[1]] = (503, "ServiceException")

    assert dispatch(*FIFO) == [IDS[1], IDS[3]]

    assert set(aws.names) == {IDS[0], IDS[1], IDS[2]}
    assert f"1 messages behind {IDS[1]} in its group or key wait for it" in caplog.text


def test_a_message_delivered_twice_in_one_batch_is_reported_once(aws: Lambda) -> None:
    aws.answers["m-1"] = (503, "ServiceException")

    assert dispatch(record("m-1"), record("m-1")) == ["m-1"]


def test_nothing_is_begun_that_might_not_end_in_time(aws: Lambda, caplog: pytest.LogCaptureFixture) -> None:
    assert dispatch(record(), milliseconds=dispatcher.LONGEST_START_MILLISECONDS - 1) == ["m-1"]
    assert aws.starts == []
    assert "no time left" in caplog.text

    assert dispatch(record(), milliseconds=dispatcher.LONGEST_START_MILLISECONDS) == []


# Streams


def test_a_kinesis_record_starts_an_execution_of_its_number(aws: Lambda) -> None:
    assert dispatch(KINESIS[0]) == []

    (start,) = aws.starts
    assert re.fullmatch(f"{NUMBERS[0]}-[0-9a-f]{{7}}", start.name)
    assert json.loads(start.payload) == {
        "messageId": start.name,
        "eventSource": "aws:kinesis",
        "eventSourceARN": "arn:aws:kinesis:us-east-1:123456789012:stream/orders",
        "sequenceNumber": NUMBERS[0],
        "partitionKey": "customer-1",
        "data": KINESIS[0]["kinesis"]["data"],
        "approximateArrivalTimestamp": 1764072000.123,
    }


def test_a_dynamodb_record_starts_an_execution_of_its_number(aws: Lambda) -> None:
    assert dispatch(DYNAMODB[2]) == []

    (start,) = aws.starts
    assert re.fullmatch("100000700000000030966148592-[0-9a-f]{7}", start.name)
    assert json.loads(start.payload) == {
        "messageId": start.name,
        "eventSource": "aws:dynamodb",
        "eventSourceARN": DYNAMODB[2]["eventSourceARN"],
        "eventName": "REMOVE",
        "dynamodb": {
            "ApproximateCreationDateTime": 1764072003,
            "Keys": {"id": {"S": "o-2"}},
            "OldImage": DYNAMODB[2]["dynamodb"]["OldImage"],
            "SequenceNumber": "100000700000000030966148592",
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    }


def test_a_key_starts_in_order_and_stops_at_its_first_failure(aws: Lambda) -> None:
    aws.answers[NAMES[2]] = (503, "ServiceException")
    assert dispatch(*KINESIS) == [NUMBERS[2]]
    assert [name for name in aws.names if name != NAMES[1]][:2] == [NAMES[0], NAMES[2]]

    other = json.loads(json.dumps(KINESIS[1]))
    other["kinesis"]["sequenceNumber"] = NUMBERS[0][:-1]  # before the others
    aws.answers = {NAMES[0]: (503, "ServiceException")}
    aws.starts.clear()
    assert dispatch(other, *KINESIS) == [NUMBERS[0], NUMBERS[2]]
    assert NAMES[2] not in aws.names
    assert NAMES[1] in aws.names


def test_a_first_record_that_does_not_start_asks_for_a_split(aws: Lambda) -> None:
    aws.answers[NAMES[0]] = (403, "AccessDeniedException")

    with pytest.raises(dispatcher.BatchSplitError, match=f"2 of 3 records did not start.* {NUMBERS[0]}, {NUMBERS[2]}"):
        dispatch(*KINESIS)

    assert set(aws.names) == {NAMES[0], NAMES[1]}


def test_a_record_alone_that_does_not_start_is_returned(aws: Lambda) -> None:
    aws.answers[NAMES[0]] = (403, "AccessDeniedException")

    assert dispatch(KINESIS[0]) == [NUMBERS[0]]


def test_records_of_different_keys_start_side_by_side(aws: Lambda) -> None:
    aws.together = threading.Barrier(2)

    assert dispatch(*KINESIS[:2]) == []


def test_a_record_above_1_mb_is_refused_and_told_another_way(aws: Lambda, caplog: pytest.LogCaptureFixture) -> None:
    large = json.loads(json.dumps(KINESIS[1]))
    large["kinesis"]["data"] = base64.b64encode(bytes(800_000)).decode()

    assert dispatch(KINESIS[0], large) == [NUMBERS[1]]

    assert aws.names == [NAMES[0]]
    assert "let the stream's mapping start the durable function itself" in caplog.text


def test_missing_target_is_named(aws: Lambda, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TARGET_FUNCTION_ARN")

    with pytest.raises(RuntimeError, match="environment variable TARGET_FUNCTION_ARN is not set"):
        dispatch(record())
    assert aws.starts == []
