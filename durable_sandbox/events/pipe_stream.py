"""The poller of a pipe with a stream source: a Kinesis stream, a consumer of one, or a DynamoDB stream.

Sources: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-kinesis.html, .../eb-pipes-dynamodb.html,
.../eb-pipes-error-troubleshooting.html. A failure that is the customer's is a try; one that is AWS's own, and a throttle,
are none: the batch waits until its age ends it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from durable_sandbox.aws.access import Access
from durable_sandbox.aws.call import Api
from durable_sandbox.aws.clock import TimePolicy
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.aws.identity import Identities
from durable_sandbox.events.failures import Failure, kind_of
from durable_sandbox.events.mapping_calls import Problems
from durable_sandbox.events.pipe_calls import LOG, PipeCalls
from durable_sandbox.events.pipe_dead_letters import PipeDeadLetters
from durable_sandbox.events.pipe_execution import Outcome as Execution
from durable_sandbox.events.pipe_execution import PipeExecution, identifier
from durable_sandbox.events.pipe_log import PipeLogSink
from durable_sandbox.events.pipe_spec import PipeMetrics, PipeSpec, PipeStartError
from durable_sandbox.events.pipe_stream_access import StreamAccess, dead_letter_refusal, stream_refusal
from durable_sandbox.events.streams.batches import Outcome, Result
from durable_sandbox.events.streams.consumer import StreamConsumer
from durable_sandbox.events.streams.lane import GivenUp
from durable_sandbox.events.streams.reader import stream_reader
from durable_sandbox.events.streams.records import RecordOrigin, StreamRecord
from durable_sandbox.events.streams.spec import StreamSpec

_GONE = "ResourceNotFoundException"
_GONE_TRIES = 5
# The lane waits between tries, so that a record's age counts; the execution itself does not.
_NO_PATIENCE = 0.0


def position_of(pipe: str, time: TimePolicy, metrics: PipeMetrics) -> StreamConsumer:
    """What remembers how far a pipe has read, from one poller of the pipe to its next."""

    def polled(count: int) -> None:
        """Executions count what they get; AWS has no metric of what was read."""

    def filtered_out(count: int) -> None:
        metrics.events_filtered_out += count

    return StreamConsumer(time, Problems(f"pipe {pipe}"), polled=polled, filtered_out=filtered_out)


class StreamPipePoller:
    """Polls from ``start`` to ``stop``, from ``position`` on. ``on_fatal`` is told why, once, if the pipe cannot go on."""

    def __init__(
        self,
        spec: PipeSpec,
        stream: StreamSpec,
        position: StreamConsumer,
        *,
        api: Api,
        identities: Identities,
        access: Access,
        time: TimePolicy,
        metrics: PipeMetrics,
        sink: PipeLogSink | None,
        on_fatal: Callable[[str], None],
    ) -> None:
        _, caller = identities.assume(spec.role_arn, f"pipes-{spec.name}"[:64])
        self._spec = spec
        self._stream = stream
        self._position = position
        self._on_fatal = on_fatal
        self._calls = PipeCalls(api, caller, identities.root(), time, metrics)
        self._access = StreamAccess(stream, self._calls, access, caller)
        self._execution = PipeExecution(spec, self._calls, metrics, sink)
        self._dead_letters = PipeDeadLetters(spec.arn, stream, self._calls, metrics)
        self._fatal = False
        self._gone = 0

    @property
    def in_flight(self) -> int:
        """Batches being processed."""
        return self._position.busy

    async def start(self) -> None:
        """Check source and dead-letter queue and begin to poll. Raises PipeStartError."""
        refusal = await self._access.refusal()
        if refusal is not None:
            raise PipeStartError(refusal)
        origin = RecordOrigin(self._stream.source, self._spec.role_arn, flat=True)
        self._position.start(self._stream, stream_reader(self._stream, self._read, origin), self)

    async def stop(self) -> None:
        """End polling; return when the batches being tried have their answer. The rest waits for the next poller."""
        self._calls.stopping = True
        await self._position.stop()

    async def abort(self) -> None:
        """End everything now, batches in flight too."""
        self._calls.stopping = True
        await self._position.abort()

    # --- the target of the stream's batches -----------------------------------------------------------------------

    async def deliver(
        self, shard_id: str, records: Sequence[StreamRecord], window: Mapping[str, Any] | None = None
    ) -> Outcome:
        """Execute the pipe once."""
        del window  # a mapping's
        if self._fatal:
            return Outcome(Result.NOT_RUN)
        execution = await self._execution.run([record.event for record in records], _NO_PATIENCE)
        if execution.error is not None:
            LOG.info("pipe %s, %s: %s", self._spec.name, shard_id, execution.error)
        if execution.fatal is not None:
            self._stop_for(execution.fatal)
        return _outcome(execution, records)

    async def give_up(self, given_up: GivenUp) -> None:
        """Tell the dead-letter queue. One that refuses the role would lose the next batch as well: the pipe stops."""
        refusal, target = await self._dead_letters.put(given_up), self._stream.on_failure
        if refusal is not None and target is not None and kind_of(refusal) is Failure.PERMISSION:
            self._stop_for(dead_letter_refusal(target, refusal))

    # --- inside -------------------------------------------------------------------------------------------------

    async def _read(self, service: str, operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """A call of the reader's. Raises AwsError; one that will not end by itself stops the pipe."""
        try:
            answer = await self._calls.call(self._stream.source.region, service, operation, params)
        except AwsError as error:
            self._gone = self._gone + 1 if error.code == _GONE else 0
            if kind_of(error) is Failure.PERMISSION or self._gone >= _GONE_TRIES:
                self._stop_for(stream_refusal(self._stream.source, error))
            raise
        self._gone = 0
        return answer

    def _stop_for(self, reason: str) -> None:
        if not self._fatal:
            self._fatal = True
            self._calls.stopping = True
            LOG.warning("pipe %s stops: %s", self._spec.name, reason)
            self._on_fatal(reason)


def _outcome(execution: Execution, records: Sequence[StreamRecord]) -> Outcome:
    """What an execution means for the batch: the lowest record that is not done is where the next try begins."""
    if execution.fatal is not None or execution.kind in (Failure.INTERNAL, Failure.THROTTLE):
        return Outcome(Result.NOT_RUN)
    open_ = [place for place, record in enumerate(records) if identifier(record.event) not in execution.handled]
    if not open_:
        return Outcome(Result.HANDLED)
    return Outcome(Result.PARTIAL, open_[0]) if execution.handled else Outcome(Result.FAILED)
