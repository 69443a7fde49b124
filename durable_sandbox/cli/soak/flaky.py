"""The soak's transform step: the sample's own, but a message with ``fail_first`` fails at its first attempt.

A Lambda handler, deployed as ``handler.py`` with the sample's beside it as ``transform.py``; it knows of nothing else here.
"""

from __future__ import annotations

import functools
import importlib
import os
from typing import Any

import boto3


class FirstAttemptError(Exception):
    """The failure that the message asked for."""


def handler(event: dict[str, Any], context: object) -> Any:
    """Fail if the message wants that and has not failed yet; else do as the sample does.

    Raises FirstAttemptError at the first attempt. A conditional put into ATTEMPTS_TABLE tells it from later ones.
    """
    key = event["body"].get("fail_first")
    if key is not None and _is_first(key):
        raise FirstAttemptError(f"{key} fails the first time")
    return importlib.import_module("transform").handler(event, context)


def _is_first(key: str) -> bool:
    client = _dynamodb()
    try:
        client.put_item(
            TableName=os.environ["ATTEMPTS_TABLE"],
            Item={"key": {"S": key}},
            ConditionExpression="attribute_not_exists(#key)",
            ExpressionAttributeNames={"#key": "key"},
        )
    except client.exceptions.ConditionalCheckFailedException:
        return False
    return True


@functools.cache
def _dynamodb() -> Any:
    return boto3.client("dynamodb")
