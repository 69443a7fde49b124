"""What a stream event source mapping does, and what it has done: values shared by the poller's parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from types import MappingProxyType

from durable_sandbox.aws.arns import Arn
from durable_sandbox.events.filters import RecordFilter

UNLIMITED = -1
"""MaximumRetryAttempts and MaximumRecordAgeInSeconds: until the record leaves the stream."""


class StartingPosition(Enum):
    """Where a mapping begins to read."""

    TRIM_HORIZON = "TRIM_HORIZON"
    LATEST = "LATEST"
    AT_TIMESTAMP = "AT_TIMESTAMP"


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """How records are read, batched and retried, for a mapping or a pipe. Times in seconds.

    ``source``: a Kinesis stream, a consumer of one (enhanced fan-out) or a DynamoDB stream. ``maximum_retries`` and
    ``maximum_age`` may be UNLIMITED. ``bisect``: split a batch whose invocation failed; ``halve_partial``: also what a
    partial result leaves. ``tumbling_window``: 0 for none.
    """

    source: Arn
    starting_position: StartingPosition
    starting_timestamp: datetime | None
    batch_size: int
    batching_window: int
    parallelization_factor: int
    maximum_retries: int
    maximum_age: int
    bisect: bool
    record_filter: RecordFilter
    report_failures: bool
    halve_partial: bool = False
    tumbling_window: int = 0
    on_failure: Arn | None = None

    @property
    def is_kinesis(self) -> bool:
        """Whether the source is a Kinesis stream or a consumer of one."""
        return self.source.service == "kinesis"

    @property
    def stream(self) -> Arn:
        """The stream itself: of a consumer's ARN, ``stream/<name>/consumer/<consumer>:<created>``, its stream."""
        name, separator, _ = self.source.resource.partition("/consumer/")
        if not separator:
            return self.source
        return Arn(self.source.service, self.source.region, self.source.account, name, self.source.partition)

    @property
    def has_consumer(self) -> bool:
        """Whether the source is an enhanced fan-out consumer."""
        return self.stream != self.source


@dataclass(frozen=True, slots=True)
class StreamMappingSpec:
    """A mapping's effective settings; ``function_arn`` as the mapping names it."""

    uuid: str
    function_arn: str
    stream: StreamSpec
    publish_metrics: bool = False


METRIC_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "polled": "PolledEventCount",
        "filtered_out": "FilteredOutEventCount",
        "invoked": "InvokedEventCount",
        "failed": "FailedInvokeEventCount",
        "dropped": "DroppedEventCount",
        "delivered_to_destination": "OnFailureDestinationDeliveredEventCount",
    }
)
"""Count -> CloudWatch metric, https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html."""


@dataclass(slots=True)
class StreamCounts:
    """Events since the mapping was created; ``invoked`` counts an event again for each invocation with it."""

    polled: int = 0
    filtered_out: int = 0
    invoked: int = 0
    failed: int = 0
    dropped: int = 0
    delivered_to_destination: int = 0
    delivery_failures: int = 0


@dataclass(slots=True)
class StreamSamples:
    """What CloudWatch has not been told yet, of the mapping's function and not of the mapping.

    ``ages``: IteratorAge of each invocation in milliseconds. ``undelivered``: on-failure records that were lost.
    """

    ages: list[float] = field(default_factory=list)
    undelivered: int = 0
