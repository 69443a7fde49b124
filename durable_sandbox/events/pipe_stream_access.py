"""What Pipes looks at before a pipe with a stream runs: whether its role may read the stream and use the dead-letter queue.

Texts as reported: https://github.com/hashicorp/terraform-provider-aws/issues/40572 (stream, also for one that is not there)
and https://github.com/aws-samples/serverless-patterns/issues/1857 (queue; the topic's is ours). The calls are those of
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-permissions.html.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from durable_sandbox.aws.access import Access
from durable_sandbox.aws.arns import Arn
from durable_sandbox.aws.call import Call, Caller
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.events.pipe_calls import PipeCalls
from durable_sandbox.events.streams.access import check_readable
from durable_sandbox.events.streams.destination import delivery
from durable_sandbox.events.streams.spec import StreamSpec

_INVALID = "Input parameter is invalid from the request due to : "


def stream_refusal(source: Arn, error: AwsError) -> str:
    """Why a pipe does not run whose stream cannot be read."""
    return (
        f"{_INVALID}Cannot access stream {source}. Please ensure the customer role can perform actions on source "
        f"stream: {error.message}"
    )


def dead_letter_refusal(target: Arn, error: AwsError) -> str:
    """Why a pipe does not run whose dead-letter queue cannot be used."""
    kind = "sending message to SQS queue" if target.service == "sqs" else "publishing message to SNS topic"
    return f"{_INVALID}Error occurred while {kind}: {target}: {error.message}"


class StreamAccess:
    """Asks for one pipe, as its role (``caller``)."""

    def __init__(self, stream: StreamSpec, calls: PipeCalls, access: Access, caller: Caller) -> None:
        self._stream = stream
        self._calls = calls
        self._access = access
        self._caller = caller

    async def refusal(self) -> str | None:
        """Why the pipe cannot run, if it cannot."""
        try:
            await check_readable(self._stream, self._call, self._may)
        except AwsError as error:
            return stream_refusal(self._stream.source, error)
        target = self._stream.on_failure
        if target is None:
            return None
        try:
            await self._reach(target)
        except AwsError as error:
            return dead_letter_refusal(target, error)
        return None

    async def _reach(self, target: Arn) -> None:
        """Nothing is sent."""
        if target.service == "sns":
            await self._calls.find_topic(target)
        else:
            await self._calls.queue_url(target)
        self._may(target.service, *delivery(target, "{}"), region=target.region)

    async def _call(self, service: str, operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        return await self._calls.call(self._stream.source.region, service, operation, params)

    def _may(self, service: str, operation: str, params: Mapping[str, Any], *, region: str | None = None) -> None:
        self._access.check(Call(service, operation, params, self._caller, region or self._stream.source.region))
