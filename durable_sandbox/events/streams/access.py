"""Whether a role may read a stream: what Lambda and Pipes try before a mapping or a pipe is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from durable_sandbox.events.streams.reader import TRIM_HORIZON, ReadCall
from durable_sandbox.events.streams.spec import StreamSpec

Check = Callable[[str, str, Mapping[str, Any]], None]
"""Return if the role may call ``service``, ``operation`` with parameters, which is not made. Raises AwsError."""


async def check_readable(spec: StreamSpec, call: ReadCall, may: Check) -> None:
    """Return if the role may do all that reading ``spec``'s source takes. Raises AwsError."""
    await (_kinesis(spec, call, may) if spec.is_kinesis else _dynamodb(spec, call, may))


async def _kinesis(spec: StreamSpec, call: ReadCall, may: Check) -> None:
    stream = {"StreamARN": str(spec.stream)}
    await call("kinesis", "DescribeStreamSummary", stream)
    await call("kinesis", "DescribeStream", {**stream, "Limit": 1})
    listed = await call("kinesis", "ListShards", {**stream, "MaxResults": 1})
    # None yet in a stream that is being created.
    for shard in listed["Shards"][:1]:
        start = {**stream, "ShardId": shard["ShardId"], "ShardIteratorType": TRIM_HORIZON.kind}
        found = await call("kinesis", "GetShardIterator", start)
        await call("kinesis", "GetRecords", {**stream, "ShardIterator": found["ShardIterator"], "Limit": 1})
    if spec.has_consumer:
        subscription = {"ShardId": "", "StartingPosition": {"Type": TRIM_HORIZON.kind}}
        may("kinesis", "SubscribeToShard", {"ConsumerARN": str(spec.source), **subscription})


async def _dynamodb(spec: StreamSpec, call: ReadCall, may: Check) -> None:
    stream = {"StreamArn": str(spec.source)}
    # A role whose ListStreams is for this stream alone will do: terraform-provider-aws's acceptance tests have one.
    may("dynamodbstreams", "ListStreams", {"TableName": str(spec.source)})
    described = await call("dynamodbstreams", "DescribeStream", {**stream, "Limit": 1})
    for shard in (described["StreamDescription"].get("Shards") or ())[:1]:
        start = {**stream, "ShardId": shard["ShardId"], "ShardIteratorType": TRIM_HORIZON.kind}
        found = await call("dynamodbstreams", "GetShardIterator", start)
        await call("dynamodbstreams", "GetRecords", {"ShardIterator": found["ShardIterator"], "Limit": 1})
