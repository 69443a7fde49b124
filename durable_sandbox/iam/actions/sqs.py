"""Amazon SQS.

Source: Service Authorization Reference list_amazonsqs and SQS Developer Guide sqs-api-permissions-reference: a batch
needs the action of its single form; ListQueues is asked on the ARN without a name, as its denials show.
"""

from __future__ import annotations

import base64
import json

from durable_sandbox.iam.actions.rules import Need, Operation, Table, UnmappedError, each, on

_PATH_PARTS = 2


def queue(operation: Operation) -> str:
    """The queue of QueueUrl, whose path is ``/account/name``, else of QueueName (the owner's, or the caller's)."""
    url = operation.params.get("QueueUrl")
    if not url:
        owner = operation.params.get("QueueOwnerAWSAccountId") or operation.account
        return f"arn:aws:sqs:{operation.region}:{owner}:{operation.text('QueueName')}"
    parts = str(url).rstrip("/").rsplit("/", _PATH_PARTS)
    if len(parts) <= _PATH_PARTS or not parts[1].isdigit():
        raise UnmappedError(f"QueueUrl {url!r} does not end in /account/name")
    return f"arn:aws:sqs:{operation.region}:{parts[1]}:{parts[2]}"


def _all_queues(operation: Operation) -> str:
    return operation.arn("")


def _start_move(operation: Operation) -> tuple[Need, ...]:
    """The destination is asked only if the call names one: else it is the original sources, unknown to the caller."""
    source = operation.text("SourceArn")
    needs = [
        Need(f"sqs:{action}", source)
        for action in ("StartMessageMoveTask", "ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
    ]
    if operation.params.get("DestinationArn"):
        needs.append(Need("sqs:SendMessage", str(operation.params["DestinationArn"])))
    return tuple(needs)


def _cancel_move(operation: Operation) -> tuple[Need, ...]:
    handle = operation.text("TaskHandle")
    try:
        source = str(json.loads(base64.b64decode(handle, validate=True))["sourceArn"])
    except (ValueError, KeyError, TypeError) as error:
        raise UnmappedError("TaskHandle names no queue") from error
    return tuple(
        Need(f"sqs:{action}", source)
        for action in ("CancelMessageMoveTask", "ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
    )


def _list_moves(operation: Operation) -> tuple[Need, ...]:
    source = operation.text("SourceArn")
    return Need("sqs:ListMessageMoveTasks", source), Need("sqs:GetQueueAttributes", source)


TABLE: Table = {
    **each(
        "AddPermission ChangeMessageVisibility CreateQueue DeleteMessage DeleteQueue GetQueueAttributes GetQueueUrl "
        "ListDeadLetterSourceQueues ListQueueTags PurgeQueue ReceiveMessage RemovePermission SendMessage "
        "SetQueueAttributes TagQueue UntagQueue",
        on(queue),
    ),
    "SendMessageBatch": on(queue, "SendMessage"),
    "DeleteMessageBatch": on(queue, "DeleteMessage"),
    "ChangeMessageVisibilityBatch": on(queue, "ChangeMessageVisibility"),
    "ListQueues": on(_all_queues),
    "StartMessageMoveTask": _start_move,
    "CancelMessageMoveTask": _cancel_move,
    "ListMessageMoveTasks": _list_moves,
}
