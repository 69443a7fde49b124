"""Executions as Lambda's API shows them: start by name, wait, read, stop, checkpoint, callbacks."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import uuid4

from aws_durable_execution_sdk_python.lambda_service import ErrorObject, OperationUpdate
from aws_durable_execution_sdk_python_testing.exceptions import (
    AwsApiException,
    InvalidParameterValueException,
    ResourceNotFoundException,
)
from aws_durable_execution_sdk_python_testing.execution import Execution
from aws_durable_execution_sdk_python_testing.token import CallbackToken
from aws_durable_execution_sdk_python_testing.worker.checkpoint_tasks import CallableTask

from durable_sandbox.aws.arns import Arn
from durable_sandbox.aws.clock import TimePolicy
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.durable.chained import child_start
from durable_sandbox.durable.executor import SandboxExecutor
from durable_sandbox.durable.ports import DurableTarget, Functions, StatusListener

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Start:
    """What a name stands for: the same name with anything else here is another execution."""

    arn: str
    version: str
    payload_hash: bytes


class DurableEngine:
    """All executions of a sandbox, by region. Touched from one event loop only."""

    def __init__(self, functions: Functions, time: TimePolicy, status: StatusListener) -> None:
        self._functions = functions
        self._status = status
        self._time = time
        self._executors: dict[str, SandboxExecutor] = {}
        self._names: dict[tuple[str, str, str], _Start] = {}
        self._waiters: dict[str, list[asyncio.Future[Execution]]] = {}

    # --- start and end ------------------------------------------------------------------------------------------

    def start(self, target: DurableTarget, name: str | None, payload: bytes) -> tuple[str, bool]:
        """Start an execution, or find the one that ``name`` already stands for. Returns its ARN and whether it is new.

        Raises AwsError DurableExecutionAlreadyStartedException (409) for a known name with another payload or version
        (durable-execution-idempotency in the Lambda developer guide).
        """
        digest = hashlib.sha256(payload).digest()
        key = (target.region, target.function_name, name or str(uuid4()))
        known = self._names.get(key)
        if known is not None:
            if (known.version, known.payload_hash) != (target.version, digest):
                raise AwsError(
                    "DurableExecutionAlreadyStartedException", f"Execution already started: {known.arn}", status=409
                )
            return known.arn, False
        executor = self._executor(target.region)
        started = executor.start_execution(child_start(target, key[2], payload.decode() or "{}"))
        arn: str = started.execution_arn
        self._names[key] = _Start(arn, target.version, digest)
        return arn, True

    async def wait(self, arn: str) -> Execution:
        """The execution once it is closed."""
        execution = self.execution(arn)
        if execution.is_complete:
            return execution
        waiter: asyncio.Future[Execution] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(arn, []).append(waiter)
        return await waiter

    def closed(self, execution: Execution) -> None:
        """Wake whoever waits for ``execution``."""
        for waiter in self._waiters.pop(execution.durable_execution_arn, []):
            if not waiter.done():
                waiter.set_result(execution)

    def stop(self, arn: str, error: Mapping[str, Any] | None) -> datetime:
        """Stop an execution; returns when it ended. Stopping a closed one returns its end."""
        self.execution(arn)
        stopped = self._translated(
            lambda: self._of(arn).stop_execution(arn, ErrorObject.from_dict(dict(error)) if error else None)
        )
        ended: datetime = stopped.stop_timestamp
        return ended

    def stop_function(self, region: str, function_name: str) -> None:
        """Stop every running execution of a function that is deleted."""
        for execution in self.executions(region, function_name):
            if not execution.is_complete:
                self.stop(execution.durable_execution_arn, {"ErrorMessage": "The function was deleted."})
        for key in [k for k in self._names if k[:2] == (region, function_name)]:
            del self._names[key]

    def forget_function(self, region: str, function_name: str) -> None:
        """Drop the closed executions of a deleted function; it may be created again under the same name."""
        executor = self._executors.get(region)
        if executor is not None:
            executor.forget(function_name)

    def reset(self) -> None:
        """Drop all executions."""
        for executor in self._executors.values():
            executor.close()
        self._status.reset()
        for waiters in self._waiters.values():
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_exception(AwsError("ServiceException", "The sandbox was reset.", status=500))
        self._executors.clear()
        self._names.clear()
        self._waiters.clear()

    # --- read ---------------------------------------------------------------------------------------------------

    def execution(self, arn: str) -> Execution:
        """The execution behind ``arn``. Raises AwsError ResourceNotFoundException."""
        executor = self._executors.get(Arn.parse(arn).region)
        if executor is None:
            raise AwsError("ResourceNotFoundException", f"Durable execution not found: {arn}", status=404)
        return self._translated(lambda: executor.get_execution(arn))

    def executions(self, region: str, function_name: str | None = None) -> list[Execution]:
        """Executions of a region, oldest first."""
        executor = self._executors.get(region)
        return executor.store.of_function(function_name) if executor else []

    def regions(self) -> list[str]:
        """Regions that have executions."""
        return list(self._executors)

    def details(self, arn: str) -> dict[str, Any]:
        """GetDurableExecution's output."""
        self.execution(arn)
        shown: dict[str, Any] = self._of(arn).get_execution_details(arn).to_dict()
        return shown

    def history(self, arn: str, *, data: bool, reverse: bool, marker: str | None, limit: int | None) -> dict[str, Any]:
        """GetDurableExecutionHistory's output."""
        self.execution(arn)
        page = self._translated(lambda: self._of(arn).get_execution_history(arn, data, reverse, marker, limit))
        shown: dict[str, Any] = page.to_dict()
        return shown

    # --- handlers -----------------------------------------------------------------------------------------------

    async def checkpoint(
        self, arn: str, token: str, updates: Iterable[Mapping[str, Any]], client_token: str | None
    ) -> dict[str, Any]:
        """CheckpointDurableExecution's output."""
        self.execution(arn)
        executor = self._of(arn)
        parsed = [OperationUpdate.from_dict(dict(update)) for update in updates]
        return await self._on_lane(
            executor,
            arn,
            lambda: executor._checkpoint_execution(arn, token, parsed, client_token).to_dict(),  # noqa: SLF001 - the engine's own method blocks on its lane
        )

    async def state(self, arn: str, token: str, marker: str | None, limit: int | None) -> dict[str, Any]:
        """GetDurableExecutionState's output."""
        self.execution(arn)
        executor = self._of(arn)
        return await self._on_lane(
            executor,
            arn,
            lambda: executor._get_execution_state(arn, token, marker or None, limit).to_dict(),  # noqa: SLF001 - as above
        )

    # --- callbacks ----------------------------------------------------------------------------------------------

    def callback_succeed(self, callback_id: str, result: bytes) -> None:
        """Complete a callback. Raises AwsError for an unknown or completed one."""
        self._callback(callback_id, lambda executor: executor.send_callback_success(callback_id, result))

    def callback_fail(self, callback_id: str, error: Mapping[str, Any]) -> None:
        """Fail a callback."""
        self._callback(
            callback_id,
            lambda executor: executor.send_callback_failure(callback_id, ErrorObject.from_dict(dict(error))),
        )

    def callback_heartbeat(self, callback_id: str) -> None:
        """Reset a callback's heartbeat timeout."""
        self._callback(callback_id, lambda executor: executor.send_callback_heartbeat(callback_id))

    # --- inside -------------------------------------------------------------------------------------------------

    def _executor(self, region: str) -> SandboxExecutor:
        executor = self._executors.get(region)
        if executor is None:
            executor = SandboxExecutor(region, self._functions, self._time, asyncio.get_running_loop(), self._status)
            self._executors[region] = executor
        return executor

    def _of(self, arn: str) -> SandboxExecutor:
        return self._executors[Arn.parse(arn).region]

    def _callback(self, callback_id: str, send: Callable[[SandboxExecutor], Any]) -> None:
        try:
            arn = CallbackToken.from_str(callback_id).execution_arn
        except (ValueError, KeyError, TypeError) as error:
            raise AwsError("InvalidParameterValueException", f"Invalid callback ID {callback_id!r}.") from error
        execution = self.execution(str(arn))
        try:
            operation = execution.find_callback_operation(callback_id)[1]
        except AwsApiException as error:
            raise AwsError(
                "ResourceNotFoundException", f"Callback does not exist: {callback_id}", status=404
            ) from error
        if execution.is_complete or operation.status.value != "STARTED":
            # botocore's lambda model: a callback that is already completed or whose execution ended.
            raise AwsError(
                "CallbackTimeoutException",
                f"Callback is no longer waiting: its status is {operation.status.value}.",
            )
        self._translated(lambda: send(self._of(arn)))

    async def _on_lane(self, executor: SandboxExecutor, arn: str, work: Callable[[], T]) -> T:
        future: Future[T] = executor.on_lane(arn, CallableTask(work))
        try:
            return future.result() if future.done() else await asyncio.wrap_future(future)
        except AwsApiException as error:
            raise _aws_error(error) from error

    @staticmethod
    def _translated(work: Callable[[], T]) -> T:
        try:
            return work()
        except AwsApiException as error:
            raise _aws_error(error) from error


def _aws_error(error: AwsApiException) -> AwsError:
    """The engine's exceptions carry botocore's shape names, but for those that only a bug or a race raises."""
    message = str(error)
    if isinstance(error, ResourceNotFoundException):
        return AwsError("ResourceNotFoundException", message, status=404)
    if isinstance(error, InvalidParameterValueException):
        return AwsError("InvalidParameterValueException", message)
    return AwsError("ServiceException", f"{type(error).__name__}: {message}", status=500)
