"""StartMessageMoveTask: dead letters back to their source, or to another queue.

Rules: botocore model of sqs, SQS Developer Guide sqs-configure-dead-letter-queue-redrive.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

from durable_sandbox.aws.errors import AwsError
from durable_sandbox.services.sqs.errors import QUERY_ERROR_CODES, invalid_parameter, resource_not_found
from durable_sandbox.services.sqs.message import Message, new_message_id
from durable_sandbox.services.sqs.store import Queue, QueueStore

_BURST = 100
_KEPT = 10
_NO_QUEUE = QUERY_ERROR_CODES["QueueDoesNotExist"]
_NO_SOURCE = "CouldNotDetermineMessageSource"


@dataclass(slots=True, eq=False)
class MoveTask:
    """One task. ``rate`` in messages a second, ``started`` in epoch milliseconds."""

    source: Queue
    destination_arn: str | None
    rate: int | None
    to_move: int
    started: int
    task_id: str = field(default_factory=lambda: str(uuid4()))
    status: str = "RUNNING"
    moved: int = 0
    failure: str | None = None

    @property
    def handle(self) -> str:
        """TaskHandle."""
        return base64.b64encode(json.dumps({"taskId": self.task_id, "sourceArn": self.source.arn}).encode()).decode()

    def shown(self) -> dict[str, Any]:
        """An entry of ListMessageMoveTasks; the handle only while there is something to cancel, as on AWS."""
        entry = {
            "TaskHandle": self.handle if self.status == "RUNNING" else None,
            "Status": self.status,
            "SourceArn": self.source.arn,
            "DestinationArn": self.destination_arn,
            "MaxNumberOfMessagesPerSecond": self.rate,
            "ApproximateNumberOfMessagesMoved": self.moved,
            "ApproximateNumberOfMessagesToMove": self.to_move,
            "FailureReason": self.failure,
            "StartedTimestamp": self.started,
        }
        return {name: value for name, value in entry.items() if value is not None}


class MoveTasks:
    """The running task of each dead-letter queue, and the latest ended ones."""

    def __init__(self, store: QueueStore, now: Callable[[], float]) -> None:
        self._store = store
        self._now = now
        self._tasks: dict[str, list[MoveTask]] = {}
        self._running: set[asyncio.Task[None]] = set()

    def start(self, source_arn: str, destination_arn: str | None, rate: int | None) -> MoveTask:
        """Start moving. Raises AwsError: ResourceNotFoundException, InvalidParameterValue."""
        source = self._source(source_arn)
        if not self._store.sources_of(source):
            raise invalid_parameter("Source queue must be configured as a Dead Letter Queue.")
        if destination_arn is not None:
            destination = self._store.by_arn(destination_arn)
            if destination is None:
                raise resource_not_found(
                    "The resource that you specified for the DestinationArn parameter doesn't exist."
                )
            if destination is source:
                raise invalid_parameter("Source queue arn and destination queue arn cannot be the same.")
            if destination.fifo != source.fifo:
                raise invalid_parameter("Source queue and destination queue must be of the same type.")
        tasks = self._tasks.setdefault(source_arn, [])
        if any(task.status in ("RUNNING", "CANCELLING") for task in tasks):
            raise invalid_parameter(
                "There is already a task running. Only one active task is allowed for a source queue arn at a given time."
            )
        source.messages.advance()
        task = MoveTask(source, destination_arn, rate, source.messages.visible, int(self._now() * 1000))
        tasks.insert(0, task)
        del tasks[_KEPT:]
        running = asyncio.get_running_loop().create_task(self._run(task), name=f"sqs-move-{task.task_id}")
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        return task

    def latest(self, source_arn: str, limit: int) -> list[MoveTask]:
        """The latest tasks of a dead-letter queue, newest first. Raises AwsError (ResourceNotFoundException)."""
        self._source(source_arn)
        return self._tasks.get(source_arn, [])[:limit]

    def cancel(self, handle: str) -> MoveTask:
        """Stop a running task; what it moved stays moved. Raises AwsError."""
        try:
            named = json.loads(base64.b64decode(handle, validate=True))
            source_arn, task_id = str(named["sourceArn"]), str(named["taskId"])
        except (ValueError, KeyError, TypeError) as error:
            raise invalid_parameter("Value for parameter TaskHandle is invalid.") from error
        self._source(source_arn)
        for task in self._tasks.get(source_arn, []):
            if task.task_id == task_id and task.status == "RUNNING":
                task.status = "CANCELLING"
                return task
        raise resource_not_found("Task does not exist.")

    def clear(self) -> None:
        """Stop and forget every task."""
        for running in self._running:
            running.cancel()
        self._tasks.clear()

    def _source(self, arn: str) -> Queue:
        source = self._store.by_arn(arn)
        if source is None:
            raise resource_not_found("The resource that you specified for the SourceArn parameter doesn't exist.")
        return source

    async def _run(self, task: MoveTask) -> None:
        while task.moved < task.to_move and task.status == "RUNNING":
            if task.rate is not None:
                await asyncio.sleep(1 / task.rate)
            elif task.moved % _BURST == 0:
                await asyncio.sleep(0)
            if task.status != "RUNNING" or not self._move_one(task):
                break
        if task.status == "CANCELLING":
            task.status = "CANCELLED"
        elif task.status == "RUNNING":
            task.status = "COMPLETED"

    def _move_one(self, task: MoveTask) -> bool:
        """Move the next message. False when none is left or the task failed."""
        if self._store.by_arn(task.source.arn) is not task.source:
            task.status, task.failure = "FAILED", _NO_QUEUE
            return False
        message = task.source.messages.withdraw()
        if message is None:
            return False
        arn = task.destination_arn or message.source_arn
        destination = self._store.by_arn(arn) if arn is not None else None
        if destination is None:
            task.source.messages.put_back(message)
            task.status, task.failure = "FAILED", _NO_SOURCE if arn is None else _NO_QUEUE
            return False
        destination.messages.restore(_fresh(message))
        destination.waiters.notify()
        task.moved += 1
        return True


def _fresh(message: Message) -> Message:
    """The message as a new one: redriven messages get a new id and enqueue time."""
    return replace(
        message, message_id=new_message_id(), source_arn=None, receive_count=0, receives=0, first_received=None
    )


def check_rate(rate: int | None) -> None:
    """Raise AwsError (InvalidParameterValue) unless 1 to 500 messages a second."""
    if rate is not None and not 1 <= rate <= 500:  # noqa: PLR2004 - the API's range
        raise AwsError(
            "InvalidParameterValue",
            f"Value {rate} for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: You must enter a value "
            "between 1 and 500.",
        )
