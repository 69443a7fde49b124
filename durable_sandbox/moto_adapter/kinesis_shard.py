"""One Kinesis shard: an append-only log with AWS's sequence numbers, read by binary search.

Gaps closed in moto 5.2.5: its sequence numbers are 1, 2, 3 in each shard, two puts at a time can get the same one (the
second record then replaces the first), a read walks the shard from its first record, and nothing ever expires.
"""

from __future__ import annotations

import bisect
import json
import math
import time
from dataclasses import dataclass
from typing import Any

MAX_HASH = 2**128 - 1
_LAST_INDEX = 0x7FFFFFFFFFFFFFFF
_NUMBER_DIGITS = 47
_MICROSECONDS = 1_000_000


def now() -> float:
    """Seconds since the epoch, to the millisecond: the precision of ApproximateArrivalTimestamp."""
    return math.floor(time.time() * 1000) / 1000


def shard_name(index: int) -> str:
    """The id of a stream's shard number ``index``."""
    return f"shardId-{index:012d}"


def sequence_number(created: int, index: int, position: int, moment: int) -> int:
    """A sequence number: 47 hexadecimal digits, 56 decimal ones that begin with 49.

    From the left: version, the shard's creation in seconds, the last digit of the shard's number, the position in the
    shard, a byte, the record's second, the shard's number, version. Kinesalite found this out from real streams:
    https://github.com/mhart/kinesalite/blob/master/db/index.js (version 2).
    """
    return int(f"2{created:09x}{index % 16:x}{position:016x}00{moment:09x}{index:08x}2", 16)


def origin(number: int) -> tuple[int, int] | None:
    """Creation second and number of the shard that a sequence number encodes; None if it encodes none."""
    digits = f"{number:x}"
    if len(digits) != _NUMBER_DIGITS or digits[0] != "2":
        return None
    return int(digits[1:10], 16), int(digits[38:46], 16)


def is_of_a_record(number: int) -> bool:
    """Whether a record may have that number; the position behind the newest record ends otherwise."""
    return f"{number:x}".endswith("2")


@dataclass(frozen=True, slots=True)
class Record:
    """A record; ``text`` is the JSON that GetRecords gives of it, ``size`` its data and partition key in bytes."""

    number: int
    arrived: float
    size: int
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """Records read from a position, the position after them, and how far that is behind the shard's tip.

    ``at_end``: the shard is closed and nothing is left after ``position``.
    """

    records: list[Record]
    position: int
    behind: float
    at_end: bool


class Shard:
    """A range of hash keys and its records. A position is the lowest sequence number to be read next.

    Not thread-safe: its stream holds the lock.
    """

    def __init__(
        self,
        index: int,
        starting_hash: int,
        ending_hash: int,
        *,
        parent: Shard | None = None,
        adjacent_parent: Shard | None = None,
    ) -> None:
        self.index = index
        self.shard_id = shard_name(index)
        self.starting_hash = starting_hash
        self.ending_hash = ending_hash
        self.parent = parent.shard_id if parent else None
        self.adjacent_parent = adjacent_parent.shard_id if adjacent_parent else None
        self.opened_at = now()
        self.closed_at: float | None = None
        # A child is at least a second younger, so that its sequence numbers are above all of its parents'.
        older = [shard.created + 1 for shard in (parent, adjacent_parent) if shard]
        self.created: int = max([int(self.opened_at), *older])
        # Streams of one name that are made in the same second must not share sequence numbers.
        self._next_index = (time.time_ns() // 1000 % _MICROSECONDS + 1) << 24
        self.start = sequence_number(self.created, index, 0, self.created)
        self.end = sequence_number(self.created, index, _LAST_INDEX, self.created)
        self._records: list[Record] = []
        self._numbers: list[int] = []
        self._tip = self.start + 1

    @property
    def is_open(self) -> bool:
        """Whether it takes records."""
        return self.closed_at is None

    def close(self) -> None:
        """Take no more records."""
        self.closed_at = now()

    def append(self, key: str, data: str, size: int, encryption: str) -> str:
        """Add a record with ``data`` in base64 and return its sequence number."""
        moment = max(now(), self._records[-1].arrived) if self._records else now()
        number = sequence_number(self.created, self.index, self._next_index, int(moment))
        self._next_index += 1
        secret = "" if encryption == "NONE" else f',"EncryptionType":"{encryption}"'
        text = (
            f'{{"SequenceNumber":"{number}","ApproximateArrivalTimestamp":{moment:.3f},"Data":"{data}",'
            f'"PartitionKey":{json.dumps(key)}{secret}}}'
        )
        self._records.append(Record(number, moment, size, text))
        self._numbers.append(number)
        self._tip = number + 1
        return str(number)

    def trim(self, horizon: float) -> None:
        """Forget the records that arrived before ``horizon``."""
        if self._records and self._records[0].arrived < horizon:
            kept = bisect.bisect_left(self._records, horizon, key=lambda record: record.arrived)
            del self._records[:kept], self._numbers[:kept]

    def latest(self) -> int:
        """The position after the newest record."""
        return self._tip

    def at_time(self, moment: float) -> int:
        """The position of the first record that arrived at ``moment`` or later."""
        index = bisect.bisect_left(self._records, moment, key=lambda record: record.arrived)
        return self._numbers[index] if index < len(self._numbers) else self._tip

    def read(self, position: int, limit: int, max_bytes: int) -> Page:
        """Up to ``limit`` records and ``max_bytes`` from ``position``; at least one if there is one."""
        first = last = bisect.bisect_left(self._numbers, position)
        size = 0
        while last < len(self._records) and last - first < limit:
            size += self._records[last].size
            if size > max_bytes and last > first:
                break
            last += 1
        records = self._records[first:last]
        if last < len(self._records):
            # Zero would say that the reader has caught up.
            behind = max(now() - self._records[last].arrived, 0.001)
            return Page(records, records[-1].number + 1, behind, at_end=False)
        return Page(records, max(position, self._tip), 0.0, at_end=not self.is_open)

    def to_json(self) -> dict[str, Any]:
        """As ListShards and DescribeStream give it."""
        numbers = {"StartingSequenceNumber": str(self.start)}
        if not self.is_open:
            numbers["EndingSequenceNumber"] = str(self.end)
        shard: dict[str, Any] = {
            "ShardId": self.shard_id,
            "HashKeyRange": self.hash_range(),
            "SequenceNumberRange": numbers,
        }
        if self.parent:
            shard["ParentShardId"] = self.parent
        if self.adjacent_parent:
            shard["AdjacentParentShardId"] = self.adjacent_parent
        return shard

    def hash_range(self) -> dict[str, str]:
        """Its HashKeyRange."""
        return {"StartingHashKey": str(self.starting_hash), "EndingHashKey": str(self.ending_hash)}

    def as_child(self) -> dict[str, Any]:
        """Its ChildShard in the last answer of a parent."""
        parents = [parent for parent in (self.parent, self.adjacent_parent) if parent]
        return {"ShardId": self.shard_id, "ParentShards": parents, "HashKeyRange": self.hash_range()}
