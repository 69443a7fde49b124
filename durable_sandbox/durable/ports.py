"""What the engine asks of its surroundings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from aws_durable_execution_sdk_python_testing.execution import Execution


@dataclass(frozen=True, slots=True)
class DurableTarget:
    """A version that an execution can run on. Times as in the API: seconds, days."""

    account: str
    region: str
    function_name: str
    version: str
    execution_timeout: int
    retention_days: int


@dataclass(frozen=True, slots=True)
class PlainTarget:
    """A function without durable configuration, as a chained invoke named it."""

    function_name: str
    qualifier: str | None


@dataclass(frozen=True, slots=True)
class HandlerResult:
    """One invocation of a handler. ``failed``: it did not answer (crash, timeout, uncaught error); ``payload`` says how."""

    request_id: str
    payload: bytes
    failed: bool


class Functions(Protocol):
    """Functions as the engine sees them."""

    def resolve(self, region: str, function_name: str, qualifier: str | None) -> DurableTarget | PlainTarget:
        """The target of a chained invoke. Raises AwsError if there is none or it may not be invoked so."""
        ...

    async def run_handler(
        self, region: str, function_name: str, version: str, execution_arn: str, payload: bytes
    ) -> HandlerResult:
        """Invoke the handler once. Raises AwsError when Lambda would refuse (function gone, execution closed)."""
        ...

    async def invoke_plain(self, parent: Execution, target: PlainTarget, payload: bytes) -> HandlerResult:
        """Invoke a chained plain function with the role of ``parent``'s function. Raises AwsError."""
        ...

    def permit(self, parent: Execution, target: DurableTarget, qualifier: str | None) -> None:
        """Raises AwsError unless the role of ``parent``'s function may invoke a chained durable function."""
        ...

    def on_closed(self, execution: Execution) -> None:
        """``execution`` reached a terminal status."""
        ...


class StatusListener(Protocol):
    """Hears of each execution when it starts and when it ends, once each. In the event loop."""

    def status_changed(self, execution: Execution) -> None:
        """``execution`` has another status than before: RUNNING, or the one that it ended with."""
        ...

    def reset(self) -> None:
        """All executions are dropped: whatever was not told yet need not be."""
        ...
