"""`sandbox status`: what is said of what is there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from cli_ws_support import mock_stage
from websockets.sync.client import connect

from durable_sandbox.cli import process, status
from durable_sandbox.pytest_plugin import Sandbox, started


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Not the session's: these tests count what is in it, and reset it."""
    with started(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


def shown(sandbox: Sandbox, *arguments: str) -> str:
    """What the command prints."""
    code = "from durable_sandbox.cli.main import main; main()"
    command = [sys.executable, "-c", code, "status", "--port", str(sandbox.port), *arguments]
    done = subprocess.run(command, env=dict(os.environ), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def as_json(sandbox: Sandbox) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(shown(sandbox, "--json"))
    return found


def test_every_section_is_there_before_the_first_resource(sandbox: Sandbox) -> None:
    sandbox.reset()
    current = as_json(sandbox)
    lists = ("queues", "functions", "pipes", "mappings", "apis", "websockets")
    assert {name: current[name] for name in lists} == {name: [] for name in lists}
    assert current["executions"] == {}
    assert current["uptime_seconds"] > 0
    assert "┃" not in shown(sandbox)


def test_status_counts_messages(sandbox: Sandbox) -> None:
    sqs = sandbox.client("sqs")
    url = sqs.create_queue(QueueName="status-q")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="a")
    sqs.send_message(QueueUrl=url, MessageBody="b")
    sqs.send_message(QueueUrl=url, MessageBody="c", DelaySeconds=900)
    assert len(sqs.receive_message(QueueUrl=url)["Messages"]) == 1
    current = as_json(sandbox)
    queue = next(queue for queue in current["queues"] if queue["name"] == "status-q")
    assert (queue["visible"], queue["in_flight"], queue["delayed"]) == (1, 1, 1)
    table = shown(sandbox)
    assert re.search(r"status-q\s*│\s*1\s*│\s*1\s*│\s*1", table), table


def test_where_to_connect_and_how_many_are(sandbox: Sandbox) -> None:
    url = mock_stage(sandbox.port, "orders")
    apis = sandbox.client("apigatewayv2")
    api_id = url.split("/")[-2]
    apis.create_stage(ApiId=api_id, StageName="test", AutoDeploy=True)
    apis.create_api(Name="bare", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action")
    with connect(url, proxy=None), connect(url, proxy=None):
        current, table = as_json(sandbox), shown(sandbox)
    found = {api["name"]: api["urls"] for api in current["apis"]}
    other = url.removesuffix("live") + "test"
    assert found == {"orders": [url, other], "bare": []}
    assert current["websockets"] == [{"api": api_id, "stage": "live", "connections": 2}]
    for name, connections, where in (("orders", 2, url), ("orders", 0, other), ("bare", 0, "no stage")):
        assert re.search(rf"│ {name}\s+│\s+{connections} │ {re.escape(where)}\s*│", table), table


def test_status_sums_executions_of_all_functions() -> None:
    running = process.Running(1, 2, real_time=True, time_scale=1.0, version="0", instance="i")
    memory = {"server_bytes": 2**20, "environment_bytes": 2**21}
    executions = {"f": {"FAILED": 1, "SUCCEEDED": 2}, "g": {"SUCCEEDED": 3}}
    lines = status.summary(running, {"executions": executions, "memory": memory, "uptime_seconds": 3700})
    assert lines == [
        "Durable executions: 1 FAILED, 5 SUCCEEDED",
        "Memory: 1 MiB, and 2 MiB in Lambda environments",
        "http://127.0.0.1:1, pid 2, up 1 h 1 min, real time",
    ]
