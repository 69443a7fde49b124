"""Books the payments of a batch side by side, each of which may fail alone."""

import functools
import json
import os
from collections.abc import Sequence
from typing import Any

import boto3
from aws_durable_execution_sdk_python import BatchItemStatus, DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import CompletionConfig, MapConfig, StepConfig
from aws_durable_execution_sdk_python.retries import RetryPresets

# The queue tries again. The SDK's own default, six attempts with up to a minute between, would outlast the execution.
ONCE = StepConfig(retry_strategy=RetryPresets.none())


class InvalidPaymentError(ValueError):
    """The message is no payment."""


@durable_execution  # type: ignore[untyped-decorator]  # the SDK is not followed by mypy here
def handler(event: dict[str, Any], context: DurableContext) -> dict[str, Any]:
    """Book a batch, as the mapping hands it over, and name what failed: Lambda deletes the rest from the queue.

    Returns:
        `{"batchItemFailures": [{"itemIdentifier": <message id>}...]}`. A message that is named returns to the queue, and
        is a new execution, from the first step, with the next delivery.
    """
    records = event["Records"]
    everyone = MapConfig(completion_config=CompletionConfig.all_completed())
    outcomes = context.map(records, book, name="payments", config=everyone).all
    booked = {one.index for one in outcomes if one.status is BatchItemStatus.SUCCEEDED}
    for one in outcomes:
        if one.error is not None:
            context.logger.warning("payment %s: %s", records[one.index]["messageId"], one.error.message)
    failed = [record["messageId"] for index, record in enumerate(records) if index not in booked]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def book(context: DurableContext, record: dict[str, Any], _index: int, _records: Sequence[Any]) -> bool:
    """Book one payment; False if it was booked before."""
    cents = cents_of(record["body"])
    message_id = id_of(record)
    stored: bool = context.step(lambda _: store(message_id, cents), name="store", config=ONCE)
    return stored


def cents_of(body: str) -> int:
    """The amount of `{"cents": 250}`.

    Raises:
        InvalidPaymentError: if there is none.
    """
    try:
        cents = json.loads(body)["cents"]
    except (ValueError, KeyError, TypeError):
        raise InvalidPaymentError(f"the body has no cents: {body[:100]}") from None
    if isinstance(cents, bool) or not isinstance(cents, int) or cents <= 0:
        raise InvalidPaymentError(f"cents is no whole number above 0: {cents!r}")
    return cents


def id_of(record: dict[str, Any]) -> str:
    """The message's id: the one that it had at first, if `durable-ops` has sent it again."""
    kept = record.get("messageAttributes", {}).get("DurablePipelineMessageId", {})
    return str(kept.get("stringValue") or record["messageId"])


def store(message_id: str, cents: int) -> bool:
    """Write the payment unless it is there; whether it was not."""
    try:
        table().put_item(
            TableName=os.environ["TABLE_NAME"],
            Item={"message_id": {"S": message_id}, "cents": {"N": str(cents)}},
            ConditionExpression="attribute_not_exists(message_id)",
        )
    except table().exceptions.ConditionalCheckFailedException:
        return False
    return True


@functools.cache
def table() -> Any:
    """Return the environment's client of DynamoDB."""
    return boto3.client("dynamodb")
