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
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError
from observe import Pipeline
from pytest_terraform import terraform

from durable_sandbox.pytest_plugin import Sandbox, eventually

pytestmark = pytest.mark.timeout(600)  # three stacks to apply, then about fifty short runs

_PATIENCE, _MOST_PATIENCE = 4.0, 10.0
_TIMES_A_GOOD_RUN = 3
_BETWEEN_LOOKS = 0.25


@dataclass(frozen=True)
class Statement:
    """One statement of a role's inline policy."""

    role: str
    policy: str
    document: Mapping[str, Any]
    index: int

    @property
    def reads(self) -> bool:
        """Whether it is about the bridge's reading: of the queue, or with the key of its messages."""
        reading = [one for one in self.document["Statement"] if "sqs:ReceiveMessage" in one["Action"]]
        return bool(reading)

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
        missing = {
            "no row": lambda: not self.pipeline.rows([message_id]),
            "the message stays on the queue": lambda: self.pipeline.depth("queue_url") > depth,
            "no dead letter": lambda: self.pipeline.depth("failed_queue_url") <= failed,
            **{f"no log of {name}": partial(self._silent, name, started) for name in self.functions},
        }
        deadline = time.monotonic() + patience
        while True:
            # What has come stays, and is not asked for again.
            missing = {what: is_missing for what, is_missing in missing.items() if is_missing()}
            if not missing or time.monotonic() > deadline:
                return list(missing)
            time.sleep(_BETWEEN_LOOKS)

    def _silent(self, function: str, since: int) -> bool:
        answer = self.logs.filter_log_events(logGroupName=f"/aws/lambda/{function}", startTime=since)
        return not answer["events"]

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
            symptoms = self._restarted(statement) + self.symptoms(patience)
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

    def _restarted(self, statement: Statement) -> list[str]:
        """End polls that were allowed to read, if this is about reading; what says no to starting again."""
        mine = self.pipeline.functions.list_event_source_mappings(EventSourceArn=self.outputs["queue_arn"])
        mappings = [mapping["UUID"] for mapping in mine["EventSourceMappings"]]
        if not statement.reads:
            return []
        if self.outputs["pipe_name"]:
            self.pipes.stop_pipe(Name=self.outputs["pipe_name"])
            eventually(self._pipe_state)
            self.pipes.start_pipe(Name=self.outputs["pipe_name"])
            return [] if eventually(self._pipe_state) == "RUNNING" else ["the pipe does not start"]
        for uuid in mappings:
            try:
                self._enable(uuid, enabled=False)
                self._enable(uuid, enabled=True)
            except ClientError as error:
                return [f"the mapping cannot be enabled: {error}"]
        return []

    def _enable(self, uuid: str, *, enabled: bool) -> None:
        """Enable or disable a mapping, and wait until it is so."""

        def settled() -> bool | None:
            state = self.pipeline.functions.get_event_source_mapping(UUID=uuid)["State"]
            return True if state in {"Enabled", "Disabled"} else None

        eventually(settled)
        self.pipeline.functions.update_event_source_mapping(UUID=uuid, Enabled=enabled)
        eventually(settled)

    def _pipe_state(self) -> str | None:
        state: str = self.pipes.describe_pipe(Name=self.outputs["pipe_name"])["CurrentState"]
        return state if state in {"RUNNING", "STOPPED", "START_FAILED"} else None

    def _resume(self) -> None:
        """Start the pipe or the mapping again that stopped for want of a permission."""
        name = self.outputs["pipe_name"]
        while name and eventually(self._pipe_state) != "RUNNING":
            self.pipes.start_pipe(Name=name)
        mine = self.pipeline.functions.list_event_source_mappings(EventSourceArn=self.outputs["queue_arn"])
        for mapping in mine["EventSourceMappings"]:
            if mapping["State"] != "Enabled":
                self._enable(mapping["UUID"], enabled=True)

    def survivors(self) -> list[str]:
        """Complaints about this scenario's statements."""
        started = time.monotonic()
        assert self.symptoms(60) == [], self.stack
        # A machine too slow for that takes no statement for a needed one: its actions must have been refused as well.
        patience = min(_MOST_PATIENCE, max(_PATIENCE, _TIMES_A_GOOD_RUN * (time.monotonic() - started)))
        statements = self.statements()
        assert statements, self.stack
        complaints = []
        for statement in statements:
            complaint = self.without(statement, patience)
            complaints += [complaint] if complaint else []
            again = self.symptoms(60)
            complaints += [f"{statement}: put back, yet {again}"] if again else []
        return complaints


@pytest.fixture
def scenarios(sandbox: Sandbox, request: pytest.FixtureRequest) -> list[Scenario]:
    """The three pipelines, applied."""
    applied = request.getfixturevalue("encrypted")
    outputs = applied.outputs["pipelines"]["value"]
    return [Scenario(sandbox, bridge, of_bridge) for bridge, of_bridge in sorted(outputs.items())]


# Not destroyed: that is other tests' subject, and the provider waits minutes for the deletion of a key.
@terraform("encrypted", scope="function", teardown=terraform.TEARDOWN_OFF)
def test_no_statement_can_be_missed(scenarios: list[Scenario]) -> None:
    with ThreadPoolExecutor(len(scenarios)) as pool:
        complaints = list(pool.map(Scenario.survivors, scenarios))
    assert "\n".join(complaint for group in complaints for complaint in group) == ""
