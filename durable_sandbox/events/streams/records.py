"""Records of a shard, in the form in which Lambda hands them to a function."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from durable_sandbox.aws.arns import Arn
from durable_sandbox.events.filters import RecordFilter


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """One record.

    ``sequence``: its sequence number, which orders the records of a shard as a number, not as text. ``key``: partition
    key or item key, whose order is kept. ``arrived``: epoch seconds. ``event``: the element of ``Records``. ``size``:
    its bytes in an invocation.
    """

    sequence: int
    key: str
    arrived: float
    event: Mapping[str, Any]
    size: int

    @property
    def identifier(self) -> str:
        """What ``batchItemFailures`` calls it: the sequence number as it was read."""
        return sequence_number(self.event)


@dataclass(frozen=True, slots=True)
class RecordOrigin:
    """Members that the records of one source share. ``source``: the mapping's EventSourceArn, or the pipe's source.

    ``flat``: Kinesis members stand beside the others, as a pipe has them, and not under ``kinesis``.
    """

    source: Arn
    identity_arn: str
    flat: bool = False


def sequence_number(event: Mapping[str, Any]) -> str:
    """The sequence number of a record of a stream, in whichever form it is."""
    if "dynamodb" in event:
        return str(event["dynamodb"]["SequenceNumber"])
    return str(event.get("kinesis", event)["sequenceNumber"])


def kinesis_record(raw: Mapping[str, Any], shard_id: str, origin: RecordOrigin) -> StreamRecord:
    """From an element of GetRecords' or SubscribeToShard's ``Records`` (botocore shape).

    https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html#services-kinesis-event-example; a pipe's:
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-kinesis.html
    """
    arrived: datetime = raw["ApproximateArrivalTimestamp"]
    number, key = str(raw["SequenceNumber"]), str(raw["PartitionKey"])
    kinesis = {
        "kinesisSchemaVersion": "1.0",
        "partitionKey": key,
        "sequenceNumber": number,
        "data": base64.b64encode(raw["Data"]).decode(),
        "approximateArrivalTimestamp": round(arrived.timestamp(), 3),
    }
    event = {
        **(kinesis if origin.flat else {"kinesis": kinesis}),
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{shard_id}:{number}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": origin.identity_arn,
        "awsRegion": origin.source.region,
        "eventSourceARN": str(origin.source),
    }
    return StreamRecord(int(number), key, arrived.timestamp(), event, _size(event))


def dynamodb_record(raw: Mapping[str, Any], origin: RecordOrigin) -> StreamRecord:
    """From an element of GetRecords' ``Records`` (dynamodbstreams, botocore shape).

    https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html; times are whole seconds.
    """
    change = dict(raw["dynamodb"])
    created: datetime = change["ApproximateCreationDateTime"]
    change["ApproximateCreationDateTime"] = int(created.timestamp())
    event: dict[str, Any] = {
        "eventID": raw["eventID"],
        "eventName": raw["eventName"],
        "eventVersion": raw["eventVersion"],
        "eventSource": "aws:dynamodb",
        "awsRegion": origin.source.region,
        "dynamodb": _json_values(change),
        "eventSourceARN": str(origin.source),
    }
    if identity := raw.get("userIdentity"):
        event["userIdentity"] = {"type": identity.get("Type"), "principalId": identity.get("PrincipalId")}
    key = json.dumps(event["dynamodb"]["Keys"], sort_keys=True)
    return StreamRecord(int(change["SequenceNumber"]), key, float(int(created.timestamp())), event, _size(event))


def passes(record: StreamRecord, record_filter: RecordFilter) -> bool:
    """Whether ``record`` passes a mapping's filter.

    A pattern on Kinesis data is on ``data``, decoded, at the top level; one on an item's change is on ``dynamodb``.
    https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis-filtering.html
    """
    return record_filter.accepts(filterable(record.event))


def filterable(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """``event`` with Kinesis data decoded and at the top level, where patterns look for it."""
    kinesis = event.get("kinesis", event if "data" in event else None)
    if kinesis is None:
        return event
    text = base64.b64decode(kinesis["data"]).decode(errors="replace")
    return {**event, **kinesis, "data": text}


def _json_values(value: Any) -> Any:
    """Binary as base64 text, sets as lists: what the attribute values of an event hold."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {name: _json_values(item) for name, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_json_values(item) for item in value]
    return value


def event_of(records: Sequence[StreamRecord], window: Mapping[str, Any] | None = None) -> str:
    """The event with ``records``, as JSON; ``window``: the further members of a tumbling window's."""
    event = {"Records": [record.event for record in records], **(window or {})}
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))


def _size(event: Mapping[str, Any]) -> int:
    return len(json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()) + 1
