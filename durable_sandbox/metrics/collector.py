"""Puts what the services count to CloudWatch."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from durable_sandbox.aws.call import Api
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.aws.identity import Identities
from durable_sandbox.metrics.values import Metric, Reading

logger = logging.getLogger(__name__)

_DATA_PER_CALL = 1000
"""https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html"""
_REPEAT_SECONDS = 60


class Source(Protocol):
    """A service's metrics, asked for by the Collector."""

    def read(self) -> Iterable[Reading]:
        """What happened since the last time, and levels (``Reading.level``) as they are now; each by region and metric."""
        ...

    def reset(self) -> None:
        """Forget what was told: the service has been emptied and counts from zero."""
        ...


class Collector:
    """Reads all sources. ``watched`` gives a region's metrics that alarms look at.

    A level is put when it has changed, every minute while it is not zero, and always while an alarm watches it: so an idle
    sandbox puts nothing.
    """

    def __init__(
        self,
        api: Api,
        identities: Identities,
        sources: Sequence[Source],
        watched: Callable[[str], Collection[Metric]],
    ) -> None:
        self._api = api
        self._identities = identities
        self._sources = sources
        self._watched = watched
        self._told: dict[tuple[str, Metric], tuple[Mapping[float, float], float]] = {}

    def reset(self) -> None:
        """Forget what was put, and have the sources do so: the services have been emptied."""
        self._told.clear()
        for source in self._sources:
            source.reset()

    async def collect(self, at: datetime) -> int:
        """Put what is new, or a level to be repeated, with the time ``at``; returns how many elements of MetricData."""
        told, self._told = self._told, {}
        data: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
        watched: dict[str, Collection[Metric]] = {}
        for reading in (reading for source in self._sources for reading in source.read()):
            if reading.region not in watched:
                watched[reading.region] = self._watched(reading.region)
            key = (reading.region, reading.metric)
            last = told.get(key)
            if reading.level and reading.metric not in watched[reading.region] and not _news(reading, last, at):
                if last is not None:
                    self._told[key] = last
                continue
            self._told[key] = (reading.values, at.timestamp())
            data.setdefault((reading.region, reading.metric.namespace), []).extend(reading.data(at))
        for (region, namespace), elements in data.items():
            await self._put(region, namespace, elements)
        return sum(map(len, data.values()))

    async def _put(self, region: str, namespace: str, data: Sequence[Mapping[str, Any]]) -> None:
        # One service's own call each: a namespace is a parameter of the call, not of the datum.
        caller = self._identities.root(f"{namespace.rpartition('/')[2].lower()}.amazonaws.com")
        for start in range(0, len(data), _DATA_PER_CALL):
            params = {"Namespace": namespace, "MetricData": data[start : start + _DATA_PER_CALL]}
            try:
                await self._api.call(caller, region, "cloudwatch", "PutMetricData", params)
            except AwsError as error:
                logger.error(  # noqa: TRY400 - the refusal says all; a traceback would hide it
                    "%d data of %s are lost: %s: %s", len(params["MetricData"]), namespace, error.code, error.message
                )


def _news(reading: Reading, last: tuple[Mapping[float, float], float] | None, at: datetime) -> bool:
    if last is None:
        return not reading.empty
    values, told = last
    return values != reading.values or (not reading.empty and at.timestamp() - told >= _REPEAT_SECONDS)
