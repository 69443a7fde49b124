"""Redrive: hands records over that a stream's mapping or pipe gave up, to a function, a queue or a bucket.

The on-failure queue has their positions only. They are read back from the stream, as long as it keeps them; an S3
destination has kept the records themselves.
"""

import functools
import logging
import os
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from botocore.exceptions import ClientError
from clients import LONGEST_READ_MILLISECONDS, OutOfTimeError, client
from failures import FailedBatch, StoredFailure, parse_message, parse_object
from items import Item, Remaining
from shard import Seen, read_back
from targets import Target, target

LOGGER = logging.getLogger("stream_redrive")
if "AWS_LAMBDA_LOG_LEVEL" not in os.environ:
    LOGGER.setLevel(logging.INFO)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Hand over what each message of the on-failure queue tells of, to TARGET (see `targets`).

    A message is done when all of its records are handed over. Otherwise it is delivered again, whole: the target gets
    records twice, under the same name. Records of one key are handed over in order, and after one that fails no more
    of its key.

    Returns:
        `{"batchItemFailures": [{"itemIdentifier": <message id>}...]}`: messages of which records could not be handed over
        or are gone from the stream, and those that are none of a failed batch. They end in the queue's dead-letter queue.

    Raises:
        RuntimeError: if TARGET is not set; the whole batch is then delivered again.
    """
    destination = environment_target()
    remaining = context.get_remaining_time_in_millis
    failed = [
        message["messageId"]
        for message in event["Records"]
        if not _Redrive(message["messageId"], destination, remaining).run(message["body"])
    ]
    # SQS may deliver a message twice in one batch; its id is reported once.
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in dict.fromkeys(failed)]}


@functools.cache
def environment_target() -> Target:
    """Return the environment's one target, which remembers the queue's URL."""
    return target(dict(os.environ))


class _Redrive:
    """One message."""

    def __init__(self, message_id: str, destination: Target, remaining: Remaining) -> None:
        self._message_id = message_id
        self._destination = destination
        self._remaining = remaining

    def run(self, body: str) -> bool:
        """Return whether the message is done."""
        try:
            failures = parse_message(body)
        except Exception as error:  # noqa: BLE001  # whatever one message holds, its neighbours are to be handed over
            return self._not_done(error, {})
        if not failures:
            LOGGER.info("message %s is S3's test of its notifications", self._message_id, extra=self._extra())
        done = [self._one(failure) for failure in failures]
        return all(done)

    def _one(self, failure: FailedBatch | StoredFailure) -> bool:
        known = failure.extra() if isinstance(failure, FailedBatch) else {"bucket": failure.bucket, "key": failure.key}
        try:
            if isinstance(failure, FailedBatch):
                return self._batch(failure, None, known)
            batch, items = self._stored(failure)
            return self._batch(batch, items, known | batch.extra())
        except Exception as error:  # noqa: BLE001  # as above
            return self._not_done(error, known)

    def _stored(self, failure: StoredFailure) -> tuple[FailedBatch, list[Item] | None]:
        if self._remaining() < LONGEST_READ_MILLISECONDS:
            raise OutOfTimeError("no time left to read the object")
        version = {} if failure.version is None else {"VersionId": failure.version}
        reply = client("s3").get_object(Bucket=failure.bucket, Key=failure.key, **version)
        batch, records = parse_object(reply["Body"].read())
        return batch, None if records is None else [Item.of(record, batch.shard_id) for record in records]

    def _batch(self, batch: FailedBatch, stored: list[Item] | None, known: dict[str, Any]) -> bool:
        seen = Seen(batch)
        handover = _Handover(self._destination, self._remaining, self._extra())
        lost: Exception | None = None
        try:
            for page in read_back(batch, seen, self._remaining) if stored is None else [seen.within(stored)]:
                handover.take(page)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                return self._not_done(error, known | handover.counts())
            lost = error
        except Exception as error:  # noqa: BLE001  # as above
            return self._not_done(error, known | handover.counts())
        extra = self._extra() | known | handover.counts() | {"missing": seen.missing}
        if seen.missing:
            LOGGER.error(
                "message %s: at least %d of %d records are missing from %s of %s, %s to %s: %s",
                *(self._message_id, seen.missing, batch.size, batch.shard_id, batch.stream_arn, batch.start, batch.end),
                lost or "past retention",
                extra=extra,
            )
        if handover.failed:
            LOGGER.error(
                "message %s: %d records were not handed over, %d were",
                *(self._message_id, handover.failed, handover.done),
                extra=extra,
            )
        if seen.missing or handover.failed:
            return False
        LOGGER.info("message %s: %d records were handed over", self._message_id, handover.done, extra=extra)
        return True

    def _not_done(self, error: Exception, known: dict[str, Any]) -> bool:
        LOGGER.error(
            "message %s was not redriven: %s: %s",
            *(self._message_id, type(error).__name__, error),
            extra=self._extra() | known | {"error": type(error).__name__},
        )
        return False

    def _extra(self) -> dict[str, Any]:
        return {"message_id": self._message_id}


class _Handover:
    """Hands a batch over, page by page, in order within a key.

    Attributes:
        done: Records that the target took.
        failed: Records that it did not take, and those behind them in their key.
    """

    def __init__(self, destination: Target, remaining: Remaining, extra: dict[str, Any]) -> None:
        self._destination = destination
        self._remaining = remaining
        self._extra = extra
        self._stopped: set[str] = set()
        self.done = 0
        self.failed = 0

    def counts(self) -> dict[str, Any]:
        """Return them as members of a log line."""
        return {"handed_over": self.done, "failed": self.failed, "target": self._destination.arn}

    def take(self, items: list[Item]) -> None:
        """Hand over the next page."""
        done = 0
        for together in _rounds(items):
            open_ones = [item for item in together if item.key not in self._stopped]
            failures = self._destination.hand_over(open_ones, self._remaining) if open_ones else []
            for item, error in failures:
                self._stopped.add(item.key)
                LOGGER.error(
                    "record %s was not handed over: %s: %s",
                    *(item.record_id, type(error).__name__, error),
                    extra=self._extra | {"record_id": item.record_id, "error": type(error).__name__},
                )
            done += len(open_ones) - len(failures)
        self.done += done
        self.failed += len(items) - done


def _rounds(items: list[Item]) -> Iterator[list[Item]]:
    """Yield the first item of each key, then the second of each, and so on: no two of a key are under way at once."""
    lanes: dict[str, list[Item]] = {}
    for item in items:
        lanes.setdefault(item.key, []).append(item)
    for together in zip_longest(*lanes.values()):
        yield [item for item in together if item is not None]
