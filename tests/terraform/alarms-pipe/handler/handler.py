"""Durable handler that does what its message says."""

import json
import os
import time
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration


@durable_execution
def handler(event: Any, context: DurableContext) -> None:
    """`sleep` seconds, `wait` as many, take so many `steps`, write so many `bytes`, `crash`, `fail`: what is there, in this order."""
    (record,) = event
    order = json.loads(record["body"])
    time.sleep(order.get("sleep", 0))
    if "wait" in order:
        context.wait(Duration.from_seconds(order["wait"]), name="wait")
    for number in range(order.get("steps", 0)):
        context.step(lambda _: None, name=f"step-{number}")
    if "bytes" in order:
        context.step(lambda _: "x" * order["bytes"], name="write")
    if "crash" in order:
        os._exit(1)
    if "fail" in order:
        raise ValueError(order["fail"])
