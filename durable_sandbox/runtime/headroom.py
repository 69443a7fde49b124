"""Whether the machine has idle processors."""

from __future__ import annotations

import time

import psutil

BUSY_PERCENT = 80.0
_SAMPLE_SECONDS = 0.25


class Headroom:
    """Samples the processors' load, at most four times a second."""

    def __init__(self) -> None:
        psutil.cpu_percent()
        self._sampled = time.monotonic()
        self._percent = 0.0

    def exists(self) -> bool:
        """Whether the processors were less than 80 % busy lately."""
        now = time.monotonic()
        if now - self._sampled >= _SAMPLE_SECONDS:
            self._percent = psutil.cpu_percent()
            self._sampled = now
        return self._percent < BUSY_PERCENT
