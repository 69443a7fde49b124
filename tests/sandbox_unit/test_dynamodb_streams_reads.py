"""Reading DynamoDB Streams as moto and the adapter give them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
from dynamodb_streams_support import Reader, create, ids, put
from kinesis_support import Clock, refused
from server_support import Running, running

ACCOUNT = "123456789012"


@pytest.fixture(scope="module")
def served() -> Iterator[Running]:
    with running() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def dynamodb(served: Running) -> Any:
    return served.client("dynamodb", max_pool_connections=20)


@pytest.fixture(scope="module")
def streams(served: Running) -> Any:
    return served.client("dynamodbstreams")


@pytest.fixture
def table(dynamodb: Any) -> str:
    return create(dynamodb)


@pytest.fixture
def clock(served: Running, monkeypatch: pytest.MonkeyPatch) -> Clock:
    del served  # moto is loaded by it
    moved = Clock(time.time())
    monkeypatch.setattr("durable_sandbox.moto_adapter.dynamodb_shard.now", moved)
    return moved


# --- reading ----------------------------------------------------------------------------------------------------------


def test_each_type_of_iterator_starts_where_it_says(dynamodb: Any, streams: Any, table: str) -> None:
    reader = Reader(dynamodb, streams, table)
    start = reader.shard["SequenceNumberRange"]["StartingSequenceNumber"]
    early = [
        reader.iterator("LATEST"),
        reader.iterator("AT_SEQUENCE_NUMBER", SequenceNumber=start),
        reader.iterator("AFTER_SEQUENCE_NUMBER", SequenceNumber=start),
    ]
    put(dynamodb, table, "a", "b", "c")
    late = reader.iterator("LATEST")
    put(dynamodb, table, "d")
    a, b, _, d = (record["dynamodb"]["SequenceNumber"] for record in reader.records())
    assert ids(reader.records("AT_SEQUENCE_NUMBER", SequenceNumber=b)) == "bcd"
    assert ids(reader.records("AFTER_SEQUENCE_NUMBER", SequenceNumber=a)) == "bcd"
    assert ids(reader.records("AFTER_SEQUENCE_NUMBER", SequenceNumber=d)) == ""
    for iterator in early:
        assert ids(streams.get_records(ShardIterator=iterator)["Records"]) == "abcd"
    assert ids(streams.get_records(ShardIterator=late)["Records"]) == "d"


def test_an_iterator_at_a_time(dynamodb: Any, streams: Any, table: str, clock: Clock) -> None:
    start = clock.moment = float(int(clock.moment))
    for each in "abc":
        put(dynamodb, table, each)
        clock.pass_(seconds=10)
    reader = Reader(dynamodb, streams, table)
    found = {at: ids(reader.records("AT_TIMESTAMP", Timestamp=start + at)) for at in (-5, 0, 1, 10, 20, 21)}
    assert found == {-5: "abc", 0: "abc", 1: "bc", 10: "bc", 20: "c", 21: ""}
    refused("ValidationException", "future", reader.iterator, "AT_TIMESTAMP", Timestamp=start + 1000)


def test_pages_follow_one_another(dynamodb: Any, streams: Any, table: str) -> None:
    put(dynamodb, table, *"abcde")
    reader = Reader(dynamodb, streams, table)
    page = streams.get_records(ShardIterator=reader.iterator("TRIM_HORIZON"), Limit=2)
    found = [ids(page["Records"])]
    for _ in range(3):
        page = streams.get_records(ShardIterator=page["NextShardIterator"], Limit=2)
        found.append(ids(page["Records"]))
    assert found == ["ab", "cd", "e", ""]
    put(dynamodb, table, "f")
    assert ids(streams.get_records(ShardIterator=page["NextShardIterator"])["Records"]) == "f"
    refused(
        "ValidationException",
        "less than or equal to 1000",
        streams.get_records,
        ShardIterator=page["NextShardIterator"],
        Limit=1001,
    )


def test_a_page_has_1_mb_at_most(dynamodb: Any, streams: Any, table: str) -> None:
    for each in "abcd":
        dynamodb.put_item(TableName=table, Item={"id": {"S": each}, "text": {"S": "x" * 390_000}})
    page = Reader(dynamodb, streams, table).page()
    assert ids(page["Records"]) == "ab"
    assert ids(streams.get_records(ShardIterator=page["NextShardIterator"])["Records"]) == "cd"


def test_an_iterator_expires_after_fifteen_minutes(dynamodb: Any, streams: Any, table: str, clock: Clock) -> None:
    iterator = Reader(dynamodb, streams, table).iterator("LATEST")
    clock.pass_(seconds=15 * 60)
    following = streams.get_records(ShardIterator=iterator)["NextShardIterator"]
    clock.pass_(seconds=1)
    refused("ExpiredIteratorException", "maximum age", streams.get_records, ShardIterator=iterator)
    assert streams.get_records(ShardIterator=following)["Records"] == []


def test_an_iterator_is_kept_by_its_holder_alone(dynamodb: Any, streams: Any, table: str) -> None:
    from moto.dynamodbstreams import dynamodbstreams_backends  # noqa: PLC0415 - the sandbox sets moto's options first

    reader = Reader(dynamodb, streams, table)
    iterator = reader.iterator("LATEST")
    assert iterator.startswith(f"{reader.arn}|1|")
    for _ in range(3):
        iterator = streams.get_records(ShardIterator=iterator)["NextShardIterator"]
    assert dynamodbstreams_backends[ACCOUNT]["us-east-1"].shard_iterators == {}


def test_records_leave_after_24_hours(dynamodb: Any, streams: Any, table: str, clock: Clock) -> None:
    put(dynamodb, table, "a")
    reader = Reader(dynamodb, streams, table)
    ((old),) = (record["dynamodb"]["SequenceNumber"] for record in reader.records())
    clock.pass_(hours=23.9)
    put(dynamodb, table, "b")
    pending = reader.iterator("TRIM_HORIZON")
    clock.pass_(seconds=600)
    assert ids(reader.records()) == "b"
    for kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"):
        refused("TrimmedDataAccessException", "trimmed", reader.iterator, kind, SequenceNumber=old)
    refused("TrimmedDataAccessException", "trimmed", streams.get_records, ShardIterator=pending)
    clock.pass_(hours=24)
    assert reader.records() == []
    put(dynamodb, table, "c")
    (record,) = reader.records()
    assert int(record["dynamodb"]["SequenceNumber"]) == int(old) + 2


def test_what_is_unknown_is_refused_as_on_aws(dynamodb: Any, streams: Any, table: str) -> None:
    reader = Reader(dynamodb, streams, table)
    unknown = reader.arn.replace("/stream/20", "/stream/19")
    for arn in (unknown, reader.arn.replace(table, "no-such-table")):
        refused("ResourceNotFoundException", "not found", streams.describe_stream, StreamArn=arn)
    refused(
        "ValidationException", "StreamArn", streams.describe_stream, StreamArn="arn:aws:dynamodb:us-east-1:1:x/y/zzzz"
    )
    shard = {"StreamArn": reader.arn, "ShardId": "shardId-00000000000000000001-00000000"}
    refused("ResourceNotFoundException", "Shard", streams.get_shard_iterator, **shard, ShardIteratorType="LATEST")
    for iterator in ("x", f"{reader.arn}|1|x", f"{reader.arn}|1|AAAA"):
        refused("ValidationException", "ShardIterator", streams.get_records, ShardIterator=iterator)
    refused("ValidationException", "SequenceNumber", reader.iterator, "AT_SEQUENCE_NUMBER")
    refused("ValidationException", "SequenceNumber", reader.iterator, "AT_SEQUENCE_NUMBER", SequenceNumber="9" * 22)
    iterator = reader.iterator("LATEST")
    dynamodb.delete_table(TableName=table)
    refused("ResourceNotFoundException", "not found", streams.get_records, ShardIterator=iterator)


# --- enabling and disabling -------------------------------------------------------------------------------------------


def switch(dynamodb: Any, table: str, *, on: bool) -> None:
    wanted = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"} if on else {"StreamEnabled": False}
    dynamodb.update_table(TableName=table, StreamSpecification=wanted)


def test_a_disabled_stream_stays_readable_and_a_new_one_is_another(
    dynamodb: Any, streams: Any, table: str, clock: Clock
) -> None:
    put(dynamodb, table, "a")
    first = Reader(dynamodb, streams, table)
    with pytest.raises(dynamodb.exceptions.ResourceInUseException):
        switch(dynamodb, table, on=True)
    idle = first.iterator("LATEST")
    switch(dynamodb, table, on=False)
    put(dynamodb, table, "b")
    assert "StreamSpecification" not in dynamodb.describe_table(TableName=table)["Table"]
    described = streams.describe_stream(StreamArn=first.arn)["StreamDescription"]
    assert (described["StreamStatus"], described["StreamViewType"]) == ("DISABLED", "NEW_AND_OLD_IMAGES")
    page = first.page()
    assert (ids(page["Records"]), "NextShardIterator" in page) == ("a", False)
    ending = described["Shards"][0]["SequenceNumberRange"]["EndingSequenceNumber"]
    assert ending == page["Records"][-1]["dynamodb"]["SequenceNumber"]
    assert "NextShardIterator" not in streams.get_records(ShardIterator=idle)
    switch(dynamodb, table, on=True)
    put(dynamodb, table, "c")
    second = Reader(dynamodb, streams, table)
    assert second.arn != first.arn
    assert second.shard["ShardId"] != first.shard["ShardId"]
    assert (ids(first.records()), ids(second.records())) == ("a", "c")
    listed = streams.list_streams(TableName=table)["Streams"]
    assert [stream["StreamArn"] for stream in listed] == [first.arn, second.arn]
    page = streams.list_streams(TableName=table, Limit=1)
    assert page["LastEvaluatedStreamArn"] == first.arn
    rest = streams.list_streams(TableName=table, ExclusiveStartStreamArn=first.arn)["Streams"]
    assert [stream["StreamArn"] for stream in rest] == [second.arn]
    clock.pass_(hours=24, seconds=1)
    refused("ResourceNotFoundException", "not found", streams.describe_stream, StreamArn=first.arn)
    assert len(streams.list_streams(TableName=table)["Streams"]) == 1


def test_streams_can_be_read_from_inside(served: Running, dynamodb: Any, streams: Any, table: str) -> None:
    def call(operation: str, **params: Any) -> Any:
        inside = served.sandbox.call(
            served.sandbox.identities.root(), "us-east-1", "dynamodbstreams", operation, params
        )
        return asyncio.run_coroutine_threadsafe(inside, served.loop).result(30)

    put(dynamodb, table, "a")
    reader = Reader(dynamodb, streams, table)
    shard = {"StreamArn": reader.arn, "ShardId": reader.shard["ShardId"]}
    iterator = call("GetShardIterator", **shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    (record,) = call("GetRecords", ShardIterator=iterator)["Records"]
    assert record == reader.records()[0]


def test_the_shard_has_no_children(dynamodb: Any, streams: Any, table: str) -> None:
    reader = Reader(dynamodb, streams, table)
    shard_id = reader.shard["ShardId"]
    for question in (
        {"ShardFilter": {"Type": "CHILD_SHARDS", "ShardId": shard_id}},
        {"ExclusiveStartShardId": shard_id},
    ):
        assert streams.describe_stream(StreamArn=reader.arn, **question)["StreamDescription"]["Shards"] == []
