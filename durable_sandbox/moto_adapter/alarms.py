"""CloudWatch's alarms.

Gaps closed in moto 5.2.5:
- nothing evaluates an alarm (``metrics.evaluator`` does): a new one is OK for ever, where AWS's has INSUFFICIENT_DATA first;
- putting an alarm again makes a new one, which loses its state;
- PutCompositeAlarm and DescribeAlarmHistory are missing;
- DescribeAlarms takes one filter of several and knows no AlarmTypes (AWS: without them metric alarms only);
- what cannot be evaluated is taken: wrong rules and expressions, unknown statistics, bands of anomaly detection.

Not as on AWS: DescribeAlarms gives all alarms in one page; a composite alarm with an ActionsSuppressor is refused.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.exceptions import ResourceNotFound, ValidationError
from moto.cloudwatch.models import Alarm, CloudWatchBackend
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult, EmptyResult

from durable_sandbox.metrics import judgement, statistics
from durable_sandbox.metrics.composite import RuleError, parse_rule
from durable_sandbox.metrics.expressions import ExpressionError, parse
from durable_sandbox.moto_adapter import metric_data

_KEPT_HISTORY = 5000
_PAGE = 100
_INITIAL = "Unchecked: Initial alarm creation"
_TREATMENTS = frozenset({"missing", "ignore", "breaching", "notBreaching"})
_METRIC, _COMPOSITE = "MetricAlarm", "CompositeAlarm"


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """An element of AlarmHistoryItems."""

    alarm: str
    kind: str
    at: datetime
    item: str
    summary: str
    data: str

    def shown(self) -> dict[str, Any]:
        """As the API gives it."""
        return {
            "AlarmName": self.alarm,
            "AlarmType": self.kind,
            "Timestamp": self.at,
            "HistoryItemType": self.item,
            "HistorySummary": self.summary,
            "HistoryData": self.data,
        }


def patch() -> None:
    """Close the gaps, once a process."""
    metric_data.patch()
    Alarm.enter, Alarm.note = _enter, _note
    CloudWatchBackend.put_metric_alarm = _put(CloudWatchBackend.put_metric_alarm)
    CloudWatchBackend.delete_alarms = _delete(CloudWatchBackend.delete_alarms)
    CloudWatchBackend.set_alarm_state = _set_state(CloudWatchBackend.set_alarm_state)
    CloudWatchResponse.put_composite_alarm = _put_composite_alarm
    CloudWatchResponse.describe_alarms = _describe_alarms
    CloudWatchResponse.describe_alarm_history = _describe_alarm_history


# --- state and history ------------------------------------------------------------------------------------------------


def _history(backend: Any) -> deque[HistoryItem]:
    found: deque[HistoryItem] = backend.__dict__.setdefault("sandbox_history", deque(maxlen=_KEPT_HISTORY))
    return found


def _note(self: Any, item: str, summary: str, data: Mapping[str, Any], at: datetime | None = None) -> None:
    """Add to the alarm's history."""
    text = json.dumps({"version": "1.0", **data}, separators=(",", ":"), default=str)
    kind = _METRIC if self.rule is None else _COMPOSITE
    self.recorded.append(HistoryItem(self.name, kind, at or datetime.now(UTC), item, summary, text))


def _enter(self: Any, state: str, reason: str, data: str, at: datetime) -> None:
    """Be in ``state`` since ``at``."""
    before = {"stateValue": self.state_value, "stateReason": self.state_reason}
    after = {"stateValue": state, "stateReason": reason, "stateReasonData": json.loads(data or "{}")}
    if state != self.state_value:
        summary = f"Alarm updated from {self.state_value} to {state}"
        self.note("StateUpdate", summary, {"oldState": before, "newState": after}, at)
        self.state_transitioned_timestamp = at
    self.state_value, self.state_reason, self.state_reason_data = state, reason, data
    self.state_updated_timestamp = at


# --- operations -------------------------------------------------------------------------------------------------------


def _put(original: Callable[..., Any]) -> Callable[..., Any]:
    def put_metric_alarm(self: Any, name: str, **settings: Any) -> Any:
        _check(settings)
        before = self.alarms.get(name)
        alarm = original(self, name=name, **settings)
        alarm.recorded = _history(self)
        if before is None:
            alarm.state_value = alarm.told = judgement.INSUFFICIENT_DATA
            alarm.state_reason = _INITIAL
            alarm.state_transitioned_timestamp = alarm.state_updated_timestamp
        else:
            for member in _STATE_MEMBERS:
                setattr(alarm, member, getattr(before, member))
        done = "updated" if before is not None else "created"
        alarm.note(
            "ConfigurationUpdate", f'Alarm "{name}" {done}', {"type": "Create" if done == "created" else "Update"}
        )
        return alarm

    return put_metric_alarm


_STATE_MEMBERS = (
    "state_value",
    "state_reason",
    "state_reason_data",
    "state_updated_timestamp",
    "state_transitioned_timestamp",
    "told",
)


def _check(settings: Mapping[str, Any]) -> None:
    """Raises ValidationError for what AWS refuses, or the sandbox cannot evaluate."""
    if settings.get("rule") is not None:
        try:
            parse_rule(settings["rule"])
        except RuleError as error:
            raise ValidationError(f"AlarmRule must be a valid rule: {error}.") from error
        return
    comparison = settings.get("comparison_operator") or ""
    if not judgement.is_known(comparison):
        raise ValidationError(
            f"The sandbox does not evaluate alarms whose ComparisonOperator is {comparison or 'missing'}."
        )
    treatment = settings.get("treat_missing_data") or "missing"
    if treatment not in _TREATMENTS:
        raise ValidationError(
            f"Option {treatment} is not supported. Supported options for parameter TreatMissingData are "
            f"{', '.join(sorted(_TREATMENTS))}."
        )
    periods, to_alarm = settings.get("evaluation_periods") or 1, settings.get("datapoints_to_alarm")
    if to_alarm is not None and int(to_alarm) > int(periods):
        raise ValidationError("DatapointsToAlarm must not be greater than EvaluationPeriods.")
    queries = settings.get("metric_data_queries")
    stats = [query.metric_stat.stat for query in queries or () if query.metric_stat is not None]
    stats += [] if queries else [settings.get("statistic") or settings.get("extended_statistic") or ""]
    for stat in stats:
        if not statistics.is_known(stat):
            raise ValidationError(f"The sandbox does not compute the statistic {stat or 'that is missing'}.")
    _check_queries(queries or ())


def _check_queries(queries: Iterable[Any]) -> None:
    ids = {query.id for query in queries}
    for query in queries:
        if query.expression is None:
            continue
        try:
            unknown = {name for name in parse(query.expression).names() if name.upper() != "REPEAT"} - ids
        except ExpressionError as error:
            raise ValidationError(f"Invalid metrics list: Error in expression '{query.id}': {error}.") from error
        if unknown:
            raise ValidationError(f"Invalid metrics list: '{query.id}' refers to {', '.join(sorted(unknown))}.")
    returned = [query for query in queries if str(query.return_data).lower() != "false"]
    if ids and len(returned) != 1:
        raise ValidationError("Exactly one element of the metrics list should return data.")


def _delete(original: Callable[..., Any]) -> Callable[..., Any]:
    def delete_alarms(self: Any, alarm_names: list[str]) -> None:
        for name in alarm_names:
            if (alarm := self.alarms.get(name)) is not None:
                alarm.note("ConfigurationUpdate", f'Alarm "{name}" deleted', {"type": "Delete"})
        original(self, alarm_names)

    return delete_alarms


def _set_state(original: Callable[..., Any]) -> Callable[..., Any]:
    def set_alarm_state(self: Any, alarm_name: str, reason: str, reason_data: str, state_value: str) -> None:
        """The evaluator finds the state that it has not told, and acts on it."""
        alarm = self.alarms.get(alarm_name)
        if alarm is None:
            raise ResourceNotFound
        kept = {member: getattr(alarm, member) for member in _STATE_MEMBERS}
        original(self, alarm_name, reason, reason_data, state_value)  # what it checks
        for member, value in kept.items():
            setattr(alarm, member, value)
        alarm.enter(state_value, reason, reason_data or "{}", datetime.now(UTC))

    return set_alarm_state


def _put_composite_alarm(self: Any) -> EmptyResult:
    """PutCompositeAlarm."""
    if self._get_param("ActionsSuppressor"):
        raise NotImplementedError("ActionsSuppressor")
    rule = self._get_param("AlarmRule")
    if not rule:
        raise ValidationError("AlarmRule must not be empty.")
    self.cloudwatch_backend.put_metric_alarm(
        name=self._get_param("AlarmName"),
        namespace=None,
        metric_name=None,
        comparison_operator=None,
        evaluation_periods=None,
        period=None,
        threshold=None,
        statistic=None,
        description=self._get_param("AlarmDescription"),
        dimensions=[],
        alarm_actions=self._get_param("AlarmActions", []),
        ok_actions=self._get_param("OKActions", []),
        insufficient_data_actions=self._get_param("InsufficientDataActions", []),
        actions_enabled=self._get_bool_param("ActionsEnabled"),
        rule=rule,
        tags=self._get_param("Tags", []),
    )
    return EmptyResult()


def _describe_alarms(self: Any) -> ActionResult:
    """DescribeAlarms."""
    names, state = self._get_param("AlarmNames", []), self._get_param("StateValue")
    prefix, action = self._get_param("AlarmNamePrefix"), self._get_param("ActionPrefix")
    kinds = self._get_param("AlarmTypes", []) or [_METRIC]
    chosen = [
        alarm
        for alarm in list(self.cloudwatch_backend.describe_alarms())
        if (not names or alarm.name in names)
        and (not prefix or alarm.name.startswith(prefix))
        and (not state or alarm.state_value == state)
        and (not action or any(one.startswith(action) for one in alarm.alarm_actions))
    ]
    return ActionResult(
        {
            "MetricAlarms": [alarm for alarm in chosen if alarm.rule is None] if _METRIC in kinds else [],
            "CompositeAlarms": [alarm for alarm in chosen if alarm.rule is not None] if _COMPOSITE in kinds else [],
        }
    )


def _describe_alarm_history(self: Any) -> ActionResult:
    """DescribeAlarmHistory: newest first unless asked otherwise; of deleted alarms, too."""
    name, item = self._get_param("AlarmName"), self._get_param("HistoryItemType")
    start, end = self._get_param("StartDate"), self._get_param("EndDate")
    kinds = self._get_param("AlarmTypes", []) or [_METRIC]
    found = [
        one.shown()
        for one in list(_history(self.cloudwatch_backend))
        if (not name or one.alarm == name)
        and (not item or one.item == item)
        and (not start or one.at >= _aware(start))
        and (not end or one.at <= _aware(end))
        and one.kind in kinds
    ]
    if self._get_param("ScanBy") != "TimestampAscending":
        found.reverse()
    first, size = int(self._get_param("NextToken") or 0), int(self._get_param("MaxRecords") or _PAGE)
    result: dict[str, Any] = {"AlarmHistoryItems": found[first : first + size]}
    if len(found) > first + size:
        result["NextToken"] = str(first + size)
    return ActionResult(result)


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
