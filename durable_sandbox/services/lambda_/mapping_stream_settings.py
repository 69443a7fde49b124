"""The settings of an event source mapping with a Kinesis stream, a consumer of one, or a DynamoDB stream.

https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-parameters.html and .../services-ddb-params.html. Defaults and
members shown: LocalStack's snapshots of AWS (tests/aws/services/lambda_/event_source_mapping in localstack/localstack),
which have BatchSize 100 with a window of 0, other than botocore's text on MaximumBatchingWindowInSeconds says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, ClassVar, Self

from durable_sandbox.aws.arns import Arn
from durable_sandbox.events.streams.spec import UNLIMITED, StartingPosition, StreamMappingSpec, StreamSpec
from durable_sandbox.services.lambda_.errors import invalid
from durable_sandbox.services.lambda_.mapping_settings import MappingSettings, Params, chosen

_AGE_RANGE = (60, 604_800)
_DESTINATIONS = frozenset({"s3", "sns", "sqs"})


@dataclass(frozen=True, slots=True)
class StreamSettings(MappingSettings):
    """A mapping with a stream. ``starting_position`` is None until the mapping is made, and never changes then."""

    source_kind: ClassVar[str] = "stream"
    transition_reason: ClassVar[str] = "User action"
    others: ClassVar[tuple[str, ...]] = (
        "AmazonManagedKafkaEventSourceConfig",
        "DocumentDBEventSourceConfig",
        "LoggingConfig",
        "ProvisionedPollerConfig",
        "Queues",
        "ScalingConfig",
        "SelfManagedEventSource",
        "SelfManagedKafkaEventSourceConfig",
        "SourceAccessConfigurations",
        "Topics",
    )

    batch_size: int = 100
    starting_position: StartingPosition | None = None
    starting_timestamp: datetime | None = None
    parallelization_factor: int = 1
    maximum_retries: int = UNLIMITED
    maximum_age: int = UNLIMITED
    bisect: bool = False
    tumbling_window: int = 0
    on_failure: Arn | None = None

    def updated(self, params: Params, source: Arn) -> Self:
        """With the members that ``params`` has."""
        settings = replace(
            self,
            **self.common(params, data_key="data" if source.service == "kinesis" else "dynamodb"),
            parallelization_factor=chosen(params, "ParallelizationFactor", self.parallelization_factor),
            maximum_retries=chosen(params, "MaximumRetryAttempts", self.maximum_retries),
            maximum_age=chosen(params, "MaximumRecordAgeInSeconds", self.maximum_age),
            bisect=chosen(params, "BisectBatchOnFunctionError", self.bisect),
            tumbling_window=chosen(params, "TumblingWindowInSeconds", self.tumbling_window),
            on_failure=_on_failure(params, self.on_failure),
        )
        if self.starting_position is None:
            position, timestamp = _start(params, source)
            settings = replace(settings, starting_position=position, starting_timestamp=timestamp)
        settings.check()
        return settings

    def to_api(self) -> dict[str, Any]:
        """The members of EventSourceMappingConfiguration."""
        shown = self.shown() | {
            "StartingPosition": self._position.value,
            "ParallelizationFactor": self.parallelization_factor,
            "MaximumRetryAttempts": self.maximum_retries,
            "MaximumRecordAgeInSeconds": self.maximum_age,
            "BisectBatchOnFunctionError": self.bisect,
            "TumblingWindowInSeconds": self.tumbling_window,
            "DestinationConfig": {"OnFailure": {"Destination": str(self.on_failure)} if self.on_failure else {}},
        }
        if self.starting_timestamp is not None:
            shown["StartingPositionTimestamp"] = self.starting_timestamp
        return shown

    def spec(self, uuid: str, source: Arn, function_arn: str) -> StreamMappingSpec:
        """What the poller runs."""
        return StreamMappingSpec(uuid, function_arn, self.stream_spec(source), self.publish_metrics)

    def stream_spec(self, source: Arn) -> StreamSpec:
        """How the poller reads ``source``."""
        return StreamSpec(
            source=source,
            starting_position=self._position,
            starting_timestamp=self.starting_timestamp,
            batch_size=self.batch_size,
            batching_window=self.window,
            parallelization_factor=self.parallelization_factor,
            maximum_retries=self.maximum_retries,
            maximum_age=self.maximum_age,
            bisect=self.bisect,
            record_filter=self.record_filter,
            report_failures=self.report_failures,
            tumbling_window=self.tumbling_window,
            on_failure=self.on_failure,
        )

    def check(self) -> None:
        """Raise AwsError for settings that AWS refuses beyond the ranges of its model.

        The text on the age: https://github.com/hashicorp/terraform-provider-aws/pull/16113. That a tumbling window needs
        a factor of 1: https://github.com/terraform-aws-modules/terraform-aws-lambda/issues/619; the text is ours.
        """
        least, most = _AGE_RANGE
        if self.maximum_age != UNLIMITED and not least <= self.maximum_age <= most:
            raise invalid(
                f"MaximumRecordAgeInSeconds must be either -1 (forever) or between {least} and {most} (inclusive)"
            )
        if self.tumbling_window and self.parallelization_factor > 1:
            raise invalid(
                f"TumblingWindowInSeconds {self.tumbling_window} needs a ParallelizationFactor of 1, "
                f"not {self.parallelization_factor}."
            )

    @property
    def _position(self) -> StartingPosition:
        assert self.starting_position is not None, "settings of no mapping"  # noqa: S101 - only SOURCES has none
        return self.starting_position


def _start(params: Params, source: Arn) -> tuple[StartingPosition, datetime | None]:
    """Where a new mapping begins to read.

    Texts: LocalStack's checks, verified on AWS; "Need to specify a timestamp" from
    https://github.com/awsdocs/aws-cloudformation-user-guide/pull/334; the other two on the timestamp are ours.
    """
    given, timestamp = params.get("StartingPosition"), params.get("StartingPositionTimestamp")
    if not given:
        raise invalid(
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: "
            "Member must not be null."
        )
    position = StartingPosition(given)
    if position is not StartingPosition.AT_TIMESTAMP:
        if timestamp is not None:
            raise invalid(f"StartingPositionTimestamp is for StartingPosition AT_TIMESTAMP only, not for {given}.")
        return position, None
    if source.service != "kinesis":
        raise invalid(f"Unsupported starting position for arn type: {source}")
    if timestamp is None:
        raise invalid("Need to specify a timestamp")
    if timestamp > datetime.now(UTC):
        raise invalid("StartingPositionTimestamp cannot be in the future.")
    return position, timestamp


def _on_failure(params: Params, current: Arn | None) -> Arn | None:
    """Where records go that are given up; an empty Destination takes it away. AWS's texts are not known.

    Kafka topics are for Kafka's mappings: https://docs.aws.amazon.com/lambda/latest/dg/kafka-on-failure-destination.html
    """
    given = params.get("DestinationConfig")
    if given is None:
        return current
    if (given.get("OnSuccess") or {}).get("Destination"):
        raise invalid("Unsupported DestinationConfig.OnSuccess parameter for given event source mapping type.")
    text = (given.get("OnFailure") or {}).get("Destination")
    if not text:
        return None
    arn = Arn.parse(text) if text.startswith("arn:") else None
    if arn is None or arn.service not in _DESTINATIONS or not arn.resource or "/" in arn.resource:
        raise invalid(
            f"DestinationConfig.OnFailure.Destination {text} is not for stream event sources: name the ARN of an SQS "
            "queue, an SNS topic or an S3 bucket."
        )
    return arn
