"""Asks somebody to approve an expense, waits for the answer, and records what came of it."""

import functools
import json
import os
from dataclasses import dataclass
from typing import Any

import boto3
from aws_durable_execution_sdk_python import (
    CallbackExternalError,
    CallbackTimeoutError,
    DurableContext,
    durable_execution,
)
from aws_durable_execution_sdk_python.config import CallbackConfig, Duration

SECONDS_TO_ANSWER = int(os.environ.get("DAYS_TO_ANSWER", "3")) * 86400


class InvalidExpenseError(ValueError):
    """The message is no expense."""


class UnclearAnswerError(ValueError):
    """The answer says neither yes nor no."""


@dataclass(frozen=True)
class Expense:
    """What a message asks for: a text, and how long its question may wait."""

    text: str
    seconds_to_answer: int


@durable_execution  # type: ignore[untyped-decorator]  # the SDK is not followed by mypy here
def handler(event: dict[str, Any], context: DurableContext) -> dict[str, str]:
    """Handle one message, as the dispatcher hands it over.

    While it waits nothing runs, and nothing is billed but the data kept. With the answer it runs again from the top: the
    callback and the question are taken from its history.

    Returns:
        `{"message_id", "status", "reason"}` with the status APPROVED, REFUSED or EXPIRED, as it is in the table.

    Raises:
        InvalidExpenseError, UnclearAnswerError: the execution is then FAILED, and its event in the queue `<name>-failed`.
    """
    message_id, expense = event["messageId"], read(event["body"])
    timeout = CallbackConfig(timeout=Duration.from_seconds(expense.seconds_to_answer))
    callback = context.create_callback("answer", timeout)
    context.step(lambda _: ask(callback.callback_id, expense.text), name="ask")
    try:
        status, reason = judge(callback.result())
    except CallbackTimeoutError:
        status, reason = "EXPIRED", "nobody answered in time"
    except CallbackExternalError as error:
        status, reason = "REFUSED", error.message or ""
    context.step(lambda _: record(message_id, expense.text, status, reason), name="record")
    return {"message_id": message_id, "status": status, "reason": reason}


def read(body: str) -> Expense:
    """Read `{"text"}`, with `"seconds_to_answer"` if it cannot wait for as long as others.

    Raises:
        InvalidExpenseError: naming what is wrong.
    """
    try:
        fields = json.loads(body)
    except ValueError:
        raise InvalidExpenseError(f"the body is not JSON: {body[:100]}") from None
    if not isinstance(fields, dict) or not isinstance(fields.get("text"), str):
        raise InvalidExpenseError(f"the body has no text: {body[:100]}")
    seconds = fields.get("seconds_to_answer", SECONDS_TO_ANSWER)
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 1 <= seconds <= SECONDS_TO_ANSWER:
        raise InvalidExpenseError(f"seconds_to_answer is no whole number from 1 to {SECONDS_TO_ANSWER}: {seconds!r}")
    return Expense(fields["text"], seconds)


def judge(answer: str | None) -> tuple[str, str]:
    """Status and reason of `{"approved": true or false, "reason": "..."}`.

    Raises:
        UnclearAnswerError: for anything else. It is no approval, and no refusal either.
    """
    try:
        fields = json.loads(answer or "")
        approved = {True: "APPROVED", False: "REFUSED"}[fields["approved"]]
    except (ValueError, KeyError, TypeError):
        raise UnclearAnswerError(f'the answer is not {{"approved": true}} or false: {(answer or "")[:100]}') from None
    return approved, str(fields.get("reason", ""))


def ask(callback_id: str, text: str) -> None:
    """Put the question on its queue; if this is interrupted and runs again, twice, with the same callback."""
    sqs().send_message(
        QueueUrl=os.environ["QUESTIONS_URL"],
        MessageBody=json.dumps({"text": text, "callback_id": callback_id}),
        MessageAttributes={"callback_id": {"DataType": "String", "StringValue": callback_id}},
    )


def record(message_id: str, text: str, status: str, reason: str) -> None:
    """Write what became of the expense; the same however often."""
    fields = {"message_id": message_id, "text": text, "status": status, "reason": reason}
    dynamodb().put_item(TableName=os.environ["TABLE_NAME"], Item={name: {"S": value} for name, value in fields.items()})


@functools.cache
def dynamodb() -> Any:
    """Return the environment's client of DynamoDB."""
    return boto3.client("dynamodb")


@functools.cache
def sqs() -> Any:
    """Return the environment's client of SQS."""
    return boto3.client("sqs")
