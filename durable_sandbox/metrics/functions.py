"""AWS/Lambda, but for what event source mappings count themselves (events.mapping_metrics).

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html and .../durable-monitoring.html. Dimensions:
FunctionName, and FunctionName with Resource (the name, with the qualifier that was invoked) for invocations. AWS documents
none for the durable metrics; public dashboards show FunctionName, and none for the two approximate ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from durable_sandbox.events.async_metrics import AGE_METRIC, METRIC_NAMES, AsyncCounts
from durable_sandbox.metrics.values import Metric, Reading, counted

NAMESPACE = "AWS/Lambda"
# Quota "running executions per Region": https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html.
_MOST_RUNNING = 5_000_000
_MOST_RUNNING_IN = dict.fromkeys(("us-east-1", "us-west-2", "eu-west-1"), 10_000_000)
_ENDS = {
    "SUCCEEDED": "DurableExecutionSucceeded",
    "FAILED": "DurableExecutionFailed",
    "TIMED_OUT": "DurableExecutionTimedOut",
    "STOPPED": "DurableExecutionStopped",
}


class Invocations(Protocol):
    """Invocations of a function under one qualifier since the last reading.

    ``durations`` (one an invocation) and ``iterator_ages`` in milliseconds; ``concurrency``: the most that ran at once.
    """

    durations: list[float]
    errors: int
    throttles: int
    concurrency: int
    iterator_ages: list[float]


class Executions(Protocol):
    """Durable executions of a function since the last reading.

    ``ended``: how many by status (SUCCEEDED ...); ``durations`` in milliseconds; ``operations`` and ``bytes``: one an execution.
    """

    started: int
    ended: Counter[str]
    durations: list[float]
    operations: list[int]
    bytes: list[int]


class LambdaState(Protocol):
    """Lambda as it reads itself; ``asynchronous`` counts since the start, the rest since the last time.

    Keys: region, function and qualifier (None: none was given) of ``invocations``; region of ``peaks`` (most concurrent
    invocations) and ``running_executions``; region and function of the others.
    """

    @property
    def invocations(self) -> Mapping[tuple[str, str, str | None], Invocations]: ...  # noqa: D102 - see the service
    @property
    def peaks(self) -> Mapping[str, int]: ...  # noqa: D102
    @property
    def asynchronous(self) -> Mapping[tuple[str, str], AsyncCounts]: ...  # noqa: D102
    @property
    def executions(self) -> Mapping[tuple[str, str], Executions]: ...  # noqa: D102
    @property
    def running_executions(self) -> Mapping[str, int]: ...  # noqa: D102


class Functions(Protocol):
    """What CloudWatch asks of Lambda."""

    def read_functions(self) -> LambdaState:
        """Everything that was counted; what counts since the last time begins anew."""
        ...


class FunctionSource:
    """A ``collector.Source`` of the metrics of functions."""

    def __init__(self, functions: Functions) -> None:
        self._functions = functions
        self._told: dict[tuple[str, str, str], int] = {}
        self._regions: set[str] = set()

    def read(self) -> Iterator[Reading]:
        """What happened since the last time, and how many executions run now, by region."""
        state = self._functions.read_functions()
        for (region, name, qualifier), invocations in state.invocations.items():
            resource = f"{name}:{qualifier}" if qualifier else name
            for dimensions in ({"FunctionName": name}, {"FunctionName": name, "Resource": resource}):
                yield from _invocations(region, dimensions, invocations)
        for region, peak in state.peaks.items():
            yield _reading(region, {}, "ConcurrentExecutions", {peak: 1})
        for (region, name), events in state.asynchronous.items():
            yield from self._asynchronous(region, name, events)
        for (region, name), executions in state.executions.items():
            self._regions.add(region)
            yield from _executions(region, {"FunctionName": name}, executions)
        for region in self._regions:
            running = state.running_executions.get(region, 0)
            share = 100 * running / _MOST_RUNNING_IN.get(region, _MOST_RUNNING)
            yield _reading(region, {}, "ApproximateRunningDurableExecutions", {running: 1}, level=True)
            utilization = "ApproximateRunningDurableExecutionsUtilization"
            yield _reading(region, {}, utilization, {share: 1}, "Percent", level=True)

    def reset(self) -> None:
        """Forget what was told: Lambda counts from zero again."""
        self._told.clear()
        self._regions.clear()

    def _asynchronous(self, region: str, name: str, events: AsyncCounts) -> Iterator[Reading]:
        dimensions = {"FunctionName": name}
        for count, metric in METRIC_NAMES.items():
            total, key = getattr(events, count), (region, name, count)
            if new := total - self._told.get(key, 0):
                yield _reading(region, dimensions, metric, {new: 1})
            self._told[key] = total
        ages, events.new_ages = events.new_ages, []
        if ages:
            yield _reading(region, dimensions, AGE_METRIC, counted(ages), "Milliseconds")


def _reading(
    region: str,
    dimensions: Mapping[str, str],
    name: str,
    values: Mapping[float, float],
    unit: str = "Count",
    *,
    level: bool = False,
) -> Reading:
    return Reading(region, Metric.of(NAMESPACE, name, dimensions), unit, values, level)


def _invocations(region: str, dimensions: Mapping[str, str], counts: Invocations) -> Iterator[Reading]:
    """Errors and throttles have a sample for each invocation, so that the average of Errors is the error rate."""
    invoked = len(counts.durations)
    if invoked:
        yield _reading(region, dimensions, "Invocations", {1: invoked})
        yield _reading(region, dimensions, "Errors", _of_all(counts.errors, invoked))
        yield _reading(region, dimensions, "Duration", counted(counts.durations), "Milliseconds")
    if invoked or counts.throttles:
        yield _reading(region, dimensions, "Throttles", _of_all(counts.throttles, invoked + counts.throttles))
    if counts.concurrency:
        yield _reading(region, dimensions, "ConcurrentExecutions", {counts.concurrency: 1})
    if counts.iterator_ages:
        yield _reading(region, dimensions, "IteratorAge", counted(counts.iterator_ages), "Milliseconds")


def _of_all(ones: int, samples: int) -> dict[float, float]:
    return {value: count for value, count in ((1, ones), (0, samples - ones)) if count}


def _executions(region: str, dimensions: Mapping[str, str], counts: Executions) -> Iterator[Reading]:
    happened = {"DurableExecutionStarted": counts.started}
    happened |= {metric: counts.ended[status] for status, metric in _ENDS.items()}
    for metric, count in happened.items():
        if count:
            yield _reading(region, dimensions, metric, {1: count})
    sizes: dict[str, tuple[Sequence[float], str]] = {
        "DurableExecutionDuration": (counts.durations, "Milliseconds"),
        "DurableExecutionOperations": (counts.operations, "Count"),
        "DurableExecutionStorageWrittenBytes": (counts.bytes, "Bytes"),
    }
    for metric, (values, unit) in sizes.items():
        if values:
            yield _reading(region, dimensions, metric, counted(values), unit)
