"""A stack that was given its queue: durable-ops finds it by the bridge, and the dead-letter queue by the redrive policy."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from ops_support import Deployed, Said, environment, policy, queue_arn, run

from durable_ops.errors import OpsError
from durable_ops.stack import Kind, Stack
from durable_sandbox.pytest_plugin import Sandbox

Ops = Callable[..., Said]


class Existing(Deployed):
    """Queues of other names, and a bridge from them."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__(sandbox)
        for url in (self.queue, self.dlq):
            self.sqs.delete_queue(QueueUrl=url)
        self.incoming = f"incoming-{uuid4().hex[:10]}"
        self.dlq = self.sqs.create_queue(QueueName=f"{self.incoming}-gave-up")["QueueUrl"]
        redrive = {"deadLetterTargetArn": queue_arn(self.dlq), "maxReceiveCount": 1}
        attributes = {"RedrivePolicy": json.dumps(redrive), "VisibilityTimeout": "180"}
        self.queue = self.sqs.create_queue(QueueName=self.incoming, Attributes=attributes)["QueueUrl"]
        self.deploy(timeout=600)

    def pipe(self) -> None:
        """A pipe, stopped, so that messages stay."""
        trust = {"Effect": "Allow", "Principal": {"Service": "pipes.amazonaws.com"}, "Action": "sts:AssumeRole"}
        iam = self.sandbox.client("iam")
        role = iam.create_role(RoleName=self.name, AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
        self.sandbox.client("pipes").create_pipe(
            Name=self.name,
            RoleArn=role,
            DesiredState="STOPPED",
            Source=queue_arn(self.queue),
            Target=self._alias(),
            TargetParameters={"LambdaFunctionParameters": {"InvocationType": "FIRE_AND_FORGET"}},
        )

    def mapping(self) -> None:
        """A mapping, disabled."""
        self.functions.create_event_source_mapping(
            EventSourceArn=queue_arn(self.queue), FunctionName=self._alias(), Enabled=False
        )

    def _alias(self) -> str:
        arn: str = self.functions.get_alias(FunctionName=self.name, Name="live")["AliasArn"]
        return arn


@pytest.fixture
def existing(sandbox: Sandbox) -> Existing:
    return Existing(sandbox)


@pytest.fixture
def ops(sandbox: Sandbox) -> Ops:
    return lambda *arguments: run(environment(sandbox), *arguments)


@pytest.mark.parametrize("bridge", [Existing.pipe, Existing.mapping], ids=["pipe", "mapping"])
def test_dead_letters_go_back_to_the_queue_that_was_given(
    existing: Existing, ops: Ops, bridge: Callable[[Existing], Any]
) -> None:
    existing.give_up(["one", "two"])
    bridge(existing)
    listed = ops("dead-letters", "list", existing.name, "--json")
    assert listed.code == 0, listed.err
    assert f"{existing.incoming}-gave-up" in listed.out
    redriven = ops("dead-letters", "redrive", existing.name, "--queue", "dlq", "--json")
    assert redriven.code == 0, redriven.err
    assert sorted(message["Body"] for message in existing.take(existing.queue)) == ["one", "two"]
    assert existing.depth(existing.dlq) == 0


def test_without_a_bridge_there_is_no_such_stack(existing: Existing, ops: Ops) -> None:
    said = ops("dead-letters", "list", existing.name)
    assert said.code == 6
    assert f'There is no stack "{existing.name}"' in said.err


def test_the_backlog_of_a_fifo_queue_has_a_name_that_sqs_takes(sandbox: Sandbox) -> None:
    deployed = Deployed(sandbox, fifo=True)
    with pytest.raises(OpsError, match=f"no queue {deployed.name}-backlog\\."):
        Stack(deployed.name, sandbox.client).came_from(Kind.BACKLOG)
