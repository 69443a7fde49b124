"""From data points to an alarm's state.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html: "How alarm state is evaluated
when data is missing" with its two tables, and "Avoiding premature transitions to alarm state". The evaluation range has
two periods more than are evaluated, as in those tables; AWS does not say how many it takes otherwise.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

EXTRA_PERIODS = 2
OK, ALARM, INSUFFICIENT_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"

_OPERATORS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}
_TREATED = {"breaching": "Breaching", "notBreaching": "NonBreaching", "ignore": "Ignored"}


@dataclass(frozen=True, slots=True)
class Rule:
    """When an alarm is in ALARM. ``treat_missing``: missing, ignore, breaching or notBreaching."""

    comparison: str
    threshold: float
    periods: int
    to_alarm: int
    treat_missing: str = "missing"

    def breaches(self, value: float) -> bool:
        """Whether a data point breaches the threshold."""
        return _OPERATORS[self.comparison][0](value, self.threshold)


def is_known(comparison: str) -> bool:
    """Whether it is a comparison with a threshold; the others are for anomaly detection bands."""
    return comparison in _OPERATORS


Point = tuple[float, float | None]
"""When its period began (epoch seconds), and the value."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state that the data ask for, why, and the points that were evaluated, newest first."""

    state: str
    reason: str
    evaluated: tuple[Point, ...]


def judge(rule: Rule, points: Sequence[Point], current: str) -> Verdict:
    """Judge the points of the evaluation range, oldest first, for an alarm whose state is ``current``."""
    there = [(at, value) for at, value in points if value is not None]
    if len(there) >= rule.periods:
        # Enough: the newest are evaluated, how to treat missing ones does not matter.
        newest = there[-rule.periods :]
        breaching = sum(rule.breaches(value) for _, value in newest)
        state = ALARM if breaching >= rule.to_alarm else OK
        return Verdict(state, _crossed(rule, state, newest, breaching), tuple(reversed(newest)))
    missing = rule.periods - len(there)
    breaching = sum(rule.breaches(value) for _, value in there)
    state = _with_missing(rule, points, breaching, missing, current)
    return Verdict(state, _reason(rule, state, there, breaching, missing), tuple(reversed(there)))


def _with_missing(rule: Rule, points: Sequence[Point], breaching: int, missing: int, current: str) -> str:
    if rule.treat_missing == "breaching":
        return ALARM if breaching + missing >= rule.to_alarm else OK
    if rule.treat_missing == "notBreaching" or breaching >= rule.to_alarm:
        return ALARM if breaching >= rule.to_alarm else OK
    there = rule.periods - missing
    if breaching < there:
        return OK
    if rule.treat_missing == "ignore":
        return current
    if not there:
        return INSUFFICIENT_DATA
    # All that is there breaches, but it is not enough: an alarm once it is old enough, for nothing since speaks against it.
    ages = [age for age, (_, value) in enumerate(reversed(points), 1) if value is not None]
    oldest = max((age for age in ages if age <= rule.periods), default=0)
    return ALARM if oldest >= rule.to_alarm else current


def _reason(rule: Rule, state: str, there: Sequence[tuple[float, float]], breaching: int, missing: int) -> str:
    if state == INSUFFICIENT_DATA:
        return f"Insufficient Data: {_counted(missing, 'datapoint')} {_were(missing)} unknown."
    treated = _TREATED.get(rule.treat_missing)
    told = f"{_counted(missing, 'missing datapoint')} {_were(missing)} treated as [{treated}]." if treated else ""
    if there:
        crossed = _crossed(rule, state, there, breaching)
        return f"{crossed.rstrip('.')}, and {told}" if told else crossed
    none = f"Threshold Crossed: no datapoints were received for {_counted(rule.periods, 'period')}"
    return f"{none} and {told}" if told else f"{none}."


def _crossed(rule: Rule, state: str, points: Sequence[tuple[float, float]], breaching: int) -> str:
    """AWS's words; the points newest first."""
    shown = ", ".join(f"{value} ({_stamp(at)})" for at, value in reversed(points))
    compared = f"{_OPERATORS[rule.comparison][1]} the threshold ({rule.threshold})"
    if rule.periods == rule.to_alarm or state != ALARM:
        said = f"{_were(len(points))}{'' if state == ALARM else ' not'} {compared}"
        return f"Threshold Crossed: {_counted(len(points), 'datapoint')} [{shown}] {said}."
    return (
        f"Threshold Crossed: {breaching} out of the last {rule.periods} datapoints [{shown}] {_were(breaching)} {compared} "
        f"(minimum {_counted(rule.to_alarm, 'datapoint')} for OK -> ALARM transition)."
    )


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%d/%m/%y %H:%M:%S")
