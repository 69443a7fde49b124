"""Running terraform with readable progress and errors.

Its machine-readable output: https://developer.hashicorp.com/terraform/internals/machine-readable-ui.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from durable_sandbox.terraform_setup import Binary, TerraformProblem, find_terraform, provider_env, undisturbed

_CHANGES = frozenset({"create", "update", "delete"})
_STOP_SECONDS = 60.0
_DIFFERENCES = 2  # exit code of `plan -detailed-exitcode` when there is something to change


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """An error or a warning of terraform, with where it came from (an address or ``file:line``; may be empty)."""

    severity: str
    summary: str
    detail: str
    where: str

    @classmethod
    def from_ui(cls, event: Mapping[str, Any]) -> Diagnostic:
        """From the ``diagnostic`` member of a UI line."""
        place = event.get("range") or {}
        position = f"{place['filename']}:{place['start']['line']}" if place else ""
        where = ", ".join(part for part in (event.get("address", ""), position) if part)
        return cls(event["severity"], event["summary"], event.get("detail", "").strip(), where)

    def __str__(self) -> str:
        place = f" ({self.where})" if self.where else ""
        return f"{self.summary}{place}" + (f"\n{self.detail}" if self.detail else "")


@dataclass(slots=True)
class Progress:
    """How far an apply or destroy is: resources done of ``total`` (0 until planned) and the addresses in work."""

    done: int = 0
    total: int = 0
    running: dict[str, None] = field(default_factory=dict)

    def update(self, event: Mapping[str, Any]) -> bool:
        """Take one UI line. True if it changed anything."""
        kind = event.get("type")
        if kind == "change_summary" and event["changes"]["operation"] == "plan":
            changes = event["changes"]
            self.total = changes["add"] + changes["change"] + changes["remove"]
            return True
        if kind not in {"apply_start", "apply_complete", "apply_errored"}:
            return False
        hook = event["hook"]
        if hook["action"] not in _CHANGES:
            return False
        address = hook["resource"]["addr"]
        if kind == "apply_start":
            self.running[address] = None
        else:
            self.running.pop(address, None)
            self.done += kind == "apply_complete"
        return True


OnProgress = Callable[[Progress], None]


class Terraform:
    """Terraform on one root module, with state and data in ``work_dir`` and nothing written beside the module.

    (But ``.terraform.lock.hcl``, for which terraform offers no other place.) ``env`` is the whole environment.
    Every method that runs terraform raises TerraformProblem with its diagnostics; interrupted (Ctrl-C), it lets
    terraform stop in order, so that the state is written, and a second interrupt kills it.
    """

    def __init__(self, directory: Path, env: Mapping[str, str], work_dir: Path, binary: Binary | None = None) -> None:
        self.directory = directory.resolve()
        self.work_dir = work_dir.resolve()
        self.binary = binary or find_terraform(env)
        self.env = self._environment(env)
        self.work_dir.mkdir(parents=True, exist_ok=True)  # last, so that a machine that is not set up leaves nothing

    @property
    def state(self) -> Path:
        """The state file; it exists after the first apply."""
        return self.work_dir / "terraform.tfstate"

    def init(self) -> None:
        """Install modules and providers; a lock file that no longer fits is upgraded. Raises TerraformProblem."""
        try:
            self._run("init", "-input=false")
        except TerraformProblem:
            if not (self.directory / ".terraform.lock.hcl").exists():
                raise
            self._run("init", "-input=false", "-upgrade")

    def plan(self) -> bool:
        """Whether there is anything to change; it changes nothing. Raises TerraformProblem if there is no plan."""
        code = self._run("plan", "-input=false", "-detailed-exitcode", f"-state={self.state}", accept=(0, _DIFFERENCES))
        return code == _DIFFERENCES

    def apply(self, on_progress: OnProgress | None = None) -> None:
        """Create and change what the module says. Raises TerraformProblem; what was done by then is in the state."""
        self._run("apply", "-input=false", "-auto-approve", f"-state={self.state}", on_progress=on_progress)

    def destroy(self, on_progress: OnProgress | None = None) -> None:
        """Delete everything in the state. Raises TerraformProblem; what is left stays in the state."""
        self._run("destroy", "-input=false", "-auto-approve", f"-state={self.state}", on_progress=on_progress)

    def output(self) -> dict[str, Any]:
        """The root's outputs, name to value as JSON has it; {} before the first apply. Raises TerraformProblem."""
        done = subprocess.run(  # noqa: S603 - the user's own terraform
            self._command("output", f"-state={self.state}"), env=self.env, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise TerraformProblem(f"terraform output failed: {done.stderr.strip()}", f"Look at {self.state}.")
        return {name: output["value"] for name, output in json.loads(done.stdout).items()}

    def _environment(self, env: Mapping[str, str]) -> dict[str, str]:
        kept = undisturbed(env) | {
            "TF_DATA_DIR": str(self.work_dir / "data"),
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
        }
        kept |= provider_env(self.binary, env, self.work_dir)
        return {key: value for key, value in kept.items() if value or not key.startswith("TF_")}

    def _command(self, command: str, *arguments: str) -> list[str]:
        return [str(self.binary.path), f"-chdir={self.directory}", command, "-json", *arguments]

    def _run(
        self, command: str, *arguments: str, on_progress: OnProgress | None = None, accept: tuple[int, ...] = (0,)
    ) -> int:
        progress, errors, other = Progress(), [], []
        with _process(self._command(command, *arguments), self.env) as process:
            for line in _lines(process):
                event = _ui_event(line)
                if event is None:
                    other.append(line)
                elif event.get("type") == "diagnostic":
                    diagnostic = Diagnostic.from_ui(event["diagnostic"])
                    errors += [diagnostic] if diagnostic.severity == "error" else []
                elif progress.update(event) and on_progress:
                    on_progress(progress)
            code = process.wait()
        if code not in accept:
            said = "\n\n".join(map(str, errors)) or "\n".join(other[-20:]) or f"exit code {code}"
            raise TerraformProblem(f"terraform {command} failed: {said}", _advice(command, said))
        return code


def _advice(command: str, said: str) -> str:
    if "Error acquiring the state lock" in said:
        return "Another terraform works on the same state: wait for it to end."
    if command == "init":
        return "Check the connection to the registry, or the mirror that TF_CLI_CONFIG_FILE names."
    return "Correct the cause and run it again: what exists already is kept in the state."


def _ui_event(line: str) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def _lines(process: subprocess.Popen[str]) -> Iterator[str]:
    assert process.stdout is not None  # noqa: S101 - opened with a pipe below
    for line in process.stdout:
        yield line.rstrip("\n")


class _process:  # noqa: N801 - used like a function, as a context manager
    """A child in a session of its own, so that a Ctrl-C at the terminal reaches it once: through us."""

    def __init__(self, command: list[str], env: Mapping[str, str]) -> None:
        self._child = subprocess.Popen(  # noqa: S603 - the user's own terraform
            command, env=dict(env), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )

    def __enter__(self) -> subprocess.Popen[str]:
        return self._child

    def __exit__(self, *_: object) -> None:
        if self._child.poll() is None:
            stop_tree(self._child)


def stop_tree(child: subprocess.Popen[str], seconds: float = _STOP_SECONDS) -> None:
    """Interrupt ``child`` and wait for it; kill it with its descendants after ``seconds`` or a further Ctrl-C."""
    try:
        descendants = psutil.Process(child.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        descendants = []
    try:
        child.send_signal(signal.SIGINT if os.name == "posix" else signal.SIGTERM)
        child.communicate(timeout=seconds)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        child.kill()
        child.wait()
    for process in descendants:
        if process.is_running():
            process.kill()
