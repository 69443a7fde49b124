"""The functions to which URIs of integrations and authorizers lead."""

from __future__ import annotations

import pytest

from durable_sandbox.events.websocket.calls import function_of, resolved

FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:authorizer"
PREFIX = "arn:aws:apigateway:eu-west-1:lambda:path"


@pytest.mark.parametrize("date", ["2015-03-31", "2014-11-11"])
def test_a_uri_of_any_version_leads_to_its_function(date: str) -> None:
    assert function_of(f"{PREFIX}/{date}/functions/{FUNCTION}/invocations") == FUNCTION


@pytest.mark.parametrize(
    "named", ["${stageVariables.whole}", "arn:aws:lambda:eu-west-1:123456789012:function:${stageVariables.name}"]
)
def test_a_stage_variable_stands_for_a_function_or_its_name(named: str) -> None:
    variables = {"whole": FUNCTION, "name": "authorizer"}
    assert function_of(resolved(f"{PREFIX}/2015-03-31/functions/{named}/invocations", variables)) == FUNCTION


def test_a_variable_that_the_stage_has_not_leads_nowhere() -> None:
    assert function_of(resolved(f"{PREFIX}/2015-03-31/functions/${{stageVariables.none}}/invocations", {})) is None
