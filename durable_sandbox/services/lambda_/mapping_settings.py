"""The settings of an event source mapping, by the kind of its source.

``SOURCES`` is where a further kind is plugged in. Members, defaults and ranges: botocore's lambda model and
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html; texts as AWS answers, where they are known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from durable_sandbox.aws.arns import Arn
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.events.filters import PatternError, RecordFilter
from durable_sandbox.events.sqs_mapping_spec import ScalingLimits, SqsMappingSpec

Params = Mapping[str, Any]

REPORT_FAILURES = "ReportBatchItemFailures"
_EVENT_COUNT = "EventCount"
_SMALL_BATCH = 10
_MAXIMUM_FILTERS = 5
_DEFAULT_POLLERS = (2, 200)
_POLLER_RANGES = (("MinimumPollers", 2, 200), ("MaximumPollers", 2, 2000))
_NOT_FOR_SQS = (
    "AmazonManagedKafkaEventSourceConfig",
    "BisectBatchOnFunctionError",
    "DestinationConfig",
    "DocumentDBEventSourceConfig",
    "LoggingConfig",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
    "ParallelizationFactor",
    "Queues",
    "SelfManagedEventSource",
    "SelfManagedKafkaEventSourceConfig",
    "SourceAccessConfigurations",
    "StartingPosition",
    "StartingPositionTimestamp",
    "Topics",
    "TumblingWindowInSeconds",
)


def invalid(message: str) -> AwsError:
    """Lambda's error for a value that it refuses."""
    return AwsError("InvalidParameterValueException", message, Type="User")


def not_emulated(source: str) -> AwsError:
    """The error for an event source that AWS has and the sandbox has not."""
    return AwsError(
        "UnsupportedOperation",
        f"The sandbox maps SQS queues only, not {source}. See 'What the sandbox does and does not emulate' in the README.",
        status=501,
    )


@dataclass(frozen=True, slots=True)
class SqsSettings:
    """A mapping with an SQS queue. ``provisioned``: least and most pollers; ``window`` in seconds."""

    batch_size: int = 10
    window: int = 0
    response_types: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    maximum_concurrency: int | None = None
    provisioned: tuple[int, int] | None = None
    metrics: tuple[str, ...] = ()
    kms_key_arn: str | None = None
    record_filter: RecordFilter = field(default=RecordFilter(()), compare=False)

    def updated(self, params: Params, queue: Arn) -> SqsSettings:
        """With the members that ``params`` has. Raises AwsError for what is invalid or not for SQS."""
        for member in _NOT_FOR_SQS:
            if _is_given(params.get(member)):
                raise invalid(f"Unsupported {member} parameter for given event source mapping type.")
        patterns = self._patterns(params)
        settings = replace(
            self,
            batch_size=_chosen(params, "BatchSize", self.batch_size),
            window=_chosen(params, "MaximumBatchingWindowInSeconds", self.window),
            response_types=tuple(_chosen(params, "FunctionResponseTypes", self.response_types)),
            patterns=patterns,
            record_filter=_record_filter(patterns),
            maximum_concurrency=_chosen(params, "ScalingConfig", {"MaximumConcurrency": self.maximum_concurrency}).get(
                "MaximumConcurrency"
            ),
            provisioned=_provisioned(params, self.provisioned),
            metrics=tuple(_chosen(params, "MetricsConfig", {"Metrics": self.metrics}).get("Metrics") or ()),
            kms_key_arn=_chosen(params, "KMSKeyArn", self.kms_key_arn) or None,
        )
        settings.check(queue)
        return settings

    def to_api(self) -> dict[str, Any]:
        """The members of EventSourceMappingConfiguration."""
        shown: dict[str, Any] = {
            "BatchSize": self.batch_size,
            "MaximumBatchingWindowInSeconds": self.window,
            "FunctionResponseTypes": list(self.response_types),
        }
        if self.patterns:
            shown["FilterCriteria"] = {"Filters": [{"Pattern": pattern} for pattern in self.patterns]}
        if self.maximum_concurrency is not None:
            shown["ScalingConfig"] = {"MaximumConcurrency": self.maximum_concurrency}
        if self.provisioned is not None:
            least, most = self.provisioned
            shown["ProvisionedPollerConfig"] = {"MinimumPollers": least, "MaximumPollers": most}
        if self.metrics:
            shown["MetricsConfig"] = {"Metrics": list(self.metrics)}
        if self.kms_key_arn is not None:
            shown["KMSKeyArn"] = self.kms_key_arn
        return shown

    def spec(self, uuid: str, queue: Arn, function_arn: str) -> SqsMappingSpec:
        """What the poller runs."""
        scaling = ScalingLimits.of(
            ordered=_is_fifo(queue), maximum_concurrency=self.maximum_concurrency, provisioned=self.provisioned
        )
        return SqsMappingSpec(
            uuid=uuid,
            queue=queue,
            function_arn=function_arn,
            batch_size=self.batch_size,
            batching_window=self.window,
            record_filter=self.record_filter,
            report_failures=REPORT_FAILURES in self.response_types,
            scaling=scaling,
            publish_metrics=_EVENT_COUNT in self.metrics,
        )

    def _patterns(self, params: Params) -> tuple[str, ...]:
        criteria = params.get("FilterCriteria")
        if criteria is None:
            return self.patterns
        return tuple(item.get("Pattern") or "" for item in criteria.get("Filters") or ())

    def check(self, queue: Arn) -> None:
        """Raise AwsError for settings that do not go together."""
        fifo = _is_fifo(queue)
        if fifo and self.batch_size > _SMALL_BATCH:
            raise invalid(f"Batch size {self.batch_size} exceeds the maximum of {_SMALL_BATCH} for FIFO queues.")
        if fifo and self.window:
            raise invalid("Batching window is not supported for FIFO queues")
        if self.batch_size > _SMALL_BATCH and not self.window:
            raise invalid(
                "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"
            )
        if unknown := set(self.metrics) - {_EVENT_COUNT}:
            raise invalid(f"Metrics {', '.join(sorted(unknown))} are not for SQS event sources; {_EVENT_COUNT} is.")
        if self.maximum_concurrency is not None and self.provisioned is not None:
            raise invalid("ScalingConfig and ProvisionedPollerConfig are mutually exclusive.")


SOURCES: Mapping[str, SqsSettings] = MappingProxyType({"sqs": SqsSettings()})
"""Service in the source's ARN -> the defaults of such a mapping."""


def source_defaults(source: Arn) -> SqsSettings:
    """The defaults for ``source``. Raises AwsError for a service that is no event source, or not one here."""
    if source.service in SOURCES:
        return SOURCES[source.service]
    if source.service in ("kinesis", "dynamodb", "kafka", "mq", "rds"):
        raise not_emulated(str(source))
    raise invalid("Unrecognized event source.")


def _is_fifo(queue: Arn) -> bool:
    return queue.resource.endswith(".fifo")


def _chosen(params: Params, member: str, current: Any) -> Any:
    value = params.get(member)
    return current if value is None else value


def _is_given(value: Any) -> bool:
    """Whether a member says something: SDKs send empty structures and false for what nobody set."""
    if isinstance(value, Mapping):
        return any(_is_given(item) for item in value.values())
    return value not in (None, "", [], False)


def _provisioned(params: Params, current: tuple[int, int] | None) -> tuple[int, int] | None:
    """Least and most pollers; an empty ProvisionedPollerConfig turns the mode off."""
    given = params.get("ProvisionedPollerConfig")
    if given is None:
        return current
    if not given:
        return None
    if given.get("PollerGroupName"):
        raise invalid("PollerGroupName is not for SQS event sources.")
    for member, low, high in _POLLER_RANGES:
        if given.get(member) is not None and not low <= given[member] <= high:
            raise invalid(f"{member} {given[member]} is not between {low} and {high}, as SQS event sources need.")
    default_least, default_most = current or _DEFAULT_POLLERS
    least, most = given.get("MinimumPollers", default_least), given.get("MaximumPollers", default_most)
    if least > most:
        raise invalid(f"MinimumPollers {least} is greater than MaximumPollers {most}.")
    return least, most


def _record_filter(patterns: tuple[str, ...]) -> RecordFilter:
    if len(patterns) > _MAXIMUM_FILTERS:
        raise invalid(f"{len(patterns)} filters are more than the maximum of {_MAXIMUM_FILTERS}.")
    try:
        return RecordFilter.parse(patterns, nested_anything_but=False)
    except PatternError as error:
        raise invalid("Invalid filter pattern definition.") from error
