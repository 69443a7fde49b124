"""Durable handler that ends as its message says."""

import json
import time
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import CallbackConfig, Duration


@durable_execution
def handler(event: Any, context: DurableContext) -> dict[str, Any]:
    """Work for `seconds`, then end as `end` says: succeed, fail, outlast (the execution's timeout) or wait (until stopped)."""
    (record,) = event
    order = json.loads(record["body"])
    context.step(lambda _: time.sleep(order.get("seconds", 0)), name="work")
    if order["end"] == "fail":
        raise ValueError("told to")
    if order["end"] == "outlast":
        context.wait(Duration.from_days(3), name="too-long")
    if order["end"] == "wait":
        context.create_callback("never", CallbackConfig(timeout=Duration.from_hours(12))).result()
    return {"message_id": record["messageId"]}
