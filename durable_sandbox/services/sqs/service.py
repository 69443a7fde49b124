"""The SQS API: one method an operation. Inputs, outputs and error names: botocore model of sqs."""

from __future__ import annotations

import base64
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from durable_sandbox.aws.call import Call, Service
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.services.sqs.attributes import MAX_MESSAGE_BYTES
from durable_sandbox.services.sqs.batches import Entry, check_entries, each_entry
from durable_sandbox.services.sqs.content import AttributeFilter, build_message, send_result
from durable_sandbox.services.sqs.counts import QueueReading
from durable_sandbox.services.sqs.errors import invalid_parameter, invalid_value, missing_parameter
from durable_sandbox.services.sqs.faults import MissedDeletes, parse
from durable_sandbox.services.sqs.fifo import FifoQueue
from durable_sandbox.services.sqs.message import Message, attributes_size, parse_receipt
from durable_sandbox.services.sqs.move_tasks import MoveTasks, check_rate
from durable_sandbox.services.sqs.permissions import with_statement, without_statement
from durable_sandbox.services.sqs.queue import MAX_VISIBILITY
from durable_sandbox.services.sqs.store import Queue, QueueStore

Output = Mapping[str, Any] | None
_PAGE = 1000
_PURGE_INTERVAL = 60.0
_MAX_RECEIVE = 10
_MAX_WAIT = 20
_MAX_TAGS = 50


@dataclass(frozen=True, slots=True)
class QueueSummary:
    """One queue in the sandbox's status."""

    region: str
    name: str
    visible: int
    in_flight: int
    delayed: int


class SqsService(Service):
    """SQS of one account, used from one event loop.

    ``base_url`` is the sandbox's address in QueueUrls (``http://127.0.0.1:4566``); ``now`` returns epoch seconds. Unlike
    on AWS, changes hold at once and the name of a deleted queue is free at once.
    """

    name: ClassVar[str] = "sqs"

    def __init__(self, *, base_url: str, account: str, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._store = QueueStore(base_url, account, now)
        self._moves = MoveTasks(self._store, now)

    def reset(self) -> None:
        """Forget every queue and stop every move task; waiting receivers fail with QueueDoesNotExist."""
        self._moves.clear()
        self._store.clear()

    def queues(self) -> list[QueueSummary]:
        """Every queue with its counts of messages."""
        summaries = []
        for queue in self._store:
            messages = queue.messages
            messages.advance()
            summaries.append(
                QueueSummary(queue.region, queue.name, messages.visible, messages.in_flight, messages.delayed)
            )
        return summaries

    def read_queues(self) -> list[QueueReading]:
        """Every queue for CloudWatch; takes what was counted since the last time."""
        return [queue.read() for queue in self._store]

    def faults(self, region: str) -> Mapping[str, Any]:
        """By QueueUrl, the faults that are injected."""
        queues = self._store.in_region(region)
        return {queue.url: queue.messages.faults.shown() for queue in queues if queue.messages.faults is not None}

    def inject_faults(self, region: str, body: Any) -> Mapping[str, Any]:
        """Deliver every n-th message sent from now on a second time, after it was deleted (see ``faults``).

        Raises AwsError: QueueDoesNotExist, InvalidParameterValue (also for a FIFO queue, which delivers once).
        """
        url, every = parse(body)
        queue = self._store.at(region, url)
        if queue.fifo:
            raise invalid_parameter(f"{queue.name} is a FIFO queue, which never delivers a deleted message again.")
        queue.messages.faults = MissedDeletes(every) if every else None
        return self.faults(region)

    # Queues

    def resource_policy(self, arn: str) -> str | None:
        """The queue's Policy; None if there is none."""
        queue = self._store.by_arn(arn)
        return None if queue is None else queue.values.get("Policy") or None

    def encryption_key(self, arn: str) -> str | None:
        """The queue's KmsMasterKeyId as it was given; None if there is none."""
        queue = self._store.by_arn(arn)
        return None if queue is None else queue.values.get("KmsMasterKeyId") or None

    def create_queue(self, call: Call) -> Output:
        """Idempotent for the same attributes; else QueueNameExists."""
        tags = call.params.get("tags") or {}
        _check_tags(tags)
        queue = self._store.create(call.region, call.params["QueueName"], call.params.get("Attributes") or {}, tags)
        return {"QueueUrl": queue.url}

    def get_queue_url(self, call: Call) -> Output:
        """The URL of a queue's name."""
        owner = call.params.get("QueueOwnerAWSAccountId")
        queue = self._store.named(call.region, call.params["QueueName"])
        if owner and f":{owner}:" not in queue.arn:
            raise AwsError("QueueDoesNotExist", "The specified queue does not exist or you do not have access to it.")
        return {"QueueUrl": queue.url}

    def list_queues(self, call: Call) -> Output:
        """URLs by name, a page of MaxResults."""
        prefix = call.params.get("QueueNamePrefix") or ""
        queues = [queue for queue in self._store.in_region(call.region) if queue.name.startswith(prefix)]
        return _page(queues, call.params, "QueueUrls")

    def list_dead_letter_source_queues(self, call: Call) -> Output:
        """URLs of the queues whose dead letters come here."""
        return _page(self._store.sources_of(self._queue(call)), call.params, "queueUrls")

    def delete_queue(self, call: Call) -> Output:
        """Delete the queue and its messages."""
        self._store.delete(self._queue(call))
        return None

    def purge_queue(self, call: Call) -> Output:
        """Delete every message; at most once a minute."""
        queue = self._queue(call)
        if self._now() - queue.purged < _PURGE_INTERVAL:
            raise AwsError(
                "PurgeQueueInProgress",
                f"Only one PurgeQueue operation on {queue.name} is allowed every 60 seconds.",
                status=403,
            )
        queue.purged = self._now()
        queue.messages.purge()
        return None

    def get_queue_attributes(self, call: Call) -> Output:
        """The attributes asked for, texts exactly as they were sent."""
        shown = self._queue(call).shown(call.params.get("AttributeNames") or [])
        return {"Attributes": shown} if shown else None

    def set_queue_attributes(self, call: Call) -> Output:
        """Change attributes, all or none."""
        self._store.update(self._queue(call), call.params["Attributes"])
        return None

    def tag_queue(self, call: Call) -> Output:
        """Add or replace tags."""
        queue = self._queue(call)
        tags = {**queue.tags, **call.params["Tags"]}
        _check_tags(tags)
        queue.tags = tags
        return None

    def untag_queue(self, call: Call) -> Output:
        """Remove tags."""
        queue = self._queue(call)
        for key in call.params["TagKeys"]:
            queue.tags.pop(key, None)
        return None

    def list_queue_tags(self, call: Call) -> Output:
        """The queue's tags."""
        tags = self._queue(call).tags
        return {"Tags": dict(tags)} if tags else None

    def add_permission(self, call: Call) -> Output:
        """Add a statement to the queue's policy."""
        queue, params = self._queue(call), call.params
        policy = with_statement(
            queue.values.get("Policy"), queue.arn, params["Label"], params["AWSAccountIds"], params["Actions"]
        )
        self._store.update(queue, {"Policy": policy})
        return None

    def remove_permission(self, call: Call) -> Output:
        """Remove a statement from the queue's policy."""
        queue = self._queue(call)
        policy = without_statement(queue.values.get("Policy"), queue.arn, call.params["Label"])
        self._store.update(queue, {"Policy": policy})
        return None

    # Messages

    def send_message(self, call: Call) -> Output:
        """Send one message."""
        queue = self._queue(call)
        result = self._send(queue, call, call.params)
        queue.waiters.notify()
        return result

    def send_message_batch(self, call: Call) -> Output:
        """Send up to ten messages, 1 MiB in all."""
        queue = self._queue(call)
        entries = call.params["Entries"]
        check_entries(entries, "SendMessageBatch")
        total = sum(_entry_bytes(entry) for entry in entries)
        if total > MAX_MESSAGE_BYTES:
            raise AwsError(
                "BatchRequestTooLong",
                f"Batch requests cannot be longer than {MAX_MESSAGE_BYTES} bytes. You have sent {total} bytes.",
            )
        _check_fifo_batch(queue, entries)
        result = each_entry(entries, functools.partial(self._send, queue, call))
        queue.waiters.notify()
        return result

    async def receive_message(self, call: Call) -> Output:
        """Receive up to ten messages, waiting up to WaitTimeSeconds for the first."""
        params = call.params
        queue = self._queue(call)
        limit = _in_range(params, "MaxNumberOfMessages", 1, _MAX_RECEIVE, "Must be between 1 and 10, if provided.")
        wait = _in_range(params, "WaitTimeSeconds", 0, _MAX_WAIT, "Must be >= 0 and <= 20, if provided.")
        _in_range(params, "VisibilityTimeout", 0, MAX_VISIBILITY, "Must be between 0 and 43200, if provided.")
        chosen = AttributeFilter.of(params)
        take = functools.partial(self._take, queue, limit or 1, params)
        messages = take()
        seconds = queue.wait_seconds if wait is None else wait
        if not messages and seconds:
            messages = await queue.waiters.poll(take, seconds)
        if not messages:
            queue.counts.empty_receives += 1
            return None
        queue.counts.received += len(messages)
        uid = queue.messages.uid
        return {"Messages": [chosen.render(message, uid) for message in messages]}

    def delete_message(self, call: Call) -> Output:
        """Delete a received message; an outdated handle of a standard queue succeeds and deletes nothing."""
        queue = self._queue(call)
        self._delete(queue, call.params)
        queue.waiters.notify()
        return None

    def delete_message_batch(self, call: Call) -> Output:
        """Delete up to ten messages."""
        queue = self._queue(call)
        check_entries(call.params["Entries"], "DeleteMessageBatch")
        result = each_entry(call.params["Entries"], functools.partial(self._delete, queue))
        queue.waiters.notify()
        return result

    def change_message_visibility(self, call: Call) -> Output:
        """Change how long a received message stays hidden."""
        queue = self._queue(call)
        self._change_visibility(queue, call.params)
        queue.waiters.notify()
        return None

    def change_message_visibility_batch(self, call: Call) -> Output:
        """Change up to ten messages' visibility."""
        queue = self._queue(call)
        check_entries(call.params["Entries"], "ChangeMessageVisibilityBatch")
        result = each_entry(call.params["Entries"], functools.partial(self._change_visibility, queue))
        queue.waiters.notify()
        return result

    # Dead-letter redrive. The methods are coroutines so that they run inside the loop that moves the messages.

    async def start_message_move_task(self, call: Call) -> Output:
        """Start moving a dead-letter queue's messages to their sources or to DestinationArn."""
        rate = call.params.get("MaxNumberOfMessagesPerSecond")
        check_rate(rate)
        task = self._moves.start(call.params["SourceArn"], call.params.get("DestinationArn"), rate)
        return {"TaskHandle": task.handle}

    def list_message_move_tasks(self, call: Call) -> Output:
        """The latest move tasks of a dead-letter queue, newest first."""
        limit = _in_range(call.params, "MaxResults", 1, 10, "You must enter a value between 1 and 10.")
        return {"Results": [task.shown() for task in self._moves.latest(call.params["SourceArn"], limit or 1)]}

    def cancel_message_move_task(self, call: Call) -> Output:
        """Stop a running move task."""
        return {"ApproximateNumberOfMessagesMoved": self._moves.cancel(call.params["TaskHandle"]).moved}

    def _queue(self, call: Call) -> Queue:
        url = call.params.get("QueueUrl")
        if not url:
            raise missing_parameter("QueueUrl")
        return self._store.at(call.region, url)

    def _send(self, queue: Queue, call: Call, entry: Entry) -> Mapping[str, Any]:
        message = build_message(entry, call.caller, fifo=queue.fifo)
        if message.size > queue.max_bytes:
            raise invalid_parameter(
                f"One or more parameters are invalid. Reason: Message must be shorter than {queue.max_bytes} bytes."
            )
        delay = None if queue.fifo else entry.get("DelaySeconds")
        stored = queue.messages.send(message, delay)
        if stored is message:
            queue.counts.sent(message.size)
        else:
            queue.counts.deduplicated += 1
        return send_result(stored, entry)

    def _take(self, queue: Queue, limit: int, params: Mapping[str, Any]) -> list[Message]:
        visibility = params.get("VisibilityTimeout")
        messages = queue.messages
        attempt = params.get("ReceiveRequestAttemptId") if isinstance(messages, FifoQueue) else None
        if attempt and isinstance(messages, FifoQueue):
            repeated = messages.repeat(attempt, visibility)
            if repeated is not None:
                return repeated
        dead_letters = self._store.dead_letters_of(queue)
        received = messages.receive(limit, visibility, dead_letters.messages if dead_letters else None)
        if dead_letters is not None:
            dead_letters.waiters.notify()
        if attempt and received and isinstance(messages, FifoQueue):
            messages.remember(attempt, received)
        return received

    def _delete(self, queue: Queue, entry: Entry) -> Mapping[str, Any]:
        queue.messages.delete(parse_receipt(queue.messages.uid, entry["ReceiptHandle"]))
        queue.counts.deleted += 1
        return {}

    def _change_visibility(self, queue: Queue, entry: Entry) -> Mapping[str, Any]:
        receipt = parse_receipt(queue.messages.uid, entry["ReceiptHandle"])
        timeout = _in_range(entry, "VisibilityTimeout", 0, MAX_VISIBILITY, "Must be between 0 and 43200, if provided.")
        if timeout is None:
            raise missing_parameter("VisibilityTimeout")
        queue.messages.change_visibility(receipt, timeout)
        return {}


def _in_range(params: Mapping[str, Any], name: str, low: int, high: int, reason: str) -> int | None:
    value: int | None = params.get(name)
    if value is not None and not low <= value <= high:
        raise invalid_value(name, value, reason)
    return value


def _entry_bytes(entry: Entry) -> int:
    body = entry["MessageBody"]
    attributes = entry.get("MessageAttributes")
    return (len(body) if body.isascii() else len(body.encode())) + (_lenient_size(attributes) if attributes else 0)


def _lenient_size(attributes: Mapping[str, Mapping[str, Any]]) -> int:
    """Size of attributes that are not checked yet: a malformed one fails its own entry, not the batch."""
    try:
        return attributes_size(attributes)
    except (KeyError, AttributeError, TypeError):
        return 0


def _check_fifo_batch(queue: Queue, entries: Sequence[Entry]) -> None:
    """AWS refuses the whole batch when an entry lacks what a FIFO queue needs (observed)."""
    if not queue.fifo:
        return
    for entry in entries:
        if not entry.get("MessageGroupId"):
            raise missing_parameter("MessageGroupId")
        if not entry.get("MessageDeduplicationId") and not queue.messages.settings.content_based_dedup:
            raise invalid_parameter(
                "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided "
                "explicitly"
            )


def _check_tags(tags: Mapping[str, str]) -> None:
    if len(tags) > _MAX_TAGS:
        raise invalid_parameter(f"Too many tags added for queue: {len(tags)}. Maximum allowed is {_MAX_TAGS}.")


def _page(queues: Sequence[Queue], params: Mapping[str, Any], member: str) -> dict[str, Any]:
    """One page of URLs in name order; the token is the last name. Without MaxResults at most 1,000 and no token."""
    limit = _in_range(params, "MaxResults", 1, _PAGE, "MaxResults must be an integer between 1 and 1000.")
    token = params.get("NextToken")
    if token:
        try:
            after = base64.b64decode(token, validate=True).decode()
        except ValueError as error:
            raise invalid_parameter("Invalid or expired NextToken.") from error
        queues = [queue for queue in queues if queue.name > after]
    page = queues[: limit or _PAGE]
    result: dict[str, Any] = {member: [queue.url for queue in page]}
    if limit is not None and len(queues) > len(page):
        result["NextToken"] = base64.b64encode(page[-1].name.encode()).decode()
    return result
