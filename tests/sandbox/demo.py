"""`sandbox demo --json` in a copy of the checkout that has never been used."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from observe import Pipeline

from durable_sandbox.cli import process
from durable_sandbox.provider_process import REATTACH
from durable_sandbox.pytest_plugin import Sandbox

_REPO = Path(__file__).parents[2]
_NAME = "durable-pipeline"


class Demo:
    """One command after another on a port and in a directory of their own."""

    def __init__(self, directory: Path) -> None:
        self._root = directory / "checkout"
        self._root.mkdir()
        for file in _REPO.glob("*.tf"):
            shutil.copy(file, self._root)
        for folder in ("modules", "functions"):
            ignore = shutil.ignore_patterns("__pycache__", ".terraform*", "*.tfstate*", ".sandbox")
            shutil.copytree(_REPO / folder, self._root / folder, ignore=ignore)
        self._port = process.free_port()
        self._begun: subprocess.Popen[str] | None = None

    def begin(self) -> None:
        """Start a run."""
        self._begun = self._sandbox("demo", "--json")

    def finish(self) -> dict[str, Any]:
        """What the run that was begun last prints: one JSON object and nothing else."""
        assert self._begun is not None
        stdout, stderr = self._begun.communicate(timeout=180)
        assert self._begun.returncode == 0, stderr
        lines = stdout.splitlines()
        assert len(lines) == 1, stdout
        figures: dict[str, Any] = json.loads(lines[0])
        return figures

    def close(self) -> None:
        """Stop what runs, and the sandbox that the demo left running."""
        if self._begun is not None and self._begun.poll() is None:
            process.stop_tree(self._begun.pid)
            self._begun.communicate()
        down = self._sandbox("down")
        _, stderr = down.communicate(timeout=60)
        assert down.returncode == 0, stderr

    def assert_account(self, *, rows: int, failed: int) -> None:
        """So many rows, so many events in ``<name>-failed`` with their error, and nothing on another queue."""
        client = self._account().client
        scanned = client("dynamodb").get_paginator("scan").paginate(TableName=_NAME, Select="COUNT")
        assert sum(page["Count"] for page in scanned) == rows
        sqs = client("sqs")
        urls = {url.rsplit("/", 1)[-1]: url for url in sqs.list_queues()["QueueUrls"]}
        pipeline = Pipeline(self._account(), urls)
        depths = {name: pipeline.depth(name) for name in urls}
        assert depths == {_NAME: 0, f"{_NAME}-dlq": 0, f"{_NAME}-failed": failed}
        seen = pipeline.peek(f"{_NAME}-failed")
        errors = [message["MessageAttributes"]["ErrorMessage"]["StringValue"] for message in seen]
        assert len(errors) == failed
        assert all("data_source" in error or "processing_type" in error for error in errors)

    def waits(self) -> list[int]:
        """Seconds of each durable wait in all histories."""
        pipeline = Pipeline(self._account(), {"function_name": _NAME})
        pages = pipeline.functions.get_paginator("list_durable_executions_by_function").paginate(FunctionName=_NAME)
        arns = [summary["DurableExecutionArn"] for page in pages for summary in page["DurableExecutions"]]
        assert len(arns) >= 20
        events = [event for arn in arns for event in pipeline.history(arn)]
        return [event["WaitStartedDetails"]["Duration"] for event in events if event["EventType"] == "WaitStarted"]

    def stack_id(self) -> str:
        """Id of the CloudFormation stack: another one each time it is created."""
        stacks = self._account().client("cloudformation").describe_stacks(StackName=_NAME)["Stacks"]
        identifier: str = stacks[0]["StackId"]
        return identifier

    def _account(self) -> Sandbox:
        running = process.require(self._port)
        return Sandbox(running.port, running.pid, running.real_time, None, None)

    def _sandbox(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(Path(sys.executable).with_name("sandbox")), *arguments, "--port", str(self._port)],
            cwd=self._root,
            env={name: value for name, value in os.environ.items() if not name.startswith(("AWS_", REATTACH))},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
