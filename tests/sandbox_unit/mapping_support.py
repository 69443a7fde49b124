"""A mapping's poller over an in-memory API."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pipes_fakes import ACCOUNT, FUNCTION, QUEUE, ROLE, FakeApi, FakeQueue

from durable_sandbox.aws.arns import Arn
from durable_sandbox.aws.call import Call, Caller
from durable_sandbox.aws.clock import TimePolicy
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.aws.identity import Identities
from durable_sandbox.events.filters import RecordFilter
from durable_sandbox.events.mapping_calls import MappedFunction
from durable_sandbox.events.sqs_mapping import SqsMappingPoller
from durable_sandbox.events.sqs_mapping_spec import ScalingLimits, SqsMappingSpec
from durable_sandbox.services.sqs.service import SqsService


class MappingApi(FakeApi):
    """Adds what mappings use beyond pipes."""

    def __init__(self) -> None:
        super().__init__()
        self.metrics: list[dict[str, Any]] = []
        self.visibility_asked: list[int | None] = []

    async def _sqs_ReceiveMessage(self, params: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: N802
        self.visibility_asked.append(params.get("VisibilityTimeout"))
        return await super()._sqs_ReceiveMessage(params)

    async def _cloudwatch_PutMetricData(self, params: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: N802
        assert params["Namespace"] == "AWS/Lambda"
        self.metrics += params["MetricData"]
        return {}


class RealQueueApi(MappingApi):
    """With the sandbox's own SQS."""

    def __init__(self) -> None:
        super().__init__()
        self.sqs = SqsService(base_url="http://x", account=ACCOUNT)

    async def call(
        self, caller: Caller, region: str, service: str, operation: str, params: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        if service == "sqs":
            return await self.sqs.handle(Call(service, operation, params, caller, region))
        return await super().call(caller, region, service, operation, params)


@dataclass
class Bench:
    """A poller over a MappingApi."""

    spec: SqsMappingSpec
    api: MappingApi = field(default_factory=MappingApi)
    function: MappedFunction | AwsError = field(default_factory=lambda: MappedFunction(ROLE, 3))

    def __post_init__(self) -> None:
        self.poller = SqsMappingPoller(
            self.spec,
            api=self.api,
            identities=Identities(ACCOUNT),
            time=TimePolicy(time_scale=200.0),
            function=self._function,
        )

    def _function(self) -> MappedFunction:
        if isinstance(self.function, AwsError):
            raise self.function
        return self.function

    @property
    def queue(self) -> FakeQueue:
        return self.api.queues[self.spec.queue.resource]

    @property
    def batches(self) -> list[list[str]]:
        return [[record["body"] for record in payload["Records"]] for payload in self.api.payloads()]

    def answer(self, handler: Callable[[list[dict[str, Any]]], Awaitable[Any]]) -> None:
        async def invoked(event: Any) -> Any:
            return await handler(event["Records"])

        self.api.functions[FUNCTION] = invoked


def spec(**changes: Any) -> SqsMappingSpec:
    base = SqsMappingSpec(
        uuid="u",
        queue=Arn.parse(QUEUE),
        function_arn=FUNCTION,
        batch_size=10,
        batching_window=0,
        record_filter=RecordFilter(()),
        report_failures=True,
        scaling=ScalingLimits(),
    )
    return replace(base, **changes)


def run(scenario: Callable[[Bench], Awaitable[None]], **changes: Any) -> None:
    """Run ``scenario`` and leave no task behind."""

    async def main() -> None:
        bench = Bench(spec(**changes))
        try:
            async with asyncio.timeout(30):
                await scenario(bench)
        finally:
            await bench.poller.abort()

    asyncio.run(main())
