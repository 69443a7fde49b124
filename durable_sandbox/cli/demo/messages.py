"""The messages of a run and what is expected of each."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from durable_sandbox.cli.errors import CliError

FAILING = 3
MINIMUM = FAILING + 1
GROUPS = ("a", "b", "c", "d")
_BATCH = 10  # SendMessageBatch takes at most ten entries


@dataclass(slots=True)
class Message:
    """One message: ``label`` for people, ``good`` if it must end in the table; ``message_id`` once it was sent.

    ``group`` and ``position`` (from 1) are its message group and its place in it; empty and 0 on a standard queue.
    """

    label: str
    body: dict[str, Any]
    good: bool
    message_id: str = field(default="")
    group: str = ""
    position: int = 0


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


def in_groups(messages: Sequence[Message]) -> list[Message]:
    """The messages as a FIFO queue gets them: in four groups, a failing one second in each of the first three."""
    good = [message for message in messages if message.good]
    bad = [message for message in messages if not message.good]
    ordered = good[: len(GROUPS)] + bad + good[len(GROUPS) :]
    # The failing ones go to groups a, b, c; the good ones fill up in turn.
    names = [*GROUPS[: len(good)], *GROUPS[: len(bad)]]
    names += [GROUPS[number % len(GROUPS)] for number in range(len(ordered) - len(names))]
    for message, group in zip(ordered, names, strict=True):
        message.group = group
        message.position = sum(other.group == group for other in ordered[: ordered.index(message)]) + 1
    return ordered


def _good(number: int) -> Message:
    kinds = ("summarise", "classify", "extract")
    body = {
        "data_source": f"invoices-{number:02}",
        "processing_type": kinds[number % len(kinds)],
        "priority": number % 5,
    }
    return Message(f"{number} good", body, good=True)


def send(sqs: Any, queue_url: str, messages: Sequence[Message]) -> None:
    """Send ``messages`` in their order and note their ids. Raises CliError if the queue refuses one."""
    # Groups and deduplication ids of a run of their own: an earlier run within five minutes has sent the same bodies.
    run = uuid.uuid4().hex[:8]
    for start in range(0, len(messages), _BATCH):
        batch = messages[start : start + _BATCH]
        entries = [
            {"Id": str(index), "MessageBody": json.dumps(message.body)} | _fifo(message, f"{run}-{start + index}", run)
            for index, message in enumerate(batch)
        ]
        answer = sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)
        for sent in answer.get("Successful", []):
            batch[int(sent["Id"])].message_id = sent["MessageId"]
        if refused := answer.get("Failed"):
            first = refused[0]
            raise CliError(f"{queue_url} refused {len(refused)} messages: {first['Code']} {first.get('Message', '')}")


def _fifo(message: Message, deduplication_id: str, run: str) -> dict[str, str]:
    if not message.group:
        return {}
    return {"MessageGroupId": f"{message.group}-{run}", "MessageDeduplicationId": deduplication_id}
