"""Durable handler that waits for an approval from outside and returns it with the revision of its code."""

from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import CallbackConfig, Duration

REVISION = 1


@durable_execution
def handler(event: Any, context: DurableContext) -> dict[str, Any]:
    """Wait for one callback and return {"approval": its payload, "revision": int, "messages": [message id, ...]}."""
    callback = context.create_callback("approval", CallbackConfig(timeout=Duration.from_days(1)))
    approval = callback.result()
    records = event if isinstance(event, list) else [event]
    messages = [record["messageId"] for record in records if "messageId" in record]
    return {"approval": approval, "revision": REVISION, "messages": messages}
