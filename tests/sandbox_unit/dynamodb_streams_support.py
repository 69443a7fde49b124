"""Tables with streams, and reading those, by boto3."""

from __future__ import annotations

import itertools
from typing import Any

KEY = {"id": {"S": "a"}}
_names = itertools.count()


def create(dynamodb: Any, view: str = "NEW_AND_OLD_IMAGES") -> str:
    """The name of a new table with a stream."""
    name = f"table-{next(_names)}"
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": view},
    )
    return name


class Reader:
    """Reads the latest stream of a table."""

    def __init__(self, dynamodb: Any, streams: Any, table: str) -> None:
        self._streams = streams
        self.arn = dynamodb.describe_table(TableName=table)["Table"]["LatestStreamArn"]
        (self.shard,) = streams.describe_stream(StreamArn=self.arn)["StreamDescription"]["Shards"]

    def iterator(self, kind: str, **position: Any) -> str:
        shard = {"StreamArn": self.arn, "ShardId": self.shard["ShardId"]}
        return str(self._streams.get_shard_iterator(**shard, ShardIteratorType=kind, **position)["ShardIterator"])

    def page(self, kind: str = "TRIM_HORIZON", **position: Any) -> dict[str, Any]:
        page: dict[str, Any] = self._streams.get_records(ShardIterator=self.iterator(kind, **position))
        return page

    def records(self, kind: str = "TRIM_HORIZON", **position: Any) -> list[dict[str, Any]]:
        records: list[dict[str, Any]] = self.page(kind, **position)["Records"]
        return records

    def events(self) -> list[tuple[str, Any, Any]]:
        """Name, old and new image of each record."""
        return [
            (record["eventName"], record["dynamodb"].get("OldImage"), record["dynamodb"].get("NewImage"))
            for record in self.records()
        ]


def put(dynamodb: Any, table: str, *ids: str) -> None:
    for each in ids:
        dynamodb.put_item(TableName=table, Item={"id": {"S": each}})


def ids(records: list[dict[str, Any]]) -> str:
    return "".join(record["dynamodb"]["Keys"]["id"]["S"] for record in records)
