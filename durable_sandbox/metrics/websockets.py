"""AWS/ApiGateway, of WebSocket APIs.

Names, units and dimensions: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-logging.html:
of an API, of a stage, and of a route (there only with detailed metrics, which the sandbox always has).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from durable_sandbox.events.websocket.counts import Counts, RouteCounts
from durable_sandbox.metrics.values import Metric, Reading, counted

NAMESPACE = "AWS/ApiGateway"
_LATENCY = "IntegrationLatency"
_NAMES = {
    "connects": "ConnectCount",
    "messages": "MessageCount",
    "client_errors": "ClientError",
    "integration_errors": "IntegrationError",
    "execution_errors": "ExecutionError",
}
_Dimensions = tuple[tuple[str, str], ...]
_Scope = tuple[str, _Dimensions]
"""Region and dimensions."""


class WebSockets(Protocol):
    """What CloudWatch asks of WebSocket APIs; ``counts``: by region, API, stage and route, since the start."""

    @property
    def counts(self) -> Counts: ...  # noqa: D102 - what it says


class WebSocketSource:
    """A source of readings: of each scope, what has grown, with the other counts at zero."""

    def __init__(self, sockets: WebSockets) -> None:
        self._sockets = sockets
        self._told: dict[tuple[str, str, str, str], dict[str, int]] = {}

    def read(self) -> Iterator[Reading]:
        """What happened since the last time."""
        new: dict[_Scope, dict[str, int]] = {}
        latencies: dict[_Scope, list[float]] = {}
        for key, counts in self._sockets.counts:
            grown, taken = self._grown(key, counts), counts.take_latencies()
            if not any(grown.values()) and not taken:
                continue
            for scope in _scopes(*key):
                sums = new.setdefault(scope, dict.fromkeys(_NAMES, 0))
                for name, number in grown.items():
                    sums[name] += number
                latencies.setdefault(scope, []).extend(taken)
        for (region, dimensions), sums in new.items():
            for count, name in _NAMES.items():
                yield Reading(region, Metric(NAMESPACE, name, dimensions), "Count", {sums[count]: 1})
            values = counted(latencies[region, dimensions])
            if values:
                yield Reading(region, Metric(NAMESPACE, _LATENCY, dimensions), "Milliseconds", values)

    def reset(self) -> None:
        """Forget everything."""
        self._told.clear()

    def _grown(self, key: tuple[str, str, str, str], counts: RouteCounts) -> dict[str, int]:
        total = {name: getattr(counts, name) for name in _NAMES}
        before, self._told[key] = self._told.get(key, {}), total
        return {name: number - before.get(name, 0) for name, number in total.items()}


def _scopes(region: str, api_id: str, stage: str, route: str) -> Iterator[_Scope]:
    """Sorted, as a Metric's dimensions are."""
    yield region, (("ApiId", api_id),)
    yield region, (("ApiId", api_id), ("Stage", stage))
    yield region, (("ApiId", api_id), ("Route", route), ("Stage", stage))
