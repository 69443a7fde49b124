"""CloudWatch's alarms and data as ``metrics`` sees them, read off moto's backends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from durable_sandbox.metrics.alarm import Alarm, Change, MetricStat, Query
from durable_sandbox.metrics.judgement import Rule
from durable_sandbox.metrics.values import Datum, Metric


class MotoAlarms:
    """An AlarmStore. ``loaded`` tells whether moto's modules are there; until then there is nothing."""

    def __init__(self, account: str, loaded: Callable[[], bool]) -> None:
        self._account = account
        self._loaded = loaded

    def alarms(self) -> list[Alarm]:
        """Every alarm of every region."""
        return [
            alarm_of(alarm, region) for region, backend in self._backends() for alarm in list(backend.alarms.values())
        ]

    def data(self, region: str, metric: Metric, start: float, end: float) -> Iterable[Datum]:
        """What was put of a metric in a time."""
        from durable_sandbox.moto_adapter.metric_data import series_of  # noqa: PLC0415 - loads moto

        backend = dict(self._backends()).get(region)
        return () if backend is None else series_of(backend).between(metric, start, end)

    def change(self, alarm: Alarm, change: Change) -> None:
        """Set an alarm's state and note it in its history."""
        found = self._found(alarm)
        if found is not None:
            found.enter(change.state, change.reason, change.shown_data, change.at)
            found.told = change.state

    def acted(self, alarm: Alarm, summary: str, data: Mapping[str, Any]) -> None:
        """Note an action in an alarm's history."""
        found = self._found(alarm)
        if found is not None:
            found.note("Action", summary, data)

    def _found(self, alarm: Alarm) -> Any:
        backend = dict(self._backends()).get(alarm.region)
        return None if backend is None else backend.alarms.get(alarm.name)

    def _backends(self) -> Iterator[tuple[str, Any]]:
        """The backends that something was asked of."""
        if not self._loaded():
            return
        from moto.cloudwatch.models import cloudwatch_backends  # noqa: PLC0415 - loaded by now

        yield from list(cloudwatch_backends[self._account].items())


def alarm_of(alarm: Any, region: str) -> Alarm:
    """What moto keeps of an alarm, as a value."""
    composite = alarm.rule
    return Alarm(
        region=region,
        name=alarm.name,
        arn=alarm.alarm_arn,
        description=alarm.description,
        configured=_aware(alarm.configuration_updated_timestamp),
        state=alarm.state_value,
        told=alarm.told,
        reason=alarm.state_reason,
        since=_aware(alarm.state_updated_timestamp),
        actions_enabled=alarm.actions_enabled,
        actions={
            "OK": tuple(alarm.ok_actions),
            "ALARM": tuple(alarm.alarm_actions),
            "INSUFFICIENT_DATA": tuple(alarm.insufficient_data_actions),
        },
        rule=None if composite is not None else _rule(alarm),
        queries=() if composite is not None else _queries(alarm),
        composite=composite,
    )


def _rule(alarm: Any) -> Rule:
    periods = int(alarm.evaluation_periods)
    return Rule(
        alarm.comparison_operator,
        float(alarm.threshold),
        periods,
        int(alarm.datapoints_to_alarm or periods),
        alarm.treat_missing_data or "missing",
    )


def _queries(alarm: Any) -> tuple[Query, ...]:
    if not alarm.metric_data_queries:
        dimensions = {one.name: one.value for one in alarm.dimensions}
        metric = Metric.of(alarm.namespace, alarm.metric_name, dimensions)
        stat = alarm.statistic or alarm.extended_statistic
        return (Query("m1", MetricStat(metric, int(alarm.period), stat, alarm.unit)),)
    return tuple(_query(query) for query in alarm.metric_data_queries)


def _query(query: Any) -> Query:
    stat = query.metric_stat
    # ReturnData is true unless it is said to be false.
    returned = str(query.return_data).lower() != "false"
    if stat is None:
        return Query(query.id, None, query.expression, query.label, returned)
    dimensions = {one.name: one.value for one in stat.metric.dimensions}
    metric = Metric.of(stat.metric.namespace, stat.metric.metric_name, dimensions)
    return Query(query.id, MetricStat(metric, int(stat.period), stat.stat, stat.unit), None, query.label, returned)


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
