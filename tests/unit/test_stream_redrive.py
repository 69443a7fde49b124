"""The redrive reads back what a stream's mapping gave up: every gap, every interruption."""

import json
import logging
from collections.abc import Iterator

import pytest
from functions_support import FUNCTIONS, load
from stream_redrive_support import (
    ALIAS,
    CHANGES,
    SHARD,
    STREAM,
    WIDE,
    Aws,
    Shard,
    change,
    changes,
    clients,
    event_records,
    failed,
    fake_aws,
    give,
    handed_over,
    kinesis,
    line,
    notification,
    run,
)

dispatcher_message = load("dispatcher", "message")


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    with fake_aws(monkeypatch, TARGET=ALIAS, TARGET_DURABLE="true") as fake:
        yield fake


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog


def test_the_failed_records_are_read_back_and_no_others(aws: Aws, log: pytest.LogCaptureFixture) -> None:
    give(aws, 99, 100, 101, 102, 103)

    assert run(failed(100, 102)) == []

    assert handed_over(aws) == ["100", "101", "102"]
    assert aws.of("GetShardIterator") == [
        {
            "StreamARN": STREAM,
            "ShardId": SHARD,
            "ShardIteratorType": "AT_SEQUENCE_NUMBER",
            "StartingSequenceNumber": "100",
        }
    ]
    assert [call["Limit"] for call in aws.of("GetRecords")] == [3]
    info = line(log, logging.INFO)
    assert info.getMessage() == "message m-0: 3 records were handed over"
    assert (info.message_id, info.stream_arn, info.shard_id) == ("m-0", STREAM, SHARD)
    assert (info.handed_over, info.failed, info.missing, info.target) == (3, 0, 0, ALIAS)


def test_the_target_gets_the_dispatchers_bytes(aws: Aws) -> None:
    """What the dispatcher starts with from the event of a mapping, the redrive starts with from the stream."""
    give(aws, 7)
    aws.shards[CHANGES, SHARD] = Shard([change(WIDE)])
    raw = change(WIDE)
    mapped = raw | {
        "eventSourceARN": CHANGES,
        "dynamodb": raw["dynamodb"] | {"ApproximateCreationDateTime": 1.7e9},
    }

    assert run(failed(7, 7), failed(WIDE, WIDE, stream_arn=CHANGES)) == []

    expected = [dispatcher_message.from_record(record) for record in (*event_records(7), mapped)]
    assert [(call["DurableExecutionName"], call["Payload"]) for call in aws.of("Invoke")] == [
        (message.message_id, dispatcher_message.to_payload(message)) for message in expected
    ]


def test_the_normal_form_is_the_dispatchers() -> None:
    assert (FUNCTIONS / "stream_redrive/record.py").read_text() == (FUNCTIONS / "dispatcher/record.py").read_text()


def test_sequence_numbers_are_numbers(aws: Aws) -> None:
    """As texts, "1000" is before "998"."""
    give(aws, 997, 998, 1000, 1001, 10_000)

    assert run(failed(998, 1001, size=3)) == []

    assert handed_over(aws) == ["998", "1000", "1001"]


def test_others_in_the_range_are_handed_over_too(aws: Aws, log: pytest.LogCaptureFixture) -> None:
    give(aws, *range(100, 110))

    assert run(failed(100, 105, size=2)) == []

    assert handed_over(aws) == [str(number) for number in range(100, 106)]
    assert len(aws.of("GetRecords")) == 3
    assert line(log, logging.INFO).handed_over == 6


def test_an_empty_page_is_not_the_end(aws: Aws) -> None:
    give(aws, 1, 2, 3, pages=[0, 1, 0, 0, 2])

    assert run(failed(1, 3)) == []

    assert handed_over(aws) == ["1", "2", "3"]


def test_an_expired_iterator_is_renewed_behind_the_last_record(aws: Aws) -> None:
    give(aws, 1, 2, 3, pages=[2])
    aws.errors["GetRecords"] = [None, "ExpiredIteratorException"]

    assert run(failed(1, 3)) == []

    assert handed_over(aws) == ["1", "2", "3"]
    kinds = [(call["ShardIteratorType"], call["StartingSequenceNumber"]) for call in aws.of("GetShardIterator")]
    assert kinds == [("AT_SEQUENCE_NUMBER", "1"), ("AFTER_SEQUENCE_NUMBER", "2")]


def test_an_iterator_that_expires_at_once_is_renewed_at_the_start(aws: Aws) -> None:
    give(aws, 1)
    aws.errors["GetRecords"] = ["ExpiredIteratorException"]

    assert run(failed(1, 1)) == []

    assert [call["ShardIteratorType"] for call in aws.of("GetShardIterator")] == ["AT_SEQUENCE_NUMBER"] * 2


@pytest.mark.parametrize(
    ("arn", "operation", "code"),
    [
        (STREAM, "GetRecords", "ProvisionedThroughputExceededException"),
        (STREAM, "GetShardIterator", "ProvisionedThroughputExceededException"),
        (CHANGES, "GetRecords", "LimitExceededException"),
    ],
)
def test_a_throttled_read_is_repeated(aws: Aws, arn: str, operation: str, code: str) -> None:
    aws.shards[arn, SHARD] = Shard([kinesis(WIDE) if arn == STREAM else change(WIDE)])
    aws.errors[operation] = [code] * (clients.READ_ATTEMPTS - 1)

    assert run(failed(WIDE, WIDE, stream_arn=arn)) == []

    assert len(aws.of("Invoke")) == 1


def test_a_read_that_stays_throttled_fails_its_message_alone(aws: Aws, log: pytest.LogCaptureFixture) -> None:
    give(aws, 1, 2)
    aws.errors["GetRecords"] = ["ProvisionedThroughputExceededException"] * clients.READ_ATTEMPTS

    assert run(failed(1, 1), failed(2, 2)) == ["m-0"]

    assert handed_over(aws) == ["2"]
    assert "message m-0 was not redriven: " in log.text
    assert line(log, logging.ERROR).stream_arn == STREAM


def test_a_closed_shard_ends_the_reading(aws: Aws) -> None:
    give(aws, 1, 2, closed=True)

    assert run(failed(1, 2)) == []

    assert handed_over(aws) == ["1", "2"]


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "open"])
def test_a_missing_end_is_reported(aws: Aws, log: pytest.LogCaptureFixture, closed: bool) -> None:
    give(aws, 1, 2, closed=closed)

    assert run(failed(1, 3)) == ["m-0"]

    assert handed_over(aws) == ["1", "2"]
    assert line(log, logging.ERROR).missing == 1


def test_what_is_past_retention_is_reported_and_the_rest_handed_over(aws: Aws, log: pytest.LogCaptureFixture) -> None:
    give(aws, 100, 101, 102, 103, trimmed_before=102)

    assert run(failed(100, 103)) == ["m-0"]

    assert handed_over(aws) == ["102", "103"]
    error = line(log, logging.ERROR)
    assert error.getMessage() == (
        f"message m-0: at least 2 of 4 records are missing from {SHARD} of {STREAM}, 100 to 103: past retention"
    )
    assert (error.handed_over, error.missing, error.batch_size) == (2, 2, 4)
    assert (error.start_sequence_number, error.end_sequence_number) == ("100", "103")


def test_others_in_the_range_hide_no_gap(aws: Aws, log: pytest.LogCaptureFixture) -> None:
    """Two failed, 100 and 105; of the six records between, five are left: more than two, but not the first."""
    give(aws, *range(100, 106), trimmed_before=101)

    assert run(failed(100, 105, size=2)) == ["m-0"]

    assert line(log, logging.ERROR).missing == 1


@pytest.mark.parametrize("left", [[], [200]], ids=["empty", "later"])
def test_nothing_left_in_the_range(aws: Aws, log: pytest.LogCaptureFixture, left: list[int]) -> None:
    give(aws, *left)

    assert run(failed(100, 103)) == ["m-0"]

    assert aws.of("Invoke") == []
    assert line(log, logging.ERROR).missing == 4


def test_dynamodb_refuses_what_is_trimmed(aws: Aws, log: pytest.LogCaptureFixture) -> None:
    aws.shards[CHANGES, SHARD] = Shard([change(WIDE + n) for n in (1, 2, 3)], trimmed_before=WIDE + 2)
    aws.errors["GetShardIterator"] = ["TrimmedDataAccessException"]

    assert run(failed(WIDE + 1, WIDE + 2, stream_arn=CHANGES)) == ["m-0"]

    assert changes(aws) == [WIDE + 2]
    assert [call["ShardIteratorType"] for call in aws.of("GetShardIterator")] == ["AT_SEQUENCE_NUMBER", "TRIM_HORIZON"]
    assert line(log, logging.ERROR).missing == 1


def test_dynamodb_trims_between_two_pages(aws: Aws, log: pytest.LogCaptureFixture) -> None:
    """From the oldest record on, what was handed over is not handed over again."""
    aws.shards[CHANGES, SHARD] = Shard([change(WIDE + n) for n in (1, 2, 3)], pages=[2], closed=True)
    aws.errors["GetRecords"] = [None, "TrimmedDataAccessException"]
    aws.errors["GetShardIterator"] = [None, "TrimmedDataAccessException"]

    assert run(failed(WIDE + 1, WIDE + 3, stream_arn=CHANGES)) == []

    assert changes(aws) == [WIDE + 1, WIDE + 2, WIDE + 3]
    assert line(log, logging.INFO).handed_over == 3


@pytest.mark.parametrize("operation", ["GetShardIterator", "GetRecords"])
def test_a_stream_or_shard_that_is_gone(aws: Aws, log: pytest.LogCaptureFixture, operation: str) -> None:
    give(aws, 1, 2)
    aws.errors[operation] = ["ResourceNotFoundException"]

    assert run(failed(1, 2), failed(2, 2)) == ["m-0"]

    assert handed_over(aws) == ["2"]
    error = line(log, logging.ERROR)
    assert "at least 2 of 2 records are missing" in error.getMessage()
    assert "ResourceNotFoundException" in error.getMessage()


def test_no_read_begins_that_might_not_end_in_time(aws: Aws, log: pytest.LogCaptureFixture) -> None:
    give(aws, 1)
    aws.objects["k"] = json.dumps(failed(1, 1) | {"payload": json.dumps({"Records": event_records(1)})})

    assert run(failed(1, 1), notification("k"), remaining=clients.LONGEST_READ_MILLISECONDS - 1) == ["m-0", "m-1"]
    assert aws.calls == []
    assert log.text.count("OutOfTimeError: no time left to read") == 2

    assert run(failed(1, 1), notification("k"), remaining=clients.LONGEST_READ_MILLISECONDS) == []


def test_time_that_runs_out_between_pages_returns_the_message(aws: Aws, log: pytest.LogCaptureFixture) -> None:
    give(aws, *range(1, 5), pages=[2, 2])
    clock = lambda: 300_000 if len(aws.of("GetRecords")) < 1 or len(aws.of("Invoke")) < 2 else 20_000  # noqa: E731

    assert run(failed(1, 4), remaining=clock) == ["m-0"]

    assert handed_over(aws) == ["1", "2"]
    error = line(log, logging.ERROR)
    assert (error.handed_over, error.error) == (2, "OutOfTimeError")

    assert run(failed(1, 4)) == []  # delivered again: whole
    assert handed_over(aws) == ["1", "2", "1", "2", "3", "4"]
    names = [call["DurableExecutionName"] for call in aws.of("Invoke")]
    assert names[:2] == names[2:4]
