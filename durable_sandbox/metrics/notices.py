"""What an alarm sends when its state changes: to SNS, to a function, to the default event bus.

Shapes: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html,
.../alarms-and-actions-Lambda.html, and for SNS the recorded notifications of github.com/aws/aws-lambda-go
(events/testdata/cloudwatch-alarm-sns-payload-*.json).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from botocore.loaders import Loader

from durable_sandbox.aws.arns import Arn
from durable_sandbox.metrics.alarm import Alarm, Change, MetricStat, Query

SUBJECT_LENGTH = 100


def subject(alarm: Alarm, change: Change) -> str:
    """Subject of the SNS message."""
    return f'{change.state}: "{alarm.name}" in {region_name(alarm.region)}'[:SUBJECT_LENGTH]


def message(alarm: Alarm, change: Change, before: str) -> dict[str, Any]:
    """The SNS message, before it is JSON."""
    told: dict[str, Any] = {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": Arn.parse(alarm.arn).account,
        "AlarmConfigurationUpdatedTimestamp": stamp(alarm.configured),
        "NewStateValue": change.state,
        "NewStateReason": change.reason,
        "StateChangeTime": stamp(change.at),
        "Region": region_name(alarm.region),
        "AlarmArn": alarm.arn,
        "OldStateValue": before,
        "OKActions": list(alarm.actions["OK"]),
        "AlarmActions": list(alarm.actions["ALARM"]),
        "InsufficientDataActions": list(alarm.actions["INSUFFICIENT_DATA"]),
    }
    if alarm.composite is None:
        return told | {"Trigger": _trigger(alarm)}
    children: Any = change.data.get("triggeringAlarms", ())
    triggering = [
        {"Arn": child["arn"], "State": {"Value": child["state"]["value"], "Timestamp": child["state"]["timestamp"]}}
        for child in children
    ]
    return told | {"AlarmRule": alarm.composite, "TriggeringChildren": triggering}


def _trigger(alarm: Alarm) -> dict[str, Any]:
    rule, stat = alarm.rule, alarm.single
    assert rule is not None  # noqa: S101 - only composite alarms have none
    judged = {
        "EvaluationPeriods": rule.periods,
        "DatapointsToAlarm": rule.to_alarm,
        "ComparisonOperator": rule.comparison,
        "Threshold": rule.threshold,
        "TreatMissingData": rule.treat_missing,
        "EvaluateLowSampleCountPercentile": "",
    }
    if stat is None:
        return {"Period": alarm.period, **judged, "Metrics": [_query(query) for query in alarm.queries]}
    extended = stat.stat.startswith("p")
    return {
        "MetricName": stat.metric.name,
        "Namespace": stat.metric.namespace,
        "StatisticType": "ExtendedStatistic" if extended else "Statistic",
        # As in Java's enumerations: SampleCount is SAMPLE_COUNT.
        "Statistic": stat.stat if extended else re.sub(r"(?<=[a-z])(?=[A-Z])", "_", stat.stat).upper(),
        "Unit": stat.unit,
        "Dimensions": [{"value": value, "name": name} for name, value in stat.metric.dimensions],
        "Period": stat.period,
        **judged,
    }


def _query(query: Query) -> dict[str, Any]:
    shown: dict[str, Any] = {"Id": query.id}
    if query.expression is not None:
        shown["Expression"] = query.expression
    if query.stat is not None:
        metric = query.stat.metric
        dimensions = [{"value": value, "name": name} for name, value in metric.dimensions]
        named = {"Dimensions": dimensions, "MetricName": metric.name, "Namespace": metric.namespace}
        shown["MetricStat"] = {"Metric": named, "Period": query.stat.period, "Stat": query.stat.stat}
    if query.label:
        shown["Label"] = query.label
    return shown | {"ReturnData": query.returned}


def event_detail(alarm: Alarm, change: Change, before: str) -> dict[str, Any]:
    """Detail of the event CloudWatch Alarm State Change."""
    configuration: dict[str, Any] = {"description": alarm.description} if alarm.description else {}
    if alarm.composite is not None:
        configuration["alarmRule"] = alarm.composite
    else:
        configuration["metrics"] = [_event_metric(query) for query in alarm.queries]
    return {
        "alarmName": alarm.name,
        "configuration": configuration,
        "previousState": {"value": before, "reason": alarm.reason, "timestamp": stamp(alarm.since)},
        "state": {
            "value": change.state,
            "reason": change.reason,
            "reasonData": change.shown_data,
            "timestamp": stamp(change.at),
        },
    }


def _event_metric(query: Query) -> dict[str, Any]:
    stat: MetricStat | None = query.stat
    shown: dict[str, Any] = {"id": query.id, "returnData": query.returned}
    if query.expression is not None:
        shown["expression"] = query.expression
    if stat is not None:
        named: Mapping[str, Any] = {
            "namespace": stat.metric.namespace,
            "name": stat.metric.name,
            "dimensions": dict(stat.metric.dimensions),
        }
        shown["metricStat"] = {"metric": named, "period": stat.period, "stat": stat.stat}
    return shown


def to_function(alarm: Alarm, change: Change, before: str) -> dict[str, Any]:
    """The event of a function that is an alarm's action."""
    return {
        "source": "aws.cloudwatch",
        "alarmArn": alarm.arn,
        "accountId": Arn.parse(alarm.arn).account,
        "time": stamp(change.at),
        "region": alarm.region,
        "alarmData": event_detail(alarm, change, before),
    }


def stamp(moment: datetime) -> str:
    """A time as CloudWatch writes it into its messages."""
    return f"{moment.strftime('%Y-%m-%dT%H:%M:%S')}.{moment.microsecond // 1000:03}+0000"


@functools.cache
def region_name(region: str) -> str:
    """The region's name for people, ``US East (N. Virginia)``; its id if it has none."""
    for partition in Loader().load_data("partitions")["partitions"]:
        if region in partition["regions"]:
            return str(partition["regions"][region]["description"])
    return region
