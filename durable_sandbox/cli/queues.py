"""Reading queues without taking anything off them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

_PEEK_SECONDS = 20  # how long a peeked message stays invisible if we die before we give it back
_DEPTHS = tuple(f"ApproximateNumberOfMessages{suffix}" for suffix in ("", "NotVisible", "Delayed"))


def depth(sqs: Any, queue_url: str) -> int:
    """How many messages GetQueueAttributes knows on a queue, in any state."""
    answer = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=list(_DEPTHS))
    return sum(int(answer["Attributes"].get(name, 0)) for name in _DEPTHS)


def peek(sqs: Any, queue_url: str) -> list[Mapping[str, Any]]:
    """All messages that are visible on a queue; they are given back at the end, none is deleted."""
    seen: list[Mapping[str, Any]] = []
    try:
        while True:
            answer = sqs.receive_message(
                QueueUrl=queue_url,
                MaxNumberOfMessages=10,
                VisibilityTimeout=_PEEK_SECONDS,
                WaitTimeSeconds=0,  # the queue's own setting would make the last, empty receive a long poll
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
            if not answer.get("Messages"):
                return seen
            seen += answer["Messages"]
    finally:
        for start in range(0, len(seen), 10):
            entries = [
                {"Id": str(index), "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0}
                for index, message in enumerate(seen[start : start + 10])
            ]
            sqs.change_message_visibility_batch(QueueUrl=queue_url, Entries=entries)


def message_ids(payload: str) -> Iterator[str]:
    """The ids of the messages in an event: ``{"Records": [...]}``, a bare array, or one message."""
    try:
        event = json.loads(payload)
    except ValueError:
        return
    records = event.get("Records", [event]) if isinstance(event, dict) else event
    for record in records if isinstance(records, list) else []:
        if isinstance(record, dict) and isinstance(record.get("messageId"), str):
            yield record["messageId"]
