"""Bringing dead letters back: which way, and what it does with each.

``<name>-failed`` holds events: the function's alias is started with the same event again, under a name made of the dead
letter's id. A repetition finds the name taken, and the ids of the messages in it are the same, so that the store step
absorbs what was done before.

``<name>-dlq`` holds messages. They are sent again with their id in the attribute KEPT_ID, by which the store step and the
dispatcher know them. SQS moves a whole queue by itself (``moves``), but under new ids, and none of the bridges can promise
that nothing has been done: behind esm executions failed, and pipe and dispatcher deliver a message that they have started
again, as long as it cannot be deleted, until it is given up. So it is done only if asked for.

``<name>-backlog-dlq`` holds messages that stepped aside. They go back to ``<name>-backlog``, not to the queue, so that they start
at the backlog's pace and not before fresh ones; their attributes have id and content as at first.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from botocore.exceptions import ClientError

from durable_ops.dead_letters import KEPT_ID, DeadLetter
from durable_ops.errors import Exit, OpsError, code_of
from durable_ops.moves import move, refuse_beside_move
from durable_ops.pace import Pace
from durable_ops.queue import Depth, Queue
from durable_ops.stack import ALIAS, Kind, Stack
from durable_ops.walk import Act, OnProgress, Result, Walk

_ALREADY = "DurableExecutionAlreadyStartedException"


class Method(StrEnum):
    """How dead letters are brought back."""

    MOVE = "move"
    RESEND = "resend"
    START = "start"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a redrive of one queue is going to do, and ``why`` that way."""

    kind: Kind
    queue: Queue
    method: Method
    why: str
    depth: Depth
    ids: Collection[str] | None


def plan(
    stack: Stack, kind: Kind, queue: Queue, ids: Collection[str] | None = None, asked: Method | None = None
) -> Plan:
    """Choose the way for ``queue``, which holds the stack's dead letters of ``kind``. Raises OpsError for one that cannot be."""
    method, why = _choose(stack, kind, ids, asked)
    return Plan(kind, queue, method, why, queue.depth(), ids)


def _choose(stack: Stack, kind: Kind, ids: Collection[str] | None, asked: Method | None) -> tuple[Method, str]:
    if kind is Kind.FAILED:
        return Method.START, f"starts {stack.name}:{ALIAS} with the same event; message ids stay"
    target = stack.came_from(kind).name
    if asked is not Method.MOVE:
        return Method.RESEND, f"sent to {target}; ids stay, in the attribute {KEPT_ID}"
    if ids is not None:
        raise OpsError("SQS moves a whole queue; it cannot pick messages.", "Leave --method or --id away.", Exit.USAGE)
    if kind is Kind.BACKLOG:
        return asked, f"SQS moves the whole queue to {target}; ids stay, in the attribute that the dispatcher added"
    return asked, (
        f"SQS moves the whole queue to {target}, and messages get NEW IDS: what was worked on before takes effect A SECOND "
        "TIME (esm: failed after an effect; pipe, dispatcher: started, and could not be deleted); --method resend keeps ids"
    )


def redrive(stack: Stack, planned: Plan, *, rate: int | None, stop: threading.Event, on_progress: OnProgress) -> Result:
    """Carry ``planned`` out, until it is done or ``stop`` is set."""
    if planned.method is Method.MOVE:
        return move(stack.sqs, planned.queue, rate=rate, stop=stop, on_progress=on_progress)
    if planned.method is Method.RESEND:
        refuse_beside_move(stack.sqs, planned.queue)
    act = starting(stack) if planned.method is Method.START else resending(stack.came_from(planned.kind))
    return Walk(
        planned.queue,
        planned.kind,
        act,
        pace=Pace(rate, stop),
        stop=stop,
        ids=planned.ids,
        on_progress=on_progress,
    ).run()


def starting(stack: Stack) -> Act:
    """Start the function with the event, once for each dead letter; what is no event of a function stays.

    The same name and event find the execution that is there; 409 says that the alias has moved since
    (https://docs.aws.amazon.com/lambda/latest/dg/durable-execution-idempotency.html).
    """
    functions = stack.functions

    def act(letter: DeadLetter) -> None:
        if not letter.can_be_redriven:
            raise OpsError(letter.reason, "It stays. docs/guides/operate.md says what it may be.")
        try:
            functions.invoke(
                FunctionName=stack.name,
                Qualifier=ALIAS,
                InvocationType="Event",
                DurableExecutionName=execution_name(letter.id),
                Payload=letter.body.encode(),
            )
        except ClientError as error:
            if code_of(error) != _ALREADY:
                raise

    return act


def execution_name(dead_letter_id: str) -> str:
    """The name of the execution that redrives a dead letter: 44 of the 64 characters that a name may have."""
    return f"redrive-{dead_letter_id}"


def resending(source: Queue) -> Act:
    """Send the message to ``source`` again, with its id in an attribute."""

    def act(letter: DeadLetter) -> None:
        source.send(**message_again(letter, fifo=source.fifo))

    return act


def message_again(letter: DeadLetter, *, fifo: bool) -> dict[str, Any]:
    """SendMessage's parameters for a dead letter.

    In a FIFO queue its own id deduplicates: sent twice within five minutes, it is there once.
    """
    kept = {"DataType": "String", "StringValue": letter.message_ids[0]}
    message: dict[str, Any] = {
        "MessageBody": letter.body,
        "MessageAttributes": {**letter.attributes, KEPT_ID: kept},
    }
    if letter.group is not None:
        message["MessageGroupId"] = letter.group
    if fifo:
        message["MessageDeduplicationId"] = letter.id
    if header := letter.system.get("AWSTraceHeader"):
        message["MessageSystemAttributes"] = {"AWSTraceHeader": {"DataType": "String", "StringValue": header}}
    return message
