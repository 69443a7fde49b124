"""`terraform test` on every module and the root, with a mocked provider; and what a user reads who gives a bad value."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from slim_provider import slim_provider

from durable_sandbox.terraform_setup import own_env

REPO = Path(__file__).parents[2]
SUITES = sorted(path.name for path in Path(__file__).parent.glob("*.tftest.hcl"))

REFUSALS: list[tuple[dict[str, Any], list[str]]] = [
    (
        {"execution_timeout": 0, "message_retention_seconds": 1209600, "retention_days": 91, "runtime": "python3.12"},
        [
            "execution_timeout is 0: a durable execution takes 1 to 31622400 seconds",
            "it could expire on arrival",
            "retention_days is 91: Lambda keeps executions for 1 to 90 days",
            "only python3.13 and newer have durable functions",
        ],
    ),
    ({"bridge": "kinesis"}, ['bridge is "kinesis": there are "pipe", "esm" and "dispatcher". Use one of them.']),
    (
        {"fifo": True, "name": "n" * 40, "visibility_timeout": 30},
        [
            'fifo is true with bridge "pipe"',
            "name is 40 characters long: with the suffixes",
            "It takes 60 + batching_window (0), since the pipe collects its batch",
        ],
    ),
    (
        {"batch_size": 2, "source_dir": "./nowhere"},
        [
            "Lower max_message_size to 128000 or batch_size, or set failed_max_message_size to 522240 or more",
            'source_dir is "./nowhere": there is no such folder',
        ],
    ),
    (
        {"batch_size": 4, "max_message_size": 262145, "source_dir": "./modules"},
        [
            "failed_max_message_size is 1048576 unless given: the event of a failed execution goes to",
            'handler is "handler.handler", but there is no file ./modules/handler.py',
        ],
    ),
    ({"batch_size": 10}, ["Lower batch_size to 4 or max_message_size to 102809."]),
    (
        {"batch_size": 11, "max_message_size": 1024},
        ["Set batching_window to 1 or more, or batch_size to 10 or less"],
    ),
    ({"bridge": "esm", "visibility_timeout": 900}, ["Set it to 930 or more, or leave it out."]),
    (
        {"bridge": "esm", "batch_size": 11, "filter_patterns": ["body"]},
        [
            "Set batching_window to 1 or more, or batch_size to 10 or less",
            "filter_patterns holds what is no JSON object: body.",
        ],
    ),
    (
        {"bridge": "esm", "execution_timeout": 901},
        ['Set it to 900 or less, or use bridge = "dispatcher" or "pipe".'],
    ),
    ({"bridge": "esm", "fifo": True, "batch_size": 11}, ["from a FIFO queue a mapping takes 10 messages at once"]),
    (
        {"bridge": "dispatcher", "fifo": True, "batching_window": 1, "maximum_concurrency": 1},
        ["a mapping has none on a FIFO queue", "maximum_concurrency is 1: a mapping takes 2 to 1000"],
    ),
]
"""Inputs of the root, and what its user reads; several at once where none hides another, for a plan of the root takes a while."""


@dataclass(frozen=True)
class Copy:
    """A copy of the Terraform side: nothing is written into the tree, workers do not meet."""

    root: Path
    env: Mapping[str, str]

    def test(self, name: str, files: Mapping[str, str], *options: str) -> subprocess.CompletedProcess[str]:
        """Run tests, by file name and text, in a folder called ``name``: terraform reads the modules of every run in the folder."""
        folder = self.root / "suites" / name
        folder.mkdir(parents=True)
        for file, text in files.items():
            (folder / file).write_text(text)
        done = self._run("init", name, "-input=false")
        return done if done.returncode else self._run("test", name, *options)

    def _run(self, command: str, name: str, *options: str) -> subprocess.CompletedProcess[str]:
        line = ["terraform", command, "-no-color", f"-test-directory=suites/{name}", *options]
        return subprocess.run(line, cwd=self.root, env=self.env, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    root = tmp_path_factory.mktemp("contract") / "repo"
    ignore = shutil.ignore_patterns("__pycache__", ".terraform*", "*.tfstate*")
    for folder in ("modules", "functions", "tests/contract/mocks", "tests/terraform"):
        shutil.copytree(REPO / folder, root / folder, ignore=ignore)
    for file in REPO.glob("*.tf"):
        shutil.copy(file, root)
    env = own_env(os.environ, root.parent / "provider")
    # It checks the configuration as ever: what the tests mock is what it does at AWS.
    with slim_provider(env, root.parent / "provider-process", root) as attached:
        # Twice the memory for a quarter less time: what a run needs is short-lived.
        yield Copy(root, env | attached | {"GOGC": "800"})


@pytest.mark.parametrize("suite", SUITES)
def test_suite(terraform: Copy, suite: str) -> None:
    done = terraform.test(suite.partition(".")[0], {suite: (Path(__file__).parent / suite).read_text(encoding="utf-8")})
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"Success! [1-9]\d* passed, 0 failed", done.stdout), done.stdout


@pytest.fixture(scope="session")
def errors(terraform: Copy) -> list[list[str]]:
    """What terraform says to each of REFUSALS: all in one process, of which the start costs more than a plan."""
    files = {}
    for number, (variables, _) in enumerate(REFUSALS):
        inputs = "\n".join(f"    {key} = {json.dumps(value)}" for key, value in variables.items())
        files[f"case_{number}.tftest.hcl"] = (
            'mock_provider "aws" {\n  source = "./tests/contract/mocks"\n}\n'
            f'run "case" {{\n  command = plan\n  variables {{\n{inputs}\n  }}\n}}\n'
        )
    said: dict[str, list[str]] = {f"suites/cases/{file}": [] for file in files}
    for event in map(json.loads, terraform.test("cases", files, "-json").stdout.splitlines()):
        if event["type"] == "diagnostic" and event["diagnostic"]["severity"] == "error":
            assert event.get("@testfile") in said, event
            said[event["@testfile"]].append(event["diagnostic"]["detail"])
    return list(said.values())


@pytest.mark.parametrize(
    ("number", "message"), [(number, message) for number, (_, messages) in enumerate(REFUSALS) for message in messages]
)
def test_root_says_what_to_change(errors: list[list[str]], number: int, message: str) -> None:
    """The message reaches a user of the root, also where a module below it owns the check."""
    assert [said for said in errors[number] if message in said], errors[number]
