"""The dead-letter queue of a pipe with a stream: where a batch that is given up leaves a trace.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-error-troubleshooting.html (Pipe DLQ behavior): an SQS
queue or an SNS topic, neither of them FIFO. The page does not show the message. Its members are those of messages that AWS
sent, as found in public repositories by the word partnerResourceArn (one a Kinesis, one a DynamoDB stream's): the same
``KinesisBatchInfo`` or ``DDBStreamBatchInfo`` as an event source mapping, ``context`` in place of ``requestContext``, and no
``responseContext``. RecordAgeExceeded as a condition is a mapping's (inference).
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

from durable_sandbox.aws.arns import Arn
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.events.pipe_calls import LOG, PipeCalls
from durable_sandbox.events.pipe_spec import PipeMetrics
from durable_sandbox.events.streams.destination import batch_info, delivery, timestamp
from durable_sandbox.events.streams.lane import GivenUp
from durable_sandbox.events.streams.spec import StreamSpec

# Faults of the service itself are retried for so long; AWS gives no time.
_PATIENCE_S = 10.0


class PipeDeadLetters:
    """Tells the queue or topic of ``stream``, if it has one; else, as on AWS, what is given up is dropped."""

    def __init__(self, pipe_arn: str, stream: StreamSpec, calls: PipeCalls, metrics: PipeMetrics) -> None:
        self._pipe_arn = pipe_arn
        self._stream = stream
        self._calls = calls
        self._metrics = metrics

    async def put(self, given_up: GivenUp) -> AwsError | None:
        """Deliver; the refusal, if that is what became of it. The batch is lost then."""
        size, target = len(given_up.batch.records), self._stream.on_failure
        refusal = None
        if target is None:
            LOG.warning("%s: %s, dropped: %d records", self._pipe_arn, given_up.condition, size)
        else:
            try:
                await self._send(target, given_up)
            except AwsError as error:
                LOG.error(
                    "%s cannot tell %s of %d records: %s: %s", self._pipe_arn, target, size, error.code, error.message
                )
                refusal = error
            else:
                self._metrics.events_dead_lettered += size
                return None
        self._metrics.events_dropped += size
        return refusal

    async def _send(self, target: Arn, given_up: GivenUp) -> None:
        record = {
            "context": {"partnerResourceArn": self._pipe_arn, "condition": given_up.condition},
            "version": "1.0",
            "timestamp": timestamp(datetime.now(UTC).timestamp()),
            **batch_info(self._stream, given_up.shard_id, given_up.batch.records),
        }
        operation, params = delivery(target, json.dumps(record))
        deadline = asyncio.get_running_loop().time() + _PATIENCE_S
        await self._calls.persist(deadline, target.region, target.service, operation, params)
