"""The sample pipeline, applied, under load, under fire and destroyed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from demo import Demo
from deployment import Deployment, inventory
from observe import Pipeline, kill_busy
from pytest_terraform import terraform

from durable_sandbox.pytest_plugin import Sandbox, eventually

pytestmark = pytest.mark.timeout(240)  # the first test applies, which takes a minute

HOLD = 1800


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """`sandbox demo` in a sandbox of its own, begun before this file's apply: both mostly wait for the provider."""
    run = Demo(tmp_path_factory.mktemp("demo"))
    run.begin()
    try:
        yield run
    finally:
        run.close()


@pytest.fixture(scope="module")
def before(sandbox: Sandbox) -> set[str]:
    """What was in the account before the apply."""
    return inventory(sandbox)


@pytest.fixture(scope="module")
def deployed(demo: Demo, before: set[str], sandbox: Sandbox, request: pytest.FixtureRequest) -> Pipeline:  # noqa: ARG001 - order
    applied = request.getfixturevalue("pipeline")
    return Pipeline(sandbox, {name: output["value"] for name, output in applied.outputs.items()})


@pytest.fixture
def quiet(deployed: Pipeline) -> Iterator[Pipeline]:
    """The pipeline with nothing in its failed queue."""
    deployed.failures()
    yield deployed
    assert deployed.depth("dead_letter_queue_url") == 0


def good(number: int, **fields: Any) -> dict[str, Any]:
    return {"data_source": f"invoices-{number}", "processing_type": "summarise", "number": number, **fields}


@terraform("pipeline", scope="module")
def test_every_message_ends_in_the_table_or_in_failed(quiet: Pipeline) -> None:
    bodies = [good(number) for number in range(16)]
    bodies.insert(8, good(99, hold_seconds=HOLD))
    wrong = {
        "no processing_type": {"data_source": "invoices"},
        "no data_source": {"processing_type": "summarise"},
        "a number": {"data_source": 20260101, "processing_type": "summarise"},
    }
    started = time.monotonic()
    ids = quiet.send([*bodies, *wrong.values()])
    executions = quiet.ended(ids)
    took = time.monotonic() - started
    rows = quiet.rows(ids)
    failures = quiet.failures()

    assert set(rows) == set(ids[:17])
    assert rows[ids[0]]["data_source"] == {"S": "INVOICES-0"}
    assert rows[ids[3]]["attributes"] == {"M": {"number": {"N": "3"}}}
    assert {failure.messages for failure in failures} == {(message_id,) for message_id in ids[17:]}
    assert len(failures) == 3
    errors = {failure.messages[0]: failure.error for failure in failures}
    assert "processing_type" in errors[ids[17]]
    assert "data_source" in errors[ids[18]]
    assert "TypeError" in errors[ids[19]]
    assert "20260101" in errors[ids[19]]
    assert all(failure.attributes["ErrorCode"]["StringValue"] == "200" for failure in failures)
    assert [quiet.depth(queue) for queue in ("queue_url", "dead_letter_queue_url", "failed_queue_url")] == [0, 0, 0]
    statuses = [executions[message_id]["Status"] for message_id in ids]
    assert statuses == ["SUCCEEDED"] * 17 + ["FAILED"] * 3

    events = quiet.history(executions[ids[8]]["DurableExecutionArn"])
    waits = [event["WaitStartedDetails"]["Duration"] for event in events if event["EventType"] == "WaitStarted"]
    assert waits == [HOLD]
    ended = next(event for event in events if event["EventType"] == "ExecutionSucceeded")
    assert (ended["EventTimestamp"] - events[0]["EventTimestamp"]).total_seconds() >= HOLD
    assert took < 60


def test_same_body_twice_is_two_messages(quiet: Pipeline) -> None:
    ids = quiet.send([good(1), good(1)])
    quiet.ended(ids)
    assert set(quiet.rows(ids)) == set(ids)


def test_the_largest_message_is_kept_if_it_fails(quiet: Pipeline) -> None:
    """The event has an envelope, and the error beside it; what the queue for failures could not hold, the queue refuses."""
    described = quiet.sqs.get_queue_attributes(
        QueueUrl=quiet.outputs["queue_url"], AttributeNames=["MaximumMessageSize"]
    )
    largest = int(described["Attributes"]["MaximumMessageSize"])
    ids = quiet.send(["x" * largest])
    quiet.ended(ids)
    assert [failure.messages for failure in quiet.failures()] == [tuple(ids)]
    with pytest.raises(quiet.sqs.exceptions.ClientError, match="InvalidParameterValue"):
        quiet.sqs.send_message(QueueUrl=quiet.outputs["queue_url"], MessageBody="x" * (largest + 1))


def test_message_delivered_twice_is_stored_once(quiet: Pipeline) -> None:
    """A pipe that could not delete what it had handed over hands it over again: a second execution, no second effect."""
    message_id = str(uuid4())
    record = {"messageId": message_id, "body": json.dumps(good(1)), "eventSource": "aws:sqs", "attributes": {}}
    results = []
    rows = []
    for _ in range(2):
        answer = quiet.functions.invoke(
            FunctionName=quiet.outputs["function_alias_arn"],
            InvocationType="Event",
            Payload=json.dumps([record]).encode(),
        )
        arn = answer["DurableExecutionArn"]
        result = eventually(lambda arn=arn: quiet.execution(arn).get("Result"))  # type: ignore[misc]
        results.append(json.loads(result)["results"])
        rows.append(quiet.rows([message_id]))
    assert results == [
        [{"message_id": message_id, "stored": True}],
        [{"message_id": message_id, "stored": False}],
    ]
    assert rows[0] == rows[1]
    assert list(rows[0]) == [message_id]


def test_every_step_logs_its_invocation(quiet: Pipeline) -> None:
    ids = quiet.send([good(1)])
    quiet.ended(ids)
    logs = quiet.sandbox.client("logs")

    def logged() -> bool | None:
        events = logs.filter_log_events(logGroupName=quiet.outputs["log_group_name"])["events"]
        return True if any(ids[0] in event["message"] and "stored" in event["message"] for event in events) else None

    assert eventually(logged)


def test_stopped_pipe_keeps_messages(quiet: Pipeline) -> None:
    pipes = quiet.sandbox.client("pipes")
    name = quiet.outputs["pipe_name"]

    def becomes(state: str) -> None:
        eventually(lambda: True if pipes.describe_pipe(Name=name)["CurrentState"] == state else None, what=state)

    pipes.stop_pipe(Name=name)
    try:
        becomes("STOPPED")
        ids = quiet.send([good(number) for number in range(3)])
        # All three are there to be received, and for the first time: nobody has touched them.
        received = eventually(lambda: _receive_all(quiet, 3))
        assert {message["MessageId"] for message in received} == set(ids)
        assert {message["Attributes"]["ApproximateReceiveCount"] for message in received} == {"1"}
        assert not any(quiet.executions(ids).values())
        for message in received:
            quiet.sqs.change_message_visibility(
                QueueUrl=quiet.outputs["queue_url"], ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
            )
    finally:
        pipes.start_pipe(Name=name)
    becomes("RUNNING")
    quiet.ended(ids)
    assert set(quiet.rows(ids)) == set(ids)
    quiet.idle()


def _receive_all(pipeline: Pipeline, count: int) -> list[dict[str, Any]] | None:
    answer = pipeline.sqs.receive_message(
        QueueUrl=pipeline.outputs["queue_url"], MaxNumberOfMessages=10, AttributeNames=["All"], WaitTimeSeconds=2
    )
    messages: list[dict[str, Any]] = answer.get("Messages", [])
    return messages if len(messages) == count else None


def send_under_fire(pipeline: Pipeline, bodies: list[dict[str, Any]], functions: set[str], kills: int) -> list[str]:
    """Send ``bodies`` and kill an environment, and another when more rows are there, and so on; the message ids.

    If all are handled before the last kill, ten more are sent.
    """
    ids = pipeline.send(bodies)
    for number in range(kills):

        def kill(threshold: int = number * len(bodies) // (kills + 1)) -> bool | None:
            if len(pipeline.rows(ids)) >= threshold and kill_busy(pipeline.sandbox, functions):
                return True
            if pipeline.depth("queue_url") == 0 and not pipeline.running():
                ids.extend(pipeline.send(bodies[:10]))
            return None

        eventually(kill, what="for a busy environment")
    return ids


def test_killed_orchestrators_lose_nothing(quiet: Pipeline) -> None:
    """An orchestrator that dies is started again and replays: its message succeeds, no step has its effect twice."""
    bodies = [good(number, hold_seconds=60) for number in range(40)]
    ids = send_under_fire(quiet, bodies, {quiet.outputs["function_name"]}, kills=4)
    executions = quiet.ended(ids, within=120)
    assert {execution["Status"] for execution in executions.values()} == {"SUCCEEDED"}
    results = {message_id: json.loads(execution["Result"])["results"] for message_id, execution in executions.items()}
    assert results == {message_id: [{"message_id": message_id, "stored": True}] for message_id in ids}
    assert set(quiet.rows(ids)) == set(ids)
    assert quiet.failures() == []
    quiet.idle()


def test_killed_steps_lose_nothing(quiet: Pipeline) -> None:
    """A step that dies fails its message as a Lambda error does: the message is in the table or in failed."""
    steps = set(quiet.outputs["step_function_names"].values())
    ids = send_under_fire(quiet, [good(number) for number in range(40)], steps, kills=4)
    executions = quiet.ended(ids, within=120)
    quiet.idle()
    succeeded = {i for i, execution in executions.items() if execution["Status"] == "SUCCEEDED"}
    failed = {i for i, execution in executions.items() if execution["Status"] == "FAILED"}
    assert succeeded | failed == set(ids)
    failures = quiet.failures()
    assert sorted(message_id for failure in failures for message_id in failure.messages) == sorted(failed)
    assert all(failure.error for failure in failures)
    rows = quiet.rows(ids)
    # A store that is killed after its put has had its effect, and its message is in failed all the same.
    assert succeeded <= set(rows)
    for message_id in succeeded:
        result = json.loads(executions[message_id]["Result"])["results"]
        assert result == [{"message_id": message_id, "stored": True}]


def test_plan_after_apply_is_empty(deployed: Pipeline, pipeline: Any) -> None:  # noqa: ARG001 - applied
    Deployment.of(pipeline).assert_nothing_to_change()


def test_destroy_leaves_nothing(deployed: Pipeline, pipeline: Any, before: set[str]) -> None:
    created = inventory(deployed.sandbox) - before
    kinds = {entry.partition(":")[0] for entry in created}
    assert kinds == {"dynamodb", "iam", "lambda", "logs", "pipes", "s3", "sqs", "stack"}
    Deployment.of(pipeline).changed("destroy")
    assert inventory(deployed.sandbox) - before == set()


def test_demo_from_nothing(demo: Demo) -> None:
    figures = demo.finish()
    assert figures.pop("seconds") < 60
    assert figures == {"sent": 20, "succeeded": 17, "failed": 3, "lost": 0}
    demo.assert_account(rows=17, failed=3)
    waits = demo.waits()
    assert waits == [HOLD]


def test_demo_again_reuses_the_stack(demo: Demo) -> None:
    stack = demo.stack_id()
    demo.begin()
    figures = demo.finish()
    assert figures.pop("seconds") < 60
    assert figures == {"sent": 20, "succeeded": 17, "failed": 3, "lost": 0}
    assert demo.stack_id() == stack
    demo.assert_account(rows=34, failed=6)
    assert demo.waits() == [HOLD, HOLD]
