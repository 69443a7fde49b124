"""CloudWatch's data.

Gaps closed in moto 5.2.5: it keeps every datum for ever in one list and searches all of it at each call; it computes no
percentiles and no metric math, and takes no account of namespaces in GetMetricData. Here a metric keeps its latest
values, 5,000 of them: hours of what the sandbox puts. Not as on AWS: Metrics Insights (SELECT) is refused.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch import models
from moto.cloudwatch.exceptions import InvalidParameterCombination, InvalidParameterValue, ValidationError
from moto.cloudwatch.models import CloudWatchBackend
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult
from moto.core.utils import utcnow

from durable_sandbox.metrics.expressions import Evaluation, ExpressionError, Node, Value, parse
from durable_sandbox.metrics.statistics import statistic
from durable_sandbox.metrics.values import Datum, Metric

_KEPT_VALUES = 5000
_LATE_SECONDS = 300
"""Data may be put late: a search goes on so far beyond its start."""
_MOST_PERIODS = 100_800
_PAGE = 500


class Series:
    """The latest data of every metric of a region. Thread-safe."""

    def __init__(self) -> None:
        self._data: dict[Metric, deque[Datum]] = {}
        self._sizes: dict[Metric, int] = {}
        self._lock = threading.Lock()

    def add(self, metric: Metric, datum: Datum) -> None:
        """Keep ``datum``, and let go of what is too much."""
        with self._lock:
            data = self._data.setdefault(metric, deque())
            data.append(datum)
            size = self._sizes.get(metric, 0) + _size(datum)
            while size > _KEPT_VALUES and len(data) > 1:
                size -= _size(data.popleft())
            self._sizes[metric] = size

    def metrics(self) -> list[Metric]:
        """Every metric, in the order of their first data."""
        with self._lock:
            return list(self._data)

    def between(self, metric: Metric, start: float, end: float) -> list[Datum]:
        """The data from ``start`` until before ``end``."""
        found = []
        with self._lock:
            for datum in reversed(self._data.get(metric, ())):
                if datum.at < start - _LATE_SECONDS:
                    break
                if start <= datum.at < end:
                    found.append(datum)
        return found

    def by_period(
        self, metric: Metric, start: float, period: float, periods: int, unit: str | None
    ) -> list[list[Datum]]:
        """The data of ``periods`` periods from ``start``, of ``unit`` only if there is one."""
        buckets: list[list[Datum]] = [[] for _ in range(periods)]
        for datum in self.between(metric, start, start + periods * period):
            if unit is None or datum.unit == unit:
                buckets[min(int((datum.at - start) / period), periods - 1)].append(datum)
        return buckets


def _size(datum: Datum) -> int:
    return max(1, len(datum.values))


def series_of(backend: Any) -> Series:
    """A region's series; gone with its backend."""
    found: Series = backend.__dict__.setdefault("sandbox_series", Series())
    return found


def patch() -> None:
    """Replace what moto does with data, once a process."""
    CloudWatchBackend.put_metric_data = _put_metric_data
    CloudWatchBackend.get_metric_data = _get_metric_data
    CloudWatchBackend.get_metric_statistics = _statistics(CloudWatchBackend.get_metric_statistics)
    CloudWatchBackend.list_metrics = _list_metrics
    CloudWatchResponse.get_metric_statistics = _answer_statistics


def metric_of(shape: Mapping[str, Any], namespace: str | None = None) -> Metric:
    """The metric that a datum or an API's Metric names."""
    dimensions = {one["Name"]: one["Value"] for one in shape.get("Dimensions") or ()}
    return Metric.of(namespace or shape.get("Namespace") or "", shape["MetricName"], dimensions)


def _put_metric_data(self: Any, namespace: str, metric_data: list[dict[str, Any]]) -> None:
    for number, member in enumerate(metric_data, 1):
        self._validate_parameters_put_metric_data(member, number)
    series = series_of(self)
    for member in metric_data:
        at, unit = _seconds(member.get("Timestamp") or utcnow()), member.get("Unit")
        if member.get("StatisticValues"):
            stats = {name: float(value) for name, value in member["StatisticValues"].items()}
            datum = Datum(at, unit, stats["SampleCount"], stats["Sum"], stats["Minimum"], stats["Maximum"])
        else:
            values = member.get("Values") or [member.get("Value", 0)]
            counts = member.get("Counts") or [1] * len(values)
            datum = Datum.of_values(at, unit, zip(values, counts, strict=True))
        series.add(metric_of(member, namespace), datum)


def _seconds(moment: datetime) -> float:
    # moto's own times are UTC without saying so.
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _periods(start: datetime, end: datetime, period: int) -> tuple[float, int]:
    """Where the first period begins, and how many there are."""
    first = _seconds(start) // period * period
    count = int(-(-(_seconds(end) - first) // period))
    if count > _MOST_PERIODS:
        raise ValidationError(
            f"The request asks for {count} datapoints of a metric, at most {_MOST_PERIODS} are given."
        )
    return first, count


def _get_metric_data(
    self: Any,
    queries: list[dict[str, Any]],
    start_time: datetime,
    end_time: datetime,
    scan_by: str = "TimestampAscending",
) -> list[dict[str, Any]]:
    if start_time >= end_time:
        raise ValidationError("The parameter EndTime must be greater than StartTime.")
    stats = {query["Id"]: query["MetricStat"] for query in queries if "MetricStat" in query}
    nodes = _parsed(queries)
    period = max([int(stat["Period"]) for stat in stats.values()] or [int(q.get("Period") or 60) for q in queries])
    first, count = _periods(start_time, end_time, period)
    series = series_of(self)

    def value(name: str) -> Value:
        if name in nodes:
            return evaluation.value(nodes[name])
        if name not in stats:
            raise ExpressionError(f"there is no metric {name}")
        stat = stats[name]
        buckets = series.by_period(metric_of(stat["Metric"]), first, period, count, stat.get("Unit"))
        return [statistic(stat["Stat"], bucket) for bucket in buckets]

    evaluation = Evaluation(count, value, list(stats))
    results = []
    for query in queries:
        if query.get("ReturnData") is False:
            continue
        try:
            points = evaluation.series(Node("name", query["Id"]))
        except (ExpressionError, RecursionError) as error:
            raise ValidationError(f"Error in expression '{query['Id']}': {error}") from error
        found = [(first + index * period, point) for index, point in enumerate(points) if point is not None]
        if scan_by != "TimestampAscending":
            found.reverse()
        results.append(_result(query, found))
    return results


def _parsed(queries: Sequence[Mapping[str, Any]]) -> dict[str, Node]:
    nodes = {}
    for query in queries:
        if "Expression" not in query:
            continue
        if query["Expression"].lstrip().upper().startswith("SELECT"):
            raise NotImplementedError("Metrics Insights")
        try:
            nodes[query["Id"]] = parse(query["Expression"])
        except ExpressionError as error:
            raise ValidationError(f"Error in expression '{query['Id']}': {error}") from error
    return nodes


def _result(query: Mapping[str, Any], found: Sequence[tuple[float, float]]) -> dict[str, Any]:
    stat = query.get("MetricStat")
    label = query.get("Label") or (f"{stat['Metric']['MetricName']} {stat['Stat']}" if stat else query["Id"])
    return {
        "id": query["Id"],
        "label": label,
        "values": [point for _, point in found],
        "timestamps": [datetime.fromtimestamp(at, UTC) for at, _ in found],
        "status_code": "Complete",
    }


def _statistics(original: Callable[..., Any]) -> Callable[..., Any]:
    def get_metric_statistics(
        self: Any,
        namespace: str,
        metric_name: str,
        start_time: datetime,
        end_time: datetime,
        period: int,
        stats: list[str],
        dimensions: list[dict[str, str]],
        unit: str | None = None,
    ) -> list[Any]:
        metric = metric_of({"MetricName": metric_name, "Dimensions": dimensions}, namespace)
        if metric not in series_of(self).metrics():
            # One that moto computes itself (S3's sizes), or none.
            given: list[Any] = original(
                self, namespace, metric_name, start_time, end_time, period, stats, dimensions, unit
            )
            return given
        if start_time >= end_time:
            raise InvalidParameterValue("The parameter StartTime must be less than the parameter EndTime.")
        first, count = _periods(start_time, end_time, period)
        buckets = series_of(self).by_period(metric, first, period, count, unit)
        return [_datapoint(first + index * period, bucket, stats) for index, bucket in enumerate(buckets) if bucket]

    return get_metric_statistics


def _answer_statistics(self: Any) -> ActionResult:
    """GetMetricStatistics, with ExtendedStatistics."""
    stats = [*self._get_param("Statistics", []), *self._get_param("ExtendedStatistics", [])]
    if not stats:
        raise InvalidParameterCombination("Must specify either Statistics or ExtendedStatistics")
    name = self._get_param("MetricName")
    datapoints = self.cloudwatch_backend.get_metric_statistics(
        self._get_param("Namespace"),
        name,
        self._get_param("StartTime"),
        self._get_param("EndTime"),
        self._get_int_param("Period"),
        stats,
        unit=self._get_param("Unit"),
        dimensions=self._get_param("Dimensions", []),
    )
    return ActionResult({"Label": name, "Datapoints": datapoints})


def _datapoint(at: float, data: Sequence[Datum], stats: Iterable[str]) -> dict[str, Any]:
    shown: dict[str, Any] = {"Timestamp": datetime.fromtimestamp(at, UTC), "Unit": data[0].unit or "None"}
    for name in stats:
        value = statistic(name, data)
        if name.startswith("p"):
            shown.setdefault("ExtendedStatistics", {})[name] = value
        else:
            shown[name] = value
    return shown


def _list_metrics(
    self: Any, next_token: str | None, namespace: str, metric_name: str, dimensions: list[dict[str, str]]
) -> tuple[str | None, list[Any]]:
    listed = [*_listed(self, namespace, metric_name, dimensions)]
    listed += [m for m in self.aws_metric_data if m.filter(namespace, metric_name, dimensions, listed)]
    if next_token and not next_token.isdecimal():
        raise InvalidParameterValue("Request parameter NextToken is invalid")
    start = int(next_token or 0)
    following = str(start + _PAGE) if len(listed) > start + _PAGE else None
    return following, listed[start : start + _PAGE]


def _listed(backend: Any, namespace: str | None, name: str | None, dimensions: Any) -> Iterator[Any]:
    wanted = [(one["Name"], one.get("Value")) for one in dimensions or ()]
    for metric in series_of(backend).metrics():
        has = dict(metric.dimensions)
        if (
            (not namespace or metric.namespace == namespace)
            and (not name or metric.name == name)
            and all(key in has and value in (None, has[key]) for key, value in wanted)
        ):
            yield models.MetricDatumBase(metric.namespace, metric.name, metric.shown_dimensions, None)
