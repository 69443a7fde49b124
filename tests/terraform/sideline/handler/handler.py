"""Durable handler that is done at once: 10,000 of its executions are quickly through."""

from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution


@durable_execution
def handler(event: dict[str, Any], context: DurableContext) -> dict[str, Any]:  # noqa: ARG001 - no step
    """Return what the dispatcher sent of the message."""
    return event
