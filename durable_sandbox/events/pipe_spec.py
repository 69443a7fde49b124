"""What a pipe does, and what it has done: values shared by the pipe's parts."""

from __future__ import annotations

from dataclasses import dataclass

from durable_sandbox.aws.arns import Arn
from durable_sandbox.events.filters import RecordFilter
from durable_sandbox.events.pipe_log import PipeLogConfig
from durable_sandbox.events.streams.spec import StreamSpec
from durable_sandbox.events.templates import InputTemplate, PipeVariables


class PipeStartError(Exception):
    """The pipe cannot run; the text is its StateReason."""


@dataclass(frozen=True, slots=True)
class SqsTarget:
    """``SqsQueueParameters`` of a target: templates of a message's group and deduplication id."""

    group_id: InputTemplate | None = None
    deduplication_id: InputTemplate | None = None


@dataclass(frozen=True, slots=True)
class PipeSpec:
    """A pipe's effective settings. ``stream``: how a stream is read, which has the batching too; None for a queue."""

    arn: str
    name: str
    role_arn: str
    source: Arn
    target: Arn
    batch_size: int
    batching_window: int
    record_filter: RecordFilter
    stream: StreamSpec | None = None
    enrichment: Arn | None = None
    enrichment_template: InputTemplate | None = None
    target_template: InputTemplate | None = None
    fire_and_forget: bool = False
    sqs_target: SqsTarget = SqsTarget()
    log: PipeLogConfig | None = None

    @property
    def ordered(self) -> bool:
        """Whether the source keeps an order (a stream, SQS FIFO)."""
        return self.stream is not None or self.source.resource.endswith(".fifo")

    @property
    def data_key(self) -> str | None:
        """The field of a record whose text may hold JSON; a change of DynamoDB's is JSON itself.

        https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-input-transformation.html#input-transform-implicit
        """
        return {"sqs": "body", "kinesis": "data"}.get(self.source.service)

    @property
    def asynchronous(self) -> bool:
        """Whether the target is invoked asynchronously.

        Pipes invokes synchronously for ordered sources, whatever was asked for
        (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes.html#pipes-invocation).
        """
        return self.fire_and_forget and not self.ordered

    @property
    def variables(self) -> PipeVariables:
        """Values of ``<aws.pipes.*>``."""
        enrichment = "" if self.enrichment is None else str(self.enrichment)
        return PipeVariables(self.arn, self.name, str(self.source), enrichment, str(self.target))


@dataclass(slots=True)
class PipeMetrics:
    """Counts since the pipe started, named after CloudWatch's AWS/EventBridge/Pipes metrics where there is one.

    Of a stream's events that were given up, ``events_dead_lettered`` were told to the dead-letter queue and
    ``events_dropped`` were not.
    """

    executions: int = 0
    events: int = 0
    events_filtered_out: int = 0
    executions_succeeded: int = 0
    executions_failed: int = 0
    executions_partially_failed: int = 0
    executions_throttled: int = 0
    executions_timed_out: int = 0
    enrichment_stages_failed: int = 0
    target_stages_failed: int = 0
    target_stages_skipped: int = 0
    internal_retries: int = 0
    events_dead_lettered: int = 0
    events_dropped: int = 0
