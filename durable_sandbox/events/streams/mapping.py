"""The poller of an event source mapping with a Kinesis or DynamoDB stream.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html, .../with-ddb.html and their sub-pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from durable_sandbox.aws.call import Api
from durable_sandbox.aws.clock import TimePolicy
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.aws.identity import Identities
from durable_sandbox.events.mapping_calls import FunctionLookup, MappingCalls, Problems
from durable_sandbox.events.mapping_metrics import MetricsPublisher
from durable_sandbox.events.streams.consumer import StreamConsumer
from durable_sandbox.events.streams.delivery import FunctionTarget
from durable_sandbox.events.streams.destination import FailureDestination
from durable_sandbox.events.streams.reader import ReadCall, stream_reader
from durable_sandbox.events.streams.records import RecordOrigin
from durable_sandbox.events.streams.spec import (
    METRIC_NAMES,
    StreamCounts,
    StreamMappingSpec,
    StreamSamples,
    StreamSpec,
)


class StreamMappingPoller:
    """Polls from ``start`` to ``pause``, as often as wanted; each time where the last one left off."""

    def __init__(
        self,
        spec: StreamMappingSpec,
        *,
        api: Api,
        identities: Identities,
        time: TimePolicy,
        function: FunctionLookup,
    ) -> None:
        self.counts = StreamCounts()
        self._samples = StreamSamples()
        self._factor = spec.stream.parallelization_factor
        self._problems = Problems(f"mapping {spec.uuid}")
        self._calls = MappingCalls(api, identities, time, function)
        self._metrics = MetricsPublisher(self._calls, spec.stream.source.region, spec.uuid, self.counts, METRIC_NAMES)
        self._consumer = StreamConsumer(time, self._problems, polled=self._polled, filtered_out=self._filtered_out)

    @property
    def in_flight(self) -> int:
        """Batches being processed."""
        return self._consumer.busy

    @property
    def concurrency(self) -> int:
        """Batches that may be in flight now: shards x parallelization factor."""
        return self._consumer.shards * self._factor

    @property
    def problem(self) -> str | None:
        """What keeps the mapping from working, if anything does."""
        return self._problems.text

    def take_samples(self) -> StreamSamples:
        """What happened since the last time."""
        samples = StreamSamples(self._samples.ages.copy(), self._samples.undelivered)
        self._samples.ages.clear()
        self._samples.undelivered = 0
        return samples

    def start(self, spec: StreamMappingSpec) -> None:
        """Poll as ``spec`` says."""
        self._factor = spec.stream.parallelization_factor
        if spec.publish_metrics:
            self._metrics.start()
        origin = RecordOrigin(spec.stream.source, self._role())
        reader = stream_reader(spec.stream, self._read(spec.stream), origin)
        destination = None
        if spec.stream.on_failure is not None:
            destination = FailureDestination(
                spec.uuid, spec.function_arn, spec.stream, spec.stream.on_failure, self._calls
            )
        target = FunctionTarget(spec, self._calls, self.counts, self._problems, destination, self._samples)
        self._consumer.start(spec.stream, reader, target)

    async def pause(self) -> None:
        """Read nothing more and return when the batches being tried have their answer; the rest waits."""
        await self._consumer.stop()
        await self._metrics.stop(last_time=True)

    async def drain(self) -> None:
        """Return when nothing is in flight; a pause has seen to that."""

    async def abort(self) -> None:
        """End everything now."""
        await self._consumer.abort()
        await self._metrics.stop(last_time=False)

    def _role(self) -> str:
        """The function's role; a function that is gone is a problem of every read, and no reason not to try."""
        try:
            return self._calls.function().role_arn
        except AwsError as error:
            self._problems.note("read", f"{error.code}: {error.message}")
            return ""

    def _read(self, stream: StreamSpec) -> ReadCall:
        region = stream.source.region

        async def call(service: str, operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
            return await self._calls.as_role(region, service, operation, params)

        return call

    def _polled(self, count: int) -> None:
        self.counts.polled += count

    def _filtered_out(self, count: int) -> None:
        self.counts.filtered_out += count
