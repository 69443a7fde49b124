"""EventBridge in a sandbox without IAM, with a function whose invocations fail by a plan."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from server_support import RecordingLambda, Running, running

from durable_sandbox.aws.call import Call
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.pytest_plugin import eventually
from durable_sandbox.wiring import build_sqs

ACCOUNT = "arn:aws:{service}:us-east-1:123456789012:{resource}"
FUNCTION = ACCOUNT.format(service="lambda", resource="function:target")
ROLE = "arn:aws:iam::123456789012:role/rule"

# The event of https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html.
DETAIL = {"instance-id": "i-0123456789", "state": "RUNNING"}
PATHS = {"timestamp": "$.time", "instance": "$.detail.instance-id", "state": "$.detail.state"}


@dataclass
class Lambda(RecordingLambda):
    """A recorder whose invocations fail by a plan, or wait."""

    failures: list[AwsError] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        RecordingLambda.__init__(self)
        self.gate.set()

    async def invoke(self, call: Call) -> dict[str, Any]:  # type: ignore[override]
        await asyncio.to_thread(self.gate.wait)
        if self.failures:
            raise self.failures.pop(0)
        return super().invoke(call)


class World:
    """A sandbox without IAM, and what a test makes in it."""

    def __init__(self, served: Running, function: Lambda) -> None:
        self.served = served
        self.function = function
        self.events, self.sqs, self.sns = served.client("events"), served.client("sqs"), served.client("sns")
        self.kinesis, self.logs = served.client("kinesis"), served.client("logs")

    def queue(self, **attributes: str) -> tuple[str, str]:
        """URL and ARN of a new queue."""
        name = f"q-{uuid4().hex[:10]}" + (".fifo" if attributes.get("FifoQueue") else "")
        url = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return url, ACCOUNT.format(service="sqs", resource=name)

    def rule(self, *targets: Mapping[str, Any], bus: str = "default", **settings: Any) -> str:
        """A rule that matches its own name as the source; returns that name."""
        name = f"r-{uuid4().hex[:10]}"
        settings.setdefault("EventPattern", json.dumps({"source": [name]}))
        self.events.put_rule(Name=name, EventBusName=bus, **settings)
        numbered = [{"Id": str(number), **target} for number, target in enumerate(targets)]
        self.events.put_targets(Rule=name, EventBusName=bus, Targets=numbered)
        return name

    def put(self, source: str, detail: Any = None, **entry: Any) -> str:
        """Put an event; returns its id."""
        detail = json.dumps(DETAIL if detail is None else detail)
        entry = {"Source": source, "DetailType": "T", "Detail": detail, **entry}
        answer = self.events.put_events(Entries=[entry])
        assert answer["FailedEntryCount"] == 0
        return str(answer["Entries"][0]["EventId"])

    def message(self, url: str, within: float = 10) -> dict[str, Any]:
        """The next message of a queue."""

        def one() -> dict[str, Any] | None:
            found = self.sqs.receive_message(
                QueueUrl=url, WaitTimeSeconds=1, MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"]
            ).get("Messages")
            if not found:
                return None
            self.sqs.delete_message(QueueUrl=url, ReceiptHandle=found[0]["ReceiptHandle"])
            message: dict[str, Any] = found[0]
            return message

        return eventually(one, within)

    def body(self, url: str) -> str:
        """The next message's body."""
        return str(self.message(url)["Body"])

    def empty(self, url: str) -> bool:
        """Whether nothing comes within a second."""
        return not self.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages")

    def invoked(self, count: int = 1) -> list[Mapping[str, Any]]:
        """The function's invocations, once there are ``count``."""
        return eventually(lambda: made if len(made := self.function.made("Invoke")) >= count else None)

    def fresh(self) -> World:
        """Itself, with a function that does what it is told again."""
        self.function.calls.clear()
        self.function.failures.clear()
        self.function.functions["target"] = {"FunctionName": "target", "FunctionArn": FUNCTION}
        return self


@contextmanager
def event_world() -> Iterator[World]:
    """A World."""
    function = Lambda()
    with running(build_sqs, lambda _: function) as served:
        yield World(served, function)


def labels(message: Mapping[str, Any]) -> dict[str, str]:
    return {name: value["StringValue"] for name, value in message.get("MessageAttributes", {}).items()}
