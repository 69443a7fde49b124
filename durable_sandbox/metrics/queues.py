"""AWS/SQS.

Names, units and the one dimension QueueName: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/
sqs-available-cloudwatch-metrics.html.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from durable_sandbox.metrics.values import Metric, Reading

NAMESPACE = "AWS/SQS"


class Counts(Protocol):
    """What happened on a queue since the last reading, in calls and messages.

    ``sizes``: bytes of a message that was sent -> how many such.
    """

    sizes: dict[int, int]
    deduplicated: int
    received: int
    empty_receives: int
    deleted: int


class Queue(Protocol):
    """A queue as the service reads it; ``oldest``: age of the oldest message in seconds, 0 without one."""

    @property
    def region(self) -> str: ...  # noqa: D102 - as the others
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def fifo(self) -> bool: ...  # noqa: D102
    @property
    def visible(self) -> int: ...  # noqa: D102
    @property
    def in_flight(self) -> int: ...  # noqa: D102
    @property
    def delayed(self) -> int: ...  # noqa: D102
    @property
    def oldest(self) -> float: ...  # noqa: D102
    @property
    def groups_in_flight(self) -> int: ...  # noqa: D102
    @property
    def counts(self) -> Counts: ...  # noqa: D102


class Queues(Protocol):
    """What CloudWatch asks of SQS."""

    def read_queues(self) -> Iterable[Queue]:
        """Every queue of every region with what was counted since the last time; counts begin anew."""
        ...


class QueueSource:
    """A ``collector.Source`` of the metrics of queues."""

    def __init__(self, queues: Queues) -> None:
        self._queues = queues

    def read(self) -> Iterator[Reading]:
        """What there is to say now."""
        for queue in self._queues.read_queues():
            yield from _readings(queue)

    def reset(self) -> None:
        """Forget nothing: the service keeps all of it."""


def _readings(queue: Queue) -> Iterator[Reading]:
    def reading(name: str, values: Mapping[float, float], unit: str = "Count", *, level: bool = False) -> Reading:
        return Reading(queue.region, Metric(NAMESPACE, name, (("QueueName", queue.name),)), unit, values, level)

    levels = {
        "ApproximateNumberOfMessagesVisible": queue.visible,
        "ApproximateNumberOfMessagesNotVisible": queue.in_flight,
        "ApproximateNumberOfMessagesDelayed": queue.delayed,
    }
    if queue.fifo:
        levels["ApproximateNumberOfGroupsWithInflightMessages"] = queue.groups_in_flight
    for name, value in levels.items():
        yield reading(name, {value: 1}, level=True)
    yield reading("ApproximateAgeOfOldestMessage", {int(queue.oldest): 1}, "Seconds", level=True)
    counts = queue.counts
    happened = {
        "NumberOfMessagesSent": sum(counts.sizes.values()),
        "NumberOfMessagesReceived": counts.received,
        "NumberOfMessagesDeleted": counts.deleted,
        "NumberOfEmptyReceives": counts.empty_receives,
    }
    if queue.fifo:
        happened["NumberOfDeduplicatedSentMessages"] = counts.deduplicated
    for name, value in happened.items():
        yield reading(name, {value: 1}, level=not value)
    if counts.sizes:
        yield reading("SentMessageSize", {float(size): count for size, count in counts.sizes.items()}, "Bytes")
