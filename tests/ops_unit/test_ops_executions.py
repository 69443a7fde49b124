"""Executions and callbacks through the command."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from ops_support import Deployed, Said, environment, run

from durable_sandbox.pytest_plugin import Sandbox, eventually

Ops = Callable[..., Said]


@pytest.fixture(scope="module")
def deployed(sandbox: Sandbox) -> Deployed:
    found = Deployed(sandbox)
    found.deploy()
    return found


@pytest.fixture
def ops(sandbox: Sandbox) -> Ops:
    return lambda *arguments: run(environment(sandbox), *arguments)


def waiting(deployed: Deployed, name: str) -> str:
    """An execution of this name that waits for a callback; the callback's id."""
    arn = deployed.start({"hold": 600, "callback": True}, DurableExecutionName=name)

    def callback() -> str | None:
        events = deployed.functions.get_durable_execution_history(DurableExecutionArn=arn)["Events"]
        return next((e["CallbackStartedDetails"]["CallbackId"] for e in events if "CallbackStartedDetails" in e), None)

    return eventually(callback)


def status(deployed: Deployed, name: str) -> str:
    (found,) = [one for one in deployed.executions() if one["DurableExecutionName"] == name]
    return str(found["Status"])


def test_list_by_status_and_time(deployed: Deployed, ops: Ops) -> None:
    deployed.start({"value": 1}, DurableExecutionName="good")
    deployed.start([], DurableExecutionName="bad")
    waiting(deployed, "waits")
    eventually(lambda: True if (status(deployed, "good"), status(deployed, "bad")) == ("SUCCEEDED", "FAILED") else None)

    def names(*options: str) -> list[str]:
        said = ops("executions", "list", deployed.name, "--json", *options)
        assert said.code == 0, said.err
        return [one["name"] for one in said.json["executions"]]

    assert names() == ["waits", "bad", "good"]
    assert names("--status", "failed") == ["bad"]
    assert names("--status", "RUNNING", "--status", "SUCCEEDED") == ["waits", "good"]
    assert names("--since", "1h") == ["waits", "bad", "good"]
    assert names("--until", "1h") == []
    assert names("--since", "2099-01-01T00:00") == []
    table = ops("executions", "list", deployed.name).out
    assert "good" in table
    assert "SUCCEEDED" in table


def test_show_has_a_timeline(deployed: Deployed, ops: Ops) -> None:
    deployed.start({"hold": 1800}, DurableExecutionName="held")
    eventually(lambda: True if status(deployed, "held") == "SUCCEEDED" else None)

    said = ops("executions", "show", deployed.name, "held")
    shown = ops("executions", "show", deployed.name, "held", "--json").json

    assert said.code == 0, said.err
    assert "SUCCEEDED, 30 min" in said.out
    assert "1800 s, until " in said.out
    assert [(one["name"], one["status"]) for one in shown["operations"]] == [
        ("first", "succeeded"),
        ("hold", "succeeded"),
    ]
    hold = shown["operations"][1]
    assert hold["end"] - hold["begin"] >= 1800
    assert json.loads(shown["result"]) == json.loads(shown["input"]) == {"hold": 1800}
    by_arn = ops("executions", "show", deployed.name, shown["arn"], "--json").json
    assert by_arn["name"] == "held"


def test_a_failed_one_says_why(deployed: Deployed, ops: Ops) -> None:
    deployed.start([], DurableExecutionName="failed")
    eventually(lambda: True if status(deployed, "failed") == "FAILED" else None)

    assert "error: ValueError: not mended yet" in ops("executions", "show", deployed.name, "failed").out


def test_a_callback_is_named_and_answered(deployed: Deployed, ops: Ops) -> None:
    identifier = waiting(deployed, "approved")

    shown = ops("executions", "show", deployed.name, "approved").out
    assert f"durable-ops callback succeed {identifier}" in shown
    assert "RUNNING, 10 min" in shown  # as modelled: the clock is behind
    said = ops("callback", "succeed", identifier, "--result", '"yes"')

    assert (said.code, said.out) == (0, "Succeeded.\n")
    eventually(lambda: True if status(deployed, "approved") == "SUCCEEDED" else None)
    assert "yes" in ops("executions", "show", deployed.name, "approved", "--json").json["result"]


def test_a_callback_fails_with_its_reason(deployed: Deployed, ops: Ops) -> None:
    identifier = waiting(deployed, "refused")

    assert ops("callback", "fail", identifier, "--message", "over budget", "--json").json["answered"] == "failed"

    eventually(lambda: True if status(deployed, "refused") == "FAILED" else None)
    assert "over budget" in ops("executions", "show", deployed.name, "refused").out


def test_stop_ends_what_runs_and_its_event_can_be_redriven(deployed: Deployed, ops: Ops) -> None:
    waiting(deployed, "to-stop")
    before = deployed.depth(deployed.failed)

    asked = ops("executions", "stop", deployed.name, "to-stop")
    assert (asked.code, status(deployed, "to-stop")) == (2, "RUNNING")
    said = ops("executions", "stop", deployed.name, "to-stop", "--yes", "--reason", "wrong order", "--json")

    assert (said.code, len(said.json["stopped"])) == (0, 1)
    assert status(deployed, "to-stop") == "STOPPED"
    assert "wrong order" in ops("executions", "show", deployed.name, "to-stop").out
    eventually(lambda: True if deployed.depth(deployed.failed) == before + 1 else None)
    again = ops("executions", "stop", deployed.name, "to-stop", "--yes", "--json")
    assert (again.code, again.json["stopped"], len(again.json["ended_before"])) == (0, [], 1)


def test_an_execution_of_another_function_is_neither_shown_nor_stopped(
    deployed: Deployed, sandbox: Sandbox, ops: Ops
) -> None:
    waiting(deployed, "not-to-stop")
    (arn,) = [
        one["DurableExecutionArn"] for one in deployed.executions() if one["DurableExecutionName"] == "not-to-stop"
    ]
    other = Deployed(sandbox)

    for said in (
        ops("executions", "stop", other.name, arn, "--yes"),
        ops("executions", "show", other.name, arn),
    ):
        assert (said.code, said.out) == (6, "")
        assert f"is an execution of {deployed.name}, not of {other.name}." in said.err
    assert status(deployed, "not-to-stop") == "RUNNING"


def test_what_is_not_there_is_said_so(deployed: Deployed, ops: Ops) -> None:
    for arguments in (
        ["executions", "list", "no-such-function"],
        ["executions", "show", deployed.name, "no-such-execution"],
        ["executions", "stop", deployed.name, "no-such-execution", "--yes"],
        ["callback", "succeed", "bm90LXRoZXJl"],
    ):
        said = ops(*arguments)
        assert (said.code, said.out) == (6, ""), (arguments, said)
        assert said.err.startswith("Error: ")
        assert len(said.err.splitlines()) == 2
