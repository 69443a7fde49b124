"""House rules of the Terraform side that terraform itself does not know."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hygiene_support import (
    ALL,
    LIBRARY,
    MODULES,
    REPO,
    Block,
    blocks,
    file_blocks,
    literal,
    numbered_code,
    parsed,
    relative_id,
)
from provider_support import NEWER

SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
TF_FILES = [file for directory in ALL for file in sorted(directory.glob("*.tf"))]

all_modules = pytest.mark.parametrize("module", ALL, ids=relative_id)
library = pytest.mark.parametrize("module", LIBRARY, ids=relative_id)


def _told(found: Iterable[tuple[Path, object]]) -> list[str]:
    """What is wrong where. All files in one test: one a file would be a thousand tests."""
    return [f"{relative_id(file)}: {what}" for file, what in found]


@library
def test_inputs_and_outputs_are_described(module: Path) -> None:
    found = list(blocks(module, "variable", "output"))
    bare = [f"{block.kind}.{block.name}" for block in found if not literal(block.body.get("description"))]
    assert found
    assert not bare


@all_modules
def test_variables_are_typed_and_none_takes_anything(module: Path) -> None:
    untyped = [
        block.name
        for block in blocks(module, "variable")
        if "type" not in block.body or re.search(r"\bany\b", block.body["type"])
    ]
    assert not untyped


@pytest.mark.parametrize("kind", ["variable", "output"])
def test_alphabetical_order(kind: str) -> None:
    named = {file: [block.name for block in file_blocks(file, kind)] for file in TF_FILES}
    assert _told((file, names) for file, names in named.items() if names != sorted(names)) == []


@library
def test_variables_and_locals_are_used(module: Path) -> None:
    code = "\n".join(code for file in module.glob("*.tf") for _, code, _ in numbered_code(file))
    unused = [
        f"var.{block.name}"
        for block in blocks(module, "variable")
        if not _bounds_another(block)
        and not _refuses_all(block)
        and not re.search(rf"\bvar\.{block.name}\b", _without(block, code))
    ]
    local_names = [name for block in blocks(module, "locals") for name in block.body if not name.startswith("__")]
    unused += [f"local.{name}" for name in local_names if not re.search(rf"\blocal\.{name}\b", code)]
    assert not unused


def _bounds_another(variable: Block) -> bool:
    """Whether it is there to be compared with another input: a handler with the sources, a timeout with another."""
    other = re.compile(rf"\b(var\.(?!{variable.name}\b)|local\.)\w")
    return any(other.search(check["condition"]) for check in variable.body.get("validation", []))


def _refuses_all(variable: Block) -> bool:
    """Whether it takes nothing, and is there to say why: what a user of a module like this one would look for."""
    conditions = [check["condition"].strip("${}") for check in variable.body.get("validation", [])]
    return variable.body.get("default", ...) in (None, "null") and f"var.{variable.name} == null" in conditions


def _without(block: Block, code: str) -> str:
    """``code`` less the declaration of a variable: a check of its own is no use of it."""
    return re.sub(rf'^variable "{block.name}" \{{.*?^\}}', "", code, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("module", [module for module in MODULES if module not in NEWER], ids=relative_id)
def test_same_constraints_as_the_root(module: Path) -> None:
    assert parsed(module / "versions.tf") == parsed(REPO / "versions.tf")


@all_modules
def test_configures_no_provider(module: Path) -> None:
    assert not [block.name for block in blocks(module, "provider")]


@all_modules
def test_names_are_snake_case(module: Path) -> None:
    names = [block.name for block in blocks(module, "variable", "output", "resource", "data", "module")]
    names += [name for block in blocks(module, "locals") for name in block.body if not name.startswith("__")]
    assert not [name for name in names if not SNAKE_CASE.fullmatch(name)]


def _uncommented(pattern: str) -> list[str]:
    """Lines of code in which ``pattern`` is, without a comment on the line or the one above. Texts for people do not count."""
    found = []
    for file in TF_FILES:
        lines = list(numbered_code(file))
        found += [
            (file, number)
            for index, (number, code, comment) in enumerate(lines)
            if re.search(pattern, code) and not comment and not (index and lines[index - 1][2])
            if not re.match(r"\s*(error_message|description)\b", code)
        ]
    return _told(found)


def test_a_try_says_why() -> None:
    """It hides a misspelt attribute; the comment says why it does not."""
    assert _uncommented(r"\btry\(") == []


def test_attaches_no_policy_exclusively() -> None:
    """aws_iam_policy_attachment detaches the policy from everything outside of the configuration."""
    resources = [(file, block) for file in TF_FILES for block in file_blocks(file, "resource")]
    assert (
        _told((file, block.name) for file, block in resources if block.labels[0] == "aws_iam_policy_attachment") == []
    )


def test_no_literal_partition_region_or_account() -> None:
    told = re.compile(r"\s*(error_message|description)\b")
    fixed = re.compile(r"\barn:aws[a-z-]*:|\b(us|eu|ap|sa|ca|me|af|il|mx|cn)-(gov-)?[a-z]+-\d\b|\b\d{12}\b")
    lines = [(file, code) for file in TF_FILES for _, code, _ in numbered_code(file)]
    assert _told((file, code) for file, code in lines if not told.match(code) and fixed.search(code)) == []


def _objects_around(text: str, pattern: str) -> Iterator[tuple[re.Match[str], str]]:
    """Each match of ``pattern`` with the innermost braces around it."""
    for match in re.finditer(pattern, text):
        depth, start = 0, match.start()
        while start > 0 and depth < 1:
            start -= 1
            depth += {"{": 1, "}": -1}.get(text[start], 0)
        end, depth = start + 1, 1
        while end < len(text) and depth:
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        yield match, text[start:end]


def test_no_statement_allows_every_action() -> None:
    every = r'(?i)\bactions?\s*=\s*\[?[^\]\n]*"([a-z0-9-]+:)?\*"'
    found = [(file, *one) for file in TF_FILES for one in _objects_around(file.read_text(encoding="utf-8"), every)]
    deny = re.compile(r'(?i)\beffect\s*=\s*"Deny"')
    assert _told((file, match[0]) for file, match, statement in found if not deny.search(statement)) == []


def test_a_statement_on_every_resource_says_why() -> None:
    assert _uncommented(r'(?i)\bresources?"?\s*=\s*\[?\s*"\*"') == []


@pytest.mark.parametrize("name", ["inputs_of_own_function", "inputs_of_own_queue"])
def test_what_counts_as_given_is_what_differs_from_the_default(name: str) -> None:
    """These locals repeat the defaults of the inputs that they name."""
    code = "\n".join(code for file in REPO.glob("*.tf") for _, code, _ in numbered_code(file))
    (given,) = re.findall(rf"^ *{name} = \[$(.*?)^ *\]$", code, flags=re.DOTALL | re.MULTILINE)
    defaults = {block.name: block.body.get("default") for block in blocks(REPO, "variable")}
    compared = dict(re.findall(r"var\.(\w+) != (\S+)", given))
    assert compared
    said = {
        variable: str(defaults[variable]).strip("${}") if defaults[variable] is not None else "null"
        for variable in compared
    }
    assert said == compared
