"""DynamoDB Streams as clients and pollers need them.

Gaps closed in moto 5.2.5, each against the DynamoDB Streams API Reference and
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html:
- two writes at a time can get the same sequence number, and a conditional put can succeed twice: writes are made one
  after the other, so that records come in the order of the modifications;
- a transaction's records are seen before it has committed, and UpdateItem of a new item makes two, the first with the
  keys alone: what one call writes is held back until it succeeds, and gives one record an item;
- a write that changes nothing makes a record (AWS: none);
- records carry the region us-east-1, version 1.0, fractions of a second and a size that is that of some JSON; they are
  offered to moto's own Lambda, and never trimmed (AWS: 24 hours);
- a stream that was disabled breaks every later write and cannot be enabled again: AWS keeps it readable for 24 hours
  under its own ARN, and a new one has a new ARN and shard;
- an iterator is kept in memory for ever, never expires (AWS: 15 minutes), and AFTER_SEQUENCE_NUMBER, a wrong shard and an
  unknown iterator or stream are internal errors; an answer has no upper size (AWS: 1,000 records, 1 MB).

Not as on AWS: a stream has one shard, which is never replaced; the stream of a deleted table is gone with it; moto has no
deletions by TTL, so there is no record of one.
"""

from __future__ import annotations

import base64
import binascii
import functools
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.dynamodb.exceptions import StreamAlreadyEnabledException
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table
from moto.dynamodbstreams.responses import DynamoDBStreamsHandler

from durable_sandbox.moto_adapter import dynamodb_shard
from durable_sandbox.moto_adapter.dynamodb_shard import FIRST_NUMBER, Shard, one_write, writing

_JSON = {"Content-Type": "application/x-amz-json-1.0"}
_ITERATOR_SECONDS = 15 * 60
_MAX_RECORDS = 1000
_MAX_STREAMS = 100
_ARN = re.compile(r"arn:[a-z-]+:dynamodb:[^:]+:\d{12}:table/(?P<table>[A-Za-z0-9_.-]+)/stream/(?P<label>.+)")
_WRITES = (
    "put_item",
    "update_item",
    "delete_item",
    "transact_write_items",
    "execute_statement",
)

Raw = tuple[int, dict[str, str], str]


# --- streams of a table -----------------------------------------------------------------------------------------------


def _streams_of(table: Table) -> list[Shard]:
    """Every stream of the table that can be read, the oldest first."""
    streams: list[Shard] = [shard for shard in getattr(table, "our_streams", ()) if not shard.expired()]
    return streams


def _set_stream_specification(self: Table, streams: dict[str, Any] | None) -> None:
    """Table.set_stream_specification: close the stream there is, and open a new one if asked to."""
    with writing:
        if self.stream_shard is not None:
            self.stream_shard.close()
        self.stream_shard = None
        self.stream_specification = {"StreamEnabled": False}
        if streams and (streams.get("StreamEnabled") or streams.get("StreamViewType")):
            if "StreamViewType" not in streams:
                raise _error("ValidationException", "StreamViewType is required when a stream is enabled.")
            self.stream_specification = {**streams, "StreamEnabled": True}
            self.latest_stream_label = utcnow().isoformat(timespec="milliseconds")
            self.stream_shard = Shard(self, self.latest_stream_label)
            self.our_streams = [*_streams_of(self), self.stream_shard]


def _update_table_streams(_self: Any, table: Table, stream_specification: dict[str, Any]) -> None:
    """DynamoDBBackend.update_table_streams: only a stream that is enabled now cannot be enabled."""
    wanted = stream_specification.get("StreamEnabled") or stream_specification.get("StreamViewType")
    if wanted and table.stream_shard is not None:
        raise StreamAlreadyEnabledException
    table.set_stream_specification(stream_specification)


# --- operations -------------------------------------------------------------------------------------------------------


def _error(code: str, message: str) -> JsonRESTError:
    return JsonRESTError(f"com.amazonaws.dynamodb.v20120810#{code}", message)


def _find(handler: Any, arn: str) -> tuple[Table, Shard]:
    match = _ARN.fullmatch(arn)
    if match is None:
        raise _error("ValidationException", f"Invalid StreamArn: {arn}")
    table = handler.backend.dynamodb.tables.get(match["table"])
    for shard in _streams_of(table) if table else ():
        if shard.arn == arn:
            with writing:
                shard.trim()
            return table, shard
    raise _error("ResourceNotFoundException", f"Requested resource not found: Stream: {arn} not found")


def _body(handler: Any) -> dict[str, Any]:
    params: dict[str, Any] = json.loads(handler.body or "{}")
    return params


def _limit(params: Mapping[str, Any], most: int) -> int:
    limit = int(params.get("Limit", most))
    if not 1 <= limit <= most:
        bound = f"less than or equal to {most}" if limit > 1 else "greater than or equal to 1"
        raise _error(
            "ValidationException",
            f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: Member must have "
            f"value {bound}",
        )
    return limit


def list_streams(self: Any) -> ActionResult:
    """Streams that can be read, also disabled ones."""
    params = _body(self)
    limit, after = _limit(params, _MAX_STREAMS), params.get("ExclusiveStartStreamArn", "")
    tables = [
        table
        for table in list(self.backend.dynamodb.tables.values())
        if params.get("TableName") in (None, table.name, table.table_arn)
    ]
    found = sorted((shard.arn, table.name, shard.label) for table in tables for shard in _streams_of(table))
    rest = [stream for stream in found if stream[0] > after]
    streams = [{"StreamArn": arn, "TableName": name, "StreamLabel": label} for arn, name, label in rest[:limit]]
    more = {"LastEvaluatedStreamArn": rest[limit - 1][0]} if len(rest) > limit else {}
    return ActionResult({"Streams": streams, **more})


def describe_stream(self: Any) -> ActionResult:
    """The stream and its shard, which has no children."""
    params = _body(self)
    table, shard = _find(self, params["StreamArn"])
    _limit(params, _MAX_STREAMS)
    hidden = params.get("ShardFilter") or params.get("ExclusiveStartShardId") == shard.id
    description = {
        "StreamArn": shard.arn,
        "StreamLabel": shard.label,
        "StreamStatus": "ENABLED" if shard.closed_at is None else "DISABLED",
        "StreamViewType": shard.view,
        "CreationRequestDateTime": shard.created_on,
        "TableName": table.name,
        "KeySchema": table.schema,
        "Shards": [] if hidden else [shard.to_json()],
    }
    return ActionResult({"StreamDescription": description})


def get_shard_iterator(self: Any) -> ActionResult:
    """An iterator that says itself where it points: ``<stream ARN>|1|<base64 of shard:position:issued>``."""
    params = _body(self)
    _, shard = _find(self, params["StreamArn"])
    if params["ShardId"] != shard.id:
        raise _error("ResourceNotFoundException", f"Requested resource not found: Shard: {params['ShardId']} not found")
    with writing:
        return ActionResult({"ShardIterator": _issue(shard, _position(shard, params))})


def _issue(shard: Shard, position: int) -> str:
    state = base64.b64encode(f"{shard.id}:{position}:{dynamodb_shard.now():.3f}".encode()).decode()
    return f"{shard.arn}|1|{state}"


def _position(shard: Shard, params: Mapping[str, Any]) -> int:
    kind, number, timestamp = params["ShardIteratorType"], params.get("SequenceNumber"), params.get("Timestamp")
    match kind:
        case "TRIM_HORIZON":
            return shard.oldest()
        case "LATEST":
            return shard.latest()
        case "AT_TIMESTAMP" if timestamp is not None and timestamp <= dynamodb_shard.now():
            return shard.at_time(float(timestamp))
        case "AT_SEQUENCE_NUMBER" | "AFTER_SEQUENCE_NUMBER" if number and number.isdecimal():
            return max(_at(shard, int(number)) + int(kind == "AFTER_SEQUENCE_NUMBER"), shard.oldest())
    raise _error(
        "ValidationException",
        f"ShardIteratorType {kind} with SequenceNumber {number} and Timestamp {timestamp} is invalid: *_SEQUENCE_NUMBER "
        "needs a SequenceNumber, AT_TIMESTAMP a Timestamp that is not in the future.",
    )


def _at(shard: Shard, number: int) -> int:
    if number == FIRST_NUMBER and shard.oldest() == FIRST_NUMBER + 1:
        return number
    if FIRST_NUMBER <= number < shard.oldest():
        raise _trimmed()
    if not shard.oldest() <= number < shard.latest():
        raise _error("ValidationException", f"Invalid SequenceNumber: {number} is not in shard {shard.id}")
    return number


def _trimmed() -> JsonRESTError:
    return _error("TrimmedDataAccessException", "The data you are trying to access has been trimmed.")


def get_records(self: Any) -> Raw:
    """A page of records: they are kept as JSON, so that nothing is serialised again."""
    params = _body(self)
    limit = _limit(params, _MAX_RECORDS)
    arn, _, state = params["ShardIterator"].partition("|1|")
    try:
        shard_id, number, issued = base64.b64decode(state, validate=True).decode().split(":")
        position, issued_at = int(number), float(issued)
    except (binascii.Error, ValueError) as error:
        raise _error("ValidationException", "Invalid ShardIterator.") from error
    _, shard = _find(self, arn)
    if shard.id != shard_id:
        raise _error("ResourceNotFoundException", f"Requested resource not found: Shard: {shard_id} not found")
    if dynamodb_shard.now() - issued_at > _ITERATOR_SECONDS:
        raise _error("ExpiredIteratorException", "The provided iterator exceeds the maximum age allowed.")
    with writing:
        if position < shard.oldest():
            raise _trimmed()
        records = shard.read(position, limit)
        position += len(records)
        ended = shard.closed_at is not None and position >= shard.latest()
    following = "" if ended else f',"NextShardIterator":{json.dumps(_issue(shard, position))}'
    return 200, _JSON, f'{{"Records":[{",".join(record.text for record in records)}]{following}}}'


# --- moto -------------------------------------------------------------------------------------------------------------


def patch() -> None:
    """Put our streams in moto's DynamoDB, once a process."""
    Table.set_stream_specification = _set_stream_specification
    DynamoDBBackend.update_table_streams = _update_table_streams
    for name in _WRITES:
        setattr(DynamoDBBackend, name, _alone(getattr(DynamoDBBackend, name)))
    for operation in (list_streams, describe_stream, get_shard_iterator, get_records):
        setattr(DynamoDBStreamsHandler, operation.__name__, operation)


def _alone(write: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(write)
    def written(*args: Any, **kwargs: Any) -> Any:
        with one_write():
            return write(*args, **kwargs)

    return written
