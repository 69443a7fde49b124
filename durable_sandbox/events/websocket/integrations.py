"""What a route leads to: a function, another service of AWS, or nothing but an answer.

Sources: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-integration-requests.html,
apigateway-websocket-api-integration-responses.html and apigateway-control-access-policy-language-overview.html (a function
is called by the integration's credentials, or as apigateway.amazonaws.com by the function's own policy).
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import quote, urlencode

from botocore.session import get_session

from durable_sandbox.aws.errors import AwsError
from durable_sandbox.aws.http import HttpRequest
from durable_sandbox.events.websocket.calls import URI, FunctionError, caller_of, function_of, invoke_function, resolved
from durable_sandbox.events.websocket.deployed import Integration, IntegrationResponse
from durable_sandbox.events.websocket.expressions import (
    Answer,
    ExpressionError,
    ParameterSource,
    chosen,
    map_parameters,
    select,
)
from durable_sandbox.events.websocket.ports import Gateway
from durable_sandbox.events.websocket.request import CONNECT, DEFAULT_ROUTE, Request
from durable_sandbox.events.websocket.templates import TemplateError, TemplateInput, render

_MOCK_STATUS = re.compile(r'"?statusCode"?\s*:\s*"?(\d{3})')
_OK, _BAD_REQUEST = 200, 400
_SHOWN = 1000
"""Characters of an error that are logged."""


class IntegrationError(Exception):
    """There is no answer to give to the client; the text says why, for the access log and the sandbox's log."""


class IntegrationTimeoutError(IntegrationError):
    """The integration took longer than its timeout."""


async def integrate(gateway: Gateway, request: Request) -> Answer:
    """Call the route's integration, time and count it, and keep the status and fault of its answer. Raises IntegrationError.

    What failed in calling it is an ExecutionError of the metrics, what it answers with 4xx or 5xx an IntegrationError:
    https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-logging.html
    """
    stage, started = request.stage, time.monotonic()
    counts = gateway.counts.of(stage.region, stage.api_id, stage.name, request.route.key)
    try:
        answer = await _in_time(gateway, request)
    except IntegrationError as error:
        if isinstance(error.__cause__, FunctionError):
            counts.integration_errors += 1
        else:
            counts.execution_errors += 1
        raise
    finally:
        elapsed = (time.monotonic() - started) * 1000
        counts.latencies.append(elapsed)
        request.latency = round(elapsed)
    if answer.status >= _BAD_REQUEST:
        counts.integration_errors += 1
        request.fault = answer.body[:_SHOWN]
    request.facts["integrationStatus"] = answer.status
    return answer


async def _in_time(gateway: Gateway, request: Request) -> Answer:
    integration = request.route.integration
    if integration is None:
        raise IntegrationError(f"route {request.route.key} has no integration")
    try:
        async with asyncio.timeout(integration.timeout):
            return await _call(gateway, request, integration)
    except TimeoutError as error:
        raise IntegrationTimeoutError(f"no answer in {integration.timeout:g} s") from error
    except (TemplateError, ExpressionError, FunctionError, AwsError) as error:
        raise IntegrationError(error.message if isinstance(error, AwsError) else str(error)) from error


def respond(request: Request, answer: Answer) -> str:
    """The text for the client of a two-way route. Raises IntegrationError if there is none.

    A function behind AWS_PROXY is passed on. Otherwise the response whose key matches the selected value counts, else
    ``$default``; without one API Gateway fails, whatever the status ("no match for output mapping", seen on AWS:
    https://repost.aws/questions/QU5uSB74xLRg2NBJ4MGzQbgw).
    """
    integration = request.route.integration
    assert integration is not None  # noqa: S101 - it has answered
    if integration.kind == "AWS_PROXY":
        return answer.body
    try:
        found = _response(integration, answer)
        if found is None:
            raise IntegrationError(f"the integration answered {answer.status}, for which there is no response")
        template = _template(found.templates, found.template_selection, answer.body)
        if template is None:
            return answer.body
        return render(template, TemplateInput(answer.body, request.context(), request.stage.variables))
    except (TemplateError, ExpressionError) as error:
        raise IntegrationError(str(error)) from error


def _response(integration: Integration, answer: Answer) -> IntegrationResponse | None:
    expression = integration.response_selection or "${integration.response.statuscode}"
    key = chosen(integration.responses, select(expression, None, answer=answer))
    return None if key is None else integration.responses[key]


def _template(templates: Mapping[str, str], selection: str | None, body: str) -> str | None:
    key = chosen(templates, select(selection or DEFAULT_ROUTE, body))
    return None if key is None else templates[key]


async def _call(gateway: Gateway, request: Request, integration: Integration) -> Answer:
    if integration.kind == "MOCK":
        return _mock(_rendered(request, integration) or "")
    uri = resolved(integration.uri or "", request.stage.variables)
    parts, function = URI.fullmatch(uri), function_of(uri)
    if parts is None:
        raise IntegrationError(
            f"the integration's URI is {uri!r}: not arn:<partition>:apigateway:<region>:<service>:..."
        )
    if integration.kind == "AWS_PROXY":
        if function is None:
            raise IntegrationError(f"AWS_PROXY leads to a function, not to {uri}")
        payload = json.dumps(request.event(), separators=(",", ":"), ensure_ascii=False)
        return _of_proxy(await _invoke(gateway, request, integration, function, payload))
    body = _rendered(request, integration)
    if body is None:
        raise IntegrationError("no request template fits, and the passthrough behaviour forbids to pass the message on")
    if function is not None:
        return Answer(_OK, body=await _invoke(gateway, request, integration, function, body))
    return await _to_service(gateway, request, integration, parts, body)


async def _invoke(gateway: Gateway, request: Request, integration: Integration, function: str, payload: str) -> str:
    caller = caller_of(gateway, request.source_arn, integration.credentials)
    return await invoke_function(gateway, caller, request.stage.region, function, payload)


def _of_proxy(text: str) -> Answer:
    """A proxy's answer: ``{"statusCode", "headers", "body"}``; without a body there is nothing to pass on."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise IntegrationError("the function's answer is not JSON") from error
    if not isinstance(value, dict):
        return Answer(_OK, body="" if value is None else text)
    status = value.get("statusCode", _OK)
    if not isinstance(status, int | str) or not str(status).isdigit():
        raise IntegrationError(f"the function's answer has the statusCode {status!r}")
    body = value.get("body")
    headers = value.get("headers")
    return Answer(
        int(status),
        {str(name).lower(): str(text) for name, text in headers.items()} if isinstance(headers, dict) else {},
        "" if body is None else body if isinstance(body, str) else json.dumps(body),
    )


def _mock(rendered: str) -> Answer:
    """A mock's request template says the status: https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-mock-integration.html."""
    found = _MOCK_STATUS.search(rendered)
    return Answer(int(found[1]) if found else _OK)


def _rendered(request: Request, integration: Integration) -> str | None:
    """The integration request's body; None if the message may not be passed on as it is."""
    body = request.body or ""
    templates = integration.request_templates
    template = _template(templates, integration.template_selection, body)
    if template is not None:
        return render(template, TemplateInput(body, request.context(), request.stage.variables))
    allowed = integration.passthrough == "WHEN_NO_MATCH" or (
        integration.passthrough == "WHEN_NO_TEMPLATES" and not templates
    )
    return body if allowed else None


async def _to_service(
    gateway: Gateway, request: Request, integration: Integration, parts: re.Match[str], body: str
) -> Answer:
    """Send the rendered text in the service's own protocol, as API Gateway does: it is parsed by the service, not here."""
    service = parts["service"].rsplit(".", 1)[-1]
    handshake = request.connection.handshake
    source = ParameterSource(
        *((handshake.headers, handshake.query) if request.kind == CONNECT else ((), ())),
        request.body,
        request.context(),
        request.stage.variables,
    )
    mapped = map_parameters(integration.request_parameters, source)
    headers = {"content-type": "application/json", **{name.lower(): value for name, value in mapped.headers}}
    query = dict(mapped.query)
    path = "/"
    if parts["kind"] == "path":
        path += parts["rest"]
        for name, value in mapped.path.items():
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
    else:
        _name_action(service, parts["rest"], headers, query)
    caller = caller_of(gateway, request.source_arn, integration.credentials)
    message = HttpRequest(integration.method or "POST", path, urlencode(query), headers, body.encode())
    answer = await gateway.http.exchange(caller, parts["region"], service, message)
    return Answer(
        answer.status, {name.lower(): value for name, value in answer.headers}, answer.body.decode(errors="replace")
    )


def _name_action(service: str, action: str, headers: dict[str, str], query: dict[str, str]) -> None:
    """``action/X``: by target in a JSON protocol, by parameter in the query protocol."""
    metadata = _metadata(service)
    prefix = metadata.get("targetPrefix")
    if prefix:
        headers["x-amz-target"] = f"{prefix}.{action}"
        headers["content-type"] = f"application/x-amz-json-{metadata.get('jsonVersion', '1.0')}"
    else:
        query["Action"] = action


@cache
def _metadata(service: str) -> Mapping[str, Any]:
    metadata: Mapping[str, Any] = get_session().get_service_model(service).metadata
    return metadata
