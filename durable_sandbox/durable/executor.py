"""The official Executor with real ARNs, per-execution clocks and execution timeouts in modelled time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from aws_durable_execution_sdk_python.lambda_service import ErrorObject, OperationStatus, OperationType
from aws_durable_execution_sdk_python_testing.checkpoint.processor import CheckpointProcessor
from aws_durable_execution_sdk_python_testing.execution import Execution
from aws_durable_execution_sdk_python_testing.executor import Executor
from aws_durable_execution_sdk_python_testing.model import StartDurableExecutionInput
from aws_durable_execution_sdk_python_testing.worker.status import InvocationState
from aws_durable_execution_sdk_python_testing.worker.task import ExecutionTask

from durable_sandbox.aws.arns import function_arn
from durable_sandbox.aws.clock import TimePolicy
from durable_sandbox.durable.chained import ChainedInvokes
from durable_sandbox.durable.clock import ExecutionClock
from durable_sandbox.durable.invoker import HandlerInvoker
from durable_sandbox.durable.loop import InlinePool, LoopRegistry, LoopScheduler, StartedPool
from durable_sandbox.durable.ports import Functions, StatusListener
from durable_sandbox.durable.store import ExecutionMemory

T = TypeVar("T")

GATHER_SECONDS = 0.05
"""How long an idle execution waits for more results of its chained invokes, once it has one."""
_NO_LIMIT_SECONDS = 10_000_000
"""The engine's own bound on one invocation: the runtime ends each at its function's timeout instead."""


class SandboxExecutor(Executor):
    """Runs the executions of one region."""

    # Lambda recovers about nine times before it gives an execution up (cloudstructs issue 362, measured on AWS).
    MAX_CONSECUTIVE_FAILED_ATTEMPTS = 10

    def __init__(
        self,
        region: str,
        functions: Functions,
        time: TimePolicy,
        loop: asyncio.AbstractEventLoop,
        status: StatusListener,
    ) -> None:
        self.clock = ExecutionClock(real_time=time.real_time)
        self.store = ExecutionMemory()
        self.loop_scheduler = LoopScheduler(loop)
        self._functions = functions
        self._status = status
        self._deadlines: dict[str, datetime] = {}
        self._gathering: dict[str, asyncio.Task[Any]] = {}
        super().__init__(
            store=self.store,
            scheduler=self.loop_scheduler,
            invoker=HandlerInvoker(region, functions, loop),
            checkpoint_processor=CheckpointProcessor(self.store, self.loop_scheduler, self.clock),
            invocation_timeout_seconds=_NO_LIMIT_SECONDS,
            registry=LoopRegistry(self.store, self.clock),
            clock=self.clock,
            child_dispatcher=ChainedInvokes(region, functions, self.store, loop),
            region=region,
        )
        self.RETRY_BACKOFF_SECONDS: float = time.scaled(Executor.RETRY_BACKOFF_SECONDS)
        self._dispatch_pool = InlinePool()
        self._target_pool = StartedPool()
        self._invocation_pool = StartedPool()

    def close(self) -> None:
        """Stop everything that is scheduled. Executions keep their last state."""
        self._closing = True
        self.loop_scheduler.cancel_all()

    def on_lane(self, execution_arn: str, task: ExecutionTask[T]) -> Future[T]:
        """Run ``task`` serially with everything else that touches the execution."""
        future: Future[T] = self._registry.submit(execution_arn, task)
        return future

    def forget(self, function_name: str) -> None:
        """Drop the executions of ``function_name`` from the store."""
        self.clock.forget(self.store.discard(function_name))

    # --- overrides of the engine --------------------------------------------------------------------------------

    def _create_execution(
        self,
        input: StartDurableExecutionInput,  # noqa: A002 - the engine's signature
        parent_execution_arn: str | None = None,
    ) -> Execution:
        """ARN form: botocore's lambda model, DurableExecutionArn; the SDK finds the input by its last part."""
        version_arn = function_arn(self._region, input.account_id, input.function_name, input.function_qualifier)
        arn = f"{version_arn}/durable-execution/{input.execution_name}/{input.invocation_id}"
        execution = Execution(durable_execution_arn=arn, start_input=input, operations=[])
        execution.region = self._region
        execution.parent_execution_arn = parent_execution_arn
        if parent_execution_arn is not None:
            self.clock.align(arn, parent_execution_arn)
        with self.clock.during(arn):
            now = self.clock.now()
        execution.start(now=now)
        self._deadlines[arn] = now + timedelta(seconds=input.execution_timeout_seconds)
        self._store.save(execution)
        return execution

    def _launch_execution(self, execution: Execution, timeout_seconds: int) -> None:  # noqa: ARG002 - engine's signature
        arn = execution.durable_execution_arn
        self._status.status_changed(execution)
        self._arm_timeout(arn)
        self._invoke_execution(arn)

    def _invoke_execution(self, execution_arn: str, delay: float = 0) -> None:
        """Results of a batch that arrive close together share an invocation, where the engine makes one for each."""
        if delay == 0 and self._expects_results(execution_arn):
            if execution_arn not in self._gathering:
                gathered = partial(self._gathered, execution_arn)
                self._gathering[execution_arn] = self._scheduler.call_later(gathered, delay=GATHER_SECONDS)
            return
        if (waiting := self._gathering.pop(execution_arn, None)) is not None:
            waiting.cancel()
        super()._invoke_execution(execution_arn, delay)

    def _gathered(self, execution_arn: str) -> None:
        del self._gathering[execution_arn]
        super()._invoke_execution(execution_arn)

    def _invoke_handler(self, execution_arn: str) -> Callable[[], Awaitable[None]]:
        invoke = super()._invoke_handler(execution_arn)

        async def invoke_on_its_clock() -> None:
            with self.clock.during(execution_arn):
                await invoke()

        return invoke_on_its_clock

    def _schedule_earliest_pending(self, execution_arn: str) -> None:
        """Skipping never goes past the execution's timeout: there, the execution times out as it would on AWS."""
        with self.clock.during(execution_arn):
            if not self.clock.real_time and self._waits_past_deadline(execution_arn):
                if self._invocation_gate(execution_arn) is not InvocationState.INVOKING:
                    self.clock.arm(self._deadlines[execution_arn])
                    self._arm_timeout(execution_arn)
                return
            before = self.clock.skipped(execution_arn)
            super()._schedule_earliest_pending(execution_arn)
            if self.clock.skipped(execution_arn) != before:
                self._arm_timeout(execution_arn)

    def _complete_events(self, execution_arn: str) -> None:
        if (timeout := self._execution_timeouts.pop(execution_arn, None)) is not None:
            timeout.cancel()
        if self._deadlines.pop(execution_arn, None) is None:
            return
        if (waiting := self._gathering.pop(execution_arn, None)) is not None:
            waiting.cancel()
        execution = self._store.load(execution_arn)
        self._disarm(execution)
        if execution.parent_execution_arn is not None:
            self._catch_up(execution.parent_execution_arn, execution_arn)
        self._notify_parent_of_terminal_child(execution_arn)
        self._functions.on_closed(execution)
        self._status.status_changed(execution)

    # --- inside -------------------------------------------------------------------------------------------------

    def _expects_results(self, execution_arn: str) -> bool:
        """Whether chained invokes of an idle execution are still under way."""
        if self._invocation_gate(execution_arn) is InvocationState.INVOKING:
            return False
        return any(
            operation.operation_type is OperationType.CHAINED_INVOKE and operation.status is OperationStatus.STARTED
            for operation in self._store.load(execution_arn).operations
        )

    def _waits_past_deadline(self, execution_arn: str) -> bool:
        deadline = self._deadlines.get(execution_arn)
        if deadline is None:
            return False
        earliest = self._earliest_pending_timestamp(self._store.load(execution_arn))
        return earliest is not None and earliest > deadline

    def _arm_timeout(self, execution_arn: str) -> None:
        """Set the execution's timeout to its deadline; again whenever its time has jumped, which brings that closer."""
        deadline = self._deadlines.get(execution_arn)
        if deadline is None:
            return
        if (armed := self._execution_timeouts.pop(execution_arn, None)) is not None:
            armed.cancel()
        with self.clock.during(execution_arn):
            left = (deadline - self.clock.now()).total_seconds()
        self._execution_timeouts[execution_arn] = self._scheduler.call_later(
            lambda: self._expire(execution_arn), delay=max(left, 0.0)
        )

    def _catch_up(self, parent_arn: str, child_arn: str) -> None:
        """A parent has waited as long as its child ran, but no longer than its own timeout."""
        deadline = self._deadlines.get(parent_arn)
        if deadline is None or self.clock.real_time:
            return
        with self.clock.during(child_arn):
            ended = self.clock.now()
        with self.clock.during(parent_arn):
            self.clock.arm(min(ended, deadline))
        self._arm_timeout(parent_arn)

    def _disarm(self, execution: Execution) -> None:
        """Cancel the timers that the engine leaves behind when an execution ends early."""
        if (wakeup := self._pending_wakeup.pop(execution.durable_execution_arn, None)) is not None:
            wakeup.cancel()
        for operation in execution.operations:
            if operation.callback_details is not None:
                self._cleanup_callback_timeouts(operation.callback_details.callback_id)

    def _expire(self, execution_arn: str) -> None:
        execution: Any = self._store.load(execution_arn)
        if execution.is_complete:
            return
        seconds = execution.start_input.execution_timeout_seconds
        self.on_timed_out(execution_arn, ErrorObject.from_message(f"Execution timed out after {seconds} seconds."))
