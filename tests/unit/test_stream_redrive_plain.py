"""A plain function gets each record as from its mapping, and a record that it does not handle stays."""

import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from functions_support import load
from stream_redrive_support import (
    ALIAS,
    CHANGES,
    SHARD,
    STREAM,
    TARGET_TIMEOUT,
    WIDE,
    Aws,
    Shard,
    change,
    clients,
    event_records,
    failed,
    fake_aws,
    kinesis,
    notification,
    run,
)

NAME = load("stream_redrive", "record").record_id
LONGEST = clients.longest_wait_milliseconds(TARGET_TIMEOUT)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    with fake_aws(
        monkeypatch, TARGET=ALIAS, TARGET_DURABLE="false", TARGET_TIMEOUT=str(TARGET_TIMEOUT), AWS_REGION="us-east-1"
    ) as fake:
        yield fake


def give(aws: Aws, *records: tuple[int, str]) -> None:
    aws.shards[STREAM, SHARD] = Shard([kinesis(number, key) for number, key in records])


def number(record: dict[str, Any]) -> int:
    return int(record["kinesis"]["sequenceNumber"])


def sent(aws: Aws) -> list[dict[str, Any]]:
    return [record for call in aws.of("Invoke") for record in json.loads(call["Payload"])["Records"]]


def test_a_kinesis_record_comes_as_from_its_mapping(aws: Aws) -> None:
    give(aws, (7, "a"))

    assert run(failed(7, 7)) == []

    (call,) = aws.of("Invoke")
    assert (call["FunctionName"], call["InvocationType"]) == (ALIAS, "RequestResponse")
    assert "DurableExecutionName" not in call
    assert json.loads(call["Payload"]) == {
        "Records": [
            {
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": "a",
                    "sequenceNumber": "7",
                    "data": "e30=",
                    "approximateArrivalTimestamp": 1545084650.987,
                },
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": f"{SHARD}:7",
                "eventName": "aws:kinesis:record",
                "awsRegion": "us-east-1",
                "eventSourceARN": STREAM,
            }
        ]
    }


def test_a_change_of_dynamodb_comes_as_from_its_mapping(aws: Aws) -> None:
    """Also who removed the item: time to live, in the lower case of an event."""
    raw = change(WIDE)
    aws.shards[CHANGES, SHARD] = Shard(
        [raw | {"userIdentity": {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}}]
    )

    assert run(failed(WIDE, WIDE, stream_arn=CHANGES)) == []

    assert sent(aws) == [
        {
            "eventID": "1",
            "eventName": "MODIFY",
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": "us-east-1",
            "dynamodb": raw["dynamodb"],
            "eventSourceARN": CHANGES,
            "userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"},
        }
    ]
    assert raw["dynamodb"]["SizeBytes"] == 26


def test_a_record_of_an_s3_destination_comes_as_it_was(aws: Aws) -> None:
    records = event_records(1, 2)
    aws.objects["k"] = json.dumps(failed(1, 2) | {"payload": json.dumps({"Records": records})})

    assert run(notification("k")) == []

    assert sent(aws) == records


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "null",
        '""',
        "[]",
        "{}",
        '{"statusCode":200}',
        '{"batchItemFailures":null}',
        '{"batchItemFailures":[]}',
        '"{\\"batchItemFailures\\":[]}"',
    ],
)
def test_what_a_mapping_takes_for_success_is_one(aws: Aws, answer: str) -> None:
    give(aws, (7, "a"))
    aws.function = lambda _: (answer, None)

    assert run(failed(7, 7)) == []


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ('{"batchItemFailures":[{"itemIdentifier":"7"}]}', "it names the record in batchItemFailures"),
        ('{"batchItemFailures":[{"itemIdentifier":"8"}]}', "is not the record's sequence number 7: "),
        ('{"batchItemFailures":[{"itemIdentifier":""}]}', "is not the record's sequence number 7: "),
        ('{"batchItemFailures":[{"itemIdentifier":null}]}', "is not the record's sequence number 7: "),
        ('{"batchItemFailures":[{"id":"7"}]}', "is not the record's sequence number 7: "),
        ('{"batchItemFailures":{}}', "is not the record's sequence number 7: "),
        ('{"batchItemFailures":"7"}', "is not the record's sequence number 7: "),
        ('"done"', "its answer is no JSON object: "),
    ],
)
def test_a_record_that_the_answer_fails_stays(
    aws: Aws, caplog: pytest.LogCaptureFixture, answer: str, complaint: str
) -> None:
    give(aws, (7, "a"))
    aws.function = lambda _: (answer, None)

    assert run(failed(7, 7)) == ["m-0"]

    assert f"record {NAME(STREAM, '7')} was not handed over: FunctionFailedError: " in caplog.text
    assert complaint in caplog.text


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ('{"errorMessage":"no address","errorType":"ValueError","stackTrace":[]}', "ValueError: no address"),
        ('{"errorMessage":"Task timed out after 3.00 seconds"}', "Task timed out after 3.00 seconds"),
        ("oops", "oops"),
        ("[]", "[]"),
        (json.dumps({"errorMessage": "x" * 5000}), "x" * 1000 + "..."),
    ],
)
def test_a_functions_error_is_told(aws: Aws, caplog: pytest.LogCaptureFixture, answer: str, told: str) -> None:
    give(aws, (7, "a"))
    aws.function = lambda _: (answer, "Unhandled")

    assert run(failed(7, 7)) == ["m-0"]

    error, total = (line for line in caplog.records if line.levelno == logging.ERROR)
    assert error.getMessage() == f"record {NAME(STREAM, '7')} was not handed over: FunctionFailedError: {told}"
    assert total.getMessage() == "message m-0: 1 records were not handed over, 0 were"


@pytest.mark.parametrize("error", ["TooManyRequestsException", "ServiceException", "timeout"])
def test_what_might_have_run_is_not_tried_a_second_time(aws: Aws, caplog: pytest.LogCaptureFixture, error: str) -> None:
    """The second attempt would succeed."""
    give(aws, (7, "a"))
    aws.errors["Invoke"] = [error]

    assert run(failed(7, 7)) == ["m-0"]

    assert ("ReadTimeoutError" if error == "timeout" else error) in caplog.text

    assert run(failed(7, 7)) == []


def test_the_wait_outlasts_the_function_and_a_cold_start() -> None:
    assert clients.waiting_client(TARGET_TIMEOUT).meta.config.read_timeout >= TARGET_TIMEOUT + 10


def test_a_key_is_in_order_and_stops_at_its_failure(aws: Aws) -> None:
    give(aws, *((n, "a" if n % 2 else "b") for n in range(1, 9)))
    error = ('{"errorMessage":"no","errorType":"ValueError"}', "Unhandled")
    aws.function = lambda record: error if number(record) == 3 else ("null", None)

    assert run(failed(1, 8)) == ["m-0"]

    assert [number(record) for record in sent(aws) if number(record) % 2] == [1, 3]
    assert [number(record) for record in sent(aws) if not number(record) % 2] == [2, 4, 6, 8]


def test_a_record_waits_for_the_one_before_it_of_its_key(aws: Aws) -> None:
    under_way: list[str] = []
    overlaps: list[int] = []

    def function(record: dict[str, Any]) -> tuple[str, None]:
        key = record["kinesis"]["partitionKey"]
        if key in under_way:
            overlaps.append(number(record))
        under_way.append(key)
        together.wait()
        under_way.remove(key)
        return "null", None

    together = threading.Barrier(2, timeout=10)  # broken, and so an error, unless two keys run side by side
    give(aws, *((n, "a" if n % 2 else "b") for n in range(1, 9)))
    aws.function = function

    assert run(failed(1, 8)) == []

    assert overlaps == []


def test_nothing_begins_that_might_not_end_in_time(aws: Aws, caplog: pytest.LogCaptureFixture) -> None:
    """The last call may take as long as the function, and a cold start."""
    give(aws, (1, "a"), (2, "a"), (3, "a"))
    clock = lambda: LONGEST - (len(aws.of("Invoke")) >= 2)  # noqa: E731

    assert run(failed(1, 3), remaining=clock) == ["m-0"]

    assert [number(record) for record in sent(aws)] == [1, 2]
    assert "OutOfTimeError: no time left to hand it over" in caplog.text


def test_a_record_beyond_an_invocations_limit_stays(aws: Aws, caplog: pytest.LogCaptureFixture) -> None:
    """A Kinesis record takes up to 10 MiB, an invocation 6."""
    give(aws, (1, "a"), (2, "b"))
    aws.shards[STREAM, SHARD].records[0] = kinesis(1, "a", data=b"x" * 4_720_000)

    assert run(failed(1, 2)) == ["m-0"]

    assert [number(record) for record in sent(aws)] == [2]
    assert "an invocation takes 6291456: redrive to a bucket instead" in caplog.text
