"""An alarm as it is evaluated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from durable_sandbox.metrics.judgement import Rule
from durable_sandbox.metrics.values import Metric


@dataclass(frozen=True, slots=True)
class MetricStat:
    """A statistic of a metric, a period (seconds) each. ``unit``: only data with it count; None: all."""

    metric: Metric
    period: int
    stat: str
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """One of an alarm's metrics: a statistic or an expression. ``returned``: it is what the alarm watches."""

    id: str
    stat: MetricStat | None = None
    expression: str | None = None
    label: str | None = None
    returned: bool = True


@dataclass(frozen=True, slots=True)
class Alarm:
    """A metric alarm (``rule``) or a composite alarm (``composite``, its AlarmRule).

    ``actions`` are ARNs by state, ``since`` when the state was entered. ``told``: the state that was acted on last;
    another one than ``state`` after SetAlarmState.
    """

    region: str
    name: str
    arn: str
    description: str | None
    configured: datetime
    state: str
    told: str
    reason: str
    since: datetime
    actions_enabled: bool
    actions: Mapping[str, tuple[str, ...]]
    rule: Rule | None = None
    queries: tuple[Query, ...] = ()
    composite: str | None = None

    @property
    def period(self) -> int:
        """The longest period of its metrics."""
        return max((query.stat.period for query in self.queries if query.stat is not None), default=60)

    @property
    def single(self) -> MetricStat | None:
        """The statistic that is watched, unless it is an expression."""
        return self.queries[0].stat if len(self.queries) == 1 else None

    @property
    def watches(self) -> str:
        """What it watches, for a reader."""
        if self.composite is not None:
            return self.composite
        if self.single is not None:
            metric = self.single.metric
            dimensions = ", ".join(f"{name}={value}" for name, value in metric.dimensions)
            return f"{self.single.stat} {metric.namespace} {metric.name}" + (f" ({dimensions})" if dimensions else "")
        return next((query.expression for query in self.queries if query.returned and query.expression), "")


@dataclass(frozen=True, slots=True)
class Change:
    """A new state. ``data``: StateReasonData, as JSON is written."""

    state: str
    reason: str
    data: Mapping[str, object]
    at: datetime

    @property
    def shown_data(self) -> str:
        """StateReasonData."""
        return json.dumps(self.data, separators=(",", ":"))
