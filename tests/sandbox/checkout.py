"""A copy of the checkout that has never been used, and commands begun in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attachment import share_builds

from durable_sandbox.cli import process

_REPO = Path(__file__).parents[2]

Begun = Mapping[str, "subprocess.Popen[str]"]


@contextmanager
def begun(directory: Path, port: int, commands: Mapping[str, Sequence[str]]) -> Iterator[Begun]:
    """Begin `sandbox <command> --json` for each of ``commands`` in a copy of the checkout; stop what still runs."""
    for file in _REPO.glob("*.tf"):
        shutil.copy(file, directory)
    for folder in ("modules", "functions"):
        ignore = shutil.ignore_patterns("__pycache__", ".terraform*", "*.tfstate*", ".sandbox")
        shutil.copytree(_REPO / folder, directory / folder, ignore=ignore)
    share_builds(directory)
    running = {name: _begin(directory, port, command) for name, command in commands.items()}
    try:
        yield running
    finally:
        for one in running.values():
            if one.poll() is None:
                process.stop_tree(one.pid)
                one.communicate()


def _begin(directory: Path, port: int, command: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(Path(sys.executable).with_name("sandbox")), *command, "--json", "--port", str(port)],
        cwd=directory,
        env=dict(os.environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(command: subprocess.Popen[str]) -> dict[str, Any]:
    """What a command that was begun prints, once it has succeeded: one JSON object and nothing else."""
    stdout, stderr = command.communicate(timeout=280)
    assert command.returncode == 0, stderr
    (line,) = stdout.splitlines()
    found: dict[str, Any] = json.loads(line)
    return found
