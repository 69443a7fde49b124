"""One stream record is one execution with one payload, whoever reads it: mapping, pipe or redrive."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from functions_support import FUNCTIONS, load, read_event

message = load("dispatcher", "message")
pipeline_messages = load("pipeline", "messages")

KINESIS = read_event("kinesis_mapping")["Records"][0]
CHANGE = read_event("dynamodb_mapping")["Records"][1]
KINESIS_SHARD = "shardId-000000000000"
DYNAMODB_SHARD = "shardId-00000001541626099285-f35f62ef"

Start = tuple[str, bytes]


def start(record: dict[str, Any]) -> Start:
    """Return the name and payload with which the dispatcher starts an execution of the record."""
    read = message.from_record(record)
    return read.message_id, message.to_payload(read)


@pytest.fixture
def redriven(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Start]:
    """Return name and payload of a record that functions/stream_redrive reads back as boto3 returns it."""
    shard, failures = (load("stream_redrive", name) for name in ("shard", "failures"))

    def read(service: str, stream: str, shard_id: str, number: str, raw: dict[str, Any]) -> Start:
        client = boto3.client(service)
        batch = failures.FailedBatch(stream, shard_id, number, number, 1, is_kinesis=service == "kinesis")
        with Stubber(client) as stub:
            stub.add_response("get_shard_iterator", {"ShardIterator": "iterator"})
            stub.add_response("get_records", {"Records": [raw]})
            monkeypatch.setattr(shard, "client", lambda _: client)
            ((item,),) = shard.read_back(batch, shard.Seen(batch), lambda: 900_000)
        return item.record_id, item.payload()

    return read


def test_mapping_fan_out_and_pipe_start_the_same() -> None:
    fan_out = {
        "eventSourceARN": f"{KINESIS['eventSourceARN']}/consumer/fast:1764000000",
        "eventID": "other",
        "invokeIdentityArn": "arn:other",
    }

    assert start(KINESIS) == start(KINESIS | fan_out) == start(read_event("kinesis_pipe")[0])


def test_the_order_of_members_does_not_matter() -> None:
    change = dict(reversed(CHANGE["dynamodb"].items()))

    assert start(CHANGE) == start(dict(reversed((CHANGE | {"dynamodb": change}).items())))


@pytest.mark.parametrize("record", [KINESIS, CHANGE], ids=["kinesis", "dynamodb"])
def test_what_was_started_with_starts_the_same(record: dict[str, Any]) -> None:
    name, payload = start(record)

    assert start(json.loads(payload)) == (name, payload)


@pytest.mark.parametrize("record", [KINESIS, CHANGE], ids=["kinesis", "dynamodb"])
def test_the_pipeline_knows_a_record_by_the_name_of_its_execution(record: dict[str, Any]) -> None:
    name, payload = start(record)

    direct, dispatched = (
        pipeline_messages.parse_event(event).messages[0] for event in ({"Records": [record]}, json.loads(payload))
    )

    assert direct == dispatched
    assert direct.message_id == name


@pytest.mark.parametrize("arrival", [1764072000.0, 1764072000.001, 1764072000.123, 1764072000.999])
def test_a_kinesis_record_read_back_starts_the_same(redriven: Callable[..., Start], arrival: float) -> None:
    fields = KINESIS["kinesis"] | {"approximateArrivalTimestamp": arrival}
    raw = {
        "SequenceNumber": fields["sequenceNumber"],
        "PartitionKey": fields["partitionKey"],
        "Data": base64.b64decode(fields["data"]),
        "ApproximateArrivalTimestamp": datetime.fromtimestamp(arrival, UTC),
    }

    again = redriven("kinesis", KINESIS["eventSourceARN"], KINESIS_SHARD, fields["sequenceNumber"], raw)

    assert again == start(KINESIS | {"kinesis": fields})


@pytest.mark.parametrize("created", [1764072000, 1764072000.0])
def test_a_dynamodb_record_read_back_starts_the_same(redriven: Callable[..., Start], created: float) -> None:
    in_event = {"one": {"B": "AP8="}, "many": {"L": [{"BS": ["AA==", "AP8="]}, {"N": "1.50"}, {"NULL": True}]}}
    read = {"one": {"B": b"\x00\xff"}, "many": {"L": [{"BS": [b"\x00", b"\x00\xff"]}, {"N": "1.50"}, {"NULL": True}]}}
    change = CHANGE["dynamodb"] | {"NewImage": in_event, "ApproximateCreationDateTime": created}
    raw = {
        "eventID": CHANGE["eventID"],
        "eventVersion": CHANGE["eventVersion"],
        "eventName": CHANGE["eventName"],
        "dynamodb": change
        | {"NewImage": read, "ApproximateCreationDateTime": datetime.fromtimestamp(1764072000.7, UTC)},
    }
    number = change["SequenceNumber"]

    again = redriven("dynamodbstreams", CHANGE["eventSourceARN"], DYNAMODB_SHARD, number, raw)

    assert again == start(CHANGE | {"dynamodb": change})


def test_the_same_number_in_another_stream_is_another_execution() -> None:
    other = KINESIS | {"eventSourceARN": f"{KINESIS['eventSourceARN']}-2"}

    assert start(other)[0] != start(KINESIS)[0]
    assert start(other)[0][:57] == start(KINESIS)[0][:57]


def test_every_function_reads_records_alike() -> None:
    copies = {path.parent.name: path.read_bytes() for path in FUNCTIONS.glob("*/record.py")}

    assert {"dispatcher", "pipeline", "stream_redrive"} <= set(copies)
    assert len(set(copies.values())) == 1, f"functions/*/record.py differ: {sorted(copies)}"
