"""How the sandbox treats time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TimePolicy:
    """``real_time``: durable waits take as long as modelled; else they are skipped and the history keeps them.

    ``time_scale`` divides the waits between Lambda's own retries (60 s and 120 s for an async event) and pollers'
    back-off; it does not touch SQS visibility timeouts or anything that a client measures.
    """

    real_time: bool = False
    time_scale: float = 60.0

    def scaled(self, seconds: float) -> float:
        """Wall seconds to wait for ``seconds`` that AWS would wait."""
        return seconds if self.real_time else seconds / self.time_scale
