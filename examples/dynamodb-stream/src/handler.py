"""Ships an order when the time in which it can be withdrawn is over."""

import functools
import os
from typing import Any

import boto3
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

DAYS_TO_WITHDRAW = 14


@durable_execution  # type: ignore[untyped-decorator]  # the SDK is not followed by mypy here
def handler(event: dict[str, Any], context: DurableContext) -> dict[str, str]:
    """Hold one new order, as the dispatcher hands it over, then ship it unless it was withdrawn meanwhile.

    Raises:
        ValueError: for an order without address; the execution is then FAILED and its event in the dead-letter queue.
    """
    # The mapping lets new orders through only; a redrive reads back all that lay between two of them.
    if event["eventName"] != "INSERT":
        return {"status": "IGNORED"}
    order = event["dynamodb"]["NewImage"]
    order_id = order["order_id"]["S"]
    if "address" not in order:
        raise ValueError(f"order {order_id} has no address")
    context.wait(Duration.from_days(DAYS_TO_WITHDRAW), name="time-to-withdraw")
    status = context.step(lambda _: ship(order_id), name="ship")
    return {"order_id": order_id, "status": status}


def ship(order_id: str) -> str:
    """Return the order's status: SHIPPED, however often this runs, or WITHDRAWN."""
    try:
        table().update_item(
            TableName=os.environ["TABLE_NAME"],
            Key={"order_id": {"S": order_id}},
            UpdateExpression="SET #status = :shipped",
            ConditionExpression="attribute_exists(order_id) AND (attribute_not_exists(#status) OR #status <> :withdrawn)",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={":shipped": {"S": "SHIPPED"}, ":withdrawn": {"S": "WITHDRAWN"}},
        )
    except table().exceptions.ConditionalCheckFailedException:
        return "WITHDRAWN"
    return "SHIPPED"


@functools.cache
def table() -> Any:
    """Return the environment's client of DynamoDB."""
    return boto3.client("dynamodb")
