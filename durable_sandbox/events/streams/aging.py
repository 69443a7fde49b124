"""How old a record is, in a sandbox that shortens the waits between tries."""

from __future__ import annotations

import bisect
import time
from collections.abc import Callable


class LaneAge:
    """Ages of a lane's records: what the clock says, and the back-off that was skipped since they arrived.

    So MaximumRecordAgeInSeconds ends a record after as many tries as on AWS, at any time scale, while a record that only
    waited for its turn ages as its sender sees it.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._at: list[float] = []
        self._skipped: list[float] = []

    def skip(self, seconds: float) -> None:
        """A wait was shortened by ``seconds``."""
        if seconds > 0:
            self._at.append(self._now())
            self._skipped.append((self._skipped[-1] if self._skipped else 0.0) + seconds)

    def of(self, arrived: float) -> float:
        """Age in seconds of a record that arrived at ``arrived`` (epoch seconds)."""
        total = self._skipped[-1] if self._skipped else 0.0
        before = bisect.bisect_right(self._at, arrived)
        return self._now() - arrived + total - (self._skipped[before - 1] if before else 0.0)

    def forget(self) -> None:
        """No record is left that a wait has aged."""
        self._at.clear()
        self._skipped.clear()
