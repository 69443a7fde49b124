"""Following the messages of a run to where they end, through the AWS API alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from durable_sandbox.cli import aws
from durable_sandbox.cli.demo import history
from durable_sandbox.cli.demo.messages import Message
from durable_sandbox.cli.process import Running
from durable_sandbox.cli.queues import depth, message_ids, peek
from durable_sandbox.cli.stack import Stack

_POLL_SECONDS = 0.25
# Lambda tries an async event again after 1 and 2 minutes; the sandbox divides that by its time scale.
_QUIET_SECONDS = 15.0
_QUIET_REAL_SECONDS = 240.0
_KEYS = 100  # BatchGetItem takes at most a hundred keys


class Place(StrEnum):
    """Where a message is."""

    QUEUE = "on the queue"
    RUNNING = "running"
    RETURNED = "waiting for redelivery"
    TABLE = "table"
    FAILED = "failed queue"
    DEAD = "dead-letter queue"
    LOST = "lost"


@dataclass(slots=True)
class Execution:
    """A durable execution that was started with messages of this run."""

    arn: str
    name: str
    status: str
    messages: tuple[str, ...]
    started: datetime
    history: history.History | None = None
    error: str = ""

    @property
    def ended(self) -> bool:
        """Whether it has reached a status that it cannot leave."""
        return self.status in {"SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED"}


@dataclass(slots=True)
class Tracked:
    """A message, its executions (more than one if it was delivered again) and where it is.

    ``stored_at`` is what its row says, ``dead_at`` when a FIFO queue's dead-letter queue got it.
    """

    message: Message
    executions: list[Execution] = field(default_factory=list)
    place: Place = Place.QUEUE
    error: str = ""
    stored_at: datetime | None = None
    dead_at: datetime | None = None

    @property
    def ended(self) -> bool:
        """Whether the message has a final place and none of its executions runs."""
        return self.place in {Place.TABLE, Place.FAILED, Place.DEAD} and all(run.ended for run in self.executions)


@dataclass(frozen=True, slots=True)
class Depths:
    """What GetQueueAttributes says of the source queue and the dead-letter queue: messages in any state."""

    queue: int
    dead: int


class Follower:
    """Watches ``messages`` (sent, since ``since``) through the pipeline. Call ``poll`` until ``done``.

    ``returns``: a failed message returns to the queue, as behind a mapping.
    """

    def __init__(
        self, running: Running, stack: Stack, messages: Sequence[Message], since: datetime, *, returns: bool = False
    ) -> None:
        port = running.port
        self._sqs = aws.client(port, "sqs")
        self._lambda = aws.client(port, "lambda")
        self._dynamodb = aws.client(port, "dynamodb")
        self._stack = stack
        self._since = since
        self.returns = returns
        self._quiet_seconds = _QUIET_REAL_SECONDS if running.real_time else _QUIET_SECONDS
        self.tracked = {message.message_id: Tracked(message) for message in messages}
        self._executions: dict[str, Execution | None] = {}  # None: not one of this run
        self.depths = Depths(len(messages), 0)

    @property
    def done(self) -> bool:
        """Whether every message has ended and nothing of the run is left on the queue."""
        return all(tracked.ended for tracked in self.tracked.values()) and self.depths.queue == 0

    def follow(self, timeout: float, on_poll: Callable[[Follower], None]) -> bool:
        """Poll until all have ended: True. False after ``timeout`` seconds, or when nothing is left that could move."""
        deadline = time.monotonic() + timeout
        moved, before = time.monotonic(), self._situation()
        while True:
            self.poll()
            on_poll(self)
            if self.done:
                return True
            now, situation = time.monotonic(), self._situation()
            if situation != before:
                moved, before = now, situation
            if now > deadline or (self._idle() and now - moved > self._quiet_seconds):
                return False
            time.sleep(_POLL_SECONDS)

    def _situation(self) -> tuple[object, ...]:
        return self.depths, tuple((one.place, len(one.executions)) for one in self.tracked.values())

    def _idle(self) -> bool:
        runs = (run for one in self.tracked.values() for run in one.executions)
        return self.depths.queue == 0 and all(run.ended for run in runs)

    def poll(self) -> None:
        """Look once at executions, table and queues."""
        self._read_executions()
        self._read_table()
        waiting = [tracked for tracked in self.tracked.values() if tracked.place not in {Place.TABLE, Place.FAILED}]
        if any(run.status != "SUCCEEDED" for tracked in waiting for run in tracked.executions if run.ended):
            self._read_failed_queue()
        stack = self._stack
        self.depths = Depths(depth(self._sqs, stack.queue_url), depth(self._sqs, stack.dead_letter_queue_url))
        if self.depths.dead and any(not tracked.ended for tracked in waiting):
            self._read_dead_letter_queue()
        if self.returns:
            for tracked in waiting:
                if tracked.place is Place.RUNNING and all(run.ended for run in tracked.executions):
                    tracked.place = Place.RETURNED

    def settle(self) -> None:
        """After the last poll: what neither ended nor still runs nor may wait on the queue is lost."""
        for tracked in self.tracked.values():
            if not tracked.ended and all(run.ended for run in tracked.executions):
                waits = tracked.place in {Place.QUEUE, Place.RETURNED} and self.depths.queue > 0
                tracked.place = tracked.place if waits else Place.LOST

    def _read_executions(self) -> None:
        for summary in self._list_executions():
            arn, status = summary["DurableExecutionArn"], summary["Status"]
            if arn not in self._executions:
                self._executions[arn] = self._open(summary)
            execution = self._executions[arn]
            if execution is None or execution.history is not None:
                continue
            execution.status = status
            if execution.ended:
                self._finish(execution)

    def _list_executions(self) -> Iterator[Mapping[str, Any]]:
        request = {
            "FunctionName": self._stack.function_name,
            "StartedAfter": self._since,
            "MaxItems": 1000,
            "ReverseOrder": True,  # oldest first
        }
        while True:
            answer = self._lambda.list_durable_executions_by_function(**request)
            yield from answer["DurableExecutions"]
            if not answer.get("NextMarker"):
                return
            request["Marker"] = answer["NextMarker"]

    def _open(self, summary: Mapping[str, Any]) -> Execution | None:
        arn = summary["DurableExecutionArn"]
        detail = self._lambda.get_durable_execution(DurableExecutionArn=arn, IncludeExecutionData=True)
        ids = tuple(message_ids(detail.get("InputPayload") or ""))
        ours = [self.tracked[message_id] for message_id in ids if message_id in self.tracked]
        if not ours:
            return None
        name, status, started = summary["DurableExecutionName"], summary["Status"], summary["StartTimestamp"]
        execution = Execution(arn, name, status, ids, started)
        for tracked in ours:
            tracked.executions.append(execution)
            if tracked.place in {Place.QUEUE, Place.RETURNED}:
                tracked.place = Place.RUNNING
        return execution

    def _finish(self, execution: Execution) -> None:
        events = history.fetch(self._lambda, execution.arn)
        execution.history = history.read(events, len(execution.messages))
        if execution.status != "SUCCEEDED":
            detail = self._lambda.get_durable_execution(DurableExecutionArn=execution.arn, IncludeExecutionData=True)
            error = detail.get("Error") or {}
            execution.error = ": ".join(filter(None, (error.get("ErrorType"), error.get("ErrorMessage"))))

    def _read_table(self) -> None:
        # Of a batch that failed as a whole, the good messages have their rows all the same.
        wanted = [
            message_id
            for message_id, tracked in self.tracked.items()
            if tracked.place in {Place.RUNNING, Place.RETURNED} and any(run.ended for run in tracked.executions)
        ]
        for start in range(0, len(wanted), _KEYS):
            keys = [{"message_id": {"S": message_id}} for message_id in wanted[start : start + _KEYS]]
            request = {self._stack.table_name: {"Keys": keys, "ConsistentRead": True}}
            answer = self._dynamodb.batch_get_item(RequestItems=request)  # what is not returned is asked for next time
            for row in answer["Responses"].get(self._stack.table_name, []):
                tracked = self.tracked[row["message_id"]["S"]]
                tracked.place = Place.TABLE
                tracked.stored_at = datetime.fromisoformat(row["stored_at"]["S"])

    def _read_failed_queue(self) -> None:
        for event in peek(self._sqs, self._stack.failed_queue_url):
            attributes = event.get("MessageAttributes", {})
            said = attributes.get("ErrorMessage", {}).get("StringValue", "")
            for message_id in message_ids(event["Body"]):
                tracked = self.tracked.get(message_id)
                if tracked is not None and tracked.place is not Place.TABLE:
                    tracked.place = Place.FAILED
                    tracked.error = said or next((run.error for run in tracked.executions if run.error), "")

    def _read_dead_letter_queue(self) -> None:
        for message in peek(self._sqs, self._stack.dead_letter_queue_url):
            tracked = self.tracked.get(message["MessageId"])
            if tracked is not None and tracked.place is not Place.TABLE:
                tracked.place = Place.DEAD
                tracked.dead_at = datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC)
                tracked.error = _reason(tracked)


def _reason(tracked: Tracked) -> str:
    """What the message's last execution said of it."""
    run = tracked.executions[-1] if tracked.executions else None
    if run is None or run.history is None:
        return ""
    own = run.history.errors[run.messages.index(tracked.message.message_id)] if run.history.errors else ""
    return own or run.error
