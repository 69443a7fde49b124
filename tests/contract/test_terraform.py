"""`terraform test` on every module and the root, with a mocked provider; and what a user reads who gives a bad value."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from durable_sandbox.terraform import find_terraform, provider_env, stop_tree

REPO = Path(__file__).parents[2]
SUITES = sorted(path.name for path in Path(__file__).parent.glob("*.tftest.hcl"))
REATTACH = "TF_REATTACH_PROVIDERS"
PROVIDER_START_SECONDS = 60.0

CASES: list[tuple[dict[str, Any], str]] = [
    ({"bridge": "kinesis"}, 'bridge is "kinesis": there are "pipe", "esm" and "dispatcher". Use one of them.'),
    ({"execution_timeout": 0}, "execution_timeout is 0: a durable execution takes 1 to 31622400 seconds"),
    ({"name": "n" * 40}, "name is 40 characters long: with the suffixes"),
    ({"source_dir": "./modules"}, 'handler is "handler.handler", but there is no file ./modules/handler.py'),
    ({"source_dir": "./nowhere"}, 'source_dir is "./nowhere": there is no such folder'),
    ({"fifo": True}, 'fifo is true with bridge "pipe"'),
    ({"batch_size": 11, "max_message_size": 1024}, "Set batching_window to 1 or more, or batch_size to 10 or less"),
    ({"batch_size": 10}, "Lower batch_size to 4 or max_message_size to 102809."),
    (
        {"batch_size": 2},
        "Lower max_message_size to 128000 or batch_size, or set failed_max_message_size to 522240 or more",
    ),
    (
        {"batch_size": 4, "max_message_size": 262145},
        "failed_max_message_size is 1048576 unless given: the event of a failed execution goes to",
    ),
    ({"message_retention_seconds": 1209600}, "it could expire on arrival"),
    ({"runtime": "python3.12"}, "only python3.13 and newer have durable functions"),
    ({"retention_days": 91}, "retention_days is 91: Lambda keeps executions for 1 to 90 days"),
    ({"visibility_timeout": 30}, "It takes 60 + batching_window (0), since the pipe collects its batch"),
    ({"bridge": "esm", "visibility_timeout": 900}, "Set it to 930 or more, or leave it out."),
    ({"bridge": "esm", "execution_timeout": 901}, 'Set it to 900 or less, or use bridge = "dispatcher" or "pipe".'),
    ({"bridge": "esm", "batch_size": 11}, "Set batching_window to 1 or more, or batch_size to 10 or less"),
    ({"bridge": "esm", "fifo": True, "batch_size": 11}, "from a FIFO queue a mapping takes 10 messages at once"),
    ({"bridge": "esm", "fifo": True, "batching_window": 1}, "a mapping has none on a FIFO queue"),
    ({"bridge": "dispatcher", "fifo": True, "batching_window": 1}, "a mapping has none on a FIFO queue"),
    ({"bridge": "dispatcher", "maximum_concurrency": 1}, "maximum_concurrency is 1: a mapping takes 2 to 1000"),
    ({"bridge": "esm", "filter_patterns": ["body"]}, "filter_patterns holds what is no JSON object: body."),
]


@dataclass(frozen=True)
class Copy:
    """A copy of the Terraform side, initialised: nothing is written into the tree, workers do not meet."""

    root: Path
    env: Mapping[str, str]

    def test(self, *files: str, options: Iterable[str] = ()) -> subprocess.CompletedProcess[str]:
        filters = [f"-filter={file}" for file in files]
        command = ["terraform", "test", "-no-color", "-test-directory=tests/contract", *filters, *options]
        return subprocess.run(command, cwd=self.root, env=self.env, capture_output=True, text=True, check=False)


@contextlib.contextmanager
def _one_provider(root: Path, env: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The AWS provider of ``root`` as one process for every terraform: yields the variable with which it attaches.

    Else terraform starts the provider several times in each run, to learn the same schemas, and that is most of what a
    run costs. It is the same provider, and checks the configuration as before: what the tests mock is what it does at AWS.
    https://developer.hashicorp.com/terraform/plugin/debugging
    """
    (program,) = (root / ".terraform/providers/registry.terraform.io/hashicorp/aws").glob("*/*/terraform-provider-aws*")
    log = root.parent / "provider.log"
    with log.open("w") as stderr:
        child = subprocess.Popen(
            [program, "-debug"],
            env={**env, "TF_LOG_SDK": "off"},  # so attached, it would write every call
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    late = threading.Timer(PROVIDER_START_SECONDS, child.kill)
    late.start()
    try:
        assert child.stdout is not None
        found = next(filter(None, (re.search(rf"{REATTACH}=\D*?({{.*}})", line) for line in child.stdout)), None)
        late.cancel()
        assert found, f"{program} -debug did not say how to attach to it: {log.read_text()}"
        yield {REATTACH: found[1]}
    finally:
        late.cancel()
        stop_tree(child)


@pytest.fixture(scope="session")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    root = tmp_path_factory.mktemp("contract") / "repo"
    ignore = shutil.ignore_patterns("__pycache__", ".terraform*", "*.tfstate*")
    for folder in ("modules", "functions", "tests/contract", "tests/terraform"):
        shutil.copytree(REPO / folder, root / folder, ignore=ignore)
    for file in REPO.glob("*.tf"):
        shutil.copy(file, root)
    own = {key: value for key, value in os.environ.items() if not key.startswith("TF_") or key == "TF_CLI_CONFIG_FILE"}
    env = own | provider_env(find_terraform(own), own, root.parent / "provider") | {"CHECKPOINT_DISABLE": "1"}
    env = {key: value for key, value in env.items() if value or not key.startswith("TF_")}
    command = ["terraform", "init", "-input=false", "-no-color", "-test-directory=tests/contract"]
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    with _one_provider(root, env) as attached:
        # Twice the memory for a quarter less time: what a run needs is short-lived.
        yield Copy(root, env | attached | {"GOGC": "200"})


@pytest.mark.parametrize("suite", SUITES)
def test_suite(terraform: Copy, suite: str) -> None:
    done = terraform.test(f"tests/contract/{suite}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"Success! [1-9]\d* passed, 0 failed", done.stdout), done.stdout


@pytest.fixture(scope="session")
def errors(terraform: Copy) -> list[list[str]]:
    """What terraform says to each of CASES: all in one process, of which the start costs more than a case."""
    files = [f"tests/contract/case_{number}.tftest.hcl" for number in range(len(CASES))]
    for file, (variables, _) in zip(files, CASES, strict=True):
        inputs = "\n".join(f"    {key} = {json.dumps(value)}" for key, value in variables.items())
        (terraform.root / file).write_text(
            'mock_provider "aws" {\n  source = "./tests/contract/mocks"\n}\n'
            f'run "case" {{\n  command = plan\n  variables {{\n{inputs}\n  }}\n}}\n'
        )
    said: dict[str, list[str]] = {file: [] for file in files}
    for event in map(json.loads, terraform.test(*files, options=("-json",)).stdout.splitlines()):
        if event["type"] == "diagnostic" and event["diagnostic"]["severity"] == "error":
            assert event.get("@testfile") in said, event
            said[event["@testfile"]].append(event["diagnostic"]["detail"])
    return list(said.values())


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda number: "_".join(CASES[number][0]))
def test_root_says_what_to_change(errors: list[list[str]], number: int) -> None:
    """The message reaches a user of the root, also where a module below it owns the check."""
    _, message = CASES[number]
    assert [said for said in errors[number] if message in said], errors[number]
