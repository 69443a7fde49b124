"""Dead letters through the command: listed, shown, redriven, deleted; interrupted and killed in between."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest
from ops_support import Deployed, Said, begin, end, environment, run

from durable_ops.redrive import execution_name
from durable_sandbox.pytest_plugin import Sandbox, eventually

Ops = Callable[..., Said]


@pytest.fixture
def deployed(sandbox: Sandbox) -> Deployed:
    return Deployed(sandbox)


@pytest.fixture
def ops(sandbox: Sandbox) -> Ops:
    return lambda *arguments: run(environment(sandbox), *arguments)


def test_list_says_what_is_where_and_why_and_takes_nothing(deployed: Deployed, ops: Ops) -> None:
    deployed.deploy()
    (started,) = deployed.give_up(["{}"])
    inside = deployed.fail(1)

    said = ops("dead-letters", "list", deployed.name, "--json")

    assert (said.code, said.err) == (0, "")
    by_queue = {letter["queue"]: letter for letter in said.json["dead_letters"]}
    assert by_queue["dlq"]["id"] == started
    assert by_queue["dlq"]["message_ids"] == [started]
    assert by_queue["dlq"]["reason"] == f"given up by {deployed.name}"
    assert by_queue["failed"]["message_ids"] == inside
    assert "not mended yet" in by_queue["failed"]["reason"]
    assert all(letter["age_seconds"] < 60 and letter["receives"] >= 1 for letter in by_queue.values())
    assert said.json["queues"]["dlq"] == {"name": f"{deployed.name}-dlq", "visible": 1, "in_flight": 0}
    assert (deployed.visible(deployed.dlq), deployed.visible(deployed.failed)) == (1, 1)

    table = ops("dead-letters", "list", deployed.name, "--queue", "failed").out
    assert by_queue["failed"]["id"] in table
    assert inside[1] in table
    assert "not mended yet" in table
    assert started not in table


def test_list_stops_at_the_limit_and_says_so(deployed: Deployed, ops: Ops) -> None:
    deployed.give_up([f"{n}" for n in range(15)])

    said = ops("dead-letters", "list", deployed.name, "--queue", "dlq", "--limit", "4")

    assert "15 to be received, 0 in the hands of a reader. 11 are not shown" in said.out
    assert deployed.visible(deployed.dlq) == 15


def test_show_prints_one_whole(deployed: Deployed, ops: Ops) -> None:
    attribute = {"tenant": {"DataType": "String", "StringValue": "acme"}}
    deployed.give_up(['{"order": 1}'])
    (wanted,) = deployed.give_up(['{"order": 7}'], MessageAttributes=attribute)

    said = ops("dead-letters", "show", deployed.name, wanted)
    shown = ops("dead-letters", "show", deployed.name, wanted, "--json").json

    assert said.code == 0
    assert f"id: {wanted}" in said.out
    assert "attribute tenant: acme" in said.out
    assert '"order": 7' in said.out
    assert (shown["id"], shown["body"], shown["attributes"]) == (wanted, '{"order": 7}', {"tenant": "acme"})
    assert deployed.visible(deployed.dlq) == 2


def test_dry_run_says_what_would_be_done_and_does_nothing(deployed: Deployed, ops: Ops) -> None:
    deployed.deploy()
    deployed.give_up(["a", "b"])
    deployed.fail(1)

    said = ops("dead-letters", "redrive", deployed.name, "--dry-run", "--json")

    assert said.code == 0
    methods = {queue["queue"]: (queue["method"], queue["visible"]) for queue in said.json["queues"]}
    assert methods == {"dlq": ("resend", 2), "failed": ("start", 1)}
    assert all(len(queue["dead_letters"]) == queue["visible"] for queue in said.json["queues"])
    assert (deployed.visible(deployed.dlq), deployed.visible(deployed.failed)) == (2, 1)
    assert deployed.depth(deployed.queue) == 0
    assert len(deployed.executions()) == 1
    assert "Nothing was done." in ops("dead-letters", "redrive", deployed.name, "--dry-run").out


def test_failed_events_are_started_again_once_each(deployed: Deployed, ops: Ops) -> None:
    deployed.deploy()
    ids = deployed.fail(12)
    deployed.mend()

    said = ops("dead-letters", "redrive", deployed.name, "--queue", "failed", "--json")

    assert said.code == 0, said.err
    (queue,) = said.json["queues"]
    assert (queue["redriven"], queue["failed"], queue["left"]) == (12, {}, 0)
    deployed.settled()
    assert deployed.depth(deployed.failed) == 0
    assert deployed.attempts() == dict.fromkeys(ids, 1)


def test_what_is_not_mended_fails_again_and_is_not_tried_for_ever(deployed: Deployed, ops: Ops) -> None:
    deployed.deploy()
    ids = deployed.fail(3)

    said = ops("dead-letters", "redrive", deployed.name, "--json")

    assert said.code == 0, said.err
    eventually(lambda: True if deployed.depth(deployed.failed) == 3 else None)
    assert 6 <= len(deployed.executions()) <= 9
    listed = ops("dead-letters", "list", deployed.name, "--json").json["dead_letters"]
    assert {one for letter in listed for one in letter["message_ids"]} == set(ids)


def test_killed_between_start_and_delete_it_starts_nothing_twice(deployed: Deployed, ops: Ops) -> None:
    deployed.deploy()
    ids = deployed.fail(2)
    deployed.mend()
    # What a killed run leaves: the execution of a dead letter that is still there.
    listed = ops("dead-letters", "list", deployed.name, "--json").json["dead_letters"]
    first = listed[0]
    body = ops("dead-letters", "show", deployed.name, first["id"], "--json").json["body"]
    deployed.start(json.loads(body), DurableExecutionName=execution_name(first["id"]))
    deployed.settled()

    assert ops("dead-letters", "redrive", deployed.name, "--queue", "failed").code == 0

    deployed.settled()
    assert deployed.depth(deployed.failed) == 0
    assert deployed.attempts() == dict.fromkeys(ids, 1)
    assert len(deployed.executions()) == 4


@pytest.mark.timeout(120)
def test_killed_in_the_middle_and_run_again_it_ends_the_same(deployed: Deployed, sandbox: Sandbox) -> None:
    deployed.deploy()
    ids = deployed.fail(15)
    deployed.mend()

    first = begin(environment(sandbox), "dead-letters", "redrive", deployed.name, "--rate", "5")
    eventually(lambda: True if deployed.depth(deployed.failed) <= 12 else None)
    first.kill()
    end(first)
    assert deployed.depth(deployed.failed) >= 3

    # Waits for what the killed one has in hand.
    said = end(begin(environment(sandbox), "dead-letters", "redrive", deployed.name, "--json"))

    assert said.code == 0, said.err
    deployed.settled()
    assert deployed.depth(deployed.failed) == 0
    assert deployed.attempts() == dict.fromkeys(ids, 1)


def test_ctrl_c_ends_what_is_in_hand_and_gives_the_rest_back(deployed: Deployed, sandbox: Sandbox, ops: Ops) -> None:
    deployed.deploy()
    ids = deployed.fail(15)
    deployed.mend()

    first = begin(environment(sandbox), "dead-letters", "redrive", deployed.name, "--rate", "5", "--json")
    eventually(lambda: True if deployed.depth(deployed.failed) <= 13 else None)
    first.send_signal(signal.SIGINT)
    said = end(first)

    assert said.code == 130
    assert said.json["interrupted"] is True
    left = 15 - said.json["queues"][0]["redriven"]
    assert deployed.visible(deployed.failed) == deployed.depth(deployed.failed) == left > 0
    assert ops("dead-letters", "redrive", deployed.name).code == 0
    deployed.settled()
    assert deployed.attempts() == dict.fromkeys(ids, 1)


def test_an_id_inside_an_event_chooses_it(deployed: Deployed, ops: Ops) -> None:
    deployed.deploy()
    ids = deployed.fail(3)
    deployed.mend()

    said = ops("dead-letters", "redrive", deployed.name, "--id", ids[3], "--json")

    assert said.code == 0, said.err
    deployed.settled()
    assert set(deployed.attempts()) == {ids[2], ids[3]}
    assert deployed.visible(deployed.failed) == 2
    again = ops("dead-letters", "redrive", deployed.name, "--id", ids[3], "--json")
    assert (again.code, again.json["missing"]) == (6, [ids[3]])
    assert f"{ids[3]}: not seen in 2 messages." in ops("dead-letters", "redrive", deployed.name, "--id", ids[3]).err


def test_messages_are_sent_again_under_their_id(deployed: Deployed, ops: Ops) -> None:
    attribute = {"tenant": {"DataType": "String", "StringValue": "acme"}}
    ids = deployed.give_up([f"body {n}" for n in range(12)], MessageAttributes=attribute)

    said = ops("dead-letters", "redrive", deployed.name, "--json")

    assert said.code == 0, said.err
    assert f"{deployed.name}-dlq: resend: sent to {deployed.name}; ids stay" in said.err
    by_queue = {queue["queue"]: queue for queue in said.json["queues"]}
    assert (by_queue["dlq"]["method"], by_queue["dlq"]["redriven"]) == ("resend", 12)
    assert deployed.depth(deployed.dlq) == 0
    sent = {
        message["MessageAttributes"]["DurablePipelineMessageId"]["StringValue"]: message
        for message in deployed.take(deployed.queue)
    }
    assert set(sent) == set(ids)
    assert {message["Body"] for message in sent.values()} == {f"body {n}" for n in range(12)}
    assert all(message["MessageAttributes"]["tenant"]["StringValue"] == "acme" for message in sent.values())
    assert not set(ids) & {message["MessageId"] for message in sent.values()}


def test_a_message_that_is_given_up_again_keeps_its_first_id(deployed: Deployed, ops: Ops) -> None:
    (first,) = deployed.give_up(["body"])
    assert ops("dead-letters", "redrive", deployed.name, "--id", first).code == 0
    deployed.sqs.receive_message(QueueUrl=deployed.queue, VisibilityTimeout=0)
    deployed.sqs.receive_message(QueueUrl=deployed.queue, VisibilityTimeout=0)

    (letter,) = ops("dead-letters", "list", deployed.name, "--json").json["dead_letters"]
    assert letter["message_ids"] == [first] != [letter["id"]]
    assert ops("dead-letters", "redrive", deployed.name, "--id", first).code == 0
    (message,) = deployed.take(deployed.queue)
    assert message["MessageAttributes"]["DurablePipelineMessageId"]["StringValue"] == first


def test_sqs_moves_them_if_asked_under_new_ids(deployed: Deployed, ops: Ops) -> None:
    ids = deployed.give_up([f"body {n}" for n in range(12)])
    arguments = ["dead-letters", "redrive", deployed.name, "--queue", "dlq", "--method", "move"]

    assert "NEW IDS" in ops(*arguments, "--dry-run").out
    said = ops(*arguments, "--json")

    assert said.code == 0, said.err
    assert "takes effect A SECOND TIME" in said.err
    (queue,) = said.json["queues"]
    assert (queue["method"], queue["redriven"], queue["left"]) == ("move", 12, 0)
    messages = deployed.take(deployed.queue)
    assert {message["Body"] for message in messages} == {f"body {n}" for n in range(12)}
    assert not set(ids) & {message["MessageId"] for message in messages}


def test_ctrl_c_cancels_the_move_and_the_next_run_goes_on(deployed: Deployed, sandbox: Sandbox, ops: Ops) -> None:
    deployed.give_up([f"body {n}" for n in range(12)])
    arguments = ["dead-letters", "redrive", deployed.name, "--queue", "dlq", "--method", "move"]

    first = begin(environment(sandbox), *arguments, "--rate", "2", "--json")
    eventually(lambda: True if deployed.depth(deployed.queue) >= 2 else None)
    beside = ops(*arguments[:-1], "resend")
    first.send_signal(signal.SIGINT)
    said = end(first)

    assert (beside.code, "is moving the messages" in beside.err) == (1, True)
    assert said.code == 130
    moved = said.json["queues"][0]["redriven"]
    assert (deployed.depth(deployed.queue), deployed.depth(deployed.dlq)) == (moved, 12 - moved)
    assert ops(*arguments).code == 0
    assert (deployed.depth(deployed.queue), deployed.depth(deployed.dlq)) == (12, 0)


@pytest.mark.timeout(120)
def test_a_killed_move_goes_on_and_the_next_run_watches_it(deployed: Deployed, sandbox: Sandbox, ops: Ops) -> None:
    deployed.give_up([f"body {n}" for n in range(10)])
    arguments = ["dead-letters", "redrive", deployed.name, "--queue", "dlq", "--method", "move"]
    first = begin(environment(sandbox), *arguments, "--rate", "2")
    eventually(lambda: True if deployed.depth(deployed.queue) >= 2 else None)
    first.kill()
    end(first)

    said = ops(*arguments, "--json")

    assert (said.code, said.json["queues"][0]["redriven"]) == (0, 10)
    assert (deployed.depth(deployed.queue), deployed.depth(deployed.dlq)) == (10, 0)


def test_a_message_without_a_source_cannot_be_moved_and_says_what_can(deployed: Deployed, ops: Ops) -> None:
    deployed.sqs.send_message(QueueUrl=deployed.dlq, MessageBody="by hand")

    said = ops("dead-letters", "redrive", deployed.name, "--queue", "dlq", "--method", "move")

    assert said.code == 1
    assert "--method resend" in said.err
    assert ops("dead-letters", "redrive", deployed.name, "--method", "resend").code == 0
    assert (deployed.depth(deployed.dlq), deployed.depth(deployed.queue)) == (0, 1)


def test_delete_takes_what_was_named_and_asks_before(deployed: Deployed, ops: Ops) -> None:
    ids = deployed.give_up(["a", "b", "c"])

    asked = ops("dead-letters", "delete", deployed.name, "--id", ids[1])
    assert asked.code == 2
    assert "--yes" in asked.err
    assert deployed.depth(deployed.dlq) == 3

    one = ops("dead-letters", "delete", deployed.name, "--id", ids[1], "--yes", "--json")
    assert (one.code, one.json["deleted"]) == (0, 1)
    left = {letter["id"] for letter in ops("dead-letters", "list", deployed.name, "--json").json["dead_letters"]}
    assert left == {ids[0], ids[2]}
    again = ops("dead-letters", "delete", deployed.name, "--id", ids[1], "--yes", "--json")
    assert (again.code, again.json["missing"], again.json["seen"]) == (6, [ids[1]], 2)
    shown = ops("dead-letters", "show", deployed.name, ids[1])
    assert (shown.code, "was not seen in 2 messages of" in shown.err) == (6, True)

    everything = ops("dead-letters", "delete", deployed.name, "--queue", "dlq", "--all", "--yes")
    assert (everything.code, "2 deleted" in everything.out) == (0, True)
    assert deployed.depth(deployed.dlq) == 0


@pytest.mark.parametrize("arguments", [[], ["--all"], ["--all", "--queue", "dlq", "--id", "x"]], ids=str)
def test_delete_wants_to_be_told_what(deployed: Deployed, ops: Ops, arguments: list[str]) -> None:
    said = ops("dead-letters", "delete", deployed.name, "--yes", *arguments)
    assert (said.code, "Say what to delete" in said.err) == (2, True)


def test_sandbox_redrive_is_the_same(deployed: Deployed, sandbox: Sandbox) -> None:
    ids = deployed.give_up(["a", "b"])
    command = [sys.executable, "-c", "from durable_sandbox.cli.main import main; main()", "redrive"]
    port = ["--port", str(sandbox.port)]

    def redrive(name: str) -> Said:
        done = subprocess.run([*command, name, *port, "--json"], capture_output=True, text=True, check=False)
        return Said(done.returncode, done.stdout, done.stderr)

    said = redrive(deployed.name)

    assert said.code == 0, said.err
    kept = {m["MessageAttributes"]["DurablePipelineMessageId"]["StringValue"] for m in deployed.take(deployed.queue)}
    assert kept == set(ids)
    unknown = redrive("no-such-stack")
    assert (unknown.code, 'no stack "no-such-stack"' in unknown.err) == (6, True)
