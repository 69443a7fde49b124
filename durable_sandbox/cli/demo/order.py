"""Whether the messages of each group kept their order, by what AWS recorded when they were processed.

Behind a mapping a message is through before the next of its group begins. The record of a good one is the store step's
own ``stored_at``, that of a failing one its arrival in the dead-letter queue: a FIFO queue's SentTimestamp is that of the
move (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html). The
dispatcher keeps the order of starts, whose record is the execution's StartTimestamp.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from durable_sandbox.cli.demo.follow import Place, Tracked


def mark(one: Tracked, *, waits: bool) -> datetime | None:
    """When the message was processed: its end if the bridge ``waits`` for that, else its first start. None: not yet."""
    if not waits:
        return min((run.started for run in one.executions), default=None)
    return {Place.TABLE: one.stored_at, Place.DEAD: one.dead_at}.get(one.place)


def breaches(tracked: Iterable[Tracked], *, waits: bool) -> list[str]:
    """Each pair of neighbours in a group that did not keep its order, and each message without a record."""
    groups: dict[str, list[Tracked]] = {}
    for one in tracked:
        groups.setdefault(one.message.group, []).append(one)
    found = []
    for group, members in groups.items():
        members.sort(key=lambda one: one.message.position)
        times = [mark(one, waits=waits) for one in members]
        for one, time in zip(members, times, strict=True):
            if time is None:
                found.append(f"Message {one.message.label} of group {group} has no record of when it was processed.")
        for first, second, before, after in zip(members, members[1:], times, times[1:], strict=False):
            if before is not None and after is not None and after < before:
                found.append(f"Message {second.message.label} of group {group} overtook {first.message.label}.")
    return found
