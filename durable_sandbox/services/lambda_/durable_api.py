"""The durable operations of Lambda's API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from aws_durable_execution_sdk_python_testing.execution import Execution

from durable_sandbox.aws.call import Call
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.services.lambda_.context import LambdaContext
from durable_sandbox.services.lambda_.errors import invalid
from durable_sandbox.services.lambda_.model import LATEST

DEFAULT_PAGE = 50
MAX_PAGE = 1000


class DurableOperations(LambdaContext):
    """Executions, for operators and for the SDK inside a handler."""

    def get_durable_execution(self, call: Call) -> Mapping[str, Any]:
        """GetDurableExecution."""
        arn = call.params["DurableExecutionArn"]
        shown = self.engine.details(arn)
        execution = self.engine.execution(arn)
        shown["DurableConfig"] = {
            "ExecutionTimeout": execution.start_input.execution_timeout_seconds,
            "RetentionPeriodInDays": execution.start_input.execution_retention_period_days,
        }
        if call.params.get("IncludeExecutionData", True):
            return shown | {"ExecutionDataIncluded": True}
        for data in ("InputPayload", "Result", "Error"):
            shown.pop(data, None)
        return shown | {"ExecutionDataIncluded": False}

    def get_durable_execution_history(self, call: Call) -> Mapping[str, Any]:
        """GetDurableExecutionHistory."""
        return self.engine.history(
            call.params["DurableExecutionArn"],
            data=bool(call.params.get("IncludeExecutionData")),
            reverse=bool(call.params.get("ReverseOrder")),
            marker=call.params.get("Marker"),
            limit=call.params.get("MaxItems"),
        )

    def list_durable_executions_by_function(self, call: Call) -> Mapping[str, Any]:
        """ListDurableExecutionsByFunction, newest first. Takes a version as qualifier and refuses an alias, as AWS does.

        The marker is the last one shown, so that executions which start between two pages move nothing.
        """
        reference = self.reference(call)
        function = self.functions.get(reference)
        if reference.qualifier is not None and reference.qualifier in function.aliases:
            raise AwsError(
                "InvalidParameterValueException",
                f"Qualifier {reference.qualifier!r} is an alias: name a version or none.",
                Type="User",
            )
        ordered = list(self.engine.executions(function.region, function.name))
        if not call.params.get("ReverseOrder"):
            ordered.reverse()
        left = _behind(ordered, call.params.get("Marker"))
        selected = [execution for execution in left if _matches(execution, call.params, reference.qualifier)]
        size = min(call.params.get("MaxItems") or DEFAULT_PAGE, MAX_PAGE)
        page = {"DurableExecutions": [_summary(execution) for execution in selected[:size]]}
        return page | ({"NextMarker": selected[size - 1].durable_execution_arn} if size < len(selected) else {})

    def stop_durable_execution(self, call: Call) -> Mapping[str, Any]:
        """StopDurableExecution."""
        return {"StopTimestamp": self.engine.stop(call.params["DurableExecutionArn"], call.params.get("Error"))}

    async def checkpoint_durable_execution(self, call: Call) -> Mapping[str, Any]:
        """CheckpointDurableExecution."""
        params = call.params
        return await self.engine.checkpoint(
            params["DurableExecutionArn"],
            params["CheckpointToken"],
            params.get("Updates") or [],
            params.get("ClientToken"),
        )

    async def get_durable_execution_state(self, call: Call) -> Mapping[str, Any]:
        """GetDurableExecutionState."""
        params = call.params
        return await self.engine.state(
            params["DurableExecutionArn"], params["CheckpointToken"], params.get("Marker"), params.get("MaxItems")
        )

    def send_durable_execution_callback_success(self, call: Call) -> None:
        """SendDurableExecutionCallbackSuccess."""
        self.engine.callback_succeed(call.params["CallbackId"], bytes(call.params.get("Result") or b""))

    def send_durable_execution_callback_failure(self, call: Call) -> None:
        """SendDurableExecutionCallbackFailure."""
        self.engine.callback_fail(call.params["CallbackId"], call.params.get("Error") or {})

    def send_durable_execution_callback_heartbeat(self, call: Call) -> None:
        """SendDurableExecutionCallbackHeartbeat."""
        self.engine.callback_heartbeat(call.params["CallbackId"])


def _matches(execution: Execution, params: Mapping[str, Any], version: str | None) -> bool:
    started: datetime = execution.get_operation_execution_started().start_timestamp
    statuses = params.get("Statuses")
    name = params.get("DurableExecutionName")
    after, before = params.get("StartedAfter"), params.get("StartedBefore")
    return (
        (
            version is None
            or execution.start_input.function_qualifier == version
            or version == LATEST == _version(execution)
        )
        and (not statuses or execution.current_status().value in statuses)
        and (name is None or execution.start_input.execution_name == name)
        and (after is None or started >= after)
        and (before is None or started <= before)
    )


def _version(execution: Execution) -> str:
    version: str = execution.start_input.function_qualifier
    return version


def _summary(execution: Execution) -> dict[str, Any]:
    operation = execution.get_operation_execution_started()
    shown = {
        "DurableExecutionArn": execution.durable_execution_arn,
        "DurableExecutionName": execution.start_input.execution_name,
        "FunctionArn": execution.function_arn(execution.region),
        "Status": execution.current_status().value,
        "StartTimestamp": operation.start_timestamp,
    }
    return shown | ({"EndTimestamp": operation.end_timestamp} if operation.end_timestamp else {})


def _behind(ordered: Sequence[Execution], marker: str | None) -> Sequence[Execution]:
    """What comes after the execution that ``marker`` names."""
    if not marker:
        return ordered
    for place, execution in enumerate(ordered):
        if execution.durable_execution_arn == marker:
            return ordered[place + 1 :]
    raise invalid(f"Invalid Marker {marker!r}.")
