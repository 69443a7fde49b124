"""How a mapping calls its queue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from durable_sandbox.aws.arns import Arn
from durable_sandbox.aws.call import Api
from durable_sandbox.aws.clock import TimePolicy
from durable_sandbox.aws.identity import Identities
from durable_sandbox.events.mapping_calls import FunctionLookup, MappingCalls


class QueueCalls(MappingCalls):
    """With the queue's URL, which Lambda itself finds by its ARN."""

    def __init__(self, api: Api, identities: Identities, time: TimePolicy, function: FunctionLookup) -> None:
        super().__init__(api, identities, time, function)
        self._urls: dict[Arn, str] = {}

    async def queue(self, queue: Arn, operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Call SQS on ``queue`` as the function's role. Raises AwsError."""
        # A function that is gone is told before its queue is.
        self.function()
        if queue not in self._urls:
            self._urls[queue] = await self._queue_url(queue)
        return await self.as_role(queue.region, "sqs", operation, {"QueueUrl": self._urls[queue], **params})

    async def _queue_url(self, queue: Arn) -> str:
        params = {"QueueName": queue.resource, "QueueOwnerAWSAccountId": queue.account}
        return str((await self.own(queue.region, "sqs", "GetQueueUrl", params))["QueueUrl"])
