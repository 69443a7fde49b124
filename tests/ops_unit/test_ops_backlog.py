"""Dead letters of the backlog queue, which there is with ``sideline`` alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from ops_support import Deployed, Said, environment, run

from durable_sandbox.pytest_plugin import Sandbox

Ops = Callable[..., Said]

# As the dispatcher sends it to the backlog queue (functions/dispatcher/sideline.py).
KEPT = json.dumps({"attributes": {"SentTimestamp": "1"}, "messageAttributes": {}, "messageId": "first-id"})
SIDELINED = {
    "DurablePipelineSidelined": {"DataType": "String", "StringValue": KEPT},
    "DurablePipelineMessageId": {"DataType": "String", "StringValue": "first-id"},
}


class Sidelined(Deployed):
    """With a message that could not start from the backlog queue either."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox)
        self.backlog, self.backlog_dlq = self.sideline()
        attributes: dict[str, Any] = {"MessageAttributes": SIDELINED, "MessageGroupId": "tenant"}
        (self.letter,) = self.give_up_from(self.backlog, self.backlog_dlq, ["late"], **attributes)


@pytest.fixture
def sidelined(sandbox: Sandbox) -> Sidelined:
    return Sidelined(sandbox)


@pytest.fixture
def ops(sandbox: Sandbox) -> Ops:
    return lambda *arguments: run(environment(sandbox), *arguments)


def test_it_is_listed_and_shown(sidelined: Sidelined, ops: Ops) -> None:
    said = ops("dead-letters", "list", sidelined.name, "--json")

    assert said.code == 0, said.err
    assert list(said.json["queues"]) == ["dlq", "backlog-dlq", "failed"]
    (letter,) = said.json["dead_letters"]
    assert (letter["queue"], letter["id"], letter["message_ids"]) == ("backlog-dlq", sidelined.letter, ["first-id"])
    assert letter["reason"] == f"given up by {sidelined.name}-backlog"
    assert '"body": "late"' in ops("dead-letters", "show", sidelined.name, "first-id", "--json").out
    assert ops("dead-letters", "show", sidelined.name, "first-id", "--queue", "dlq").code == 6


@pytest.mark.parametrize("method", ["resend", "move"])
def test_it_goes_back_to_the_backlog_as_the_dispatcher_sent_it(sidelined: Sidelined, ops: Ops, method: str) -> None:
    said = ops("dead-letters", "redrive", sidelined.name, "--method", method, "--json")

    assert said.code == 0, said.err
    assert {one["queue"]: one["redriven"] for one in said.json["queues"]} == {"failed": 0, "backlog-dlq": 1, "dlq": 0}
    assert sidelined.depth(sidelined.queue) == sidelined.depth(sidelined.backlog_dlq) == 0
    (message,) = sidelined.take(sidelined.backlog)
    assert message["Body"] == "late"
    assert message["MessageAttributes"] == SIDELINED
    assert message["Attributes"]["MessageGroupId"] == "tenant"


def test_it_is_deleted(sidelined: Sidelined, ops: Ops) -> None:
    said = ops("dead-letters", "delete", sidelined.name, "--queue", "backlog-dlq", "--all", "--yes", "--json")
    assert (said.code, said.json["deleted"], sidelined.depth(sidelined.backlog_dlq)) == (0, 1, 0)


def test_without_a_backlog_it_is_not_missed_unless_asked_for(sandbox: Sandbox, ops: Ops) -> None:
    name = Deployed(sandbox).name

    assert list(ops("dead-letters", "list", name, "--json").json["queues"]) == ["dlq", "failed"]
    said = ops("dead-letters", "list", name, "--queue", "backlog-dlq")

    assert (said.code, said.out) == (6, "")
    assert f"no queue {name}-backlog-dlq in us-east-1" in said.err
    assert "`sideline`" in said.err
