"""AWS/Kinesis, as far as it is measured: how far readers are behind.

https://docs.aws.amazon.com/streams/latest/dev/monitoring-with-cloudwatch.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from durable_sandbox.metrics.values import Metric, Reading

NAMESPACE = "AWS/Kinesis"
_AGE = "GetRecords.IteratorAgeMilliseconds"


class StreamSource:
    """A source of readings. ``loaded`` tells whether moto's modules are there; until then there is no stream."""

    def __init__(self, account: str, loaded: Callable[[], bool]) -> None:
        self._account = account
        self._loaded = loaded

    def read(self) -> Iterator[Reading]:
        """Of each stream that was read, the most that a reader was behind."""
        if not self._loaded():
            return
        from moto.kinesis.models import kinesis_backends  # noqa: PLC0415 - loaded by now

        for region, backend in list(kinesis_backends[self._account].items()):
            for stream in list(backend.streams.values()):
                behind = stream.take_behind()
                if behind is not None:
                    metric = Metric(NAMESPACE, _AGE, (("StreamName", stream.stream_name),))
                    yield Reading(region, metric, "Milliseconds", {behind: 1}, level=True)

    def reset(self) -> None:
        """Forget nothing: the streams keep all of it."""
