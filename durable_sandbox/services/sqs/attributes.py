"""Queue attributes: validation, defaults, and the exact text that a client sent.

Names, ranges and defaults: botocore model of sqs, CreateQueue and SetQueueAttributes. JSON attributes are kept as sent,
because clients such as Terraform's provider compare the text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from durable_sandbox.aws.errors import AwsError
from durable_sandbox.services.sqs.errors import invalid_attribute, invalid_parameter, invalid_value, unknown_attribute
from durable_sandbox.services.sqs.queue import QueueSettings

MAX_MESSAGE_BYTES = 1_048_576

_RANGES: Mapping[str, tuple[int, int]] = {
    "DelaySeconds": (0, 900),
    "MaximumMessageSize": (1024, MAX_MESSAGE_BYTES),
    "MessageRetentionPeriod": (60, 1_209_600),
    "ReceiveMessageWaitTimeSeconds": (0, 20),
    "VisibilityTimeout": (0, 43_200),
    "KmsDataKeyReusePeriodSeconds": (60, 86_400),
}
_FIFO_CHOICES: Mapping[str, tuple[str, ...]] = {
    "FifoQueue": ("true",),
    "ContentBasedDeduplication": ("true", "false"),
    "DeduplicationScope": ("queue", "messageGroup"),
    "FifoThroughputLimit": ("perQueue", "perMessageGroupId"),
}
_CHOICES: Mapping[str, tuple[str, ...]] = {**_FIFO_CHOICES, "SqsManagedSseEnabled": ("true", "false")}
_BOOLEANS = ("FifoQueue", "ContentBasedDeduplication", "SqsManagedSseEnabled")
_REMOVABLE = ("Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId")
_DEFAULTS: Mapping[str, str] = {
    "VisibilityTimeout": "30",
    "MaximumMessageSize": str(MAX_MESSAGE_BYTES),
    "MessageRetentionPeriod": "345600",
    "DelaySeconds": "0",
    "ReceiveMessageWaitTimeSeconds": "0",
    "SqsManagedSseEnabled": "true",
}
_FIFO_DEFAULTS: Mapping[str, str] = {
    "FifoQueue": "true",
    "ContentBasedDeduplication": "false",
    "DeduplicationScope": "queue",
    "FifoThroughputLimit": "perQueue",
}
COMPUTED = (
    "QueueArn",
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
)
KNOWN = frozenset((*_RANGES, *_FIFO_CHOICES, *_REMOVABLE, *COMPUTED, "SqsManagedSseEnabled", "All"))

_STANDARD_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
_FIFO_NAME = re.compile(r"(?=.{6,80}\Z)[A-Za-z0-9_-]+\.fifo")
_QUEUE_ARN = re.compile(r"arn:[a-z-]+:sqs:([a-z0-9-]+):(\d{12}):([A-Za-z0-9_.-]{1,80})")
_DEFAULT_MAX_RECEIVES = 10
_MAX_RECEIVES = 1000
_MAX_ALLOWED_SOURCES = 10


@dataclass(frozen=True, slots=True)
class Redrive:
    """A parsed RedrivePolicy."""

    target_arn: str
    max_receives: int


def check_name(name: str, *, fifo: bool) -> None:
    """Raise AwsError (InvalidParameterValue) unless ``name`` fits the queue type."""
    if fifo and not _FIFO_NAME.fullmatch(name):
        raise invalid_parameter(
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with "
            ".fifo suffix and be 1 to 80 in length."
        )
    if not fifo and not _STANDARD_NAME.fullmatch(name):
        raise invalid_parameter("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")


def is_true(text: str | None) -> bool:
    """Whether a boolean attribute's text says true."""
    return text is not None and text.lower() == "true"


def defaults(*, fifo: bool) -> dict[str, str]:
    """Attributes of a queue for which a client sent none."""
    return {**_DEFAULTS, **(_FIFO_DEFAULTS if fifo else {})}


def parse_redrive(text: str) -> Redrive:
    """Parse a RedrivePolicy. Raises AwsError (InvalidParameterValue)."""
    policy = _json_object("RedrivePolicy", text, "Redrive policy is not a valid JSON map.")
    target = policy.get("deadLetterTargetArn")
    if target is None:
        raise invalid_value(
            "RedrivePolicy", text, "Redrive policy does not contain mandatory attribute: deadLetterTargetArn."
        )
    if not isinstance(target, str) or not _QUEUE_ARN.fullmatch(target):
        raise invalid_value("RedrivePolicy", text, "Invalid value for deadLetterTargetArn.")
    given = policy.get("maxReceiveCount", _DEFAULT_MAX_RECEIVES)
    try:
        count = int(given) if isinstance(given, str | int) and not isinstance(given, bool) else 0
    except ValueError:
        count = 0
    if not 1 <= count <= _MAX_RECEIVES:
        raise invalid_value(
            "RedrivePolicy",
            text,
            f"Invalid value for maxReceiveCount: {given}, valid values are from 1 to 1000 both inclusive.",
        )
    return Redrive(target, count)


def allows_source(redrive_allow_policy: str | None, source_arn: str) -> bool:
    """Whether a dead-letter queue's RedriveAllowPolicy lets ``source_arn`` use it."""
    if not redrive_allow_policy:
        return True
    policy = json.loads(redrive_allow_policy)
    if policy["redrivePermission"] == "byQueue":
        return source_arn in policy.get("sourceQueueArns", [])
    return bool(policy["redrivePermission"] == "allowAll")


def merge(current: Mapping[str, str], given: Mapping[str, str], *, fifo: bool) -> dict[str, str]:
    """``current`` with a client's ``given`` attributes applied; empty text removes an optional one.

    Raises AwsError: InvalidAttributeName, InvalidAttributeValue, InvalidParameterValue.
    """
    checked = {name: _check(name, value, fifo=fifo) for name, value in given.items()}
    if checked.get("KmsMasterKeyId") and checked.get("SqsManagedSseEnabled") == "true":
        raise AwsError(
            "InvalidAttributeName",
            "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.",
        )
    merged = {**current, **checked}
    if checked.get("KmsMasterKeyId"):
        merged["SqsManagedSseEnabled"] = "false"
        merged.setdefault("KmsDataKeyReusePeriodSeconds", "300")
    elif checked.get("SqsManagedSseEnabled") == "true":
        merged["KmsMasterKeyId"] = ""
    if not merged.get("KmsMasterKeyId"):
        merged.pop("KmsDataKeyReusePeriodSeconds", None)
    if merged.get("FifoThroughputLimit") == "perMessageGroupId" and merged.get("DeduplicationScope") != "messageGroup":
        raise invalid_attribute("FifoThroughputLimit")
    return {name: value for name, value in merged.items() if value != "" or name not in _REMOVABLE}


def first_difference(current: Mapping[str, str], given: Mapping[str, str], *, fifo: bool) -> str | None:
    """The first of a client's attributes that differs from the queue's, for CreateQueue on an existing name."""
    for name, value in given.items():
        wanted, actual = _check(name, value, fifo=fifo), current.get(name, "")
        if wanted != actual and not (name in _REMOVABLE[:3] and _same_json(wanted, actual)):
            return name
    return None


def settings_of(values: Mapping[str, str]) -> QueueSettings:
    """What the queue structure needs of valid attributes."""
    policy = values.get("RedrivePolicy")
    return QueueSettings(
        visibility_timeout=int(values["VisibilityTimeout"]),
        delay=int(values["DelaySeconds"]),
        retention=int(values["MessageRetentionPeriod"]),
        max_receives=parse_redrive(policy).max_receives if policy else None,
        content_based_dedup=is_true(values.get("ContentBasedDeduplication")),
        dedup_by_group=values.get("DeduplicationScope") == "messageGroup",
    )


def _check(name: str, value: str, *, fifo: bool) -> str:
    """The value to store for one attribute."""
    if name not in KNOWN or name in COMPUTED or name == "All" or (name in _FIFO_CHOICES and not fifo):
        raise unknown_attribute(name)
    if name in _RANGES:
        low, high = _RANGES[name]
        if not re.fullmatch(r"[0-9]{1,9}", value) or not low <= int(value) <= high:
            raise invalid_attribute(name)
        return str(int(value))
    if name in _BOOLEANS:
        value = value.lower()
    choices = _CHOICES.get(name)
    if choices is not None and value not in choices:
        raise invalid_attribute(name)
    if value:
        _check_document(name, value)
    return value


def _check_document(name: str, text: str) -> None:
    if name == "Policy":
        _json_object(name, text, None)
    elif name == "RedrivePolicy":
        parse_redrive(text)
    elif name == "RedriveAllowPolicy":
        _check_redrive_allow(text)


def _check_redrive_allow(text: str) -> None:
    reason = "Amazon SQS can't create the redrive allow policy, as it's in an unsupported format."
    policy = _json_object("RedriveAllowPolicy", text, reason)
    sources = policy.get("sourceQueueArns")
    permission = policy.get("redrivePermission")
    if permission not in ("allowAll", "denyAll", "byQueue") or (permission == "byQueue") != (sources is not None):
        raise invalid_value("RedriveAllowPolicy", text, reason)
    if sources is not None and not (
        isinstance(sources, list)
        and 1 <= len(sources) <= _MAX_ALLOWED_SOURCES
        and all(isinstance(arn, str) and _QUEUE_ARN.fullmatch(arn) for arn in sources)
    ):
        raise invalid_value("RedriveAllowPolicy", text, "sourceQueueArns must hold 1 to 10 queue ARNs.")


def _json_object(name: str, text: str, reason: str | None) -> dict[str, Any]:
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise invalid_attribute(name) if reason is None else invalid_value(name, text, reason)
    return parsed


def _same_json(left: str, right: str) -> bool:
    return bool(left and right and json.loads(left) == json.loads(right))
