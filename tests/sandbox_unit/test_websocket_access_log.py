"""Lines of a WebSocket API's access log."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from durable_sandbox.events.websocket.access_log import log
from durable_sandbox.events.websocket.connection import Connection
from durable_sandbox.events.websocket.deployed import AccessLog, DeployedStage, Route
from durable_sandbox.events.websocket.request import MESSAGE, Request, error_facts
from durable_sandbox.events.websocket.socket import Handshake


def line(layout: str, agent: str = "", **changed: Any) -> str:
    """The line of a message on $default."""
    written: list[str] = []
    logs = SimpleNamespace(put=lambda _region, _group, _stream, events, role_arn: written.append(events[0][1]))  # noqa: ARG005
    handshake = Handshake("127.0.0.1", "/", [("user-agent", agent)], [], "127.0.0.1")
    stage = DeployedStage("us-east-1", "api", "live", "", {}, access_log=AccessLog("group", layout))
    connection: Any = Connection("us-east-1", "api", "live", handshake, SimpleNamespace())
    request = Request(connection, stage, Route("$default", "r"), MESSAGE, "1", **changed)
    gateway: Any = SimpleNamespace(logs=logs)
    log(gateway, request, 200)
    return written[0]


def test_values_do_not_end_a_json_text() -> None:
    """https://github.com/DataBiosphere/azul/issues/4348: a User-Agent of quotes and backslashes."""
    agent = '""\\"This is a special user-agent\\""","status":"500"'
    assert json.loads(line('{"agent": "$context.identity.userAgent"}', agent)) == {"agent": agent}
    fault = 'line\nfeed "quoted" Größe'
    assert json.loads(line('{"error": "$context.integration.error"}', fault=fault)) == {"error": fault}


def test_the_quoted_message_is_json_text_itself() -> None:
    facts = error_facts('a "b"', "INTEGRATION_FAILURE")
    assert json.loads(line('{"error": $context.error.messageString}', facts=facts)) == {"error": 'a "b"'}


def test_an_integration_has_latency_and_status() -> None:
    layout = "$context.integrationLatency $context.integration.latency $context.integration.status $context.integrationStatus"
    assert line(layout, facts={"integrationStatus": 202}, latency=12) == "12 12 202 202"
    assert line(layout) == "- - - -"
