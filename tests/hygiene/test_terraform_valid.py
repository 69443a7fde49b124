"""`terraform fmt` and `terraform validate` of the root, the modules, the examples and the scenarios."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hygiene_support import ALL, REPO, relative_id, required_variables, tracked
from provider_support import NEWER
from slim_provider import slim_provider

from durable_sandbox.terraform_setup import find_terraform, own_env

# The others want a newer provider than may be here: test_native_module.py.
FOLDERS = [folder for folder in ALL if folder not in NEWER]
AT_ONCE = 6


def _terraform(*arguments: str, cwd: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [str(find_terraform(env).path), *arguments]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)


def test_format() -> None:
    done = _terraform("fmt", "-check", "-recursive", "-no-color", cwd=REPO, env=dict(os.environ))
    assert done.returncode == 0, f"Run: terraform fmt -recursive\n{done.stdout}{done.stderr}"


def _caller(copy: Path, folders: Sequence[Path]) -> str:
    """A root that calls these folders, each with an unknown value for each of its required variables.

    Validate takes the root's variables for unknown, so `any` fits every type.
    """
    parts = ['variable "unknown" {\n  type = any\n}\n']
    for folder in folders:
        source = f"./{(copy / folder.relative_to(REPO)).relative_to(copy.parent)}"
        label = relative_id(folder).replace("/", "_")
        lines = [
            f"  source = {json.dumps(source)}",
            *(f"  {name} = var.unknown" for name in required_variables(folder)),
        ]
        parts.append(f"module {json.dumps(label)} {{\n" + "\n".join(lines) + "\n}\n")
    return "\n".join(parts)


@pytest.fixture(scope="module")
def diagnostics(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    base = tmp_path_factory.mktemp("valid")
    copy = base / "repo"
    for file in tracked():
        if file.suffix != ".md":
            (copy / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPO / file, copy / file)
    found: list[dict[str, Any]] = []
    own = own_env(os.environ, base / "provider")
    with slim_provider(own, base / "provider-process", base) as attached:
        env = own | attached | {"GOGC": "800"}
        # An init and a validate for several: less than one each, and less than one for all, whose graph would take a minute.
        for first in range(0, len(FOLDERS), AT_ONCE):
            (base / "main.tf").write_text(_caller(copy, FOLDERS[first : first + AT_ONCE]))
            init = _terraform("init", "-backend=false", "-input=false", "-no-color", cwd=base, env=env)
            assert init.returncode == 0, init.stdout + init.stderr
            found += json.loads(_terraform("validate", "-json", cwd=base, env=env).stdout)["diagnostics"]
    return found


@pytest.mark.parametrize("folder", FOLDERS, ids=relative_id)
def test_valid_and_without_warnings(diagnostics: list[dict[str, Any]], folder: Path) -> None:
    here = Path("repo") / folder.relative_to(REPO)
    assert [said for said in diagnostics if _folder(said) == here] == []


def test_nothing_said_about_what_is_nowhere(diagnostics: list[dict[str, Any]]) -> None:
    """A diagnostic without a place, or in a folder that the tests above do not know."""
    known = {Path("repo") / folder.relative_to(REPO) for folder in FOLDERS}
    assert [said for said in diagnostics if _folder(said) not in known] == []


def _folder(diagnostic: dict[str, Any]) -> Path | None:
    place = diagnostic.get("range")
    return Path(place["filename"]).parent if place else None
