"""A stage's access log: one line a request, by the stage's format of $context variables.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-logging.html; what is not set is "-".
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from durable_sandbox.events.websocket.ports import Gateway
from durable_sandbox.events.websocket.request import Request

_VARIABLE = re.compile(r"\$context\.([A-Za-z0-9_.]+)")


def log(gateway: Gateway, request: Request, status: int) -> None:
    """Write the line of a request that has been answered with ``status``."""
    settings = request.stage.access_log
    if settings is None:
        return
    facts = {**request.context(), "status": status}
    line = _VARIABLE.sub(lambda match: _value(facts, match[1]), settings.format)
    gateway.logs.put(
        request.stage.region,
        settings.group,
        f"{request.stage.api_id}/{request.stage.name}",
        [(int(time.time() * 1000), line)],
        role_arn=request.stage.log_role,
    )


def _value(facts: Mapping[str, Any], path: str) -> str:
    value: Any = facts
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return "-" if value is None or isinstance(value, Mapping) else str(value)
