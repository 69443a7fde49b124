"""Roles, sessions and handlers for the tests of enforcement, by boto3 alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from lambda_support import package

from durable_sandbox.pytest_plugin import Sandbox

ACCOUNT = "123456789012"
REGION = "us-east-1"
Statement = Mapping[str, Any]

CALLER = """
import boto3
from botocore.exceptions import ClientError


def handler(event, context):
    client = boto3.client(event["service"])
    try:
        answer = getattr(client, event["operation"])(**event["params"])
    except ClientError as error:
        return {"code": error.response["Error"]["Code"], "message": error.response["Error"]["Message"]}
    return {"status": answer["ResponseMetadata"]["HTTPStatusCode"]}
"""
"""A handler that makes the call that its event says."""


def unique(kind: str) -> str:
    """A name that no other test uses."""
    return f"{kind}-{uuid4().hex[:10]}"


def document(*statements: Statement) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(actions: str | list[str], resources: str | list[str], **more: Any) -> dict[str, Any]:
    """An Allow statement."""
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


def trust(*services: str, **more: Any) -> str:
    """A trust policy for services."""
    names = [f"{service}.amazonaws.com" for service in services]
    return document({"Effect": "Allow", "Principal": {"Service": names}, "Action": "sts:AssumeRole", **more})


def refused(call: Any, **params: Any) -> dict[str, Any]:
    """The error of a call that must fail."""
    try:
        call(**params)
    except ClientError as error:
        return {"Status": error.response["ResponseMetadata"]["HTTPStatusCode"], **error.response["Error"]}
    raise AssertionError(f"{call.__name__} was allowed")


@dataclass(frozen=True)
class Role:
    """A role."""

    name: str
    arn: str


class Account:
    """What a test needs of the sandbox's account."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.iam = sandbox.client("iam")
        self.sqs = sandbox.client("sqs")
        self.functions = sandbox.client("lambda")
        self.pipes = sandbox.client("pipes")

    def role(self, *statements: Statement, trusted: str | None = None, **options: Any) -> Role:
        """A role with one inline policy ``p``; Lambda and Pipes may assume it unless ``trusted`` says who."""
        name = unique("role")
        made = self.iam.create_role(
            RoleName=name, AssumeRolePolicyDocument=trusted or trust("lambda", "pipes", "events"), **options
        )
        role = Role(name, made["Role"]["Arn"])
        if statements:
            self.grant(role, *statements)
        return role

    def grant(self, role: Role, *statements: Statement) -> None:
        """Replace the role's inline policy."""
        self.iam.put_role_policy(RoleName=role.name, PolicyName="p", PolicyDocument=document(*statements))

    def session(self, role: Role, service: str, *, signature_version: str | None = None, **options: Any) -> Any:
        """A client with keys that AssumeRole issued for ``role``."""
        keys = self.sandbox.client("sts").assume_role(RoleArn=role.arn, RoleSessionName="test", **options)[
            "Credentials"
        ]
        return self.with_keys(service, keys["AccessKeyId"], keys["SessionToken"], signature_version)

    def with_keys(self, service: str, key: str, token: str | None = None, signature_version: str | None = None) -> Any:
        """A client with these keys; it does not retry."""
        return boto3.client(
            service,
            endpoint_url=self.sandbox.endpoint_url,
            region_name=REGION,
            aws_access_key_id=key,
            aws_secret_access_key="secret",
            aws_session_token=token,
            config=Config(retries={"total_max_attempts": 1}, signature_version=signature_version),
        )

    def queue(self, **attributes: str) -> tuple[str, str]:
        """URL and ARN of a new queue."""
        name = unique("queue")
        url = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return url, f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"

    def protect(self, url: str, *statements: Statement) -> None:
        """Set a queue's policy."""
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document(*statements)})

    def function(self, role: Role, source: str = CALLER, **settings: Any) -> str:
        """A function with alias ``live``; returns its ARN without qualifier."""
        name = unique("function")
        arn: str = self.functions.create_function(
            FunctionName=name,
            Role=role.arn,
            Runtime="python3.13",
            Handler="handler.handler",
            Code={"ZipFile": package(source)},
            Publish=True,
            **{"Timeout": 20} | settings,
        )["FunctionArn"]
        self.functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
        return arn.removesuffix(":1")

    def by_handler(self, function: str, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """What a CALLER gets when it makes a call."""
        event = {"service": service, "operation": operation, "params": params}
        answer = self.functions.invoke(FunctionName=f"{function}:live", Payload=json.dumps(event).encode())
        found: dict[str, Any] = json.loads(answer["Payload"].read())
        return found
