"""What CloudWatch counts of invocations.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html: an invocation is one whose code ran, however
it ended; a throttle is neither invocation nor error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from durable_sandbox.aws.errors import AwsError
from durable_sandbox.durable.counts import ExecutionCounts
from durable_sandbox.events.async_metrics import AsyncCounts
from durable_sandbox.runtime.spec import InvocationOutcome

_TOO_MANY = 429


@dataclass(slots=True)
class InvocationCounts:
    """``durations`` in milliseconds, one an invocation. ``concurrency``: the most that ran at once."""

    durations: list[float] = field(default_factory=list)
    errors: int = 0
    throttles: int = 0
    concurrency: int = 0
    iterator_ages: list[float] = field(default_factory=list)


Key = tuple[str, str, str | None]
"""Region, function and the qualifier that was invoked."""


@dataclass(frozen=True, slots=True)
class LambdaReading:
    """All of Lambda for CloudWatch. ``asynchronous`` counts since the sandbox started, the rest since the last reading.

    ``peaks`` and ``running_executions`` are by region, what has two keys by region and function.
    """

    invocations: Mapping[Key, InvocationCounts]
    peaks: Mapping[str, int]
    asynchronous: Mapping[tuple[str, str], AsyncCounts]
    executions: Mapping[tuple[str, str], ExecutionCounts]
    running_executions: Mapping[str, int]


class FunctionCounts:
    """Since they were last taken."""

    def __init__(self) -> None:
        self._counts: dict[Key, InvocationCounts] = {}
        self._handling: Counter[Key] = Counter()
        self._running: dict[str, int] = {}
        self._peaks: dict[str, int] = {}

    def of(self, region: str, name: str, qualifier: str | None) -> InvocationCounts:
        """The counts of a function under a qualifier."""
        return self._counts.setdefault((region, name, qualifier), InvocationCounts())

    @contextmanager
    def running(self, region: str, name: str, qualifier: str | None, concurrency: int) -> Iterator[None]:
        """An event is handled, the ``concurrency``-th at once of its function."""
        counts, key = self.of(region, name, qualifier), (region, name, qualifier)
        counts.concurrency = max(counts.concurrency, concurrency)
        self._handling[key] += 1
        running = self._running[region] = self._running.get(region, 0) + 1
        self._peaks[region] = max(self._peaks.get(region, 0), running)
        try:
            yield
        finally:
            self._handling[key] -= 1
            self._running[region] -= 1

    def ran(self, region: str, name: str, qualifier: str | None, outcome: InvocationOutcome) -> None:
        """Count an invocation."""
        counts = self.of(region, name, qualifier)
        counts.durations.append(outcome.duration_ms)
        counts.errors += outcome.function_error is not None

    def refused(self, region: str, name: str, qualifier: str | None, error: AwsError) -> None:
        """Count a throttle, if it is one."""
        if error.status == _TOO_MANY:
            self.of(region, name, qualifier).throttles += 1

    def take(self) -> dict[Key, InvocationCounts]:
        """What was counted, to begin anew with the events that are being handled: long ones count all the time."""
        counts, self._counts = self._counts, {}
        self._handling = +self._handling  # drops those without any
        of_function: Counter[tuple[str, str]] = Counter()
        for (region, name, _), handling in self._handling.items():
            of_function[region, name] += handling
        for region, name, qualifier in self._handling:
            self.of(region, name, qualifier).concurrency = of_function[region, name]
        return counts

    def take_peaks(self) -> dict[str, int]:
        """By region, the most events that were handled at once, over all functions; only where there were any."""
        peaks, self._peaks = self._peaks, {region: running for region, running in self._running.items() if running}
        return peaks

    def clear(self) -> None:
        """Forget what was counted; what runs still ends."""
        self._counts.clear()
        self._peaks.clear()
