"""The project's own papers agree with it: decisions, changelog and version, hooks and workflows, modules and their tests."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from hygiene_support import EXAMPLES, MODULES, REPO, blocks, relative_id, source_folder

from durable_sandbox import __version__

sys.path.insert(0, str(REPO / "tools"))
from release_notes import sections

DECISIONS = sorted((REPO / "docs" / "decisions").glob("[0-9]*.md"))
INDEX = (REPO / "docs" / "decisions" / "README.md").read_text(encoding="utf-8")
CHANGELOG = (REPO / "CHANGELOG.md").read_text(encoding="utf-8")
MAKEFILE = (REPO / "Makefile").read_text(encoding="utf-8").replace("$(BIN)", ".venv/bin")
WORKFLOWS = sorted((REPO / ".github" / "workflows").glob("*.yml"))
HOOKS = [
    hook for repo in yaml.safe_load((REPO / ".pre-commit-config.yaml").read_text())["repos"] for hook in repo["hooks"]
]


# Decisions


@pytest.mark.parametrize("file", DECISIONS, ids=relative_id)
def test_decision_is_in_the_index(file: Path) -> None:
    heading = re.match(r"# (\d+)\. (.+)\n", file.read_text(encoding="utf-8"))
    assert heading, "the first line is no `# <number>. <title>`"
    assert int(heading[1]) == int(file.name[:4])
    assert f"| {heading[1]} | [{heading[2]}]({file.name}) | " in INDEX


def test_the_index_has_no_other_decision() -> None:
    assert sorted(re.findall(r"\]\((\d{4}-[^)]+)\)", INDEX)) == [file.name for file in DECISIONS]
    assert [int(file.name[:4]) for file in DECISIONS] == list(range(1, len(DECISIONS) + 1))


# Surprises


def surprises(page: str) -> list[list[str]]:
    """The cells of each row of a page's tables."""
    rows = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| one expects")]
    return [re.split(r"(?<!\\) \| ", row.strip("| ")) for row in rows]


def unsourced(page: str) -> list[str]:
    """What is expected in rows that lack a cell, the place here, or a source."""
    return [
        row[0]
        for row in surprises(page)
        if len(row) != 4 or not re.search(r"\]\((?!http)", row[2]) or not re.search(r"\]\(https://", row[3])
    ]


def test_each_surprise_has_its_place_and_its_source() -> None:
    page = (REPO / "docs" / "aws-surprises.md").read_text(encoding="utf-8")
    assert len(surprises(page)) > 25
    assert unsourced(page) == []
    assert unsourced("| a | b | [c](c.tf) | by heart |\n| d | e | f | [g](https://g) |\n") == ["a", "d"]


# Changelog and version


def version_problems(changelog: str, version: str) -> list[str]:
    """What is wrong between a changelog and the version that the package has."""
    found, wrong = list(sections(changelog)), []
    if not found or found[0] != "Unreleased":
        wrong.append("the first section is not Unreleased")
    released = [name for name in found if name != "Unreleased"]
    if numbers := [name for name in released if not re.fullmatch(r"\d+\.\d+\.\d+", name)]:
        wrong.append(f"no versions: {numbers}")
    elif released != sorted(released, key=lambda name: [int(part) for part in name.split(".")], reverse=True):
        wrong.append(f"not newest first: {released}")
    if undated := re.findall(r"^## \[(\d[^\]]*)\]$", changelog, flags=re.MULTILINE):
        wrong.append(f"without a date: {undated}")
    # Before the first release, the package has the version that it will be.
    if released and released[0] != version:
        wrong.append(f"the newest is {released[0]}, the package is {version}")
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    if others := set(re.findall(r"^### (.+)$", changelog, flags=re.MULTILINE)) - kinds:
        wrong.append(f"no kinds of Keep a Changelog: {sorted(others)}")
    return wrong


def test_changelog_agrees_with_the_version() -> None:
    assert version_problems(CHANGELOG, __version__) == []


@pytest.mark.parametrize(
    ("changelog", "problem"),
    [
        ("## [0.1.0] - 2026-01-01\n", "the first section is not Unreleased"),
        ("## [Unreleased]\n## [0.2.0] - 2026-01-01\n", "the newest is 0.2.0, the package is 0.1.0"),
        ("## [Unreleased]\n## [0.1.0]\n", "without a date: ['0.1.0']"),
        (
            "## [Unreleased]\n## [0.1.0] - 2026-01-01\n## [0.10.0] - 2025-01-01\n",
            "not newest first: ['0.1.0', '0.10.0']",
        ),
        ("## [Unreleased]\n## [next] - 2026-01-01\n", "no versions: ['next']"),
        ("## [Unreleased]\n### New\n", "no kinds of Keep a Changelog: ['New']"),
    ],
)
def test_a_changelog_that_disagrees_is_noticed(changelog: str, problem: str) -> None:
    assert problem in version_problems(changelog, "0.1.0")


def _notes(*arguments: str, root: Path = REPO) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "tools" / "release_notes.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_release_notes_are_one_section(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "release_notes.py").write_text((REPO / "tools" / "release_notes.py").read_text())
    text = "# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2026-02-01\n\n### Added\n\n- More.\n\n## [0.1.0] - 2026-01-01\n\n- All.\n"
    (tmp_path / "CHANGELOG.md").write_text(text)
    (tmp_path / "durable_sandbox").mkdir()
    (tmp_path / "durable_sandbox" / "__init__.py").write_text('"""Package."""\n\n__version__ = "0.2.0"\n')
    assert _notes("v0.2.0", root=tmp_path).stdout == "### Added\n\n- More.\n"
    assert _notes("0.1.0", root=tmp_path).stdout == "- All.\n"
    done = _notes("v0.1.0", root=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "The tag is v0.1.0, but durable_sandbox/__init__.py says 0.2.0" in done.stderr
    for arguments in (("0.3.0",), ()):
        done = _notes(*arguments, root=tmp_path)
        assert (done.returncode, done.stdout) == (1, "")
        assert "CHANGELOG.md has no section with text" in done.stderr


# Hooks and workflows


def _targets() -> set[str]:
    return set(re.findall(r"^([a-z][\w-]*):", MAKEFILE, flags=re.MULTILINE))


def in_makefile(command: str) -> bool:
    """Whether the Makefile has this target, or runs this command."""
    if command.startswith("make "):
        return set(command.split()[1:]) <= _targets()
    return any(line.strip().lstrip("@").startswith(command) for line in MAKEFILE.splitlines() if line.startswith("\t"))


@pytest.mark.parametrize("hook", [hook for hook in HOOKS if hook["language"] == "system"], ids=lambda hook: hook["id"])
def test_hook_is_a_command_of_the_makefile(hook: dict[str, Any]) -> None:
    assert in_makefile(hook["entry"])


def test_hooks_cover_what_lint_does() -> None:
    entries = [hook["entry"] for hook in HOOKS]
    for tool in ("ruff format", "ruff check", "mypy", "terraform fmt", "make docs"):
        assert [entry for entry in entries if tool in entry], tool


@pytest.mark.parametrize("command", ["make lnit", ".venv/bin/ruff fmt", "terraform fmt -diff"])
def test_a_command_that_the_makefile_lacks_is_noticed(command: str) -> None:
    assert not in_makefile(command)


@pytest.mark.parametrize(
    ("message", "accepted"),
    [
        ("feat: take messages from an existing queue\n", True),
        ("fix(sandbox)!: keep the order of groups\n\nWhy.\n", True),
        ("Merge branch 'main'\n", True),
        ("Add a queue\n", False),
        ("feature: a queue\n", False),
        ("feat:no space\n", False),
        ("Add a queue\n\nfeat: in the body\n", False),
    ],
)
def test_commit_messages(message: str, accepted: bool) -> None:
    """As pre-commit's pygrep does it: with --negate the hook fails if nothing matches."""
    (hook,) = [hook for hook in HOOKS if hook["language"] == "pygrep"]
    assert set(hook["args"]) == {"--negate", "--multiline"}
    assert hook["stages"] == ["commit-msg"]
    assert bool(re.search(hook["entry"], message, flags=re.MULTILINE | re.DOTALL)) is accepted


def _jobs() -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Each job as its name, itself and its workflow."""
    found = []
    for file in WORKFLOWS:
        workflow = yaml.safe_load(file.read_text(encoding="utf-8"))
        found += [(f"{file.stem}-{name}", job, workflow) for name, job in workflow["jobs"].items()]
    return found


every_job = pytest.mark.parametrize(
    ("job", "workflow"), [found[1:] for found in _jobs()], ids=[found[0] for found in _jobs()]
)


@every_job
def test_job_is_bounded(job: dict[str, Any], workflow: dict[str, Any]) -> None:
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]
    assert job["timeout-minutes"]
    assert job.get("permissions", {}) in ({}, {"contents": "write"})


@every_job
def test_actions_are_pinned_and_keep_no_credentials(job: dict[str, Any], workflow: dict[str, Any]) -> None:
    del workflow
    for step in job["steps"]:
        assert re.fullmatch(r"[\w-]+/[\w-]+@v\d+\.\d+\.\d+", step.get("uses", "a/b@v1.0.0")), step
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@every_job
def test_job_runs_what_there_is(job: dict[str, Any], workflow: dict[str, Any]) -> None:
    """Targets of the Makefile, scripts of the tree, and folders of tests."""
    del workflow
    for step in job["steps"]:
        run = step.get("run", "")
        assert in_makefile(run) or not run.startswith("make"), run
        assert [path for path in re.findall(r"\btools/\w+\.py\b", run) if not (REPO / path).is_file()] == []
    for tests in job.get("strategy", {}).get("matrix", {}).get("tests", []):
        assert [path for path in tests["paths"].split() if not (REPO / path).is_dir()] == []


def test_the_workflow_runs_every_test() -> None:
    """Between them the jobs name every folder of tests that pytest would take by itself."""
    configured = re.search(
        r"^testpaths = \[(.*?)\]", (REPO / "pyproject.toml").read_text(), flags=re.DOTALL | re.MULTILINE
    )
    assert configured
    tests = next(job for name, job, _ in _jobs() if name == "ci-test")["strategy"]["matrix"]["tests"]
    named = [path for entry in tests for path in entry["paths"].split()]
    assert sorted(named) == sorted(re.findall(r'"(tests/\w+)"', configured[1]))
    runs = {step["run"] for name, job, _ in _jobs() if name.startswith("ci-") for step in job["steps"] if "run" in step}
    assert runs >= {"make lint", "make pytest"}


# Modules


def test_every_module_is_reached_by_the_root_or_an_example() -> None:
    reached: set[Path] = set()
    left = [REPO, *EXAMPLES]
    while left:
        folder = left.pop()
        called = {found for block in blocks(folder, "module") if (found := source_folder(block))}
        left += called - reached
        reached |= called
    assert [relative_id(module) for module in MODULES if module not in reached] == []


@pytest.mark.parametrize("module", MODULES, ids=relative_id)
def test_module_is_named_in_a_test(module: Path) -> None:
    """By a suite of plans, which for the newest provider's module are in a folder of their own."""
    suites = (REPO / "tests" / "contract").glob("**/*.tftest.hcl")
    assert any(f'source = "./modules/{module.name}"' in suite.read_text() for suite in suites)


@pytest.mark.parametrize("example", EXAMPLES, ids=relative_id)
def test_example_is_applied_by_a_test(example: Path) -> None:
    """Where it is, or called by a scenario."""
    named = re.compile(rf'["/]{example.name}"')
    tests = [*(REPO / "tests" / "sandbox").glob("test_*.py"), *(REPO / "tests" / "terraform").glob("*/main.tf")]
    assert [test for test in tests if named.search(test.read_text())]
