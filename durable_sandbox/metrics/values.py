"""Metrics, what is put of them, and what is read of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

VALUES_PER_DATUM = 150
"""https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html"""


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric's identity. ``dimensions``: name and value, sorted; other dimensions make another metric."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, namespace: str, name: str, dimensions: Mapping[str, str]) -> Metric:
        """The metric with these dimensions."""
        return cls(namespace, name, tuple(sorted(dimensions.items())))

    @property
    def shown_dimensions(self) -> list[dict[str, str]]:
        """The API's Dimensions."""
        return [{"Name": name, "Value": value} for name, value in self.dimensions]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a source has to say of a metric: how often it had each value.

    ``level``: it says how things stand, so it is worth repeating; else it says what has happened.
    """

    region: str
    metric: Metric
    unit: str
    values: Mapping[float, float]
    level: bool = False

    @property
    def empty(self) -> bool:
        """Whether it says no more than zero."""
        return not any(self.values)

    def data(self, at: datetime) -> Iterator[dict[str, Any]]:
        """Elements of PutMetricData's MetricData; several if there are more values than one takes."""
        pairs = iter(self.values.items())
        while chunk := list(islice(pairs, VALUES_PER_DATUM)):
            yield {
                "MetricName": self.metric.name,
                "Dimensions": self.metric.shown_dimensions,
                "Timestamp": at,
                "Values": [float(value) for value, _ in chunk],
                "Counts": [float(count) for _, count in chunk],
                "Unit": self.unit,
            }


def counted(values: Iterable[float]) -> dict[float, float]:
    """How often each value occurs; to three decimals, which is more than any metric means."""
    counts: dict[float, float] = {}
    for value in values:
        rounded = round(value, 3)
        counts[rounded] = counts.get(rounded, 0) + 1
    return counts


@dataclass(frozen=True, slots=True)
class Datum:
    """One element of PutMetricData as it is kept. ``at``: epoch seconds. ``values`` is empty for a statistic set."""

    at: float
    unit: str | None
    samples: float
    total: float
    minimum: float
    maximum: float
    values: tuple[tuple[float, float], ...] = field(default=())

    @classmethod
    def of_values(cls, at: float, unit: str | None, values: Iterable[tuple[float, float]]) -> Datum:
        """Of values with their counts; there is at least one."""
        pairs = tuple((float(value), float(count)) for value, count in values)
        numbers = [value for value, _ in pairs]
        return cls(
            at,
            unit,
            sum(count for _, count in pairs),
            sum(value * count for value, count in pairs),
            min(numbers),
            max(numbers),
            pairs,
        )
