"""What the settings of all event source mappings have in common.

Members, defaults and ranges: botocore's lambda model and the pages named by each kind of source; texts as AWS answers,
where they are known. The model's own ranges are enforced where requests are parsed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from durable_sandbox.aws.arns import Arn
from durable_sandbox.events.filters import PatternError, RecordFilter
from durable_sandbox.events.sqs_mapping_spec import SqsMappingSpec
from durable_sandbox.events.streams.spec import StreamMappingSpec
from durable_sandbox.services.lambda_.errors import invalid

Params = Mapping[str, Any]
MappingSpec = SqsMappingSpec | StreamMappingSpec

_REPORT_FAILURES = "ReportBatchItemFailures"
_EVENT_COUNT = "EventCount"
_MAXIMUM_FILTERS = 5


@dataclass(frozen=True, slots=True)
class MappingSettings(ABC):
    """The settings that every kind of source has; ``window`` in seconds.

    ``source_kind`` and ``transition_reason`` (StateTransitionReason) are how AWS speaks of a kind; ``others`` are the
    members that it does not take.
    """

    source_kind: ClassVar[str]
    transition_reason: ClassVar[str]
    others: ClassVar[tuple[str, ...]]

    batch_size: int
    window: int = 0
    response_types: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    kms_key_arn: str | None = None
    record_filter: RecordFilter = field(default=RecordFilter(()), compare=False)

    @abstractmethod
    def updated(self, params: Params, source: Arn) -> Self:
        """With the members that ``params`` has. Raises AwsError for what is invalid or not for this kind of source."""

    @abstractmethod
    def to_api(self) -> dict[str, Any]:
        """The members of EventSourceMappingConfiguration."""

    @abstractmethod
    def spec(self, uuid: str, source: Arn, function_arn: str) -> MappingSpec:
        """What the poller runs."""

    @property
    def report_failures(self) -> bool:
        """Whether the function's answer may name the records that failed."""
        return _REPORT_FAILURES in self.response_types

    @property
    def publish_metrics(self) -> bool:
        """Whether the mapping counts its events in CloudWatch."""
        return _EVENT_COUNT in self.metrics

    def common(self, params: Params, *, data_key: str) -> dict[str, Any]:
        """The fields of this class as ``params`` changes them; filters look into a record's ``data_key``."""
        for member in self.others:
            if _is_given(params.get(member)):
                raise invalid(f"Unsupported {member} parameter for given event source mapping type.")
        patterns = self._patterns(params)
        metrics = tuple(chosen(params, "MetricsConfig", {"Metrics": self.metrics}).get("Metrics") or ())
        if unknown := set(metrics) - {_EVENT_COUNT}:
            raise invalid(
                f"Metrics {', '.join(sorted(unknown))} are not for {self.source_kind} event sources; {_EVENT_COUNT} is."
            )
        return {
            "batch_size": chosen(params, "BatchSize", self.batch_size),
            "window": chosen(params, "MaximumBatchingWindowInSeconds", self.window),
            "response_types": tuple(chosen(params, "FunctionResponseTypes", self.response_types)),
            "patterns": patterns,
            "record_filter": _record_filter(patterns, data_key),
            "metrics": metrics,
            "kms_key_arn": chosen(params, "KMSKeyArn", self.kms_key_arn) or None,
        }

    def shown(self) -> dict[str, Any]:
        """The API's members for the fields of this class."""
        shown: dict[str, Any] = {
            "BatchSize": self.batch_size,
            "MaximumBatchingWindowInSeconds": self.window,
            "FunctionResponseTypes": list(self.response_types),
        }
        if self.patterns:
            shown["FilterCriteria"] = {"Filters": [{"Pattern": pattern} for pattern in self.patterns]}
        if self.metrics:
            shown["MetricsConfig"] = {"Metrics": list(self.metrics)}
        if self.kms_key_arn is not None:
            shown["KMSKeyArn"] = self.kms_key_arn
        return shown

    def _patterns(self, params: Params) -> tuple[str, ...]:
        criteria = params.get("FilterCriteria")
        if criteria is None:
            return self.patterns
        return tuple(item.get("Pattern") or "" for item in criteria.get("Filters") or ())


def chosen(params: Params, member: str, current: Any) -> Any:
    """The value of ``member``, or ``current`` if the caller did not name it."""
    value = params.get(member)
    return current if value is None else value


def _is_given(value: Any) -> bool:
    """Whether a member says something: SDKs send empty structures and false for what nobody set."""
    if isinstance(value, Mapping):
        return any(_is_given(item) for item in value.values())
    return value not in (None, "", [], False)


def _record_filter(patterns: tuple[str, ...], data_key: str) -> RecordFilter:
    if len(patterns) > _MAXIMUM_FILTERS:
        raise invalid(f"{len(patterns)} filters are more than the maximum of {_MAXIMUM_FILTERS}.")
    try:
        return RecordFilter.parse(patterns, data_key=data_key, nested_anything_but=False)
    except PatternError as error:
        raise invalid("Invalid filter pattern definition.") from error
