"""A scenario under terraform's hands, and what an account holds."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from durable_sandbox.pytest_plugin import Sandbox

_PLANNING = ("plan", "apply", "destroy")


@dataclass(frozen=True)
class Deployment:
    """A root module with terraform's data and state outside of it."""

    directory: Path
    data: Path
    state: Path
    env: Mapping[str, str]

    @classmethod
    def of(cls, applied: Any) -> Deployment:
        """What a fixture of pytest-terraform applied."""
        runner = applied.terraform
        return cls(Path(runner.module_dir), Path(runner.work_dir), Path(runner.state_path), dict(os.environ))

    def run(self, command: str, *arguments: str, **variables: Any) -> subprocess.CompletedProcess[str]:
        """Run terraform; its errors are in ``stdout`` too."""
        line = ["terraform", command, "-no-color"]
        line += ["-input=false"] if command in {"init", *_PLANNING} else []
        line += ["-auto-approve"] if command in {"apply", "destroy"} else []
        line += [f"-state={self.state}"] if command in {"output", *_PLANNING} else []
        line += [f"-var={name}={value}" for name, value in variables.items()]
        return subprocess.run(
            [*line, *arguments],
            cwd=self.directory,
            env={**self.env, "TF_DATA_DIR": str(self.data), "TF_IN_AUTOMATION": "yes"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def changed(self, command: str, **variables: Any) -> None:
        """Run ``command``, which must succeed."""
        done = self.run(command, **variables)
        assert done.returncode == 0, done.stdout

    def assert_nothing_to_change(self, **variables: Any) -> None:
        """A plan is empty: 2 would say that there are changes."""
        done = self.run("plan", "-detailed-exitcode", **variables)
        assert done.returncode == 0, done.stdout

    def outputs(self) -> dict[str, Any]:
        """The values of the outputs."""
        done = self.run("output", "-json")
        assert done.returncode == 0, done.stdout
        return {name: output["value"] for name, output in json.loads(done.stdout).items()}


def inventory(sandbox: Sandbox) -> set[str]:
    """Everything in the account that a stack may create."""
    lists = [
        ("sqs", "list_queues", "QueueUrls", None),
        ("lambda", "list_functions", "Functions", "FunctionArn"),
        ("iam", "list_roles", "Roles", "Arn"),
        ("dynamodb", "list_tables", "TableNames", None),
        ("s3", "list_buckets", "Buckets", "Name"),
        ("logs", "describe_log_groups", "logGroups", "logGroupName"),
        ("pipes", "list_pipes", "Pipes", "Arn"),
        ("lambda", "list_event_source_mappings", "EventSourceMappings", "UUID"),
        ("apigatewayv2", "get_apis", "Items", "ApiEndpoint"),
        ("apigatewayv2", "get_domain_names", "Items", "DomainName"),
    ]
    found = set()
    for service, operation, member, key in lists:
        client = sandbox.client(service)
        extra = {"FunctionVersion": "ALL"} if operation == "list_functions" else {}
        pages = (
            client.get_paginator(operation).paginate(**extra)
            if client.can_paginate(operation)
            else [getattr(client, operation)(**extra)]
        )
        items = [item for page in pages for item in page.get(member, [])]
        found |= {f"{service}: {item if key is None else item[key]}" for item in items}
    policies = sandbox.client("iam").list_policies(Scope="Local", MaxItems=1000)["Policies"]
    stacks = sandbox.client("cloudformation").list_stacks()["StackSummaries"]
    found |= {f"policy: {policy['Arn']}" for policy in policies} | _buses_and_rules(sandbox)
    return found | {
        f"stack: {stack['StackName']} {stack['StackStatus']}"
        for stack in stacks
        if stack["StackStatus"] != "DELETE_COMPLETE"
    }


def _buses_and_rules(sandbox: Sandbox) -> set[str]:
    events = sandbox.client("events")
    buses = {bus["Name"]: bus["Arn"] for bus in events.list_event_buses()["EventBuses"]}
    rules = {rule["Arn"] for name in buses for rule in events.list_rules(EventBusName=name)["Rules"]}
    return {f"bus: {arn}" for arn in buses.values()} | {f"rule: {arn}" for arn in rules}
