"""The engine's Invoker: runs handlers in execution environments."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import Future
from typing import Any

from aws_durable_execution_sdk_python.execution import DurableExecutionInvocationInput, InitialExecutionState
from aws_durable_execution_sdk_python_testing.checkpoint.processor import DEFAULT_MAX_INVOCATION_PAGE_BYTES
from aws_durable_execution_sdk_python_testing.exceptions import DurableFunctionsTestError, ResourceNotFoundException
from aws_durable_execution_sdk_python_testing.execution import Execution, OperationPaginatorState
from aws_durable_execution_sdk_python_testing.invoker import InvokeResponse

from durable_sandbox.aws.errors import AwsError
from durable_sandbox.durable.ports import Functions


class HandlerInvoker:
    """Invokes the version that an execution is pinned to."""

    def __init__(self, region: str, functions: Functions, loop: asyncio.AbstractEventLoop) -> None:
        self._region = region
        self._functions = functions
        self._loop = loop

    def create_invocation_input(self, execution: Execution) -> DurableExecutionInvocationInput:
        """The handler's event: the first page of operations, a checkpoint token."""
        page, marker = OperationPaginatorState.pin(execution).page(None, DEFAULT_MAX_INVOCATION_PAGE_BYTES)
        return DurableExecutionInvocationInput(
            durable_execution_arn=execution.durable_execution_arn,
            checkpoint_token=execution.get_new_checkpoint_token(),
            initial_execution_state=InitialExecutionState(operations=page, next_marker=marker or ""),
            updated_operation_ids=list(execution.updated_operation_ids),
        )

    def invoke(
        self,
        function_name: str,
        input: DurableExecutionInvocationInput,  # noqa: A002 - the engine's signature
        endpoint_url: str | None = None,  # noqa: ARG002
        tenant_id: str | None = None,  # noqa: ARG002
        account_id: str | None = None,  # noqa: ARG002
        region_name: str | None = None,  # noqa: ARG002
    ) -> Future[InvokeResponse]:
        """Start one invocation of ``name:version``; StartedPool hands its future to the engine."""
        payload = json.dumps(input.to_json_dict()).encode()
        return asyncio.run_coroutine_threadsafe(
            self._run(function_name, input.durable_execution_arn, payload), self._loop
        )

    def update_endpoint(self, endpoint_url: str, region_name: str) -> None:
        """There is one endpoint."""

    def inherit_endpoint(self, child_execution_arn: str, parent_execution_arn: str) -> None:
        """There is one endpoint."""

    async def _run(self, identifier: str, execution_arn: str, payload: bytes) -> InvokeResponse:
        name, _, version = identifier.partition(":")
        try:
            result = await self._functions.run_handler(self._region, name, version or "$LATEST", execution_arn, payload)
        except AwsError as error:
            if error.code == "ResourceNotFoundException":
                raise ResourceNotFoundException(error.message) from error
            raise DurableFunctionsTestError(f"{error.code}: {error.message}") from error
        if result.failed:
            raise DurableFunctionsTestError(_message(result.payload))
        return InvokeResponse.from_payload(result.payload, result.request_id)


def _message(payload: bytes) -> str:
    """The readable part of Lambda's error JSON."""
    try:
        error: Any = json.loads(payload)
    except ValueError:
        return payload.decode(errors="replace")
    if not isinstance(error, dict):
        return str(error)
    return f"{error.get('errorType')}: {error.get('errorMessage')}"
