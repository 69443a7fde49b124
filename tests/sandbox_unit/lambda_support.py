"""Functions for the Lambda tests, deployed by boto3 alone."""

from __future__ import annotations

import io
import json
import zipfile
from contextlib import suppress
from typing import Any
from uuid import uuid4

import boto3

from durable_sandbox.pytest_plugin import eventually

ROLE = "arn:aws:iam::123456789012:role/handler"
"""A role that may do anything, for tests of other things than IAM; ``open_role`` creates it."""

_SERVICES = ["lambda.amazonaws.com", "pipes.amazonaws.com"]

ECHO = "def handler(event, context):\n    return {'event': event, 'version': context.function_version}\n"

DURABLE = """
from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python.config import CallbackConfig, Duration


@durable_execution
def handler(event, context):
    if event.get("fail"):
        raise ValueError(event["fail"])
    if event.get("invoke"):
        return context.invoke(event["invoke"], {"from": "parent"}, name="chained")
    if event.get("hold"):
        context.wait(Duration.from_seconds(event["hold"]), name="hold")
    if event.get("callback"):
        callback = context.create_callback(name="approval", config=CallbackConfig(timeout=Duration.from_seconds(3600)))
        return {"approved": callback.result(), "revision": REVISION}
    return {"done": event.get("value"), "revision": REVISION}


REVISION = 1
"""


def package(source: str) -> bytes:
    """A deployment package whose handler.py is ``source``."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("handler.py", source)
    return buffer.getvalue()


def open_role(client: Any) -> str:
    """ROLE, in the sandbox of ``client``."""
    iam = boto3.client(
        "iam",
        endpoint_url=client.meta.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox",
    )
    trust = {"Effect": "Allow", "Principal": {"Service": _SERVICES}, "Action": "sts:AssumeRole"}
    anything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    name = ROLE.rsplit("/", 1)[1]
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(trust))
        iam.put_role_policy(RoleName=name, PolicyName="anything", PolicyDocument=_policy(anything))
    return ROLE


def _policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class Functions:
    """Deploys functions under names that no other test uses."""

    def __init__(self, client: Any) -> None:
        self.client = client

    def deploy(self, source: str, **settings: Any) -> str:
        """Create a function with version 1 and alias ``live``; returns ``name:live``."""
        name = f"f-{uuid4().hex[:12]}"
        self.client.create_function(
            FunctionName=name,
            Role=open_role(self.client),
            Runtime="python3.13",
            Handler="handler.handler",
            Code={"ZipFile": package(source)},
            Publish=True,
            **{"Timeout": 30} | settings,
        )
        self.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
        return f"{name}:live"

    def durable(self, source: str = DURABLE, *, timeout: int = 86_400, **settings: Any) -> str:
        """Deploy a durable function."""
        config = {"ExecutionTimeout": timeout, "RetentionPeriodInDays": 3}
        return self.deploy(source, DurableConfig=config, **settings)

    def start(self, function: str, event: Any, **params: Any) -> str:
        """Start an execution; returns its ARN."""
        answer = self.client.invoke(
            FunctionName=function, InvocationType="Event", Payload=json.dumps(event).encode(), **params
        )
        assert answer["StatusCode"] == 202
        arn: str = answer["DurableExecutionArn"]
        return arn

    def finished(self, arn: str, within: float = 20) -> dict[str, Any]:
        """The execution once it is closed."""

        def closed() -> dict[str, Any] | None:
            execution: dict[str, Any] = self.client.get_durable_execution(DurableExecutionArn=arn)
            return execution if execution["Status"] != "RUNNING" else None

        return eventually(closed, within)

    def history(self, arn: str) -> list[dict[str, Any]]:
        """All events with their data."""
        events: list[dict[str, Any]] = self.client.get_durable_execution_history(
            DurableExecutionArn=arn, IncludeExecutionData=True, MaxItems=1000
        )["Events"]
        return events
