"""Reading shards: expired iterators, trimmed data, and where LATEST is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from stream_fakes import spec

from durable_sandbox.aws.arns import Arn
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.events.streams.reader import LATEST, TRIM_HORIZON, Position, after, stream_reader
from durable_sandbox.events.streams.records import RecordOrigin

TABLE = Arn("dynamodb", "us-east-1", "123456789012", "table/orders/stream/x")
ORIGIN = RecordOrigin(TABLE, "arn:aws:iam::123456789012:role/reader")


class FakeTable:
    """A stream of ``count`` changes; iterators are the number that they are behind."""

    def __init__(self, count: int, page: int = 2) -> None:
        self.count = count
        self.page = page
        self.expired = 0
        self.trimmed = 0
        self.asked: list[Mapping[str, Any]] = []

    async def __call__(self, service: str, operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        assert service == "dynamodbstreams"
        if operation == "GetShardIterator":
            self.asked.append(params)
            behind = int(params.get("SequenceNumber", 0))
            if params["ShardIteratorType"] == "AFTER_SEQUENCE_NUMBER" and behind < self.trimmed:
                raise AwsError("TrimmedDataAccessException", "gone")
            return {"ShardIterator": str(max(behind, self.trimmed))}
        if self.expired:
            self.expired -= 1
            raise AwsError("ExpiredIteratorException", "too late")
        behind = int(params["ShardIterator"])
        numbers = range(behind + 1, min(self.count, behind + self.page) + 1)
        return {"Records": [_change(number) for number in numbers], "NextShardIterator": str(behind + len(numbers))}


def _change(number: int) -> dict[str, Any]:
    return {
        "eventID": f"id-{number}",
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "dynamodb": {
            "ApproximateCreationDateTime": datetime.now(UTC),
            "Keys": {"id": {"S": str(number)}},
            "SequenceNumber": str(number),
        },
    }


def read(table: FakeTable, *positions: Position) -> list[tuple[list[int], Position | None]]:
    """What one reader gives at ``positions``, one after another."""
    reader = stream_reader(spec(source=TABLE), table, ORIGIN).reader("shard")

    async def pages() -> list[tuple[list[int], Position | None]]:
        found = []
        for position in positions:
            page = await reader.read(position, 1000)
            found.append(([record.sequence for record in page.records], page.following))
        return found

    return asyncio.run(pages())


def test_latest_is_behind_what_is_there_and_known_by_its_number() -> None:
    assert read(FakeTable(5), LATEST) == [([], after("5"))]


def test_latest_of_an_empty_shard_is_its_beginning() -> None:
    """So that what is written before the next read is not passed over."""
    assert read(FakeTable(0), LATEST) == [([], TRIM_HORIZON)]


def test_an_iterator_is_used_once_and_the_next_one_taken_from_the_answer() -> None:
    table = FakeTable(4)
    assert read(table, TRIM_HORIZON, after("2"))[1][0] == [3, 4]
    assert len(table.asked) == 1


def test_an_expired_iterator_is_asked_for_again_behind_the_last_record() -> None:
    table = FakeTable(4)
    reader = stream_reader(spec(source=TABLE), table, ORIGIN).reader("shard")

    async def pages() -> list[int]:
        first = await reader.read(TRIM_HORIZON, 1000)
        table.expired = 1
        assert first.following is not None
        second = await reader.read(first.following, 1000)
        return [record.sequence for record in second.records]

    assert asyncio.run(pages()) == [3, 4]
    assert [asked["ShardIteratorType"] for asked in table.asked] == ["TRIM_HORIZON", "AFTER_SEQUENCE_NUMBER"]


def test_what_expired_on_the_stream_is_passed_over_for_what_is_left() -> None:
    table = FakeTable(6)
    table.trimmed = 4
    assert read(table, after("1"))[0][0] == [5, 6]
