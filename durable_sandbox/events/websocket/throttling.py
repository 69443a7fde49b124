"""Token buckets, one a route of a stage.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html: a token a request,
``rate`` tokens a second, ``burst`` tokens at most.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from durable_sandbox.events.websocket.deployed import Throttle


@dataclass(slots=True)
class _Bucket:
    limits: Throttle
    tokens: float
    filled_at: float


class Throttles:
    """The buckets, filled when they are first used and again when their limits change."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._buckets: dict[tuple[str, str, str], _Bucket] = {}

    def take(self, api_id: str, stage: str, route: str, limits: Throttle) -> bool:
        """Take a token; False if there is none, and the request is to be refused."""
        if limits.rate is None and limits.burst is None:
            return True
        burst = float(limits.burst if limits.burst is not None else max(1.0, limits.rate or 0.0))
        now, key = self._now(), (api_id, stage, route)
        bucket = self._buckets.get(key)
        if bucket is None or bucket.limits != limits:
            bucket = self._buckets[key] = _Bucket(limits, burst, now)
        refill = burst if limits.rate is None else (now - bucket.filled_at) * limits.rate
        bucket.tokens, bucket.filled_at = min(burst, bucket.tokens + refill), now
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True

    def clear(self) -> None:
        """Forget every bucket."""
        self._buckets.clear()
