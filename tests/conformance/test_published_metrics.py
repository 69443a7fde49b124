"""The metrics that the sandbox publishes, and alarms on them (section 8; durable functions: section 9).

Sources: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html, .../durable-monitoring.html,
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html. The sandbox
puts data every five seconds, and a period of an alarm is five seconds long.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from lambda_support import open_role
from stream_support import Streams
from support import Bench, Queue

from durable_sandbox.pytest_plugin import eventually

WITHIN = 30.0
ORDERS = """
import time


def handler(event, context):
    time.sleep(event.get("sleep", 0))
    if event.get("fail"):
        raise ValueError(event["fail"])
"""


def _dimensions(**dimensions: str) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in dimensions.items()]


class CloudWatch:
    """Reads data and puts alarms."""

    def __init__(self, bench: Bench) -> None:
        self.client = bench.sandbox.client("cloudwatch")

    def points(self, namespace: str, metric: str, stat: str, **dimensions: str) -> list[dict[str, Any]]:
        """GetMetricStatistics of the last minutes, in one period."""
        now = datetime.now(UTC)
        points: list[dict[str, Any]] = self.client.get_metric_statistics(
            Namespace=namespace,
            MetricName=metric,
            Dimensions=_dimensions(**dimensions),
            StartTime=now - timedelta(minutes=30),
            EndTime=now + timedelta(minutes=1),
            Period=86_400,
            **({"ExtendedStatistics": [stat]} if stat.startswith("p") else {"Statistics": [stat]}),
        )["Datapoints"]
        return points

    def value(self, namespace: str, metric: str, stat: str, **dimensions: str) -> float | None:
        """The statistic of all the data that there are."""
        points = self.points(namespace, metric, stat, **dimensions)
        if not points:
            return None
        shown: dict[str, float] = points[0].get("ExtendedStatistics") or points[0]
        return shown[stat]

    def reaches(self, value: float, namespace: str, metric: str, stat: str, **dimensions: str) -> None:
        """Wait until the statistic is ``value``; it must not be more."""

        def reached() -> bool | None:
            found = self.value(namespace, metric, stat, **dimensions)
            assert found is None or found <= value, (metric, found)
            return True if found == value else None

        eventually(reached, WITHIN)

    def unit(self, namespace: str, metric: str, **dimensions: str) -> str:
        """The unit that the data have."""
        return str(self.points(namespace, metric, "Sum", **dimensions)[0]["Unit"])

    def alarm(self, metric: Mapping[str, Any], **settings: Any) -> str:
        """An alarm on more than nothing, by its name."""
        name = f"alarm-{uuid4().hex[:10]}"
        defaults = {
            "EvaluationPeriods": 1,
            "Threshold": 0,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching",
        }
        self.client.put_metric_alarm(AlarmName=name, **{**defaults, **metric, **settings})
        return name

    def state(self, name: str) -> str:
        """The state of an alarm, of either kind."""
        found = self.client.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        [alarm] = found["MetricAlarms"] + found["CompositeAlarms"]
        return str(alarm["StateValue"])

    def becomes(self, name: str, state: str) -> None:
        """Wait for a state."""
        eventually(lambda: True if self.state(name) == state else None, WITHIN)


@pytest.fixture(scope="module")
def cloudwatch(bench: Bench) -> CloudWatch:
    return CloudWatch(bench)


def _invoke(bench: Bench, function: str, **event: Any) -> None:
    bench.lambda_.invoke(FunctionName=function, Payload=json.dumps(event).encode())


def _without_retries(bench: Bench) -> Any:
    """A client that is throttled once when it is."""
    keys = {"aws_access_key_id": "sandbox", "aws_secret_access_key": "sandbox", "region_name": "us-east-1"}
    url, config = bench.lambda_.meta.endpoint_url, Config(retries={"total_max_attempts": 1})
    return boto3.client("lambda", endpoint_url=url, config=config, **keys)


def _metric(namespace: str, name: str, stat: str, **dimensions: str) -> dict[str, Any]:
    """The members of PutMetricAlarm that name a metric."""
    named = {"Namespace": namespace, "MetricName": name, "Dimensions": _dimensions(**dimensions)}
    return {**named, "Statistic": stat, "Period": 60}


# --- 8.1 names, dimensions, units -----------------------------------------------------------------------------------------


def test_8_1_queues(bench: Bench, cloudwatch: CloudWatch) -> None:
    queue = bench.queue()
    of_queue = {"QueueName": queue.name}
    bench.send(queue, "a", "bb", "cc")
    [held] = bench.sqs.receive_message(QueueUrl=queue.url)["Messages"]
    cloudwatch.reaches(2, "AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", **of_queue)
    cloudwatch.reaches(1, "AWS/SQS", "ApproximateNumberOfMessagesNotVisible", "Maximum", **of_queue)
    bench.sqs.delete_message(QueueUrl=queue.url, ReceiptHandle=held["ReceiptHandle"])
    cloudwatch.reaches(3, "AWS/SQS", "NumberOfMessagesSent", "Sum", **of_queue)
    cloudwatch.reaches(1, "AWS/SQS", "NumberOfMessagesReceived", "Sum", **of_queue)
    cloudwatch.reaches(1, "AWS/SQS", "NumberOfMessagesDeleted", "Sum", **of_queue)
    assert cloudwatch.value("AWS/SQS", "SentMessageSize", "Sum", **of_queue) == 5
    eventually(
        lambda: (cloudwatch.value("AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", **of_queue) or 0) >= 5, 30
    )
    units = {name: cloudwatch.unit("AWS/SQS", name, **of_queue) for name in ("SentMessageSize", "NumberOfMessagesSent")}
    units["age"] = cloudwatch.unit("AWS/SQS", "ApproximateAgeOfOldestMessage", **of_queue)
    assert units == {"SentMessageSize": "Bytes", "NumberOfMessagesSent": "Count", "age": "Seconds"}


def test_8_1_functions(bench: Bench, cloudwatch: CloudWatch) -> None:
    function = bench.functions.deploy(ORDERS)
    name = function.partition(":")[0]
    bench.lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    _invoke(bench, function)
    _invoke(bench, function, sleep=0.2)
    _invoke(bench, function, fail="no")
    _invoke(bench, name)
    bench.lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    once = _without_retries(bench)
    with pytest.raises(ClientError, match="TooManyRequestsException"):
        once.invoke(FunctionName=function)
    cloudwatch.reaches(1, "AWS/Lambda", "Throttles", "Sum", FunctionName=name)
    for dimensions, count in (
        ({"FunctionName": name}, 4),
        ({"FunctionName": name, "Resource": function}, 3),
        ({"FunctionName": name, "Resource": name}, 1),
    ):
        cloudwatch.reaches(count, "AWS/Lambda", "Invocations", "Sum", **dimensions)
    aliased = {"FunctionName": name, "Resource": function}
    assert cloudwatch.value("AWS/Lambda", "Errors", "Sum", **aliased) == 1
    assert cloudwatch.value("AWS/Lambda", "Errors", "Average", **aliased) == pytest.approx(1 / 3), "the error rate"
    assert (cloudwatch.value("AWS/Lambda", "Duration", "p99", **aliased) or 0) >= 200
    assert cloudwatch.value("AWS/Lambda", "ConcurrentExecutions", "Maximum", **aliased) == 1
    assert cloudwatch.unit("AWS/Lambda", "Duration", **aliased) == "Milliseconds"
    assert (cloudwatch.value("AWS/Lambda", "ConcurrentExecutions", "Maximum") or 0) >= 1, "of the account"


def test_8_1_asynchronous_invocations(bench: Bench, cloudwatch: CloudWatch) -> None:
    function = bench.functions.deploy(ORDERS)
    name = function.partition(":")[0]
    bench.lambda_.put_function_event_invoke_config(FunctionName=function, MaximumRetryAttempts=0)
    bench.lambda_.invoke(FunctionName=function, InvocationType="Event", Payload=b'{"fail": "no"}')
    for metric in ("AsyncEventsReceived", "AsyncEventsDropped"):
        cloudwatch.reaches(1, "AWS/Lambda", metric, "Sum", FunctionName=name)
    assert cloudwatch.unit("AWS/Lambda", "AsyncEventAge", FunctionName=name) == "Milliseconds"


def test_8_1_the_iterator_age_of_a_stream(bench: Bench, cloudwatch: CloudWatch) -> None:
    streams = Streams(bench)
    stream = streams.stream()
    function = bench.functions.deploy(
        ORDERS.replace('event.get("sleep", 0)', "0").replace('event.get("fail")', "False")
    )
    streams.put(stream, {"n": 1})
    streams.map(stream, function)
    name = function.partition(":")[0]
    eventually(lambda: cloudwatch.value("AWS/Lambda", "IteratorAge", "Maximum", FunctionName=name), WITHIN)
    assert cloudwatch.unit("AWS/Lambda", "IteratorAge", FunctionName=name, Resource=function) == "Milliseconds"
    of_stream = {"StreamName": stream.arn.rpartition("/")[2]}
    behind = ("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds")
    cloudwatch.alarm(_metric(*behind, "Maximum", **of_stream))  # so that it is put though it is 0
    eventually(lambda: cloudwatch.points(*behind, "Maximum", **of_stream) or None, WITHIN)
    assert cloudwatch.unit(*behind, **of_stream) == "Milliseconds"


def test_8_1_pipes(bench: Bench, cloudwatch: CloudWatch) -> None:
    """Metrics of one pipe come together, zeros too; its target is gone, so its executions fail."""
    source, target = bench.queue(), bench.queue()
    pipes, name = bench.sandbox.client("pipes"), f"p-{uuid4().hex[:10]}"
    pipes.create_pipe(Name=name, Source=source.arn, Target=target.arn, RoleArn=open_role(bench.lambda_))
    eventually(lambda: True if pipes.describe_pipe(Name=name)["CurrentState"] == "RUNNING" else None)
    bench.send(source, "a")
    cloudwatch.reaches(1, "AWS/EventBridge/Pipes", "Invocations", "Sum", PipeName=name)
    assert cloudwatch.value("AWS/EventBridge/Pipes", "ExecutionFailed", "Sum", PipeName=name) == 0
    bench.sqs.delete_queue(QueueUrl=target.url)
    alarm = cloudwatch.alarm(_metric("AWS/EventBridge/Pipes", "ExecutionFailed", "Sum", PipeName=name))
    bench.send(source, "b")
    cloudwatch.becomes(alarm, "ALARM")
    assert (cloudwatch.value("AWS/EventBridge/Pipes", "TargetStageFailed", "Sum", PipeName=name) or 0) >= 1
    assert (cloudwatch.value("AWS/EventBridge/Pipes", "Invocations", "Sum", AwsAccountId="123456789012") or 0) >= 2
    pipes.delete_pipe(Name=name)


def test_9_durable_executions(bench: Bench, cloudwatch: CloudWatch) -> None:
    function = bench.functions.durable()
    name = function.partition(":")[0]
    bench.functions.start(function, {"callback": True})
    cloudwatch.reaches(1, "AWS/Lambda", "DurableExecutionStarted", "Sum", FunctionName=name)
    assert (cloudwatch.value("AWS/Lambda", "ApproximateRunningDurableExecutions", "Maximum") or 0) >= 1
    share = cloudwatch.value("AWS/Lambda", "ApproximateRunningDurableExecutionsUtilization", "Maximum") or 0
    assert share >= 100 / 10_000_000, "per cent of the quota"
    for event in ({"hold": 600}, {"fail": "no"}):
        bench.functions.finished(bench.functions.start(function, event))
    stopped = bench.functions.start(function, {"callback": True})
    bench.lambda_.stop_durable_execution(DurableExecutionArn=stopped)
    for metric in ("DurableExecutionSucceeded", "DurableExecutionFailed", "DurableExecutionStopped"):
        cloudwatch.reaches(1, "AWS/Lambda", metric, "Sum", FunctionName=name)
    longest = cloudwatch.value("AWS/Lambda", "DurableExecutionDuration", "Maximum", FunctionName=name)
    assert (longest or 0) >= 600_000, "modelled time, as in the history"
    assert cloudwatch.value("AWS/Lambda", "DurableExecutionOperations", "Maximum", FunctionName=name) == 2
    assert (
        cloudwatch.value("AWS/Lambda", "DurableExecutionStorageWrittenBytes", "Maximum", FunctionName=name) or 0
    ) > 10


# --- 8.2 alarms -----------------------------------------------------------------------------------------------------------


def _topic(bench: Bench, queue: Queue) -> str:
    sns = bench.sandbox.client("sns")
    topic: str = sns.create_topic(Name=f"t-{uuid4().hex[:10]}")["TopicArn"]
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": queue.arn,
            }
        ],
    }
    bench.sqs.set_queue_attributes(QueueUrl=queue.url, Attributes={"Policy": json.dumps(policy)})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn, Attributes={"RawMessageDelivery": "true"})
    return topic


def test_8_2_a_dead_letter_queue_alarms_and_recovers_and_both_are_told(bench: Bench, cloudwatch: CloudWatch) -> None:
    """A topic with its default policy lets CloudWatch publish; the composite alarm follows."""
    dead, told = bench.queue(), bench.queue()
    topic = _topic(bench, told)
    depth = _metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", QueueName=dead.name)
    settings = {"Threshold": 1, "ComparisonOperator": "GreaterThanOrEqualToThreshold"}
    name = cloudwatch.alarm(depth, AlarmActions=[topic], OKActions=[topic], **settings)
    cloudwatch.client.put_composite_alarm(AlarmName=f"{name}-any", AlarmRule=f'ALARM("{name}")')
    cloudwatch.becomes(name, "OK")
    bench.send(dead, "a")
    cloudwatch.becomes(name, "ALARM")
    cloudwatch.becomes(f"{name}-any", "ALARM")
    bench.sqs.purge_queue(QueueUrl=dead.url)
    cloudwatch.becomes(name, "OK")
    cloudwatch.becomes(f"{name}-any", "OK")
    messages: list[dict[str, Any]] = []

    def received() -> bool | None:
        for one in bench.sqs.receive_message(QueueUrl=told.url, MaxNumberOfMessages=10).get("Messages", ()):
            messages.append(json.loads(one["Body"]))  # noqa: PERF401 - as they come
        return True if len(messages) >= 3 else None

    eventually(received)
    messages.sort(key=lambda message: message["StateChangeTime"])
    assert [(one["OldStateValue"], one["NewStateValue"]) for one in messages] == [
        ("INSUFFICIENT_DATA", "OK"),
        ("OK", "ALARM"),
        ("ALARM", "OK"),
    ]
    assert messages[1]["Trigger"]["Dimensions"] == [{"value": dead.name, "name": "QueueName"}]


def test_8_2_an_error_rate_alarms_and_recovers(bench: Bench, cloudwatch: CloudWatch) -> None:
    function = bench.functions.deploy(ORDERS)
    name = function.partition(":")[0]

    def metric(identifier: str, metric_name: str) -> dict[str, Any]:
        named = {"Namespace": "AWS/Lambda", "MetricName": metric_name, "Dimensions": _dimensions(FunctionName=name)}
        return {"Id": identifier, "MetricStat": {"Metric": named, "Period": 60, "Stat": "Sum"}, "ReturnData": False}

    expression = {"Id": "rate", "Expression": "100*errors/MAX([errors,invocations])", "Label": "errors in per cent"}
    metrics = [expression, metric("errors", "Errors"), metric("invocations", "Invocations")]
    alarm = cloudwatch.alarm({"Metrics": metrics}, Threshold=1)
    _invoke(bench, function)
    cloudwatch.becomes(alarm, "OK")
    _invoke(bench, function, fail="no")
    cloudwatch.becomes(alarm, "ALARM")
    cloudwatch.becomes(alarm, "OK")
    [shown] = cloudwatch.client.describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
    assert [query["Id"] for query in shown["Metrics"]] == ["rate", "errors", "invocations"]
    history = cloudwatch.client.describe_alarm_history(AlarmName=alarm, HistoryItemType="StateUpdate")
    summaries = [item["HistorySummary"] for item in history["AlarmHistoryItems"]]
    assert summaries[:2] == ["Alarm updated from ALARM to OK", "Alarm updated from OK to ALARM"]


def test_8_2_a_failed_execution_alarms(bench: Bench, cloudwatch: CloudWatch) -> None:
    function = bench.functions.durable()
    name = function.partition(":")[0]
    alarm = cloudwatch.alarm(_metric("AWS/Lambda", "DurableExecutionFailed", "Sum", FunctionName=name))
    bench.functions.finished(bench.functions.start(function, {"fail": "no"}))
    cloudwatch.becomes(alarm, "ALARM")


def test_8_2_a_topic_that_does_not_let_cloudwatch_in_is_not_told(bench: Bench, cloudwatch: CloudWatch) -> None:
    dead, told = bench.queue(), bench.queue()
    topic = _topic(bench, told)
    only = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": topic,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [only]})
    bench.sandbox.client("sns").set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    depth = _metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", QueueName=dead.name)
    alarm = cloudwatch.alarm(depth, AlarmActions=[topic])
    bench.send(dead, "a")
    cloudwatch.becomes(alarm, "ALARM")

    def acted() -> str | None:
        found = cloudwatch.client.describe_alarm_history(AlarmName=alarm, HistoryItemType="Action")["AlarmHistoryItems"]
        return str(found[0]["HistorySummary"]) if found else None

    assert eventually(acted).startswith(f"Failed to execute action {topic}. Received error: ")
