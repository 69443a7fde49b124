"""What an SQS event source mapping does, and what it has done: values shared by the poller's parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from durable_sandbox.aws.arns import Arn
from durable_sandbox.events.filters import RecordFilter

MAXIMUM_CONCURRENCY = 100
"""Batches that one mapping has in flight at most. AWS goes to 1,250; one machine's processes do not."""

_STANDARD_INITIAL = 5
_STANDARD_GROWTH = 5
_PROVISIONED_GROWTH = 16
_INVOKES_PER_POLLER = 10


@dataclass(frozen=True, slots=True)
class ScalingLimits:
    """Batches in flight: ``initial`` at first, ``growth`` more each ``growth_s`` while all are busy, to ``maximum``.

    After failures they go down one by one, not below ``floor``.
    """

    initial: int = _STANDARD_INITIAL
    maximum: int = MAXIMUM_CONCURRENCY
    floor: int = 2
    growth: int = _STANDARD_GROWTH
    growth_s: float = 1.0

    @classmethod
    def of(
        cls, *, ordered: bool, maximum_concurrency: int | None, provisioned: tuple[int, int] | None
    ) -> ScalingLimits:
        """The limits of a mapping; ``provisioned`` are its least and most pollers.

        Standard: 5 batches, 300 more a minute. FIFO: one batch a group, so the groups are the limit and there is
        nothing to grow into. Provisioned: 10 invocations a poller, 1,000 more a minute.
        https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
        """
        if provisioned is not None:
            least, most = (min(MAXIMUM_CONCURRENCY, pollers * _INVOKES_PER_POLLER) for pollers in provisioned)
            return cls(initial=least, maximum=most, floor=least, growth=_PROVISIONED_GROWTH)
        maximum = min(MAXIMUM_CONCURRENCY, maximum_concurrency or MAXIMUM_CONCURRENCY)
        return cls(initial=maximum if ordered else min(_STANDARD_INITIAL, maximum), maximum=maximum)


@dataclass(frozen=True, slots=True)
class SqsMappingSpec:
    """A mapping's effective settings. ``batching_window`` in seconds; ``function_arn`` as the mapping names it."""

    uuid: str
    queue: Arn
    function_arn: str
    batch_size: int
    batching_window: int
    record_filter: RecordFilter
    report_failures: bool
    scaling: ScalingLimits
    publish_metrics: bool = False

    @property
    def ordered(self) -> bool:
        """Whether the queue keeps an order within a message group."""
        return self.queue.resource.endswith(".fifo")


METRIC_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "polled": "PolledEventCount",
        "filtered_out": "FilteredOutEventCount",
        "invoked": "InvokedEventCount",
        "failed": "FailedInvokeEventCount",
        "deleted": "DeletedEventCount",
    }
)
"""Count -> CloudWatch metric, https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html."""


@dataclass(slots=True)
class MappingCounts:
    """Events since the mapping was created.

    ``invoked`` counts an event again for each invocation with it; ``failed`` counts events of failed invocations and
    those that a batch response named.
    """

    polled: int = 0
    filtered_out: int = 0
    invoked: int = 0
    failed: int = 0
    deleted: int = 0
