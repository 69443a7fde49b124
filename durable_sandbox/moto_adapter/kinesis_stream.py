"""A Kinesis stream: where a record goes, resharding, which shards a reader sees, consumers.

Gaps closed in moto 5.2.5, each against the Kinesis API Reference:
- puts are not safe between threads, and moto hands each to its own Lambda mappings: ours take what they read;
- a hash key at the end of a shard's range belongs to no shard, and a closed shard goes on taking records;
- SplitShard and MergeShards move the parents' records to the children: AWS leaves them, and children start empty
  (https://docs.aws.amazon.com/streams/latest/dev/kinesis-using-sdk-java-after-resharding.html);
- a merge takes shards that overlap for adjacent, and shards that are closed; children of UpdateShardCount are cut with
  floating point;
- records and closed shards outlive the retention period; ListShards ignores ShardFilter;
- OpenShardCount keeps the number of before a split, ConsumerCount and MaxRecordSizeInKiB are missing;
- a consumer's ARN lacks its creation time, and a name can be registered twice.
"""

from __future__ import annotations

import bisect
import hashlib
import re
import threading
from collections.abc import Mapping
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.core.utils import unix_time
from moto.kinesis import models

from durable_sandbox.moto_adapter import kinesis_shard
from durable_sandbox.moto_adapter.kinesis_shard import MAX_HASH, Shard

_HOUR_SECONDS = 3600
_MAX_CONSUMERS = 20
_MAX_KEY = 256
_HASH_KEY = re.compile(r"0|[1-9]\d{0,38}")
DEFAULT_RECORD_KIB = 1024


def invalid(message: str) -> JsonRESTError:
    """An InvalidArgumentException."""
    return JsonRESTError("InvalidArgumentException", message)


def violation(value: Any, member: str, constraint: str) -> JsonRESTError:
    """A ValidationException in the words of AWS."""
    return JsonRESTError(
        "ValidationException",
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must {constraint}",
    )


class Consumer(models.Consumer):
    """An enhanced fan-out consumer."""

    def __init__(self, consumer_name: str, account_id: str, region_name: str, stream_arn: str) -> None:
        super().__init__(consumer_name, account_id, region_name, stream_arn)
        self.consumer_arn = f"{stream_arn}/consumer/{consumer_name}:{int(unix_time(self.created))}"
        self.tags: dict[str, str] = {}


class Stream(models.Stream):
    """A stream. ``changed`` guards the shards and is notified of records and of resharding."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.changed = threading.Condition()
        self._next_shard = 0
        self._routes: list[Shard] = []
        self.max_record_kib = DEFAULT_RECORD_KIB
        self._behind: int | None = None
        super().__init__(*args, **kwargs)

    def was_read(self, behind: int) -> None:
        """GetRecords has told its reader to be ``behind`` milliseconds."""
        self._behind = max(self._behind or 0, behind)

    def take_behind(self) -> int | None:
        """The most that a reader was behind since the last time; None if nobody read."""
        behind, self._behind = self._behind, None
        return behind

    # --- writing --------------------------------------------------------------------------------------------------

    def put_record(self, partition_key: str, explicit_hash_key: str | None, data: str) -> tuple[str, str]:
        """Add a record with ``data`` in base64; returns its sequence number and shard."""
        key = hash_key(partition_key, explicit_hash_key)
        padding = 2 if data.endswith("==") else int(data.endswith("="))
        size = len(data) // 4 * 3 - padding + len(partition_key.encode())
        with self.changed:
            shard = self._routes[bisect.bisect_right(self._routes, key, key=lambda route: route.starting_hash) - 1]
            number = shard.append(partition_key, data, size, self.encryption_type)
            self.changed.notify_all()
        return number, shard.shard_id

    # --- shards ---------------------------------------------------------------------------------------------------

    def init_shards(self, shard_count: int) -> None:
        """Create the first shards, of equal size."""
        width = (MAX_HASH + 1) // shard_count
        for number in range(shard_count):
            end = MAX_HASH if number == shard_count - 1 else (number + 1) * width - 1
            self._open(number * width, end)
        self.shard_count = shard_count

    def _open(self, start: int, end: int, *parents: Shard) -> None:
        parent, adjacent = (*parents, None, None)[:2]
        shard = Shard(self._next_shard, start, end, parent=parent, adjacent_parent=adjacent)
        self._next_shard += 1
        for old in parents:
            if old.is_open:
                old.close()
        self.shards[shard.shard_id] = shard
        self._routes = sorted(self.open_shards(), key=lambda route: route.starting_hash)
        self.shard_count = len(self._routes)

    def open_shards(self) -> list[Shard]:
        """The shards that take records."""
        return [shard for shard in self.shards.values() if shard.is_open]

    def find_shard(self, shard_id: str) -> Shard:
        """The shard, with what has expired forgotten. Raises ResourceNotFoundException."""
        with self.changed:
            self.trim()
        if shard_id not in self.shards:
            raise JsonRESTError(
                "ResourceNotFoundException",
                f"Shard {shard_id} in stream {self.stream_name} under account {self.account_id} does not exist",
            )
        shard: Shard = self.shards[shard_id]
        return shard

    def trim(self) -> None:
        """Forget records older than the retention period, and shards closed for longer."""
        horizon = self.horizon()
        for shard in list(self.shards.values()):
            shard.trim(horizon)
            if shard.closed_at is not None and shard.closed_at < horizon:
                del self.shards[shard.shard_id]

    def horizon(self) -> float:
        """When the oldest record that is kept can have arrived."""
        return kinesis_shard.now() - float(self.retention_period_hours * _HOUR_SECONDS)

    def children(self, shard: Shard) -> list[Shard]:
        """The shards that a closed one was split or merged into."""
        return [other for other in self.shards.values() if shard.shard_id in (other.parent, other.adjacent_parent)]

    def _open_shard(self, shard_id: str) -> Shard:
        if shard_id not in self.shards:
            raise JsonRESTError(
                "ResourceNotFoundException",
                f"Could not find shard {shard_id} in stream {self.stream_name} under account {self.account_id}.",
            )
        shard: Shard = self.shards[shard_id]
        if not shard.is_open:
            raise invalid(
                f"Shard {shard_id} in stream {self.stream_name} under account {self.account_id} has already been merged "
                "or split, and thus is not eligible for merging or splitting."
            )
        return shard

    def split_shard(self, shard_to_split: str, new_starting_hash_key: str) -> None:
        """Close a shard and open two in its range; its records stay in it."""
        with self.changed:
            shard = self._open_shard(shard_to_split)
            key = int(new_starting_hash_key)
            if not shard.starting_hash + 1 < key < shard.ending_hash:
                raise invalid(
                    f"NewStartingHashKey {key} used in SplitShard() on shard {shard_to_split} in stream {self.stream_name} "
                    f"under account {self.account_id} is not both greater than one plus the shard's StartingHashKey "
                    f"{shard.starting_hash} and less than the shard's EndingHashKey {shard.ending_hash}."
                )
            self._open(shard.starting_hash, key - 1, shard)
            self._open(key, shard.ending_hash, shard)
            self.changed.notify_all()

    def merge_shards(self, shard_to_merge: str, adjacent_shard_to_merge: str) -> None:
        """Close two adjacent shards and open one in their range; their records stay in them."""
        with self.changed:
            first, second = self._open_shard(shard_to_merge), self._open_shard(adjacent_shard_to_merge)
            if first.ending_hash + 1 != second.starting_hash and second.ending_hash + 1 != first.starting_hash:
                raise invalid(
                    f"Shards {shard_to_merge} and {adjacent_shard_to_merge} in stream {self.stream_name} under account "
                    f"{self.account_id} are not an adjacent pair of shards eligible for merging"
                )
            start = min(first.starting_hash, second.starting_hash)
            self._open(start, max(first.ending_hash, second.ending_hash), first, second)
            self.changed.notify_all()

    def update_shard_count(self, target_shard_count: int) -> None:
        """Split every shard if there are too few, then merge pairs. Twice or half as many at a time, as on AWS."""
        if self.stream_mode.get("StreamMode") == "ON_DEMAND":
            raise models.StreamCannotBeUpdatedError(stream_name=self.stream_name, account_id=self.account_id)
        with self.changed:
            current = len(self._routes)
            if target_shard_count > 2 * current:
                raise invalid(
                    "UpdateShardCount cannot scale up over double your current open shard count. "
                    f"Current open shard count: {current} Target shard count: {target_shard_count}"
                )
            if 2 * target_shard_count < current:
                raise invalid(
                    "UpdateShardCount cannot scale down below half your current open shard count. "
                    f"Current open shard count: {current} Target shard count: {target_shard_count}"
                )
            if len(self._routes) < target_shard_count:
                for shard in list(self._routes):
                    self.split_shard(shard.shard_id, str((shard.starting_hash + shard.ending_hash + 1) // 2))
            while len(self._routes) > target_shard_count:
                surplus = len(self._routes) - target_shard_count
                pairs = list(zip(self._routes[0::2], self._routes[1::2], strict=False))
                for first, second in pairs[:surplus]:
                    self.merge_shards(first.shard_id, second.shard_id)

    def listed(self, after: str | None, shard_filter: Mapping[str, Any]) -> list[Shard]:
        """The shards of ListShards: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ShardFilter.html."""
        with self.changed:
            self.trim()
            shards = sorted(self.shards.values(), key=lambda shard: shard.index)
        kind = shard_filter.get("Type", "FROM_TRIM_HORIZON")
        if kind == "AFTER_SHARD_ID":
            after = _given(shard_filter, "ShardId")
        elif kind in ("AT_TIMESTAMP", "FROM_TIMESTAMP"):
            moment = max(float(_given(shard_filter, "Timestamp")), self.horizon())
            # Created at this or a later moment, a stream has none but its first shards.
            moment = max(moment, float(unix_time(self.creation_datetime)))
            shards = [shard for shard in shards if shard.closed_at is None or shard.closed_at >= moment]
            if kind == "AT_TIMESTAMP":
                shards = [shard for shard in shards if shard.opened_at <= moment or shard.parent is None]
        elif kind == "AT_LATEST":
            shards = [shard for shard in shards if shard.is_open]
        elif kind == "AT_TRIM_HORIZON":
            kept = {shard.shard_id for shard in shards}
            shards = [shard for shard in shards if not {shard.parent, shard.adjacent_parent} & kept]
        elif kind != "FROM_TRIM_HORIZON":
            raise violation(kind, "shardFilter.type", "satisfy enum value set: [AT_TRIM_HORIZON, FROM_TRIM_HORIZON, …]")
        return [shard for shard in shards if after is None or shard.shard_id > after]

    # --- description ----------------------------------------------------------------------------------------------

    def describe(self, limit: int, after: str | None) -> dict[str, Any]:
        """Its StreamDescription with up to ``limit`` shards after ``after``."""
        description: dict[str, Any] = super().to_json(shard_limit=1)["StreamDescription"]
        shards = self.listed(after, {})
        return {
            **description,
            "StreamModeDetails": self.stream_mode,
            "Shards": [shard.to_json() for shard in shards[:limit]],
            "HasMoreShards": len(shards) > limit,
        }

    def to_json_summary(self) -> dict[str, Any]:
        """Its StreamDescriptionSummary, in moto's wrapping."""
        summary: dict[str, Any] = super().to_json_summary()["StreamDescriptionSummary"]
        more = {
            "OpenShardCount": len(self._routes),
            "ConsumerCount": len(self.consumers),
            "MaxRecordSizeInKiB": self.max_record_kib,
        }
        return {"StreamDescriptionSummary": {**summary, **more}}

    # --- consumers ------------------------------------------------------------------------------------------------

    def register(self, name: str) -> Consumer:
        """Add a consumer. Raises ResourceInUseException, LimitExceededException."""
        with self.changed:
            if any(consumer.consumer_name == name for consumer in self.consumers):
                raise JsonRESTError(
                    "ResourceInUseException",
                    f"Consumer {name} under stream {self.stream_name} already exists for account {self.account_id}.",
                )
            if len(self.consumers) >= _MAX_CONSUMERS:
                raise JsonRESTError(
                    "LimitExceededException",
                    f"Stream {self.stream_name} has {_MAX_CONSUMERS} consumers, the most it can.",
                )
            consumer = Consumer(name, self.account_id, self.region, self.arn)
            self.consumers.append(consumer)
        return consumer


def _given(shard_filter: Mapping[str, Any], member: str) -> Any:
    value = shard_filter.get(member)
    if value is None:
        raise invalid(f"{member} must be specified with the ShardFilter type {shard_filter['Type']}.")
    return value


def check_key(partition_key: Any, member: str) -> str:
    """A partition key of 1 to 256 characters. Raises ValidationException."""
    if not isinstance(partition_key, str) or not partition_key:
        raise violation(partition_key or "", member, "have length greater than or equal to 1")
    if len(partition_key) > _MAX_KEY:
        raise violation(partition_key, member, f"have length less than or equal to {_MAX_KEY}")
    return partition_key


def hash_key(partition_key: str, explicit: str | None) -> int:
    """Where a record goes: the MD5 of its partition key, or its ExplicitHashKey. Raises InvalidArgumentException."""
    if not explicit:
        return int.from_bytes(hashlib.md5(partition_key.encode(), usedforsecurity=False).digest(), "big")
    if not _HASH_KEY.fullmatch(explicit) or int(explicit) > MAX_HASH:
        raise invalid(
            f"Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was {explicit}"
        )
    return int(explicit)
