"""What terraform needs to apply to a sandbox, with one process of the provider for all its runs.

That process (durable_sandbox/provider_process.py) has one working directory, from which it reads the packages that modules/package
builds under each root. Named by the hash of their content, they have room in one folder, and what several stacks deploy is built
once.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from slim_provider import slim_provider

from durable_sandbox import terraform_setup
from durable_sandbox.cli.environment import unset_variables
from durable_sandbox.pytest_plugin import Sandbox

_REPO = Path(__file__).parents[2]
_FOLDER = ".terraform-build"


@contextmanager
def terraform_env(sandbox: Sandbox, directory: Path) -> Iterator[dict[str, str]]:
    """The variables that terraform needs for ``sandbox``; an empty value unsets one. ``directory`` is for files of its own."""
    found = terraform_setup.provider_env(terraform_setup.find_terraform(os.environ), os.environ, directory)
    # What terraform allocates lives for seconds: more memory for less time.
    wanted = dict.fromkeys(unset_variables(), "") | sandbox.env | found | {"GOGC": "800"}
    env = {key: value for key, value in {**os.environ, **wanted}.items() if value or key not in wanted}
    share_builds(*_scenarios())
    with slim_provider(env, directory / "provider", _REPO) as attached:
        yield wanted | attached


def share_builds(*roots: Path) -> None:
    """Let root modules build into the one folder; they need not be there yet."""
    shared = _REPO / _FOLDER
    shared.mkdir(exist_ok=True)
    for root in roots:
        folder = root / _FOLDER
        if not folder.is_symlink():
            root.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
            with suppress(FileExistsError):  # another worker was first
                folder.symlink_to(shared, target_is_directory=True)


def _scenarios() -> list[Path]:
    """The root modules that are applied where they are."""
    return [file.parent for folder in ("tests/terraform", "examples") for file in (_REPO / folder).glob("*/main.tf")]
