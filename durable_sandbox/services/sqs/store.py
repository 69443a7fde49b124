"""The queues by region and name, and what one queue is besides its messages."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from durable_sandbox.aws.arns import Arn, queue_arn
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.services.sqs import attributes as attrs
from durable_sandbox.services.sqs.counts import QueueCounts, QueueReading
from durable_sandbox.services.sqs.errors import invalid_value, queue_does_not_exist, unknown_attribute
from durable_sandbox.services.sqs.fifo import FifoQueue
from durable_sandbox.services.sqs.polling import Waiters
from durable_sandbox.services.sqs.queue import MessageQueue

_LAST_PURGE_NEVER = float("-inf")


@dataclass(slots=True, eq=False)
class Queue:
    """A queue as the API sees it. ``values`` are its attributes as text, ``created`` and ``modified`` epoch seconds."""

    region: str
    name: str
    arn: str
    url: str
    values: dict[str, str]
    messages: MessageQueue
    waiters: Waiters
    created: int
    modified: int
    tags: dict[str, str] = field(default_factory=dict)
    purged: float = _LAST_PURGE_NEVER
    max_bytes: int = 0
    wait_seconds: int = 0
    redrive: attrs.Redrive | None = None
    counts: QueueCounts = field(default_factory=QueueCounts)

    def __post_init__(self) -> None:
        self.refresh()

    @property
    def fifo(self) -> bool:
        """Whether it is a FIFO queue."""
        return isinstance(self.messages, FifoQueue)

    def refresh(self) -> None:
        """Derive from ``values`` what calls need parsed."""
        self.max_bytes = int(self.values["MaximumMessageSize"])
        self.wait_seconds = int(self.values["ReceiveMessageWaitTimeSeconds"])
        policy = self.values.get("RedrivePolicy")
        self.redrive = attrs.parse_redrive(policy) if policy else None
        self.messages.configure(attrs.settings_of(self.values))

    def read(self) -> QueueReading:
        """The queue now, with what was counted since the last time."""
        counts, self.counts = self.counts, QueueCounts()
        messages = self.messages
        oldest = messages.oldest()
        groups = messages.groups_in_flight() if self.fifo else 0
        return QueueReading(
            self.region,
            self.name,
            self.fifo,
            messages.visible,
            messages.in_flight,
            messages.delayed,
            oldest,
            groups,
            counts,
        )

    def shown(self, names: list[str]) -> dict[str, str]:
        """The attributes that ``names`` ask for. Raises AwsError (InvalidAttributeName)."""
        for name in names:
            if name not in attrs.KNOWN:
                raise unknown_attribute(name)
        self.messages.advance()
        everything = {
            "QueueArn": self.arn,
            "ApproximateNumberOfMessages": str(self.messages.visible),
            "ApproximateNumberOfMessagesNotVisible": str(self.messages.in_flight),
            "ApproximateNumberOfMessagesDelayed": str(self.messages.delayed),
            "CreatedTimestamp": str(self.created),
            "LastModifiedTimestamp": str(self.modified),
            **self.values,
        }
        if "All" in names:
            return everything
        return {name: everything[name] for name in names if name in everything}


class QueueStore:
    """Every queue of the account. ``now`` returns epoch seconds."""

    def __init__(self, base_url: str, account: str, now: Callable[[], float]) -> None:
        self._base_url = base_url.rstrip("/")
        self._account = account
        self._now = now
        self._queues: dict[tuple[str, str], Queue] = {}

    def __iter__(self) -> Iterator[Queue]:
        return iter(self._queues.values())

    def in_region(self, region: str) -> list[Queue]:
        """The queues of a region by name."""
        return sorted((queue for queue in self if queue.region == region), key=lambda queue: queue.name)

    def create(self, region: str, name: str, given: Mapping[str, str], tags: Mapping[str, str]) -> Queue:
        """Create a queue, or return the one that has this name and these attributes. Raises AwsError."""
        fifo = attrs.is_true(given.get("FifoQueue"))
        existing = self._queues.get((region, name))
        if existing is not None:
            different = attrs.first_difference(existing.values, given, fifo=existing.fifo)
            if different is not None:
                raise AwsError(
                    "QueueNameExists",
                    "A queue already exists with the same name and a different value for attribute " + different,
                )
            return existing
        attrs.check_name(name, fifo=fifo)
        arn = queue_arn(region, self._account, name)
        values = attrs.merge(attrs.defaults(fifo=fifo), given, fifo=fifo)
        self.check_redrive(arn, values.get("RedrivePolicy"), fifo=fifo)
        make = FifoQueue if fifo else MessageQueue
        messages = make(arn, secrets.token_hex(6), attrs.settings_of(values), self._now)
        created = int(self._now())
        url = f"{self._base_url}/{self._account}/{name}"
        queue = Queue(
            region, name, arn, url, values, messages, Waiters(messages, self._now), created, created, dict(tags)
        )
        self._queues[region, name] = queue
        return queue

    def update(self, queue: Queue, given: Mapping[str, str]) -> None:
        """Change attributes, all or none. Raises AwsError."""
        values = attrs.merge(queue.values, given, fifo=queue.fifo)
        if given.get("RedrivePolicy"):
            self.check_redrive(queue.arn, given["RedrivePolicy"], fifo=queue.fifo)
        queue.values = values
        queue.modified = int(self._now())
        queue.refresh()
        queue.waiters.notify()

    def named(self, region: str, name: str) -> Queue:
        """The queue of that name. Raises AwsError (QueueDoesNotExist)."""
        queue = self._queues.get((region, name))
        if queue is None:
            raise queue_does_not_exist()
        return queue

    def at(self, region: str, url: str) -> Queue:
        """The queue of a QueueUrl; its host does not matter, as on AWS. Raises AwsError (QueueDoesNotExist)."""
        head, _, name = url.rpartition("/")
        queue = self._queues.get((region, name))
        if queue is None or (head and head.rpartition("/")[2] != self._account):
            raise queue_does_not_exist()
        return queue

    def by_arn(self, arn: str) -> Queue | None:
        """The queue of that ARN, if there is one."""
        parts = arn.split(":", 5)
        if len(parts) != 6 or parts[4] != self._account:  # noqa: PLR2004 - fields of an ARN
            return None
        return self._queues.get((parts[3], parts[5]))

    def delete(self, queue: Queue) -> None:
        """Remove a queue and everything in it."""
        del self._queues[queue.region, queue.name]
        queue.waiters.close()

    def clear(self) -> None:
        """Remove every queue."""
        for queue in list(self):
            self.delete(queue)

    def sources_of(self, dead_letter_queue: Queue) -> list[Queue]:
        """The queues whose RedrivePolicy names this one."""
        arn = dead_letter_queue.arn
        return [
            queue
            for queue in self.in_region(dead_letter_queue.region)
            if queue.redrive and queue.redrive.target_arn == arn
        ]

    def dead_letters_of(self, queue: Queue) -> Queue | None:
        """Where the queue's dead letters go; None if nowhere, then they stay deliverable."""
        if queue.redrive is None:
            return None
        target = self.by_arn(queue.redrive.target_arn)
        if target is None or not attrs.allows_source(target.values.get("RedriveAllowPolicy"), queue.arn):
            return None
        return target

    def check_redrive(self, source_arn: str, policy: str | None, *, fifo: bool) -> None:
        """Raise AwsError (InvalidParameterValue) unless the policy's target may serve this queue."""
        if not policy:
            return
        target_arn = attrs.parse_redrive(policy).target_arn
        if Arn.parse(target_arn).region != Arn.parse(source_arn).region:
            raise invalid_value("RedrivePolicy", policy, "Dead letter target must be in same region as the source.")
        target = self.by_arn(target_arn)
        if target is None:
            raise invalid_value("RedrivePolicy", policy, "Dead letter target does not exist.")
        if target.fifo != fifo:
            raise invalid_value(
                "RedrivePolicy", policy, "Dead letter target must be same type of queue as the source queue."
            )
        if not attrs.allows_source(target.values.get("RedriveAllowPolicy"), source_arn):
            allowed = json.loads(target.values["RedriveAllowPolicy"])["redrivePermission"]
            raise invalid_value(
                "RedrivePolicy",
                policy,
                f"The dead-letter queue's RedriveAllowPolicy ({allowed}) does not permit {source_arn}.",
            )
