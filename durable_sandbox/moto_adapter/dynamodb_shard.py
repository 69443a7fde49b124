"""The shard of a DynamoDB stream, and how writes to tables reach it. What it closes in moto: see ``dynamodb_streams``."""

from __future__ import annotations

import base64
import bisect
import json
import math
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from moto.core.utils import unix_time, utcnow
from moto.dynamodb.models.table import Table

_RETENTION_SECONDS = 24 * 3600
_MAX_BYTES = 1_000_000
_SETS = ("SS", "NS", "BS")
FIRST_NUMBER = 1_100_000_000_017_454_423_009
"""A shard's StartingSequenceNumber; its records follow."""

Image = Mapping[str, Any]


def now() -> float:
    """Seconds since the epoch."""
    return time.time()


@dataclass(slots=True)
class Change:
    """What a call does to an item: its images before and after."""

    old: Image | None
    new: Image | None


writing = threading.RLock()
_held: ContextVar[dict[tuple[Shard, str], Change] | None] = ContextVar("held", default=None)


@contextmanager
def one_write() -> Iterator[None]:
    """Write alone; what is written reaches the streams at the end, and not at all if the call fails."""
    if _held.get() is not None:
        yield
        return
    with writing:
        changes: dict[tuple[Shard, str], Change] = {}
        token = _held.set(changes)
        try:
            yield
        finally:
            _held.reset(token)
        for (shard, _), change in changes.items():
            shard.append(change)


@dataclass(frozen=True, slots=True)
class Record:
    """A record; ``text`` is the JSON that GetRecords gives of it."""

    created: int
    size: int
    text: str


class Shard:
    """A stream's only shard, in the place of moto's StreamShard."""

    def __init__(self, table: Table, label: str) -> None:
        self.arn = f"{table.table_arn}/stream/{label}"
        self.label = label
        self.region = table.region_name
        self.view = str(table.stream_specification["StreamViewType"])
        self.keys = list(table.table_key_attrs)
        self.created_on = utcnow()
        self.id = f"shardId-{int(unix_time(self.created_on) * 1000):020d}-{uuid4().hex[:8]}"
        self.closed_at: float | None = None
        self._records: list[Record] = []
        self._trimmed = 0

    def __deepcopy__(self, memo: dict[int, Any]) -> Shard:
        """A transaction copies its tables to restore them if it fails; by then it has added nothing here."""
        return self

    def add(self, old: Any, new: Any) -> None:
        """Take a modification of an item (moto's name and objects)."""
        change = Change(*(None if item is None else _image(item) for item in (old, new)))
        changes = _held.get()
        if changes is None:
            with writing:
                self.append(change)
            return
        image = change.new if change.new is not None else change.old
        key = json.dumps([image[name] for name in self.keys if image and name in image])
        earlier = changes.get((self, key))
        if earlier is None:
            changes[self, key] = change
        else:
            earlier.new = change.new

    def append(self, change: Change) -> None:
        """Add the record of a change, unless it changes nothing or the stream is disabled."""
        if self.closed_at is not None or _canonical(change.old) == _canonical(change.new):
            return
        created = max(math.floor(now()), self._records[-1].created if self._records else 0)
        image = change.new if change.new is not None else change.old
        body: dict[str, Any] = {
            "ApproximateCreationDateTime": created,
            "Keys": {name: image[name] for name in self.keys} if image else {},
        }
        if change.new is not None and self.view in ("NEW_IMAGE", "NEW_AND_OLD_IMAGES"):
            body["NewImage"] = change.new
        if change.old is not None and self.view in ("OLD_IMAGE", "NEW_AND_OLD_IMAGES"):
            body["OldImage"] = change.old
        size = sum(_item_size(body[member]) for member in ("Keys", "NewImage", "OldImage") if member in body)
        body |= {"SequenceNumber": str(self.latest()), "SizeBytes": size, "StreamViewType": self.view}
        kind = "INSERT" if change.old is None else "REMOVE" if change.new is None else "MODIFY"
        record = {
            "eventID": uuid4().hex,
            "eventName": kind,
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": self.region,
            "dynamodb": body,
        }
        self._records.append(Record(created, size, json.dumps(record, separators=(",", ":"))))

    # --- reading ------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Take no more records: the stream is disabled."""
        self.closed_at = now()

    def expired(self) -> bool:
        """Whether it was disabled so long ago that AWS has deleted it."""
        return self.closed_at is not None and now() - self.closed_at > _RETENTION_SECONDS

    def trim(self) -> None:
        """Forget the records of more than 24 hours ago."""
        horizon = now() - _RETENTION_SECONDS
        if self._records and self._records[0].created < horizon:
            count = bisect.bisect_left(self._records, horizon, key=lambda record: record.created)
            del self._records[:count]
            self._trimmed += count

    def oldest(self) -> int:
        """The sequence number of the oldest record that is left, or of the next."""
        return FIRST_NUMBER + 1 + self._trimmed

    def latest(self) -> int:
        """The sequence number of the next record."""
        return self.oldest() + len(self._records)

    def at_time(self, moment: float) -> int:
        """The sequence number of the first record of ``moment`` or later."""
        return self.oldest() + bisect.bisect_left(self._records, moment, key=lambda record: record.created)

    def read(self, position: int, limit: int) -> list[Record]:
        """Up to ``limit`` records and 1 MB from ``position``; at least one if there is one."""
        found: list[Record] = []
        size = 0
        first = position - self.oldest()
        for record in self._records[first : first + limit]:
            size += record.size
            if size > _MAX_BYTES and found:
                break
            found.append(record)
        return found

    def to_json(self) -> dict[str, Any]:
        """As DescribeStream gives it."""
        numbers = {"StartingSequenceNumber": str(FIRST_NUMBER)}
        if self.closed_at is not None:
            numbers["EndingSequenceNumber"] = str(self.latest() - 1)
        return {"ShardId": self.id, "SequenceNumberRange": numbers}


def _image(item: Any) -> Image:
    """An item's attributes, with nothing of it shared: moto changes items in place."""
    image: Image = {name: value.to_regular_json() for name, value in item.attrs.items()}
    return json.loads(json.dumps(image, default=_binary))  # type: ignore[no-any-return]


def _binary(value: Any) -> str:
    return base64.b64encode(value).decode()


def _canonical(value: Any) -> Any:
    """An image in which the order of sets says nothing."""
    if isinstance(value, Mapping):
        return {
            name: sorted(inner) if name in _SETS and isinstance(inner, list) else _canonical(inner)
            for name, inner in value.items()
        }
    return [_canonical(inner) for inner in value] if isinstance(value, list) else value


def _item_size(image: Image) -> int:
    """Bytes of an item: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html."""
    return sum(len(name.encode()) + _size(value) for name, value in image.items())


def _size(value: Mapping[str, Any]) -> int:
    """Bytes of an attribute's value: a number takes one for two digits, a container three, and one for a member."""
    ((kind, inner),) = value.items()
    match kind:
        case "M":
            return _item_size(inner) + len(inner) + 3
        case "L":
            return sum(_size(member) + 1 for member in inner) + 3
        case "SS" | "NS" | "BS":
            return sum(_size({kind[0]: member}) for member in inner)
        case _:
            return _scalar_size(kind, inner)


def _scalar_size(kind: str, value: Any) -> int:
    text = str(value)
    match kind:
        case "S":
            return len(text.encode())
        case "N":
            return (len(text.replace(".", "").strip("-0")) + 1) // 2 + 1
        case "B":
            return len(text) // 4 * 3 - text.count("=")
        case _:
            return 1
