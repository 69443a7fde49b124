"""Books each settled payment once, and the payments of an account in their order."""

import functools
import logging
import os
import time
from decimal import Decimal, InvalidOperation
from typing import Any

import boto3

LOGGER = logging.getLogger("payments")

Payment = dict[str, str]


class InvalidPaymentError(ValueError):
    """The payment cannot be booked."""


def handler(payments: list[Payment], _context: object) -> dict[str, Any]:
    """Book the payments of a batch, as the pipe's input template makes them, up to the first that fails.

    What is left is named by its `eventID`, and the pipe brings it again in halves, until the one that fails is alone. If
    nothing is booked it raises, which halves the batch as well.
    """
    for position, payment in enumerate(payments):
        try:
            book(payment)
        except InvalidPaymentError as error:
            if position == 0 and len(payments) > 1:
                raise
            LOGGER.warning("not booked: %s", error)
            return {"batchItemFailures": [{"itemIdentifier": left["eventID"]} for left in payments[position:]]}
    return {"batchItemFailures": []}


def book(payment: Payment) -> None:
    """Write the payment unless it is there: records are delivered at least once.

    Raises:
        InvalidPaymentError: if its amount is no number.
    """
    item = {
        "account": {"S": payment["partitionKey"]},
        # All of 56 digits, so that they sort as text in the order of the stream.
        "sequence_number": {"S": payment["sequenceNumber"]},
        "amount": {"N": amount_of(payment)},
        "booked_at": {"N": f"{time.time():.3f}"},
    }
    try:
        table().put_item(
            TableName=os.environ["TABLE_NAME"], Item=item, ConditionExpression="attribute_not_exists(account)"
        )
    except table().exceptions.ConditionalCheckFailedException:
        LOGGER.info("payment %s was booked before", payment["sequenceNumber"])


def amount_of(payment: Payment) -> str:
    """Return the amount as DynamoDB's decimal text."""
    try:
        amount = Decimal(payment["amount"])
    except InvalidOperation:
        raise InvalidPaymentError(f"the amount is no number: {payment}") from None
    if not amount.is_finite():
        raise InvalidPaymentError(f"the amount is infinite: {payment}")
    return str(amount)


@functools.cache
def table() -> Any:
    """Return the environment's client of DynamoDB."""
    return boto3.client("dynamodb")
