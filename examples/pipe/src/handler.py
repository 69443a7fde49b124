"""Keeps a reminder until its date, and stores it then."""

import functools
import json
import os
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

import boto3
from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration

LONGEST_SECONDS = int(os.environ.get("LONGEST_DAYS", "180")) * 86400


class InvalidReminderError(ValueError):
    """The message is no reminder."""


@dataclass(frozen=True)
class Reminder:
    """What a message asks for: the text, and when. `on` or `in_days` is None."""

    text: str
    on: date | None
    in_days: int | None


@durable_execution  # type: ignore[untyped-decorator]  # the SDK is not followed by mypy here
def handler(event: list[dict[str, Any]], context: DurableContext) -> dict[str, Any]:
    """Wait for the date of one message, as the pipe hands it over: a list of SQS records, one with the default batch.

    This runs from the top at each replay, so all but the two steps and the wait gives the same each time.

    Returns:
        `{"message_id", "stored"}`. `stored` is False if it was stored before: a queue delivers at least once, and behind
        a pipe a second delivery is a second execution.

    Raises:
        InvalidReminderError: the execution is then FAILED, and its event in the queue `<name>-failed`.
    """
    (record,) = event
    reminder = read(record["body"])
    if reminder.on is None:
        seconds = (reminder.in_days or 0) * 86400
    else:
        # The clock is read in a step: a replay, days later, takes what was read then.
        seconds = context.step(lambda _: seconds_until(reminder.on), name="look-at-the-clock")
    if seconds > LONGEST_SECONDS:
        raise InvalidReminderError(
            f"the date is {seconds} s away, and reminders are kept for {LONGEST_SECONDS} s at most"
        )
    if seconds > 0:
        context.wait(Duration.from_seconds(seconds), name="until-the-date")
    message_id = id_of(record)
    stored = context.step(lambda _: store(message_id, reminder.text), name="store")
    return {"message_id": message_id, "stored": stored}


def read(body: str) -> Reminder:
    """Read `{"text", "on": "2030-01-31"}` or `{"text", "in_days": 30}`.

    Raises:
        InvalidReminderError: naming what is wrong.
    """
    try:
        fields = json.loads(body)
    except ValueError:
        raise InvalidReminderError(f"the body is not JSON: {body[:100]}") from None
    if not isinstance(fields, dict) or not isinstance(fields.get("text"), str):
        raise InvalidReminderError(f"the body has no text: {body[:100]}")
    if ("on" in fields) == ("in_days" in fields):
        raise InvalidReminderError(f"give either on (a date) or in_days: {body[:100]}")
    if "on" in fields:
        try:
            return Reminder(fields["text"], date.fromisoformat(fields["on"]), None)
        except (TypeError, ValueError):
            raise InvalidReminderError(f"on is no date like 2030-01-31: {fields['on']!r}") from None
    days = fields["in_days"]
    if isinstance(days, bool) or not isinstance(days, int) or days < 0:
        raise InvalidReminderError(f"in_days is no whole number of days: {days!r}")
    return Reminder(fields["text"], None, days)


def seconds_until(day: date) -> int:
    """Seconds until the day begins in UTC; negative if it has."""
    return int((datetime.combine(day, time(), UTC) - datetime.now(UTC)).total_seconds())


def id_of(record: dict[str, Any]) -> str:
    """The message's id: the one that it had at first, if `durable-ops` has sent it again."""
    kept = record.get("messageAttributes", {}).get("DurablePipelineMessageId", {})
    return str(kept.get("stringValue") or record["messageId"])


def store(message_id: str, text: str) -> bool:
    """Write the reminder unless it is there; whether it was not."""
    try:
        table().put_item(
            TableName=os.environ["TABLE_NAME"],
            Item={"message_id": {"S": message_id}, "text": {"S": text}},
            ConditionExpression="attribute_not_exists(message_id)",
        )
    except table().exceptions.ConditionalCheckFailedException:
        return False
    return True


@functools.cache
def table() -> Any:
    """Return the environment's client of DynamoDB."""
    return boto3.client("dynamodb")
