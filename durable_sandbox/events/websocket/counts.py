"""What API Gateway counts of a WebSocket API, by route.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-logging.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(slots=True)
class RouteCounts:
    """Since the API's first connection. ``latencies``: milliseconds of integrations since they were last taken."""

    connects: int = 0
    messages: int = 0
    client_errors: int = 0
    integration_errors: int = 0
    execution_errors: int = 0
    latencies: list[float] = field(default_factory=list)

    def take_latencies(self) -> list[float]:
        """Those that nobody has taken yet."""
        taken, self.latencies = self.latencies, []
        return taken


class Counts:
    """Counts by region, API, stage and route."""

    def __init__(self) -> None:
        self._routes: dict[tuple[str, str, str, str], RouteCounts] = {}

    def of(self, region: str, api_id: str, stage: str, route: str) -> RouteCounts:
        """The counts of a route, to be raised."""
        return self._routes.setdefault((region, api_id, stage, route), RouteCounts())

    def __iter__(self) -> Iterator[tuple[tuple[str, str, str, str], RouteCounts]]:
        return iter(list(self._routes.items()))

    def clear(self) -> None:
        """Forget everything."""
        self._routes.clear()
