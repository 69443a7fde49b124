"""The kinds of event sources. ``SOURCES`` is where a further kind is plugged in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from durable_sandbox.aws.arns import Arn
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.services.lambda_.errors import invalid
from durable_sandbox.services.lambda_.mapping_settings import MappingSettings
from durable_sandbox.services.lambda_.mapping_sqs_settings import SqsSettings
from durable_sandbox.services.lambda_.mapping_stream_settings import StreamSettings

SOURCES: Mapping[str, MappingSettings] = MappingProxyType(
    {"sqs": SqsSettings(), "kinesis": StreamSettings(), "dynamodb": StreamSettings()}
)
"""Service in the source's ARN -> the defaults of such a mapping."""

_NOT_EMULATED = frozenset({"kafka", "mq", "rds"})
# An ARN of the same service may be of something else: a table is not its stream.
_RESOURCES = MappingProxyType(
    {
        "sqs": re.compile(r"[^/:]+"),
        "kinesis": re.compile(r"stream/[^/:]+(/consumer/[^/:]+(:\d+)?)?"),
        "dynamodb": re.compile(r"table/[a-zA-Z0-9_.-]{3,255}/stream/[^/]+"),
    }
)


def source_defaults(source: Arn) -> MappingSettings:
    """The defaults for ``source``. Raises AwsError for what is no event source, or not one here."""
    if source.service in _NOT_EMULATED:
        raise not_emulated(str(source))
    if source.service not in SOURCES or not _RESOURCES[source.service].fullmatch(source.resource):
        raise invalid("Unrecognized event source.")
    return SOURCES[source.service]


def not_emulated(source: str) -> AwsError:
    """The error for an event source that AWS has and the sandbox has not."""
    return AwsError(
        "UnsupportedOperation",
        f"The sandbox maps SQS queues, Kinesis streams and DynamoDB streams only, not {source}. "
        "See 'The sandbox' in the README.",
        status=501,
    )
