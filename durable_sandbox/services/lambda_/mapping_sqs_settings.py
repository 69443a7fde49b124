"""The settings of an event source mapping with an SQS queue.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-parameters.html
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from durable_sandbox.aws.arns import Arn
from durable_sandbox.events.sqs_mapping_spec import ScalingLimits, SqsMappingSpec
from durable_sandbox.services.lambda_.errors import invalid
from durable_sandbox.services.lambda_.mapping_settings import MappingSettings, Params, chosen

_SMALL_BATCH = 10
_DEFAULT_POLLERS = (2, 200)
_POLLER_RANGES = (("MinimumPollers", 2, 200), ("MaximumPollers", 2, 2000))


@dataclass(frozen=True, slots=True)
class SqsSettings(MappingSettings):
    """A mapping with an SQS queue. ``provisioned``: least and most pollers."""

    source_kind: ClassVar[str] = "SQS"
    transition_reason: ClassVar[str] = "USER_INITIATED"
    others: ClassVar[tuple[str, ...]] = (
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

    batch_size: int = 10
    maximum_concurrency: int | None = None
    provisioned: tuple[int, int] | None = None

    def updated(self, params: Params, source: Arn) -> Self:
        """With the members that ``params`` has."""
        scaling = chosen(params, "ScalingConfig", {"MaximumConcurrency": self.maximum_concurrency})
        settings = replace(
            self,
            **self.common(params, data_key="body"),
            maximum_concurrency=scaling.get("MaximumConcurrency"),
            provisioned=_provisioned(params, self.provisioned),
        )
        settings.check(source)
        return settings

    def to_api(self) -> dict[str, Any]:
        """The members of EventSourceMappingConfiguration."""
        shown = self.shown()
        if self.maximum_concurrency is not None:
            shown["ScalingConfig"] = {"MaximumConcurrency": self.maximum_concurrency}
        if self.provisioned is not None:
            least, most = self.provisioned
            shown["ProvisionedPollerConfig"] = {"MinimumPollers": least, "MaximumPollers": most}
        return shown

    def spec(self, uuid: str, source: Arn, function_arn: str) -> SqsMappingSpec:
        """What the poller runs."""
        scaling = ScalingLimits.of(
            ordered=_is_fifo(source), maximum_concurrency=self.maximum_concurrency, provisioned=self.provisioned
        )
        return SqsMappingSpec(
            uuid=uuid,
            queue=source,
            function_arn=function_arn,
            batch_size=self.batch_size,
            batching_window=self.window,
            record_filter=self.record_filter,
            report_failures=self.report_failures,
            scaling=scaling,
            publish_metrics=self.publish_metrics,
        )

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
        if self.maximum_concurrency is not None and self.provisioned is not None:
            raise invalid("ScalingConfig and ProvisionedPollerConfig are mutually exclusive.")


def _is_fifo(queue: Arn) -> bool:
    return queue.resource.endswith(".fifo")


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
