"""Executions in memory."""

from __future__ import annotations

from aws_durable_execution_sdk_python_testing.execution import Execution
from aws_durable_execution_sdk_python_testing.stores.memory import InMemoryExecutionStore


class ExecutionMemory(InMemoryExecutionStore):
    """The engine's memory store, with the means to forget a deleted function's executions."""

    def discard(self, function_name: str) -> list[str]:
        """Drop every execution of ``function_name``; returns their ARNs."""
        with self._lock:
            dropped = [a for a, e in self._store.items() if e.start_input.function_name == function_name]
            for arn in dropped:
                del self._store[arn]
        return dropped

    def of_function(self, function_name: str | None) -> list[Execution]:
        """Executions in the order of their start, of one function or of all."""
        return [e for e in self.list_all() if function_name in (None, e.start_input.function_name)]
