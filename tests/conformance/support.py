"""Queues, mappings and a function that does what its messages say, all through boto3."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import uuid4

from lambda_support import Functions

from durable_sandbox.pytest_plugin import Sandbox, eventually

T = TypeVar("T")

PROBE = """
import json
import time

BIG = 10_000


def shown(record):
    return record if len(record["body"]) < BIG else {**record, "body": len(record["body"])}


def order_of(record):
    try:
        order = json.loads(record["body"])
    except ValueError:
        return {}
    return order if isinstance(order, dict) else {}


def handler(event, context):
    started = time.time()
    answer, failed, stopped = None, [], set()
    error = None
    for record in event["Records"]:
        order = order_of(record)
        group = record["attributes"].get("MessageGroupId")
        first = record["attributes"]["ApproximateReceiveCount"] == "1"
        time.sleep(order.get("sleep", 0))
        if order.get("raise") and first:
            error = order["raise"]
        if "answer" in order and first:
            answer = order["answer"].replace("<id>", record["messageId"])
        fails = order.get("fail") == "always" or (order.get("fail") == "once" and first)
        if fails or group in stopped:
            failed.append(record["messageId"])
            if group is not None and not order.get("careless"):
                stopped.add(group)
    print(json.dumps({
        "queue": event["Records"][0]["eventSourceARN"],
        "started": started,
        "ended": time.time(),
        "keys": sorted(event),
        "records": [shown(record) for record in event["Records"]],
    }))
    if error is not None:
        raise ValueError(error)
    if answer is not None:
        return json.loads(answer)
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in failed]}
"""
"""Orders in a message's body: sleep (s), raise, fail (once, always; careless: later messages of the group go on), answer."""


@dataclass(frozen=True)
class Queue:
    """A queue."""

    url: str
    arn: str

    @property
    def name(self) -> str:
        """QueueName."""
        return self.url.rsplit("/", 1)[1]


@dataclass(frozen=True)
class Invocation:
    """What the probe saw of one event. Times in epoch seconds."""

    started: float
    ended: float
    records: list[dict[str, Any]]
    keys: list[str]

    @property
    def bodies(self) -> list[str]:
        """Bodies as they came."""
        return [record["body"] for record in self.records]


def receive_count(record: dict[str, Any]) -> int:
    """ApproximateReceiveCount."""
    return int(record["attributes"]["ApproximateReceiveCount"])


@dataclass
class Bench:
    """Everything a test needs, and the probe function, deployed when first used."""

    sandbox: Sandbox
    functions: Functions = field(init=False)
    _probe: str | None = None

    def __post_init__(self) -> None:
        self.functions = Functions(self.sandbox.client("lambda"))
        self.lambda_ = self.functions.client
        self.sqs = self.sandbox.client("sqs")
        self._logs = self.sandbox.client("logs")

    @property
    def probe(self) -> str:
        """``name:live`` of the shared probe; its timeout is 2 s."""
        if self._probe is None:
            self._probe = self.functions.deploy(PROBE, Timeout=2)
        return self._probe

    def queue(self, *, fifo: bool = False, visibility: int = 30, **attributes: str) -> Queue:
        """Create a queue."""
        name = f"q-{uuid4().hex[:12]}" + (".fifo" if fifo else "")
        attributes = {"VisibilityTimeout": str(visibility), **attributes}
        if fifo:
            attributes["FifoQueue"] = "true"
            attributes.setdefault("ContentBasedDeduplication", "true")
        url = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return Queue(url, f"arn:aws:sqs:us-east-1:123456789012:{name}")

    def queue_with_dead_letters(self, maximum: int, *, fifo: bool = False, visibility: int = 2) -> tuple[Queue, Queue]:
        """A queue with a redrive policy, and its dead-letter queue."""
        dead = self.queue(fifo=fifo)
        policy = json.dumps({"deadLetterTargetArn": dead.arn, "maxReceiveCount": maximum})
        return self.queue(fifo=fifo, visibility=visibility, RedrivePolicy=policy), dead

    def send(self, queue: Queue, *bodies: Any, group: str | None = None) -> list[str]:
        """Send up to ten messages in one call (text as it is, else as JSON); returns their ids."""
        entries = []
        for n, body in enumerate(bodies):
            entry = {"Id": str(n), "MessageBody": body if isinstance(body, str) else json.dumps(body)}
            entries.append(entry if group is None else {**entry, "MessageGroupId": group})
        sent = self.sqs.send_message_batch(QueueUrl=queue.url, Entries=entries)
        assert not sent.get("Failed"), sent
        return [entry["MessageId"] for entry in sent["Successful"]]

    def counts(self, queue: Queue) -> tuple[int, int]:
        """Messages visible and in flight."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        shown = self.sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=names)["Attributes"]
        return int(shown[names[0]]), int(shown[names[1]])

    def emptied(self, *queues: Queue, within: float = 20) -> None:
        """Wait until the queues have no message, in flight neither."""
        for queue in queues:
            eventually(lambda queue=queue: True if self.counts(queue) == (0, 0) else None, within)

    def create(self, queue: Queue, function: str | None = None, **settings: Any) -> dict[str, Any]:
        """CreateEventSourceMapping on the probe or ``function``."""
        created: dict[str, Any] = self.lambda_.create_event_source_mapping(
            EventSourceArn=queue.arn, FunctionName=function or self.probe, **settings
        )
        return created

    def map(self, queue: Queue, function: str | None = None, *, report: bool = True, **settings: Any) -> str:
        """Create a mapping, with ReportBatchItemFailures unless told; returns its UUID, Enabled (or Disabled)."""
        if report:
            settings["FunctionResponseTypes"] = ["ReportBatchItemFailures"]
        uuid: str = self.create(queue, function, **settings)["UUID"]
        self.settled(uuid)
        return uuid

    def get(self, uuid: str) -> dict[str, Any]:
        """GetEventSourceMapping."""
        mapping: dict[str, Any] = self.lambda_.get_event_source_mapping(UUID=uuid)
        return mapping

    def settled(self, uuid: str) -> dict[str, Any]:
        """The mapping once it is in no transition."""

        def done() -> dict[str, Any] | None:
            mapping = self.get(uuid)
            return mapping if mapping["State"] in ("Enabled", "Disabled") else None

        return eventually(done)

    def update(self, uuid: str, **settings: Any) -> dict[str, Any]:
        """UpdateEventSourceMapping, and its answer once it holds."""
        self.lambda_.update_event_source_mapping(UUID=uuid, **settings)
        return self.settled(uuid)

    def seen(self, queue: Queue, function: str | None = None) -> list[Invocation]:
        """What the probe (or a copy of it) saw of ``queue``, by time."""
        group = f"/aws/lambda/{(function or self.probe).partition(':')[0]}"
        events: list[str] = []
        try:
            for page in self._logs.get_paginator("filter_log_events").paginate(logGroupName=group):
                events += [event["message"] for event in page["events"]]
        except self._logs.exceptions.ResourceNotFoundException:
            return []
        said = [json.loads(text) for text in events if text.startswith("{")]
        mine = [
            Invocation(one["started"], one["ended"], one["records"], one["keys"])
            for one in said
            if one["queue"] == queue.arn
        ]
        return sorted(mine, key=lambda invocation: invocation.started)

    def until_seen(
        self,
        queue: Queue,
        condition: Callable[[list[Invocation]], Any],
        function: str | None = None,
        within: float = 20,
    ) -> list[Invocation]:
        """What was seen of ``queue`` once that satisfies ``condition``."""

        def satisfied() -> list[Invocation] | None:
            found = self.seen(queue, function)
            return found if condition(found) else None

        return eventually(satisfied, within)

    def records(
        self, queue: Queue, count: int, function: str | None = None, within: float = 20
    ) -> list[dict[str, Any]]:
        """At least ``count`` deliveries of records, in the order in which they were handled."""
        found = self.until_seen(queue, lambda seen: sum(len(i.records) for i in seen) >= count, function, within)
        return [record for invocation in found for record in invocation.records]


def overlap(invocations: Sequence[Invocation]) -> int:
    """The most invocations that ran at the same time."""
    edges = sorted([(i.started, 1) for i in invocations] + [(i.ended, -1) for i in invocations])
    most = now = 0
    for _, step in edges:
        now += step
        most = max(most, now)
    return most
