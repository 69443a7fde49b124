"""Reading a Kinesis shard: GetShardIterator, GetRecords and SubscribeToShard.

Gaps closed in moto 5.2.5, each against the Kinesis API Reference:
- an iterator never expires (AWS: five minutes), and one that moto cannot decode is its internal error;
- any sequence number is taken, and AT_TIMESTAMP after the last record is an internal error;
- Limit has no bounds, and an answer no size (AWS: 10,000 records, 10 MiB);
- at the end of a closed shard there is still a next iterator, and no ChildShards;
- SubscribeToShard is missing.

Not as on AWS: reads are not throttled (5 calls and 2 MiB a second and shard).
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from moto.core.eventstream import EventStreamEncoder, EventStreamMessage
from moto.core.exceptions import JsonRESTError

from durable_sandbox.moto_adapter import kinesis_shard
from durable_sandbox.moto_adapter.kinesis_shard import Page, Shard, origin
from durable_sandbox.moto_adapter.kinesis_stream import Stream, invalid, violation

_LIFETIME_SECONDS = 300
_MAX_RECORDS = 10_000
_MAX_BYTES = 10 * 1024 * 1024
_WAIT_SECONDS = 0.25
_BY_NUMBER = ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER")


@dataclass(frozen=True, slots=True)
class Iterator:
    """What a shard iterator says. ``position``: the lowest sequence number to be read; ``issued``: epoch seconds."""

    stream: str
    shard_id: str
    position: int
    issued: float

    def encode(self) -> str:
        """As clients see it; ``iam.actions.kinesis`` reads the stream's name from it."""
        text = f"{self.stream}:{self.shard_id}:{self.position}:{self.issued:.3f}"
        return base64.b64encode(text.encode()).decode()

    @classmethod
    def decode(cls, text: str) -> Iterator:
        """What ``encode`` wrote. Raises JsonRESTError: InvalidArgumentException, ExpiredIteratorException (after 300 s)."""
        try:
            stream, shard_id, position, issued = base64.b64decode(text, validate=True).decode().split(":")
            iterator = cls(stream, shard_id, int(position), float(issued))
        except (binascii.Error, ValueError) as error:
            raise invalid("Invalid ShardIterator.") from error
        now = kinesis_shard.now()
        if now - iterator.issued > _LIFETIME_SECONDS:
            raise JsonRESTError(
                "ExpiredIteratorException",
                f"Iterator expired. The iterator was created at time {_shown(iterator.issued)} while right now it is "
                f"{_shown(now)} which is further in the future than the tolerated delay of 300000 milliseconds.",
            )
        return iterator


def _shown(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%a %b %d %H:%M:%S UTC %Y")


def issue(stream: Stream, shard: Shard, position: int) -> str:
    """A shard iterator as clients see it, for five minutes; it reads from ``position``, a sequence number, on."""
    return Iterator(stream.stream_name, shard.shard_id, position, kinesis_shard.now()).encode()


def position_of(stream: Stream, shard: Shard, kind: str, number: str | None, timestamp: float | None) -> int:
    """The position of a ShardIteratorType or StartingPosition ``kind``; ``timestamp`` in epoch seconds.

    A number that was trimmed gives the oldest record. Raises JsonRESTError: InvalidArgumentException, ValidationException.
    """
    if (number is not None) is not (kind in _BY_NUMBER):
        raise invalid(
            "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or (2) "
            f"TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified {kind} and "
            f"{'no' if number is None else 'also a'} StartingSequenceNumber."
        )
    if (timestamp is not None) is not (kind == "AT_TIMESTAMP"):
        raise invalid(
            f"Timestamp must be specified with AT_TIMESTAMP and with no other type. Request specified {kind}."
        )
    with stream.changed:
        if number is not None:
            at = _checked(stream, shard, number)
            # A ContinuationSequenceNumber without records is no record's: there is nothing to go behind.
            return at + (kind == "AFTER_SEQUENCE_NUMBER" and kinesis_shard.is_of_a_record(at))
        if timestamp is not None:
            if timestamp > kinesis_shard.now():
                raise invalid("The timestampInMillis parameter cannot be greater than the currentTimestampInMillis.")
            return shard.at_time(float(timestamp))
        if kind == "TRIM_HORIZON":
            return shard.start
        if kind == "LATEST":
            return shard.latest()
    values = "[AFTER_SEQUENCE_NUMBER, LATEST, AT_TIMESTAMP, AT_SEQUENCE_NUMBER, TRIM_HORIZON]"
    raise violation(kind, "shardIteratorType", f"satisfy enum value set: {values}")


def _checked(stream: Stream, shard: Shard, text: str) -> int:
    """A sequence number of this shard. Raises InvalidArgumentException in the words of AWS."""
    used = (
        f"StartingSequenceNumber {text} used in GetShardIterator on shard {shard.shard_id} in stream "
        f"{stream.stream_name} under account {stream.account_id} is invalid"
    )
    if not text.isascii() or not text.isdecimal():
        raise invalid(f"{used}.")
    source = origin(int(text))
    if source is None:
        raise invalid(f"{used}.")
    created, index = source
    if index != shard.index:
        raise invalid(
            f"Invalid StartingSequenceNumber. It encodes {kinesis_shard.shard_name(index)}, while it was used in a call to "
            f"a shard with {shard.shard_id}"
        )
    if created != shard.created:
        raise invalid(f"{used} because it did not come from this stream.")
    return int(text)


def get_records(stream: Stream, iterator: Iterator, limit: int | None) -> str:
    """The answer of GetRecords, as JSON text: the records are kept as such, so that nothing is serialised again.

    ``limit``: 1 to 10,000, None for that many. Raises JsonRESTError: ValidationException, ResourceNotFoundException.
    """
    if limit is not None and not 1 <= limit <= _MAX_RECORDS:
        bound = f"less than or equal to {_MAX_RECORDS}" if limit > 1 else "greater than or equal to 1"
        raise violation(limit, "limit", f"have value {bound}")
    with stream.changed:
        shard = stream.find_shard(iterator.shard_id)
        page = shard.read(iterator.position, limit or _MAX_RECORDS, _MAX_BYTES)
        rest = (
            _children(stream, shard) if page.at_end else f',"NextShardIterator":"{issue(stream, shard, page.position)}"'
        )
        stream.was_read(_millis(page))
    return f'{{"Records":[{_texts(page)}],"MillisBehindLatest":{_millis(page)}{rest}}}'


def subscribe(stream: Stream, shard_id: str, position: int) -> bytes:
    """The answer of SubscribeToShard: an event stream of one event.

    AWS sends events for up to five minutes and may end a subscription earlier at any time; a reader then subscribes
    again at ContinuationSequenceNumber. Ours ends after its first event, which comes as soon as there are records, or
    without any after a quarter of a second, so that no thread of the sandbox is held for long. As on AWS the event at
    the end of a closed shard has ChildShards and no ContinuationSequenceNumber. A second subscription takes the place
    of the first without waiting five seconds. Raises JsonRESTError: ResourceNotFoundException.
    """
    with stream.changed:
        shard = stream.find_shard(shard_id)
        page = shard.read(position, _MAX_RECORDS, _MAX_BYTES)
        if not page.records and not page.at_end:
            stream.changed.wait_for(lambda: shard.latest() > position or not shard.is_open, _WAIT_SECONDS)
            page = shard.read(position, _MAX_RECORDS, _MAX_BYTES)
        rest = _children(stream, shard) if page.at_end else f',"ContinuationSequenceNumber":"{page.position}"'
    body = f'{{"Records":[{_texts(page)}],"MillisBehindLatest":{_millis(page)}{rest}}}'
    return _event("initial-response", "{}") + _event("SubscribeToShardEvent", body)


def _event(kind: str, body: str) -> bytes:
    headers = {":message-type": "event", ":event-type": kind, ":content-type": "application/json"}
    encoded: bytes = EventStreamEncoder().encode_event(EventStreamMessage(headers, body.encode()))
    return encoded


def _texts(page: Page) -> str:
    return ",".join(record.text for record in page.records)


def _millis(page: Page) -> int:
    return round(page.behind * 1000)


def _children(stream: Stream, shard: Shard) -> str:
    children: list[dict[str, Any]] = [child.as_child() for child in stream.children(shard)]
    return f',"ChildShards":{json.dumps(children)}'
