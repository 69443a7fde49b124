"""Examples in documents work: Terraform validates, Python parses and finds what it imports, JSON is JSON.

All Terraform examples are initialised and validated together, as modules of one root: reading the provider's schema takes
seconds.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from document_support import Snippet, snippets
from hcl_support import Example, Incomplete, complete, misfits
from hygiene_support import REPO, tracked
from slim_provider import slim_provider

from durable_sandbox.terraform_setup import find_terraform, own_env

HCL = snippets("hcl", "terraform")
PYTHON = snippets("python")
JSON = snippets("json")
# The reader's own module: a test of a handler imports it.
OWN = {"handler"}
LIBRARY = Path("..", "..", "repo")

# Mistakes that a page could hold, and what terraform says to them. Those of a list are found at one time: an argument while
# the graph is built, a reference and a value when it is walked, to which terraform then does not come any more.
BAD_ARGUMENTS = [
    ('module "o" {\n  source = "./modules/queue"\n  name = "o"\n  max_recieve_count = 5\n}\n', "max_recieve_count"),
]
BAD_VALUES = [
    ('output "arn" {\n  value = aws_sns_topic.alerts.arm\n}\n', "Unsupported attribute"),
    ('module "orders" {\n  source = "./modules/queue"\n  name = "orders"\n  max_receive_count = "five"\n}\n', "number"),
    ('resource "aws_sns_topic" "alerts" {\n  names = "alerts"\n}\n', "Unsupported argument"),
]


def bad(text: str) -> Snippet:
    return Snippet(Path("README.md"), 1, "hcl", text)


def _key(snippet: Snippet, number: int) -> str:
    return f"{str(snippet.page).lower().replace('/', '_').replace('.', '_')}_{number}_{snippet.line}"


@dataclass(frozen=True)
class Workshop:
    """A root module with a folder for each example, initialised once for all."""

    base: Path
    env: dict[str, str]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(find_terraform(self.env).path), *arguments]
        return subprocess.run(command, cwd=self.base, env=self.env, capture_output=True, text=True, check=False)

    def place(self, examples: dict[str, Example]) -> None:
        """Write the examples' folders."""
        for key, example in examples.items():
            for name, text in example.files.items():
                file = self.base / "examples" / key / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)

    def call(self, examples: dict[str, Example]) -> None:
        """Write the root that calls these. Validate takes a root's variables for unknown, so that `any` fits every type."""
        parts = ['variable "unknown" {\n  type = any\n}\n']
        for key, example in examples.items():
            lines = [f'source = "./examples/{key}"', *(f"{name} = var.unknown" for name in example.needs)]
            parts.append(f'module "{key}" {{\n' + "\n".join(lines) + "\n}\n")
        (self.base / "main.tf").write_text("\n".join(parts))

    def validate(self, examples: dict[str, Example]) -> list[dict[str, Any]]:
        """What terraform has to say to these."""
        self.call(examples)
        found: list[dict[str, Any]] = json.loads(self.run("validate", "-json").stdout)["diagnostics"]
        return found


def _examples(blocks: list[Snippet]) -> dict[str, Example]:
    """The blocks that can be completed and that the provider of this machine may judge, by their keys."""
    found = {}
    for number, block in enumerate(blocks):
        try:
            example = complete(block, LIBRARY)
        except Exception:  # noqa: BLE001, S112 - told by test_terraform_example, block by block
            continue
        if not example.newer:
            found[_key(block, number)] = example
    return found


@cache
def _good() -> dict[str, Example]:
    return _examples(HCL)


def _bad(expected: list[tuple[str, str]]) -> dict[str, Example]:
    return _examples([bad(text) for text, _ in expected])


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    base = tmp_path_factory.mktemp("documents")
    for file in tracked():
        if file.suffix != ".md" and file.parts[0] not in {"docs", "durable_ops", "durable_sandbox", "tests"}:
            (base / "repo" / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPO / file, base / "repo" / file)
    env = own_env(os.environ, base / "provider")
    made = Workshop(base, env)
    # A key has a number and a line, so that two of different lists are the same only if the text is.
    everything = {f"good_{key}": example for key, example in _good().items()}
    everything |= {f"arguments_{key}": example for key, example in _bad(BAD_ARGUMENTS).items()}
    everything |= {f"values_{key}": example for key, example in _bad(BAD_VALUES).items()}
    made.place(everything)
    made.call(everything)
    done = made.run("init", "-backend=false", "-input=false", "-no-color")
    assert done.returncode == 0, done.stdout + done.stderr
    with slim_provider(made.env, base / "provider-process", base) as attached:
        yield Workshop(base, made.env | attached)


@pytest.fixture(scope="module")
def diagnostics(workshop: Workshop) -> list[dict[str, Any]]:
    return workshop.validate({f"good_{key}": example for key, example in _good().items()})


def _said(diagnostics: list[dict[str, Any]], folder: str) -> list[str]:
    return [
        f"{said['summary']}: {said['detail']} {said['range']['filename']}:{said['range']['start']['line']}"
        for said in diagnostics
        if "range" in said and Path(said["range"]["filename"]).parts[:2] == ("examples", folder)
    ]


@pytest.mark.parametrize("number", range(len(HCL)), ids=lambda number: str(HCL[number]))
def test_terraform_example(diagnostics: list[dict[str, Any]], number: int) -> None:
    """Whole blocks, types and arguments alike. One for a newer provider is compared with its module's variables."""
    example = complete(HCL[number], LIBRARY)
    if example.newer:
        assert misfits(HCL[number]) == []
        return
    key = _key(HCL[number], number)
    assert key in _good()
    assert _said(diagnostics, f"good_{key}") == [], "\n".join(example.files.values())


def test_terraform_speaks_of_nothing_else(diagnostics: list[dict[str, Any]]) -> None:
    places = {f"good_{key}" for key in _good()}
    others = [
        said
        for said in diagnostics
        if "range" not in said
        or Path(said["range"]["filename"]).parts[:2] not in {("examples", place) for place in places}
    ]
    assert others == []


def test_examples_were_found() -> None:
    """Of each way to be completed: else the tests above would hold for want of any."""
    texts = ["".join(example.files.values()) for example in _good().values()]
    assert len(texts) > 25
    assert any('variable "typed"' in text for text in texts)
    assert any('module "shown"' in text for text in texts)
    assert any('resource "aws_sns_topic" "alerts" {\n  \n}' in text for text in texts)
    assert {Path("README.md"), Path("docs", "guides", "bridges.md")} <= {block.page for block in HCL}


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [("arguments", BAD_ARGUMENTS), ("values", BAD_VALUES)],
    ids=["arguments", "values"],
)
def test_a_wrong_example_is_noticed(workshop: Workshop, prefix: str, expected: list[tuple[str, str]]) -> None:
    examples = _bad(expected)
    found = workshop.validate({f"{prefix}_{key}": example for key, example in examples.items()})
    assert len(examples) == len(expected)
    for key, (text, message) in zip(examples, expected, strict=True):
        assert message in "\n".join(_said(found, f"{prefix}_{key}")), text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('module "orders" {\n  source = "./modules/cue"\n}\n', "no module of this repository"),
        ('output "x" {\n  value = module.queue.urn\n}\n', "no module has the outputs"),
        ('output "x" {\n  value = aws_sfn_state_machine.this.arn\n}\n', "STAND_INS"),
        ("name = 1\n", "arguments of no module"),
        ('name = 1\noutput "x" {\n  value = 1\n}\n', "mixes blocks"),
    ],
)
def test_what_nobody_has_is_noticed(text: str, message: str) -> None:
    with pytest.raises(Incomplete, match=message):
        complete(bad(text), LIBRARY)


def test_a_misfit_is_noticed_without_a_provider() -> None:
    assert misfits(bad('module "o" {\n  source = "./modules/pipe"\n  name = "o"\n  target = 1\n}\n')) == [
        "pipe has no target",
        "pipe wants source_queue_arn",
        "pipe wants target_alias_arn",
    ]


def unresolved(code: str) -> list[str]:
    """Imports of a block that lead nowhere. Raises SyntaxError for what is no Python."""
    wrong = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            wrong += [alias.name for alias in node.names if not _importable(alias.name)]
        elif isinstance(node, ast.ImportFrom) and node.module and node.module not in OWN:
            module = importlib.import_module(node.module) if _importable(node.module) else None
            wrong += [
                f"{node.module}.{alias.name}"
                for alias in node.names
                if not hasattr(module, alias.name) and not _importable(f"{node.module}.{alias.name}")
            ]
    return wrong


def _importable(name: str) -> bool:
    try:
        return name in OWN or importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_python_example(block: Snippet) -> None:
    assert unresolved(block.text) == []


def test_wrong_python_is_noticed() -> None:
    assert unresolved("import boto4\nfrom json import lods\nfrom handler import handler\n") == ["boto4", "json.lods"]
    with pytest.raises(SyntaxError):
        unresolved("def handler(event, context)\n    return {}\n")
    assert PYTHON


@pytest.mark.parametrize("block", JSON, ids=str)
def test_json_example(block: Snippet) -> None:
    json.loads(block.text)
