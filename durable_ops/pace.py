"""At most so many a second, on however many threads."""

from __future__ import annotations

import threading
import time


class Pace:
    """``turn`` comes ``rate`` times a second, evenly; None: at once."""

    def __init__(self, rate: int | None, stop: threading.Event) -> None:
        self._interval = 0.0 if rate is None else 1 / rate
        self._stop = stop
        self._lock = threading.Lock()
        self._next = 0.0

    def turn(self) -> bool:
        """Wait for the next turn; False if there is none any more, because it was said to stop."""
        with self._lock:
            now = time.monotonic()
            at = max(self._next, now)
            self._next = at + self._interval
        self._stop.wait(at - now)
        return not self._stop.is_set()
