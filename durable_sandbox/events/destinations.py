"""Destinations of asynchronous invocations: the record of how an event ended, and its way to where it is wanted.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html. The shapes are those that AWS returned to
LocalStack's recorded runs (tests/aws/services/lambda_/test_lambda_destinations.snapshot.json, and the source ``lambda`` of
an event; the page says ``aws.lambda``, which PutEvents takes from no role). What cannot be delivered is lost, as on AWS; a
FIFO queue or topic, which AWS does not support here, refuses for want of a group.
"""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any
from uuid import uuid4

from durable_sandbox.aws.arns import Arn
from durable_sandbox.aws.call import Api, Caller
from durable_sandbox.aws.clock import TimePolicy
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.events.failures import Failure, kind_of
from durable_sandbox.events.streams.destination import delivery, timestamp

logger = logging.getLogger(__name__)

EVENT_SOURCE = "lambda"
MAX_TOPIC_BYTES = 256 * 1024
"""SNS's largest message; a failure's record goes without payloads beyond it (botocore's lambda model, OnFailure)."""
_OK = 200
_TRIES = 3
_FIRST_PAUSE_SECONDS = 1.0


class Condition(Enum):
    """Why a record is sent."""

    SUCCESS = "Success"
    RETRIES_EXHAUSTED = "RetriesExhausted"
    EVENT_AGE_EXCEEDED = "EventAgeExceeded"
    ZERO_RESERVED_CONCURRENCY = "ZeroReservedConcurrency"


def event_detail_type(*, success: bool) -> str:
    """``detail-type`` of the event that tells a bus of an invocation."""
    return f"Lambda Function Invocation Result - {'Success' if success else 'Failure'}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the function answered to an event; ``function_error`` is None for success."""

    executed_version: str
    payload: bytes
    function_error: str | None = None


@dataclass(frozen=True, slots=True)
class InvocationRecord:
    """How an event ended. ``function_arn`` is qualified; ``tries`` are the function's answers, ``answer`` the last one."""

    request_id: str
    function_arn: str
    condition: Condition
    tries: int
    request: bytes
    answer: Answer | None

    @property
    def success(self) -> bool:
        """Whether the function succeeded in the end."""
        return self.condition is Condition.SUCCESS

    def text(self, now: datetime, *, payloads: bool = True) -> str:
        """The record as JSON."""
        record: dict[str, Any] = {
            "version": "1.0",
            "timestamp": timestamp(now.timestamp()),
            "requestContext": {
                "requestId": self.request_id,
                "functionArn": self.function_arn,
                "condition": self.condition.value,
                "approximateInvokeCount": self.tries,
            },
        }
        if payloads:
            record["requestPayload"] = _value(self.request)
        if self.answer is not None:
            context = {"statusCode": _OK, "executedVersion": self.answer.executed_version}
            if self.answer.function_error is not None:
                context["functionError"] = self.answer.function_error
            record["responseContext"] = context
            if payloads:
                record["responsePayload"] = _value(self.answer.payload)
        return json.dumps(record, ensure_ascii=False, separators=(",", ":"))


class Destinations:
    """Sends records with the permissions of the function's role."""

    def __init__(self, api: Api, time_policy: TimePolicy) -> None:
        self._api = api
        self._time = time_policy

    async def send(self, role: Caller, region: str, target: Arn, record: InvocationRecord) -> bool:
        """Whether ``target`` has the record; a service's own failure is tried again. ``region`` is the function's."""
        pause = _FIRST_PAUSE_SECONDS
        for left in reversed(range(_TRIES)):
            try:
                await self._send(role, target.region or region, target, record)
            except AwsError as error:
                if left and kind_of(error) in (Failure.INTERNAL, Failure.THROTTLE):
                    await asyncio.sleep(self._time.scaled(pause))
                    pause *= 2
                    continue
                logger.error(  # noqa: TRY400 - the refusal says all; a traceback would hide it
                    "DestinationDeliveryFailures: the record of event %s could not be sent to %s: %s: %s",
                    record.request_id,
                    target,
                    error.code,
                    error.message,
                )
                return False
            except Exception:
                logger.exception(
                    "DestinationDeliveryFailures: the record of event %s could not be sent to %s",
                    record.request_id,
                    target,
                )
                return False
            return True
        return False

    async def _send(self, role: Caller, region: str, target: Arn, record: InvocationRecord) -> None:
        operation, params = _delivery(target, record, datetime.now(UTC))
        answer = await self._api.call(role, region, target.service, operation, params)
        if answer.get("FailedEntryCount"):
            entry = answer["Entries"][0]
            raise AwsError(entry["ErrorCode"], entry.get("ErrorMessage", ""))


def _delivery(target: Arn, record: InvocationRecord, now: datetime) -> tuple[str, dict[str, Any]]:
    """Operation and parameters of the call that brings ``record`` to ``target``."""
    text = record.text(now)
    match target.service:
        case "sqs":
            return delivery(target, text)
        case "sns":
            if not record.success and len(text.encode()) > MAX_TOPIC_BYTES:
                text = record.text(now, payloads=False)
            return delivery(target, text)
        case "lambda":
            return "Invoke", {"FunctionName": str(target), "InvocationType": "Event", "Payload": text.encode()}
        case "events":
            entry = {
                "Source": EVENT_SOURCE,
                "DetailType": event_detail_type(success=record.success),
                "Detail": text,
                "Resources": [str(target), record.function_arn],
                "EventBusName": str(target),
            }
            return "PutEvents", {"Entries": [entry]}
        case _:
            name = record.function_arn.split(":")[6]
            key = f"aws/lambda/async/{name}/{now:%Y/%m/%d/%Y-%m-%dT%H.%M.%S}-{uuid4()}"
            return "PutObject", {"Bucket": target.resource, "Key": key, "Body": text.encode()}


def _value(payload: bytes) -> Any:
    """``payload`` as JSON; as text if it is none."""
    text = payload.decode(errors="replace")
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return text


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")
