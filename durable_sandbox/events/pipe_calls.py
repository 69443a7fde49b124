"""How a pipe calls other services: as its role, with patience for faults that are not the customer's."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from durable_sandbox.aws.arns import Arn
from durable_sandbox.aws.call import Api, Caller
from durable_sandbox.aws.clock import TimePolicy
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.events.failures import Failure, kind_of
from durable_sandbox.events.pipe_spec import PipeMetrics

LOG = logging.getLogger(__name__)

_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0


def backoff_seconds(failures: int) -> float:
    """Seconds that AWS would pause after ``failures`` (>= 1) failures in a row: 1, 2, 4 ... 60 (AWS gives no curve)."""
    return min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(failures - 1, 10))


class PipeCalls:
    """API calls of one pipe.

    ``caller`` is the session of the pipe's role; ``owner`` the account, used only to see whether a queue or topic is
    there, to turn a queue's ARN into its URL and to see how long an execution took, which on AWS costs the role no
    permission either.
    """

    def __init__(self, api: Api, caller: Caller, owner: Caller, time: TimePolicy, metrics: PipeMetrics) -> None:
        self._api = api
        self._caller = caller
        self._owner = owner
        self._time = time
        self._metrics = metrics
        self.stopping = False

    async def call(self, region: str, service: str, operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """One call. Raises AwsError; what is no AwsError is a fault of the sandbox and becomes InternalException."""
        try:
            return await self._api.call(self._caller, region, service, operation, params)
        except AwsError:
            raise
        except Exception as error:
            LOG.exception("%s:%s failed unexpectedly", service, operation)
            raise AwsError("InternalException", f"{type(error).__name__}: {error}", status=500) from error

    async def persist(
        self, deadline: float, region: str, service: str, operation: str, params: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """As ``call``, but internal errors are retried with growing pauses until ``deadline`` (loop time) or stop.

        The call goes on by itself if the waiting task is cancelled, as on AWS a function outlives a pipe's patience.
        """
        failures = 0
        while True:
            attempt = asyncio.create_task(self.call(region, service, operation, params))
            try:
                return await asyncio.shield(attempt)
            except asyncio.CancelledError:
                attempt.add_done_callback(_retrieve)
                raise
            except AwsError as error:
                failures += 1
                pause = self._time.scaled(backoff_seconds(failures))
                late = asyncio.get_running_loop().time() + pause >= deadline
                if kind_of(error) is not Failure.INTERNAL or late or self.stopping:
                    raise
            self._metrics.internal_retries += 1
            await asyncio.sleep(pause)

    async def find_topic(self, topic: Arn) -> None:
        """Return if ``topic`` exists. Raises AwsError if it does not."""
        await self._api.call(self._owner, topic.region, "sns", "GetTopicAttributes", {"TopicArn": str(topic)})

    async def modelled_seconds(self, execution: str) -> float:
        """How long a durable execution took, with the waits that the sandbox skipped. Raises AwsError."""
        params = {"DurableExecutionArn": execution, "IncludeExecutionData": False}
        shown = await self._api.call(self._owner, Arn.parse(execution).region, "lambda", "GetDurableExecution", params)
        lasted: timedelta = shown["EndTimestamp"] - shown["StartTimestamp"]
        return lasted.total_seconds()

    async def queue_url(self, queue: Arn) -> str:
        """The URL of ``queue``. Raises AwsError if there is none."""
        params = {"QueueName": queue.resource, "QueueOwnerAWSAccountId": queue.account}
        found = await self._api.call(self._owner, queue.region, "sqs", "GetQueueUrl", params)
        return str(found["QueueUrl"])


def _retrieve(task: asyncio.Task[Any]) -> None:
    """Look at the result of a call that nobody waits for, so that asyncio does not complain of it."""
    if not task.cancelled():
        task.exception()
