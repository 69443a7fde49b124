"""Examples applied as they are, all at once, and what their users see of them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from deployment import Deployment
from observe import Pipeline

from durable_sandbox.cli.process import request_json
from durable_sandbox.pytest_plugin import Sandbox, eventually

_FOLDER = Path(__file__).parents[2] / "examples"
_VARIABLES = {"observability": "false"}
"""Proven by the scenarios alarms-*: with it an apply takes twice as long."""


class Example(Pipeline):
    """An applied example."""

    def runs(self) -> list[dict[str, Any]]:
        """All executions, in the order of their starts, once none is running: as GetDurableExecution returns them."""
        eventually(lambda: None if self.running() else True, what="for executions to end")
        pages = self.functions.get_paginator("list_durable_executions_by_function")
        found = [
            self.execution(summary["DurableExecutionArn"])
            for page in pages.paginate(FunctionName=self.outputs["function_name"])
            for summary in page["DurableExecutions"]
        ]
        return sorted(found, key=lambda run: run["StartTimestamp"])

    def send_one(self, body: object, **parameters: Any) -> str:
        """Send ``body`` as JSON with SendMessage's other ``parameters``; the message's id."""
        answer = self.sqs.send_message(QueueUrl=self.outputs["queue_url"], MessageBody=json.dumps(body), **parameters)
        message_id: str = answer["MessageId"]
        return message_id

    def row(self, message_id: str) -> dict[str, Any]:
        """The row of this message, once it is there."""
        return eventually(lambda: self.rows([message_id]).get(message_id), what=f"for the row of {message_id}")

    def drained(self, dead_letters: int = 0) -> None:
        """Wait until the queue is empty, with so many messages on its dead-letter queue."""

        def ends() -> bool | None:
            return True if (self.depth("queue_url"), self.depth("dead_letter_queue_url")) == (0, dead_letters) else None

        eventually(ends, what=f"for the queue to empty, and {dead_letters} dead letters")

    def logged(self, output: str, text: str) -> None:
        """Wait for a line with ``text`` in the log of the function whose name is in ``output``."""
        group, logs = f"/aws/lambda/{self.outputs[output]}", self.sandbox.client("logs")

        def probe() -> bool | None:
            pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
            lines = (event["message"] for page in pages for event in page["events"])
            return True if any(text in line for line in lines) else None

        eventually(probe, what=f"for {text!r} in {group}")

    @contextmanager
    def impatient(self, seconds: int, receives: int) -> Iterator[None]:
        """Inside the block what is not deleted comes back after ``seconds``, and is given up after ``receives``."""
        url, names = self.outputs["queue_url"], ["VisibilityTimeout", "RedrivePolicy"]
        shown = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        redrive = json.loads(shown["RedrivePolicy"]) | {"maxReceiveCount": receives}
        hasty = {"VisibilityTimeout": str(seconds), "RedrivePolicy": json.dumps(redrive)}
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes=hasty)
        try:
            yield
        finally:
            self.sqs.set_queue_attributes(QueueUrl=url, Attributes=shown)

    @contextmanager
    def delivered_twice(self) -> Iterator[None]:
        """Each message sent inside the block is delivered a second time, though it was deleted: SQS may do that."""
        url = self.outputs["queue_url"]
        self._miss_deletes(url, 1)
        try:
            yield
            eventually(lambda: self._again(url), what="for second deliveries")
        finally:
            self._miss_deletes(url, 0)

    def _miss_deletes(self, url: str, every: int) -> None:
        request_json(self.sandbox.port, "/_sandbox/faults", method="POST", send={"queue_url": url, "every": every})

    def _again(self, url: str) -> bool | None:
        faults = request_json(self.sandbox.port, "/_sandbox/faults")["sqs"][url]
        return True if faults["chosen"] and faults["chosen"] == faults["delivered_again"] else None


class Examples:
    """Several of them. The first that is asked for makes all of them apply, and then each is waited for by itself."""

    def __init__(self, sandbox: Sandbox, names: Sequence[str], folder: Path) -> None:
        self._sandbox = sandbox
        self._deployments = {
            name: Deployment(
                _FOLDER / name, folder / name / "data", folder / name / "terraform.tfstate", dict(os.environ)
            )
            for name in names
        }

    def applied(self, name: str) -> Example:
        """The example called ``name``. Raises AssertionError, with what terraform said, if it cannot be applied."""
        return self._applied[name].result()

    def assert_nothing_to_change(self, name: str) -> None:
        """A second plan is empty. Those of all examples are made at once."""
        self._planned[name].result()

    def destroy(self) -> None:
        """Destroy them all."""
        for done in self._begin(lambda name: self._deployments[name].changed("destroy", **_VARIABLES)).values():
            done.result()

    @cached_property
    def _applied(self) -> Mapping[str, Future[Example]]:
        return self._begin(self._apply)

    @cached_property
    def _planned(self) -> Mapping[str, Future[None]]:
        return self._begin(lambda name: self._deployments[name].assert_nothing_to_change(**_VARIABLES))

    def _begin(self, work: Any) -> dict[str, Future[Any]]:
        pool = ThreadPoolExecutor(len(self._deployments))
        begun = {name: pool.submit(work, name) for name in self._deployments}
        pool.shutdown(wait=False)
        return begun

    def _apply(self, name: str) -> Example:
        deployment = self._deployments[name]
        for folder in (deployment.data, deployment.state.parent):
            folder.mkdir(parents=True, exist_ok=True)
        deployment.changed("init")
        deployment.changed("apply", **_VARIABLES)
        return Example(self._sandbox, deployment.outputs())
