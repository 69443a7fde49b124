"""What the redrive's targets get, in which order, and what becomes of what they refuse."""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from functions_support import load
from stream_redrive_support import (
    ALIAS,
    BUCKET,
    CHANGES,
    QUEUE,
    QUEUE_URL,
    SHARD,
    STREAM,
    WIDE,
    Aws,
    Shard,
    change,
    clients,
    event_records,
    failed,
    fake_aws,
    kinesis,
    run,
)

targets = load("stream_redrive", "targets")
items = load("stream_redrive", "items")
record = load("stream_redrive", "record")

Start = Callable[..., Aws]
NAME = record.record_id


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start the fake with a target; records are (number, key)."""
    with ExitStack() as stack:

        def begin(*records: tuple[int, str], **environment: str) -> Aws:
            fake = stack.enter_context(fake_aws(monkeypatch, **environment))
            fake.shards[STREAM, SHARD] = Shard([kinesis(number, key) for number, key in records])
            return fake

        yield begin


def numbers(aws: Aws) -> list[str]:
    return [json.loads(call["Payload"])["sequenceNumber"] for call in aws.of("Invoke")]


def entries(aws: Aws) -> list[list[str]]:
    """The sequence numbers of each SendMessageBatch."""
    return [
        [json.loads(entry["MessageBody"])["sequenceNumber"] for entry in call["Entries"]]
        for call in aws.of("SendMessageBatch")
    ]


def test_a_durable_function_is_started_under_the_records_name(start: Start) -> None:
    aws = start((7, "a"), TARGET=ALIAS, TARGET_DURABLE="true")

    assert run(failed(7, 7)) == []

    (call,) = aws.of("Invoke")
    assert (call["FunctionName"], call["InvocationType"]) == (ALIAS, "Event")
    assert call["DurableExecutionName"] == NAME(STREAM, "7") == json.loads(call["Payload"])["messageId"]


def test_a_kinesis_number_fills_the_name(start: Start) -> None:
    number = 49590338271490256608559692538361571095921575989136588898
    aws = start((number, "a"), TARGET=ALIAS, TARGET_DURABLE="true")

    assert run(failed(number, number)) == []

    assert len(aws.of("Invoke")[0]["DurableExecutionName"]) == 64


def test_a_known_execution_is_a_success(start: Start) -> None:
    aws = start((1, "a"), (2, "a"), TARGET=ALIAS, TARGET_DURABLE="true")
    aws.errors["Invoke"] = ["DurableExecutionAlreadyStartedException"]

    assert run(failed(1, 2)) == []

    assert numbers(aws) == ["1", "2"]


@pytest.mark.parametrize(
    "code", ["AccessDeniedException", "ResourceNotFoundException", "InvalidParameterValueException"]
)
def test_a_key_stops_at_its_first_failure_and_others_go_on(
    start: Start, caplog: pytest.LogCaptureFixture, code: str
) -> None:
    """The key stays stopped on later pages as well; the message returns whole."""
    aws = start(*((n, "a" if n % 2 else "b") for n in range(1, 9)), TARGET=ALIAS, TARGET_DURABLE="true")
    aws.shards[STREAM, SHARD].pages = [4, 4]
    aws.refused[NAME(STREAM, "3")] = code

    assert run(failed(1, 8)) == ["m-0"]

    assert [number for number in numbers(aws) if int(number) % 2] == ["1", "3"]
    assert [number for number in numbers(aws) if not int(number) % 2] == ["2", "4", "6", "8"]
    refused, total = (line for line in caplog.records if line.levelno == logging.ERROR)
    assert refused.getMessage().startswith(f"record {NAME(STREAM, '3')} was not handed over: ")
    assert code in refused.getMessage()
    assert total.getMessage() == "message m-0: 3 records were not handed over, 5 were"
    assert (total.handed_over, total.failed, total.missing) == (5, 3, 0)

    aws.refused.clear()
    assert run(failed(1, 8)) == []


def test_a_keys_order_is_kept_among_many(start: Start) -> None:
    aws = start(*((n, f"key-{n % 7}") for n in range(1, 201)), TARGET=ALIAS, TARGET_DURABLE="true")

    assert run(failed(1, 200)) == []

    for key in range(7):
        of_key = [int(number) for number in numbers(aws) if int(number) % 7 == key]
        assert of_key == sorted(of_key)
    assert len(numbers(aws)) == 200


def test_an_items_key_is_dynamodbs_order(start: Start) -> None:
    aws = start(TARGET=ALIAS, TARGET_DURABLE="true")
    aws.shards[CHANGES, SHARD] = Shard([change(WIDE + 1, "a"), change(WIDE + 2, "a"), change(WIDE + 3, "b")])
    aws.refused[NAME(CHANGES, str(WIDE + 1))] = "AccessDeniedException"

    assert run(failed(WIDE + 1, WIDE + 3, stream_arn=CHANGES)) == ["m-0"]

    handed = [json.loads(call["Payload"])["dynamodb"]["SequenceNumber"] for call in aws.of("Invoke")]
    assert sorted(handed) == [str(WIDE + 1), str(WIDE + 3)]


def test_a_record_beyond_an_invocations_limit_is_refused_before_any_call(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    aws = start((1, "a"), (2, "b"), TARGET=ALIAS, TARGET_DURABLE="true")
    aws.shards[STREAM, SHARD].records[0] = kinesis(1, "a", data=b"x" * 800_000)

    assert run(failed(1, 2)) == ["m-0"]

    assert numbers(aws) == ["2"]
    assert "an asynchronous invocation takes 1048576: redrive to a bucket instead" in caplog.text


@pytest.mark.parametrize("target", [ALIAS, QUEUE, BUCKET])
def test_nothing_is_handed_over_that_might_not_end_in_time(
    start: Start, caplog: pytest.LogCaptureFixture, target: str
) -> None:
    aws = start((1, "a"), (2, "b"), TARGET=target, TARGET_DURABLE="true")
    clock = lambda: clients.LONGEST_CALL_MILLISECONDS - 1 if aws.of("GetRecords") else 300_000  # noqa: E731

    assert run(failed(1, 2), remaining=clock) == ["m-0"]

    assert {name for name, _ in aws.calls} == {"GetShardIterator", "GetRecords"}
    assert caplog.text.count("OutOfTimeError: no time left to hand it over") == 2


def test_a_standard_queue_gets_ten_keys_a_call(start: Start) -> None:
    aws = start(*((n, f"key-{n}") for n in range(1, 13)), TARGET=QUEUE)

    assert run(failed(1, 12)) == []

    assert [len(call) for call in entries(aws)] == [10, 2]
    assert aws.of("GetQueueUrl") == [{"QueueName": "retries", "QueueOwnerAWSAccountId": "123456789012"}]
    sent = [(call["QueueUrl"], entry) for call in aws.of("SendMessageBatch") for entry in call["Entries"]]
    assert all(url == QUEUE_URL and set(entry) == {"Id", "MessageBody"} for url, entry in sent)
    assert {json.loads(entry["MessageBody"])["messageId"] for _, entry in sent} == {
        NAME(STREAM, str(n)) for n in range(1, 13)
    }


def test_a_fifo_queue_gets_groups_and_deduplication(start: Start) -> None:
    aws = start((1, "customer/7"), (2, "mit Ümlaut"), (3, "k" * 129), TARGET=f"{QUEUE}.fifo")

    assert run(failed(1, 3)) == []

    ((first, second, third),) = [call["Entries"] for call in aws.of("SendMessageBatch")]
    assert first["MessageGroupId"] == "customer/7"
    assert second["MessageGroupId"] != third["MessageGroupId"]
    assert all(len(entry["MessageGroupId"]) == 64 for entry in (second, third))
    assert [entry["MessageDeduplicationId"] for entry in (first, second, third)] == [
        NAME(STREAM, str(n)) for n in (1, 2, 3)
    ]


def test_a_fifo_queue_gets_a_groups_records_in_order_and_none_behind_a_refused_one(start: Start) -> None:
    """One call never has two of a group: SQS may refuse the first of them and take the second."""
    aws = start(*((n, "a" if n < 5 else "b") for n in range(1, 7)), TARGET=f"{QUEUE}.fifo")
    aws.refused[NAME(STREAM, "2")] = "InternalError"

    assert run(failed(1, 6)) == ["m-0"]

    assert entries(aws) == [["1", "5"], ["2", "6"]]


def test_a_call_to_a_queue_stays_below_its_size(start: Start) -> None:
    aws = start(*((n, f"key-{n}") for n in range(1, 5)), TARGET=QUEUE)
    aws.shards[STREAM, SHARD].records = [kinesis(n, f"key-{n}", b"x" * 90_000) for n in range(1, 5)]

    assert run(failed(1, 4)) == []

    assert entries(aws) == [["1", "2"], ["3", "4"]]


def test_a_queue_that_refuses_a_call_fails_its_messages(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    aws = start(*((n, f"key-{n}") for n in range(1, 13)), TARGET=QUEUE)
    aws.errors["SendMessageBatch"] = ["KmsAccessDenied"]

    assert run(failed(1, 12)) == ["m-0"]

    assert [len(call) for call in entries(aws)] == [10, 2]
    assert "message m-0: 10 records were not handed over, 2 were" in caplog.text


@pytest.mark.parametrize(("prefix", "begin"), [("", ""), ("failed/orders", "failed/orders/"), ("/x/", "x/")])
def test_a_bucket_gets_an_object_a_record(start: Start, prefix: str, begin: str) -> None:
    aws = start((1, "a"), TARGET=BUCKET, TARGET_PREFIX=prefix)
    aws.shards[CHANGES, SHARD] = Shard([change(WIDE)])

    assert run(failed(1, 1), failed(WIDE, WIDE, stream_arn=CHANGES)) == []

    orders, items = aws.of("PutObject")
    assert (orders["Bucket"], orders["Key"]) == ("archive", f"{begin}orders/{SHARD}/1.json")
    assert items["Key"] == f"{begin}items/{SHARD}/{WIDE}.json"
    assert json.loads(orders["Body"].getvalue())["data"] == "e30="
    assert json.loads(items["Body"].getvalue())["dynamodb"]["Keys"]["part"] == {"B": "AP8="}


def test_a_bucket_that_refuses_an_object(start: Start) -> None:
    aws = start((1, "a"), (2, "a"), TARGET=BUCKET)
    aws.errors["PutObject"] = ["AccessDenied"]

    assert run(failed(1, 2)) == ["m-0"]

    assert len(aws.of("PutObject")) == 1


@pytest.mark.parametrize(
    ("environment", "complaint"),
    [
        ({"TARGET": ""}, 'variable TARGET is ""'),
        (
            {"TARGET": "https://sqs.us-east-1.amazonaws.com/1/q"},
            "give the redrive the ARN of a function's alias, a queue",
        ),
        ({"TARGET": "arn:aws:sns:us-east-1:123456789012:topic"}, "give the redrive the ARN"),
        ({"TARGET": ALIAS, "TARGET_DURABLE": "yes"}, 'TARGET_DURABLE is "yes": say "true" or "false"'),
        ({"TARGET": ALIAS, "TARGET_DURABLE": "false"}, 'TARGET_TIMEOUT is "": give the timeout of the function'),
        ({"TARGET": ALIAS, "TARGET_DURABLE": "false", "TARGET_TIMEOUT": "0"}, 'TARGET_TIMEOUT is "0"'),
    ],
)
def test_a_missing_or_wrong_target_is_named(start: Start, environment: dict[str, Any], complaint: str) -> None:
    aws = start(**environment)

    with pytest.raises(RuntimeError, match=complaint):
        run(failed(1, 1))
    assert aws.calls == []


def test_a_message_group_is_what_sqs_takes() -> None:
    for code in range(256):
        key = f"k{chr(code)}"
        assert (targets.message_group(key) == key) == (33 <= code <= 126), key  # letters, digits, punctuation: no space
    assert len(targets.message_group("")) == 64


@pytest.mark.parametrize(
    "environment",
    [
        {"TARGET": ALIAS, "TARGET_DURABLE": "true"},
        {"TARGET": ALIAS, "TARGET_DURABLE": "false", "TARGET_TIMEOUT": "30"},
        {"TARGET": BUCKET},
    ],
    ids=["durable", "plain", "bucket"],
)
def test_threads_share_one_client(start: Start, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    """boto3 makes clients safely on one thread only: https://docs.aws.amazon.com/boto3/latest/guide/clients.html."""
    made: list[int] = []
    real = clients.boto3.client

    def client(*arguments: Any, **settings: Any) -> Any:
        made.append(threading.get_ident())
        return real(*arguments, **settings)

    start(**environment)
    clients.client.cache_clear()
    clients.waiting_client.cache_clear()
    monkeypatch.setattr(clients.boto3, "client", client)
    records = [items.Item.of(record, SHARD) for record in event_records(*range(20))]
    destination = targets.target(environment)

    assert len(destination.hand_over(records, lambda: 0)) == 20

    assert made == [threading.get_ident()]
