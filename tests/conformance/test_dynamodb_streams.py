"""DynamoDB stream event source mappings: records, order, filters and failures (2.1 to 2.6).

Section numbers as in test_kinesis.py, where is what both kinds of streams share; the API's own rows are in
test_kinesis_api.py. Source: https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html and its sub-pages.
"""

from __future__ import annotations

import re
import time
from typing import Any
from uuid import UUID

import pytest
from stream_support import ACCOUNT, REPORT, Seen, Streams, filters, numbers, order_of, sequence_number
from support import Bench, overlap

from durable_sandbox.pytest_plugin import eventually

SECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@pytest.fixture(scope="module")
def streams(bench: Bench) -> Streams:
    return Streams(bench)


def _all(seen: list[Seen]) -> list[dict[str, Any]]:
    return [record for one in seen for record in one.records]


# --- 2.4 records ----------------------------------------------------------------------------------------------------------


def test_2_4_an_item_is_inserted_modified_and_removed(streams: Streams) -> None:
    table = streams.table()
    streams.map(table)
    before = int(time.time())
    key = {"id": {"S": "a"}}
    old = {**key, "order": {"S": "{}"}, "bytes": {"B": b"foobar"}, "number": {"N": "1"}}
    new = {**old, "number": {"N": "2"}}
    shown_old = {**old, "bytes": {"B": "Zm9vYmFy"}}
    shown_new = {**new, "bytes": {"B": "Zm9vYmFy"}}
    streams.dynamodb.put_item(TableName=table.name, Item=old)
    streams.dynamodb.put_item(TableName=table.name, Item=new)
    streams.dynamodb.delete_item(TableName=table.name, Key=key)
    after = time.time()
    seen = streams.until_seen(table, lambda seen: len(_all(seen)) == 3)
    assert {tuple(one.keys) for one in seen} == {("Records",)}
    records = _all(seen)
    assert len({record["eventID"] for record in records}) == 3
    images = [
        ("INSERT", {"NewImage": shown_new | {"number": {"N": "1"}}}),
        ("MODIFY", {"NewImage": shown_new, "OldImage": shown_old}),
        ("REMOVE", {"OldImage": shown_new}),
    ]
    sequence = [int(record["dynamodb"]["SequenceNumber"]) for record in records]
    assert sorted(sequence) == sequence
    for record, (name, image) in zip(records, images, strict=True):
        assert record.pop("eventID")
        data = record.pop("dynamodb")
        created = data.pop("ApproximateCreationDateTime")
        assert created == int(created)
        assert before <= created <= after
        assert isinstance(data.pop("SequenceNumber"), str)
        assert data.pop("SizeBytes") > 0
        assert data == {"Keys": key, "StreamViewType": "NEW_AND_OLD_IMAGES", **image}
        assert record == {
            "eventName": name,
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": "us-east-1",
            "eventSourceARN": table.arn,
        }


def test_2_4_a_stream_of_keys_has_no_images(streams: Streams) -> None:
    table = streams.table("KEYS_ONLY")
    streams.write(table, {"n": 1})
    streams.map(table)
    (record,) = _all(streams.until_seen(table, lambda seen: seen))
    assert record["dynamodb"]["Keys"] == {"id": {"S": "1"}}
    assert not {"NewImage", "OldImage"} & record["dynamodb"].keys()


# --- 2.1 and 2.2, positions, batches, order -----------------------------------------------------------------------------


def test_2_1_latest_does_not_see_what_was_before(streams: Streams) -> None:
    table = streams.table()
    streams.write(table, {"n": 1}, {"n": 2})
    uuid = streams.map(table, StartingPosition="LATEST")
    later = iter(range(3, 1000))

    def write_until_seen() -> list[Seen] | None:
        streams.write(table, {"n": next(later)})
        return streams.seen(table) or None

    seen = eventually(write_until_seen)
    assert min(number for one in seen for number in one.numbers) >= 3
    streams.bench.update(uuid, Enabled=False)
    streams.write(table, {"n": 1000})
    streams.bench.update(uuid, Enabled=True)
    streams.until_number(table, 1000)


def test_2_1_batches_keep_the_order_of_the_shard_and_an_update_the_position(streams: Streams) -> None:
    table = streams.table()
    streams.write(table, *[{"n": n} for n in range(5)])
    uuid = streams.map(table, BatchSize=2)
    seen = streams.until_number(table, 4)
    assert numbers(seen) == [[0, 1], [2, 3], [4]]
    assert overlap(seen) == 1
    streams.bench.update(uuid, Enabled=False)
    streams.write(table, {"n": 5})
    streams.bench.update(uuid, Enabled=True, BatchSize=10)
    assert numbers(streams.until_number(table, 5)) == [[0, 1], [2, 3], [4], [5]]


def test_2_2_order_is_by_item_with_a_parallelization_factor(streams: Streams) -> None:
    table = streams.table()
    for n in range(2):
        for key in "abcde":
            streams.write(table, {"n": n, "sleep": 0.8 if (key, n) == ("a", 0) else 0.1}, key=key)
    streams.map(table, BatchSize=1, ParallelizationFactor=3)
    seen = streams.until_seen(table, lambda seen: len(seen) == 10)
    for key in "abcde":
        mine = [one for one in seen if one.key == key]
        assert numbers(mine) == [[0], [1]]
        assert overlap(mine) == 1
    assert 2 <= overlap(seen) <= 3


# --- 2.1 filters --------------------------------------------------------------------------------------------------------


def test_2_1_filters_are_on_the_event_name_and_the_images(streams: Streams) -> None:
    table = streams.table()
    good = {"dynamodb": {"NewImage": {"kind": {"S": ["good"]}}}}
    uuid = streams.map(table, FilterCriteria=filters({"eventName": ["INSERT"], **good}, {"eventName": ["REMOVE"]}))

    def put(key: str, kind: str) -> None:
        item = {"id": {"S": key}, "kind": {"S": kind}, "order": {"S": "{}"}}
        streams.dynamodb.put_item(TableName=table.name, Item=item)

    put("a", "good")
    put("b", "bad")
    put("b", "good")
    streams.dynamodb.delete_item(TableName=table.name, Key={"id": {"S": "b"}})
    expected = [("INSERT", "a"), ("REMOVE", "b")]

    def shown(seen: list[Seen]) -> list[tuple[str, str]]:
        return [(record["eventName"], record["dynamodb"]["Keys"]["id"]["S"]) for record in _all(seen)]

    assert shown(streams.until_seen(table, lambda seen: expected[-1] in shown(seen))) == expected
    # What was left out does not come back when the filter is gone.
    streams.bench.update(uuid, FilterCriteria={})
    put("c", "bad")
    last = ("INSERT", "c")
    assert shown(streams.until_seen(table, lambda seen: last in shown(seen))) == [*expected, last]


# --- 2.3, 2.5 and 2.6, failures ------------------------------------------------------------------------------------------


def test_2_5_the_record_of_a_batch_that_failed_leads_back_to_its_items(streams: Streams) -> None:
    table, queue = streams.table(), streams.bench.queue()
    streams.write(table, {"n": 0}, {"n": 1}, {"n": 2, "raise": True}, {"n": 3}, {"n": 4})
    streams.map(table, BatchSize=2, MaximumRetryAttempts=1, on_failure=queue)
    (failure,) = streams.failures(queue)
    seen = streams.until_number(table, 4)
    assert numbers(seen) == [[0, 1], [2, 3], [2, 3], [4]]

    assert UUID(failure["requestContext"].pop("requestId"))
    info = failure["DDBStreamBatchInfo"]
    shard = info.pop("shardId")
    for name in ("approximateArrivalOfFirstRecord", "approximateArrivalOfLastRecord"):
        assert SECONDS.fullmatch(info.pop(name)), "whole seconds"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", failure.pop("timestamp"))
    start, end = seen[1].sequence
    assert failure == {
        "requestContext": {
            "functionArn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{streams.probe.partition(':')[0]}",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 2,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "1", "functionError": "Unhandled"},
        "version": "1.0",
        "DDBStreamBatchInfo": {
            "startSequenceNumber": start,
            "endSequenceNumber": end,
            "batchSize": 2,
            "streamArn": table.arn,
        },
    }

    place = {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": start}
    iterator = streams.dynamodbstreams.get_shard_iterator(StreamArn=table.arn, ShardId=shard, **place)["ShardIterator"]
    page = streams.dynamodbstreams.get_records(ShardIterator=iterator)
    found = [record for record in page["Records"] if int(sequence_number(record)) <= int(end)]
    assert [sequence_number(record) for record in found] == [start, end]
    assert [order_of(record)["n"] for record in found] == [2, 3]
    assert [order_of(record)["n"] for record in page["Records"][2:]] == [4]


def test_2_3_a_poison_is_halved_out(streams: Streams) -> None:
    table, queue = streams.table(), streams.bench.queue()
    streams.write(table, *[{"n": n} | ({"raise": True} if n == 1 else {}) for n in range(4)])
    streams.map(table, BisectBatchOnFunctionError=True, MaximumRetryAttempts=2, on_failure=queue)
    (failure,) = streams.failures(queue)
    assert failure["requestContext"]["approximateInvokeCount"] == 3
    assert failure["DDBStreamBatchInfo"]["batchSize"] == 1
    seen = numbers(streams.until_seen(table, lambda seen: 3 in numbers(seen)[-1] and 1 not in numbers(seen)[-1]))
    assert seen[:2] == [[0, 1, 2, 3], [0, 1]]
    assert [n for batch in seen if 1 not in batch for n in batch] == [0, 2, 3]
    assert seen.count([1]) == 3


def test_2_3_progress_does_not_reset_the_count(streams: Streams) -> None:
    table, queue = streams.table(), streams.bench.queue()
    streams.write(table, {"n": 1}, {"n": 2}, {"n": 3, "fail": True})
    streams.map(table, MaximumRetryAttempts=3, on_failure=queue, **REPORT)
    (failure,) = streams.failures(queue)
    assert failure["requestContext"]["approximateInvokeCount"] == 4
    assert failure["responseContext"]["functionError"] is None
    assert failure["DDBStreamBatchInfo"]["batchSize"] == 1
    assert streams.history(table, 4) == [[1, 2, 3], [3], [3], [3]]


def test_2_6_a_stream_that_was_switched_off_keeps_its_records_and_ends(streams: Streams) -> None:
    """https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html: readable for 24 hours."""
    table = streams.table()
    streams.write(table, {"n": 0}, {"n": 1})
    streams.dynamodb.update_table(TableName=table.name, StreamSpecification={"StreamEnabled": False})
    described = streams.dynamodbstreams.describe_stream(StreamArn=table.arn)["StreamDescription"]
    assert described["StreamStatus"] in ("DISABLING", "DISABLED")
    (shard,) = described["Shards"]
    assert "EndingSequenceNumber" in shard["SequenceNumberRange"]
    iterator = streams.dynamodbstreams.get_shard_iterator(
        StreamArn=table.arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    ).get("ShardIterator")
    found: list[int] = []
    while iterator is not None:
        page = streams.dynamodbstreams.get_records(ShardIterator=iterator, Limit=1)
        found += [order_of(record)["n"] for record in page["Records"]]
        iterator = page.get("NextShardIterator")
    assert found == [0, 1]
