"""Amazon Kinesis Data Streams. Source: Service Authorization Reference list_amazonkinesis."""

from __future__ import annotations

import base64
import binascii

from durable_sandbox.iam.actions.rules import Operation, Table, UnmappedError, anything, each, named, on

_ITERATOR_PARTS = 3

_named_stream = named("stream/", "StreamARN", "StreamName")


def stream(operation: Operation) -> str:
    """The stream by ARN or name, else the one inside a shard iterator (moto's form: base64 ``stream:shard:sequence``)."""
    if operation.params.get("StreamARN") or operation.params.get("StreamName"):
        return _named_stream(operation)
    try:
        parts = base64.decodebytes(operation.text("ShardIterator").encode()).decode().split(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise UnmappedError("ShardIterator names no stream") from error
    if len(parts) != _ITERATOR_PARTS or not parts[0]:
        raise UnmappedError("ShardIterator names no stream")
    return operation.arn(f"stream/{parts[0]}")


TABLE: Table = {
    **each(
        "AddTagsToStream CreateStream DecreaseStreamRetentionPeriod DeleteStream DescribeStream DescribeStreamSummary "
        "GetRecords GetShardIterator IncreaseStreamRetentionPeriod ListShards ListTagsForStream MergeShards PutRecord "
        "PutRecords RemoveTagsFromStream SplitShard StartStreamEncryption StopStreamEncryption",
        on(stream),
    ),
    **each("ListStreamConsumers RegisterStreamConsumer", on(named("stream/", "StreamARN"))),
    **each("DeregisterStreamConsumer DescribeStreamConsumer SubscribeToShard", on(named("stream/", "ConsumerARN"))),
    **each("ListTagsForResource TagResource UntagResource", on(named("stream/", "ResourceARN"))),
    **each("DescribeLimits ListStreams UpdateShardCount UpdateStreamMode", on(anything)),
}
