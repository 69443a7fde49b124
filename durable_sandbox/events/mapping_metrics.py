"""A mapping's EventCount metrics, to CloudWatch.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html#event-source-mapping-metrics
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from durable_sandbox.aws.errors import AwsError
from durable_sandbox.events.mapping_calls import LOG, MappingCalls

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

NAMESPACE = "AWS/Lambda"
_INTERVAL_S = 5.0
_IDLE_INTERVALS = 12


class MetricsPublisher:
    """Sends what was counted since the last time, every few seconds; zeros once a minute while there is nothing.

    ``names``: field of ``counts`` -> metric.
    """

    def __init__(
        self, calls: MappingCalls, region: str, uuid: str, counts: DataclassInstance, names: Mapping[str, str]
    ) -> None:
        self._calls = calls
        self._region = region
        self._dimensions = [{"Name": "EventSourceMappingUUID", "Value": uuid}]
        self._counts = counts
        self._names = names
        self._sent = asdict(counts)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Publish what is counted from now on."""
        if self._task is None:
            self._sent = asdict(self._counts)
            self._task = asyncio.create_task(self._run())

    async def stop(self, *, last_time: bool) -> None:
        """End; ``last_time``: send what is left."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        await asyncio.wait({task})
        if last_time and self._news():
            await self._publish()

    async def _run(self) -> None:
        idle = 0
        while True:
            await asyncio.sleep(_INTERVAL_S)
            idle = 0 if self._news() else idle + 1
            if idle % _IDLE_INTERVALS == 0:
                await self._publish()

    def _news(self) -> bool:
        return asdict(self._counts) != self._sent

    async def _publish(self) -> None:
        now, counted = datetime.now(UTC), asdict(self._counts)
        data: list[dict[str, Any]] = [
            {
                "MetricName": metric,
                "Dimensions": self._dimensions,
                "Timestamp": now,
                "Value": float(counted[name] - self._sent[name]),
                "Unit": "Count",
            }
            for name, metric in self._names.items()
        ]
        params = {"Namespace": NAMESPACE, "MetricData": data}
        try:
            await self._calls.own(self._region, "cloudwatch", "PutMetricData", params)
        except AwsError as error:
            LOG.warning("metrics of a mapping are late: %s: %s", error.code, error.message)
            return
        self._sent = counted
