"""Reading shards: what there are, and their records from a position on.

Sources: botocore's kinesis and dynamodbstreams models;
https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html (polling, enhanced fan-out).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from durable_sandbox.aws.errors import AwsError
from durable_sandbox.events.streams.records import RecordOrigin, StreamRecord, dynamodb_record, kinesis_record
from durable_sandbox.events.streams.spec import StreamSpec

ReadCall = Callable[[str, str, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""A call of ``service``, ``operation`` with parameters, as the role that reads. Raises AwsError."""

_HOUR_S = 3600.0
_DYNAMODB_RETENTION_S = 24 * _HOUR_S
_DYNAMODB_PAGE = 1000
# Pushed: a subscription without records has waited for some itself.
_BETWEEN_SUBSCRIPTIONS_S = 0.02
_EXPIRED = "ExpiredIteratorException"
_TRIMMED = "TrimmedDataAccessException"


@dataclass(frozen=True, slots=True)
class Position:
    """Where to read from: an iterator type, with the sequence number or the time that it needs."""

    kind: str
    sequence: str | None = None
    timestamp: datetime | None = None


TRIM_HORIZON = Position("TRIM_HORIZON")
LATEST = Position("LATEST")


def after(record_number: str) -> Position:
    """Behind the record with that sequence number."""
    return Position("AFTER_SEQUENCE_NUMBER", record_number)


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard. ``parents``: the shards that it came from; ``closed``: it takes no more records."""

    shard_id: str
    parents: tuple[str, ...]
    closed: bool


@dataclass(frozen=True, slots=True)
class Page:
    """Records, and where to read on; None at the end of a closed shard."""

    records: Sequence[StreamRecord]
    following: Position | None


class ShardReader(Protocol):
    """Reads one shard."""

    async def read(self, position: Position, limit: int) -> Page:
        """Up to ``limit`` records from ``position``. Raises AwsError."""
        ...


class StreamReader(Protocol):
    """Reads one stream."""

    pause_s: float
    """Seconds between two reads of a shard that had nothing."""

    async def shards(self) -> list[Shard]:
        """All shards that still hold data. Raises AwsError."""
        ...

    async def retention_s(self) -> float:
        """Seconds after which the stream forgets a record. Raises AwsError."""
        ...

    def reader(self, shard_id: str) -> ShardReader:
        """The reader of a shard."""
        ...


def stream_reader(spec: StreamSpec, call: ReadCall, origin: RecordOrigin) -> StreamReader:
    """The reader of ``spec``'s source."""
    return KinesisReader(spec, call, origin) if spec.is_kinesis else DynamoDbReader(spec, call, origin)


class _Iterating:
    """A shard read by iterators: kept from page to page, asked for again when it has expired."""

    def __init__(self, service: str, call: ReadCall, shard: Mapping[str, str], number_member: str) -> None:
        self._service = service
        self._call = call
        self._shard = shard
        self._number_member = number_member
        self._next: tuple[Position, str] | None = None

    async def page(self, position: Position, limit: int) -> tuple[Mapping[str, Any], bool]:
        """GetRecords' answer at ``position``, and whether the shard ends with it."""
        for _ in range(2):
            iterator = await self._iterator(position)
            try:
                answer = await self._call(self._service, "GetRecords", {"ShardIterator": iterator, "Limit": limit})
            except AwsError as error:
                self._next = None
                if error.code != _EXPIRED:
                    raise
                continue
            following = answer.get("NextShardIterator")
            records = answer.get("Records") or ()
            self._next = None if following is None else (self._behind(position, records), str(following))
            return answer, following is None
        raise AwsError(_EXPIRED, "The iterator expired before it was used.")

    def _behind(self, position: Position, records: Sequence[Mapping[str, Any]]) -> Position:
        if not records:
            return position
        last = records[-1]
        return after(str(last["SequenceNumber"] if "SequenceNumber" in last else last["dynamodb"]["SequenceNumber"]))

    async def _iterator(self, position: Position) -> str:
        if self._next is not None and self._next[0] == position:
            return self._next[1]
        params: dict[str, Any] = {**self._shard, "ShardIteratorType": position.kind}
        if position.sequence is not None:
            params[self._number_member] = position.sequence
        if position.timestamp is not None:
            params["Timestamp"] = position.timestamp
        return str((await self._call(self._service, "GetShardIterator", params))["ShardIterator"])

    @property
    def following(self) -> Position | None:
        """Where the next page begins."""
        return None if self._next is None else self._next[0]


class KinesisReader:
    """A Kinesis stream, by GetRecords once a second a shard, or by SubscribeToShard for a consumer."""

    pause_s = 1.0

    def __init__(self, spec: StreamSpec, call: ReadCall, origin: RecordOrigin) -> None:
        self._stream = str(spec.stream)
        self._consumer = str(spec.source) if spec.has_consumer else None
        self._call = call
        self._origin = origin
        if spec.has_consumer:
            self.pause_s = _BETWEEN_SUBSCRIPTIONS_S

    async def shards(self) -> list[Shard]:
        """ListShards, all pages."""
        shards: list[Shard] = []
        params: dict[str, Any] = {"StreamARN": self._stream}
        while True:
            answer = await self._call("kinesis", "ListShards", params)
            shards += [_shard(raw, ("ParentShardId", "AdjacentParentShardId")) for raw in answer["Shards"]]
            token = answer.get("NextToken")
            if not token:
                return shards
            params = {"NextToken": token}

    async def retention_s(self) -> float:
        """RetentionPeriodHours."""
        answer = await self._call("kinesis", "DescribeStreamSummary", {"StreamARN": self._stream})
        return float(answer["StreamDescriptionSummary"]["RetentionPeriodHours"]) * _HOUR_S

    def reader(self, shard_id: str) -> ShardReader:
        """By iterator, or as the consumer."""
        if self._consumer is not None:
            return _Subscribed(self._call, self._consumer, shard_id, self._origin)
        return _KinesisShard(self._call, self._stream, shard_id, self._origin)


class _KinesisShard:
    def __init__(self, call: ReadCall, stream: str, shard_id: str, origin: RecordOrigin) -> None:
        shard = {"StreamARN": stream, "ShardId": shard_id}
        self._pages = _Iterating("kinesis", call, shard, "StartingSequenceNumber")
        self._shard_id = shard_id
        self._origin = origin

    async def read(self, position: Position, limit: int) -> Page:
        answer, ended = await self._pages.page(position, limit)
        records = [kinesis_record(raw, self._shard_id, self._origin) for raw in answer["Records"]]
        return Page(records, None if ended else self._pages.following)


class _Subscribed:
    """A shard as an enhanced fan-out consumer gets it: pushed, and subscribed to again whenever that ends."""

    def __init__(self, call: ReadCall, consumer: str, shard_id: str, origin: RecordOrigin) -> None:
        self._call = call
        self._consumer = consumer
        self._shard_id = shard_id
        self._origin = origin

    async def read(self, position: Position, limit: int) -> Page:
        del limit  # the push decides
        start: dict[str, Any] = {"Type": position.kind}
        if position.sequence is not None:
            start["SequenceNumber"] = position.sequence
        if position.timestamp is not None:
            start["Timestamp"] = position.timestamp
        params = {"ConsumerARN": self._consumer, "ShardId": self._shard_id, "StartingPosition": start}
        answer = await self._call("kinesis", "SubscribeToShard", params)
        records: list[StreamRecord] = []
        following: Position | None = position
        for item in answer["EventStream"]:
            event = item.get("SubscribeToShardEvent")
            if event is None:
                continue
            records += [kinesis_record(raw, self._shard_id, self._origin) for raw in event["Records"]]
            # Also without records: LATEST asked for again would pass over what came in between.
            continuation = event.get("ContinuationSequenceNumber")
            following = None if event.get("ChildShards") else after(continuation) if continuation else following
        return Page(records, following)


class DynamoDbReader:
    """A DynamoDB stream: four reads a second a shard, data kept for 24 hours."""

    pause_s = 0.25

    def __init__(self, spec: StreamSpec, call: ReadCall, origin: RecordOrigin) -> None:
        self._stream = str(spec.stream)
        self._call = call
        self._origin = origin

    async def shards(self) -> list[Shard]:
        """DescribeStream, all pages."""
        shards: list[Shard] = []
        params: dict[str, Any] = {"StreamArn": self._stream}
        while True:
            description = (await self._call("dynamodbstreams", "DescribeStream", params))["StreamDescription"]
            shards += [_shard(raw, ("ParentShardId",)) for raw in description.get("Shards") or ()]
            last = description.get("LastEvaluatedShardId")
            if not last:
                return shards
            params["ExclusiveStartShardId"] = last

    async def retention_s(self) -> float:
        """24 hours: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html."""
        return _DYNAMODB_RETENTION_S

    def reader(self, shard_id: str) -> ShardReader:
        """By iterator."""
        return _DynamoDbShard(self._call, self._stream, shard_id, self._origin)


class _DynamoDbShard:
    def __init__(self, call: ReadCall, stream: str, shard_id: str, origin: RecordOrigin) -> None:
        shard = {"StreamArn": stream, "ShardId": shard_id}
        self._pages = _Iterating("dynamodbstreams", call, shard, "SequenceNumber")
        self._origin = origin

    async def read(self, position: Position, limit: int) -> Page:
        if position.kind == LATEST.kind:
            return Page((), await self._newest())
        try:
            answer, ended = await self._pages.page(position, min(limit, _DYNAMODB_PAGE))
        except AwsError as error:
            if error.code != _TRIMMED:
                raise
            # What lay behind has expired; what is left begins at the horizon.
            answer, ended = await self._pages.page(TRIM_HORIZON, min(limit, _DYNAMODB_PAGE))
        records = [dynamodb_record(raw, self._origin) for raw in answer["Records"]]
        return Page(records, None if ended else self._pages.following)

    async def _newest(self) -> Position | None:
        """Behind what is there now, by its number: asked for anew, LATEST would pass over what came during a pause."""
        position: Position | None = TRIM_HORIZON
        while position is not None:
            answer, ended = await self._pages.page(position, _DYNAMODB_PAGE)
            if ended:
                return None
            if not answer["Records"]:
                return position
            position = self._pages.following
        return None


def _shard(raw: Mapping[str, Any], parent_members: Sequence[str]) -> Shard:
    parents = tuple(str(raw[member]) for member in parent_members if raw.get(member))
    return Shard(str(raw["ShardId"]), parents, "EndingSequenceNumber" in raw["SequenceNumberRange"])
