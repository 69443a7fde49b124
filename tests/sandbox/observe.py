"""What a user of a deployed pipeline can see of it: executions, rows, queues."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from durable_sandbox.pytest_plugin import Sandbox, eventually

T = TypeVar("T")

_DEPTHS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed")


@dataclass(frozen=True)
class Failure:
    """An event in ``<name>-failed``: the messages in it and why they are there."""

    messages: tuple[str, ...]
    error: str
    attributes: Mapping[str, Any]


class Pipeline:
    """A deployed root module, by its outputs."""

    def __init__(self, sandbox: Sandbox, outputs: Mapping[str, Any]) -> None:
        self.sandbox = sandbox
        self.outputs = outputs
        self.sqs = sandbox.client("sqs")
        self.functions = sandbox.client("lambda")
        self.dynamodb = sandbox.client("dynamodb")

    def send(self, bodies: Sequence[Any]) -> list[str]:
        """Send each body as JSON (text as it is); returns the message ids."""
        ids = []
        texts = [body if isinstance(body, str) else json.dumps(body) for body in bodies]
        for start in range(0, len(texts), 10):
            entries = [{"Id": str(i), "MessageBody": text} for i, text in enumerate(texts[start : start + 10])]
            answer = self.sqs.send_message_batch(QueueUrl=self.outputs["queue_url"], Entries=entries)
            assert not answer.get("Failed")
            ids += [sent["MessageId"] for sent in sorted(answer["Successful"], key=lambda sent: int(sent["Id"]))]
        return ids

    def depth(self, output: str) -> int:
        """Messages in any state on the queue whose URL is in ``output``."""
        answer = self.sqs.get_queue_attributes(QueueUrl=self.outputs[output], AttributeNames=list(_DEPTHS))
        return sum(int(answer["Attributes"][name]) for name in _DEPTHS)

    def running(self) -> list[dict[str, Any]]:
        """Executions that have not ended."""
        pages = self.functions.get_paginator("list_durable_executions_by_function")
        answers = pages.paginate(FunctionName=self.outputs["function_name"], Statuses=["RUNNING"])
        return [summary for page in answers for summary in page["DurableExecutions"]]

    def executions(self, ids: Collection[str]) -> dict[str, list[dict[str, Any]]]:
        """By message id, the executions (as GetDurableExecution returns them) that were started with it."""
        found: dict[str, list[dict[str, Any]]] = {message_id: [] for message_id in ids}
        pages = self.functions.get_paginator("list_durable_executions_by_function")
        for page in pages.paginate(FunctionName=self.outputs["function_name"]):
            for summary in page["DurableExecutions"]:
                execution = self.execution(summary["DurableExecutionArn"])
                for message_id in messages_of(execution["InputPayload"]):
                    if message_id in found:
                        found[message_id].append(execution)
        return found

    def execution(self, arn: str) -> dict[str, Any]:
        """One execution with its data."""
        answer: dict[str, Any] = self.functions.get_durable_execution(
            DurableExecutionArn=arn, IncludeExecutionData=True
        )
        return answer

    def history(self, arn: str) -> list[dict[str, Any]]:
        """All events with their data."""
        pages = self.functions.get_paginator("get_durable_execution_history")
        answers = pages.paginate(DurableExecutionArn=arn, IncludeExecutionData=True)
        return [event for page in answers for event in page["Events"]]

    def ended(self, ids: Collection[str], within: float = 60) -> dict[str, dict[str, Any]]:
        """Once each message has exactly one execution and that has ended: the executions by message id."""

        def probe() -> dict[str, dict[str, Any]] | None:
            if self.running():
                return None
            found = self.executions(ids)
            if all(runs and all(run["Status"] != "RUNNING" for run in runs) for runs in found.values()):
                return {message_id: only(runs) for message_id, runs in found.items()}
            return None

        return eventually(probe, within, "for executions to end")

    def rows(self, ids: Collection[str]) -> dict[str, dict[str, Any]]:
        """The rows of these messages, by message id."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.outputs["table_name"], ConsistentRead=True)
        rows = [row for page in pages for row in page["Items"]]
        return {row["message_id"]["S"]: row for row in rows if row["message_id"]["S"] in ids}

    def failures(self) -> list[Failure]:
        """What is in ``<name>-failed``, taken off it."""
        return [
            Failure(
                tuple(messages_of(message["Body"])),
                message["MessageAttributes"]["ErrorMessage"]["StringValue"],
                message["MessageAttributes"],
            )
            for message in self._drain(self.outputs["failed_queue_url"])
        ]

    def peek(self, output: str) -> list[dict[str, Any]]:
        """What is on the queue whose URL is in ``output``, given back."""
        url = self.outputs[output]
        seen = list(self._receive(url))
        for message in seen:
            self.sqs.change_message_visibility(
                QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
            )
        return seen

    def idle(self) -> None:
        """Wait until nothing is on the source queue, and assert that nothing is on its dead-letter queue."""
        eventually(lambda: True if self.depth("queue_url") == 0 else None, what="for the queue to empty")
        assert self.depth("dead_letter_queue_url") == 0

    def _drain(self, url: str) -> Iterator[dict[str, Any]]:
        for message in self._receive(url):
            self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            yield message

    def _receive(self, url: str) -> Iterator[dict[str, Any]]:
        while True:
            answer = self.sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=10,
                WaitTimeSeconds=0,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["All"],
            )
            if not answer.get("Messages"):
                return
            yield from answer["Messages"]


def messages_of(payload: str) -> list[str]:
    """The ids of the messages in an event as a pipe sends it."""
    event = json.loads(payload)
    return [record["messageId"] for record in event] if isinstance(event, list) else []


def only(items: Sequence[T]) -> T:
    """The one item."""
    assert len(items) == 1, items
    return items[0]


def kill_busy(sandbox: Sandbox, functions: set[str]) -> bool:
    """SIGKILL to an environment of ``functions`` that is in the middle of an invocation, if there is one."""
    for environment in sandbox.request("/_sandbox/environments")["environments"]:
        if environment["function_name"] in functions and environment["busy"]:
            try:
                os.kill(environment["pid"], signal.SIGKILL)
            except ProcessLookupError:
                continue
            return True
    return False
