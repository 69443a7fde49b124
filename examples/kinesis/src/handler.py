"""Stores each reading of a device once, and in the order in which the device sent them."""

import base64
import functools
import json
import logging
import os
import time
from typing import Any

import boto3

LOGGER = logging.getLogger("readings")


class InvalidReadingError(ValueError):
    """The record is no reading."""


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Store the readings of a batch up to the first that fails.

    Lambda brings everything from that one on again, so to go on would be for nothing. If it is the first of several it
    raises, and Lambda halves the batch until the record is alone. A record that is redriven comes alone as well.
    """
    records = [record["kinesis"] for record in event["Records"]]
    for position, record in enumerate(records):
        device, number = record["partitionKey"], record["sequenceNumber"]
        try:
            store(device, number, value_of(record["data"]))
        except InvalidReadingError as error:
            if position == 0 and len(records) > 1:
                raise
            LOGGER.warning("reading %s of %s: %s", number, device, error)
            return {"batchItemFailures": [{"itemIdentifier": number}]}
    return {"batchItemFailures": []}


def value_of(data: str) -> str:
    """Return the value of a reading, `{"value": number}` in base64, as DynamoDB's decimal text.

    Raises:
        InvalidReadingError: if it is none.
    """
    try:
        value = json.loads(base64.b64decode(data))["value"]
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidReadingError(f"no JSON object with a value: {error!r}") from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidReadingError(f"the value is {value!r}, not a number")
    return str(value)


def store(device: str, number: str, value: str) -> None:
    """Write the reading unless it is there: records are delivered at least once."""
    item = {
        "device": {"S": device},
        # All of 56 digits, so that they sort as text in the order of the stream.
        "sequence_number": {"S": number},
        "value": {"N": value},
        "stored_at": {"N": f"{time.time():.3f}"},
    }
    try:
        table().put_item(
            TableName=os.environ["TABLE_NAME"], Item=item, ConditionExpression="attribute_not_exists(device)"
        )
    except table().exceptions.ConditionalCheckFailedException:
        LOGGER.info("reading %s of %s was stored before", number, device)


@functools.cache
def table() -> Any:
    """Return the environment's client of DynamoDB."""
    return boto3.client("dynamodb")
