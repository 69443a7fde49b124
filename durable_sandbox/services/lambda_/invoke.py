"""Invoke: plain and durable, synchronous and asynchronous."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from aws_durable_execution_sdk_python_testing.execution import Execution

from durable_sandbox.aws.call import Call
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.durable.ports import DurableTarget
from durable_sandbox.events.async_metrics import AsyncMetrics
from durable_sandbox.events.async_queue import AsyncEvent, AsyncQueue, EventAge
from durable_sandbox.runtime.spec import InvocationOutcome, InvocationRequest
from durable_sandbox.services.lambda_.async_target import AsyncTarget
from durable_sandbox.services.lambda_.context import LambdaContext
from durable_sandbox.services.lambda_.counts import FunctionCounts
from durable_sandbox.services.lambda_.errors import invalid
from durable_sandbox.services.lambda_.model import LATEST, Function, Version
from durable_sandbox.services.lambda_.naming import FunctionReference

MAX_SYNC_BYTES = 6 * 1024 * 1024
MAX_ASYNC_BYTES = 1024 * 1024
MAX_SYNC_EXECUTION_SECONDS = 900
_EXECUTION_NAME = re.compile(r"[a-zA-Z0-9-_]{1,64}")


@dataclass(slots=True)
class AsyncStart:
    """An Event invocation that started an execution: its request, and the version whose dead-letter target counts.

    The version itself, not its number: it may be deleted before the execution ends. ``waiting``: for how long the event has
    been, until the handler has run with it.
    """

    request_id: str
    version: Version
    waiting: EventAge | None


class InvokeOperations(LambdaContext):
    """The data plane."""

    async_queue: AsyncQueue
    async_metrics: AsyncMetrics
    function_counts: FunctionCounts
    async_starts: dict[str, AsyncStart]
    """By execution ARN, of executions that an Event invocation started: these have a dead-letter target."""

    async def invoke(self, call: Call) -> Mapping[str, Any]:
        """Invoke (limits: botocore's lambda model and the Lambda quotas page)."""
        reference = self.reference(call)
        function, version = self.functions.version(reference)
        kind = call.params.get("InvocationType") or "RequestResponse"
        payload = self._payload(call, kind)
        if version.durable is not None:
            return await self._invoke_durable(call, reference, function, version, kind, payload)
        if call.params.get("DurableExecutionName"):
            raise invalid("DurableExecutionName is for functions with a durable configuration.")
        if kind == "DryRun":
            return {"StatusCode": 204, "Payload": b""}
        if kind == "Event":
            self._accept_event(call, reference, function, payload)
            return {"StatusCode": 202, "Payload": b""}
        outcome = await self.run(
            function, version, reference, payload, call.request_id, call.params.get("ClientContext")
        )
        return _answer(call, version, outcome)

    async def run(
        self,
        function: Function,
        version: Version,
        reference: FunctionReference,
        payload: bytes,
        request_id: str,
        client_context: str | None = None,
    ) -> InvocationOutcome:
        """Run one event on ``version``. Raises AwsError TooManyRequestsException at the reserved concurrency."""
        self._decrypt_environment(version)
        request = InvocationRequest(
            request_id, payload, function.arn(reference.qualifier), client_context=_decoded(client_context)
        )
        called = (function.region, function.name, reference.qualifier)
        with (
            self._counting_throttles(function, reference),
            self._concurrency(function),
            self.function_counts.running(*called, function.running),
        ):
            outcome = await self.runtime.invoke(version.runtime_spec(), request)
        self.function_counts.ran(*called, outcome)
        return outcome

    @contextmanager
    def _counting_throttles(self, function: Function, reference: FunctionReference) -> Iterator[None]:
        try:
            yield
        except AwsError as error:
            self.function_counts.refused(function.region, function.name, reference.qualifier, error)
            raise

    def _decrypt_environment(self, version: Version) -> None:
        """Variables under a customer managed key are decrypted as the role; AWS asks at each cold start.

        https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html (KMSAccessDeniedException)
        """
        key = version.settings.get("KMSKeyArn")
        if not key or not version.environment:
            return
        caller = self.identities.service(version.role, version.function_name)
        try:
            self.access.decrypt(caller, key, service="lambda", region=version.region)
        except AwsError as error:
            raise AwsError(
                "KMSAccessDeniedException",
                "Lambda was unable to decrypt the environment variables because KMS access was denied. Please check "
                f"the function's KMS key settings. KMS Exception: {error.code} KMS Message: {error.message}",
                status=502,
                Type="User",
            ) from error

    @contextmanager
    def _concurrency(self, function: Function) -> Iterator[None]:
        reserved = function.reserved_concurrency
        if reserved is not None and function.running >= reserved:
            raise AwsError(
                "TooManyRequestsException",
                "Rate Exceeded.",
                status=429,
                Reason="ReservedFunctionConcurrentInvocationLimitExceeded",
                Type="User",
            )
        function.running += 1
        try:
            yield
        finally:
            function.running -= 1

    # --- durable ------------------------------------------------------------------------------------------------

    async def _invoke_durable(
        self, call: Call, reference: FunctionReference, function: Function, version: Version, kind: str, payload: bytes
    ) -> Mapping[str, Any]:
        assert version.durable is not None  # noqa: S101 - the caller checked
        if reference.qualifier is None:
            raise invalid("You cannot invoke a durable function using an unqualified ARN.")
        if kind == "RequestResponse" and version.durable.execution_timeout > MAX_SYNC_EXECUTION_SECONDS:
            raise invalid(
                "You cannot synchronously invoke a durable function with an executionTimeout greater than 15 minutes."
            )
        name = call.params.get("DurableExecutionName")
        if name is not None and not _EXECUTION_NAME.fullmatch(name):
            raise AwsError(
                "ValidationException",
                f"1 validation error detected: Value '{name}' at 'durableExecutionName' failed to satisfy constraint: "
                "Member must match [a-zA-Z0-9-_]+ and have 1 to 64 characters",
            )
        if kind == "DryRun":
            return {"StatusCode": 204, "Payload": b""}
        if kind == "RequestResponse":
            # The caller is told at once. Once an execution has started, and with an Event, Lambda waits for concurrency.
            with self._counting_throttles(function, reference), self._concurrency(function):
                pass
        arn, new = self.engine.start(durable_target(version), name, payload or b"{}")
        if kind == "Event":
            if new:
                # "Lambda places the event in a queue": https://docs.aws.amazon.com/lambda/latest/dg/durable-invoking.html
                self.async_metrics.of(function.region, function.name).received += 1
                self.async_starts[arn] = AsyncStart(call.request_id, version, EventAge(self.time))
            return {"StatusCode": 202, "Payload": b"", "DurableExecutionArn": arn, "ExecutedVersion": version.version}
        execution = await self.engine.wait(arn)
        return _durable_answer(execution, version)

    # --- asynchronous -------------------------------------------------------------------------------------------

    def _accept_event(self, call: Call, reference: FunctionReference, function: Function, payload: bytes) -> None:
        async def run(current: Function, version: Version) -> InvocationOutcome:
            return await self.run(current, version, reference, payload, call.request_id)

        event = AsyncEvent(
            request_id=call.request_id,
            payload=payload,
            region=function.region,
            function_name=function.name,
            function_arn=function.arn(reference.qualifier or LATEST),
        )
        self.async_queue.accept(event, AsyncTarget(self.functions, self.identities, reference, run))

    @staticmethod
    def _payload(call: Call, kind: str) -> bytes:
        payload = bytes(call.params.get("Payload") or b"")
        limit = MAX_ASYNC_BYTES if kind == "Event" else MAX_SYNC_BYTES
        if len(payload) > limit:
            raise AwsError(
                "RequestTooLargeException",
                f"Request must be smaller than {limit} bytes for the InvokeFunction operation",
                status=413,
                Type="User",
            )
        if payload:
            try:
                # As text: json.loads would take UTF-16 bytes too. NaN and Infinity are Python's own.
                json.loads(payload.decode(), parse_constant=_no_constant)
            except (ValueError, RecursionError) as error:
                raise AwsError(
                    "InvalidRequestContentException",
                    f"Could not parse request body into json: {error}",
                    Type="User",
                ) from error
        return payload or b"{}"


def durable_target(version: Version) -> DurableTarget:
    """``version`` as the engine starts it."""
    assert version.durable is not None  # noqa: S101 - only durable versions get here
    return DurableTarget(
        account=version.account,
        region=version.region,
        function_name=version.function_name,
        version=version.version,
        execution_timeout=version.durable.execution_timeout,
        retention_days=version.durable.retention_days,
    )


def _answer(call: Call, version: Version, outcome: InvocationOutcome) -> dict[str, Any]:
    answer: dict[str, Any] = {"StatusCode": 200, "Payload": outcome.payload, "ExecutedVersion": version.version}
    if outcome.function_error:
        answer["FunctionError"] = outcome.function_error
    if call.params.get("LogType") == "Tail":
        answer["LogResult"] = base64.b64encode(outcome.log_tail.encode()).decode()
    return answer


def _durable_answer(execution: Execution, version: Version) -> dict[str, Any]:
    """A synchronous invocation's answer is the execution's result or error."""
    answer: dict[str, Any] = {
        "StatusCode": 200,
        "DurableExecutionArn": execution.durable_execution_arn,
        "ExecutedVersion": version.version,
    }
    output = execution.result
    if output is not None and output.error is None:
        return answer | {"Payload": (output.result or "null").encode()}
    error = output.error if output is not None else None
    shown = {
        "errorType": error.type if error and error.type else execution.current_status().value,
        "errorMessage": error.message if error else "",
        "errorData": error.data if error else None,
        "stackTrace": error.stack_trace if error else None,
    }
    payload = json.dumps({key: value for key, value in shown.items() if value is not None})
    return answer | {"FunctionError": "Unhandled", "Payload": payload.encode()}


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")


def _decoded(client_context: str | None) -> str | None:
    return base64.b64decode(client_context).decode() if client_context else None
