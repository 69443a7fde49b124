"""Reads failed records back from their shard, page by page."""

import base64
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from clients import LONGEST_READ_MILLISECONDS, OutOfTimeError, client
from failures import FailedBatch
from record import DYNAMODB, KINESIS, Record, normalise, sequence_number

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

    def within(self, records: list[Record]) -> list[Record]:
        """Return those of the shard's next records that are of the batch.

        Sequence numbers are compared as numbers: as texts a longer one may come first.
        """
        chosen = []
        for record in records:
            number = int(sequence_number(record))
            if number > self._end:
                self._passed = True
                break
            if self.last is not None and number <= int(self.last):
                continue  # read a second time: from the oldest record on, after a trim
            self.last = sequence_number(record)
            if number >= self._start:
                chosen.append(record)
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
    records: list[Record]
    next_iterator: str | None
    at_tip: bool


def read_back(batch: FailedBatch, seen: Seen, remaining: Callable[[], int]) -> Iterator[list[Record]]:
    """Yield the batch's records in normal form, page by page, until its last or the end of the shard.

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
        yield seen.within(page.records)
        if page.at_tip and not page.records:
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
            [self._record(raw) for raw in reply["Records"]],
            reply.get("NextShardIterator"),
            reply.get("MillisBehindLatest") == 0,
        )

    def _record(self, raw: dict[str, Any]) -> Record:
        fields = {
            "sequenceNumber": raw["SequenceNumber"],
            "partitionKey": raw["PartitionKey"],
            "data": base64.b64encode(raw["Data"]).decode(),
        }
        if "ApproximateArrivalTimestamp" in raw:
            fields["approximateArrivalTimestamp"] = raw["ApproximateArrivalTimestamp"].timestamp()
        return normalise({"eventSource": KINESIS, "eventSourceARN": self._batch.stream_arn, "kinesis": fields})


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
        return _Page([self._record(raw) for raw in reply["Records"]], reply.get("NextShardIterator"), at_tip=False)

    def _record(self, raw: dict[str, Any]) -> Record:
        change = dict(raw["dynamodb"])
        for image in ("Keys", "NewImage", "OldImage"):
            if image in change:
                change[image] = _in_base64(change[image])
        if "ApproximateCreationDateTime" in change:
            change["ApproximateCreationDateTime"] = change["ApproximateCreationDateTime"].timestamp()
        return normalise(
            {
                "eventSource": DYNAMODB,
                "eventSourceARN": self._batch.stream_arn,
                "eventName": raw["eventName"],
                "dynamodb": change,
            }
        )


def _in_base64(value: Any) -> Any:
    """Write binary attributes as an event has them: boto3 decodes what is base64 in JSON."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {name: _in_base64(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_in_base64(item) for item in value]
    return value
