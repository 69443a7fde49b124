"""What CloudWatch counts of a queue.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html: a move
to a dead-letter queue by maxReceiveCount is no send; deletes with a valid handle count, also those that delete nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class QueueCounts:
    """Since they were last taken. ``sizes``: how often a message of so many bytes was sent."""

    sizes: dict[int, int] = field(default_factory=dict)
    deduplicated: int = 0
    received: int = 0
    empty_receives: int = 0
    deleted: int = 0

    def sent(self, size: int) -> None:
        """Count a message that was sent."""
        self.sizes[size] = self.sizes.get(size, 0) + 1


@dataclass(frozen=True, slots=True)
class QueueReading:
    """A queue now. ``oldest`` is the age in seconds of the oldest message, 0 if there is none."""

    region: str
    name: str
    fifo: bool
    visible: int
    in_flight: int
    delayed: int
    oldest: float
    groups_in_flight: int
    counts: QueueCounts
