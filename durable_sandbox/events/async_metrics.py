"""What CloudWatch counts of a function's asynchronous invocations, since the sandbox started.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html (invocation and asynchronous invocation metrics)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

METRIC_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "received": "AsyncEventsReceived",
        "dropped": "AsyncEventsDropped",
        "dead_letter_errors": "DeadLetterErrors",
        "destination_delivery_failures": "DestinationDeliveryFailures",
    }
)
"""Count -> CloudWatch metric, unit Count."""
AGE_METRIC = "AsyncEventAge"
"""Of ``AsyncCounts.age``, unit Milliseconds."""


@dataclass(slots=True)
class Statistic:
    """What a CloudWatch statistic set says of its samples."""

    samples: int = 0
    total: float = 0.0
    minimum: float = 0.0
    maximum: float = 0.0

    def add(self, value: float) -> None:
        """Count a sample."""
        self.minimum = min(self.minimum, value) if self.samples else value
        self.maximum = max(self.maximum, value)
        self.samples += 1
        self.total += value

    def to_api(self) -> dict[str, float]:
        """The API's StatisticSet."""
        return {
            "SampleCount": self.samples,
            "Sum": self.total,
            "Minimum": self.minimum,
            "Maximum": self.maximum,
        }


@dataclass(slots=True)
class AsyncCounts:
    """One function's counts.

    ``dropped``: events that never succeeded, wherever they went then. ``age``: milliseconds from an event's acceptance to
    each invocation with it; ``new_ages``: those since CloudWatch was last told. ``destination_delivery_failures``: also of
    the streams' mappings to the function.
    """

    received: int = 0
    dropped: int = 0
    dead_letter_errors: int = 0
    destination_delivery_failures: int = 0
    age: Statistic = field(default_factory=Statistic)
    new_ages: list[float] = field(default_factory=list)

    def attempted(self, age: float) -> None:
        """Count an invocation with an event that is ``age`` milliseconds old."""
        self.age.add(age)
        self.new_ages.append(age)


class AsyncMetrics:
    """The counts of all functions, by region and name."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], AsyncCounts] = {}

    def of(self, region: str, function_name: str) -> AsyncCounts:
        """The counts of one function."""
        return self._counts.setdefault((region, function_name), AsyncCounts())

    def items(self) -> Iterator[tuple[tuple[str, str], AsyncCounts]]:
        """Region and name of each function, with its counts."""
        return iter(self._counts.items())

    def clear(self) -> None:
        """Forget all."""
        self._counts.clear()

    def status(self) -> list[dict[str, Any]]:
        """Every function that was invoked asynchronously, under CloudWatch's names."""
        return [
            {
                "region": region,
                "name": name,
                **{metric: getattr(counts, count) for count, metric in METRIC_NAMES.items()},
                AGE_METRIC: counts.age.to_api(),
            }
            for (region, name), counts in self._counts.items()
        ]
