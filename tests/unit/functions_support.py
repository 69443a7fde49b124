"""Loads functions as Lambda would, and runs the pipeline with its real steps in the official test runner."""

import importlib
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import boto3
import pytest
from aws_durable_execution_sdk_python_testing import DurableFunctionTestResult, DurableFunctionTestRunner
from moto import mock_aws

FUNCTIONS = Path(__file__).parents[2] / "functions"
EVENTS = Path(__file__).parent / "events"
REGION = "us-east-1"
STEPS = ("validate", "transform", "store")
Handler = Callable[[Any, Any], Any]


def read_event(name: str) -> Any:
    return json.loads((EVENTS / f"{name}.json").read_text())


def load(function: str, module: str = "handler") -> ModuleType:
    """Import a module of one function with that function's folder alone on the path, as in its package."""
    with _only_folder(FUNCTIONS / function):
        return importlib.import_module(module)


_loaded: dict[Path, dict[str, ModuleType]] = {}


@contextmanager
def _only_folder(folder: Path) -> Iterator[None]:
    """Put one folder first on the path; its modules are kept per folder, since every function has a `handler`."""
    sys.path.insert(0, str(folder))
    sys.modules.update(_loaded.get(folder, {}))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        mine = {
            name: module
            for name, module in sys.modules.items()
            if (getattr(module, "__file__", None) or "").startswith(f"{folder}/")
        }
        _loaded.setdefault(folder, {}).update(mine)
        for name in mine:
            del sys.modules[name]


def arn(step: str) -> str:
    return f"arn:aws:lambda:{REGION}:123456789012:function:demo-{step}:live"


def settings(**changes: str | bool) -> Any:
    values: dict[str, str | bool] = {f"{step}_arn": arn(step) for step in STEPS} | changes
    return load("pipeline", "settings").Settings(**values)


@contextmanager
def dynamodb_table() -> Iterator[Any]:
    """Give the store step an empty table named `demo` in moto, and yield it."""
    with mock_aws(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        patch.setenv("TABLE_NAME", "demo")
        load("store").dynamodb.cache_clear()
        table = boto3.resource("dynamodb").create_table(
            TableName="demo",
            AttributeDefinitions=[{"AttributeName": "message_id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "message_id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield table
    load("store").dynamodb.cache_clear()


def real_steps() -> dict[str, Handler]:
    return {step: load(step).handler for step in STEPS}


@dataclass(frozen=True)
class Execution:
    """A finished execution as a user sees it."""

    result: DurableFunctionTestResult
    history: list[Any]

    @property
    def output(self) -> Any:
        return json.loads(self.result.result)

    @property
    def error(self) -> str:
        assert self.result.error is not None, f"succeeded with {self.result.result}"
        return str(self.result.error.message)

    @property
    def operations(self) -> Counter[str]:
        """Billed operations by type, with the execution itself."""
        return Counter(
            [operation.operation_type.value for operation in self.result.get_all_operations()] + ["EXECUTION"]
        )

    @property
    def invocations(self) -> int:
        return sum(event.event_type == "InvocationCompleted" for event in self.history)

    @property
    def names(self) -> list[str]:
        return sorted(operation.name for operation in self.result.get_all_operations())


@dataclass
class Pipeline:
    """The pipeline with its steps; `calls` records what each step was given."""

    steps: dict[str, Handler]
    calls: list[tuple[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._runner = DurableFunctionTestRunner(load("pipeline").handler, region=REGION, execution_timeout=60)
        for step, handler in self.steps.items():
            self._runner.register_function(f"demo-{step}", self._recorded(step, handler))

    def _recorded(self, step: str, handler: Handler) -> Handler:
        def call(event: Any, context: Any) -> Any:
            self.calls.append((step, event))
            return handler(event, context)

        return call

    def run(self, event: Any) -> Execution:
        execution_arn = self._runner.run_async(json.dumps(event))
        result = self._runner.wait_for_result(execution_arn)
        history = self._runner.get_execution_history(execution_arn, include_execution_data=True)
        return Execution(result, list(history.events))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.close()
