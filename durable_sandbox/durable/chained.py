"""The engine's ChildDispatcher: where a chained invoke goes."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast
from uuid import uuid4

from aws_durable_execution_sdk_python.lambda_service import ErrorObject
from aws_durable_execution_sdk_python_testing.child_dispatcher import (
    ChainedInvokeRequest,
    ChildOutcome,
    DispatchResult,
    FunctionTarget,
    KnownOutcome,
    RunInvocation,
    StartChild,
    result_outcome,
)
from aws_durable_execution_sdk_python_testing.model import StartDurableExecutionInput
from aws_durable_execution_sdk_python_testing.stores.base import ExecutionStore

from durable_sandbox.aws.errors import AwsError
from durable_sandbox.durable.ports import DurableTarget, Functions, PlainTarget


class ChainedInvokes:
    """A durable target becomes a child execution, a plain one a single invocation with the parent's role."""

    def __init__(
        self, region: str, functions: Functions, store: ExecutionStore, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._region = region
        self._functions = functions
        self._store = store
        self._loop = loop

    def preflight(self, target: FunctionTarget) -> ChildOutcome | None:
        """The error of a target that cannot be invoked, at checkpoint time."""
        try:
            self._functions.resolve(target.region or self._region, target.name, target.qualifier)
        except AwsError as error:
            return _failed(error)
        return None

    def dispatch(self, request: ChainedInvokeRequest) -> DispatchResult:
        """Where ``request`` goes."""
        try:
            target = self._functions.resolve(self._region, request.function_name, request.qualifier)
            if isinstance(target, DurableTarget):
                self._functions.permit(self._store.load(request.parent_execution_arn), target, request.qualifier)
        except AwsError as error:
            return KnownOutcome(outcome=_failed(error))
        if isinstance(target, DurableTarget):
            return StartChild(child_start=child_start(target, str(uuid4()), request.payload))
        # StartedPool calls the callable and waits for the future that it returns.
        return RunInvocation(
            invocation=lambda: cast(
                "ChildOutcome", asyncio.run_coroutine_threadsafe(self._invoke(request, target), self._loop)
            )
        )

    async def _invoke(self, request: ChainedInvokeRequest, target: PlainTarget) -> ChildOutcome:
        parent = self._store.load(request.parent_execution_arn)
        try:
            result = await self._functions.invoke_plain(parent, target, (request.payload or "{}").encode())
        except AwsError as error:
            return _failed(error)
        if result.failed:
            return ChildOutcome(error=_error_object(result.payload))
        return result_outcome(result.payload.decode())


def child_start(target: DurableTarget, name: str, payload: str | None) -> StartDurableExecutionInput:
    """The engine's start request for an execution of ``target`` called ``name``."""
    return StartDurableExecutionInput(
        account_id=target.account,
        function_name=target.function_name,
        function_qualifier=target.version,
        execution_name=name,
        execution_timeout_seconds=target.execution_timeout,
        execution_retention_period_days=target.retention_days,
        invocation_id=str(uuid4()),
        input=payload,
    )


def _failed(error: AwsError) -> ChildOutcome:
    return ChildOutcome(error=ErrorObject(message=error.message, type=error.code, data=None, stack_trace=None))


def _error_object(payload: bytes) -> ErrorObject:
    """A function error as an operation carries it."""
    try:
        data: Any = json.loads(payload)
    except ValueError:
        return ErrorObject.from_message(payload.decode(errors="replace"))
    return ErrorObject(
        message=data.get("errorMessage"),
        type=data.get("errorType"),
        data=data.get("errorData"),
        stack_trace=data.get("stackTrace"),
    )
