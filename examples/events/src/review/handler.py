"""Asks for a review of an order, a week after it was delivered."""

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

DAYS = 7


@durable_execution  # type: ignore[untyped-decorator]  # the SDK is not followed by mypy here
def handler(event: dict[str, str], context: DurableContext) -> dict[str, str]:
    """Wait, then ask once; `event` is what the rule makes of an "Order delivered"."""
    context.wait(Duration.from_days(DAYS), name="a-week")
    return {"asked": context.step(lambda _: ask(event["order_id"]), name="ask")}


def ask(order_id: str) -> str:
    """Return the text that the customer would be sent."""
    return f"How do you like order {order_id}?"
