"""Reads failed records back from their shard, page by page."""

import base64
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from clients import LONGEST_READ_MILLISECONDS, OutOfTimeError, client
from failures import FailedBatch
from items import Item
from record import DYNAMODB, KINESIS

# GetRecords of DynamoDB takes no more; Kinesis would:
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
MAX_PAGE = 1000

# A shard allows five reads a second (https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html): one is
# left for each second of the consumer that still works.
PAUSE_SECONDS = 0.25

# An iterator lasts 5 minutes with Kinesis, 15 with DynamoDB; what it points at may be trimmed meanwhile.
RENEWABLE = ("ExpiredIteratorException", "TrimmedDataAccessException")


class Seen:
    """Which records of a batch have come by.

    Attributes:
        count: How many between the batch's first and last.
        last: Sequence number of the last record, in the batch or before it.
    """

    def __init__(self, batch: FailedBatch) -> None:
        self._start, self._end = int(batch.start), int(batch.end)
        self._size = batch.size
        self._first = self._final = self._passed = False
        self.count = 0
        self.last: str | None = None

    def within(self, items: list[Item]) -> list[Item]:
        """Return those of the shard's next records that are of the batch.

        Sequence numbers are compared as numbers: as texts a longer one may come first.
        """
        chosen = []
        for item in items:
            number = int(item.number)
            if number > self._end:
                self._passed = True
                break
            if self.last is not None and number <= int(self.last):
                continue  # read a second time: from the oldest record on, after a trim
            self.last = item.number
            if number >= self._start:
                chosen.append(item)
                self._first = self._first or number == self._start
                self._final = number == self._end
        self.count += len(chosen)
        return chosen

    @property
    def ended(self) -> bool:
        """Whether no later record can be of the batch."""
        return self._final or self._passed

    @property
    def missing(self) -> int:
        """How many failed records did not come by, at least; 0 if none is known to be missing.

        The first and the last record of a batch failed, so that without them the stream has lost some, however many
        others there are in between.
        """
        ends = {self._start: self._first, self._end: self._final}
        return max(self._size - self.count, sum(not found for found in ends.values()))


@dataclass(frozen=True)
class _Page:
    items: list[Item]
    next_iterator: str | None
    at_tip: bool


def read_back(batch: FailedBatch, seen: Seen, remaining: Callable[[], int]) -> Iterator[list[Item]]:
    """Yield the batch's records, page by page, until its last or the end of the shard.

    What was not there is known from `seen` afterwards.

    Args:
        batch: What to read.
        seen: Keeps account; new for each reading.
        remaining: Milliseconds that the invocation still has.

    Raises:
        OutOfTimeError: if another read might not end in time.
        ClientError: ResourceNotFoundException without the stream or shard, and whatever else AWS refuses.
    """
    shard = _Kinesis(batch) if batch.is_kinesis else _DynamoDb(batch)
    iterator: str | None = _renewed(shard, batch, seen, remaining)
    while iterator is not None and not seen.ended:
        _check_time(remaining)
        try:
            page = shard.page(iterator)
        except ClientError as error:
            if error.response["Error"]["Code"] not in RENEWABLE:
                raise
            time.sleep(PAUSE_SECONDS)
            iterator = _renewed(shard, batch, seen, remaining)
            continue
        yield seen.within(page.items)
        if page.at_tip and not page.items:
            return
        iterator = page.next_iterator
        if iterator is not None and not seen.ended:
            time.sleep(PAUSE_SECONDS)


def _renewed(shard: "_Kinesis | _DynamoDb", batch: FailedBatch, seen: Seen, remaining: Callable[[], int]) -> str:
    _check_time(remaining)
    try:
        if seen.last is None:
            return shard.iterator("AT_SEQUENCE_NUMBER", batch.start)
        return shard.iterator("AFTER_SEQUENCE_NUMBER", seen.last)
    except ClientError as error:
        # DynamoDB refuses what is past retention, where Kinesis begins with its oldest record. What is left counts.
        if error.response["Error"]["Code"] != "TrimmedDataAccessException":
            raise
    _check_time(remaining)
    return shard.iterator("TRIM_HORIZON", None)


def _check_time(remaining: Callable[[], int]) -> None:
    if remaining() < LONGEST_READ_MILLISECONDS:
        raise OutOfTimeError("no time left to read the shard")


class _Kinesis:
    """https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetShardIterator.html."""

    def __init__(self, batch: FailedBatch) -> None:
        self._batch = batch
        # No more than failed: a shard's 2 MB a second are shared, too.
        self._limit = min(batch.size, MAX_PAGE)

    def iterator(self, kind: str, number: str | None) -> str:
        start = {} if number is None else {"StartingSequenceNumber": number}
        batch = self._batch
        reply = client("kinesis").get_shard_iterator(
            StreamARN=batch.stream_arn, ShardId=batch.shard_id, ShardIteratorType=kind, **start
        )
        return str(reply["ShardIterator"])

    def page(self, iterator: str) -> _Page:
        reply = client("kinesis").get_records(
            ShardIterator=iterator, Limit=self._limit, StreamARN=self._batch.stream_arn
        )
        # A page may be empty in front of records: only at the tip of the stream is nothing behind it.
        return _Page(
            [Item.of(self._event(raw), self._batch.shard_id) for raw in reply["Records"]],
            reply.get("NextShardIterator"),
            reply.get("MillisBehindLatest") == 0,
        )

    def _event(self, raw: dict[str, Any]) -> dict[str, Any]:
        """https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html#services-kinesis-event-example."""
        fields = {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": raw["PartitionKey"],
            "sequenceNumber": raw["SequenceNumber"],
            "data": base64.b64encode(raw["Data"]).decode(),
        }
        if "ApproximateArrivalTimestamp" in raw:
            fields["approximateArrivalTimestamp"] = round(raw["ApproximateArrivalTimestamp"].timestamp(), 3)
        return {
            "kinesis": fields,
            "eventSource": KINESIS,
            "eventVersion": "1.0",
            "eventID": f"{self._batch.shard_id}:{raw['SequenceNumber']}",
            "eventName": "aws:kinesis:record",
            "awsRegion": _region(self._batch.stream_arn),
            "eventSourceARN": self._batch.stream_arn,
        }


class _DynamoDb:
    """https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetShardIterator.html."""

    def __init__(self, batch: FailedBatch) -> None:
        self._batch = batch
        self._limit = min(batch.size, MAX_PAGE)

    def iterator(self, kind: str, number: str | None) -> str:
        start = {} if number is None else {"SequenceNumber": number}
        batch = self._batch
        reply = client("dynamodbstreams").get_shard_iterator(
            StreamArn=batch.stream_arn, ShardId=batch.shard_id, ShardIteratorType=kind, **start
        )
        return str(reply["ShardIterator"])

    def page(self, iterator: str) -> _Page:
        reply = client("dynamodbstreams").get_records(ShardIterator=iterator, Limit=self._limit)
        # This service does not tell where its tip is.
        return _Page(
            [Item.of(self._event(raw), self._batch.shard_id) for raw in reply["Records"]],
            reply.get("NextShardIterator"),
            at_tip=False,
        )

    def _event(self, raw: dict[str, Any]) -> dict[str, Any]:
        """https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html: times are whole seconds."""
        change = dict(raw["dynamodb"])
        for image in ("Keys", "NewImage", "OldImage"):
            if image in change:
                change[image] = _in_base64(change[image])
        if "ApproximateCreationDateTime" in change:
            change["ApproximateCreationDateTime"] = int(change["ApproximateCreationDateTime"].timestamp())
        event = {
            "eventID": raw["eventID"],
            "eventName": raw["eventName"],
            "eventVersion": raw["eventVersion"],
            "eventSource": DYNAMODB,
            "awsRegion": _region(self._batch.stream_arn),
            "dynamodb": change,
            "eventSourceARN": self._batch.stream_arn,
        }
        # Of a removal by time to live: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
        if identity := raw.get("userIdentity"):
            event["userIdentity"] = {"type": identity.get("Type"), "principalId": identity.get("PrincipalId")}
        return event


def _region(arn: str) -> str:
    return arn.split(":")[3]


def _in_base64(value: Any) -> Any:
    """Write binary attributes as an event has them: boto3 decodes what is base64 in JSON."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {name: _in_base64(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_in_base64(item) for item in value]
    return value
