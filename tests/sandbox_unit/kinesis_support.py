"""Reading a Kinesis stream by boto3, a clock for what it keeps, and threads that get in each other's way."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

FIRST = "shardId-000000000000"
MAX_HASH = 2**128 - 1


class Reader:
    """Reads one shard of a stream."""

    def __init__(self, kinesis: Any, stream: str, shard_id: str = FIRST) -> None:
        self._kinesis = kinesis
        self._shard = {"StreamName": stream, "ShardId": shard_id}

    def iterator(self, kind: str, **position: Any) -> str:
        answer = self._kinesis.get_shard_iterator(**self._shard, ShardIteratorType=kind, **position)
        return str(answer["ShardIterator"])

    def all(self, kind: str = "TRIM_HORIZON", **position: Any) -> list[dict[str, Any]]:
        """Every record from there, in pages."""
        records: list[dict[str, Any]] = []
        page = self._kinesis.get_records(ShardIterator=self.iterator(kind, **position))
        while page["Records"]:
            records += page["Records"]
            if "NextShardIterator" not in page:
                break
            page = self._kinesis.get_records(ShardIterator=page["NextShardIterator"])
        return records


class Clock:
    """The time that an adapter's module reads, moved by hand."""

    def __init__(self, moment: float) -> None:
        self.moment = moment

    def __call__(self) -> float:
        return self.moment

    def pass_(self, *, seconds: float = 0, hours: float = 0) -> None:
        self.moment = round(self.moment + seconds + 3600 * hours, 3)


def at_once(work: Callable[[int], Any], numbers: Iterable[int]) -> list[Any]:
    """Results of ``work`` in 16 threads, between which Python switches as often as it can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(16) as pool:
            return list(pool.map(work, numbers))
    finally:
        sys.setswitchinterval(interval)


def refused(code: str, message: str, operation: Callable[..., Any], *args: Any, **params: Any) -> None:
    """Assert that the call fails with ``code`` and that its message has ``message``."""
    with pytest.raises(ClientError) as raised:
        operation(*args, **params)
    error = raised.value.response["Error"]
    assert (error["Code"], raised.value.response["ResponseMetadata"]["HTTPStatusCode"]) == (code, 400), error
    assert message in error["Message"]
