"""The messages that the redrive understands, from SQS, SNS, S3 and pipes, and those that it does not."""

import json
import logging
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from stream_redrive_support import (
    ALIAS,
    CHANGES,
    SHARD,
    STREAM,
    WIDE,
    Aws,
    Shard,
    change,
    event_records,
    failed,
    fake_aws,
    give,
    handed_over,
    kinesis,
    line,
    notification,
    pipe_record,
    redrive,
    run,
)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    with fake_aws(monkeypatch, TARGET=ALIAS, TARGET_DURABLE="true") as fake:
        yield fake


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog


@pytest.mark.parametrize("wrap", [lambda body: body, pipe_record], ids=["mapping", "pipe"])
@pytest.mark.parametrize("sns", [False, True], ids=["sqs", "sns"])
@pytest.mark.parametrize("arn", [STREAM, CHANGES], ids=["kinesis", "dynamodb"])
def test_every_shape_of_a_message(aws: Aws, wrap: Any, sns: bool, arn: str) -> None:
    aws.shards[arn, SHARD] = Shard([kinesis(WIDE) if arn == STREAM else change(WIDE)])
    body = wrap(failed(WIDE, WIDE, stream_arn=arn))

    assert run({"Type": "Notification", "TopicArn": "t", "Message": json.dumps(body)} if sns else body) == []

    (start,) = aws.of("Invoke")
    assert json.loads(start["Payload"])["eventSourceARN"] == arn


def test_a_consumers_batch_is_read_from_its_stream(aws: Aws) -> None:
    give(aws, 7)

    assert run(failed(7, 7, streamArn=f"{STREAM}/consumer/fast:1")) == []

    assert aws.of("GetRecords")[0]["StreamARN"] == STREAM


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("{", "the message is no JSON"),
        ("[" * 10_000, "the message is no JSON"),
        ([], "it is a list"),
        ({"requestContext": {}}, "expected KinesisBatchInfo or DDBStreamBatchInfo"),
        ({"Type": "Notification", "Message": "text"}, "the SNS message is no JSON"),
        ({"Type": "Notification"}, "the SNS message is no JSON"),
        (failed(1, 1, batchSize=0), "batchSize is 0"),
        (failed(1, 1, batchSize="1"), "batchSize is '1'"),
        (failed(1, 1, shardId=None), "shardId is None"),
        (failed(1, 1, streamArn=7), "streamArn is 7"),
        (failed(1, 1, startSequenceNumber="x"), "startSequenceNumber is 'x'"),
        (failed(9, 10, endSequenceNumber="8"), "startSequenceNumber 9 is behind endSequenceNumber 8"),
        ({"Records": [{"s3": {"bucket": {}}}]}, "no S3 notification"),
        ({"Records": [None]}, "no S3 notification"),
    ],
)
def test_what_is_no_failed_batch_fails_alone(
    aws: Aws, log: pytest.LogCaptureFixture, body: Any, complaint: str
) -> None:
    give(aws, 1)

    assert run(body, failed(1, 1)) == ["m-0"]

    assert handed_over(aws) == ["1"]
    error = line(log, logging.ERROR)
    assert error.getMessage().startswith("message m-0 was not redriven: MessageError: ")
    assert complaint in error.getMessage()


def test_an_s3_destination_has_kept_the_records(aws: Aws) -> None:
    key = "aws/lambda/uuid/shard/2026/01/01/2026-01-01T00.00.02-a b+ü"
    aws.objects[key] = json.dumps(failed(1, 2) | {"payload": json.dumps({"Records": event_records(1, 2)})})

    assert run(notification(key)) == []

    assert [json.loads(call["Payload"])["eventSourceARN"] for call in aws.of("Invoke")] == [STREAM, STREAM]
    assert handed_over(aws) == ["1", "2"]
    assert aws.of("GetShardIterator") == []


def test_the_version_that_was_written_is_read(aws: Aws) -> None:
    aws.objects["k"] = json.dumps(failed(1, 1) | {"payload": json.dumps({"Records": event_records(1)})})
    body = notification("k")
    body["Records"][0]["s3"]["object"]["versionId"] = "v1"

    assert run(body) == []

    (read,) = aws.of("GetObject")
    assert (read["Bucket"], read["Key"], read["VersionId"]) == ("failures", "k", "v1")


def test_an_object_without_payload_points_at_the_stream(aws: Aws) -> None:
    give(aws, 1)
    aws.objects["k"] = json.dumps(failed(1, 1))

    assert run(notification("k")) == []

    assert handed_over(aws) == ["1"]


def test_an_object_with_less_than_failed_is_reported(aws: Aws, log: pytest.LogCaptureFixture) -> None:
    aws.objects["k"] = json.dumps(failed(1, 3) | {"payload": json.dumps({"Records": event_records(1, 3)})})

    assert run(notification("k")) == ["m-0"]

    assert handed_over(aws) == ["1", "3"]
    assert (line(log, logging.ERROR).missing, line(log, logging.ERROR).key) == (1, "k")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, "NoSuchKey"),
        ("no", "the S3 object is no JSON"),
        (json.dumps(failed(1, 1) | {"payload": "no"}), "the payload of the S3 object is no JSON"),
        (json.dumps(failed(1, 1) | {"payload": "{}"}), "has no array Records"),
        (
            json.dumps(failed(1, 1) | {"payload": '{"Records":[{"eventSource":"aws:kinesis"}]}'}),
            "has no eventSourceARN",
        ),
    ],
)
def test_a_bad_object_fails_alone(aws: Aws, log: pytest.LogCaptureFixture, text: str | None, complaint: str) -> None:
    aws.objects["good"] = json.dumps(failed(1, 1) | {"payload": json.dumps({"Records": event_records(1)})})
    if text is not None:
        aws.objects["bad"] = text

    assert run(notification("bad", "good")) == ["m-0"]

    assert handed_over(aws) == ["1"]
    assert complaint in line(log, logging.ERROR).getMessage()


def test_s3s_test_of_its_notifications_is_done(aws: Aws) -> None:
    assert run({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "failures"}) == []

    assert aws.calls == []


def test_a_message_delivered_twice_in_one_batch_is_reported_once(aws: Aws) -> None:
    twice = [{"messageId": "m", "body": "{"}] * 2
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 300_000)

    assert redrive.handler({"Records": twice}, context) == {"batchItemFailures": [{"itemIdentifier": "m"}]}
    assert aws.calls == []
