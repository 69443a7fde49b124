"""What CloudWatch counts of durable executions.

Names: https://docs.aws.amazon.com/lambda/latest/dg/durable-monitoring.html. Operations and bytes are cumulative values of
one execution; here each execution that has grown is a sample. Duration is modelled time, as the history shows it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from aws_durable_execution_sdk_python_testing.execution import Execution

from durable_sandbox.durable.ports import StatusListener

_RUNNING = "RUNNING"


@dataclass(slots=True)
class ExecutionCounts:
    """``ended``: how many by status. ``durations`` in milliseconds; ``operations`` and ``bytes`` an execution."""

    started: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    durations: list[float] = field(default_factory=list)
    operations: list[int] = field(default_factory=list)
    bytes: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _Progress:
    """Of a running execution, how much of it was looked at."""

    execution: Execution
    updates: int = -1
    bytes: int = 0


class DurableCounts:
    """A StatusListener that counts, then tells ``following``."""

    def __init__(self, following: StatusListener) -> None:
        self._following = following
        self._counts: dict[tuple[str, str], ExecutionCounts] = {}
        self._running: dict[str, _Progress] = {}

    def status_changed(self, execution: Execution) -> None:
        """Count a start or an end."""
        arn, status = execution.durable_execution_arn, execution.current_status().value
        counts = self._of(execution)
        if status == _RUNNING:
            counts.started += 1
            self._running[arn] = _Progress(execution)
        else:
            counts.ended[status] += 1
            operation = execution.get_operation_execution_started()
            lasted = operation.end_timestamp - operation.start_timestamp
            counts.durations.append(lasted.total_seconds() * 1000)
            self._sample(self._running.pop(arn, _Progress(execution)))
        self._following.status_changed(execution)

    def reset(self) -> None:
        """Forget everything."""
        self._counts.clear()
        self._running.clear()
        self._following.reset()

    def running(self) -> dict[str, int]:
        """Executions that run now, by region."""
        return Counter(progress.execution.region for progress in self._running.values())

    def take(self) -> dict[tuple[str, str], ExecutionCounts]:
        """By region and function what was counted since the last time; running executions that have grown included."""
        for progress in self._running.values():
            self._sample(progress)
        counts, self._counts = self._counts, {}
        return counts

    def _of(self, execution: Execution) -> ExecutionCounts:
        key = (execution.region, execution.start_input.function_name)
        return self._counts.setdefault(key, ExecutionCounts())

    def _sample(self, progress: _Progress) -> None:
        execution, seen = progress.execution, progress.updates
        if len(execution.updates) == seen:
            return
        if seen < 0:
            seen, progress.bytes = 0, len((execution.start_input.input or "").encode())
        progress.bytes += sum(len((update.payload or "").encode()) for update in execution.updates[seen:])
        progress.updates = len(execution.updates)
        counts = self._of(execution)
        counts.operations.append(len(execution.operations))
        counts.bytes.append(progress.bytes)
