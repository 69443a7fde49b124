"""Scenarios of tests/terraform applied to a sandbox: one file a scenario, run with ``-n N --dist loadfile``."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from attachment import terraform_env
from deployment import Deployment
from pytest_terraform.tf import TerraformRunner

from durable_sandbox.pytest_plugin import Sandbox


@pytest.fixture(scope="session")
def for_terraform(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What terraform needs for this worker's sandbox; a file with a sandbox of its own has its own."""
    with terraform_env(sandbox, tmp_path_factory.mktemp("terraform")) as variables:
        yield variables


@pytest.fixture(scope="module", autouse=True)
def _aws(sandbox: Sandbox, for_terraform: dict[str, str]) -> Iterator[None]:
    """Point terraform, as pytest-terraform runs it, to this worker's sandbox, and leave nothing there that would go on polling.

    Not the plugin's ``sandbox_env``, which lasts as long as the session: this worker also runs tests of other tiers,
    which want an environment of their own.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name, value in for_terraform.items():
            if value:
                patch.setenv(name, value)
            else:
                patch.delenv(name, raising=False)
        yield
    sandbox.reset()


@pytest.fixture(scope="session", autouse=True)
def _destroyed_once() -> Iterator[None]:
    """Where a test has destroyed a scenario, pytest-terraform does not run terraform for nothing."""
    destroy = TerraformRunner.destroy

    def what_is_left(runner: TerraformRunner) -> None:
        state = Path(runner.state_path)
        if not state.is_file() or json.loads(state.read_text(encoding="utf-8"))["resources"]:
            destroy(runner)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TerraformRunner, "destroy", what_is_left)
        yield


@pytest.fixture
def lone(tmp_path: Path) -> Deployment:
    """The scenario `function`, not applied: its tests want to see applies fail."""
    directory = Path(__file__).parents[1] / "terraform" / "function"
    deployment = Deployment(directory, tmp_path / "data", tmp_path / "terraform.tfstate", dict(os.environ))
    done = deployment.run("init")
    assert done.returncode == 0, done.stdout
    return deployment
