"""A stream record in its normal form: the same members, however the record was read.

A record reaches a function from an event source mapping, from a pipe, or read back from the stream, and each way dresses
it differently. What one execution starts with is to be the same each time, since Lambda refuses another payload under the
name of a known execution. So the normal form has the members that all ways share, and nothing of the delivery: no shard,
no consumer, no role.

Each function that reads stream records has this same file in its package; `tests/unit` holds the copies together.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

KINESIS = "aws:kinesis"
DYNAMODB = "aws:dynamodb"

# The members of `dynamodb` that are as they are in an event and in GetRecords. Of the rest, times need a canonical form.
DYNAMODB_MEMBERS = ("Keys", "NewImage", "OldImage", "SequenceNumber", "StreamViewType")

Record = dict[str, Any]


class RecordError(ValueError):
    """A stream record lacks a member that every stream record has."""


def is_stream_record(record: Any) -> bool:
    """Whether the record says that it is of a Kinesis or DynamoDB stream."""
    return isinstance(record, Mapping) and record.get("eventSource") in {KINESIS, DYNAMODB}


def normalise(record: Mapping[str, Any]) -> Record:
    """Return the normal form of a record for which `is_stream_record` is true; a normal form is returned as it is.

    Kinesis: `{"messageId", "eventSource", "eventSourceARN", "sequenceNumber", "partitionKey", "data",
    "approximateArrivalTimestamp"}`, with `data` in base64 and the time in seconds, to the millisecond.
    DynamoDB: `{"messageId", "eventSource", "eventSourceARN", "eventName", "dynamodb": {"Keys", "NewImage", "OldImage",
    "SequenceNumber", "StreamViewType", "ApproximateCreationDateTime"}}`, with binary values in base64 and the time in
    whole seconds. Images, view type and times are there if the record has them. `messageId` is its `record_id`.

    Args:
        record: A mapping's (https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html and `with-ddb.html`) or a
            pipe's (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-kinesis.html and
            `eb-pipes-dynamodb.html`). A pipe differs for Kinesis: it has the members of `kinesis` beside the others.

    Raises:
        RecordError: naming the members that are missing.
    """
    return _kinesis(record) if record["eventSource"] == KINESIS else _dynamodb(record)


def record_id(stream_arn: str, sequence_number: str) -> str:
    """Return the name of a record's execution, which is its message id as well.

    A sequence number is unique in its stream only, hence seven digits of the stream's hash: with Kinesis' 56 digits the
    64 characters of a DurableExecutionName are full
    (https://docs.aws.amazon.com/lambda/latest/dg/durable-execution-idempotency.html).
    """
    return f"{sequence_number}-{hashlib.sha256(stream_arn.encode()).hexdigest()[:7]}"


def sequence_number(normal: Record) -> str:
    """Return the sequence number of a normal form: digits, of any number."""
    number = normal["sequenceNumber"] if normal["eventSource"] == KINESIS else normal["dynamodb"]["SequenceNumber"]
    return str(number)


def order_key(normal: Record) -> str:
    """Return what records must share to be in order: the partition key, or the item's key as canonical JSON.

    Lambda keeps this order with a parallelization factor above 1, too
    (https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html).
    """
    if normal["eventSource"] == KINESIS:
        return str(normal["partitionKey"])
    return canonical_json(normal["dynamodb"]["Keys"])


def canonical_json(value: Any) -> str:
    """Return sorted JSON without spaces, and not as ASCII: that would make up to six bytes of one character."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _kinesis(record: Mapping[str, Any]) -> Record:
    fields = record.get("kinesis", record)
    _require(record, "eventSourceARN")
    _require(fields, "sequenceNumber", "partitionKey", "data")
    stream = _stream(record["eventSourceARN"])
    normal = {
        "messageId": record_id(stream, fields["sequenceNumber"]),
        "eventSource": KINESIS,
        "eventSourceARN": stream,
        "sequenceNumber": fields["sequenceNumber"],
        "partitionKey": fields["partitionKey"],
        "data": fields["data"],
    }
    if (arrival := fields.get("approximateArrivalTimestamp")) is not None:
        normal["approximateArrivalTimestamp"] = round(float(arrival), 3)
    return normal


def _dynamodb(record: Mapping[str, Any]) -> Record:
    _require(record, "eventSourceARN", "eventName", "dynamodb")
    change = record["dynamodb"]
    _require(change, "Keys", "SequenceNumber")
    stream = _stream(record["eventSourceARN"])
    normal = {name: change[name] for name in DYNAMODB_MEMBERS if name in change}
    if (created := change.get("ApproximateCreationDateTime")) is not None:
        normal["ApproximateCreationDateTime"] = int(created)
    return {
        "messageId": record_id(stream, change["SequenceNumber"]),
        "eventSource": DYNAMODB,
        "eventSourceARN": stream,
        "eventName": record["eventName"],
        "dynamodb": normal,
    }


def _stream(arn: str) -> str:
    """Return the stream's ARN; an enhanced fan-out consumer's begins with it."""
    return arn.partition("/consumer/")[0]


def _require(fields: Any, *names: str) -> None:
    missing = [name for name in names if not isinstance(fields, Mapping) or fields.get(name) is None]
    if missing:
        received = sorted(fields) if isinstance(fields, Mapping) else type(fields).__name__
        raise RecordError(
            f"a stream record has no {', '.join(missing)} (received {received}); an input template of a pipe must keep them"
        )
