"""Kinesis as moto and the adapter give it: writing, resharding, what a stream tells of itself."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from kinesis_support import FIRST, MAX_HASH, Reader, at_once, refused
from server_support import Running, running

ACCOUNT = "123456789012"
PREFIX = f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream"
_names = itertools.count()


@pytest.fixture(scope="module")
def served() -> Iterator[Running]:
    with running() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def kinesis(served: Running) -> Any:
    return served.client("kinesis", max_pool_connections=20)


def stream(kinesis: Any, shards: int = 1, **options: Any) -> str:
    """The name of a new stream."""
    name = f"writing-{next(_names)}"
    kinesis.create_stream(StreamName=name, ShardCount=shards, **options)
    return name


def shards_of(kinesis: Any, name: str) -> list[dict[str, Any]]:
    shards: list[dict[str, Any]] = kinesis.list_shards(StreamName=name)["Shards"]
    return shards


# --- writing ----------------------------------------------------------------------------------------------------------


def test_puts_from_many_threads_lose_nothing(kinesis: Any) -> None:
    name = stream(kinesis)

    def put(number: int) -> tuple[str, bytes]:
        data = str(number).encode()
        return kinesis.put_record(StreamName=name, Data=data, PartitionKey="p")["SequenceNumber"], data

    put_records = dict(at_once(put, range(400)))
    records = Reader(kinesis, name).all()
    assert len(put_records) == 400
    assert {record["SequenceNumber"]: record["Data"] for record in records} == put_records
    numbers = [int(record["SequenceNumber"]) for record in records]
    assert numbers == sorted(numbers)


def test_sequence_numbers_look_like_those_of_aws(kinesis: Any) -> None:
    name = stream(kinesis)
    numbers = [kinesis.put_record(StreamName=name, Data=b"", PartitionKey="p")["SequenceNumber"] for _ in range(3)]
    assert all(len(number) == 56 and number.startswith("49") for number in numbers)
    assert numbers == sorted(set(numbers))
    (shard,) = shards_of(kinesis, name)
    assert shard["SequenceNumberRange"].keys() == {"StartingSequenceNumber"}
    assert len(shard["SequenceNumberRange"]["StartingSequenceNumber"]) == 56
    assert shard["SequenceNumberRange"]["StartingSequenceNumber"] < numbers[0]


def test_a_stream_made_again_gives_other_sequence_numbers(kinesis: Any) -> None:
    name = stream(kinesis)
    first = kinesis.put_record(StreamName=name, Data=b"1", PartitionKey="p")["SequenceNumber"]
    kinesis.delete_stream(StreamName=name)
    kinesis.create_stream(StreamName=name, ShardCount=1)
    assert kinesis.put_record(StreamName=name, Data=b"1", PartitionKey="p")["SequenceNumber"] != first


def test_every_hash_key_has_its_shard(kinesis: Any) -> None:
    name = stream(kinesis, 3)
    for shard in shards_of(kinesis, name):
        for edge in ("StartingHashKey", "EndingHashKey"):
            key = shard["HashKeyRange"][edge]
            put = kinesis.put_record(StreamName=name, Data=b"", PartitionKey="p", ExplicitHashKey=key)
            assert put["ShardId"] == shard["ShardId"], edge
    # The MD5 of "a" begins with 0cc1: the first third.
    assert kinesis.put_record(StreamName=name, Data=b"", PartitionKey="a")["ShardId"] == FIRST
    assert kinesis.put_record(StreamName=name, Data=b"", PartitionKey="b")["ShardId"] == "shardId-000000000001"
    for key in (str(MAX_HASH + 1), "-1", "x"):
        refused(
            "InvalidArgumentException",
            "ExplicitHashKey must be in the range",
            kinesis.put_record,
            StreamName=name,
            Data=b"",
            PartitionKey="p",
            ExplicitHashKey=key,
        )


def test_a_record_is_given_back_as_it_came(kinesis: Any) -> None:
    name = stream(kinesis)
    key = 'ü"\\\n'
    kinesis.put_records(StreamName=name, Records=[{"Data": bytes(range(256)), "PartitionKey": key}])
    (record,) = Reader(kinesis, name).all()
    assert (record["Data"], record["PartitionKey"]) == (bytes(range(256)), key)
    assert record.keys() == {"SequenceNumber", "ApproximateArrivalTimestamp", "Data", "PartitionKey"}
    kinesis.start_stream_encryption(StreamName=name, EncryptionType="KMS", KeyId="alias/aws/kinesis")
    kinesis.put_record(StreamName=name, Data=b"", PartitionKey="p")
    assert Reader(kinesis, name).all()[1]["EncryptionType"] == "KMS"


def test_the_records_of_one_call_stay_in_order(kinesis: Any) -> None:
    name = stream(kinesis)
    entries = [{"Data": str(number).encode(), "PartitionKey": str(number)} for number in range(500)]
    put = kinesis.put_records(StreamName=name, Records=entries)
    assert (put["FailedRecordCount"], len(put["Records"])) == (0, 500)
    assert [record["Data"] for record in Reader(kinesis, name).all()] == [entry["Data"] for entry in entries]


def test_a_record_that_is_too_large_is_refused(kinesis: Any) -> None:
    name = stream(kinesis)
    arn = f"{PREFIX}/{name}"
    mib = 1024 * 1024
    kinesis.put_record(StreamName=name, Data=b"x" * (mib - 1), PartitionKey="p")
    refused(
        "ValidationException",
        "less than or equal to 1048576",
        kinesis.put_record,
        StreamName=name,
        Data=b"x" * mib,
        PartitionKey="p",
    )
    kinesis.update_max_record_size(StreamARN=arn, MaxRecordSizeInKiB=2048)
    kinesis.put_record(StreamName=name, Data=b"x" * mib, PartitionKey="p")
    summary = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    assert summary["MaxRecordSizeInKiB"] == 2048
    large = [{"Data": b"x" * (mib + 1), "PartitionKey": "p"}] * 10
    refused("InvalidArgumentException", "10 MB", kinesis.put_records, StreamName=name, Records=large)


@pytest.mark.parametrize(
    ("key", "bound"), [("", "greater than or equal to 1"), ("k" * 257, "less than or equal to 256")]
)
def test_a_partition_key_has_1_to_256_characters(served: Running, kinesis: Any, key: str, bound: str) -> None:
    name = stream(kinesis)
    kinesis.put_record(StreamName=name, Data=b"", PartitionKey="k" * 256)
    unchecked = served.client("kinesis", parameter_validation=False)
    refused("ValidationException", bound, unchecked.put_record, StreamName=name, Data=b"", PartitionKey=key)
    entries = [{"Data": b"", "PartitionKey": "fine"}, {"Data": b"", "PartitionKey": key}]
    refused("ValidationException", "records.2.member", unchecked.put_records, StreamName=name, Records=entries)
    assert len(Reader(kinesis, name).all()) == 1


def test_a_dry_run_does_nothing(kinesis: Any) -> None:
    name = stream(kinesis)
    one = {"Data": b"", "PartitionKey": "p"}
    refused("DryRunOperationException", "DryRun", kinesis.put_record, StreamName=name, DryRun=True, **one)
    refused("DryRunOperationException", "DryRun", kinesis.put_records, StreamName=name, DryRun=True, Records=[one])
    assert Reader(kinesis, name).all() == []


def test_motos_own_lambda_gets_nothing(kinesis: Any) -> None:
    from moto.kinesis import kinesis_backends  # noqa: PLC0415 - the sandbox sets moto's options before it loads it

    name = stream(kinesis)
    ours = kinesis_backends[ACCOUNT]["us-east-1"].streams[name]
    ours.lambda_event_source_mappings[f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"] = object()
    kinesis.put_record(StreamName=name, Data=b"", PartitionKey="p")
    assert len(Reader(kinesis, name).all()) == 1


# --- resharding -------------------------------------------------------------------------------------------------------


def test_a_split_leaves_the_records_where_they_are(kinesis: Any) -> None:
    name = stream(kinesis)
    before = [kinesis.put_record(StreamName=name, Data=bytes([n]), PartitionKey="p") for n in range(10)]
    kinesis.split_shard(StreamName=name, ShardToSplit=FIRST, NewStartingHashKey=str(2**127))
    low = kinesis.put_record(StreamName=name, Data=b"low", PartitionKey="p", ExplicitHashKey="0")
    high = kinesis.put_record(StreamName=name, Data=b"high", PartitionKey="p", ExplicitHashKey=str(2**127))
    parent, left, right = shards_of(kinesis, name)
    assert [record["Data"] for record in Reader(kinesis, name).all()] == [bytes([n]) for n in range(10)]
    assert [record["Data"] for record in Reader(kinesis, name, left["ShardId"]).all()] == [b"low"]
    assert [record["Data"] for record in Reader(kinesis, name, right["ShardId"]).all()] == [b"high"]
    assert (low["ShardId"], high["ShardId"]) == (left["ShardId"], right["ShardId"])
    assert left["ParentShardId"] == right["ParentShardId"] == FIRST
    assert left["HashKeyRange"]["EndingHashKey"] == str(2**127 - 1)
    assert int(parent["SequenceNumberRange"]["EndingSequenceNumber"]) > int(before[-1]["SequenceNumber"])
    assert int(low["SequenceNumber"]) > int(parent["SequenceNumberRange"]["EndingSequenceNumber"])
    assert kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["OpenShardCount"] == 2


def test_the_end_of_a_closed_shard_names_its_children(kinesis: Any) -> None:
    name = stream(kinesis)
    kinesis.put_record(StreamName=name, Data=b"1", PartitionKey="p")
    kinesis.put_record(StreamName=name, Data=b"2", PartitionKey="p")
    latest = Reader(kinesis, name).iterator("LATEST")
    kinesis.split_shard(StreamName=name, ShardToSplit=FIRST, NewStartingHashKey="10")
    reader = Reader(kinesis, name)
    first = kinesis.get_records(ShardIterator=reader.iterator("TRIM_HORIZON"), Limit=1)
    assert "ChildShards" not in first
    last = kinesis.get_records(ShardIterator=first["NextShardIterator"])
    assert [record["Data"] for record in last["Records"]] == [b"2"]
    assert "NextShardIterator" not in last
    ids = ["shardId-000000000001", "shardId-000000000002"]
    assert [child["ShardId"] for child in last["ChildShards"]] == ids
    assert all(child["ParentShards"] == [FIRST] for child in last["ChildShards"])
    assert last["ChildShards"][0]["HashKeyRange"] == {"StartingHashKey": "0", "EndingHashKey": "9"}
    # Also for a reader that had read everything before the split.
    after = kinesis.get_records(ShardIterator=latest)
    assert (after["Records"], "NextShardIterator" in after, len(after["ChildShards"])) == ([], False, 2)


def test_a_merge_leaves_the_records_where_they_are(kinesis: Any) -> None:
    name = stream(kinesis, 3)
    first, second, third = (shard["ShardId"] for shard in shards_of(kinesis, name))
    for key in ("0", str(2**127)):
        kinesis.put_record(StreamName=name, Data=key.encode(), PartitionKey="p", ExplicitHashKey=key)

    def merge(one: str, other: str) -> None:
        kinesis.merge_shards(StreamName=name, ShardToMerge=one, AdjacentShardToMerge=other)

    refused("InvalidArgumentException", "not an adjacent pair", merge, first, third)
    merge(second, first)
    child = shards_of(kinesis, name)[3]
    assert (child["ParentShardId"], child["AdjacentParentShardId"]) == (second, first)
    assert [len(Reader(kinesis, name, shard).all()) for shard in (first, second, child["ShardId"])] == [1, 1, 0]
    put = kinesis.put_record(StreamName=name, Data=b"", PartitionKey="p", ExplicitHashKey="0")
    assert put["ShardId"] == child["ShardId"]
    last = kinesis.get_records(ShardIterator=Reader(kinesis, name, first).iterator("LATEST"))
    assert last["ChildShards"][0]["ParentShards"] == [second, first]
    refused("InvalidArgumentException", "already been merged", merge, second, third)
    refused("ResourceNotFoundException", "Could not find shard", merge, third, "shardId-000000000009")


def test_a_shard_is_split_inside_its_range(kinesis: Any) -> None:
    name = stream(kinesis, 2)
    for key in ("0", "1", str(2**127), str(MAX_HASH)):
        refused(
            "InvalidArgumentException",
            "NewStartingHashKey",
            kinesis.split_shard,
            StreamName=name,
            ShardToSplit=FIRST,
            NewStartingHashKey=key,
        )
    assert len(shards_of(kinesis, name)) == 2


def test_the_shard_count_follows_its_target(kinesis: Any) -> None:
    name = stream(kinesis, 2)
    refused(
        "InvalidArgumentException",
        "over double",
        kinesis.update_shard_count,
        StreamName=name,
        TargetShardCount=5,
        ScalingType="UNIFORM_SCALING",
    )
    for target in (4, 3, 2, 1):
        kinesis.update_shard_count(StreamName=name, TargetShardCount=target, ScalingType="UNIFORM_SCALING")
        summary = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
        assert summary["OpenShardCount"] == target
        ranges = sorted(
            (int(shard["HashKeyRange"]["StartingHashKey"]), int(shard["HashKeyRange"]["EndingHashKey"]))
            for shard in kinesis.list_shards(StreamName=name, ShardFilter={"Type": "AT_LATEST"})["Shards"]
        )
        assert (ranges[0][0], ranges[-1][1]) == (0, MAX_HASH)
        assert all(one[1] + 1 == other[0] for one, other in itertools.pairwise(ranges))


# --- description ------------------------------------------------------------------------------------------------------


def test_shards_are_listed_in_pages(kinesis: Any) -> None:
    name = stream(kinesis, 5)
    page = kinesis.list_shards(StreamName=name, MaxResults=2, ShardFilter={"Type": "AFTER_SHARD_ID", "ShardId": FIRST})
    found = [shard["ShardId"] for shard in page["Shards"]]
    while "NextToken" in page:
        page = kinesis.list_shards(NextToken=page["NextToken"], MaxResults=2)
        found += [shard["ShardId"] for shard in page["Shards"]]
    assert found == [f"shardId-00000000000{number}" for number in (1, 2, 3, 4)]
    refused("InvalidArgumentException", "NextToken", kinesis.list_shards, NextToken="?")
    described = kinesis.describe_stream(StreamName=name, Limit=3)["StreamDescription"]
    assert (len(described["Shards"]), described["HasMoreShards"]) == (3, True)
    rest = kinesis.describe_stream(StreamName=name, ExclusiveStartShardId=described["Shards"][-1]["ShardId"])
    assert [shard["ShardId"] for shard in rest["StreamDescription"]["Shards"]] == found[-2:]
    assert rest["StreamDescription"]["HasMoreShards"] is False


def test_streams_are_listed_in_pages(kinesis: Any) -> None:
    names = sorted(stream(kinesis) for _ in range(3))
    listed = kinesis.list_streams(Limit=1, ExclusiveStartStreamName=names[0])
    assert listed["StreamNames"] == [summary["StreamName"] for summary in listed["StreamSummaries"]]
    assert listed["HasMoreStreams"]
    assert kinesis.list_streams(NextToken=listed["NextToken"], Limit=1)["StreamNames"][0] > listed["StreamNames"][0]


def test_unknown_streams_are_not_found(kinesis: Any) -> None:
    arn = f"{PREFIX}/unknown"
    for ask in (
        lambda: kinesis.describe_stream(StreamName="unknown"),
        lambda: kinesis.describe_stream_summary(StreamARN=arn),
        lambda: kinesis.list_stream_consumers(StreamARN=arn),
        lambda: kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="c"),
        lambda: kinesis.put_record(StreamARN=arn, Data=b"", PartitionKey="p"),
        lambda: kinesis.list_shards(StreamARN=arn),
        lambda: kinesis.update_stream_mode(StreamARN=arn, StreamModeDetails={"StreamMode": "ON_DEMAND"}),
    ):
        with pytest.raises(ClientError, match="Stream unknown under account 123456789012 not found"):
            ask()
    refused("InvalidArgumentException", "Missing StreamARN or StreamName", kinesis.list_shards)
    name = stream(kinesis)
    refused("ResourceInUseException", "already exists", kinesis.create_stream, StreamName=name, ShardCount=1)


def test_streams_and_consumers_keep_their_tags(kinesis: Any) -> None:
    name = stream(kinesis, Tags={"a": "1"})
    arn = f"{PREFIX}/{name}"
    consumer = kinesis.register_stream_consumer(StreamARN=arn, ConsumerName="c", Tags={"b": "2"})["Consumer"]
    assert kinesis.list_tags_for_stream(StreamName=name)["Tags"] == [{"Key": "a", "Value": "1"}]
    for owner in (arn, consumer["ConsumerARN"]):
        kinesis.tag_resource(ResourceARN=owner, Tags={"c": "3"})
    kinesis.untag_resource(ResourceARN=arn, TagKeys=["a"])
    assert kinesis.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "c", "Value": "3"}]
    tags = kinesis.list_tags_for_resource(ResourceARN=consumer["ConsumerARN"])["Tags"]
    assert tags == [{"Key": "b", "Value": "2"}, {"Key": "c", "Value": "3"}]


def test_a_stream_of_a_template_is_the_same(served: Running, kinesis: Any) -> None:
    template = """{"Resources": {"S": {"Type": "AWS::Kinesis::Stream", "Properties": {"Name": "of-template", "ShardCount": 2}}}}"""
    served.client("cloudformation").create_stack(StackName="kinesis", TemplateBody=template)
    assert len(kinesis.put_record(StreamName="of-template", Data=b"", PartitionKey="p")["SequenceNumber"]) == 56
    assert len(shards_of(kinesis, "of-template")) == 2


# --- consumers --------------------------------------------------------------------------------------------------------


def test_consumers_are_registered_once_and_deregistered_alone(kinesis: Any) -> None:
    name = stream(kinesis)
    arn = f"{PREFIX}/{name}"
    made = {
        consumer: kinesis.register_stream_consumer(StreamARN=arn, ConsumerName=consumer)["Consumer"]
        for consumer in ("one", "two", "three")
    }
    created = int(made["one"]["ConsumerCreationTimestamp"].timestamp())
    assert made["one"]["ConsumerARN"] == f"{arn}/consumer/one:{created}"
    refused(
        "ResourceInUseException", "already exists", kinesis.register_stream_consumer, StreamARN=arn, ConsumerName="one"
    )
    by_arn = kinesis.describe_stream_consumer(ConsumerARN=made["two"]["ConsumerARN"])["ConsumerDescription"]
    assert by_arn == kinesis.describe_stream_consumer(StreamARN=arn, ConsumerName="two")["ConsumerDescription"]
    assert (by_arn["StreamARN"], by_arn["ConsumerStatus"]) == (arn, "ACTIVE")
    kinesis.deregister_stream_consumer(StreamARN=arn, ConsumerName="two")
    left = kinesis.list_stream_consumers(StreamARN=arn)["Consumers"]
    assert sorted(consumer["ConsumerName"] for consumer in left) == ["one", "three"]
    kinesis.deregister_stream_consumer(ConsumerARN=made["three"]["ConsumerARN"])
    summary = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    assert (summary["ConsumerCount"], summary["OpenShardCount"]) == (1, 1)
    for unknown in ({"ConsumerARN": made["two"]["ConsumerARN"]}, {"StreamARN": arn, "ConsumerName": "two"}):
        refused("ResourceNotFoundException", "Consumer", kinesis.describe_stream_consumer, **unknown)
        refused("ResourceNotFoundException", "Consumer", kinesis.deregister_stream_consumer, **unknown)


def test_a_stream_has_20_consumers_at_most(kinesis: Any) -> None:
    arn = f"{PREFIX}/{stream(kinesis)}"
    for number in range(20):
        kinesis.register_stream_consumer(StreamARN=arn, ConsumerName=f"c{number}")
    refused("LimitExceededException", "20", kinesis.register_stream_consumer, StreamARN=arn, ConsumerName="c20")


def test_a_stream_with_consumers_is_deleted_with_them_only_if_asked(kinesis: Any) -> None:
    name = stream(kinesis)
    kinesis.register_stream_consumer(StreamARN=f"{PREFIX}/{name}", ConsumerName="c")
    refused("ResourceInUseException", "EnforceConsumerDeletion", kinesis.delete_stream, StreamName=name)
    kinesis.delete_stream(StreamName=name, EnforceConsumerDeletion=True)
    refused("ResourceNotFoundException", name, kinesis.describe_stream, StreamName=name)
