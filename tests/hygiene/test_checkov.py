"""Security checks of the Terraform side: each is passed, or skipped with a reason where it does not apply."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import pytest
from hygiene_support import REPO, tracked

CHECKOV = REPO / ".venv-checkov" / "bin" / "checkov"


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    assert CHECKOV.is_file(), f"{CHECKOV.relative_to(REPO)} is missing: run make lint"
    command = [str(CHECKOV), "--config-file", ".checkov.yaml", "--output", "json"]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False)
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        pytest.fail(f"checkov printed no report:\n{done.stdout}{done.stderr}")
    return found


def test_no_check_fails(report: dict[str, Any]) -> None:
    failed = {
        f"{check['check_id']} {check['resource']} ({check['file_path']}): {check['check_name']}"
        for check in report["results"]["failed_checks"]
    }
    assert not failed


def test_every_file_is_read(report: dict[str, Any]) -> None:
    """A file that checkov cannot parse is left out of its report: then it checks nothing there."""
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 30


def test_a_skip_has_a_reason() -> None:
    skips = [
        (str(file), check, reason)
        for file in tracked()
        if file.suffix == ".tf"
        for check, reason in re.findall(
            r"checkov:skip=(\S*?)(?::(.*))?$", (REPO / file).read_text(), flags=re.MULTILINE
        )
    ]
    assert skips
    assert [skip for skip in skips if len(skip[2].split()) < 3] == []
