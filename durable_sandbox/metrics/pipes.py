"""AWS/EventBridge/Pipes.

Names, units and dimensions: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-monitoring.html. Not
measured here: Duration, the stages' durations and EventSize.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Protocol

from durable_sandbox.events.pipe_spec import PipeMetrics
from durable_sandbox.metrics.values import Metric, Reading

NAMESPACE = "AWS/EventBridge/Pipes"
_NAMES = {
    "executions": "Invocations",
    "events": "EventCount",
    "executions_failed": "ExecutionFailed",
    "executions_partially_failed": "ExecutionPartiallyFailed",
    "executions_throttled": "ExecutionThrottled",
    "executions_timed_out": "ExecutionTimeout",
    "enrichment_stages_failed": "EnrichmentStageFailed",
    "target_stages_failed": "TargetStageFailed",
    "target_stages_skipped": "TargetStageSkipped",
}
_OF_THE_ACCOUNT_TOO = frozenset({"executions", "executions_throttled"})


class Pipe(Protocol):
    """A pipe with what it has counted since it was created; ``in_flight``: batches being processed now."""

    @property
    def region(self) -> str: ...  # noqa: D102 - as the others
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def in_flight(self) -> int: ...  # noqa: D102
    @property
    def metrics(self) -> PipeMetrics: ...  # noqa: D102


class Pipes(Protocol):
    """What CloudWatch asks of EventBridge Pipes."""

    def pipes(self) -> Iterable[Pipe]:
        """Every pipe of every region, stopped ones too."""
        ...


class PipeSource:
    """A source of readings. A pipe's metrics come together, zeros too, whenever one of them has grown."""

    def __init__(self, pipes: Pipes, account: str) -> None:
        self._pipes = pipes
        self._account = account
        self._told: dict[tuple[str, str], dict[str, int]] = {}

    def read(self) -> Iterator[Reading]:
        """What there is to say now."""
        of_account: dict[tuple[str, str], Counter[str]] = {}
        concurrency: Counter[str] = Counter()
        told, self._told = self._told, {}
        for pipe in self._pipes.pipes():
            key = (pipe.region, pipe.name)
            concurrency[pipe.region] += pipe.in_flight
            total = {count: getattr(pipe.metrics, count) for count in _NAMES}
            before = told.get(key, {})
            if any(total[count] < before.get(count, 0) for count in _NAMES):
                before = {}  # deleted and created again
            self._told[key] = total
            new = Counter({count: total[count] - before.get(count, 0) for count in _NAMES})
            if any(new.values()):
                of_account.setdefault((pipe.region, self._account), Counter()).update(new)
                for count, name in _NAMES.items():
                    yield _reading(pipe.region, "PipeName", pipe.name, name, new[count])
        for (region, account), new in of_account.items():
            for count in _OF_THE_ACCOUNT_TOO:
                yield _reading(region, "AwsAccountId", account, _NAMES[count], new[count])
        for region, in_flight in concurrency.items():
            yield _reading(region, "AwsAccountId", self._account, "Concurrency", in_flight, level=True)

    def reset(self) -> None:
        """Forget everything."""
        self._told.clear()


def _reading(region: str, dimension: str, of: str, name: str, value: float, *, level: bool = False) -> Reading:
    return Reading(region, Metric(NAMESPACE, name, ((dimension, of),)), "None", {value: 1}, level)
