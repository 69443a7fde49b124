"""`sandbox up --real-time`: durable waits take the time they say. Elsewhere they are skipped."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from durable_sandbox.cli import aws, process
from durable_sandbox.pytest_plugin import eventually

HOLD = 2.0
SOURCE = f"""
from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python.config import Duration


@durable_execution
def handler(event, context):
    context.wait(Duration.from_seconds({HOLD:.0f}), name="hold")
    return "held"
"""


def policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def functions(tmp_path: Path) -> Iterator[Any]:
    """A Lambda client of a sandbox in real time, which the CLI starts and stops."""
    port = process.free_port()

    def sandbox(*arguments: str) -> None:
        command = [str(Path(sys.executable).with_name("sandbox")), *arguments, "--port", str(port)]
        done = subprocess.run(command, cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    sandbox("up", "--detach", "--real-time")
    try:
        yield aws.client(port, "lambda")
    finally:
        sandbox("down")


def test_hold_is_waited(functions: Any) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    checkpoint = {
        "Effect": "Allow",
        "Action": ["lambda:CheckpointDurableExecution", "lambda:GetDurableExecutionState"],
        "Resource": "arn:aws:lambda:us-east-1:123456789012:function:held:*",
    }
    iam = aws.client(functions.meta.endpoint_url.rsplit(":", 1)[1], "iam")
    role = iam.create_role(RoleName="held", AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName="held", PolicyName="execution", PolicyDocument=policy(checkpoint))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("handler.py", SOURCE)
    functions.create_function(
        FunctionName="held",
        Role=role,
        Runtime="python3.13",
        Handler="handler.handler",
        Code={"ZipFile": archive.getvalue()},
        DurableConfig={"ExecutionTimeout": 60, "RetentionPeriodInDays": 1},
        Publish=True,
    )
    started = time.monotonic()
    arn = functions.invoke(FunctionName="held:1", InvocationType="Event", Payload=b"{}")["DurableExecutionArn"]
    answer = eventually(
        lambda: (
            found
            if (found := functions.get_durable_execution(DurableExecutionArn=arn))["Status"] != "RUNNING"
            else None
        )
    )
    assert (answer["Status"], json.loads(answer["Result"])) == ("SUCCEEDED", "held")
    assert time.monotonic() - started >= HOLD
    times = {
        event["EventType"]: event["EventTimestamp"]
        for event in functions.get_durable_execution_history(DurableExecutionArn=arn)["Events"]
    }
    assert HOLD <= (times["WaitSucceeded"] - times["WaitStarted"]).total_seconds() < HOLD + 5
