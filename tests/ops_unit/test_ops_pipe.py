"""Behind a pipe, a message that was started, but could not be deleted until it was given up: the effect is counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from ops_support import ACCOUNT, Deployed, Said, environment, policy, queue_arn, run

from durable_sandbox.pytest_plugin import Sandbox, eventually

Ops = Callable[..., Said]


class Piped(Deployed):
    """With a pipe whose role may, or may not, delete messages."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox)
        self.deploy()
        self.mend()
        self.pipes, self._iam = sandbox.client("pipes"), sandbox.client("iam")
        self.sqs.set_queue_attributes(QueueUrl=self.queue, Attributes={"VisibilityTimeout": "2"})
        trust = {"Effect": "Allow", "Principal": {"Service": "pipes.amazonaws.com"}, "Action": "sts:AssumeRole"}
        self._role = self._iam.create_role(RoleName=self.name, AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]

    def allow(self, *actions: str) -> None:
        """What the pipe may do on the queue, besides starting the function."""
        function = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{self.name}:live"
        starts = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": function}
        reads = {"Effect": "Allow", "Action": [f"sqs:{one}" for one in actions], "Resource": queue_arn(self.queue)}
        self._iam.put_role_policy(RoleName=self.name, PolicyName="own", PolicyDocument=policy(starts, reads))

    def pipe(self) -> None:
        """Create the pipe, and wait until it runs."""
        self.pipes.create_pipe(
            Name=self.name,
            RoleArn=self._role,
            Source=queue_arn(self.queue),
            SourceParameters={"SqsQueueParameters": {"BatchSize": 1}},
            Target=f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{self.name}:live",
            TargetParameters={"LambdaFunctionParameters": {"InvocationType": "FIRE_AND_FORGET"}},
        )
        self.is_in("RUNNING")

    def is_in(self, state: str) -> None:
        """Wait for a state of the pipe."""
        eventually(lambda: self.pipes.describe_pipe(Name=self.name)["CurrentState"] == state or None)


@pytest.fixture
def piped(sandbox: Sandbox) -> Piped:
    return Piped(sandbox)


@pytest.fixture
def ops(sandbox: Sandbox) -> Ops:
    return lambda *arguments: run(environment(sandbox), *arguments)


def started_and_given_up(piped: Piped) -> str:
    """The id of a message that had its effect, and is in the dead-letter queue; the pipe is well again."""
    piped.allow("ReceiveMessage", "GetQueueAttributes")
    piped.pipe()
    identifier: str = piped.sqs.send_message(QueueUrl=piped.queue, MessageBody="{}")["MessageId"]
    eventually(lambda: piped.attempts() == {identifier: 1} or None)
    piped.is_in("STOPPED")

    def given_up() -> Any:
        piped.sqs.receive_message(QueueUrl=piped.queue)
        return piped.visible(piped.dlq) == 1 or None

    eventually(given_up)
    piped.allow("ReceiveMessage", "GetQueueAttributes", "DeleteMessage")
    piped.pipes.start_pipe(Name=piped.name)
    piped.is_in("RUNNING")
    return identifier


def executed(piped: Piped, executions: int) -> None:
    eventually(lambda: len(piped.executions()) == executions or None)
    piped.settled()
    eventually(lambda: piped.depth(piped.queue) + piped.depth(piped.dlq) == 0 or None)


def test_redriven_it_has_no_second_effect(piped: Piped, ops: Ops) -> None:
    identifier = started_and_given_up(piped)

    said = ops("dead-letters", "redrive", piped.name, "--json")

    assert said.code == 0, said.err
    assert {one["queue"]: one["redriven"] for one in said.json["queues"]} == {"failed": 0, "dlq": 1}
    executed(piped, 2)
    assert piped.attempts() == {identifier: 2}  # twice at the same effect


def test_moved_it_has_a_second_effect_as_the_dry_run_said(piped: Piped, ops: Ops) -> None:
    identifier = started_and_given_up(piped)
    arguments = ["dead-letters", "redrive", piped.name, "--queue", "dlq", "--method", "move"]

    (planned,) = json.loads(ops(*arguments, "--dry-run", "--json").out)["queues"]
    assert "pipe, dispatcher: started, and could not be deleted" in planned["why"]
    assert ops(*arguments).code == 0

    executed(piped, 2)
    assert len(piped.attempts()) == 2
    assert piped.attempts()[identifier] == 1
