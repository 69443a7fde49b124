"""The sample pipeline in a sandbox: finding or starting the sandbox, applying a root module, waiting for its bridge."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from rich.console import Console

from durable_sandbox.cli import aws
from durable_sandbox.cli.environment import command_line, module_root, state_dir
from durable_sandbox.cli.errors import ENVIRONMENT, CliError
from durable_sandbox.cli.process import Running, Start, find, port_conflict, port_is_free, start_detached
from durable_sandbox.cli.progress import progress
from durable_sandbox.terraform import Progress, Terraform

BRIDGES = ("pipe", "esm", "dispatcher")
_BRIDGE_SECONDS = 90.0
Ready = Callable[[int, Mapping[str, Any]], None]
"""Called with the port and the outputs; returns once the stack takes messages."""
_NEEDED = ("queue_url", "dead_letter_queue_url", "failed_queue_url", "function_name", "table_name")


@dataclass(frozen=True, slots=True)
class Stack:
    """The applied pipeline, from the root module's outputs; a bridge's own are None with another bridge."""

    queue_url: str
    dead_letter_queue_url: str
    failed_queue_url: str
    function_name: str
    table_name: str
    pipe_name: str | None = None
    event_source_mapping_uuid: str | None = None
    dispatcher_function_name: str | None = None

    @classmethod
    def from_outputs(cls, outputs: Mapping[str, Any]) -> Stack:
        """From ``terraform output``. Raises CliError if one is missing."""
        missing = [name for name in _NEEDED if not isinstance(outputs.get(name), str)]
        if not outputs.get("pipe_name") and not outputs.get("event_source_mapping_uuid"):
            missing.append("pipe_name or event_source_mapping_uuid")
        if missing:
            raise CliError(
                f"The root module gives no output {', '.join(missing)}.",
                "It has to be the root of this repository; check TF_VAR_* and *.auto.tfvars.",
            )
        values: dict[str, Any] = {field.name: outputs.get(field.name) for field in fields(cls)}
        return cls(**values)


def checkout(command: str) -> Path:
    """The checkout's root. Raises CliError outside of one, naming the command that needs it."""
    root = module_root()
    if root is None:
        raise CliError(
            f"The {command} needs a checkout of terraform-aws-durable-pipeline (main.tf and modules/queue); there is none "
            f"at or above {Path.cwd()}.",
            "Change to the checkout and run it again.",
            exit_code=ENVIRONMENT,
        )
    return root


def check_port(port: int) -> None:
    """Raise CliError if something that is no sandbox uses the port."""
    if find(port) is None and not port_is_free(port):
        raise port_conflict(port)


def check_same_time(running: Running, *, real_time: bool) -> None:
    """Raise CliError if real time was asked for and ``running`` skips waits."""
    if real_time and not running.real_time:
        raise CliError(
            f"The sandbox that runs on port {running.port} skips durable waits; --real-time cannot change that.",
            f"Stop it first: {command_line('down', running.port)}",
            exit_code=ENVIRONMENT,
        )


def ensure_sandbox(console: Console, port: int, *, real_time: bool = False, time_scale: float = 60.0) -> Running:
    """The sandbox on ``port``, started if there is none. Raises CliError if it skips waits although ``real_time``."""
    running = find(port)
    if running is not None:
        check_same_time(running, real_time=real_time)
        console.print(f"Using the sandbox that runs at {running.endpoint_url}.", highlight=False)
        return running
    root = module_root()
    start = Start(port, real_time=real_time, time_scale=time_scale)
    running = start_detached(start, root / ".sandbox" if root else state_dir())
    console.print(f"Started the sandbox at {running.endpoint_url}; its state is in memory only.", highlight=False)
    return running


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


def apply(
    console: Console, terraform: Terraform, running: Running, title: str, ready: Ready | None = None
) -> dict[str, Any]:
    """Apply the module and wait until it is ``ready`` (None: the root module's bridge takes messages). Returns the outputs."""
    forget_other_instance(terraform.work_dir, running)
    with progress(console, title) as update:
        update(0, 0, "terraform init")
        terraform.init()

        def on_progress(state: Progress) -> None:
            update(state.done, state.total, ", ".join(state.running)[:60])

        terraform.apply(on_progress)
        update(1, 1, "waiting for the bridge")
        outputs = terraform.output()
        (ready or _bridge_ready)(running.port, outputs)
    return outputs


def destroy(console: Console, terraform: Terraform) -> None:
    """Destroy what was applied."""
    with progress(console, "Destroying the stack") as update:
        terraform.destroy(lambda state: update(state.done, state.total, ", ".join(state.running)[:60]))


def _bridge_ready(port: int, outputs: Mapping[str, Any]) -> None:
    applied = Stack.from_outputs(outputs)
    _wait(lambda: _bridge_state(port, applied))


def wait_for_mapping(port: int, queue_url: str) -> None:
    """Wait until the mapping of a queue is enabled. Raises CliError if it does not get there."""
    sqs, functions = aws.client(port, "sqs"), aws.client(port, "lambda")
    arn = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def look() -> tuple[str, str, str]:
        found = functions.list_event_source_mappings(EventSourceArn=arn)["EventSourceMappings"]
        state = found[0] if found else {"State": "missing"}
        return f"The mapping of {arn}", state["State"], state.get("StateTransitionReason", "")

    _wait(look)


def _wait(look: Callable[[], tuple[str, str, str]]) -> None:
    """Wait until the pipe runs or the mapping is enabled. Raises CliError if it failed or does not get there."""
    deadline = time.monotonic() + _BRIDGE_SECONDS
    while True:
        what, state, reason = look()
        if state in {"RUNNING", "Enabled"}:
            return
        if state.endswith("_FAILED") or state in {"STOPPED", "Disabled"} or time.monotonic() > deadline:
            raise CliError(
                f"{what} is {state}{f': {reason}' if reason else '.'}", "See `sandbox status` and `sandbox logs`."
            )
        time.sleep(0.2)


def _bridge_state(port: int, stack: Stack) -> tuple[str, str, str]:
    if stack.pipe_name:
        pipe = aws.client(port, "pipes").describe_pipe(Name=stack.pipe_name)
        return f"The pipe {stack.pipe_name}", pipe["CurrentState"], pipe.get("StateReason", "")
    uuid = stack.event_source_mapping_uuid
    mapping = aws.client(port, "lambda").get_event_source_mapping(UUID=uuid)
    return f"The mapping {uuid}", mapping["State"], mapping.get("StateTransitionReason", "")
