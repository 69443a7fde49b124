"""Statistics of the data in a period.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html. Of the extended statistics
percentiles (``p99``, ``p99.9``) are computed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from durable_sandbox.metrics.values import Datum

_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d+)?|100)")

_SIMPLE: dict[str, Callable[[Sequence[Datum]], float]] = {
    "SampleCount": lambda data: sum(datum.samples for datum in data),
    "Sum": lambda data: sum(datum.total for datum in data),
    "Minimum": lambda data: min(datum.minimum for datum in data),
    "Maximum": lambda data: max(datum.maximum for datum in data),
}


def is_known(name: str) -> bool:
    """Whether ``statistic`` computes it."""
    return name in _SIMPLE or name == "Average" or _PERCENTILE.fullmatch(name) is not None


def statistic(name: str, data: Sequence[Datum]) -> float | None:
    """The statistic of ``data``; None without data, and for what cannot be told of a statistic set."""
    if not data:
        return None
    if name in _SIMPLE:
        return _SIMPLE[name](data)
    if name == "Average":
        samples = _SIMPLE["SampleCount"](data)
        return _SIMPLE["Sum"](data) / samples if samples else None
    match = _PERCENTILE.fullmatch(name)
    return None if match is None else _percentile(float(match[1]), data)


def _percentile(percent: float, data: Sequence[Datum]) -> float | None:
    """The value that ``percent`` of all samples do not exceed.

    CloudWatch needs raw values for it: a statistic set counts if it has one sample, or all its samples are alike.
    """
    pairs: list[tuple[float, float]] = []
    for datum in data:
        if datum.values:
            pairs += datum.values
        elif datum.minimum == datum.maximum:
            pairs.append((datum.minimum, datum.samples))
        else:
            return None
    pairs.sort()
    wanted = percent / 100 * sum(count for _, count in pairs)
    seen = 0.0
    for value, count in pairs:
        seen += count
        if seen >= wanted:
            return value
    return pairs[-1][0]
