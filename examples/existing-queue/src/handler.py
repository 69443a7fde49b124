"""Follows a parcel: labels it, waits for its transport, says that it has arrived."""

import json
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from aws_durable_execution_sdk_python.config import Duration


class InvalidParcelError(ValueError):
    """The message is no parcel."""


@durable_execution  # type: ignore[untyped-decorator]  # the SDK is not followed by mypy here
def handler(event: list[dict[str, Any]], context: DurableContext) -> dict[str, str]:
    """Follow the parcel of one message, `{"to": city}`, as the pipe hands it over: a list of one SQS record.

    Returns:
        `{"label", "arrived_in"}`.

    Raises:
        InvalidParcelError: the execution is then FAILED, and its event in the queue `<name>-failed`.
    """
    (record,) = event
    city = read(record["body"])
    label = context.step(lambda _: f"{city[:3].upper()}-{record['messageId'][:8]}", name="label")
    context.wait(Duration.from_days(3), name="transport")
    return {"label": label, "arrived_in": city}


def read(body: str) -> str:
    """Return the city that the parcel goes to. Raises InvalidParcelError, naming what is wrong."""
    try:
        city = json.loads(body)["to"]
    except (ValueError, KeyError, TypeError):
        raise InvalidParcelError(f"the body is no JSON object with `to`: {body[:100]}") from None
    if not isinstance(city, str) or not city:
        raise InvalidParcelError(f"`to` is no city: {city!r}")
    return city
