"""Step 3: one item a message, however often the message is delivered."""

import functools
import logging
import os
from datetime import UTC, datetime
from typing import Any

import boto3
from boto3.dynamodb.types import TypeSerializer
from botocore.config import Config
from item import to_item

LOGGER = logging.getLogger("store")
if "AWS_LAMBDA_LOG_LEVEL" not in os.environ:
    LOGGER.setLevel(logging.INFO)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Write `{"message_id", "body"}` to the table TABLE_NAME unless an item with that id exists.

    A stream record brings `key` and `sequence` as well, by which a reader can order the effects of a key.

    Returns:
        `{"message_id", "stored"}`. `stored` is False where the item existed: a redelivery, or a put that was retried
        because its answer was lost. Both are success; the first item stays as it is.

    Raises:
        RuntimeError: if TABLE_NAME is not set.
        UnstorableValueError: for a number that DynamoDB cannot hold.
        botocore.exceptions.ClientError: what DynamoDB refuses otherwise, after retries of what is transient.
    """
    table = os.environ.get("TABLE_NAME")
    if not table:
        raise RuntimeError("environment variable TABLE_NAME is not set: give the store function its table's name")
    message_id = event["message_id"]
    item = to_item(
        message_id,
        event["body"],
        stored_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        key=event.get("key"),
        sequence=event.get("sequence"),
    )
    serializer = TypeSerializer()
    client = dynamodb()
    try:
        client.put_item(
            TableName=table,
            Item={name: serializer.serialize(value) for name, value in item.items()},
            ConditionExpression="attribute_not_exists(message_id)",
        )
    except client.exceptions.ConditionalCheckFailedException:
        LOGGER.info("message %s was stored before", message_id, extra={"message_id": message_id})
        return {"message_id": message_id, "stored": False}
    return {"message_id": message_id, "stored": True}


@functools.cache
def dynamodb() -> Any:
    """Return the environment's one client, so that its connection serves all invocations.

    Nobody retries a failed step, hence five attempts here. The SDK's default of 60 s a read is longer than the function
    may run, and would end in a timeout without a cause.
    """
    retries = {"mode": "standard", "total_max_attempts": 5}
    return boto3.client("dynamodb", config=Config(retries=retries, connect_timeout=2, read_timeout=4))
