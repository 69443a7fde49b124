"""Kinesis event source mappings: records, positions, batches, order, shards and filters (2.1, 2.2, 2.4).

Each test names the row it covers: "2.1" is a section of the fact sheet on event sources; the rules themselves are in
https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html and its sub-pages. Failures are in
test_kinesis_failures.py and test_kinesis_answers.py, the API's own rows in test_kinesis_api.py.
"""

from __future__ import annotations

import base64
import math
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from lambda_support import ROLE
from stream_support import PROBE, Seen, Source, Streams, filters, numbers
from support import Bench, overlap

from durable_sandbox.pytest_plugin import eventually


@pytest.fixture(scope="module")
def streams(bench: Bench) -> Streams:
    return Streams(bench)


# --- 2.4 records ----------------------------------------------------------------------------------------------------------


def test_2_4_a_record(streams: Streams) -> None:
    stream = streams.stream()
    before = time.time()
    data = "hé".encode()
    put = streams.kinesis.put_record(StreamName=stream.name, Data=data, PartitionKey="pk")
    after = time.time()
    streams.map(stream)
    (seen,) = streams.until_seen(stream, lambda seen: seen)
    assert seen.keys == ["Records"]
    (record,) = seen.records
    arrival = record["kinesis"].pop("approximateArrivalTimestamp")
    assert isinstance(arrival, float)
    assert before - 0.01 <= arrival <= after + 0.01, "seconds, with milliseconds as fraction"
    number = put["SequenceNumber"]
    assert len(number) == 56
    assert record == {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "pk",
            "sequenceNumber": number,
            "data": base64.b64encode(data).decode(),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{put['ShardId']}:{number}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": ROLE,
        "awsRegion": "us-east-1",
        "eventSourceARN": stream.arn,
    }


# --- 2.1 positions ----------------------------------------------------------------------------------------------------------


def test_2_1_trim_horizon_latest_and_at_timestamp(streams: Streams) -> None:
    name = streams.bench.functions.deploy(PROBE, Timeout=5).partition(":")[0]
    horizon, latest, moment = name, f"{name}:live", f"{name}:1"
    stream = streams.stream()
    streams.put(stream, {"n": 1})
    boundary = math.ceil(time.time() + 0.01)  # boto3 sends whole seconds
    eventually(lambda: True if time.time() > boundary else None)
    streams.put(stream, {"n": 2})
    streams.map(stream, horizon)
    streams.map(stream, latest, StartingPosition="LATEST")
    at = datetime.fromtimestamp(boundary, UTC)
    streams.map(stream, moment, StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=at)

    def put_until_latest_sees() -> list[Seen] | None:
        # It may miss what comes while a mapping is being created, as AWS warns.
        streams.put(stream, {"n": 3})
        return streams.seen(stream, latest) or None

    first = eventually(put_until_latest_sees)
    assert {number for one in first for number in one.numbers} == {3}
    for function, expected in ((horizon, [1, 2, 3]), (moment, [2, 3])):
        seen = streams.until_number(stream, 3, function)
        assert [number for one in seen for number in one.numbers][: len(expected)] == expected


def test_2_1_an_update_and_a_pause_keep_the_position_and_a_deletion_ends_it(streams: Streams) -> None:
    stream, bench = streams.stream(), streams.bench
    uuid = streams.map(stream)
    streams.put(stream, {"n": 1})
    streams.until_number(stream, 1)
    eventually(lambda: True if bench.get(uuid)["LastProcessingResult"] == "OK" else None)
    assert bench.update(uuid, BatchSize=5)["State"] == "Enabled"
    streams.put(stream, {"n": 2})
    streams.until_number(stream, 2)
    bench.update(uuid, Enabled=False)
    streams.put(stream, {"n": 3})
    other = streams.probe.partition(":")[0]
    streams.map(stream, other)
    streams.until_number(stream, 3, other)
    assert numbers(streams.seen(stream)) == [[1], [2]], "a disabled mapping reads nothing"
    bench.update(uuid, Enabled=True)
    assert numbers(streams.until_number(stream, 3)) == [[1], [2], [3]], "each record once"
    streams.delete(uuid)
    streams.put(stream, {"n": 4})
    streams.until_number(stream, 4, other)
    assert numbers(streams.seen(stream)) == [[1], [2], [3]]


# --- 2.1 batches ------------------------------------------------------------------------------------------------------------


def test_2_1_a_batch_has_one_shard_and_its_size_and_shards_run_side_by_side(streams: Streams) -> None:
    stream = streams.stream(2)
    for shard in range(2):
        streams.put(stream, *[{"n": n, "sleep": 0.8 if n == 0 else 0} for n in range(5)], shard=shard)
    streams.map(stream, BatchSize=2)
    seen = streams.until_seen(stream, lambda seen: sum(len(one.records) for one in seen) == 10)
    for shard in {one.shard for one in seen}:
        mine = [one for one in seen if one.shard == shard]
        assert numbers(mine) == [[0, 1], [2, 3], [4]]
        assert overlap(mine) == 1
    assert overlap(seen) == 2


def test_2_1_a_batch_waits_for_its_window(streams: Streams) -> None:
    """A shard is polled once a second, so the second record is not read with the first."""
    stream = streams.stream()
    streams.map(stream, MaximumBatchingWindowInSeconds=3)
    streams.put(stream, {"n": 0})
    later = time.monotonic() + 1.1
    eventually(lambda: True if time.monotonic() > later else None)
    streams.put(stream, {"n": 1})
    assert numbers(streams.until_seen(stream, lambda seen: seen)) == [[0, 1]]


def test_2_1_a_window_ends_early_when_the_batch_is_full(streams: Streams) -> None:
    stream = streams.stream()
    streams.put(stream, {"n": 1}, {"n": 2})
    streams.map(stream, BatchSize=2, MaximumBatchingWindowInSeconds=300)
    assert numbers(streams.until_seen(stream, lambda seen: seen)) == [[1, 2]]


def test_2_1_a_batch_closes_at_six_megabytes(streams: Streams) -> None:
    """Four times a megabyte of data, in base64: https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html."""
    stream = streams.stream()
    streams.put(stream, *[bytes(1_000_000)] * 6)
    streams.map(stream)
    seen = streams.until_seen(stream, lambda seen: sum(len(one.records) for one in seen) == 6)
    assert [len(one.records) for one in seen] == [4, 2]


# --- 2.2 order and parallelism ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [1, 3])
def test_2_2_order_is_by_key_and_parallelism_by_factor(streams: Streams, factor: int) -> None:
    stream = streams.stream()
    for n in range(2):
        for key in "abcde":
            streams.put(stream, {"n": n, "sleep": 0.8 if (key, n) == ("a", 0) else 0.1}, key=key)
    streams.map(stream, BatchSize=1, ParallelizationFactor=factor)
    seen = streams.until_seen(stream, lambda seen: len(seen) == 10)
    for key in "abcde":
        mine = [one for one in seen if one.key == key]
        assert numbers(mine) == [[0], [1]]
        assert overlap(mine) == 1
    if factor == 1:
        assert overlap(seen) == 1
        assert [one.key for one in seen] == list("abcde") * 2, "the order of the shard"
    else:
        assert 2 <= overlap(seen) <= factor


# --- 2.2 shards that were split or merged -------------------------------------------------------------------------------


def test_2_2_the_records_of_parents_come_first_after_a_split_and_a_merge(streams: Streams) -> None:
    stream = streams.stream()
    keys = "abcdef"
    streams.map(stream, BatchSize=2)
    for generation in range(3):
        for key in keys:
            streams.put(stream, {"n": generation, "sleep": 0.05}, key=key)
        if generation < 2:
            _reshard(streams, stream)
    seen = streams.until_seen(stream, lambda seen: sum(len(one.records) for one in seen) == 18)
    for generation in range(2):
        parents = [one for one in seen if generation in one.numbers]
        children = [one for one in seen if generation + 1 in one.numbers]
        assert max(one.ended for one in parents) <= min(one.started for one in children)
    shards = [{one.shard for one in seen if generation in one.numbers} for generation in range(3)]
    assert [len(some) for some in shards] == [1, 2, 1]
    assert len(set.union(*shards)) == 4


def _reshard(streams: Streams, stream: Source) -> None:
    """Split the one open shard, or merge the two."""
    kinesis = streams.kinesis
    shards = kinesis.list_shards(StreamName=stream.name)["Shards"]
    names = [shard["ShardId"] for shard in shards if "EndingSequenceNumber" not in shard["SequenceNumberRange"]]
    if len(names) == 1:
        kinesis.split_shard(StreamName=stream.name, ShardToSplit=names[0], NewStartingHashKey=str(2**127))
    else:
        kinesis.merge_shards(StreamName=stream.name, ShardToMerge=names[0], AdjacentShardToMerge=names[1])
    streams.active(stream.name)


# --- 2.1 filters --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patterns", "data", "passing"),
    [
        pytest.param(
            [{"data": {"kind": ["good"]}}], [{"kind": "good"}, {"kind": "bad"}, b"plain", {"x": 1}], [0], id="no match"
        ),
        pytest.param(
            [{"data": {"a": [1]}}, {"data": {"b": [{"numeric": [">", 5]}]}}],
            [{"a": 1}, {"b": 6}, {"a": 2, "b": 5}],
            [0, 1],
            id="filters are alternatives",
        ),
    ],
)
def test_2_1_filters_are_on_data(streams: Streams, patterns: list[Any], data: list[Any], passing: list[int]) -> None:
    stream = streams.stream()
    uuid = streams.map(stream, FilterCriteria=filters(*patterns))
    put = streams.put(stream, *data)
    last = streams.put(stream, data[0])[0]
    found = streams.until_seen(stream, lambda seen: any(last in one.sequence for one in seen))
    through = [put[n] for n in passing] + [last]
    assert [number for one in found for number in one.sequence] == through
    # What was left out is behind the mapping: it does not come back when the filter is gone.
    streams.bench.update(uuid, FilterCriteria={})
    after = streams.put(stream, b"plain")[0]
    found = streams.until_seen(stream, lambda seen: any(after in one.sequence for one in seen))
    assert [number for one in found for number in one.sequence] == [*through, after]
