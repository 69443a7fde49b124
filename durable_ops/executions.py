"""Durable executions of a pipeline's function, and callbacks that they wait for.

Operations and shapes: botocore's model of lambda.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from durable_ops import names
from durable_ops.errors import Exit, OpsError, code_of

STATUSES = ("RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED", "PAUSING", "PAUSED")
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution, as it is listed. ``ended`` None: it has not."""

    arn: str
    name: str
    status: str
    started: datetime
    ended: datetime | None

    @classmethod
    def of(cls, summary: Mapping[str, Any]) -> Execution:
        """From an answer of ListDurableExecutionsByFunction or GetDurableExecution."""
        return cls(
            summary["DurableExecutionArn"],
            summary["DurableExecutionName"],
            summary["Status"],
            summary["StartTimestamp"],
            summary.get("EndTimestamp"),
        )

    def seconds(self, now: datetime) -> float:
        """How long it has run, modelled waits included."""
        return max(0.0, ((self.ended or now) - self.started).total_seconds())

    def shown(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "arn": self.arn,
            "name": self.name,
            "status": self.status,
            "started": self.started.astimezone(UTC).isoformat(timespec="milliseconds"),
            "ended": self.ended and self.ended.astimezone(UTC).isoformat(timespec="milliseconds"),
            "seconds": round(self.seconds(datetime.now(UTC)), 3),
        }


class Executions:
    """The executions of function ``name``. Raises OpsError (USAGE) for what is no name."""

    def __init__(self, functions: Any, name: str) -> None:
        self._functions = functions
        self._name = names.stack_name(name)

    def find(
        self,
        statuses: Collection[str] = (),
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> list[Execution]:
        """Those in one of ``statuses`` (none: in any) that were started in this time, newest first."""
        request = {"Statuses": list(statuses), "StartedAfter": since, "StartedBefore": until}
        return self._list(limit, **{name: value for name, value in request.items() if value})

    def resolve(self, text: str) -> Execution:
        """The execution with this ARN or name. Raises OpsError (NOT_FOUND), also if it is another function's."""
        if text.startswith(names.ARN):
            if (function := names.function_of(text)) != self._name:
                raise OpsError(
                    f"{text} is an execution of {function}, not of {self._name}.",
                    f"Say {function} for NAME, or take one from: durable-ops executions list {self._name}.",
                    Exit.NOT_FOUND,
                )
            return Execution.of(self._functions.get_durable_execution(DurableExecutionArn=text))
        found = self._list(1, DurableExecutionName=names.execution_name(text))
        if not found:
            raise OpsError(
                f'Function {self._name} has no execution "{text}".',
                "Give its ARN or name: durable-ops executions list. Past their retention, they are gone.",
                Exit.NOT_FOUND,
            )
        return found[0]

    def details(self, execution: Execution) -> dict[str, Any]:
        """What GetDurableExecution says of it, payload and result included."""
        answer: dict[str, Any] = self._functions.get_durable_execution(
            DurableExecutionArn=execution.arn, IncludeExecutionData=True
        )
        return answer

    def history(self, execution: Execution) -> list[Mapping[str, Any]]:
        """Its events with their data, first to last."""
        pages = self._functions.get_paginator("get_durable_execution_history")
        answers = pages.paginate(DurableExecutionArn=execution.arn, IncludeExecutionData=True)
        return [event for page in answers for event in page["Events"]]

    def stop(self, execution: Execution, reason: str) -> datetime:
        """Stop it for good; returns when it ended. An asynchronous start's event goes to ``<name>-failed``."""
        error = {"ErrorType": "StoppedByOperator", "ErrorMessage": reason}
        answer = self._functions.stop_durable_execution(DurableExecutionArn=execution.arn, Error=error)
        stopped: datetime = answer["StopTimestamp"]
        return stopped

    def _list(self, limit: int | None, **request: Any) -> list[Execution]:
        found: list[Execution] = []
        request |= {"FunctionName": self._name}
        while limit is None or len(found) < limit:
            size = _PAGE if limit is None else min(_PAGE, limit - len(found))
            answer = self._functions.list_durable_executions_by_function(**request, MaxItems=size)
            found += [Execution.of(summary) for summary in answer["DurableExecutions"]]
            if not answer.get("NextMarker"):
                break
            request["Marker"] = answer["NextMarker"]
        return sorted(found, key=lambda one: (one.started, one.arn), reverse=True)


class Callbacks:
    """Answers to executions that wait for somebody. Each raises OpsError (USAGE) for what is no callback's id."""

    def __init__(self, functions: Any) -> None:
        self._functions = functions

    def succeed(self, callback_id: str, result: bytes) -> None:
        """Give it its result: what the handler gets, as text. Raises OpsError (NOT_FOUND) if nobody waits for it."""
        with _waiting(names.callback_id(callback_id)):
            self._functions.send_durable_execution_callback_success(CallbackId=callback_id, Result=result)

    def fail(self, callback_id: str, error_type: str, message: str) -> None:
        """Let it fail. Raises OpsError (NOT_FOUND) if nobody waits for it."""
        error = {"ErrorType": error_type, "ErrorMessage": message}
        with _waiting(names.callback_id(callback_id)):
            self._functions.send_durable_execution_callback_failure(CallbackId=callback_id, Error=error)


@contextmanager
def _waiting(callback_id: str) -> Iterator[None]:
    """These operations have no ResourceNotFoundException: an unknown id is a wrong parameter, a late one timed out."""
    try:
        yield
    except ClientError as error:
        if code_of(error) not in {"InvalidParameterValueException", "CallbackTimeoutException"}:
            raise
        raise OpsError(
            f"No execution waits for callback {callback_id}: {error.response['Error'].get('Message', '')}",
            "`durable-ops executions show` names the callback of an execution that waits.",
            Exit.NOT_FOUND,
        ) from error
