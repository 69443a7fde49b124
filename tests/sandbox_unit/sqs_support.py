"""What the SQS tests share: a clock to turn, an API to call, messages to send."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from durable_sandbox.aws.call import Call, Caller
from durable_sandbox.services.sqs.message import Message, Receipt, encode_receipt, parse_receipt, text_md5
from durable_sandbox.services.sqs.queue import MessageQueue
from durable_sandbox.services.sqs.service import SqsService

ACCOUNT = "123456789012"
REGION = "us-east-1"
ROOT = Caller(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", "sandbox")


class Clock:
    """Epoch seconds that move only when told."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def tick(self, seconds: float) -> None:
        self.now += seconds


def message(message_id: str, group_id: str | None = None, dedup_id: str | None = None, body: str = "body") -> Message:
    return Message(message_id, body, text_md5(body), ACCOUNT, len(body), group_id=group_id, dedup_id=dedup_id)


def receipt(queue: MessageQueue, held: Message) -> Receipt:
    return parse_receipt(queue.uid, encode_receipt(queue.uid, held))


def ids(messages: list[Message]) -> list[str]:
    return [m.message_id for m in messages]


def arn(name: str) -> str:
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


def redrive(target: str, count: object = 1) -> str:
    """A RedrivePolicy's text."""
    return json.dumps({"deadLetterTargetArn": arn(target), "maxReceiveCount": count})


class Client:
    """Calls the service as the API would; ``call`` outside a loop, ``acall`` inside."""

    def __init__(self, now: Callable[[], float] | None = None) -> None:
        given = {} if now is None else {"now": now}
        self.service = SqsService(base_url="http://127.0.0.1:1", account=ACCOUNT, **given)

    async def acall(self, operation: str, caller: Caller = ROOT, region: str = REGION, **params: Any) -> dict[str, Any]:
        return dict(await self.service.handle(Call("sqs", operation, params, caller, region)))

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        return asyncio.run(self.acall(operation, **params))

    def create(self, name: str, attributes: Mapping[str, str] | None = None) -> str:
        return str(self.call("CreateQueue", QueueName=name, Attributes=dict(attributes or {}))["QueueUrl"])

    def attributes(self, url: str, *names: str) -> dict[str, str]:
        shown = self.call("GetQueueAttributes", QueueUrl=url, AttributeNames=list(names or ("All",)))
        return dict(shown.get("Attributes", {}))

    def receive(self, url: str, **params: Any) -> list[dict[str, Any]]:
        return list(self.call("ReceiveMessage", QueueUrl=url, **params).get("Messages", []))


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Let the loop run until ``condition`` holds; fail after ``seconds``."""

    async def spin() -> None:
        while not condition():  # noqa: ASYNC110 - the condition is the product's state, which sets no event
            await asyncio.sleep(0)  # only a turn of the loop, no waiting

    await asyncio.wait_for(spin(), seconds)


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(coroutine)
