"""Alarms' states."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Protocol

from durable_sandbox.metrics.actions import Actions
from durable_sandbox.metrics.alarm import Alarm, Change, MetricStat
from durable_sandbox.metrics.composite import RuleError, parse_rule
from durable_sandbox.metrics.expressions import Evaluation, ExpressionError, Node, Value, parse
from durable_sandbox.metrics.judgement import ALARM, EXTRA_PERIODS, OK, Point, judge
from durable_sandbox.metrics.notices import stamp
from durable_sandbox.metrics.statistics import statistic
from durable_sandbox.metrics.values import Datum, Metric

logger = logging.getLogger(__name__)


class AlarmStore(Protocol):
    """CloudWatch as it keeps alarms and data."""

    def alarms(self) -> Sequence[Alarm]:
        """Every alarm of every region, metric alarms and composite ones."""
        ...

    def data(self, region: str, metric: Metric, start: float, end: float) -> Iterable[Datum]:
        """What was put of a metric from ``start`` until before ``end`` (epoch seconds)."""
        ...

    def change(self, alarm: Alarm, change: Change) -> None:
        """Set an alarm's state, reason and time to those of ``change`` and note it in its history."""
        ...

    def acted(self, alarm: Alarm, summary: str, data: Mapping[str, Any]) -> None:
        """Note an action in an alarm's history: HistorySummary, and HistoryData before it is JSON."""
        ...


class Evaluator:
    """Evaluates all alarms. ``window`` gives the wall seconds that stand for a period."""

    def __init__(self, store: AlarmStore, actions: Actions, window: Callable[[int], float]) -> None:
        self._store = store
        self._actions = actions
        self._window = window
        self._refused: set[str] = set()

    def watched(self, region: str) -> Collection[Metric]:
        """The metrics that a region's alarms look at."""
        stats = (query.stat for alarm in self._store.alarms() if alarm.region == region for query in alarm.queries)
        return {stat.metric for stat in stats if stat is not None}

    async def evaluate(self, end: float) -> None:
        """Evaluate with the data until ``end``, then the composite alarms with the states that this gives."""
        alarms = {(alarm.region, alarm.name): alarm for alarm in self._store.alarms()}
        for alarm in alarms.values():
            if alarm.told != alarm.state:
                # SetAlarmState: acted on like any other change, however soon the data overrule it.
                change = Change(alarm.state, alarm.reason, {}, alarm.since)
                await self._enter(alarms, replace(alarm, state=alarm.told), change)
        for alarm in list(alarms.values()):
            judged = None if alarm.rule is None else self._judged(alarm, end)
            if judged is not None:
                await self._enter(alarms, alarm, judged)
        composites = {key for key, alarm in alarms.items() if alarm.composite is not None}
        # One may look at another: at most as many rounds as there are.
        for _ in composites:
            changes = [(key, new) for key in composites if (new := self._composed(alarms, key)) is not None]
            for key, composed in changes:
                await self._enter(alarms, alarms[key], composed)
            if not changes:
                break

    async def _enter(self, alarms: dict[tuple[str, str], Alarm], alarm: Alarm, change: Change) -> None:
        self._store.change(alarm, change)
        key = (alarm.region, alarm.name)
        alarms[key] = replace(alarm, state=change.state, told=change.state, reason=change.reason, since=change.at)
        for summary, data in await self._actions.carry_out(alarm, change):
            self._store.acted(alarm, summary, data)

    def _judged(self, alarm: Alarm, end: float) -> Change | None:
        """The change of a metric alarm, if there is one."""
        assert alarm.rule is not None  # noqa: S101 - the caller looked
        try:
            points = self._points(alarm, end)
        except ExpressionError as error:
            if alarm.arn not in self._refused:
                self._refused.add(alarm.arn)
                logger.warning("alarm %s cannot be evaluated: %s", alarm.name, error)
            return None
        verdict = judge(alarm.rule, points, alarm.state)
        if verdict.state == alarm.state:
            return None
        now = datetime.now(UTC)
        data: dict[str, Any] = {"version": "1.0", "queryDate": stamp(now), "startDate": _iso(points[0][0])}
        if alarm.single is not None:
            data["statistic"] = alarm.single.stat
        data |= {
            "period": alarm.period,
            "recentDatapoints": [value for _, value in reversed(verdict.evaluated)],
            "threshold": alarm.rule.threshold,
            "evaluatedDatapoints": [{"timestamp": _iso(at), "value": value} for at, value in verdict.evaluated],
        }
        return Change(verdict.state, verdict.reason, data, now)

    def _points(self, alarm: Alarm, end: float) -> list[Point]:
        """The data points of the evaluation range, oldest first. Raises ExpressionError."""
        assert alarm.rule is not None  # noqa: S101 - as above
        periods, window = alarm.rule.periods + EXTRA_PERIODS, self._window(alarm.period)
        start = end - periods * window
        queries = {query.id: query for query in alarm.queries}
        parsed: dict[str, Node] = {q.id: parse(q.expression) for q in alarm.queries if q.expression is not None}
        metrics = [query.id for query in alarm.queries if query.stat is not None]
        computing: list[str] = []

        def value(name: str) -> Value:
            query = queries.get(name)
            if query is None or name in computing:
                raise ExpressionError(f"There is no metric {name}" if query is None else f"{name} refers to itself")
            if query.stat is not None:
                return self._series(alarm.region, query.stat, start, window, periods)
            computing.append(name)
            try:
                return evaluation.value(parsed[name])
            finally:
                computing.pop()

        evaluation = Evaluation(periods, value, metrics)
        watched = next((query.id for query in alarm.queries if query.returned), alarm.queries[0].id)
        series = evaluation.series(Node("name", watched))
        return [(start + index * window, point) for index, point in enumerate(series)]

    def _series(self, region: str, stat: MetricStat, start: float, window: float, periods: int) -> list[float | None]:
        buckets: list[list[Datum]] = [[] for _ in range(periods)]
        for datum in self._store.data(region, stat.metric, start, start + periods * window):
            if stat.unit is None or datum.unit == stat.unit:
                buckets[min(int((datum.at - start) / window), periods - 1)].append(datum)
        return [statistic(stat.stat, bucket) for bucket in buckets]

    @staticmethod
    def _composed(alarms: Mapping[tuple[str, str], Alarm], key: tuple[str, str]) -> Change | None:
        """The change of a composite alarm, if there is one."""
        alarm = alarms[key]
        try:
            condition = parse_rule(alarm.composite or "")
        except RuleError:
            return None  # PutCompositeAlarm takes none such

        def state_of(name: str) -> str | None:
            child = alarms.get((alarm.region, name))
            return None if child is None else child.state

        state = ALARM if condition.holds(state_of) else OK
        if state == alarm.state:
            return None
        children = [found for name in condition.alarms() if (found := alarms.get((alarm.region, name))) is not None]
        newest = max(children, key=lambda child: child.since, default=None)
        reason = "The rule needs no alarm."
        if newest is not None:
            at = f"{newest.since:%A %d %B, %Y %H:%M:%S} UTC"
            reason = f"{newest.arn} transitioned to {newest.state} at {at}"
        triggering = [] if newest is None else [newest]
        told = [{"arn": one.arn, "state": {"value": one.state, "timestamp": stamp(one.since)}} for one in triggering]
        return Change(state, reason, {"triggeringAlarms": told}, datetime.now(UTC))


def _iso(at: float) -> str:
    return stamp(datetime.fromtimestamp(at, UTC))
