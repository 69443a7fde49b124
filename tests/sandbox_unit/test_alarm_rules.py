"""What alarms are judged by: data points, metric math, rules of composite alarms."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest

from durable_sandbox.metrics.composite import RuleError, parse_rule
from durable_sandbox.metrics.expressions import Evaluation, ExpressionError, Node, parse
from durable_sandbox.metrics.judgement import Rule, judge

REGION, ACCOUNT = "us-east-1", "123456789012"
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEPT = "(as it was)"

# --- judgement: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html -------------


@pytest.mark.parametrize(
    ("points", "to_alarm", "states"),
    [
        ("0 - X - X", 3, ("OK", "OK", "OK", "OK")),
        ("0 - - - -", 3, ("OK", "OK", "OK", "OK")),
        ("- - - - -", 3, ("INSUFFICIENT_DATA", KEPT, "ALARM", "OK")),
        ("0 X X - X", 3, ("ALARM", "ALARM", "ALARM", "ALARM")),
        ("- - X - -", 3, ("ALARM", KEPT, "ALARM", "OK")),
        ("0 - X - X", 2, ("ALARM", "ALARM", "ALARM", "ALARM")),
        ("0 0 X 0 X", 2, ("ALARM", "ALARM", "ALARM", "ALARM")),
        ("0 - X - -", 2, ("OK", "OK", "ALARM", "OK")),
        ("- - - - 0", 2, ("OK", "OK", "ALARM", "OK")),
        ("- - - X -", 2, ("ALARM", KEPT, "ALARM", "OK")),
        # "the alarm does not go immediately into ALARM state"
        ("- - - - X", 3, (KEPT, KEPT, "ALARM", "OK")),
        ("- - - X -", 3, (KEPT, KEPT, "ALARM", "OK")),
        ("X X 0 0 0", 1, ("OK", "OK", "OK", "OK")),
    ],
)
def test_states_are_those_of_awss_tables(points: str, to_alarm: int, states: tuple[str, ...]) -> None:
    """Three periods, so that the evaluation range has five."""
    values = {"0": 0.0, "X": 2.0, "-": None}
    given = [(60.0 * index, values[point]) for index, point in enumerate(points.split())]
    for treatment, state in zip(TREATMENTS, states, strict=True):
        rule = Rule("GreaterThanThreshold", 1, 3, to_alarm, treatment)
        assert judge(rule, given, KEPT).state == state, treatment


@pytest.mark.parametrize(
    ("rule", "values", "reason"),
    [
        (
            Rule("GreaterThanThreshold", 0.0, 1, 1),
            [None, None, 1.0],
            "Threshold Crossed: 1 datapoint [1.0 (01/01/26 00:02:00)] was greater than the threshold (0.0).",
        ),
        (
            Rule("GreaterThanOrEqualToThreshold", 1.0, 1, 1),
            [None, None, 0.0],
            "Threshold Crossed: 1 datapoint [0.0 (01/01/26 00:02:00)] was not greater than or equal to the threshold (1.0).",
        ),
        (
            Rule("LessThanThreshold", 5.0, 2, 2),
            [3.0, 4.0],
            (
                "Threshold Crossed: 2 datapoints [4.0 (01/01/26 00:01:00), 3.0 (01/01/26 00:00:00)] were less than the "
                "threshold (5.0)."
            ),
        ),
        (
            Rule("GreaterThanThreshold", 1.0, 3, 2),
            [2.0, 0.0, 2.0],
            (
                "Threshold Crossed: 2 out of the last 3 datapoints [2.0 (01/01/26 00:02:00), 0.0 (01/01/26 00:01:00), 2.0 "
                "(01/01/26 00:00:00)] were greater than the threshold (1.0) (minimum 2 datapoints for OK -> ALARM transition)."
            ),
        ),
        (
            Rule("GreaterThanThreshold", 0.0, 1, 1, "notBreaching"),
            [None],
            (
                "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as "
                "[NonBreaching]."
            ),
        ),
        (Rule("GreaterThanThreshold", 0.0, 1, 1), [None], "Insufficient Data: 1 datapoint was unknown."),
    ],
)
def test_reasons_read_as_on_aws(rule: Rule, values: list[float | None], reason: str) -> None:
    points = [(NOW.timestamp() + 60 * index, value) for index, value in enumerate(values)]
    assert judge(rule, points, "OK").reason == reason


# --- metric math ----------------------------------------------------------------------------------------------------------


SERIES: dict[str, list[float | None]] = {
    "errors": [1, 0, None, 3],
    "invocations": [4, 2, 5, None],
    "zero": [0, 0, 0, 0],
}


def _computed(expression: str) -> Any:
    evaluation = Evaluation(4, lambda name: SERIES[name], list(SERIES))
    return evaluation.value(parse(expression))


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("100*errors/MAX([errors,invocations])", [25, 0, None, 100]),
        ("errors + invocations * 2", [9, 4, None, None]),
        ("invocations / zero", [None] * 4),
        ("FILL(errors, 0) + FILL(invocations, REPEAT)", [5, 2, 5, 8]),
        ("IF(errors > 0, errors, invocations)", [1, 2, None, 3]),
        ("IF(FILL(errors, 0) > 0 AND invocations > 3, 1, 0)", [1, 0, 0, None]),
        ("SUM(METRICS())", [5, 2, 5, 3]),
        ("SUM(METRICS('error'))", [1, 0, None, 3]),
        ("MAX(invocations) - MIN(invocations)", 3),
        ("-2 ^ 2 * (1 + 1)", -8),
        ("10 / 4 >= 2.5 || 0", 1),
        ("ABS(errors - invocations)", [3, 2, None, None]),
        ("AVG([errors, 5])", [3, 2.5, 5, 4]),
        ("DIFF(invocations)", [None, -2, 3, None]),
        ("max([errors, 2])", [2, 2, 2, 3]),
    ],
)
def test_metric_math(expression: str, value: Any) -> None:
    assert _computed(expression) == value


def test_a_division_of_numbers_by_zero_is_no_data() -> None:
    assert math.isnan(_computed("1/0"))
    assert Evaluation(2, lambda _: 0.0, []).series(parse("1/0")) == [None, None]


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("ANOMALY_DETECTION_BAND(errors)", "does not compute the function ANOMALY_DETECTION_BAND"),
        ("errors +", "Did not expect 'the end'"),
        ("(errors", "Expected ')'"),
        ("errors invocations", "Expected 'the end'"),
        ("errors ? 1", "Cannot read"),
        ("((" * 100, "nested too deep"),
    ],
)
def test_expressions_that_cannot_be_computed_are_refused(expression: str, says: str) -> None:
    with pytest.raises(ExpressionError, match=says.replace("(", r"\(").replace(")", r"\)").replace("?", r"\?")):
        parse(expression)


def test_an_alarm_takes_one_time_series() -> None:
    with pytest.raises(ExpressionError, match="several time series"):
        Evaluation(1, lambda _: [1.0], ["a", "b"]).series(Node("array", "", (parse("a"), parse("b"))))


# --- composite alarms -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        ('ALARM("bad")', True),
        ("ALARM(bad) AND OK(good)", True),
        ("ALARM(good) OR NOT ALARM(bad)", False),
        ("NOT (ALARM(good) OR OK(bad))", True),
        ("ALARM(good) OR ALARM(good) AND ALARM(bad)", False),
        (f"ALARM(arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:bad)", True),
        ('INSUFFICIENT_DATA("new one")', True),
        ("ALARM(gone)", False),
        ("TRUE AND NOT FALSE", True),
    ],
)
def test_composite_rules(rule: str, holds: bool) -> None:
    states = {"bad": "ALARM", "good": "OK", "new one": "INSUFFICIENT_DATA"}
    assert parse_rule(rule).holds(states.get) is holds


@pytest.mark.parametrize("rule", ["", "ALARM", "ALARM(x", "ALARM(x) OK(y)", "WRONG(x)", "ALARM(x) AND", '"x"'])
def test_wrong_rules_are_refused(rule: str) -> None:
    with pytest.raises(RuleError):
        parse_rule(rule)
