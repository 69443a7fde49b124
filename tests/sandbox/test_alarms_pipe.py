"""The alarms of a stack with bridge pipe go off, each for what it watches, and end with it.

Thresholds: tests/terraform/alarms-pipe. A period of a minute, or of five, is five seconds here, as durable_sandbox/metrics/monitor.py
says, and a sum is over these.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from alarm_proofs import OK, Alarms, proves
from observe import Pipeline
from pytest_terraform import terraform

from durable_sandbox.pytest_plugin import Sandbox, eventually

pytestmark = pytest.mark.timeout(240)  # the first test applies, which takes a minute

EXECUTION_TIMEOUT = 900
PIPE_PATIENCE = 300
"""Seconds for which a pipe waits for what it invokes."""


class Watched(Pipeline):
    """The applied scenario, its alarms, and how to break it."""

    def __init__(self, sandbox: Sandbox, outputs: Mapping[str, Any]) -> None:
        super().__init__(sandbox, outputs)
        self.alarms = Alarms(sandbox, outputs["alarm_names"])
        self.events = Alarms(sandbox, outputs["events_alarm_names"])
        self.pipes, self.iam = sandbox.client("pipes"), sandbox.client("iam")

    def empty(self, *outputs: str) -> None:
        """Take what is on the queues whose URLs are in ``outputs``."""
        for output in outputs:
            list(self._drain(self.outputs[output]))

    def pipe_becomes(self, state: str) -> None:
        """Wait for a state of the pipe."""

        def is_in_it() -> bool | None:
            return True if self.pipe()["CurrentState"] == state else None

        eventually(is_in_it, 30, f"for the pipe to be {state}")

    def pipe(self) -> dict[str, Any]:
        """DescribePipe."""
        described: dict[str, Any] = self.pipes.describe_pipe(Name=self.outputs["pipe_name"])
        return described

    def start_pipe(self) -> None:
        """Start the pipe once it has stopped."""
        self.pipe_becomes("STOPPED")
        self.pipes.start_pipe(Name=self.outputs["pipe_name"])
        self.pipe_becomes("RUNNING")

    @contextmanager
    def denied(self, role: str, action: str) -> Iterator[None]:
        """``role`` lacks ``action`` inside the block."""
        (policy,) = self.iam.list_role_policies(RoleName=role)["PolicyNames"]
        before = self.iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        kept = [statement for statement in before["Statement"] if action not in statement["Action"]]
        assert len(kept) == len(before["Statement"]) - 1, before
        self._put(role, policy, {**before, "Statement": kept})
        try:
            yield
        finally:
            self._put(role, policy, before)

    def _put(self, role: str, policy: str, document: Mapping[str, Any]) -> None:
        self.iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document))

    @contextmanager
    def shut(self, output: str) -> Iterator[None]:
        """The queue whose URL is in ``output`` lets no service in inside the block."""
        url = self.outputs[output]
        policy = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"]
        self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
        try:
            yield
        finally:
            self.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})

    @contextmanager
    def patient(self) -> Iterator[None]:
        """The pipe waits for its executions inside the block."""
        described = self.pipe()
        try:
            self._invoke_as(described, "REQUEST_RESPONSE")
            yield
        finally:
            self._invoke_as(described, "FIRE_AND_FORGET")

    def _invoke_as(self, described: Mapping[str, Any], kind: str) -> None:
        parameters = {"LambdaFunctionParameters": {"InvocationType": kind}}
        self.pipes.update_pipe(Name=described["Name"], RoleArn=described["RoleArn"], TargetParameters=parameters)
        self.pipe_becomes("RUNNING")

    @contextmanager
    def reserved(self, concurrency: int) -> Iterator[None]:
        """The function has another reserved concurrency inside the block."""
        name = self.outputs["function_name"]
        before = self.functions.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"]
        self.functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=concurrency)
        try:
            yield
        finally:
            self.functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=before)


@pytest.fixture(scope="module")
def watched(sandbox: Sandbox, request: pytest.FixtureRequest) -> Watched:
    applied = request.getfixturevalue("alarms-pipe")
    return Watched(sandbox, {name: output["value"] for name, output in applied.outputs.items()})


@terraform("alarms-pipe", scope="module")
@proves("throttles", "concurrency", "running-executions", "duration", "async-age", "async-dropped")
def test_a_function_without_concurrency_to_spare(watched: Watched) -> None:
    """Two slow executions take all of it, and more wait to start; meanwhile another function fails event after event."""
    kinds = ("throttles", "concurrency", "duration", "async-age")
    busy = ("running-executions", *(f"durable-{kind}" for kind in kinds))
    lost = ("events-async-dropped", "events-async-age")
    with watched.alarms.proof(*busy) as proof, watched.events.proof(*lost) as other:
        watched.send([{"sleep": 12}] * 2)
        watched.send([{"sleep": 3}] * 10)

        def fail() -> None:
            watched.functions.invoke(FunctionName=watched.outputs["events_alias_arn"], InvocationType="Event")

        other.go_off(meanwhile=fail)
        proof.go_off()
        eventually(lambda: None if watched.running() else True)


@proves(
    "dead-letter-errors",
    "depth",
    "errors",
    "execution-time",
    "executions-failed",
    "executions-timed-out",
    "operations",
    "storage",
)
def test_executions_that_fail_or_grow(watched: Watched) -> None:
    """The first to fail cannot be told: neither the function's dead-letter queue nor the target of ``on_failure`` lets it in."""
    configuration = watched.functions.get_function_configuration(FunctionName=watched.outputs["function_name"])
    role = configuration["Role"].rpartition("/")[2]
    untold = ("durable-dead-letter-errors", "outcomes-dlq-depth")
    failing = ("durable-errors", "durable-executions-failed", "durable-executions-timed-out", "failed-depth")
    growing = ("durable-execution-time", "durable-operations", "durable-storage")
    with watched.alarms.proof(*untold, *failing, *growing) as proof:
        with watched.denied(role, "sqs:SendMessage"), watched.shut("alerts_queue_url"):
            ids = watched.send([{"fail": "no"}])
            proof.go_off(*untold)
        # As docs/guides/alarms.md says, the event can be had from the execution.
        assert all(watched.executions(ids).values())
        watched.send([{"crash": True}, {"wait": EXECUTION_TIMEOUT + 1}, {"steps": 30}, {"bytes": 120_000}])
        proof.go_off(*failing, *growing)
        # The crashed one and the one that timed out. The first is in neither queue.
        eventually(lambda: True if watched.depth("failed_queue_url") == 2 else None, what="for two events")
        watched.empty("failed_queue_url", "outcomes_dead_letter_queue_url")


@proves("age", "in-flight", "depth")
def test_messages_that_nobody_finishes(watched: Watched) -> None:
    """The pipe is stopped, and somebody receives the messages who neither deletes them nor ends."""
    url = watched.outputs["queue_url"]
    with watched.alarms.proof("queue-age", "queue-in-flight", "dlq-depth") as proof:
        watched.pipes.stop_pipe(Name=watched.outputs["pipe_name"])
        watched.pipe_becomes("STOPPED")
        watched.send([{}, {}, {}])
        held: list[str] = []

        def received() -> bool | None:
            answer = watched.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
            held.extend(message["ReceiptHandle"] for message in answer.get("Messages", ()))
            return True if len(held) == 3 else None

        eventually(received)
        proof.go_off("queue-age", "queue-in-flight")
        for handle in held:
            watched.sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
        watched.start_pipe()
        proof.go_off("dlq-depth")
        watched.empty("dead_letter_queue_url")


@proves("failed", "target-failed", "throttled", "timed-out")
def test_a_pipe_that_cannot_hand_over(watched: Watched) -> None:
    """Its executions outlast its patience, then the function takes none, then it may not invoke at all."""
    role = watched.pipe()["RoleArn"].rpartition("/")[2]
    kinds = ("failed", "throttled", "timed-out", "target-failed")
    with watched.alarms.proof(*(f"pipe-{kind}" for kind in kinds)) as proof:
        with watched.patient():
            watched.send([{"wait": PIPE_PATIENCE + 10}])
            proof.go_off("pipe-timed-out")
            with watched.reserved(0):
                proof.go_off("pipe-throttled", meanwhile=lambda: watched.send([{}]))
        with watched.denied(role, "lambda:InvokeFunction"):
            watched.send([{}])
            proof.go_off("pipe-failed", "pipe-target-failed")
        watched.start_pipe()
        watched.sqs.purge_queue(QueueUrl=watched.outputs["queue_url"])  # most are hidden for a minute
        watched.empty("dead_letter_queue_url")


def test_each_alarm_of_the_stack_was_proven_and_all_are_over(watched: Watched) -> None:
    """But for one, whose kind the plain function proves: the sandbox does not give up to start a durable execution."""
    assert set(watched.alarms.names) - watched.alarms.proven == {"durable-async-dropped"}
    over_all = Alarms(watched.sandbox, {"all": watched.outputs["composite_alarm_name"]})
    over_all.become(OK, "all")
