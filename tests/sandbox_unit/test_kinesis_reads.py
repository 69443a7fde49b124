"""Reading Kinesis as moto and the adapter give it: iterators, retention, enhanced fan-out."""

from __future__ import annotations

import asyncio
import base64
import itertools
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from iam_support import FakeSource
from iam_support import call as operation_of
from kinesis_support import FIRST, MAX_HASH, Clock, Reader, refused
from server_support import Running, running

from durable_sandbox.iam.actions import needs
from durable_sandbox.moto_adapter import kinesis_reads, kinesis_shard

ACCOUNT = "123456789012"
_names = itertools.count()


@pytest.fixture(scope="module")
def served() -> Iterator[Running]:
    with running() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def kinesis(served: Running) -> Any:
    return served.client("kinesis")


@pytest.fixture
def name(kinesis: Any) -> str:
    """A new stream of one shard."""
    stream = f"reading-{next(_names)}"
    kinesis.create_stream(StreamName=stream, ShardCount=1)
    return stream


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time of streams that are made under it: a whole second, since botocore sends no fractions."""
    moved = Clock(float(int(kinesis_shard.now())))
    monkeypatch.setattr(kinesis_shard, "now", moved)
    return moved


def put(kinesis: Any, name: str, *records: bytes) -> list[str]:
    """Sequence numbers of new records."""
    return [kinesis.put_record(StreamName=name, Data=data, PartitionKey="p")["SequenceNumber"] for data in records]


def data(records: list[dict[str, Any]]) -> list[bytes]:
    return [record["Data"] for record in records]


# --- iterators --------------------------------------------------------------------------------------------------------


def test_each_type_of_iterator_starts_where_it_says(kinesis: Any, name: str) -> None:
    reader = Reader(kinesis, name)
    start = kinesis.list_shards(StreamName=name)["Shards"][0]["SequenceNumberRange"]["StartingSequenceNumber"]
    early = reader.iterator("LATEST")
    one, two, three = put(kinesis, name, b"1", b"2", b"3")
    late = reader.iterator("LATEST")
    put(kinesis, name, b"4")
    assert data(reader.all()) == [b"1", b"2", b"3", b"4"]
    assert data(reader.all("AT_SEQUENCE_NUMBER", StartingSequenceNumber=two)) == [b"2", b"3", b"4"]
    assert data(reader.all("AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=one)) == [b"2", b"3", b"4"]
    for kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"):
        assert len(reader.all(kind, StartingSequenceNumber=start)) == 4
    assert data(reader.all("AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=three)) == [b"4"]
    assert len(kinesis.get_records(ShardIterator=early)["Records"]) == 4
    assert data(kinesis.get_records(ShardIterator=late)["Records"]) == [b"4"]


def test_pages_follow_one_another(kinesis: Any, name: str) -> None:
    entries = [{"Data": str(number).encode(), "PartitionKey": "p"} for number in range(25)]
    kinesis.put_records(StreamName=name, Records=entries)
    page = kinesis.get_records(ShardIterator=Reader(kinesis, name).iterator("TRIM_HORIZON"), Limit=10)
    sizes, behind, found = [len(page["Records"])], [page["MillisBehindLatest"]], data(page["Records"])
    for _ in range(3):
        page = kinesis.get_records(ShardIterator=page["NextShardIterator"], Limit=10)
        sizes.append(len(page["Records"]))
        behind.append(page["MillisBehindLatest"])
        found += data(page["Records"])
    assert sizes == [10, 10, 5, 0]
    assert found == [entry["Data"] for entry in entries]
    assert behind[0] > 0
    assert behind[2:] == [0, 0]
    # An iterator can be used again.
    again = kinesis.get_records(ShardIterator=Reader(kinesis, name).iterator("TRIM_HORIZON"), Limit=1)
    for _ in range(2):
        assert data(kinesis.get_records(ShardIterator=again["NextShardIterator"], Limit=1)["Records"]) == [b"1"]


@pytest.mark.parametrize(
    ("limit", "bound"), [(0, "greater than or equal to 1"), (10001, "less than or equal to 10000")]
)
def test_a_page_has_1_to_10000_records(served: Running, kinesis: Any, name: str, limit: int, bound: str) -> None:
    unchecked = served.client("kinesis", parameter_validation=False)
    iterator = Reader(kinesis, name).iterator("LATEST")
    refused("ValidationException", bound, unchecked.get_records, ShardIterator=iterator, Limit=limit)


def test_a_page_has_10_mib_at_most(kinesis: Any, name: str) -> None:
    part = [{"Data": b"x" * (1024 * 1024 - 1), "PartitionKey": "p"}] * 6
    for _ in range(2):
        kinesis.put_records(StreamName=name, Records=part)
    page = kinesis.get_records(ShardIterator=Reader(kinesis, name).iterator("TRIM_HORIZON"))
    assert len(page["Records"]) == 10
    assert len(kinesis.get_records(ShardIterator=page["NextShardIterator"])["Records"]) == 2


def test_an_iterator_expires_after_five_minutes(kinesis: Any, name: str, clock: Clock) -> None:
    iterator = Reader(kinesis, name).iterator("LATEST")
    clock.pass_(seconds=300)
    following = kinesis.get_records(ShardIterator=iterator)["NextShardIterator"]
    clock.pass_(seconds=1)
    refused("ExpiredIteratorException", "tolerated delay", kinesis.get_records, ShardIterator=iterator)
    assert kinesis.get_records(ShardIterator=following)["Records"] == []


@pytest.mark.parametrize("iterator", ["x", "AAAA", base64.b64encode(b"s:shard:x:1").decode()])
def test_what_is_no_iterator_is_refused(kinesis: Any, iterator: str) -> None:
    refused("InvalidArgumentException", "Invalid ShardIterator", kinesis.get_records, ShardIterator=iterator)


def test_an_iterator_of_what_is_gone_finds_nothing(kinesis: Any, name: str) -> None:
    iterator = Reader(kinesis, name).iterator("LATEST")
    with pytest.raises(kinesis.exceptions.ResourceNotFoundException, match=r"shardId-000000000005 .* does not exist"):
        Reader(kinesis, name, "shardId-000000000005").iterator("LATEST")
    kinesis.delete_stream(StreamName=name)
    refused("ResourceNotFoundException", name, kinesis.get_records, ShardIterator=iterator)


def test_a_sequence_number_must_be_of_the_shard(kinesis: Any, name: str) -> None:
    (number,) = put(kinesis, name, b"1")
    other = f"{name}-other"
    kinesis.create_stream(StreamName=other, ShardCount=2)
    foreign = kinesis.put_record(StreamName=other, Data=b"", PartitionKey="p", ExplicitHashKey=str(MAX_HASH))
    reader = Reader(kinesis, name)

    def at(text: str) -> None:
        reader.iterator("AT_SEQUENCE_NUMBER", StartingSequenceNumber=text)

    refused("InvalidArgumentException", "It encodes shardId-000000000001", at, foreign["SequenceNumber"])
    older = str(int(number) - (1 << 148))
    refused("InvalidArgumentException", "did not come from this stream", at, older)
    for text in ("0", "12", "x", "-5"):
        refused("InvalidArgumentException", "is invalid", at, text)


def test_a_type_of_iterator_and_its_position_belong_together(kinesis: Any, name: str) -> None:
    reader, (number,) = Reader(kinesis, name), put(kinesis, name, b"1")
    moment = datetime.now(UTC) - timedelta(hours=1)
    refused("InvalidArgumentException", "no StartingSequenceNumber", reader.iterator, "AT_SEQUENCE_NUMBER")
    refused("InvalidArgumentException", "also a", reader.iterator, "LATEST", StartingSequenceNumber=number)
    refused("InvalidArgumentException", "Timestamp", reader.iterator, "AT_TIMESTAMP")
    refused("InvalidArgumentException", "Timestamp", reader.iterator, "LATEST", Timestamp=moment)
    refused("ValidationException", "shardIteratorType", reader.iterator, "NEWEST")
    future = datetime.now(UTC) + timedelta(hours=1)
    refused("InvalidArgumentException", "currentTimestampInMillis", reader.iterator, "AT_TIMESTAMP", Timestamp=future)


def test_an_iterator_at_a_time(kinesis: Any, clock: Clock) -> None:
    name = f"timed-{next(_names)}"
    kinesis.create_stream(StreamName=name, ShardCount=1)
    start = clock.moment
    for record in (b"0", b"10", b"20"):
        put(kinesis, name, record)
        clock.pass_(seconds=10)
    reader = Reader(kinesis, name)

    def at(seconds: float) -> list[bytes]:
        return data(reader.all("AT_TIMESTAMP", Timestamp=start + seconds))

    assert at(-100) == at(0) == [b"0", b"10", b"20"]
    assert at(1) == at(10) == [b"10", b"20"]
    assert at(20) == [b"20"]
    assert at(21) == []
    as_datetime = datetime.fromtimestamp(start + 10, UTC)
    assert data(reader.all("AT_TIMESTAMP", Timestamp=as_datetime)) == [b"10", b"20"]
    records = reader.all()
    assert [record["ApproximateArrivalTimestamp"].timestamp() for record in records] == [start, start + 10, start + 20]
    # After the last record it stands before the next.
    iterator = reader.iterator("AT_TIMESTAMP", Timestamp=start + 29)
    put(kinesis, name, b"30")
    assert data(kinesis.get_records(ShardIterator=iterator)["Records"]) == [b"30"]


def test_a_reader_learns_how_far_it_is_behind(kinesis: Any, name: str, clock: Clock) -> None:
    put(kinesis, name, b"1", b"2")
    clock.pass_(seconds=42)
    page = kinesis.get_records(ShardIterator=Reader(kinesis, name).iterator("TRIM_HORIZON"), Limit=1)
    assert page["MillisBehindLatest"] == 42_000


# --- retention --------------------------------------------------------------------------------------------------------


def test_records_leave_after_the_retention_period(kinesis: Any, name: str, clock: Clock) -> None:
    (old,) = put(kinesis, name, b"old")
    clock.pass_(hours=23)
    put(kinesis, name, b"new")
    reader = Reader(kinesis, name)
    before = reader.iterator("TRIM_HORIZON")
    assert data(reader.all()) == [b"old", b"new"]
    clock.pass_(hours=1, seconds=1)
    assert data(reader.all()) == [b"new"]
    # A number that was trimmed is before the oldest record that is left.
    assert data(reader.all("AT_SEQUENCE_NUMBER", StartingSequenceNumber=old)) == [b"new"]
    refused("ExpiredIteratorException", "expired", kinesis.get_records, ShardIterator=before)
    kinesis.increase_stream_retention_period(StreamName=name, RetentionPeriodHours=48)
    clock.pass_(hours=24)
    assert data(reader.all()) == [b"new"]
    clock.pass_(hours=24)
    assert reader.all() == []
    assert put(kinesis, name, b"next") > [old]
    assert data(reader.all()) == [b"next"]


def listed(kinesis: Any, name: str, kind: str, **more: Any) -> list[int]:
    shards = kinesis.list_shards(StreamName=name, ShardFilter={"Type": kind, **more})["Shards"]
    return [int(shard["ShardId"][-4:]) for shard in shards]


def test_shards_are_listed_by_when_they_were_open(kinesis: Any, clock: Clock) -> None:
    name = f"timed-{next(_names)}"
    kinesis.create_stream(StreamName=name, ShardCount=1)
    start = clock.moment
    clock.pass_(hours=1)
    kinesis.split_shard(StreamName=name, ShardToSplit=FIRST, NewStartingHashKey=str(2**127))
    clock.pass_(hours=1)
    kinesis.merge_shards(
        StreamName=name, ShardToMerge="shardId-000000000001", AdjacentShardToMerge="shardId-000000000002"
    )
    clock.pass_(hours=1)
    assert listed(kinesis, name, "FROM_TRIM_HORIZON") == [0, 1, 2, 3]
    assert listed(kinesis, name, "AT_TRIM_HORIZON") == [0]
    assert listed(kinesis, name, "AT_LATEST") == [3]
    assert listed(kinesis, name, "AFTER_SHARD_ID", ShardId="shardId-000000000001") == [2, 3]
    assert listed(kinesis, name, "AT_TIMESTAMP", Timestamp=start + 1800) == [0]
    assert listed(kinesis, name, "AT_TIMESTAMP", Timestamp=start + 5400) == [1, 2]
    assert listed(kinesis, name, "FROM_TIMESTAMP", Timestamp=start + 5400) == [1, 2, 3]
    assert listed(kinesis, name, "FROM_TIMESTAMP", Timestamp=start - 5400) == [0, 1, 2, 3]
    for kind in ("AFTER_SHARD_ID", "AT_TIMESTAMP", "FROM_TIMESTAMP"):
        refused("InvalidArgumentException", "must be specified", listed, kinesis, name, kind)
    # A closed shard goes with its last record.
    clock.pass_(hours=22, seconds=1)
    assert listed(kinesis, name, "FROM_TRIM_HORIZON") == [1, 2, 3]
    assert listed(kinesis, name, "AT_TRIM_HORIZON") == [1, 2]
    refused("ResourceNotFoundException", "does not exist", Reader(kinesis, name).iterator, "LATEST")
    clock.pass_(hours=24)
    assert listed(kinesis, name, "FROM_TRIM_HORIZON") == [3]
    kinesis.split_shard(StreamName=name, ShardToSplit="shardId-000000000003", NewStartingHashKey="5")
    assert listed(kinesis, name, "AT_LATEST") == [4, 5]


# --- enhanced fan-out -------------------------------------------------------------------------------------------------


@pytest.fixture
def consumer(kinesis: Any, name: str) -> str:
    """The ARN of a consumer of ``name``."""
    arn = f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/{name}"
    return str(kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="c")["Consumer"]["ConsumerARN"])


def subscribed(kinesis: Any, consumer: str, kind: str, **position: Any) -> dict[str, Any]:
    """The one event of a subscription."""
    answer = kinesis.subscribe_to_shard(
        ConsumerARN=consumer, ShardId=FIRST, StartingPosition={"Type": kind, **position}
    )
    (event,) = list(answer["EventStream"])
    found: dict[str, Any] = event["SubscribeToShardEvent"]
    return found


def test_a_subscription_goes_on_where_it_ended(kinesis: Any, name: str, consumer: str) -> None:
    put(kinesis, name, b"1", b"2")
    first = subscribed(kinesis, consumer, "TRIM_HORIZON")
    assert data(first["Records"]) == [b"1", b"2"]
    assert first["MillisBehindLatest"] == 0
    assert first["Records"] == Reader(kinesis, name).all()
    put(kinesis, name, b"3")
    for kind in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"):
        following = subscribed(kinesis, consumer, kind, SequenceNumber=first["ContinuationSequenceNumber"])
        assert data(following["Records"]) == [b"3"]


def test_a_subscription_without_records_ends_soon_and_goes_on(kinesis: Any, name: str, consumer: str) -> None:
    for kind in ("TRIM_HORIZON", "LATEST"):
        begun = time.monotonic()
        empty = subscribed(kinesis, consumer, kind)
        assert time.monotonic() - begun < 5
        assert (empty["Records"], empty["MillisBehindLatest"]) == ([], 0)
        (number,) = put(kinesis, name, kind.encode())
        for after in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"):
            following = subscribed(kinesis, consumer, after, SequenceNumber=empty["ContinuationSequenceNumber"])
            assert [record["SequenceNumber"] for record in following["Records"]] == [number]


def test_a_record_wakes_a_subscription(
    served: Running, kinesis: Any, name: str, consumer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moto.kinesis import kinesis_backends  # noqa: PLC0415 - the sandbox sets moto's options before it loads it

    monkeypatch.setattr("durable_sandbox.moto_adapter.kinesis_reads._WAIT_SECONDS", 30)
    stream = kinesis_backends[ACCOUNT]["us-east-1"].streams[name]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(subscribed, served.client("kinesis"), consumer, "LATEST")
        until = time.monotonic() + 20
        while not stream.changed._waiters and time.monotonic() < until:
            time.sleep(0.01)
        put(kinesis, name, b"now")
        assert data(waiting.result(20)["Records"]) == [b"now"]


def test_a_reader_may_subscribe_again_and_again_while_nothing_comes(
    kinesis: Any, name: str, consumer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The continuation of an empty event names no record: whoever goes on behind it must not walk off the shard."""
    monkeypatch.setattr(kinesis_reads, "_WAIT_SECONDS", 0.001)
    for kind in ("AFTER_SEQUENCE_NUMBER", "AT_SEQUENCE_NUMBER"):
        event = subscribed(kinesis, consumer, "LATEST")
        for _ in range(20):
            event = subscribed(kinesis, consumer, kind, SequenceNumber=event["ContinuationSequenceNumber"])
            assert event["Records"] == []
        put = kinesis.put_record(StreamName=name, PartitionKey="k", Data=kind.encode())
        event = subscribed(kinesis, consumer, kind, SequenceNumber=event["ContinuationSequenceNumber"])
        assert [record["SequenceNumber"] for record in event["Records"]] == [put["SequenceNumber"]]


def test_the_end_of_a_subscribed_shard_names_its_children(kinesis: Any, name: str, consumer: str) -> None:
    put(kinesis, name, b"1")
    kinesis.split_shard(StreamName=name, ShardToSplit=FIRST, NewStartingHashKey="10")
    last = subscribed(kinesis, consumer, "TRIM_HORIZON")
    assert data(last["Records"]) == [b"1"]
    assert [child["ParentShards"] for child in last["ChildShards"]] == [[FIRST], [FIRST]]
    assert "ContinuationSequenceNumber" not in last


def test_a_subscription_from_inside_gives_a_list_of_events(
    served: Running, kinesis: Any, name: str, consumer: str
) -> None:
    put(kinesis, name, b"\xff")
    params = {"ConsumerARN": consumer, "ShardId": FIRST, "StartingPosition": {"Type": "TRIM_HORIZON"}}
    inside = served.sandbox.call(served.sandbox.identities.root(), "us-east-1", "kinesis", "SubscribeToShard", params)
    answer = asyncio.run_coroutine_threadsafe(inside, served.loop).result(30)
    (event,) = answer["EventStream"]
    assert data(event["SubscribeToShardEvent"]["Records"]) == [b"\xff"]


def test_a_subscription_needs_a_consumer_and_a_position(kinesis: Any, consumer: str) -> None:
    unknown = consumer.replace("consumer/c:", "consumer/d:")
    refused("ResourceNotFoundException", "Consumer", subscribed, kinesis, unknown, "LATEST")
    refused(
        "InvalidArgumentException", "no StartingSequenceNumber", subscribed, kinesis, consumer, "AT_SEQUENCE_NUMBER"
    )


# --- authorisation ----------------------------------------------------------------------------------------------------


def resources(operation: str, **params: Any) -> list[tuple[str, str]]:
    asked = operation_of("kinesis", operation, params)
    return [(need.action, need.resource) for need in needs(asked, account=ACCOUNT, key_arn=FakeSource().key_arn)]


def test_tokens_name_the_stream_that_is_asked_for(kinesis: Any, name: str) -> None:
    kinesis.update_shard_count(StreamName=name, TargetShardCount=2, ScalingType="UNIFORM_SCALING")
    # The region of iam_support is not that of this sandbox.
    iterator = Reader(kinesis, name).iterator("LATEST")
    ((action, resource),) = resources("GetRecords", ShardIterator=iterator)
    assert (action, resource.rpartition(":")[2]) == ("kinesis:GetRecords", f"stream/{name}")
    token = kinesis.list_shards(StreamName=name, MaxResults=1)["NextToken"]
    ((action, resource),) = resources("ListShards", NextToken=token)
    assert (action, resource.rpartition(":")[2]) == ("kinesis:ListShards", f"stream/{name}")


def test_a_subscription_is_asked_on_the_consumer() -> None:
    arn = f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/orders"
    consumer = f"{arn}/consumer/c:1700000000"
    assert resources("SubscribeToShard", ConsumerARN=consumer) == [("kinesis:SubscribeToShard", consumer)]
    by_name = resources("DescribeStreamConsumer", StreamARN=arn, ConsumerName="c")
    assert by_name == [("kinesis:DescribeStreamConsumer", arn)]
