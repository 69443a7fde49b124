"""Alarms: evaluated on data that a test gives, and what they send."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from durable_sandbox.aws.call import Caller
from durable_sandbox.aws.clock import TimePolicy
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.aws.identity import Identities
from durable_sandbox.metrics.actions import Actions
from durable_sandbox.metrics.alarm import Alarm, Change, MetricStat, Query
from durable_sandbox.metrics.evaluator import Evaluator
from durable_sandbox.metrics.judgement import Rule
from durable_sandbox.metrics.monitor import window
from durable_sandbox.metrics.values import Datum, Metric

REGION, ACCOUNT = "us-east-1", "123456789012"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


ERRORS = Metric.of("AWS/Lambda", "Errors", {"FunctionName": "f"})


class Store:
    """Alarms and data that a test gives."""

    def __init__(self, *alarms: Alarm) -> None:
        self.by_name = {alarm.name: alarm for alarm in alarms}
        self.kept: list[tuple[Metric, Datum]] = []
        self.changes: list[tuple[str, str]] = []
        self.notes: list[str] = []

    def alarms(self) -> list[Alarm]:
        return list(self.by_name.values())

    def data(self, region: str, metric: Metric, start: float, end: float) -> Iterable[Datum]:
        assert region == REGION
        return [datum for kept, datum in self.kept if kept == metric and start <= datum.at < end]

    def change(self, alarm: Alarm, change: Change) -> None:
        self.changes.append((alarm.name, change.state))
        self.by_name[alarm.name] = replace(
            alarm, state=change.state, told=change.state, reason=change.reason, since=change.at
        )

    def acted(self, alarm: Alarm, summary: str, data: Mapping[str, Any]) -> None:  # noqa: ARG002 - the port's signature
        self.notes.append(summary)

    def put(self, at: float, value: float, metric: Metric = ERRORS) -> None:
        self.kept.append((metric, Datum.of_values(at, "Count", [(float(value), 1)])))


class FakeApi:
    """Keeps what is sent; refuses what it is told to."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, str, Mapping[str, Any]]] = []
        self.refuse = ""

    async def call(
        self,
        caller: Caller,
        region: str,  # noqa: ARG002 - the port's signature
        service: str,
        operation: str,
        params: Mapping[str, Any],
    ) -> Mapping[str, Any]:
        if service == self.refuse:
            raise AwsError("AuthorizationError", "not you")
        self.calls.append((caller.arn, service, operation, params))
        return {}


def alarm(name: str = "errors", *, rule: Rule | None = None, composite: str | None = None, **more: Any) -> Alarm:
    """Errors above 0 in a minute, unless told."""
    stat = Query("m1", MetricStat(ERRORS, 60, "Sum"))
    base = Alarm(
        region=REGION,
        name=name,
        arn=f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{name}",
        description="for the test",
        configured=NOW,
        state="OK",
        told="OK",
        reason="",
        since=NOW,
        actions_enabled=True,
        actions={"ALARM": (), "OK": (), "INSUFFICIENT_DATA": ()},
        rule=None if composite else rule or Rule("GreaterThanThreshold", 0.0, 1, 1, "notBreaching"),
        queries=() if composite else (stat,),
        composite=composite,
    )
    return replace(base, **more)


def evaluator(store: Store, api: FakeApi | None = None) -> Evaluator:
    return Evaluator(store, Actions(api or FakeApi(), Identities(ACCOUNT)), lambda period: window(period, TimePolicy()))


def states(store: Store, *ends: float) -> list[str]:
    """The state of ``errors`` after evaluations at ``ends``."""
    found, subject = [], evaluator(store)

    async def evaluate() -> None:
        for end in ends:
            await subject.evaluate(end)
            found.append(store.by_name["errors"].state)

    asyncio.run(evaluate())
    return found


@pytest.mark.parametrize(
    ("period", "policy", "seconds"),
    [
        (60, TimePolicy(), 5),
        (300, TimePolicy(), 5),
        (3600, TimePolicy(), 60),
        (60, TimePolicy(time_scale=4), 15),
        (60, TimePolicy(time_scale=1), 60),
        (10, TimePolicy(), 5),
        (300, TimePolicy(real_time=True), 300),
    ],
)
def test_a_period_is_shortened_to_whole_ticks(period: int, policy: TimePolicy, seconds: int) -> None:
    assert window(period, policy) == seconds


def test_an_alarm_goes_to_alarm_and_back() -> None:
    store = Store(alarm())
    store.put(100, 1)
    assert states(store, 105, 110, 115, 120) == ["ALARM", "ALARM", "ALARM", "OK"], "two periods more are looked at"
    assert store.changes == [("errors", "ALARM"), ("errors", "OK")], "told once each"


def test_data_of_the_present_period_only_count() -> None:
    store = Store(alarm(rule=Rule("GreaterThanThreshold", 2, 1, 1)))
    store.put(100, 2)
    store.put(104, 1)
    store.put(105, 1)
    assert states(store, 105, 110) == ["ALARM", "OK"]


def test_an_expression_is_watched_over_its_metrics() -> None:
    invocations = Metric.of("AWS/Lambda", "Invocations", {"FunctionName": "f"})
    queries = (
        Query("rate", None, "100*errors/MAX([errors,invocations])"),
        Query("errors", MetricStat(ERRORS, 60, "Sum"), returned=False),
        Query("invocations", MetricStat(invocations, 60, "Sum"), returned=False),
    )
    store = Store(alarm(rule=Rule("GreaterThanThreshold", 10, 1, 1), queries=queries))
    for at, errors in ((100, 1), (105, 0), (110, 1)):
        store.put(at, errors)
        store.put(at, 5 if at == 110 else 100, invocations)
    assert states(store, 105, 110, 115) == ["OK", "OK", "ALARM"]
    assert evaluator(store).watched(REGION) == {ERRORS, invocations}


def test_composite_alarms_follow_in_the_same_evaluation() -> None:
    top = alarm("top", composite='ALARM("middle") AND NOT OK("errors")')
    store = Store(top, alarm("middle", composite="ALARM(errors)"), alarm())
    store.put(100, 1)
    asyncio.run(evaluator(store).evaluate(105))
    assert store.changes == [("errors", "ALARM"), ("middle", "ALARM"), ("top", "ALARM")]
    assert store.by_name["middle"].reason.startswith(f"{store.by_name['errors'].arn} transitioned to ALARM at ")


def test_composite_alarms_that_look_at_each_other_come_to_an_end() -> None:
    store = Store(alarm("a", composite="NOT ALARM(b)"), alarm("b", composite="ALARM(a)"))
    asyncio.run(asyncio.wait_for(evaluator(store).evaluate(105), 5))


def test_an_expression_that_fails_is_logged_once_and_keeps_the_state(caplog: pytest.LogCaptureFixture) -> None:
    circle = (Query("a", None, "b + 1"), Query("b", None, "a + 1", returned=False))
    store = Store(alarm(queries=circle), alarm("fine"))
    store.put(100, 1)
    subject = evaluator(store)
    asyncio.run(subject.evaluate(105))
    asyncio.run(subject.evaluate(110))
    assert (store.by_name["errors"].state, store.by_name["fine"].state) == ("OK", "ALARM")
    assert caplog.text.count("refers to itself") == 1


# --- actions --------------------------------------------------------------------------------------------------------------


def _acted(subject: Alarm, api: FakeApi, value: float = 1) -> Store:
    store = Store(subject)
    store.put(100, value)
    asyncio.run(evaluator(store, api).evaluate(105))
    return store


def test_the_notification_has_awss_shape() -> None:
    """Members of the recorded notifications of github.com/aws/aws-lambda-go, events/testdata."""
    api = FakeApi()
    metric = replace(ERRORS, dimensions=(("FunctionName", "f"),))
    queries = (Query("m1", MetricStat(metric, 60, "SampleCount")),)
    _acted(alarm(actions={"ALARM": (TOPIC,), "OK": (), "INSUFFICIENT_DATA": ()}, queries=queries), api)
    [(caller, _, _, published)] = [call for call in api.calls if call[1] == "sns"]
    assert caller == "cloudwatch.amazonaws.com"
    assert published["TopicArn"] == TOPIC
    assert published["Subject"] == 'ALARM: "errors" in US East (N. Virginia)'
    told = json.loads(published["Message"])
    changed = datetime.strptime(told.pop("StateChangeTime"), "%Y-%m-%dT%H:%M:%S.%f%z")
    assert abs(changed - datetime.now(UTC)) < timedelta(seconds=60), "real time"
    assert told == {
        "AlarmName": "errors",
        "AlarmDescription": "for the test",
        "AWSAccountId": ACCOUNT,
        "AlarmConfigurationUpdatedTimestamp": "2026-01-01T00:00:00.000+0000",
        "NewStateValue": "ALARM",
        "NewStateReason": "Threshold Crossed: 1 datapoint [1.0 (01/01/70 00:01:40)] was greater than the threshold (0.0).",
        "Region": "US East (N. Virginia)",
        "AlarmArn": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:errors",
        "OldStateValue": "OK",
        "OKActions": [],
        "AlarmActions": [TOPIC],
        "InsufficientDataActions": [],
        "Trigger": {
            "MetricName": "Errors",
            "Namespace": "AWS/Lambda",
            "StatisticType": "Statistic",
            "Statistic": "SAMPLE_COUNT",
            "Unit": None,
            "Dimensions": [{"value": "f", "name": "FunctionName"}],
            "Period": 60,
            "EvaluationPeriods": 1,
            "DatapointsToAlarm": 1,
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": 0.0,
            "TreatMissingData": "notBreaching",
            "EvaluateLowSampleCountPercentile": "",
        },
    }


def test_a_change_is_an_event_on_the_default_bus() -> None:
    api = FakeApi()
    _acted(alarm(actions_enabled=False, actions={"ALARM": (TOPIC,), "OK": (), "INSUFFICIENT_DATA": ()}), api)
    [(_, service, operation, params)] = api.calls
    assert (service, operation) == ("events", "PutEvents"), "actions are disabled"
    [entry] = params["Entries"]
    assert (entry["Source"], entry["DetailType"]) == ("aws.cloudwatch", "CloudWatch Alarm State Change")
    detail = json.loads(entry["Detail"])
    assert (detail["previousState"]["value"], detail["state"]["value"]) == ("OK", "ALARM")
    assert detail["configuration"]["metrics"][0]["metricStat"]["metric"]["dimensions"] == {"FunctionName": "f"}
    assert json.loads(detail["state"]["reasonData"])["recentDatapoints"] == [1.0]


def test_actions_that_fail_are_noted_and_stop_no_other(caplog: pytest.LogCaptureFixture) -> None:
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:page"
    scaling = f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:scalingPolicy:x"
    api = FakeApi()
    api.refuse = "sns"
    store = _acted(alarm(actions={"ALARM": (TOPIC, scaling, function), "OK": (), "INSUFFICIENT_DATA": ()}), api)
    assert [note.split(" ", 1)[0] for note in store.notes] == ["Failed", "Failed", "Successfully"]
    [(caller, _, _, params)] = [call for call in api.calls if call[1] == "lambda"]
    assert caller == "lambda.alarms.cloudwatch.amazonaws.com"
    event = json.loads(params["Payload"])
    assert (event["source"], event["alarmData"]["state"]["value"]) == ("aws.cloudwatch", "ALARM")
    assert "cannot act on" in caplog.text
