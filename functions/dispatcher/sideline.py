"""Backlog protection: old messages step aside to a queue of their own, so that fresh ones start first.

A queue hands out the oldest first. After an outage everybody is served late, until the last of the backlog is gone; with
the old ones aside, what comes in from now on is served at once, and the backlog at leisure
(https://aws.amazon.com/builders-library/avoiding-insurmountable-queue-backlogs).
"""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from message import KEPT_ID, MESSAGE_ID, Message, from_record
from record import Record, canonical_json

# The attribute that holds a sidelined message as the source delivered it, but for its body: SQS gives it a new id and a new
# time. All of its own attributes are in this one, for a message has ten at most
# (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html), and perhaps has.
SIDELINED = "DurablePipelineSidelined"
PARTS = ("attributes", "messageAttributes")
TRACE_HEADER = "AWSTraceHeader"  # the only system attribute that a sender may set; it is not counted as one of the ten

# What a SendMessageBatch takes, all messages together (botocore model of sqs). Attributes count by name, type and value.
BATCH_MESSAGES = 10
BATCH_BYTES = 1_048_576
STRING = "String"


@dataclass(frozen=True)
class Sideline:
    """The backlog queue, from what age on messages go there, and how slowly they come back.

    Attributes:
        start_seconds: Between two starts of one invocation; the mapping bounds how many of these there are at once.
    """

    queue_arn: str
    queue_url: str
    max_age_seconds: float
    start_seconds: float

    @classmethod
    def from_environment(cls) -> "Sideline | None":
        """Return what the module configured; None without a backlog queue."""
        if not (queue_url := os.environ.get("BACKLOG_QUEUE_URL")):
            return None
        return cls(
            os.environ["BACKLOG_QUEUE_ARN"],
            queue_url,
            float(os.environ["MAX_AGE_SECONDS"]),
            float(os.environ["BACKLOG_START_SECONDS"]),
        )

    def holds(self, record: Record) -> bool:
        """Whether the record comes from the backlog queue."""
        return bool(record.get("eventSourceARN") == self.queue_arn)

    def wants(self, record: Record, now: float) -> bool:
        """Whether a record of the source queue is too old at `now` (epoch seconds).

        Never one of a FIFO queue, whose order would be lost, or of a stream. A message that was sent again is as old as
        its last sending: what is redriven by hand is wanted now.
        """
        attributes = record.get("attributes", {})
        if self.holds(record) or "SequenceNumber" in attributes or "SentTimestamp" not in attributes:
            return False
        return now - int(attributes["SentTimestamp"]) / 1000 > self.max_age_seconds

    def send(self, client: Any, entries: list[Record]) -> tuple[list[str], dict[str, str]]:
        """Send one of `batches` to the backlog queue.

        Returns:
            The ids, as delivered, of the messages that are on it now; and by id, why others are not.

        Raises:
            Whatever the client raises if the batch was refused as a whole; some may be on the queue all the same.
        """
        reply = client.send_message_batch(QueueUrl=self.queue_url, Entries=entries)
        failed = {one["Id"]: f"{one['Code']}: {one.get('Message', '')}" for one in reply.get("Failed", [])}
        return [one["Id"] for one in reply.get("Successful", [])], failed


def batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    """Split records into the entries of one SendMessageBatch each, whose ids are those of the messages as delivered.

    What is too large by itself is alone, and will be refused.
    """
    batch: list[Record] = []
    size = 0
    for entry in {
        record["messageId"]: _entry(record) for record in records
    }.values():  # SQS may deliver a message twice
        more = _size(entry)
        if batch and (len(batch) == BATCH_MESSAGES or size + more > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += more
    if batch:
        yield batch


def read(record: Record) -> Message:
    """Read a record; a sidelined one as the source delivered it, so that name and payload of its execution are the same."""
    message = from_record(record)
    if (content := _kept(record)) is None:
        return message
    name = content["messageId"]
    return replace(message, message_id=name, content=content, log={**message.log, "message_id": name})


def _kept(record: Record) -> Record | None:
    """The content that the source delivered; None if the message was not sidelined, or if that is none."""
    text = (record.get("messageAttributes") or {}).get(SIDELINED, {}).get("stringValue")
    try:
        kept = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None
    if not isinstance(kept, dict) or not all(isinstance(kept.get(key), dict) for key in PARTS):
        return None
    name = kept.get("messageId")
    if not isinstance(name, str) or not MESSAGE_ID.fullmatch(name):
        return None
    return {"messageId": name, "body": record["body"], **{key: kept[key] for key in PARTS}}


def _entry(record: Record) -> Record:
    """The record as a SendMessageBatch sends it: the same body, group (tenant of a fair queue) and trace."""
    message, attributes = read(record), record["attributes"]
    kept = canonical_json({key: value for key, value in message.content.items() if key != "body"})
    entry: Record = {
        "Id": record["messageId"],
        "MessageBody": record["body"],
        "MessageAttributes": {
            SIDELINED: {"DataType": STRING, "StringValue": kept},
            # Known to the pipeline and to durable-ops too, whichever way the message goes from there.
            KEPT_ID: {"DataType": STRING, "StringValue": message.message_id},
        },
    }
    if group := attributes.get("MessageGroupId"):
        entry["MessageGroupId"] = group
    if trace := attributes.get(TRACE_HEADER):
        entry["MessageSystemAttributes"] = {TRACE_HEADER: {"DataType": STRING, "StringValue": trace}}
    return entry


def _size(entry: Record) -> int:
    attributes = entry["MessageAttributes"].items()
    texts = [
        entry["MessageBody"],
        *(text for name, value in attributes for text in (name, STRING, value["StringValue"])),
    ]
    return sum(len(text.encode()) for text in texts)
