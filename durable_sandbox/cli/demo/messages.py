"""The messages of a run and what is expected of each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from durable_sandbox.cli.errors import CliError

FAILING = 3
MINIMUM = FAILING + 1
_BATCH = 10  # SendMessageBatch takes at most ten entries


@dataclass(slots=True)
class Message:
    """One message: ``label`` for people, ``good`` if it must end in the table; ``message_id`` once it was sent."""

    label: str
    body: dict[str, Any]
    good: bool
    message_id: str = field(default="")


def build(count: int, hold_seconds: int) -> list[Message]:
    """``count`` messages (at least 4): 2 invalid, 1 that makes ``transform`` raise, one good one that is held."""
    messages = [_good(number) for number in range(1, count - FAILING + 1)]
    held = messages[len(messages) // 2]
    held.body["hold_seconds"] = hold_seconds
    held.label += f" (held {hold_seconds} s)"
    number = len(messages)
    messages.append(Message(f"{number + 1} no processing_type", {"data_source": "invoices"}, good=False))
    messages.append(Message(f"{number + 2} no data_source", {"processing_type": "summarise"}, good=False))
    wrong = {"data_source": 20260101, "processing_type": "summarise"}
    messages.append(Message(f"{number + 3} data_source is a number", wrong, good=False))
    return messages


def _good(number: int) -> Message:
    kinds = ("summarise", "classify", "extract")
    body = {
        "data_source": f"invoices-{number:02}",
        "processing_type": kinds[number % len(kinds)],
        "priority": number % 5,
    }
    return Message(f"{number} good", body, good=True)


def send(sqs: Any, queue_url: str, messages: Sequence[Message]) -> None:
    """Send ``messages`` and note their ids. Raises CliError if the queue refuses one."""
    for start in range(0, len(messages), _BATCH):
        batch = messages[start : start + _BATCH]
        entries = [{"Id": str(index), "MessageBody": json.dumps(message.body)} for index, message in enumerate(batch)]
        answer = sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)
        for sent in answer.get("Successful", []):
            batch[int(sent["Id"])].message_id = sent["MessageId"]
        if refused := answer.get("Failed"):
            first = refused[0]
            raise CliError(f"{queue_url} refused {len(refused)} messages: {first['Code']} {first.get('Message', '')}")


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
