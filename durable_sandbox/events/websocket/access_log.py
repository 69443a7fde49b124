"""A stage's access log: one line a request, by the stage's format of $context variables.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-logging.html; what is not set is "-". Quotes
and backslashes of a value are escaped as in JSON: so it was seen in 2024, of a User-Agent header in a format that is JSON
(https://github.com/DataBiosphere/azul/issues/4348; in 2022 the same issue saw them unescaped). Other values and formats are taken
to be the same.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import Any

from durable_sandbox.events.websocket.expressions import looked_up
from durable_sandbox.events.websocket.ports import Gateway
from durable_sandbox.events.websocket.request import Request

_VARIABLE = re.compile(r"\$context\.([A-Za-z0-9_.]+)")
_QUOTED = "error.messageString"
"""JSON text already, quotes included."""


def log(gateway: Gateway, request: Request, status: int) -> None:
    """Write the line of a request that has been answered with ``status``."""
    settings = request.stage.access_log
    if settings is None:
        return
    facts = _facts(request, status)
    line = _VARIABLE.sub(lambda match: _value(facts, match[1]), settings.format)
    gateway.logs.put(
        request.stage.region,
        settings.group,
        f"{request.stage.api_id}/{request.stage.name}",
        [(int(time.time() * 1000), line)],
        role_arn=request.stage.log_role,
    )


def _facts(request: Request, status: int) -> dict[str, Any]:
    context = request.context()
    integration = {"error": request.fault, "latency": request.latency, "status": context.get("integrationStatus")}
    return {**context, "status": status, "integration": integration, "integrationLatency": request.latency}


def _value(facts: Mapping[str, Any], path: str) -> str:
    value = looked_up(facts, path)
    if value is None or isinstance(value, Mapping):
        return "-"
    text = str(value)
    return text if path == _QUOTED else json.dumps(text, ensure_ascii=False)[1:-1]
