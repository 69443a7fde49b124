"""IAM actions of API Gateway v2: methods on paths."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.session import get_session

from durable_sandbox.iam.actions.apigateway import TABLE
from durable_sandbox.iam.actions.rules import Operation
from durable_sandbox.services.apigatewayv2.kinds import OPERATIONS

MODEL = get_session().get_service_model("apigatewayv2")


def operation(name: str, params: dict[str, Any]) -> Operation:
    return Operation("apigateway", name, "us-east-1", "123456789012", params, lambda *_: None)


def test_every_operation_that_is_emulated_is_in_the_table() -> None:
    assert set(OPERATIONS) <= set(TABLE) <= set(MODEL.operation_names)


@pytest.mark.parametrize("name", sorted(TABLE))
def test_method_and_path_are_the_api_s(name: str) -> None:
    model = MODEL.operation_model(name)
    members = model.input_shape.members
    places = {shape.serialization.get("name"): member for member, shape in members.items()}
    path = model.http["requestUri"].removeprefix("/v2").rstrip("/")
    for label, member in places.items():
        path = path.replace(f"{{{label}}}", member)
    [need] = TABLE[name](operation(name, {member: member for member in members}))
    assert need.action == f"apigateway:{model.http['method']}"
    assert need.resource == f"arn:aws:apigateway:us-east-1::{path}"


def test_a_tagged_resource_is_part_of_a_path() -> None:
    arn = "arn:aws:apigateway:us-east-1::/apis/a"
    [need] = TABLE["TagResource"](operation("TagResource", {"ResourceArn": arn}))
    assert need.resource == "arn:aws:apigateway:us-east-1::/tags/arn%3Aaws%3Aapigateway%3Aus-east-1%3A%3A%2Fapis%2Fa"
