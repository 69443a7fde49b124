"""Amazon Kinesis Data Streams. Source: Service Authorization Reference list_amazonkinesis."""

from __future__ import annotations

import base64
import binascii

from durable_sandbox.iam.actions.rules import Operation, Table, UnmappedError, anything, each, named, on

_named_stream = named("stream/", "StreamARN", "StreamName")


def stream(operation: Operation) -> str:
    """The stream by ARN or name, else the one of a shard iterator or of ListShards' token."""
    if operation.params.get("StreamARN") or operation.params.get("StreamName"):
        return _named_stream(operation)
    if operation.params.get("NextToken"):
        return operation.arn(f"stream/{_first(operation, 'NextToken', chr(10))}")
    return operation.arn(f"stream/{_first(operation, 'ShardIterator', ':')}")


def _first(operation: Operation, parameter: str, separator: str) -> str:
    """The stream's name, which both begin with in base64: see ``moto_adapter.kinesis_reads.Iterator``."""
    try:
        name, found, _ = base64.b64decode(operation.text(parameter)).decode().partition(separator)
    except (binascii.Error, UnicodeDecodeError) as error:
        raise UnmappedError(f"{parameter} names no stream") from error
    if not found or not name:
        raise UnmappedError(f"{parameter} names no stream")
    return name


def consumer(operation: Operation) -> str:
    """The consumer by ARN, else the stream, which its name is given with: the ARN has a time that nobody knows."""
    if operation.params.get("ConsumerARN"):
        return operation.text("ConsumerARN")
    return _named_stream(operation)


TABLE: Table = {
    **each(
        "AddTagsToStream CreateStream DecreaseStreamRetentionPeriod DeleteStream DescribeStream DescribeStreamSummary "
        "GetRecords GetShardIterator IncreaseStreamRetentionPeriod ListShards ListTagsForStream MergeShards PutRecord "
        "PutRecords RemoveTagsFromStream SplitShard StartStreamEncryption StopStreamEncryption",
        on(stream),
    ),
    **each("ListStreamConsumers RegisterStreamConsumer UpdateMaxRecordSize", on(named("stream/", "StreamARN"))),
    **each("DeregisterStreamConsumer DescribeStreamConsumer", on(consumer)),
    "SubscribeToShard": on(named("stream/", "ConsumerARN")),
    **each(
        "DeleteResourcePolicy GetResourcePolicy ListTagsForResource PutResourcePolicy TagResource UntagResource",
        on(named("stream/", "ResourceARN")),
    ),
    **each("DescribeLimits ListStreams UpdateShardCount UpdateStreamMode", on(anything)),
}
