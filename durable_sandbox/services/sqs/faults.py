"""Faults that a standard queue may show on AWS, injected on purpose.

At-least-once delivery: a server that holds a copy of a message may miss its deletion, and that copy is received again
(https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues-at-least-once-delivery.html).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from durable_sandbox.aws.errors import AwsError


@dataclass(slots=True)
class MissedDeletes:
    """Of every ``every``-th message sent, the first deletion is missed once: SQS says yes and delivers it again."""

    every: int
    sent: int = 0
    chosen: dict[str, bool] = field(default_factory=dict)
    """By message id: whether its deletion has been missed already."""

    def note_send(self, message_id: str) -> None:
        """Count a message that was sent, and choose it if it is its turn."""
        self.sent += 1
        if self.sent % self.every == 0:
            self.chosen[message_id] = False

    def misses(self, message_id: str) -> bool:
        """Whether this deletion is missed: true once for a chosen message."""
        if self.chosen.get(message_id, True):
            return False
        self.chosen[message_id] = True
        return True

    def shown(self) -> Mapping[str, Any]:
        """For the control route: the ids of all chosen messages, and of those that were delivered again."""
        again = [message_id for message_id, missed in self.chosen.items() if missed]
        return {"every": self.every, "sent": self.sent, "chosen": list(self.chosen), "delivered_again": again}


def parse(body: Any) -> tuple[str, int]:
    """Read ``{"queue_url": str, "every": n}``, n 0 for no faults. Raises AwsError (InvalidParameterValue)."""
    fields = body if isinstance(body, dict) else {}
    url, every = fields.get("queue_url"), fields.get("every")
    if not isinstance(url, str) or isinstance(every, bool) or not isinstance(every, int) or every < 0:
        raise AwsError("InvalidParameterValue", 'Send {"queue_url": "<url>", "every": <whole number, 0 to stop>}.')
    return url, every
