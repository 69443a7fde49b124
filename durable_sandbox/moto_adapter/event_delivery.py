"""One event for one target of a rule: tries, waits, dead letter.

Sources: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html (24 hours and 185 times unless
the target says otherwise, exponential back-off with jitter); .../eb-rule-dlq.html (what is not retried: missing
permissions, a target that does not exist; the attributes of a dead letter, and its error codes).
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from durable_sandbox.aws.arns import Arn, queue_url
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.moto_adapter.bridge import Bridge, Sender
from durable_sandbox.moto_adapter.event_input import InputError, Occasion, compact, input_of
from durable_sandbox.moto_adapter.event_targets import Shipment, send

logger = logging.getLogger(__name__)

SERVICE = "events.amazonaws.com"
_MAXIMUM_RETRIES = 185
_MAXIMUM_AGE_SECONDS = 86_400
# AWS gives no schedule: doubled from a second up to this, 185 retries take about the 24 hours (inference).
_LONGEST_WAIT_SECONDS = 480.0

_FORBIDDEN = 403
_NOT_FOUND = 404
_CONFLICT = 409
_TOO_MANY = 429
_SERVER_ERROR = 500
_MISSING = frozenset(
    {"ResourceNotFoundException", "NotFound", "NotFoundException", "AWS.SimpleQueueService.NonExistentQueue"}
)
_THROTTLED = frozenset(
    {"TooManyRequestsException", "ProvisionedThroughputExceededException", "LimitExceededException", "RequestThrottled"}
)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a try failed, in EventBridge's codes."""

    code: str
    message: str
    retried: bool = False


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What is known of an event that was given up; ``exhausted`` names the limit that ended its retries."""

    failure: Failure
    retries: int
    exhausted: str | None = None

    def labels(self, rule_arn: str, target_arn: str) -> dict[str, str]:
        """The message attributes."""
        labels = {
            "RULE_ARN": rule_arn,
            "TARGET_ARN": target_arn,
            "ERROR_CODE": self.failure.code,
            "ERROR_MESSAGE": _sendable(self.failure.message),
            "RETRY_ATTEMPTS": str(self.retries),
        }
        return labels if self.exhausted is None else {**labels, "EXHAUSTED_RETRY_CONDITION": self.exhausted}


async def deliver(bridge: Bridge, target: Mapping[str, Any], occasion: Occasion) -> None:
    """Try until ``target`` has the event or its retry policy is exhausted; then its dead-letter queue gets it."""
    try:
        letter = await _tried(bridge, target, occasion)
        if letter is not None:
            await _bury(bridge, target, occasion, letter)
    except Exception:
        logger.exception("EventBridge lost an event of %s for %s", occasion.rule_arn, target["Arn"])


async def _tried(bridge: Bridge, target: Mapping[str, Any], occasion: Occasion) -> DeadLetter | None:
    try:
        body = input_of(target, occasion)
    except InputError as error:
        return DeadLetter(Failure("INVALID_JSON", str(error)), 0)
    policy = target.get("RetryPolicy") or {}
    most = policy.get("MaximumRetryAttempts", _MAXIMUM_RETRIES)
    oldest = policy.get("MaximumEventAgeInSeconds", _MAXIMUM_AGE_SECONDS)
    started, skipped, retries = time.monotonic(), 0.0, 0
    while True:
        failure = await _attempt(bridge, target, occasion, body)
        if failure is None:
            return None
        if not failure.retried:
            return DeadLetter(failure, retries)
        if retries >= most:
            return DeadLetter(failure, retries, "MaximumRetryAttempts")
        wait = _wait_before(retries)
        # The age that the event would have on AWS, where the waits are real.
        if time.monotonic() - started + skipped + wait > oldest:
            return DeadLetter(failure, retries, "MaximumEventAgeInSeconds")
        await asyncio.sleep(bridge.time.scaled(wait))
        skipped += wait - bridge.time.scaled(wait)
        retries += 1


def _wait_before(retries: int) -> float:
    """Seconds until the next try."""
    longest = min(2.0 ** min(retries, 16), _LONGEST_WAIT_SECONDS)
    return longest * random.uniform(0.9, 1.1)  # noqa: S311 - jitter


async def _attempt(bridge: Bridge, target: Mapping[str, Any], occasion: Occasion, body: str) -> Failure | None:
    sender = Sender(SERVICE, occasion.rule_arn, target.get("RoleArn"))
    try:
        caller = bridge.caller(sender)
    except AwsError as error:
        return Failure("FAILED_TO_ASSUME_ROLE", error.message)
    try:
        await send(Shipment(bridge, caller, target, Arn.parse(target["Arn"]), occasion, body))
    except AwsError as error:
        return _failure(error)
    except Exception as error:
        logger.exception("EventBridge could not deliver to %s", target["Arn"])
        return Failure("INTERNAL_ERROR", repr(error), retried=True)
    return None


def _failure(error: AwsError) -> Failure:
    """The codes are of eb-rule-dlq. Which a target's error becomes, and that a refused input is not retried, is inference."""
    if error.status == _FORBIDDEN or "AccessDenied" in error.code or error.code == "AuthorizationError":
        return Failure("NO_PERMISSIONS", error.message)
    if (
        error.status == _NOT_FOUND
        or error.code in _MISSING
        or error.code.endswith(("DoesNotExist", "NonExistentQueue"))
    ):
        return Failure("NO_RESOURCE", error.message)
    if error.status == _TOO_MANY or error.code in _THROTTLED or "Throttl" in error.code:
        return Failure("THROTTLING", error.message, retried=True)
    if error.status == _CONFLICT:
        return Failure("RESOURCE_MODIFICATION_COLLISION", error.message, retried=True)
    if error.status >= _SERVER_ERROR:
        return Failure("ERROR_FROM_TARGET", error.message, retried=True)
    return Failure("INVALID_PARAMETER", error.message)


async def _bury(bridge: Bridge, target: Mapping[str, Any], occasion: Occasion, letter: DeadLetter) -> None:
    """Send the original event to the target's queue, whose policy must let the rule in: the target's role has no part."""
    failure = letter.failure
    arn = (target.get("DeadLetterConfig") or {}).get("Arn")
    if not arn:
        logger.warning("EventBridge dropped an event for %s: %s: %s", target["Arn"], failure.code, failure.message)
        return
    labels = letter.labels(occasion.rule_arn, target["Arn"])
    queue = Arn.parse(arn)
    params = {
        "QueueUrl": queue_url(queue),
        "MessageBody": compact(occasion.event),
        "MessageAttributes": {key: {"DataType": "String", "StringValue": value} for key, value in labels.items()},
    }
    try:
        caller = bridge.caller(Sender(SERVICE, occasion.rule_arn))
        await bridge.api.call(caller, queue.region, "sqs", "SendMessage", params)
    except AwsError as error:
        logger.warning(
            "EventBridge dropped an event for %s (%s: %s): InvocationsFailedToBeSentToDlq: %s",
            target["Arn"],
            failure.code,
            failure.message,
            error.message,
        )


def _sendable(text: str) -> str:
    """What a message attribute takes: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html."""
    return "".join(character if character.isprintable() else " " for character in text) or "unknown"
