"""The sample pipeline: applying it and waiting until its pipe runs."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from durable_sandbox.cli import aws
from durable_sandbox.cli.environment import client_environment, module_root, terraform_dir
from durable_sandbox.cli.errors import ENVIRONMENT, CliError
from durable_sandbox.cli.process import Running
from durable_sandbox.terraform import OnProgress, Terraform

_PIPE_SECONDS = 90.0
_OUTPUTS = (
    "queue_url",
    "dead_letter_queue_url",
    "failed_queue_url",
    "function_name",
    "pipe_arn",
    "table_name",
)


@dataclass(frozen=True, slots=True)
class Stack:
    """The applied pipeline, from the root module's outputs."""

    queue_url: str
    dead_letter_queue_url: str
    failed_queue_url: str
    function_name: str
    pipe_arn: str
    table_name: str

    @property
    def pipe_name(self) -> str:
        """The pipe's name."""
        return self.pipe_arn.rsplit("/", 1)[-1]

    @classmethod
    def from_outputs(cls, outputs: Mapping[str, Any]) -> Stack:
        """From ``terraform output``. Raises CliError if one is missing."""
        missing = [name for name in _OUTPUTS if not isinstance(outputs.get(name), str)]
        if missing:
            raise CliError(
                f"The root module gives no output {', '.join(missing)}.",
                'The demo needs the root of this repository with bridge = "pipe"; check TF_VAR_* and *.auto.tfvars.',
            )
        return cls(**{name: outputs[name] for name in _OUTPUTS})


def prepare(port: int) -> Terraform:
    """Terraform for the repository's root and a sandbox on ``port``, which need not run yet.

    Raises CliError outside of a checkout, TerraformProblem without a usable terraform.
    """
    root = module_root()
    if root is None:
        raise CliError(
            "The demo needs a checkout of terraform-aws-durable-pipeline (main.tf and modules/queue); there is none "
            f"at or above {Path.cwd()}.",
            "Change to the checkout and run it again.",
            exit_code=ENVIRONMENT,
        )
    return Terraform(root, client_environment(port, os.environ), terraform_dir(root / ".sandbox", port))


def forget_other_instance(work_dir: Path, running: Running) -> None:
    """Delete Terraform's state if it is not of ``running``: sandboxes keep their resources in memory only."""
    marker = work_dir / "instance"
    try:
        known = marker.read_text()
    except OSError:
        known = ""
    if known != running.instance:
        forget(work_dir)
        work_dir.mkdir(parents=True, exist_ok=True)
        marker.write_text(running.instance)


def forget(work_dir: Path) -> bool:
    """Delete Terraform's state in ``work_dir``, but not the providers it installed. True if there was any."""
    kept = [
        path for pattern in ("terraform.tfstate*", ".terraform.tfstate*", "instance") for path in work_dir.glob(pattern)
    ]
    for path in kept:
        path.unlink()
    return bool(kept)


def apply(terraform: Terraform, on_progress: OnProgress) -> Stack:
    """Apply the root module."""
    terraform.init()
    terraform.apply(on_progress)
    return Stack.from_outputs(terraform.output())


def wait_for_pipe(port: int, stack: Stack) -> None:
    """Wait until the pipe is RUNNING. Raises CliError if it failed or does not get there."""
    pipes = aws.client(port, "pipes")
    deadline = time.monotonic() + _PIPE_SECONDS
    while True:
        pipe = pipes.describe_pipe(Name=stack.pipe_name)
        state = pipe["CurrentState"]
        if state == "RUNNING":
            return
        if state.endswith("_FAILED") or state == "STOPPED" or time.monotonic() > deadline:
            reason = f": {pipe['StateReason']}" if pipe.get("StateReason") else "."
            raise CliError(f"The pipe {stack.pipe_name} is {state}{reason}", "See `sandbox status` and `sandbox logs`.")
        time.sleep(0.2)
