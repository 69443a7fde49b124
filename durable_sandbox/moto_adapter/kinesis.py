"""Kinesis as clients and pollers need it: moto's stream, responses and URLs, with ours in place of what falls short.

The gaps of moto 5.2.5 are told where they are closed: ``kinesis_shard``, ``kinesis_stream``, ``kinesis_reads``. Here,
in its operations: records and keys of any size are taken (AWS: MaxRecordSizeInKiB, 10 MiB a request, keys of 1 to 256
characters); a stream goes with its consumers unasked; DeregisterStreamConsumer by name keeps that consumer and removes
all others; ListShards and DescribeStream do not page as on AWS, ListStreams gives all summaries with every page; an
unknown stream ARN, shard or token is an internal error; UpdateMaxRecordSize and the tags of a resource are missing.
Source: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_Operations.html
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult, EmptyResult
from moto.kinesis import models
from moto.kinesis.models import KinesisBackend
from moto.kinesis.responses import KinesisResponse

from durable_sandbox.moto_adapter import kinesis_reads as reads
from durable_sandbox.moto_adapter.kinesis_stream import (
    DEFAULT_RECORD_KIB,
    Consumer,
    Stream,
    check_key,
    hash_key,
    invalid,
    violation,
)

_JSON = {"Content-Type": "application/x-amz-json-1.1"}
_EVENTS = {"Content-Type": "application/vnd.amazon.eventstream"}
_MAX_RECORD_KIB = 10 * 1024
_MAX_REQUEST_BYTES = 10 * 1024 * 1024
_MAX_ENTRIES = 500
_SHARDS_DESCRIBED = 100
_SHARDS_LISTED = 1000
_STREAMS_LISTED = 100

Raw = tuple[int, dict[str, str], str | bytes]


def patch() -> None:
    """Put our stream and operations in moto's Kinesis, once a process."""
    # The backend looks both up at the call, so that streams of CloudFormation are ours, too.
    models.Stream = Stream
    models.Consumer = Consumer
    KinesisBackend.describe_stream = _find
    KinesisBackend._find_stream_by_arn = lambda self, stream_arn: _find(self, stream_arn, None)  # noqa: SLF001
    for operation in _OPERATIONS:
        setattr(KinesisResponse, operation.__name__, operation)


def _find(self: Any, stream_arn: str | None, stream_name: str | None) -> Stream:
    """KinesisBackend.describe_stream: by the ARN of the stream or of its consumer, or by its name."""
    if not stream_arn and not stream_name:
        raise invalid("Missing StreamARN or StreamName.")
    name = stream_arn.partition(":stream/")[2].partition("/")[0] if stream_arn else str(stream_name)
    stream: Stream | None = self.streams.get(name)
    if stream is None or (stream_arn and stream_arn.partition("/consumer/")[0] != stream.arn):
        raise JsonRESTError("ResourceNotFoundException", f"Stream {name} under account {self.account_id} not found.")
    return stream


def _body(response: Any) -> dict[str, Any]:
    """The request's input. moto would parse its body for each member."""
    params: dict[str, Any] = json.loads(response.body or "{}")
    return params


def _stream(response: Any, params: dict[str, Any]) -> Stream:
    return _find(response.kinesis_backend, params.get("StreamARN"), params.get("StreamName"))


def _token(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def _untoken(token: str) -> list[str]:
    try:
        return base64.b64decode(token, validate=True).decode().split("\n")
    except (binascii.Error, ValueError) as error:
        raise invalid("NextToken is invalid.") from error


# --- streams ----------------------------------------------------------------------------------------------------------


def create_stream(self: Any) -> ActionResult:
    """Gap: the mode's default, the tags and the record size are dropped."""
    params = _body(self)
    mode = params.get("StreamModeDetails")
    count = params.get("ShardCount")
    if count is None and (mode or {}).get("StreamMode") != "ON_DEMAND":
        raise invalid("ShardCount must be specified for a stream in the mode PROVISIONED.")
    name = params["StreamName"]
    if name in self.kinesis_backend.streams:
        account = self.kinesis_backend.account_id
        raise JsonRESTError("ResourceInUseException", f"Stream {name} under account {account} already exists.")
    kib = _record_kib(params.get("MaxRecordSizeInKiB", DEFAULT_RECORD_KIB))
    stream = self.kinesis_backend.create_stream(name, count, stream_mode=mode)
    stream.max_record_kib = kib
    stream.tags.update(params.get("Tags") or {})
    return EmptyResult()


def _record_kib(kib: int) -> int:
    if not DEFAULT_RECORD_KIB <= kib <= _MAX_RECORD_KIB:
        raise violation(kib, "maxRecordSizeInKiB", f"have value between {DEFAULT_RECORD_KIB} and {_MAX_RECORD_KIB}")
    return kib


def delete_stream(self: Any) -> ActionResult:
    """Gap: a stream with consumers needs EnforceConsumerDeletion."""
    params = _body(self)
    stream = _stream(self, params)
    if stream.consumers and not params.get("EnforceConsumerDeletion"):
        raise JsonRESTError(
            "ResourceInUseException",
            f"Stream {stream.stream_name} under account {stream.account_id} has consumers; "
            "deregister them or set EnforceConsumerDeletion.",
        )
    del self.kinesis_backend.streams[stream.stream_name]
    return EmptyResult()


def describe_stream(self: Any) -> ActionResult:
    """Up to 100 shards, after ExclusiveStartShardId."""
    params = _body(self)
    limit = min(params.get("Limit", _SHARDS_DESCRIBED), _SHARDS_DESCRIBED)
    stream = _stream(self, params)
    return ActionResult({"StreamDescription": stream.describe(limit, params.get("ExclusiveStartShardId"))})


def list_streams(self: Any) -> ActionResult:
    """A page of streams, by name."""
    params = _body(self)
    after = params.get("NextToken") or params.get("ExclusiveStartStreamName") or ""
    limit = params.get("Limit", _STREAMS_LISTED)
    found = sorted(name for name in list(self.kinesis_backend.streams) if name > after)
    page = [self.kinesis_backend.streams[name] for name in found[:limit]]
    more = len(found) > limit
    summary = ("StreamName", "StreamARN", "StreamStatus", "StreamModeDetails", "StreamCreationTimestamp")
    described = [stream.to_json_summary()["StreamDescriptionSummary"] for stream in page]
    result = {
        "HasMoreStreams": more,
        "StreamNames": [stream.stream_name for stream in page],
        "StreamSummaries": [{key: whole[key] for key in summary} for whole in described],
    }
    return ActionResult({**result, "NextToken": page[-1].stream_name} if more else result)


def update_max_record_size(self: Any) -> ActionResult:
    """Missing in moto."""
    params = _body(self)
    _stream(self, params).max_record_kib = _record_kib(params["MaxRecordSizeInKiB"])
    return EmptyResult()


# --- shards -----------------------------------------------------------------------------------------------------------


def list_shards(self: Any) -> ActionResult:
    """Up to 1,000 shards; NextToken carries the stream, the filter and the last shard."""
    params = _body(self)
    token = params.get("NextToken")
    after: str | None
    if token:
        if params.keys() & {"StreamName", "ExclusiveStartShardId", "ShardFilter"}:
            raise invalid("NextToken and StreamName, ExclusiveStartShardId or ShardFilter cannot be provided together.")
        name, after, written = (*_untoken(token), "", "")[:3]
        stream, shard_filter = _find(self.kinesis_backend, None, name), json.loads(written or "{}")
    else:
        stream, after = _stream(self, params), params.get("ExclusiveStartShardId")
        shard_filter = params.get("ShardFilter") or {}
    limit = min(params.get("MaxResults", _SHARDS_LISTED), _SHARDS_LISTED)
    shards = stream.listed(after, shard_filter)
    result: dict[str, Any] = {"Shards": [shard.to_json() for shard in shards[:limit]]}
    if len(shards) > limit:
        if shard_filter.get("Type") == "AFTER_SHARD_ID":
            shard_filter = {}
        result["NextToken"] = _token(f"{stream.stream_name}\n{shards[limit - 1].shard_id}\n{json.dumps(shard_filter)}")
    return ActionResult(result)


def split_shard(self: Any) -> ActionResult:
    """See Stream.split_shard."""
    params = _body(self)
    _stream(self, params).split_shard(params["ShardToSplit"], params["NewStartingHashKey"])
    return EmptyResult()


def merge_shards(self: Any) -> ActionResult:
    """See Stream.merge_shards."""
    params = _body(self)
    _stream(self, params).merge_shards(params["ShardToMerge"], params["AdjacentShardToMerge"])
    return EmptyResult()


# --- records ----------------------------------------------------------------------------------------------------------


def _data(data: Any, member: str, limit_kib: int, key: str) -> int:
    """The size of a record. Raises SerializationException, ValidationException."""
    try:
        size = len(base64.b64decode(data, validate=True))
    except (binascii.Error, TypeError, ValueError) as error:
        raise JsonRESTError("SerializationException", f"{member} is not base64") from error
    whole = size + len(key.encode())
    if whole > limit_kib * 1024:
        raise JsonRESTError(
            "ValidationException",
            f"1 validation error detected: Value at '{member}' failed to satisfy constraint: Member must have length less "
            f"than or equal to {limit_kib * 1024}",
        )
    return whole


def _not_dry(params: dict[str, Any]) -> None:
    """End a call that only wanted to know. Raises DryRunOperationException."""
    if params.get("DryRun"):
        raise JsonRESTError("DryRunOperationException", "Request would have succeeded, but DryRun is set.")


def put_record(self: Any) -> ActionResult:
    """One record."""
    params = _body(self)
    stream = _stream(self, params)
    key = check_key(params.get("PartitionKey"), "partitionKey")
    size = _data(params.get("Data"), "data", stream.max_record_kib, key)
    hash_key(key, params.get("ExplicitHashKey"))
    _not_dry(params)
    number, shard_id = stream.put_record(key, params.get("ExplicitHashKey"), params["Data"])
    self.kinesis_backend._send_stream_metrics(stream.stream_name, size, 1)  # noqa: SLF001 - moto's only way
    return ActionResult({"SequenceNumber": number, "ShardId": shard_id, "EncryptionType": stream.encryption_type})


def put_records(self: Any) -> ActionResult:
    """Up to 500 records and 10 MiB; all are checked before the first is put."""
    params = _body(self)
    stream = _stream(self, params)
    entries = params["Records"]
    if not 1 <= len(entries) <= _MAX_ENTRIES:
        bound = f"less than or equal to {_MAX_ENTRIES}" if entries else "greater than or equal to 1"
        raise JsonRESTError(
            "ValidationException",
            f"1 validation error detected: Value at 'records' failed to satisfy constraint: Member must have length {bound}",
        )
    size = 0
    for number, entry in enumerate(entries, 1):
        key = check_key(entry.get("PartitionKey"), f"records.{number}.member.partitionKey")
        size += _data(entry.get("Data"), f"records.{number}.member.data", stream.max_record_kib, key)
        hash_key(key, entry.get("ExplicitHashKey"))
    if size > _MAX_REQUEST_BYTES:
        raise invalid("Records size exceeds 10 MB limit")
    _not_dry(params)
    with stream.changed:
        put = [
            stream.put_record(entry["PartitionKey"], entry.get("ExplicitHashKey"), entry["Data"]) for entry in entries
        ]
    self.kinesis_backend._send_stream_metrics(stream.stream_name, size, len(put))  # noqa: SLF001 - moto's only way
    results = [{"SequenceNumber": sequence, "ShardId": shard_id} for sequence, shard_id in put]
    return ActionResult({"FailedRecordCount": 0, "Records": results, "EncryptionType": stream.encryption_type})


def get_shard_iterator(self: Any) -> ActionResult:
    """See ``kinesis_reads``."""
    params = _body(self)
    stream = _stream(self, params)
    shard = stream.find_shard(params["ShardId"])
    kind, number = params["ShardIteratorType"], params.get("StartingSequenceNumber")
    position = reads.position_of(stream, shard, kind, number, params.get("Timestamp"))
    _not_dry(params)
    return ActionResult({"ShardIterator": reads.issue(stream, shard, position)})


def get_records(self: Any) -> Raw:
    """See ``kinesis_reads``."""
    params = _body(self)
    iterator = reads.Iterator.decode(params["ShardIterator"])
    stream = _find(self.kinesis_backend, params.get("StreamARN"), iterator.stream)
    _not_dry(params)
    return 200, _JSON, reads.get_records(stream, iterator, params.get("Limit"))


def subscribe_to_shard(self: Any) -> Raw:
    """Missing in moto: see ``kinesis_reads.subscribe``."""
    params = _body(self)
    stream, _ = _consumer(self, {"ConsumerARN": params["ConsumerARN"]})
    shard, start = stream.find_shard(params["ShardId"]), params["StartingPosition"]
    position = reads.position_of(stream, shard, start["Type"], start.get("SequenceNumber"), start.get("Timestamp"))
    _not_dry(params)
    return 200, _EVENTS, reads.subscribe(stream, shard.shard_id, position)


# --- consumers --------------------------------------------------------------------------------------------------------


def _consumer(response: Any, params: dict[str, Any]) -> tuple[Stream, Consumer]:
    """By ConsumerARN, or by StreamARN and ConsumerName. Raises ResourceNotFoundException."""
    arn, name = params.get("ConsumerARN"), params.get("ConsumerName")
    if not arn and not (name and params.get("StreamARN")):
        raise invalid("Either ConsumerARN, or StreamARN and ConsumerName must be specified.")
    stream = _find(response.kinesis_backend, arn or params["StreamARN"], None)
    for consumer in stream.consumers:
        if consumer.consumer_arn == arn or (not arn and consumer.consumer_name == name):
            return stream, consumer
    raise JsonRESTError("ResourceNotFoundException", f"Consumer {arn or name}, account {stream.account_id} not found.")


def register_stream_consumer(self: Any) -> ActionResult:
    """See Stream.register."""
    params = _body(self)
    consumer = _stream(self, params).register(params["ConsumerName"])
    consumer.tags.update(params.get("Tags") or {})
    return ActionResult({"Consumer": consumer.to_json()})


def describe_stream_consumer(self: Any) -> ActionResult:
    """By name or ARN."""
    _, consumer = _consumer(self, _body(self))
    return ActionResult({"ConsumerDescription": consumer.to_json(include_stream_arn=True)})


def deregister_stream_consumer(self: Any) -> ActionResult:
    """By name or ARN; the others stay."""
    stream, consumer = _consumer(self, _body(self))
    with stream.changed:
        stream.delete_consumer(consumer.consumer_arn)
    return EmptyResult()


# --- tags of a resource -----------------------------------------------------------------------------------------------


def _tags(response: Any, params: dict[str, Any]) -> dict[str, str]:
    arn = params["ResourceARN"]
    owner: Any = _find(response.kinesis_backend, arn, None)
    if "/consumer/" in arn:
        _, owner = _consumer(response, {"ConsumerARN": arn})
    tags: dict[str, str] = owner.tags
    return tags


def tag_resource(self: Any) -> ActionResult:
    """Missing in moto."""
    params = _body(self)
    _tags(self, params).update(params["Tags"])
    return EmptyResult()


def untag_resource(self: Any) -> ActionResult:
    """Missing in moto."""
    params = _body(self)
    tags = _tags(self, params)
    for key in params["TagKeys"]:
        tags.pop(key, None)
    return EmptyResult()


def list_tags_for_resource(self: Any) -> ActionResult:
    """Missing in moto."""
    tags = _tags(self, _body(self))
    return ActionResult({"Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())]})


_OPERATIONS: tuple[Callable[[Any], ActionResult | Raw], ...] = (
    create_stream,
    delete_stream,
    describe_stream,
    list_streams,
    update_max_record_size,
    list_shards,
    split_shard,
    merge_shards,
    put_record,
    put_records,
    get_shard_iterator,
    get_records,
    subscribe_to_shard,
    register_stream_consumer,
    describe_stream_consumer,
    deregister_stream_consumer,
    tag_resource,
    untag_resource,
    list_tags_for_resource,
)
