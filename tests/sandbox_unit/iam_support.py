"""What the IAM tests share: policies held in dictionaries, requests in one line, parameters for any operation."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import botocore.session
from botocore.model import OperationModel, ServiceModel, Shape

from durable_sandbox.aws.call import Call, Caller
from durable_sandbox.iam.evaluator import Decision, Evaluator
from durable_sandbox.iam.model import AccessRequest, Document, Principal, RoleDocuments

ACCOUNT = "123456789012"
REGION = "us-east-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/worker"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/run"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"
URL = f"http://127.0.0.1:4566/{ACCOUNT}/orders"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0f8e1c5a-0000-4000-8000-000000000001"
NOW = 1_780_000_000.0

ROOT = Caller(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", "sandbox")
WORKER = Caller(ACCOUNT, SESSION, "ASIA1", ROLE)

Statements = Mapping[str, Any] | Sequence[Mapping[str, Any]]


def document(statements: Statements, name: str = "inline") -> Document:
    return Document(name, json.dumps({"Version": "2012-10-17", "Statement": statements}))


def allow(action: Any = "sqs:SendMessage", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any = "sqs:SendMessage", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": action, "Resource": resource, **more}


def trust(service: str = "lambda.amazonaws.com", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole", **more}


class FakeSource:
    """A PolicySource to fill by hand; ``reads`` counts how often policies were asked for."""

    def __init__(self) -> None:
        self.roles: dict[str, RoleDocuments] = {}
        self.resources: dict[str, Document] = {}
        self.sessions: dict[str, list[Document]] = {}
        self.keys: dict[str, str] = {}
        self.reads = 0

    def grant(self, *statements: Mapping[str, Any], boundary: Statements | None = None, role: str = ROLE) -> None:
        self.roles[role] = RoleDocuments(
            document(trust(), "trust"),
            [document(list(statements))] if statements else [],
            None if boundary is None else document(boundary, "boundary"),
        )

    def protect(self, *statements: Mapping[str, Any], resource: str = QUEUE) -> None:
        self.resources[resource] = document(list(statements), "resource")

    def role(self, role_arn: str) -> RoleDocuments | None:
        self.reads += 1
        return self.roles.get(role_arn)

    def session_policies(self, principal_arn: str) -> Sequence[Document]:
        return self.sessions.get(principal_arn, [])

    def resource_policy(self, resource_arn: str) -> Document | None:
        return self.resources.get(resource_arn)

    def key_arn(self, key: str, region: str) -> str | None:
        del region
        return {"alias/orders": KEY, KEY: KEY, KEY.rsplit("/", 1)[-1]: KEY}.get(key)

    def encryption_key(self, resource_arn: str) -> str | None:
        return self.keys.get(resource_arn)


def decide(
    source: FakeSource,
    action: str = "sqs:SendMessage",
    resource: str = QUEUE,
    *,
    principal: Principal | None = None,
    **context: Any,
) -> Decision:
    """Decide for the worker's session; ``context`` keys by name with ``:`` as ``__``, values text or a tuple of texts."""
    values = {
        key.replace("__", ":").lower(): (value,) if isinstance(value, str) else tuple(value)
        for key, value in context.items()
    }
    request = AccessRequest(principal or Principal.of(WORKER), action, resource, REGION, values)
    return Evaluator(source, now=lambda: NOW).decide(request)


def call(service: str, operation: str, params: Mapping[str, Any] | None = None, caller: Caller = WORKER) -> Call:
    return Call(service, operation, params or {}, caller, REGION)


def callback_id(execution: str) -> str:
    return base64.b64encode(json.dumps({"arn": execution, "op": "1"}).encode()).decode()


@cache
def model(service: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(service)


def sample_params(operation: OperationModel) -> dict[str, Any]:
    """Parameters with every member that botocore requires: ARNs where the name says so, other texts the name."""
    shape = operation.input_shape
    return {} if shape is None else {name: _sample(shape.members[name], name) for name in shape.required_members}


def _sample(shape: Shape, name: str) -> Any:
    kind = shape.type_name
    if kind == "string" and name.lower().endswith("arn"):
        return f"arn:aws:any:{REGION}:{ACCOUNT}:{name}"
    if kind == "structure":
        return {member: _sample(shape.members[member], member) for member in shape.required_members}
    if kind == "list":
        return [_sample(shape.member, name)]
    if kind == "map":
        return {name: _sample(shape.value, name)}
    return {"string": name, "integer": 1, "long": 1, "boolean": True, "blob": b"x", "double": 1.0, "float": 1.0}.get(
        kind, name
    )
