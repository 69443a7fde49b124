"""Books what a message asks for, a minute after it came: until then it could still be withdrawn."""

import functools
import json
import os
from typing import Any

import boto3
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

SECONDS_TO_WITHDRAW = 60


@durable_execution  # type: ignore[untyped-decorator]  # the SDK is not followed by mypy here
def handler(event: list[dict[str, Any]], context: DurableContext) -> dict[str, str]:
    """Book the one message that the pipe hands over.

    Raises:
        ValueError: for a booking without a guest; the execution is then FAILED and its event in `<name>-failed`.
    """
    (message,) = event
    booking = json.loads(message["body"])
    if not booking.get("guest"):
        raise ValueError(f"message {message['messageId']} books for nobody")
    context.wait(Duration.from_seconds(SECONDS_TO_WITHDRAW), name="time-to-withdraw")
    context.step(lambda _: book(message["messageId"], booking["guest"]), name="book")
    return {"message_id": message["messageId"], "guest": booking["guest"]}


def book(message_id: str, guest: str) -> None:
    """Write the row, which is the same however often the pipe delivers the message and this runs."""
    table().put_item(
        TableName=os.environ["TABLE_NAME"],
        Item={"message_id": {"S": message_id}, "guest": {"S": guest}},
    )


@functools.cache
def table() -> Any:
    """Return the environment's client of DynamoDB."""
    return boto3.client("dynamodb")
