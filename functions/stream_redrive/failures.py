"""What a message of the on-failure queue tells: which records of which shard were given up."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

KINDS = {"KinesisBatchInfo": "kinesis", "DDBStreamBatchInfo": "dynamodb"}


class MessageError(ValueError):
    """The message is in none of the supported shapes."""


@dataclass(frozen=True)
class FailedBatch:
    """Records that a mapping or a pipe gave up.

    Attributes:
        stream_arn: Of the stream, also where an enhanced fan-out consumer read it.
        shard_id: The one shard of the batch.
        start: Sequence number of its first record.
        end: Sequence number of its last record.
        size: How many records failed; there may be others between the two: what a filter excluded and, with a
            parallelization factor above 1, what another batch took.
        is_kinesis: Whether it is a Kinesis stream; of DynamoDB otherwise.
    """

    stream_arn: str
    shard_id: str
    start: str
    end: str
    size: int
    is_kinesis: bool

    def extra(self) -> dict[str, Any]:
        """Return it as members of a log line."""
        return {
            "stream_arn": self.stream_arn,
            "shard_id": self.shard_id,
            "start_sequence_number": self.start,
            "end_sequence_number": self.end,
            "batch_size": self.size,
        }


@dataclass(frozen=True)
class StoredFailure:
    """An object that a mapping with an S3 destination wrote: the batch and the event itself."""

    bucket: str
    key: str
    version: str | None


def parse_message(body: str) -> list[FailedBatch | StoredFailure]:
    """Read a message: a batch, the objects of an S3 notification, or nothing for S3's test event.

    Mapping: https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html and
    https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html. A pipe's dead letter has the same batch beside
    a `context`: AWS does not document it, recorded ones are public. SNS wraps either:
    https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html. S3:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html.

    Raises:
        MessageError: for anything else.
    """
    document = _object(body, "the message")
    if document.get("Type") == "Notification":
        document = _object(document.get("Message"), "the SNS message")
    if document.get("Event") == "s3:TestEvent":
        return []
    if isinstance(document.get("Records"), list):
        return [_stored(record) for record in document["Records"]]
    return [_batch(document)]


def parse_object(text: str) -> tuple[FailedBatch, list[Any] | None]:
    """Read an object of the S3 destination: the batch, and its records where the object has them.

    Raises:
        MessageError: if it is none.
    """
    document = _object(text, "the S3 object")
    batch = _batch(document)
    if document.get("payload") is None:
        return batch, None
    records = _object(document["payload"], "the payload of the S3 object").get("Records")
    if not isinstance(records, list):
        raise MessageError("the payload of the S3 object has no array Records: it is no event of a stream mapping")
    return batch, records


def _object(text: Any, name: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise MessageError(f"{name} is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise MessageError(f"{name} is no JSON object, it is a {type(value).__name__}")
    return value


def _batch(document: dict[str, Any]) -> FailedBatch:
    kind = next((name for name in KINDS if isinstance(document.get(name), dict)), None)
    if kind is None:
        raise MessageError(
            f"no record of a failed stream batch: it has the keys {sorted(document)}; expected {' or '.join(KINDS)}, as from "
            "the on-failure destination of a stream mapping or the dead-letter queue of a pipe with a stream"
        )
    info = document[kind]
    stream, shard = _text(info, kind, "streamArn"), _text(info, kind, "shardId")
    start, end = _digits(info, kind, "startSequenceNumber"), _digits(info, kind, "endSequenceNumber")
    if int(start) > int(end):
        raise MessageError(f"{kind}: startSequenceNumber {start} is behind endSequenceNumber {end}")
    size = info.get("batchSize")
    if not isinstance(size, int) or size < 1:
        raise MessageError(f"{kind}: batchSize is {size!r}, not a number of records")
    return FailedBatch(stream.partition("/consumer/")[0], shard, start, end, size, KINDS[kind] == "kinesis")


def _text(info: dict[str, Any], kind: str, name: str) -> str:
    value = info.get(name)
    if not isinstance(value, str) or not value:
        raise MessageError(f"{kind}: {name} is {value!r}, not a text")
    return value


def _digits(info: dict[str, Any], kind: str, name: str) -> str:
    value = _text(info, kind, name)
    if not (value.isascii() and value.isdigit()):
        raise MessageError(f"{kind}: {name} is {value!r}, not a sequence number")
    return value


def _stored(record: Any) -> StoredFailure:
    try:
        s3 = record["s3"]
        bucket, item = s3["bucket"]["name"], s3["object"]
        # Keys are encoded as in a form: https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
        return StoredFailure(bucket, unquote_plus(item["key"]), item.get("versionId"))
    except (AttributeError, KeyError, TypeError) as error:
        raise MessageError(
            f"Records holds what is no S3 notification: {error!r} is missing or of another type"
        ) from None
