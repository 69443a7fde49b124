"""examples/native, wherever terraform can get AWS provider 6.25 or newer: what becomes of messages, a new version, and the end.

AWS_PROVIDER_VERSION names the provider's version, and then the tests fail if it cannot be had. Without it the newest one is
taken, and a machine that can get none skips all but the tests of that decision.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from deployment import Deployment, inventory
from native_provider import MINIMUM, WANTED, constraint, numbers, reason_to_skip, selected
from observe import Pipeline, only

from durable_sandbox.provider_process import REATTACH
from durable_sandbox.pytest_plugin import Sandbox, eventually
from durable_sandbox.terraform_setup import REGISTRY, find_terraform

pytestmark = pytest.mark.timeout(280)  # the first test applies, which takes a minute

EXAMPLE = Path(__file__).parents[2] / "examples" / "native"
OUTPUTS = ("dead_letter_queue_url", "failed_queue_url", "function_name", "function_version", "queue_url", "table_name")


def _root(directory: Path, version: str, body: str = "") -> Deployment:
    directory.mkdir(exist_ok=True)
    required = f'aws = {{ source = "hashicorp/aws", version = "{version}" }}'
    text = f"terraform {{\n  required_providers {{\n    {required}\n  }}\n}}\n{body}"
    (directory / "main.tf").write_text(text, encoding="utf-8")
    # With one attached, terraform would install none, and use that whatever its version.
    env = {key: value for key, value in os.environ.items() if key != REATTACH}
    return Deployment(directory, directory / "data", directory / "terraform.tfstate", env)


def _example(directory: Path) -> str:
    # Relative, for terraform copies a module with an absolute path, and the modules that it calls are not in the copy.
    source = json.dumps(os.path.relpath(EXAMPLE, directory))
    variable = 'variable "source_dir" {\n  type    = string\n  default = null\n}\n'
    module = f'module "example" {{\n  source     = {source}\n  source_dir = var.source_dir\n}}\n'
    return variable + module + "".join(f'output "{name}" {{ value = module.example.{name} }}\n' for name in OUTPUTS)


@pytest.fixture(scope="module")
def before(sandbox: Sandbox) -> set[str]:
    """What was in the account before the apply."""
    return inventory(sandbox)


@pytest.fixture(scope="module")
def native(before: set[str], tmp_path_factory: pytest.TempPathFactory) -> Deployment:  # noqa: ARG001 - order
    wanted = os.environ.get(WANTED)
    directory = tmp_path_factory.mktemp("native")
    deployment = _root(directory, constraint(wanted), _example(directory))
    reason = reason_to_skip(deployment.run("init"), wanted)
    if reason:
        pytest.skip(reason)
    deployment.changed("apply")
    return deployment


@pytest.fixture(scope="module")
def bookings(native: Deployment, sandbox: Sandbox) -> Pipeline:
    return Pipeline(sandbox, native.outputs())


def test_a_message_ends_as_a_row(native: Deployment, bookings: Pipeline) -> None:
    assert numbers(selected(native.directory)) >= MINIMUM
    ids = bookings.send([{"guest": "Ada"}, {"guest": "Grace"}])
    executions = bookings.ended(ids)
    assert {execution["Status"] for execution in executions.values()} == {"SUCCEEDED"}
    rows = bookings.rows(ids)
    assert [rows[message_id]["guest"]["S"] for message_id in ids] == ["Ada", "Grace"]
    bookings.idle()


def test_what_fails_is_in_the_failed_queue(bookings: Pipeline) -> None:
    (message_id,) = bookings.send([{"guest": ""}])
    eventually(lambda: True if bookings.depth("failed_queue_url") else None, what="of a failure")
    failure = only(bookings.failures())
    assert failure.messages == (message_id,)
    assert "books for nobody" in failure.error


def test_nothing_to_change(native: Deployment, bookings: Pipeline) -> None:  # noqa: ARG001 - applied
    native.assert_nothing_to_change()


def test_the_alias_is_durable_as_asked(bookings: Pipeline) -> None:
    found = bookings.functions.get_function(FunctionName=bookings.outputs["function_name"], Qualifier="live")
    assert found["Configuration"]["DurableConfig"] == {"ExecutionTimeout": 86400, "RetentionPeriodInDays": 14}
    assert found["Configuration"]["Version"] == bookings.outputs["function_version"]


def test_an_update_publishes_a_version_and_keeps_the_old_one(
    native: Deployment, bookings: Pipeline, sandbox: Sandbox, tmp_path: Path
) -> None:
    sources = Path(shutil.copytree(EXAMPLE / "src", tmp_path / "src"))
    handler = sources / "handler.py"
    text = handler.read_text(encoding="utf-8")
    assert text.count('{"S": guest}') == 1
    handler.write_text(text.replace('{"S": guest}', '{"S": guest.upper()}'), encoding="utf-8")
    native.changed("apply", source_dir=sources)
    updated = Pipeline(sandbox, native.outputs())
    versions = _versions(updated)
    assert {bookings.outputs["function_version"], updated.outputs["function_version"]} <= versions.keys()
    assert len(set(versions.values())) == len(versions) > 1, "each description tells its deployment"
    ids = updated.send([{"guest": "Ada"}])
    updated.ended(ids)
    assert only(list(updated.rows(ids).values()))["guest"]["S"] == "ADA"
    native.assert_nothing_to_change(source_dir=sources)


def _versions(pipeline: Pipeline) -> dict[str, str]:
    """The published versions with their descriptions."""
    pages = pipeline.functions.get_paginator("list_versions_by_function")
    answers = pages.paginate(FunctionName=pipeline.outputs["function_name"])
    versions = [version for page in answers for version in page["Versions"]]
    return {found["Version"]: found["Description"] for found in versions if found["Version"] != "$LATEST"}


def test_destroy_leaves_nothing(native: Deployment, before: set[str], sandbox: Sandbox) -> None:
    native.changed("destroy")
    assert inventory(sandbox) == before


def _init(code: int, said: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.CompletedProcess(["terraform", "init"], code, said)


NONE_FITS = "│ Could not retrieve the list: no available releases\n│ match the given constraints >= 6.25.0\n"


def test_a_provider_that_is_there_is_used() -> None:
    assert reason_to_skip(_init(0), None) is None
    assert reason_to_skip(_init(0), "6.25.0") is None


def test_without_one_the_stack_is_skipped_and_the_reason_said() -> None:
    assert reason_to_skip(_init(1, NONE_FITS), None) == (
        "terraform can get no AWS provider >= 6.25.0 here: no available releases match"
    )


@pytest.mark.parametrize("wanted", ["6.25.0", "~> 6.0", ">= 6.30"])
def test_one_that_is_asked_for_and_missing_is_a_failure(wanted: str) -> None:
    with pytest.raises(
        AssertionError, match=f"AWS_PROVIDER_VERSION is {re.escape(wanted)}, which terraform cannot get here"
    ):
        reason_to_skip(_init(1, NONE_FITS), wanted)


@pytest.mark.parametrize("wanted", ["5.80.0", "~> 5.100", "6.24.0", ">= 5.80"])
def test_one_that_is_asked_for_and_too_old_skips(wanted: str) -> None:
    assert f"AWS_PROVIDER_VERSION is {wanted}, and" in str(reason_to_skip(_init(1, NONE_FITS), wanted))


def test_another_failure_of_init_is_no_reason_to_skip() -> None:
    with pytest.raises(AssertionError, match="no such module"):
        reason_to_skip(_init(1, "Error: no such module"), None)


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A filesystem mirror, empty, which is all that terraform knows of. It starts no provider to install one."""
    place = tmp_path / "mirror"
    config = tmp_path / "terraform.tfrc"
    config.write_text(
        f"provider_installation {{\n  filesystem_mirror {{\n    path = {json.dumps(str(place))}\n  }}\n}}\n"
    )
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", str(config))
    monkeypatch.delenv("TF_PLUGIN_CACHE_DIR", raising=False)
    return place


@pytest.mark.parametrize(
    ("version", "wanted", "usable"), [("5.100.0", None, False), ("6.25.0", None, True), ("6.69.1", "6.69.1", True)]
)
def test_what_terraform_itself_says(
    mirror: Path, tmp_path: Path, version: str, wanted: str | None, usable: bool
) -> None:
    folder = mirror / REGISTRY / "hashicorp" / "aws" / version / find_terraform(os.environ).platform
    folder.mkdir(parents=True)
    (folder / f"terraform-provider-aws_v{version}").touch(mode=0o755)
    root = _root(tmp_path / "root", constraint(wanted))
    reason = reason_to_skip(root.run("init"), wanted)
    assert (reason is None) == usable
    if usable:
        assert selected(root.directory) == version
