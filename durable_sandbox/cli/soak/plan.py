"""The messages of a soak: which are invalid, which fail the first time, which are delivered twice."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from durable_sandbox.cli.errors import CliError

FEWEST = 20
DUPLICATE_EVERY = 20
"""Every 20th message, 5 %, is delivered twice."""
_INVALID_EVERY = 20
_FLAKY_EVERY = 10
_BATCH = 10  # SendMessageBatch takes at most ten entries


class Kind(StrEnum):
    """What a message is made for."""

    GOOD = "good"
    INVALID = "invalid"
    FLAKY = "fails the first time in transform"


@dataclass(slots=True)
class Plan:
    """One message per entry of ``kinds``, in the order of sending; ``ids`` are their message ids once they are sent."""

    kinds: list[Kind]
    ids: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, messages: int, seed: int) -> Plan:
        """5 % invalid, 10 % flaky, the rest good, in an order that ``seed`` determines."""
        invalid, flaky = messages // _INVALID_EVERY, messages // _FLAKY_EVERY
        kinds = [Kind.INVALID] * invalid + [Kind.FLAKY] * flaky
        kinds += [Kind.GOOD] * (messages - len(kinds))
        random.Random(seed).shuffle(kinds)  # noqa: S311 - no secret
        return cls(kinds)

    def of_kind(self, kind: Kind) -> frozenset[str]:
        """The ids of the messages of a kind."""
        return frozenset(message_id for message_id, known in zip(self.ids, self.kinds, strict=True) if known is kind)

    def send(self, sqs: Any, queue_url: str, after_batch: Callable[[], None]) -> None:
        """Send all messages in order, ten at a time. Raises CliError if the queue refuses one."""
        run = uuid.uuid4().hex[:8]
        bodies = [json.dumps(body(kind, f"{run}-{number}")) for number, kind in enumerate(self.kinds)]
        for start in range(0, len(bodies), _BATCH):
            self.ids += _send(sqs, queue_url, bodies[start : start + _BATCH])
            after_batch()


def body(kind: Kind, key: str) -> dict[str, Any]:
    """A message's body; ``fail_first`` is what the soak's transform looks at, by a ``key`` of the message's own."""
    if kind is Kind.INVALID:
        return {"processing_type": "summarise", "key": key}
    found = {"data_source": "invoices", "processing_type": "summarise", "key": key}
    return found | {"fail_first": key} if kind is Kind.FLAKY else found


def _send(sqs: Any, queue_url: str, bodies: Sequence[str]) -> list[str]:
    entries = [{"Id": str(index), "MessageBody": text} for index, text in enumerate(bodies)]
    answer = sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)
    if refused := answer.get("Failed"):
        raise CliError(f"{queue_url} refused {len(refused)} messages: {refused[0]['Code']}")
    return [sent["MessageId"] for sent in sorted(answer["Successful"], key=lambda sent: int(sent["Id"]))]
