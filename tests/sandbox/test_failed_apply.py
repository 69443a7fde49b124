"""An apply that CloudFormation cannot carry out: said why, nothing left of it, mended by the next one."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from deployment import Deployment

from durable_sandbox.pytest_plugin import Sandbox, eventually

MISSING = "lone/nowhere.zip"
REASON = "NoSuchKey"


def plain(output: str) -> str:
    """Terraform's text without its frames and line breaks."""
    return re.sub(r"\s*\n[│\s]*", " ", output)


def stacks(sandbox: Sandbox) -> dict[str, str]:
    listed = sandbox.client("cloudformation").list_stacks()["StackSummaries"]
    return {stack["StackName"]: stack["StackStatus"] for stack in listed if stack["StackStatus"] != "DELETE_COMPLETE"}


# Most of its time goes into the provider, which looks at a stack every ten seconds.
@pytest.mark.timeout(180)
def test_failed_creation_and_failed_update(lone: Deployment, sandbox: Sandbox) -> None:
    functions = sandbox.client("lambda")

    failed = lone.run("apply", s3_key=MISSING)
    assert failed.returncode == 1
    assert REASON in plain(failed.stdout)
    assert "lone" not in stacks(sandbox)
    assert "lone" not in {function["FunctionName"] for function in functions.list_functions()["Functions"]}

    lone.changed("apply")
    outputs = lone.outputs()
    assert outputs["version"] == "1"
    waits(functions, outputs["alias_arn"])

    failed = lone.run("apply", s3_key=MISSING, timeout=60)
    assert failed.returncode == 1
    assert REASON in plain(failed.stdout)
    assert stacks(sandbox)["lone"] == "UPDATE_ROLLBACK_COMPLETE"
    assert functions.get_alias(FunctionName="lone", Name="live")["FunctionVersion"] == "1"
    assert functions.get_function_configuration(FunctionName="lone")["Timeout"] == 30
    waits(functions, outputs["alias_arn"])

    lone.changed("apply", timeout=60)
    lone.assert_nothing_to_change(timeout=60)
    assert functions.get_function_configuration(FunctionName="lone", Qualifier="live")["Timeout"] == 60
    waits(functions, outputs["alias_arn"])


def waits(functions: Any, alias: str) -> None:
    """An execution started on the alias gets as far as its callback, and is stopped."""
    answer = functions.invoke(FunctionName=alias, InvocationType="Event", Payload=json.dumps({}))
    arn = answer["DurableExecutionArn"]

    def probe() -> bool | None:
        history = functions.get_durable_execution_history(DurableExecutionArn=arn)
        return True if "CallbackStarted" in {event["EventType"] for event in history["Events"]} else None

    assert eventually(probe)
    functions.stop_durable_execution(DurableExecutionArn=arn)
