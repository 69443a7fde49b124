"""The root as a module of somebody else's: own sources, which wait for a callback; a deployment in between."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from deployment import Deployment, inventory
from observe import Pipeline
from pytest_terraform import terraform

from durable_sandbox.pytest_plugin import Sandbox, eventually

pytestmark = pytest.mark.timeout(240)  # the first test applies, which takes a minute


@pytest.fixture(scope="module")
def before(sandbox: Sandbox) -> set[str]:
    """What was in the account before the apply."""
    return inventory(sandbox)


@pytest.fixture(scope="module")
def deployed(before: set[str], sandbox: Sandbox, request: pytest.FixtureRequest) -> Pipeline:  # noqa: ARG001 - order
    applied = request.getfixturevalue("callback")
    return Pipeline(sandbox, {name: output["value"] for name, output in applied.outputs.items()})


@pytest.fixture(scope="module")
def aws() -> str:
    """The aws CLI of this virtual environment (extra `dev`), else of the PATH; it must know durable functions."""
    own = Path(sys.executable).with_name("aws")
    found = str(own) if own.exists() else shutil.which("aws")
    hint = f'Install the development tools: {sys.executable} -m pip install -e ".[dev]"'
    assert found, f"The aws CLI was not found. {hint}"
    known = subprocess.run(
        [found, "lambda", "send-durable-execution-callback-success", "--generate-cli-skeleton"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert known.returncode == 0, f"{found} does not know durable functions. {hint}\n{known.stderr}"
    return found


def call(aws: str, *arguments: str) -> Any:
    """The answer of one aws CLI call."""
    done = subprocess.run(
        [aws, "--output", "json", "--no-cli-pager", "lambda", *arguments]
        if _version(aws) >= 2
        else [aws, "--output", "json", "lambda", *arguments],
        env={**os.environ, "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else None


def started(pipeline: Pipeline, message_id: str) -> str:
    """The ARN of the execution that the message started, once there is one."""

    def probe() -> str | None:
        runs = pipeline.executions([message_id])[message_id]
        return runs[0]["DurableExecutionArn"] if runs else None

    return eventually(probe, what="for an execution")


def callback_id(pipeline: Pipeline, arn: str) -> str:
    """The id of the callback that the execution waits for, once it does."""

    def probe() -> str | None:
        events = pipeline.history(arn)
        return next(
            (e["CallbackStartedDetails"]["CallbackId"] for e in events if e["EventType"] == "CallbackStarted"), None
        )

    return eventually(probe, what="for a callback")


def result(pipeline: Pipeline, arn: str) -> dict[str, Any]:
    """The result of the execution, once it has succeeded."""

    def probe() -> dict[str, Any] | None:
        execution = pipeline.execution(arn)
        assert execution["Status"] in {"RUNNING", "SUCCEEDED"}, execution
        return json.loads(execution["Result"]) if execution["Status"] == "SUCCEEDED" else None

    return eventually(probe, what="for a result")


def wait_for_approval(pipeline: Pipeline) -> tuple[str, str, str]:
    """Send a message: its id, the ARN of its execution and the callback that this waits for now."""
    (message_id,) = pipeline.send([{"request": "approve"}])
    arn = started(pipeline, message_id)
    return message_id, arn, callback_id(pipeline, arn)


@terraform("callback", scope="module")
def test_aws_cli_completes_the_callback(deployed: Pipeline, aws: str, tmp_path: Path) -> None:
    message_id, arn, callback = wait_for_approval(deployed)
    assert call(aws, "get-durable-execution", "--durable-execution-arn", arn)["Status"] == "RUNNING"
    answer = tmp_path / "approval.json"
    answer.write_text('{"by": "Ada"}')
    # From a file, for the two major versions of the CLI read a blob on the command line differently.
    completion = ("--callback-id", callback, "--result", f"fileb://{answer}")
    call(aws, "send-durable-execution-callback-success", *completion)
    found = result(deployed, arn)
    assert json.loads(found["approval"]) == {"by": "Ada"}
    assert (found["revision"], found["messages"]) == (1, [message_id])

    name = deployed.outputs["function_name"]
    listed = call(aws, "list-durable-executions-by-function", "--function-name", name, "--statuses", "SUCCEEDED")
    assert arn in {summary["DurableExecutionArn"] for summary in listed["DurableExecutions"]}
    history = call(aws, "get-durable-execution-history", "--durable-execution-arn", arn)
    types = [event["EventType"] for event in history["Events"]]
    assert {"ExecutionStarted", "CallbackStarted", "CallbackSucceeded", "ExecutionSucceeded"} <= set(types)
    assert deployed.failures() == []


def test_aws_cli_fails_the_callback(deployed: Pipeline, aws: str) -> None:
    message_id, arn, callback = wait_for_approval(deployed)
    call(
        aws, "send-durable-execution-callback-failure",
        "--callback-id", callback, "--error", "ErrorType=Refused,ErrorMessage=too expensive",
    )  # fmt: skip
    eventually(lambda: True if deployed.execution(arn)["Status"] == "FAILED" else None)
    (failure,) = eventually(lambda: deployed.failures() or None)
    assert failure.messages == (message_id,)
    assert "too expensive" in failure.error


def test_aws_cli_stops_an_execution(deployed: Pipeline, aws: str) -> None:
    message_id, arn, _ = wait_for_approval(deployed)
    call(
        aws, "stop-durable-execution",
        "--durable-execution-arn", arn, "--error", "ErrorType=Cancelled,ErrorMessage=no longer needed",
    )  # fmt: skip
    eventually(lambda: True if deployed.execution(arn)["Status"] == "STOPPED" else None)
    (failure,) = eventually(lambda: deployed.failures() or None)
    assert failure.messages == (message_id,)


def test_filter_deletes_what_it_excludes(deployed: Pipeline) -> None:
    excluded = deployed.send([{"other": 1}, "no json", {"request": None, "other": 2}, ["request"]])
    included = [excluded.pop(2)]  # the pattern asks for the field, not for a value
    (later,) = deployed.send([{"request": "later"}])
    for message_id in (*included, later):
        started(deployed, message_id)
    deployed.idle()
    assert not any(deployed.executions(excluded).values())
    assert deployed.depth("failed_queue_url") == 0


def test_without_sample_there_is_no_table_and_no_step(deployed: Pipeline) -> None:
    assert "table_name" not in deployed.outputs
    assert deployed.outputs["step_function_arns"] == {}


def test_plan_after_apply_is_empty(deployed: Pipeline, callback: Any) -> None:  # noqa: ARG001 - applied
    Deployment.of(callback).assert_nothing_to_change()


@pytest.fixture
def revised(tmp_path: Path) -> Path:
    """The scenario's sources, changed."""
    sources = Path(__file__).parents[1] / "terraform" / "callback" / "handler"
    changed = tmp_path / "handler"
    shutil.copytree(sources, changed, ignore=shutil.ignore_patterns("__pycache__"))
    handler = changed / "handler.py"
    code = handler.read_text()
    assert "REVISION = 1\n" in code
    handler.write_text(code.replace("REVISION = 1\n", "REVISION = 2\n"))
    return changed


def test_deployment_leaves_running_executions_on_their_version(
    deployed: Pipeline, callback: Any, revised: Path
) -> None:
    _, old, old_callback = wait_for_approval(deployed)
    deployment = Deployment.of(callback)
    assert deployment.outputs()["function_version"] == "1"

    deployment.changed("apply", source_dir=revised)
    deployment.assert_nothing_to_change(source_dir=revised)
    assert deployment.outputs()["function_version"] == "2"

    _, new, new_callback = wait_for_approval(deployed)
    assert deployed.execution(old)["Status"] == "RUNNING"
    for identifier in (old_callback, new_callback):
        deployed.functions.send_durable_execution_callback_success(CallbackId=identifier, Result=b'"yes"')
    assert result(deployed, old)["revision"] == 1
    assert result(deployed, new)["revision"] == 2
    assert [deployed.execution(arn)["Version"] for arn in (old, new)] == ["1", "2"]

    name = deployed.outputs["function_name"]
    versions = deployed.functions.list_versions_by_function(FunctionName=name)["Versions"]
    assert [version["Version"] for version in versions] == ["$LATEST", "1", "2"]
    assert deployed.functions.get_alias(FunctionName=name, Name="live")["FunctionVersion"] == "2"
    hashes = [
        deployed.functions.get_function_configuration(FunctionName=name, Qualifier=version)["CodeSha256"]
        for version in ("1", "2")
    ]
    assert len(set(hashes)) == 2


def test_destroy_leaves_neither_versions_nor_executions(deployed: Pipeline, callback: Any, before: set[str]) -> None:
    """Though old versions are retained and executions wait: the versions go with their function."""
    assert deployed.running()
    Deployment.of(callback).changed("destroy")
    assert inventory(deployed.sandbox) - before == set()
    with pytest.raises(deployed.functions.exceptions.ResourceNotFoundException):
        deployed.functions.list_versions_by_function(FunctionName=deployed.outputs["function_name"])


def _version(aws: str) -> int:
    said = subprocess.run([aws, "--version"], capture_output=True, text=True, check=True)
    return int((said.stdout or said.stderr).split("/", 1)[1].split(".", 1)[0])
