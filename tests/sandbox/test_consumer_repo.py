"""examples/consumer-repo as another team has it: elsewhere, the modules from Git at a tag, a pytest session of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import durable_sandbox

REPO = Path(__file__).parents[2]
EXAMPLE = REPO / "examples" / "consumer-repo"
TAG = f"v{durable_sandbox.__version__}"
LEFTOVERS = shutil.ignore_patterns(
    "__pycache__", ".terraform*", "*.tfstate*", ".sandbox", ".pytest_cache", ".ruff_cache", ".venv"
)
# What the first session may add to the repository: Terraform has no other place for them.
ADDED = {".terraform.lock.hcl", ".terraform-build"}
PRICED = "test_an_order_is_priced_and_stored"
HELD = "test_an_order_is_held_for_a_day_before_it_is_stored"


@pytest.fixture(scope="module", autouse=True)
def _aws() -> None:
    """In place of this tier's own: the session inside starts a sandbox itself, and its shell knows of none."""


@dataclass(frozen=True)
class Session:
    """A pytest session that has ended: its exit code, each test's outcome by name, and all that it printed."""

    code: int
    outcomes: dict[str, str]
    output: str

    @property
    def failed(self) -> set[str]:
        return {name for name, outcome in self.outcomes.items() if outcome != "PASSED"}


def session(repository: Path, *arguments: str) -> Session:
    """Run pytest as a developer of ``repository`` does."""
    pytest_of_this_environment = str(Path(sys.executable).with_name("pytest"))
    dropped = ("AWS_", "PYTEST_", "TF_VAR_", "TF_CLI_ARGS", "TF_REATTACH", "SANDBOX_")
    done = subprocess.run(
        [pytest_of_this_environment, "-qrA", "--show-capture=no", "-p", "no:cacheprovider", *arguments],
        cwd=repository,
        env={name: value for name, value in os.environ.items() if not name.startswith(dropped)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    lines = re.findall(r"^(PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS) \S+::(\w+)", done.stdout, flags=re.MULTILINE)
    return Session(done.returncode, {name: outcome for outcome, name in lines}, done.stdout)


def names_of_tests(repository: Path) -> set[str]:
    """The names of all its tests."""
    code = "\n".join(file.read_text() for file in (repository / "tests").glob("test_*.py"))
    return set(re.findall(r"^def (test_\w+)", code, flags=re.MULTILINE))


def copy(directory: Path) -> Path:
    """The example in a folder where nothing of this checkout is around it."""
    return Path(shutil.copytree(EXAMPLE, directory / "orders", ignore=LEFTOVERS))


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of the modules, as they are in this tree, in a Git repository with a tag."""
    repository = tmp_path_factory.mktemp("git") / "terraform-aws-durable-pipeline"
    repository.mkdir()
    for file in REPO.glob("*.tf"):
        shutil.copy(file, repository)
    for folder in ("modules", "functions"):
        shutil.copytree(REPO / folder, repository / folder, ignore=LEFTOVERS)
    author = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    for command in (["init", "-q"], ["add", "."], [*author, "commit", "-q", "-m", "All"], ["tag", TAG]):
        # Nobody's settings: they might sign commits, or run hooks.
        env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        subprocess.run(["git", *command], cwd=repository, env=env, check=True)
    return f"git::{repository.as_uri()}?ref={TAG}"


@pytest.fixture
def repository(tmp_path: Path, address: str) -> Path:
    """The repository of a team that has followed the README."""
    copied = copy(tmp_path)
    code = (copied / "main.tf").read_text()
    assert code.count('source = "../.."\n') == 1
    (copied / "main.tf").write_text(code.replace('"../.."', f'"{address}"'))
    return copied


@pytest.mark.timeout(420)  # an apply and a destroy
def test_its_tests_pass_and_leave_the_repository_clean(repository: Path) -> None:
    before = {path.name for path in repository.iterdir()}
    found = session(repository)
    assert found.code == 0, found.output
    assert found.outcomes == dict.fromkeys(names_of_tests(EXAMPLE), "PASSED"), found.output
    assert {path.name for path in repository.iterdir()} - before == ADDED


@pytest.mark.parametrize(
    ("right", "wrong", "failing"),
    [
        ('    context.step(lambda _: store(priced), name="store")\n', "", {PRICED, HELD}),
        ("from_days(1)", "from_hours(1)", {HELD}),
    ],
    ids=["stores nothing", "waits too short"],
)
def test_a_broken_handler_fails_its_offline_tests(tmp_path: Path, right: str, wrong: str, failing: set[str]) -> None:
    copied = copy(tmp_path)
    handler = copied / "src" / "handler.py"
    assert right in handler.read_text()
    handler.write_text(handler.read_text().replace(right, wrong))
    found = session(copied, "tests/test_handler.py")
    assert (found.code, found.failed) == (1, failing), found.output


def test_what_it_requires_is_this_package_and_what_is_installed() -> None:
    lines = (EXAMPLE / "requirements-dev.txt").read_text().splitlines()
    wanted = [line for line in lines if not line.startswith("#")]
    package, included = wanted[0], wanted[-1].removeprefix("-r ")
    project = tomllib.loads((EXAMPLE / package / "pyproject.toml").read_text())["project"]
    assert project["name"] == "durable-sandbox"
    for line in (*wanted[1:-1], *(EXAMPLE / included).read_text().splitlines()):
        requirement = Requirement(line)
        assert requirement.specifier.contains(version(requirement.name)), line


def test_readme_pins_module_and_package_to_this_version() -> None:
    pins = re.findall(r"(?:\?ref=|\.git@|version = \")(v?[\d.]+\d)", (EXAMPLE / "README.md").read_text())
    assert {pin.removeprefix("v") for pin in pins} == {durable_sandbox.__version__}
    assert len(pins) == 4
