"""How a mapping calls other services, and what stands in its way."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from durable_sandbox.aws.arns import Arn
from durable_sandbox.aws.call import Api, Caller
from durable_sandbox.aws.clock import TimePolicy
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.aws.identity import Identities
from durable_sandbox.events.pipe_calls import backoff_seconds
from durable_sandbox.events.sqs_mapping_spec import FunctionLookup, MappedFunction

LOG = logging.getLogger(__name__)

_SESSION = "awslambda-mapping"


class MappingCalls:
    """API calls of one mapping.

    The queue is called as the function's execution role, looked up at each call, for the role may change. The function
    is invoked, metrics are published and a queue's ARN is turned into its URL by Lambda itself, which on AWS costs the
    role no permission: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html.
    """

    def __init__(self, api: Api, identities: Identities, time: TimePolicy, function: FunctionLookup) -> None:
        self._api = api
        self._identities = identities
        self._time = time
        self._function = function
        self._urls: dict[Arn, str] = {}

    def function(self) -> MappedFunction:
        """The function now. Raises AwsError if it is gone."""
        return self._function()

    async def queue(self, queue: Arn, operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Call SQS on ``queue`` as the function's role. Raises AwsError."""
        caller = self._identities.service(self._function().role_arn, _SESSION)
        if queue not in self._urls:
            self._urls[queue] = await self._queue_url(queue)
        return await self._call(caller, queue.region, "sqs", operation, {"QueueUrl": self._urls[queue], **params})

    async def own(self, region: str, service: str, operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Call a service as Lambda itself. Raises AwsError."""
        return await self._call(self._identities.root(), region, service, operation, params)

    def pause_after(self, failures: int) -> float:
        """Wall seconds to wait after ``failures`` (>= 1) failures in a row."""
        return self._time.scaled(backoff_seconds(failures))

    async def _queue_url(self, queue: Arn) -> str:
        params = {"QueueName": queue.resource, "QueueOwnerAWSAccountId": queue.account}
        return str((await self.own(queue.region, "sqs", "GetQueueUrl", params))["QueueUrl"])

    async def _call(
        self, caller: Caller, region: str, service: str, operation: str, params: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """One call; what is no AwsError is a fault of the sandbox and becomes InternalException."""
        try:
            return await self._api.call(caller, region, service, operation, params)
        except AwsError:
            raise
        except Exception as error:
            LOG.exception("%s:%s failed unexpectedly", service, operation)
            raise AwsError("InternalException", f"{type(error).__name__}: {error}", status=500) from error


class Problems:
    """What keeps a mapping from working, by what it was doing."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._by_activity: dict[str, str] = {}

    @property
    def text(self) -> str | None:
        """The problems in one line, if there are any."""
        return " ".join(self._by_activity.values()) or None

    def note(self, activity: str, text: str) -> None:
        """``activity`` fails; logged when that is news."""
        if self._by_activity.get(activity) != text:
            LOG.warning("mapping %s: %s", self._name, text)
        self._by_activity[activity] = text

    def solved(self, activity: str) -> None:
        """``activity`` works."""
        self._by_activity.pop(activity, None)
