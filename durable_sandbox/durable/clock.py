"""A clock for each execution.

Skipping a wait moves time forward for the execution that waits and for no other: the engine's own SkipClock is one for
all, so a held message would age every execution that runs beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta

_NONE = timedelta(0)


class ExecutionClock:
    """The engine's Clock protocol, for the execution named by ``during``. ``real_time``: nothing is skipped."""

    def __init__(self, *, real_time: bool) -> None:
        self.real_time = real_time
        self._skipped: dict[str, timedelta] = {}
        self._current: ContextVar[str | None] = ContextVar("durable_execution", default=None)

    @contextmanager
    def during(self, execution_arn: str) -> Iterator[None]:
        """Read the clock of ``execution_arn`` inside the block."""
        token = self._current.set(execution_arn)
        try:
            yield
        finally:
            self._current.reset(token)

    def now(self) -> datetime:
        """Modelled time, aware."""
        return datetime.now(UTC) + self._skipped.get(self._current.get() or "", _NONE)

    def arm(self, wake: datetime) -> float:
        """Wall seconds until ``wake``. Skipping, the clock jumps there and the answer is 0."""
        gap = wake - self.now()
        if gap <= _NONE:
            return 0.0
        if self.real_time:
            return gap.total_seconds()
        self.skip(gap)
        return 0.0

    def skip(self, gap: timedelta) -> None:
        """Move the current execution's time forward."""
        arn = self._current.get() or ""
        self._skipped[arn] = self._skipped.get(arn, _NONE) + gap

    def skipped(self, execution_arn: str) -> timedelta:
        """How far the execution's time is ahead of the wall's."""
        return self._skipped.get(execution_arn, _NONE)

    def align(self, execution_arn: str, other_arn: str) -> None:
        """Bring ``execution_arn`` at least to the time of ``other_arn``: a child starts when its parent calls it."""
        other = self._skipped.get(other_arn, _NONE)
        if other > self._skipped.get(execution_arn, _NONE):
            self._skipped[execution_arn] = other

    def forget(self, execution_arns: Iterable[str]) -> None:
        """Drop the clocks of executions that are no more."""
        for arn in execution_arns:
            self._skipped.pop(arn, None)
