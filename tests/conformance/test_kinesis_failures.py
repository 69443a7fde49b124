"""Kinesis event source mappings: retries, bisection, record age and what an on-failure destination gets (2.3, 2.5, 2.6).

Section numbers as in test_kinesis.py. What a function's answer means is in test_kinesis_answers.py. Sources:
https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html and
.../services-kinesis-batchfailurereporting.html. Back-off is short here (the sandbox scales it); counts are as on AWS.
"""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from stream_support import ACCOUNT, PROBE, REPORT, Source, Streams, deny, numbers
from support import Bench

from durable_sandbox.pytest_plugin import eventually

POISON = {"n": 0, "raise": True}
MILLISECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture(scope="module")
def streams(bench: Bench) -> Streams:
    return Streams(bench)


# --- 2.5 the on-failure record ------------------------------------------------------------------------------------------


def test_2_5_the_record_of_a_batch_that_failed(streams: Streams) -> None:
    stream, queue = streams.stream(), streams.bench.queue()
    before = time.time()
    first, last = streams.put(stream, POISON, {"n": 1})
    streams.map(stream, BatchSize=2, MaximumRetryAttempts=3, on_failure=queue)
    (failure,) = streams.failures(queue)
    assert UUID(failure["requestContext"].pop("requestId"))
    info = failure["KinesisBatchInfo"]
    times = [info.pop("approximateArrivalOfFirstRecord"), info.pop("approximateArrivalOfLastRecord")]
    times.append(failure.pop("timestamp"))
    assert all(MILLISECONDS.fullmatch(text) for text in times)
    assert sorted(times) == times
    assert before - 0.01 <= _epoch(times[0]) <= _epoch(times[2]) <= time.time()
    assert failure == {
        "requestContext": {
            "functionArn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{streams.probe.partition(':')[0]}",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 4,
        },
        # The version behind the alias is what was executed (inference: the samples show a mapping of $LATEST).
        "responseContext": {"statusCode": 200, "executedVersion": "1", "functionError": "Unhandled"},
        "version": "1.0",
        "KinesisBatchInfo": {
            "shardId": "shardId-000000000000",
            "startSequenceNumber": first,
            "endSequenceNumber": last,
            "batchSize": 2,
            "streamArn": stream.arn,
        },
    }
    assert streams.history(stream, 4) == [[0, 1]] * 4


def _epoch(text: str) -> float:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC).timestamp()


def test_2_3_no_retries_and_an_unqualified_function(streams: Streams) -> None:
    stream, queue = streams.stream(), streams.bench.queue()
    function = streams.probe.partition(":")[0]
    streams.put(stream, POISON, {"n": 1})
    streams.map(stream, function, BatchSize=1, MaximumRetryAttempts=0, on_failure=queue)
    (failure,) = streams.failures(queue)
    assert failure["requestContext"]["approximateInvokeCount"] == 1
    assert failure["requestContext"]["functionArn"].endswith(f":function:{function}")
    assert failure["responseContext"]["executedVersion"] == "$LATEST"
    assert numbers(streams.until_number(stream, 1, function)) == [[0], [1]], "the shard goes on"


def test_2_5_by_a_topic(streams: Streams) -> None:
    stream, queue = streams.stream(), streams.bench.queue()
    sns = streams.bench.sandbox.client("sns")
    topic = sns.create_topic(Name=f"n-{uuid4().hex[:8]}")["TopicArn"]
    grant = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue.arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [grant]})
    streams.bench.sqs.set_queue_attributes(QueueUrl=queue.url, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn)
    (number,) = streams.put(stream, POISON)
    streams.map(stream, MaximumRetryAttempts=0, on_failure=topic)
    (notification,) = streams.failures(queue)
    assert notification["TopicArn"] == topic
    failure = json.loads(notification["Message"])
    assert failure.keys() == {
        "requestContext",
        "responseContext",
        "version",
        "timestamp",
        "KinesisBatchInfo",
    }, "and no payload"
    assert failure["KinesisBatchInfo"]["startSequenceNumber"] == number


def test_2_5_to_a_bucket_with_the_whole_invocation(streams: Streams) -> None:
    s3 = streams.bench.sandbox.client("s3")
    bucket = f"b-{uuid4().hex[:12]}"
    s3.create_bucket(Bucket=bucket)
    stream = streams.stream()
    sequence = streams.put(stream, POISON, {"n": 1})
    uuid = streams.map(stream, MaximumRetryAttempts=1, on_failure=f"arn:aws:s3:::{bucket}")
    (key,) = eventually(lambda: [one["Key"] for one in s3.list_objects_v2(Bucket=bucket).get("Contents", [])] or None)
    day, moment = r"(\d{4})/(\d\d)/(\d\d)", r"\1-\2-\3T\d\d\.\d\d\.\d\d"
    identifier = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    assert re.fullmatch(f"aws/lambda/{uuid}/shardId-000000000000/{day}/{moment}-{identifier}", key), key
    failure = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    assert failure["requestContext"]["approximateInvokeCount"] == 2
    assert failure["KinesisBatchInfo"]["batchSize"] == 2
    assert isinstance(failure["payload"], str)
    event = json.loads(failure["payload"])
    assert [record["kinesis"]["sequenceNumber"] for record in event["Records"]] == sequence
    assert event["Records"] == streams.until_seen(stream, lambda seen: seen)[0].records


@pytest.mark.parametrize("destination", ["FIFO queue", "none", "forbidden"])
def test_2_5_a_batch_that_cannot_be_delivered_is_discarded(streams: Streams, destination: str) -> None:
    """A FIFO queue is no destination: the delivery fails, and the record of it is lost."""
    stream, queue = streams.stream(), streams.bench.queue(fifo=destination == "FIFO queue")
    function = streams.bench.functions.deploy(PROBE, Timeout=5).partition(":")[0]
    on_failure = None if destination == "none" else queue
    streams.map(stream, function, BatchSize=1, MaximumRetryAttempts=1, on_failure=on_failure)
    if destination == "forbidden":
        deny(streams.bench, function, "sqs:SendMessage")
    streams.put(stream, POISON, {"n": 1})
    assert numbers(streams.until_number(stream, 1, function)) == [[0], [0], [1]]
    assert streams.bench.counts(queue) == (0, 0)


# --- 2.3 bisection ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("report", [False, True], ids=["alone", "with ReportBatchItemFailures"])
def test_2_3_an_exception_halves_the_batch_down_to_the_poison(streams: Streams, report: bool) -> None:
    stream, queue = streams.stream(), streams.bench.queue()
    orders = [{"n": n} | ({"raise": True} if n == 3 else {}) for n in range(6)]
    sequence = streams.put(stream, *orders)
    settings: dict[str, Any] = REPORT if report else {}
    streams.map(stream, BisectBatchOnFunctionError=True, MaximumRetryAttempts=3, on_failure=queue, **settings)
    (failure,) = streams.failures(queue)
    assert failure["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert failure["requestContext"]["approximateInvokeCount"] == 4
    assert failure["responseContext"]["functionError"] == "Unhandled"
    info = failure["KinesisBatchInfo"]
    assert (info["startSequenceNumber"], info["endSequenceNumber"], info["batchSize"]) == (sequence[3], sequence[3], 1)
    seen = numbers(streams.until_seen(stream, lambda seen: 5 in numbers(seen)[-1] and 3 not in numbers(seen)[-1]))
    assert seen[:2] == [[0, 1, 2, 3, 4, 5], [0, 1, 2]]
    assert [n for batch in seen if 3 not in batch for n in batch] == [0, 1, 2, 4, 5], "each once, in order"
    assert seen.count([3]) == 4, "splitting uses no retry up"
    assert streams.bench.counts(queue) == (0, 0)


def test_2_3_a_partial_response_splits_at_what_it_names(streams: Streams) -> None:
    stream, queue = streams.stream(), streams.bench.queue()
    orders = [{"n": n} | ({"fail": True} if n == 1 else {}) for n in range(5)]
    sequence = streams.put(stream, *orders)
    both = {"BisectBatchOnFunctionError": True, **REPORT}
    streams.map(stream, MaximumRetryAttempts=1, on_failure=queue, **both)
    (failure,) = streams.failures(queue)
    assert failure["KinesisBatchInfo"]["startSequenceNumber"] == sequence[1]
    assert failure["responseContext"]["functionError"] is None
    seen = streams.history(stream, 2)
    assert seen[:2] == [[0, 1, 2, 3, 4], [1, 2, 3, 4]]
    assert sum(0 in batch for batch in seen) == 1


@pytest.mark.parametrize("failing", [[0], [0, 1, 2]], ids=["the first", "all"])
def test_2_3_a_partial_response_at_the_first_record_splits_nothing(streams: Streams, failing: list[int]) -> None:
    stream, queue = streams.stream(), streams.bench.queue()
    streams.put(stream, *[{"n": n} | ({"fail": True} if n in failing else {}) for n in range(3)])
    both = {"BisectBatchOnFunctionError": True, **REPORT}
    streams.map(stream, MaximumRetryAttempts=1, on_failure=queue, **both)
    (failure,) = streams.failures(queue)
    assert failure["KinesisBatchInfo"]["batchSize"] == 3
    assert failure["requestContext"]["approximateInvokeCount"] == 2
    assert streams.history(stream, 2) == [[0, 1, 2], [0, 1, 2]]


# --- 2.3 partial responses ----------------------------------------------------------------------------------------------


def test_2_3_the_checkpoint_is_the_lowest_number_in_any_order(streams: Streams) -> None:
    """The probe names the last failure first."""
    stream, queue = streams.stream(), streams.bench.queue()
    orders = [{"n": n} | ({"fail": True} if n in (2, 4) else {}) for n in range(6)]
    sequence = streams.put(stream, *orders)
    streams.map(stream, MaximumRetryAttempts=1, on_failure=queue, **REPORT)
    (failure,) = streams.failures(queue)
    assert streams.history(stream, 2) == [[0, 1, 2, 3, 4, 5], [2, 3, 4, 5]]
    assert failure["requestContext"]["approximateInvokeCount"] == 2
    assert failure["responseContext"] == {"statusCode": 200, "executedVersion": "1", "functionError": None}
    info = failure["KinesisBatchInfo"]
    assert (info["startSequenceNumber"], info["endSequenceNumber"], info["batchSize"]) == (sequence[2], sequence[5], 4)


def test_2_3_progress_does_not_reset_the_count(streams: Streams) -> None:
    stream, queue = streams.stream(), streams.bench.queue()
    sequence = streams.put(stream, {"n": 1}, {"n": 2}, {"n": 3, "fail": True})
    streams.map(stream, MaximumRetryAttempts=3, on_failure=queue, **REPORT)
    (failure,) = streams.failures(queue)
    assert failure["requestContext"]["approximateInvokeCount"] == 4
    assert failure["responseContext"]["functionError"] is None
    info = failure["KinesisBatchInfo"]
    assert (info["startSequenceNumber"], info["endSequenceNumber"], info["batchSize"]) == (sequence[2], sequence[2], 1)
    assert streams.history(stream, 4) == [[1, 2, 3], [3], [3], [3]]


# --- 2.2 and 2.3, what blocks and what does not count ---------------------------------------------------------------------


def test_2_2_a_failing_shard_is_blocked_and_no_other(streams: Streams) -> None:
    stream = streams.stream(2)
    streams.put(stream, {"n": 0, "raise_until": time.time() + 3}, {"n": 1}, shard=0)
    streams.put(stream, *[{"n": n} for n in range(10, 15)], shard=1)
    uuid = streams.map(stream, BatchSize=1)
    seen = streams.until_number(stream, 14)
    assert 1 not in {number for one in seen for number in one.numbers}
    _until_result(streams, uuid, "PROBLEM: Function call failed")
    seen = streams.until_number(stream, 1)
    blocked = [number for one in seen for number in one.numbers if number < 10]
    assert len(blocked) >= 3
    assert set(blocked[:-1]) == {0}, "retried until it succeeded, and only then the next"
    _until_result(streams, uuid, "OK")


def _until_result(streams: Streams, uuid: str, text: str) -> None:
    eventually(lambda: True if streams.bench.get(uuid)["LastProcessingResult"] == text else None)


def test_2_2_a_closed_shard_that_fails_holds_its_children_back_over_an_update(streams: Streams) -> None:
    stream = streams.stream()
    streams.put(stream, {"n": 0, "raise_until": time.time() + 3}, {"n": 1})
    uuid = streams.map(stream, BatchSize=1)
    streams.kinesis.split_shard(
        StreamName=stream.name, ShardToSplit="shardId-000000000000", NewStartingHashKey=str(2**127)
    )
    streams.active(stream.name)
    streams.put(stream, {"n": 2})
    streams.until_seen(stream, lambda seen: len(seen) >= 2)
    streams.bench.update(uuid, Enabled=False)
    streams.bench.update(uuid, Enabled=True)
    seen = [number for one in streams.until_number(stream, 2) for number in one.numbers]
    assert seen == [0] * (len(seen) - 2) + [1, 2]


def test_2_2_a_failing_key_is_blocked_and_not_lost_when_the_mapping_is_updated(streams: Streams) -> None:
    """With a parallelization factor a share of the keys is blocked; what others did is no checkpoint for it."""
    stream = streams.stream()
    streams.put(stream, {"n": 0, "raise_until": time.time() + 4}, {"n": 1}, key="poison")
    for key in "abcdefgh":
        streams.put(stream, {"n": 2}, key=key)
    uuid = streams.map(stream, BatchSize=1, ParallelizationFactor=4)
    seen = streams.until_seen(stream, lambda seen: sum(2 in one.numbers for one in seen) >= 4)
    assert 1 not in {number for one in seen for number in one.numbers}
    streams.bench.update(uuid, MaximumRecordAgeInSeconds=604_800)
    seen = streams.until_seen(stream, lambda seen: len({one.key for one in seen if one.numbers == [2]}) == 8)
    seen = streams.until_number(stream, 1)
    mine = [number for one in seen if one.key == "poison" for number in one.numbers]
    assert mine == [0] * (len(mine) - 1) + [1]


def test_2_3_throttles_do_not_count(streams: Streams) -> None:
    function = streams.bench.functions.deploy(PROBE, Timeout=5)
    name = function.partition(":")[0]
    streams.lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    stream, queue = streams.stream(), streams.bench.queue()
    streams.put(stream, POISON, {"n": 1})
    streams.map(stream, function, BatchSize=1, MaximumRetryAttempts=1, on_failure=queue)
    # Nothing shows a throttle, so it lasts long enough for many.
    deadline = time.time() + 2
    eventually(lambda: True if time.time() > deadline else None)
    assert streams.bench.counts(queue) == (0, 0)
    streams.lambda_.delete_function_concurrency(FunctionName=name)
    (failure,) = streams.failures(queue)
    assert failure["requestContext"]["approximateInvokeCount"] == 2
    assert numbers(streams.until_number(stream, 1, function)) == [[0], [0], [1]]


def test_2_3_a_record_that_grows_too_old_is_discarded_and_a_younger_one_is_not(streams: Streams) -> None:
    stream, queue = streams.stream(), streams.bench.queue()
    (old,) = streams.put(stream, POISON)
    streams.map(stream, MaximumRecordAgeInSeconds=60, on_failure=queue)
    # AWS tries about eight times in a minute.
    streams.until_seen(stream, lambda seen: len(seen) >= 4)
    streams.put(stream, {"n": 1})
    (failure,) = streams.failures(queue)
    tries = numbers(streams.until_number(stream, 1))
    assert tries[-1] == [1]
    assert failure.keys() == {"requestContext", "version", "timestamp", "KinesisBatchInfo"}
    assert failure["requestContext"]["condition"] == "RecordAgeExceeded"
    assert failure["requestContext"]["approximateInvokeCount"] == tries.count([0])
    info = failure["KinesisBatchInfo"]
    assert (info["startSequenceNumber"], info["endSequenceNumber"], info["batchSize"]) == (old, old, 1)


# --- 2.6 reading back ---------------------------------------------------------------------------------------------------


def test_2_6_the_records_of_a_failure_can_be_read_back(streams: Streams) -> None:
    stream, queue = streams.stream(), streams.bench.queue()
    sequence = streams.put(stream, *[{"n": n} | ({"raise": True} if n == 3 else {}) for n in range(5)])
    streams.map(stream, BatchSize=2, MaximumRetryAttempts=0, on_failure=queue)
    (failure,) = streams.failures(queue)
    info = failure["KinesisBatchInfo"]
    iterator = _iterator(streams, stream, info["shardId"], info["startSequenceNumber"])
    page = streams.kinesis.get_records(ShardIterator=iterator, Limit=info["batchSize"])
    assert [record["SequenceNumber"] for record in page["Records"]] == sequence[2:4]
    last = page["Records"][-1]
    assert (last["SequenceNumber"], json.loads(last["Data"])["n"]) == (info["endSequenceNumber"], 3)
    rest = streams.kinesis.get_records(ShardIterator=page["NextShardIterator"])["Records"]
    assert [record["SequenceNumber"] for record in rest] == sequence[4:]
    assert all(int(record["SequenceNumber"]) > int(info["endSequenceNumber"]) for record in rest)
    assert [int(number) for number in sequence] == sorted(int(number) for number in sequence)


def test_2_6_a_closed_shard_keeps_its_records_and_ends(streams: Streams) -> None:
    stream = streams.stream()
    sequence = streams.put(stream, *[{"n": n} for n in range(3)])
    parent = "shardId-000000000000"
    streams.kinesis.split_shard(StreamName=stream.name, ShardToSplit=parent, NewStartingHashKey=str(2**127))
    streams.active(stream.name)
    shards = streams.kinesis.list_shards(StreamName=stream.name)["Shards"]
    closed, *children = sorted(shards, key=lambda shard: shard["ShardId"])
    assert int(closed["SequenceNumberRange"]["EndingSequenceNumber"]) >= int(sequence[-1])
    assert [child["ParentShardId"] for child in children] == [parent, parent]
    later = streams.put(stream, {"n": 3})
    assert int(later[0]) > int(sequence[-1])
    iterator: str | None = _iterator(streams, stream, parent, sequence[1])
    found: list[str] = []
    while iterator is not None:
        page = streams.kinesis.get_records(ShardIterator=iterator, Limit=1)
        found += [record["SequenceNumber"] for record in page["Records"]]
        iterator = page.get("NextShardIterator")
    assert found == sequence[1:]


def _iterator(streams: Streams, stream: Source, shard: str, number: str) -> str:
    place = {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": number}
    answer = streams.kinesis.get_shard_iterator(StreamARN=stream.arn, ShardId=shard, **place)
    return str(answer["ShardIterator"])
