"""Every statement that the modules write into a role's policy is needed: without it, its scenario fails.

The list is made from the policies that were applied. A scenario is one bridge's pipeline: a message must become a row and
leave the queue, a failed asynchronous start must come to ``<name>-failed``, and every function must have its log.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from observe import Pipeline, eventually
from pytest_terraform import terraform

from durable_sandbox.pytest_plugin import Sandbox

pytestmark = pytest.mark.timeout(600)  # three stacks to apply, then about fifty short runs

_PATIENCE = 6.0
_TIMES_A_GOOD_RUN = 3


@dataclass(frozen=True)
class Statement:
    """One statement of a role's inline policy."""

    role: str
    policy: str
    document: Mapping[str, Any]
    index: int

    def __str__(self) -> str:
        return f"{self.role}/{self.policy}/{self.document['Statement'][self.index].get('Sid', self.index)}"


class Scenario:
    """One bridge's pipeline."""

    def __init__(self, sandbox: Sandbox, bridge: str, outputs: Mapping[str, Any]) -> None:
        self.pipeline = Pipeline(sandbox, outputs)
        self.sandbox = sandbox
        self.bridge = bridge
        self.outputs = outputs
        self.stack = outputs["function_name"]
        self.iam = sandbox.client("iam")
        self.logs = sandbox.client("logs")
        self.pipes = sandbox.client("pipes")
        functions = sandbox.client("lambda").list_functions()["Functions"]
        names = [function["FunctionName"] for function in functions]
        self.functions = [name for name in names if name == self.stack or name.startswith(f"{self.stack}-")]

    def statements(self) -> list[Statement]:
        """What the modules wrote for this stack."""
        found = []
        for role in self.iam.list_roles(MaxItems=1000)["Roles"]:
            if not role["RoleName"].startswith(f"{self.stack}-"):
                continue
            name = role["RoleName"]
            assert self.iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"] == []
            for policy in self.iam.list_role_policies(RoleName=name)["PolicyNames"]:
                document = self.iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
                found += [Statement(name, policy, document, index) for index in range(len(document["Statement"]))]
        return found

    def symptoms(self, patience: float) -> list[str]:
        """Run; what is missing after ``patience`` seconds, nothing if all is well."""
        started = int(time.time() * 1000)
        depth, failed = self.pipeline.depth("queue_url"), self.pipeline.depth("failed_queue_url")
        (message_id,) = self.pipeline.send([{"data_source": "invoices", "processing_type": "summarise"}])
        wrong = {"messageId": str(uuid4()), "body": json.dumps({"data_source": 1, "processing_type": "summarise"})}
        self.pipeline.functions.invoke(
            FunctionName=self.outputs["function_alias_arn"], InvocationType="Event", Payload=json.dumps(wrong).encode()
        )
        deadline = time.monotonic() + patience
        while True:
            missing = self._missing(message_id, started, depth, failed)
            if not missing or time.monotonic() > deadline:
                return missing
            time.sleep(0.1)

    def _missing(self, message_id: str, started: int, depth: int, failed: int) -> list[str]:
        missing = [] if self.pipeline.rows([message_id]) else ["no row"]
        missing += [] if self.pipeline.depth("queue_url") <= depth else ["the message stays on the queue"]
        missing += [] if self.pipeline.depth("failed_queue_url") > failed else ["no dead letter"]
        missing += [f"no log of {name}" for name in self.functions if not self._logged(name, started)]
        return missing

    def _logged(self, function: str, started: int) -> bool:
        answer = self.logs.filter_log_events(logGroupName=f"/aws/lambda/{function}", startTime=started)
        return bool(answer["events"])

    def refusals(self, role: str) -> dict[str, int]:
        """By action, how often the role was refused."""
        counts: dict[str, int] = {}
        for tally in self.sandbox.iam(role)["refused"]:
            counts[tally["action"]] = counts.get(tally["action"], 0) + tally["count"]
        return counts

    def without(self, statement: Statement, patience: float) -> str | None:
        """Run without ``statement``; a complaint if nothing notices, or if something else is why it fails."""
        kept = [
            one for one in statement.document["Statement"] if one != statement.document["Statement"][statement.index]
        ]
        target = {"RoleName": statement.role, "PolicyName": statement.policy}
        before = self.refusals(statement.role)
        if kept:
            self.iam.put_role_policy(**target, PolicyDocument=json.dumps({**statement.document, "Statement": kept}))
        else:
            self.iam.delete_role_policy(**target)
        try:
            symptoms = self.symptoms(patience)
            after = self.refusals(statement.role)
        finally:
            self.iam.put_role_policy(**target, PolicyDocument=json.dumps(statement.document))
            self._resume()
        if not symptoms:
            return f"{statement}: nothing notices that it is gone"
        actions = set(statement.document["Statement"][statement.index]["Action"])
        if not any(after.get(action, 0) > before.get(action, 0) for action in actions):
            return f"{statement}: {symptoms}, yet none of its actions was refused"
        return None

    def _resume(self) -> None:
        """Start the pipe again that stopped for want of a permission."""
        name = self.outputs["pipe_name"]
        if not name:
            return

        def settled() -> str | None:
            state: str = self.pipes.describe_pipe(Name=name)["CurrentState"]
            return state if state in {"RUNNING", "STOPPED", "START_FAILED"} else None

        while eventually(settled) != "RUNNING":
            self.pipes.start_pipe(Name=name)

    def survivors(self) -> list[str]:
        """Complaints about this scenario's statements."""
        started = time.monotonic()
        assert self.symptoms(60) == [], self.stack
        patience = max(_PATIENCE, _TIMES_A_GOOD_RUN * (time.monotonic() - started))
        statements = self.statements()
        assert statements, self.stack
        complaints = []
        for statement in statements:
            complaint = self.without(statement, patience)
            complaints += [complaint] if complaint else []
            again = self.symptoms(60)
            complaints += [f"{statement}: put back, yet {again}"] if again else []
        return complaints


@pytest.fixture(scope="module")
def scenarios(sandbox: Sandbox, request: pytest.FixtureRequest) -> list[Scenario]:
    """The three pipelines, applied."""
    applied = request.getfixturevalue("encrypted")
    outputs = applied.outputs["pipelines"]["value"]
    return [Scenario(sandbox, bridge, of_bridge) for bridge, of_bridge in sorted(outputs.items())]


@terraform("encrypted", scope="module")
def test_no_statement_can_be_missed(scenarios: list[Scenario]) -> None:
    with ThreadPoolExecutor(len(scenarios)) as pool:
        complaints = list(pool.map(Scenario.survivors, scenarios))
    assert [complaint for group in complaints for complaint in group] == []
