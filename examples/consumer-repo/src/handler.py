"""An order: priced, held for a day in which it may still be stopped, then stored."""

import functools
import json
import os
from typing import Any

import boto3
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

# A published version's environment never changes, so a replay sees the same values.
PRICE_FUNCTION_ARN = os.environ["PRICE_FUNCTION_ARN"]
TABLE_NAME = os.environ["TABLE_NAME"]


@durable_execution
def handler(event: list[dict[str, Any]], context: DurableContext) -> dict[str, Any]:
    """Handle the one SQS record that the pipe hands over; if it raises, the event goes to `<name>-failed`."""
    (record,) = event
    order = json.loads(record["body"])
    priced: dict[str, Any] = context.invoke(PRICE_FUNCTION_ARN, order, name="price")
    context.wait(Duration.from_days(1), name="second-thoughts")
    context.step(lambda _: store(priced), name="store")
    return priced


def store(order: dict[str, Any]) -> None:
    """Write the order: the same item however often its message is delivered."""
    item = {"order_id": {"S": order["order_id"]}, "total": {"N": str(order["total"])}}
    dynamodb().put_item(TableName=TABLE_NAME, Item=item)


@functools.cache
def dynamodb() -> Any:
    """Return the environment's one client."""
    return boto3.client("dynamodb")
