"""What services count becomes metrics: names, dimensions, values; and what of it is worth putting."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqs_support import Client, Clock, redrive

from durable_sandbox.aws.call import Caller
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.aws.identity import Identities
from durable_sandbox.durable.counts import ExecutionCounts
from durable_sandbox.events.async_metrics import AsyncMetrics
from durable_sandbox.events.pipe_spec import PipeMetrics
from durable_sandbox.events.websocket.counts import Counts as WebSocketCounts
from durable_sandbox.metrics.collector import Collector
from durable_sandbox.metrics.functions import FunctionSource
from durable_sandbox.metrics.pipes import PipeSource
from durable_sandbox.metrics.queues import QueueSource
from durable_sandbox.metrics.statistics import statistic
from durable_sandbox.metrics.values import Datum, Metric, Reading
from durable_sandbox.metrics.websockets import WebSocketSource
from durable_sandbox.runtime.spec import InvocationOutcome
from durable_sandbox.services.lambda_.counts import FunctionCounts, LambdaReading

REGION, ACCOUNT = "us-east-1", "123456789012"
START = datetime(2026, 1, 1, tzinfo=UTC)
VISIBLE = Metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", (("QueueName", "q"),))


def by_name(readings: Iterable[Reading], *dimensions: str) -> dict[str, Mapping[float, float]]:
    """Values of the readings that have exactly these dimensions."""
    return {r.metric.name: r.values for r in readings if [name for name, _ in r.metric.dimensions] == list(dimensions)}


# --- queues ---------------------------------------------------------------------------------------------------------------


def test_a_queue_says_how_it_stands_and_what_happened() -> None:
    clock = Clock()
    sqs = Client(clock)
    url = sqs.create("q")
    source = QueueSource(sqs.service)
    for body in ("a", "bb", "cc"):
        sqs.call("SendMessage", QueueUrl=url, MessageBody=body)
    clock.tick(7)
    [held] = sqs.receive(url, MaxNumberOfMessages=1)
    sqs.call("DeleteMessage", QueueUrl=url, ReceiptHandle=held["ReceiptHandle"])
    sqs.receive(url, MaxNumberOfMessages=1)
    told = by_name(source.read(), "QueueName")
    assert told == {
        "ApproximateNumberOfMessagesVisible": {1: 1},
        "ApproximateNumberOfMessagesNotVisible": {1: 1},
        "ApproximateNumberOfMessagesDelayed": {0: 1},
        "ApproximateAgeOfOldestMessage": {7: 1},
        "NumberOfMessagesSent": {3: 1},
        "NumberOfMessagesReceived": {2: 1},
        "NumberOfMessagesDeleted": {1: 1},
        "NumberOfEmptyReceives": {0: 1},
        "SentMessageSize": {1: 1, 2: 2},
    }
    again = by_name(source.read(), "QueueName")
    assert again["NumberOfMessagesSent"] == {0: 1}, "counted once"
    assert "SentMessageSize" not in again


def test_the_age_of_a_dead_letter_counts_from_its_move_and_leaves_poison_out() -> None:
    clock = Clock()
    sqs = Client(clock)
    sqs.create("dlq")
    url = sqs.create("q", {"RedrivePolicy": redrive("dlq"), "VisibilityTimeout": "1"})
    plain = sqs.create("plain", {"VisibilityTimeout": "1"})
    sqs.call("SendMessage", QueueUrl=url, MessageBody="a")
    sqs.call("SendMessage", QueueUrl=plain, MessageBody="poison")
    for _ in range(3):
        clock.tick(100)
        sqs.receive(url)
        sqs.receive(plain)
    sqs.call("SendMessage", QueueUrl=plain, MessageBody="fresh")
    clock.tick(5)
    ages = {
        dict(reading.metric.dimensions)["QueueName"]: reading.values
        for reading in QueueSource(sqs.service).read()
        if reading.metric.name == "ApproximateAgeOfOldestMessage"
    }
    assert ages == {"dlq": {105: 1}, "plain": {5: 1}, "q": {0: 1}}


def test_a_fifo_queue_counts_groups_and_duplicates() -> None:
    sqs = Client(Clock())
    url = sqs.create("q.fifo", {"FifoQueue": "true", "ContentBasedDeduplication": "true"})
    for group, body in (("a", "1"), ("a", "1"), ("b", "2"), ("c", "3")):
        sqs.call("SendMessage", QueueUrl=url, MessageBody=body, MessageGroupId=group)
    sqs.receive(url, MaxNumberOfMessages=1)
    sqs.receive(url, MaxNumberOfMessages=1)
    told = by_name(QueueSource(sqs.service).read(), "QueueName")
    assert told["NumberOfMessagesSent"] == {3: 1}
    assert told["NumberOfDeduplicatedSentMessages"] == {1: 1}
    assert told["ApproximateNumberOfGroupsWithInflightMessages"] == {2: 1}


# --- functions ------------------------------------------------------------------------------------------------------------


@dataclass
class FakeLambda:
    """Lambda's counts, without Lambda."""

    counts: FunctionCounts = field(default_factory=FunctionCounts)
    asynchronous: AsyncMetrics = field(default_factory=AsyncMetrics)
    executions: dict[tuple[str, str], ExecutionCounts] = field(default_factory=dict)
    running: dict[str, int] = field(default_factory=dict)

    def read_functions(self) -> LambdaReading:
        executions, self.executions = self.executions, {}
        return LambdaReading(
            self.counts.take(), self.counts.take_peaks(), dict(self.asynchronous.items()), executions, self.running
        )

    def ran(self, milliseconds: float, error: str | None = None, qualifier: str | None = "live") -> None:
        with self.counts.running(REGION, "f", qualifier, 1):
            self.counts.ran(REGION, "f", qualifier, InvocationOutcome(b"", error, "", milliseconds))


def test_invocations_are_told_with_and_without_the_resource() -> None:
    lambda_ = FakeLambda()
    source = FunctionSource(lambda_)
    lambda_.ran(10.5)
    lambda_.ran(10.5, "Unhandled")
    lambda_.ran(20)
    lambda_.counts.refused(REGION, "f", "live", AwsError("TooManyRequestsException", "", status=429))
    lambda_.counts.refused(REGION, "f", "live", AwsError("KMSAccessDeniedException", "", status=502))
    readings = list(source.read())
    told = by_name(readings, "FunctionName", "Resource")
    assert told == {
        "Invocations": {1: 3},
        "Errors": {1: 1, 0: 2},
        "Throttles": {1: 1, 0: 3},
        "Duration": {10.5: 2, 20: 1},
        "ConcurrentExecutions": {1: 1},
    }
    assert by_name(readings, "FunctionName") == told
    assert {dict(r.metric.dimensions).get("Resource") for r in readings} == {None, "f:live"}
    assert by_name(readings) == {"ConcurrentExecutions": {1: 1}}, "of the account"
    assert not list(source.read()), "told once"


def test_concurrency_is_the_most_at_once() -> None:
    lambda_ = FakeLambda()
    source = FunctionSource(lambda_)
    with lambda_.counts.running(REGION, "f", None, 1), lambda_.counts.running(REGION, "f", None, 2):
        pass
    with lambda_.counts.running(REGION, "g", None, 1):
        readings = list(source.read())
        assert by_name(readings) == {"ConcurrentExecutions": {2: 1}}
        assert _of_function(readings, "f") == [{2: 1}]
        readings = list(source.read())
        assert by_name(readings) == {"ConcurrentExecutions": {1: 1}}, "g still runs"
        assert (_of_function(readings, "f"), _of_function(readings, "g")) == ([], [{1: 1}])
    list(source.read())
    assert not list(source.read()), "nothing runs"


def _of_function(readings: Iterable[Reading], name: str) -> list[Mapping[float, float]]:
    return [r.values for r in readings if dict(r.metric.dimensions) == {"FunctionName": name}]


def test_asynchronous_counts_are_told_once() -> None:
    lambda_ = FakeLambda()
    source = FunctionSource(lambda_)
    counts = lambda_.asynchronous.of(REGION, "f")
    counts.received, counts.dropped = 3, 1
    counts.attempted(1500)
    assert by_name(source.read(), "FunctionName") == {
        "AsyncEventsReceived": {3: 1},
        "AsyncEventsDropped": {1: 1},
        "AsyncEventAge": {1500: 1},
    }
    counts.destination_delivery_failures += 1
    assert by_name(source.read(), "FunctionName") == {"DestinationDeliveryFailures": {1: 1}}


def test_durable_executions_have_counts_sizes_and_a_share_of_the_quota() -> None:
    lambda_ = FakeLambda(running={REGION: 2})
    source = FunctionSource(lambda_)
    ended = Counter({"FAILED": 1, "TIMED_OUT": 1})
    lambda_.executions[REGION, "f"] = ExecutionCounts(4, ended, [60_000.0], [7, 9], [120, 130])
    readings = list(source.read())
    assert by_name(readings, "FunctionName") == {
        "DurableExecutionStarted": {1: 4},
        "DurableExecutionFailed": {1: 1},
        "DurableExecutionTimedOut": {1: 1},
        "DurableExecutionDuration": {60_000: 1},
        "DurableExecutionOperations": {7: 1, 9: 1},
        "DurableExecutionStorageWrittenBytes": {120: 1, 130: 1},
    }
    account = {
        "ApproximateRunningDurableExecutions": {2: 1},
        "ApproximateRunningDurableExecutionsUtilization": {2e-5: 1},
    }
    assert by_name(readings) == account
    lambda_.running = {}
    assert by_name(source.read())["ApproximateRunningDurableExecutions"] == {0: 1}, "it goes down again"


# --- pipes ----------------------------------------------------------------------------------------------------------------


@dataclass
class FakePipe:
    region: str = REGION
    name: str = "p"
    in_flight: int = 0
    metrics: PipeMetrics = field(default_factory=PipeMetrics)


class FakePipes:
    def __init__(self, *pipes: FakePipe) -> None:
        self.all = list(pipes)

    def pipes(self) -> Sequence[FakePipe]:
        return self.all


def test_a_pipes_metrics_come_together_when_one_has_grown() -> None:
    pipes = FakePipes(FakePipe(metrics=PipeMetrics(executions=3, events=7, executions_failed=1)), FakePipe(name="idle"))
    source = PipeSource(pipes, ACCOUNT)
    readings = list(source.read())
    told = by_name(readings, "PipeName")
    assert (told["Invocations"], told["EventCount"], told["ExecutionFailed"]) == ({3: 1}, {7: 1}, {1: 1})
    assert told["ExecutionThrottled"] == told["ExecutionTimeout"] == told["TargetStageFailed"] == {0: 1}
    assert {r.metric.dimensions[0][1] for r in readings} == {"p", ACCOUNT}, "nothing of the idle one"
    assert by_name(readings, "AwsAccountId")["Invocations"] == {3: 1}
    assert not by_name(source.read(), "PipeName")
    pipes.all[0] = FakePipe(metrics=PipeMetrics(executions=1))
    assert by_name(source.read(), "PipeName")["Invocations"] == {1: 1}, "created again, it counts from zero"


# --- collector ------------------------------------------------------------------------------------------------------------


class FakeApi:
    """Keeps what is put; refuses what it is told to."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, list[dict[str, Any]]]] = []
        self.refuse: str | None = None

    async def call(
        self, caller: Caller, region: str, service: str, operation: str, params: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        assert (service, operation) == ("cloudwatch", "PutMetricData")
        assert caller.access_key.endswith(".amazonaws.com"), "the service's own call"
        if params["Namespace"] == self.refuse:
            raise AwsError("InternalServiceFault", "no")
        self.calls.append((region, params["Namespace"], list(params["MetricData"])))
        return {}


class Source:
    """Says what it is told to."""

    def __init__(self, *readings: Reading) -> None:
        self.readings = readings

    def read(self) -> Sequence[Reading]:
        return self.readings

    def reset(self) -> None:
        self.readings = ()


def _collect(source: Source, times: Sequence[int], watched: Collection[Metric] = ()) -> list[int]:
    """How many data each collection puts, ``times`` seconds after the start."""
    collector = Collector(FakeApi(), Identities(ACCOUNT), [source], lambda _: watched)

    async def collect() -> list[int]:
        return [await collector.collect(START + timedelta(seconds=seconds)) for seconds in times]

    return asyncio.run(collect())


def level(value: float) -> Reading:
    return Reading(REGION, VISIBLE, "Count", {value: 1}, level=True)


@pytest.mark.parametrize(
    ("value", "watched", "puts"),
    [
        pytest.param(0, [], [0, 0, 0, 0, 0], id="an idle queue puts nothing"),
        pytest.param(3, [], [1, 0, 0, 1, 0], id="a level is repeated every minute"),
        pytest.param(0, [VISIBLE], [1, 1, 1, 1, 1], id="what an alarm watches is always there"),
    ],
)
def test_levels_are_put_when_it_is_worth_it(value: float, watched: list[Metric], puts: list[int]) -> None:
    assert _collect(Source(level(value)), (0, 5, 10, 60, 65), watched) == puts


def test_a_level_that_fell_to_zero_is_put_once() -> None:
    source, api = Source(level(3)), FakeApi()
    collector = Collector(api, Identities(ACCOUNT), [source], lambda _: ())

    async def collect() -> None:
        for number, value in enumerate((3, 0, 0, 0)):
            source.readings = (level(value),)
            await collector.collect(START + timedelta(seconds=5 * number))

    asyncio.run(collect())
    assert [data[0]["Values"] for _, _, data in api.calls] == [[3.0], [0.0]]
    assert [data[0]["Timestamp"] for _, _, data in api.calls] == [START, START + timedelta(seconds=5)]


def test_one_call_takes_a_thousand_data_and_a_datum_150_values() -> None:
    many = [Reading(REGION, Metric("AWS/SQS", f"m{n}"), "Count", {1: 1}) for n in range(1200)]
    wide = Reading("eu-west-1", Metric("AWS/Lambda", "Duration"), "Milliseconds", dict.fromkeys(range(320), 2))
    api = FakeApi()
    collector = Collector(api, Identities(ACCOUNT), [Source(*many, wide)], lambda _: ())
    assert asyncio.run(collector.collect(START)) == 1203
    assert [(region, namespace, len(data)) for region, namespace, data in api.calls] == [
        (REGION, "AWS/SQS", 1000),
        (REGION, "AWS/SQS", 200),
        ("eu-west-1", "AWS/Lambda", 3),
    ]
    assert [len(datum["Values"]) for datum in api.calls[-1][2]] == [150, 150, 20]
    assert sum(sum(datum["Counts"]) for datum in api.calls[-1][2]) == 640


def test_what_one_namespace_refuses_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    api = FakeApi()
    api.refuse = "AWS/SQS"
    other = Reading(REGION, Metric("AWS/Lambda", "Errors"), "Count", {1: 1})
    asyncio.run(Collector(api, Identities(ACCOUNT), [Source(level(1), other)], lambda _: ()).collect(START))
    assert [namespace for _, namespace, _ in api.calls] == ["AWS/Lambda"]
    assert "1 data of AWS/SQS are lost" in caplog.text


# --- statistics -----------------------------------------------------------------------------------------------------------


def test_statistics_are_of_all_samples() -> None:
    data = [Datum.of_values(0, "Count", [(1, 3), (10, 1)]), Datum(0, "Count", 2, 8, 4, 4)]
    names = ("SampleCount", "Sum", "Average", "Minimum", "Maximum")
    assert [statistic(name, data) for name in names] == [6, 21, 3.5, 1, 10]
    assert statistic("p50", data) == 1
    assert statistic("p99", data) == 10
    assert statistic("Sum", []) is None
    mixed = [Datum(0, None, 2, 8, 1, 7)]
    assert statistic("p99", mixed) is None, "a statistic set of different samples has no percentiles"


# --- WebSocket APIs -------------------------------------------------------------------------------------------------------


class Sockets:
    """A data plane that counts what it is told."""

    def __init__(self) -> None:
        self.counts = WebSocketCounts()


def test_a_websocket_api_its_stage_and_its_routes() -> None:
    sockets = Sockets()
    source = WebSocketSource(sockets)
    assert list(source.read()) == []
    connect = sockets.counts.of(REGION, "api", "live", "$connect")
    order = sockets.counts.of(REGION, "api", "live", "order")
    connect.connects += 2
    order.messages += 3
    order.integration_errors += 1
    order.latencies += [5, 5, 7]
    told = list(source.read())
    of_api = by_name(told, "ApiId")
    assert of_api == by_name(told, "ApiId", "Stage")
    assert of_api == {
        "ConnectCount": {2: 1},
        "MessageCount": {3: 1},
        "ClientError": {0: 1},
        "IntegrationError": {1: 1},
        "ExecutionError": {0: 1},
        "IntegrationLatency": {5: 2, 7: 1},
    }
    routes = {dict(r.metric.dimensions)["Route"] for r in told if len(r.metric.dimensions) == 3}
    assert routes == {"$connect", "order"}
    assert list(source.read()) == [], "counted once"
