"""CloudWatch in a sandbox: its alarms' operations, its data, and ``sandbox alarms``."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner
from server_support import Running, recorder, running

from durable_sandbox.cli.main import cli
from durable_sandbox.wiring import build_sqs

REGION, ACCOUNT = "us-east-1", "123456789012"


@pytest.fixture(scope="module")
def served() -> Iterator[Running]:
    _, build = recorder()
    with running(build_sqs, build) as sandbox:
        yield sandbox


@pytest.fixture
def cloudwatch(served: Running) -> Any:
    return served.client("cloudwatch")


def tick(served: Running, end: float) -> None:
    """Evaluate as of ``end``."""
    assert served.sandbox.monitor is not None
    asyncio.run_coroutine_threadsafe(served.sandbox.monitor.tick(end), served.loop).result(30)


def put_alarm(cloudwatch: Any, name: str, **settings: Any) -> None:
    defaults = {
        "Namespace": "Test",
        "MetricName": name,
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 0,
        "ComparisonOperator": "GreaterThanThreshold",
    }
    cloudwatch.put_metric_alarm(AlarmName=name, **defaults | settings)


def state_of(cloudwatch: Any, name: str) -> dict[str, Any]:
    found = cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    [alarm] = found["MetricAlarms"] + found["CompositeAlarms"]
    return dict(alarm)


def test_a_new_alarm_lacks_data_and_keeps_its_state_when_put_again(served: Running, cloudwatch: Any) -> None:
    put_alarm(cloudwatch, "again", TreatMissingData="notBreaching")
    assert state_of(cloudwatch, "again")["StateValue"] == "INSUFFICIENT_DATA"
    tick(served, time.time())
    put_alarm(cloudwatch, "again", TreatMissingData="notBreaching", AlarmDescription="changed")
    shown = state_of(cloudwatch, "again")
    assert (shown["StateValue"], shown["AlarmDescription"]) == ("OK", "changed")
    kinds = [(one["HistoryItemType"], one["HistorySummary"]) for one in _history(cloudwatch, "again")]
    assert kinds == [
        ("ConfigurationUpdate", 'Alarm "again" created'),
        ("StateUpdate", "Alarm updated from INSUFFICIENT_DATA to OK"),
        ("ConfigurationUpdate", 'Alarm "again" updated'),
    ]


def _history(cloudwatch: Any, name: str) -> list[dict[str, Any]]:
    answer = cloudwatch.describe_alarm_history(AlarmName=name, ScanBy="TimestampAscending")
    return list(answer["AlarmHistoryItems"])


def test_set_alarm_state_acts_like_a_change(served: Running, cloudwatch: Any) -> None:
    sns, sqs = served.client("sns"), served.client("sqs")
    topic = sns.create_topic(Name="set-state")["TopicArn"]
    url = sqs.create_queue(QueueName="set-state")["QueueUrl"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:set-state")
    put_alarm(cloudwatch, "set", TreatMissingData="ignore", AlarmActions=[topic])
    cloudwatch.set_alarm_state(AlarmName="set", StateValue="ALARM", StateReason="a drill")
    tick(served, time.time())
    [message] = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    told = json.loads(json.loads(message["Body"])["Message"])
    assert (told["NewStateValue"], told["NewStateReason"]) == ("ALARM", "a drill")
    assert told["OldStateValue"] == "INSUFFICIENT_DATA"
    tick(served, time.time())
    assert not sqs.receive_message(QueueUrl=url).get("Messages"), "told once"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"Statistic": "TM(10%:90%)"}, "does not compute the statistic"),
        ({"ComparisonOperator": "GreaterThanUpperThreshold"}, "does not evaluate alarms"),
        ({"DatapointsToAlarm": 2}, "DatapointsToAlarm must not be greater"),
        ({"TreatMissingData": "wrong"}, "TreatMissingData"),
    ],
)
def test_alarms_that_cannot_be_evaluated_are_refused(cloudwatch: Any, settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ClientError, match=says):
        put_alarm(cloudwatch, "refused", **settings)
    assert not cloudwatch.describe_alarms(AlarmNames=["refused"])["MetricAlarms"]


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("SEARCH('x')", "does not compute the function SEARCH"),
        ("m1 + m2", "refers to m2"),
        ("m1 +", "Invalid metrics list"),
    ],
)
def test_wrong_expressions_are_refused(cloudwatch: Any, expression: str, says: str) -> None:
    metric = {"Metric": {"Namespace": "Test", "MetricName": "m"}, "Period": 60, "Stat": "Sum"}
    metrics = [{"Id": "m1", "MetricStat": metric, "ReturnData": False}, {"Id": "e1", "Expression": expression}]
    with pytest.raises(ClientError, match=says):
        cloudwatch.put_metric_alarm(
            AlarmName="refused",
            Metrics=metrics,
            EvaluationPeriods=1,
            Threshold=0,
            ComparisonOperator="GreaterThanThreshold",
        )


def test_composite_alarms_are_listed_when_asked_for(served: Running, cloudwatch: Any) -> None:
    with pytest.raises(ClientError, match="AlarmRule must be a valid rule"):
        cloudwatch.put_composite_alarm(AlarmName="both", AlarmRule="ALARM(")
    put_alarm(cloudwatch, "child", TreatMissingData="breaching")
    cloudwatch.put_composite_alarm(AlarmName="both", AlarmRule='ALARM("child")')
    assert not cloudwatch.describe_alarms(AlarmNames=["both"])["MetricAlarms"], "metric alarms are the default"
    tick(served, time.time())
    shown = state_of(cloudwatch, "both")
    assert (shown["AlarmRule"], shown["StateValue"]) == ('ALARM("child")', "ALARM")
    cloudwatch.delete_alarms(AlarmNames=["both", "child"])
    assert not cloudwatch.describe_alarms(AlarmNames=["both", "child"])["MetricAlarms"]


def test_data_are_read_back_by_statistic_and_by_expression(cloudwatch: Any) -> None:
    start = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=10)
    dimensions = [{"Name": "a", "Value": "1"}]
    for minute, values in ((1, [10.0, 20.0]), (3, [5.0])):
        at = start + timedelta(minutes=minute, seconds=20)
        datum = {"MetricName": "m", "Dimensions": dimensions, "Timestamp": at, "Values": values, "Unit": "Count"}
        other = {"MetricName": "m", "Timestamp": at, "Value": 1000.0}
        cloudwatch.put_metric_data(Namespace="Read", MetricData=[datum, other])
    window_ = {"StartTime": start, "EndTime": start + timedelta(minutes=10)}
    stats = cloudwatch.get_metric_statistics(
        Namespace="Read", MetricName="m", Dimensions=dimensions, Period=60, Statistics=["Sum", "Maximum"], **window_
    )["Datapoints"]
    assert [(one["Timestamp"], one["Sum"], one["Maximum"], one["Unit"]) for one in stats] == [
        (start + timedelta(minutes=1), 30.0, 20.0, "Count"),
        (start + timedelta(minutes=3), 5.0, 5.0, "Count"),
    ]
    metric = {"Namespace": "Read", "MetricName": "m", "Dimensions": dimensions}
    queries = [
        {"Id": "m1", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "p50"}, "ReturnData": False},
        {"Id": "e1", "Expression": "FILL(m1, 0) * 2", "Label": "twice"},
    ]
    [result] = cloudwatch.get_metric_data(MetricDataQueries=queries, ScanBy="TimestampAscending", **window_)[
        "MetricDataResults"
    ]
    assert (result["Label"], result["Values"]) == ("twice", [0.0, 20.0, 0.0, 10.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    listed = cloudwatch.list_metrics(Namespace="Read")["Metrics"]
    assert [metric["Dimensions"] for metric in listed] == [dimensions, []]


def test_data_are_bounded(cloudwatch: Any) -> None:
    at = datetime.now(UTC) - timedelta(minutes=1)
    datum = {"MetricName": "m", "Timestamp": at, "Values": [float(n) for n in range(150)]}
    for _ in range(40):
        cloudwatch.put_metric_data(Namespace="Many", MetricData=[datum])
    [point] = cloudwatch.get_metric_statistics(
        Namespace="Many",
        MetricName="m",
        StartTime=at - timedelta(minutes=5),
        EndTime=at + timedelta(minutes=5),
        Period=3600,
        Statistics=["SampleCount"],
    )["Datapoints"]
    assert point["SampleCount"] == 33 * 150, "the latest 5,000 values at most"


# --- the command ----------------------------------------------------------------------------------------------------------


def test_the_command_shows_every_alarm(served: Running, cloudwatch: Any) -> None:
    port = served.sandbox.config.port
    put_alarm(cloudwatch, "shown", TreatMissingData="breaching", Dimensions=[{"Name": "QueueName", "Value": "[q]"}])
    tick(served, time.time())
    told = CliRunner().invoke(cli, ["alarms", "--json", "--port", str(port)], catch_exceptions=False)
    assert told.exit_code == 0
    rows = {row["name"]: row for row in json.loads(told.stdout)["alarms"]}
    shown = rows["shown"]
    assert (shown["state"], shown["type"], shown["metric"]) == ("ALARM", "metric", "Sum Test shown (QueueName=[q])")
    assert "treated as [Breaching]" in shown["reason"]
    assert datetime.fromisoformat(shown["since"]).tzinfo is not None
    table = CliRunner().invoke(cli, ["alarms", "--port", str(port)], catch_exceptions=False)
    assert table.exit_code == 0
    assert "ALARM" in table.stdout
    assert "QueueName=[q]" in table.stdout


def test_a_reset_forgets_alarms_and_goes_on(served: Running, cloudwatch: Any) -> None:
    put_alarm(cloudwatch, "gone")
    asyncio.run_coroutine_threadsafe(served.sandbox.reset(), served.loop).result(30)
    told = CliRunner().invoke(cli, ["alarms", "--port", str(served.sandbox.config.port)], catch_exceptions=False)
    assert (told.exit_code, told.stdout) == (0, "No alarms.\n")
    assert not cloudwatch.list_metrics()["Metrics"]
    tick(served, time.time())
