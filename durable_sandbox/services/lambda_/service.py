"""The Lambda service: all its operations, and what happens when an execution ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from aws_durable_execution_sdk_python_testing.execution import Execution

from durable_sandbox.aws.access import Access, Unrestricted
from durable_sandbox.aws.arns import Arn
from durable_sandbox.aws.call import Api, Service
from durable_sandbox.aws.clock import TimePolicy
from durable_sandbox.aws.identity import Identities
from durable_sandbox.durable.counts import DurableCounts
from durable_sandbox.durable.engine import DurableEngine
from durable_sandbox.durable.status_events import StatusEvents
from durable_sandbox.events.async_metrics import AsyncMetrics
from durable_sandbox.events.async_queue import AsyncQueue
from durable_sandbox.events.dead_letters import send_dead_letter
from durable_sandbox.runtime.manager import EnvironmentSummary, Runtime
from durable_sandbox.services.lambda_.async_target import ASYNC_SESSION
from durable_sandbox.services.lambda_.counts import FunctionCounts, LambdaReading
from durable_sandbox.services.lambda_.durable_api import DurableOperations
from durable_sandbox.services.lambda_.event_invoke import EventInvokeOperations
from durable_sandbox.services.lambda_.functions_port import EnginePort
from durable_sandbox.services.lambda_.invoke import InvokeOperations
from durable_sandbox.services.lambda_.mapping_model import MappingRegistry
from durable_sandbox.services.lambda_.mappings import MappingOperations
from durable_sandbox.services.lambda_.model import Version
from durable_sandbox.services.lambda_.store import FunctionStore
from durable_sandbox.services.lambda_.versions import VersionOperations

logger = logging.getLogger(__name__)

_DEAD_LETTER_STATUSES = frozenset({"FAILED", "TIMED_OUT", "STOPPED"})


class LambdaService(
    MappingOperations, VersionOperations, EventInvokeOperations, InvokeOperations, DurableOperations, Service
):
    """AWS Lambda. Touched from one event loop only."""

    name = "lambda"

    def __init__(
        self,
        *,
        api: Api,
        identities: Identities,
        account: str,
        time: TimePolicy,
        runtime: Runtime,
        access: Access | None = None,
    ) -> None:
        self.api = api
        self.access = access or Unrestricted()
        self.account = account
        self.identities = identities
        self.time = time
        self.runtime = runtime
        self.functions = FunctionStore(account)
        self.async_metrics = AsyncMetrics()
        self.async_queue = AsyncQueue(api, time, self.async_metrics)
        self.async_starts = {}
        self.mappings = MappingRegistry(
            api=api, identities=identities, time=time, functions=self.functions, account=account
        )
        port = EnginePort(self, api, identities, self.access, time, self._execution_closed)
        self.function_counts = FunctionCounts()
        self.durable_counts = DurableCounts(StatusEvents(api, identities))
        self.engine = DurableEngine(port, time, self.durable_counts)
        self._deliveries: set[asyncio.Task[None]] = set()

    def environments(self) -> list[EnvironmentSummary]:
        """Every live execution environment."""
        return self.runtime.environments()

    def resource_policy(self, arn: str) -> Mapping[str, Any] | None:
        """The policy on a function, or on the version or alias that ``arn`` names; None if there is none."""
        parsed = Arn.parse(arn)
        _, _, named = parsed.resource.partition("function:")
        name, _, qualifier = named.partition(":")
        function = self.functions.find(parsed.region, name)
        policy = None if function is None else function.policies.get(qualifier)
        return policy if policy is not None and policy["Statement"] else None

    def status(self) -> dict[str, Any]:
        """Functions with their environments, executions and waiting events, for the status page."""
        live = self.environments()
        counts = self.execution_counts()
        functions = []
        for function in self.functions:
            mine = [e for e in live if (e.region, e.function_name) == (function.region, function.name)]
            functions.append(
                {
                    "region": function.region,
                    "name": function.name,
                    "versions": len(function.versions),
                    "durable": function.latest.durable is not None,
                    "busy": sum(e.busy for e in mine),
                    "idle": sum(not e.busy for e in mine),
                }
            )
        return {
            "functions": functions,
            "mappings": self.mappings.status(),
            "executions": counts,
            "async_events": self.async_queue.waiting,
            "async_metrics": self.async_metrics.status(),
        }

    def read_functions(self) -> LambdaReading:
        """Everything for CloudWatch; takes what was counted since the last time."""
        for function, samples in self.mappings.take_samples():
            if samples.ages:
                self.function_counts.of(
                    function.region, function.name, function.qualifier
                ).iterator_ages += samples.ages
            if samples.undelivered:
                counts = self.async_metrics.of(function.region, function.name)
                counts.destination_delivery_failures += samples.undelivered
        return LambdaReading(
            self.function_counts.take(),
            self.function_counts.take_peaks(),
            dict(self.async_metrics.items()),
            self.durable_counts.take(),
            self.durable_counts.running(),
        )

    def execution_counts(self) -> dict[str, dict[str, int]]:
        """Executions by function and status."""
        counts: dict[str, dict[str, int]] = {}
        for region in self.engine.regions():
            for execution in self.engine.executions(region):
                by_status = counts.setdefault(execution.start_input.function_name, {})
                status = execution.current_status().value
                by_status[status] = by_status.get(status, 0) + 1
        return counts

    async def reset(self) -> None:
        """Drop all functions, mappings, events and executions, and end all environments."""
        await self.mappings.reset()
        # First: what is invoked while the rest ends finds no function, and starts nothing that would stay.
        self.functions.clear()
        self.async_starts.clear()
        self.engine.reset()
        await self.async_queue.reset()
        for task in list(self._deliveries):
            task.cancel()
        self.async_metrics.clear()
        self.function_counts.clear()
        await self.runtime.reset()

    async def close(self) -> None:
        """Reset and remove all files."""
        await self.reset()
        await self.runtime.close()

    def _execution_closed(self, execution: Execution) -> None:
        """The function's dead-letter target gets the event of an asynchronous start that did not succeed.

        https://docs.aws.amazon.com/lambda/latest/dg/durable-best-practices.html
        """
        self.engine.closed(execution)
        start = self.async_starts.pop(execution.durable_execution_arn, None)
        if start is None or execution.current_status().value not in _DEAD_LETTER_STATUSES:
            return
        if start.version.dead_letter_target is None:
            logger.warning("%s did not succeed and has no dead-letter target", execution.durable_execution_arn)
            return
        delivery = self._dead_letter(execution, start.version, start.version.dead_letter_target, start.request_id)
        task = asyncio.get_running_loop().create_task(delivery)
        self._deliveries.add(task)
        task.add_done_callback(self._deliveries.discard)

    async def _dead_letter(self, execution: Execution, version: Version, target_arn: str, request_id: str) -> None:
        error = execution.result.error if execution.result else None
        status = execution.current_status().value
        message = error.message if error and error.message else f"The execution ended {status}."
        delivered = await send_dead_letter(
            self.api,
            self.identities.service(version.role, ASYNC_SESSION),
            execution.region,
            target_arn,
            body=(execution.start_input.input or "{}").encode(),
            request_id=request_id,
            error_code=200,
            error_message=message,
        )
        self.async_metrics.of(execution.region, version.function_name).dead_letter_errors += not delivered
