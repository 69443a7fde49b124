"""Settings of event source mappings, and the operations where a client could not be sure of the timing."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from mapping_support import MappingApi
from pipes_fakes import ACCOUNT, FIFO, QUEUE, REGION, ROLE, until

from durable_sandbox.aws.access import Unrestricted
from durable_sandbox.aws.arns import Arn
from durable_sandbox.aws.call import Call, method_name
from durable_sandbox.aws.clock import TimePolicy
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.aws.identity import Identities
from durable_sandbox.services.lambda_.mapping_model import MappingRegistry
from durable_sandbox.services.lambda_.mapping_sources import source_defaults
from durable_sandbox.services.lambda_.mapping_sqs_settings import SqsSettings
from durable_sandbox.services.lambda_.mappings import MappingOperations
from durable_sandbox.services.lambda_.model import Code, Function, Version
from durable_sandbox.services.lambda_.store import FunctionStore

# --- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("queue", "params", "text"),
    [
        (QUEUE, {"BatchSize": 11}, "Maximum batch window in seconds must be greater than 0 if maximum batch size"),
        (FIFO, {"MaximumBatchingWindowInSeconds": 1}, "Batching window is not supported for FIFO queues"),
        (FIFO, {"BatchSize": 11}, "maximum of 10 for FIFO"),
        (QUEUE, {"FilterCriteria": {"Filters": [{"Pattern": "{"}]}}, "Invalid filter pattern definition."),
        (QUEUE, {"FilterCriteria": {"Filters": [{"Pattern": '{"a": ["b"]}'}] * 6}}, "maximum of 5"),
        (QUEUE, {"StartingPosition": "LATEST"}, "Unsupported StartingPosition parameter"),
        (QUEUE, {"DestinationConfig": {"OnFailure": {"Destination": QUEUE}}}, "Unsupported DestinationConfig"),
        (QUEUE, {"DocumentDBEventSourceConfig": {"DatabaseName": "d"}}, "Unsupported DocumentDB"),
        (QUEUE, {"MetricsConfig": {"Metrics": ["ErrorCount"]}}, "ErrorCount"),
        (QUEUE, {"ProvisionedPollerConfig": {"MinimumPollers": 1}}, "MinimumPollers 1"),
        (QUEUE, {"ProvisionedPollerConfig": {"MaximumPollers": 2001}}, "MaximumPollers 2001"),
        (QUEUE, {"ProvisionedPollerConfig": {"MinimumPollers": 9, "MaximumPollers": 3}}, "greater than"),
        (
            QUEUE,
            {"ProvisionedPollerConfig": {"MinimumPollers": 2}, "ScalingConfig": {"MaximumConcurrency": 2}},
            "mutually exclusive",
        ),
    ],
)
def test_settings_that_are_refused(queue: str, params: dict[str, Any], text: str) -> None:
    with pytest.raises(AwsError, match=text) as caught:
        SqsSettings().updated(params, Arn.parse(queue))
    assert caught.value.code == "InvalidParameterValueException"


def test_empty_structures_take_settings_back() -> None:
    queue = Arn.parse(QUEUE)
    full = SqsSettings().updated(
        {
            "ScalingConfig": {"MaximumConcurrency": 5},
            "FilterCriteria": {"Filters": [{"Pattern": '{"body": ["x"]}'}]},
            "MetricsConfig": {"Metrics": ["EventCount"]},
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "KMSKeyArn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/k",
        },
        queue,
    )
    assert full.updated({"DestinationConfig": {"OnFailure": {}}, "BisectBatchOnFunctionError": False}, queue) == full
    empty = {
        "ScalingConfig": {},
        "FilterCriteria": {},
        "MetricsConfig": {},
        "FunctionResponseTypes": [],
        "KMSKeyArn": "",
    }
    assert full.updated(empty, queue) == SqsSettings()


@pytest.mark.parametrize("service", ["kafka", "mq", "rds"])
def test_sources_that_are_not_emulated_are_refused_clearly(service: str) -> None:
    with pytest.raises(AwsError, match=f"not arn:aws:{service}:") as caught:
        source_defaults(Arn(service, REGION, ACCOUNT, "cluster/c"))
    assert caught.value.status == 501


@pytest.mark.parametrize(
    ("service", "resource"),
    [("sns", "topic"), ("dynamodb", "table/orders"), ("kinesis", "orders"), ("sqs", "orders/x")],
)
def test_what_is_no_event_source_is_not_recognised(service: str, resource: str) -> None:
    with pytest.raises(AwsError, match="Unrecognized event source") as caught:
        source_defaults(Arn(service, REGION, ACCOUNT, resource))
    assert caught.value.code == "InvalidParameterValueException"


# --- operations ------------------------------------------------------------------------------------------------------


@dataclass
class Lambda:
    """The mapping operations over a MappingApi, with one function."""

    api: MappingApi = field(default_factory=MappingApi)

    def __post_init__(self) -> None:
        self.operations = MappingOperations()
        self.operations.api = self.api
        self.operations.access = Unrestricted()
        self.operations.account = ACCOUNT
        self.operations.identities = Identities(ACCOUNT)
        self.operations.functions = FunctionStore(ACCOUNT)
        code = Code(b"", Path(), "")
        version = Version("pipeline", REGION, ACCOUNT, "$LATEST", code, ROLE, "h.h", "python3.13", timeout=3)
        self.operations.functions.add(Function("pipeline", REGION, ACCOUNT, version))
        self.operations.mappings = MappingRegistry(
            api=self.api,
            identities=self.operations.identities,
            time=TimePolicy(time_scale=200.0),
            functions=self.operations.functions,
            account=ACCOUNT,
        )

    async def do(self, operation: str, **params: Any) -> dict[str, Any]:
        call = Call("lambda", operation, params, self.operations.identities.root(), REGION)
        result = getattr(self.operations, method_name(operation))(call)
        return dict(await result if inspect.isawaitable(result) else result)

    async def create(self, **params: Any) -> dict[str, Any]:
        return await self.do("CreateEventSourceMapping", EventSourceArn=QUEUE, FunctionName="pipeline", **params)


def with_lambda(scenario: Callable[[Lambda], Awaitable[None]]) -> None:
    async def main() -> None:
        service = Lambda()
        try:
            async with asyncio.timeout(30):
                await scenario(service)
        finally:
            await service.operations.mappings.close()

    asyncio.run(main())


def test_a_mapping_in_transition_takes_no_change() -> None:
    async def scenario(service: Lambda) -> None:
        uuid = (await service.create())["UUID"]
        for operation, verb in (("Update", "update"), ("Delete", "delete")):
            with pytest.raises(AwsError) as caught:
                await service.do(f"{operation}EventSourceMapping", UUID=uuid)
            assert caught.value.code == "ResourceInUseException"
            assert caught.value.message == f"Cannot {verb} the event source mapping because it is in use."
        (mapping,) = service.operations.mappings.in_region(REGION)
        await until(lambda: mapping.state == "Enabled")
        assert (await service.do("UpdateEventSourceMapping", UUID=uuid, Enabled=False))["State"] == "Disabling"
        await until(lambda: mapping.state == "Disabled")

    with_lambda(scenario)


def test_two_creations_at_once_make_one_mapping() -> None:
    async def scenario(service: Lambda) -> None:
        made = await asyncio.gather(*(service.create() for _ in range(3)), return_exceptions=True)
        refused = [error.code for error in made if isinstance(error, AwsError)]
        assert refused == ["ResourceConflictException"] * 2
        assert len(service.operations.mappings.in_region(REGION)) == 1

    with_lambda(scenario)


def test_a_role_that_may_not_read_the_queue_is_refused() -> None:
    async def scenario(service: Lambda) -> None:
        service.api.errors["GetQueueAttributes"] = [AwsError("AccessDenied", "no", status=403)]
        with pytest.raises(AwsError, match="execution role does not have permissions") as caught:
            await service.create()
        assert caught.value.code == "InvalidParameterValueException"
        assert service.operations.mappings.in_region(REGION) == []

    with_lambda(scenario)


def test_a_delete_lets_the_batch_in_flight_end_and_a_reset_does_not() -> None:
    async def scenario(service: Lambda) -> None:
        hold = asyncio.Event()

        async def handler(_: Any) -> None:
            await hold.wait()

        queue, mappings = service.api.queues["orders"], service.operations.mappings
        service.api.functions["arn:aws:lambda:us-east-1:123456789012:function:pipeline"] = handler
        uuid = (await service.create())["UUID"]
        queue.put("a")
        await until(lambda: len(service.api.invokes) == 1)
        await service.do("DeleteEventSourceMapping", UUID=uuid)
        await until(lambda: not mappings.in_region(REGION))
        assert len(queue.messages) == 1
        hold.set()
        await until(lambda: not queue.messages)

        hold.clear()
        await service.create()
        queue.put("b")
        await until(lambda: len(service.api.invokes) == 2)
        await mappings.reset()
        hold.set()
        assert mappings.status() == []
        assert len(queue.messages) == 1, "it comes back by its visibility timeout"

    with_lambda(scenario)
