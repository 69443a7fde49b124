"""SQS's own redrive of a whole queue: started, watched, cancelled.

It runs in SQS, also when this command has been killed; the next run finds it and watches it. Facts: botocore's model of
sqs (StartMessageMoveTask, ListMessageMoveTasks, CancelMessageMoveTask) and SQS Developer Guide,
sqs-configure-dead-letter-queue-redrive: only for dead-letter queues of SQS queues, one task a queue, 1 to 500 messages a
second, new message ids.
"""

from __future__ import annotations

import contextlib
import threading
from typing import Any

from botocore.exceptions import ClientError

from durable_ops.errors import OpsError
from durable_ops.queue import Queue
from durable_ops.walk import OnProgress, Result

_POLL_SECONDS = 1.0
_ENDED = frozenset({"COMPLETED", "CANCELLED", "FAILED"})


def move(sqs: Any, queue: Queue, *, rate: int | None, stop: threading.Event, on_progress: OnProgress) -> Result:
    """Move all of ``queue`` to where it came from; follow the task that runs already, if there is one.

    ``stop`` cancels it: what was moved stays so, the rest is where it was. Raises OpsError if the task fails.
    """
    arn = queue.arn()
    latest = _latest(sqs, arn)
    if latest is None or latest["Status"] in _ENDED:
        if not queue.depth().visible:
            return Result()
        limit = {} if rate is None else {"MaxNumberOfMessagesPerSecond": rate}
        sqs.start_message_move_task(SourceArn=arn, **limit)
    task = _follow(sqs, arn, stop, on_progress)
    if task["Status"] == "FAILED":
        raise OpsError(
            f"SQS stopped moving {queue.name} after {task.get('ApproximateNumberOfMessagesMoved', 0)} messages: "
            f"{task.get('FailureReason', 'no reason given')}.",
            "Messages that were sent there by hand have no source to go back to: redrive them with --method resend.",
        )
    return Result(
        done=int(task.get("ApproximateNumberOfMessagesMoved", 0)),
        left=queue.depth().in_flight,
        interrupted=task["Status"] == "CANCELLED",
    )


def refuse_beside_move(sqs: Any, queue: Queue) -> None:
    """Raise OpsError if SQS is moving the messages of ``queue`` already."""
    latest = _latest(sqs, queue.arn())
    if latest is not None and latest["Status"] not in _ENDED:
        raise OpsError(
            f"SQS is moving the messages of {queue.name} already (a redrive that was started before).",
            "Watch it to its end with --method move, or cancel it there with Ctrl-C, then run this again.",
        )


def _follow(sqs: Any, arn: str, stop: threading.Event, on_progress: OnProgress) -> dict[str, Any]:
    cancelled = False
    while True:
        task = _latest(sqs, arn)
        if task is None:
            raise OpsError("SQS does not know the move task that it started.", "Run it again.")
        moved = int(task.get("ApproximateNumberOfMessagesMoved", 0))
        on_progress(moved, int(task.get("ApproximateNumberOfMessagesToMove", 0)), task["Status"].lower())
        if task["Status"] in _ENDED:
            return task
        if stop.is_set() and not cancelled and "TaskHandle" in task:
            cancelled = True
            with contextlib.suppress(ClientError):  # it has ended since: the next look says how
                sqs.cancel_message_move_task(TaskHandle=task["TaskHandle"])
        if cancelled:
            threading.Event().wait(_POLL_SECONDS / 4)
        else:
            stop.wait(_POLL_SECONDS)


def _latest(sqs: Any, arn: str) -> dict[str, Any] | None:
    found: list[dict[str, Any]] = sqs.list_message_move_tasks(SourceArn=arn, MaxResults=1).get("Results", [])
    return found[0] if found else None
