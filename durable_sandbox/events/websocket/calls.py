"""How API Gateway calls: as whom, and functions by their integration URI."""

from __future__ import annotations

import re
from collections.abc import Mapping

from durable_sandbox.aws.call import Caller
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.events.websocket.ports import Gateway

SERVICE = "apigateway.amazonaws.com"
_SESSION = "BackplaneAssumeRoleSession"
URI = re.compile(
    r"arn:[^:]+:apigateway:(?P<region>[^:]+):(?P<service>[^:]+):(?P<kind>path|action)/(?P<rest>.*)", re.DOTALL
)
_FUNCTION = re.compile(r"arn:[^:]+:apigateway:[^:]+:lambda:path/[^/]*/functions/(arn:[^/]+)/invocations")

_STAGE_VARIABLE = re.compile(r"\$\{stageVariables\.([A-Za-z0-9_]+)\}")


class FunctionError(Exception):
    """A function answered with an error; ``payload`` is its JSON text."""

    def __init__(self, function: str, payload: str) -> None:
        super().__init__(f"the function {function} failed: {payload[:1000]}")
        self.payload = payload


def resolved(uri: str, stage_variables: Mapping[str, str]) -> str:
    """``uri`` with the values of its ``${stageVariables.name}``; nothing for one that the stage does not have."""
    return _STAGE_VARIABLE.sub(lambda match: stage_variables.get(match[1], ""), uri)


def function_of(uri: str) -> str | None:
    """The ARN of the function that a URI leads to; None if it leads elsewhere."""
    match = _FUNCTION.fullmatch(uri)
    return None if match is None else match[1]


def caller_of(gateway: Gateway, source_arn: str, credentials: str | None) -> Caller:
    """Who calls: a session of the role, which must trust API Gateway, else API Gateway itself. Raises AwsError."""
    if not credentials:
        return gateway.identities.principal(SERVICE, source_arn)
    if not gateway.access.assumable(credentials, SERVICE, source_arn=source_arn, source_account=gateway.account):
        raise AwsError("AccessDenied", f"API Gateway may not assume the role {credentials}.", status=403)
    return gateway.identities.service(credentials, _SESSION)


async def invoke_function(gateway: Gateway, caller: Caller, region: str, function: str, payload: str) -> str:
    """Invoke a function and wait for its answer. Raises AwsError, FunctionError."""
    params = {"FunctionName": function, "InvocationType": "RequestResponse", "Payload": payload.encode()}
    answer = await gateway.api.call(caller, region, "lambda", "Invoke", params)
    text = bytes(answer.get("Payload") or b"").decode()
    if answer.get("FunctionError"):
        raise FunctionError(function, text)
    return text
