"""The Python packages: who may import whom, what each folder says of that, and how long a file may be."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from hygiene_support import REPO, tracked

PACKAGE = "durable_sandbox"
OPS = "durable_ops"
MAX_LINES = 450
CODE = [file for file in tracked() if file.suffix == ".py"]
PACKAGES = [file for file in CODE if file.parts[0] in {PACKAGE, OPS}]

# Unit (folder, service or module of the sandbox; "ops" and "ops.cli", which know nothing of it) to the units that it may
# import, besides itself.
LOWER = {"aws"}
PARTS = {"aws", "events", "durable", "runtime"}
SERVICES = {"services.apigatewayv2", "services.connections", "services.lambda_", "services.pipes", "services.sqs"}
MAY_IMPORT: dict[str, set[str]] = {
    "aws": set(),
    "asgi": {"aws"},
    "terraform_setup": set(),
    "terraform": {"terraform_setup"},
    "provider_process": {"terraform", "terraform_setup"},
    "iam": {"aws"},
    "events": LOWER,
    "durable": LOWER,
    "metrics": {"aws", "events"},
    "runtime": LOWER,
    "moto_adapter": {"aws", "events", "iam", "metrics"},
    "services": PARTS,
    "services.apigatewayv2": {"aws", "events"},
    "services.connections": {"aws", "events"},
    "services.lambda_": PARTS,
    "services.pipes": {"aws", "events"},
    "services.sqs": LOWER,
    "routing": LOWER,
    "retries": LOWER,
    "sockets": {"asgi", "aws", "events"},
    "control": LOWER,
    "enforcement": {"aws", "iam", "moto_adapter"},
    "wiring": PARTS | SERVICES | {"iam", "metrics", "moto_adapter"},
    "server": PARTS
    | SERVICES
    | {"iam", "metrics", "moto_adapter", "asgi", "enforcement", "control", "retries", "routing", "sockets", "wiring"},
    "serving": {"events", "server", "sockets"},
    "ops": set(),
    "ops.cli": {"ops"},
    "cli": {"server", "serving", "terraform", "terraform_setup", "ops", "ops.cli"},
    "pytest_plugin": {"cli", "terraform", "terraform_setup"},
}

# Upward, and for types alone: under `if TYPE_CHECKING`.
TYPES_ONLY = {
    ("control", "server"): "the control routes report on the whole sandbox, which owns them",
    ("moto_adapter", "routing"): "the adapter is handed the destination that was routed to it",
}


@dataclass(frozen=True)
class Import:
    """``module`` imports ``target``; both are names of modules of the package."""

    module: str
    target: str
    types_only: bool


def _name(file: Path) -> str:
    parts = file.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {_name(file): file for file in PACKAGES}


def _unit(module: str) -> str:
    """Folder, service or top-level module that ``module`` is part of; empty for the sandbox's package itself."""
    package, *parts = module.split(".")
    if package == OPS:
        return "ops.cli" if parts[:1] == ["cli"] else "ops"
    return ".".join(parts[: 2 if parts[:1] == ["services"] else 1])


def _imports(module: str) -> Iterator[Import]:
    tree = ast.parse((REPO / MODULES[module]).read_text(encoding="utf-8"))
    guarded = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            # What is imported may be a module or something in one.
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in MODULES else str(node.module) for name in names]
        else:
            continue
        yield from (Import(module, name, id(node) in guarded) for name in names if name in MODULES)


@cache
def _all_imports() -> list[Import]:
    return [found for module in MODULES for found in _imports(module)]


def test_imports_run_one_way() -> None:
    wrong = []
    for found in _all_imports():
        unit, target = _unit(found.module), _unit(found.target)
        if not target or unit == target or target in MAY_IMPORT[unit]:
            continue
        if not (found.types_only and (unit, target) in TYPES_ONLY):
            wrong.append(f"{found.module} -> {found.target}")
    assert not wrong
    assert len(_all_imports()) > 100


def test_every_exception_is_needed() -> None:
    used = {(_unit(found.module), _unit(found.target)) for found in _all_imports()}
    assert not TYPES_ONLY.keys() - used


def test_no_circles() -> None:
    """Between modules, imports inside functions included; for types alone only the exceptions above may close one."""
    graph: dict[str, set[str]] = {module: set() for module in MODULES}
    for found in _all_imports():
        excepted = found.types_only and (_unit(found.module), _unit(found.target)) in TYPES_ONLY
        if found.target not in {PACKAGE, found.module} and not excepted:
            graph[found.module].add(found.target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(reversed(error.args[1])))


FOLDERS = sorted({file.parent for file in PACKAGES if file.parent not in {Path(PACKAGE), Path(OPS)}})


@pytest.mark.parametrize("folder", FOLDERS, ids=str)
def test_folder_says_what_it_knows_of(folder: Path) -> None:
    """In a sentence "Knows of ..." that names the folders of the table above; parts of a unit may say it through theirs."""
    file = REPO / folder / "__init__.py"
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) if file.exists() else None
    assert docstring, f"{folder}/__init__.py says nothing"
    unit = _unit(_name(folder / "__init__.py"))
    if ".".join(folder.parts[1:]) != unit.removeprefix("ops."):
        return
    sentence = re.search(r"\b(?:Knows?|May know) of (.*?)(?:\.(?:\s|$)|:)", docstring, flags=re.DOTALL)
    assert sentence, f"{folder}/__init__.py does not say what it knows of: {sorted(MAY_IMPORT[unit])}"
    said = set(re.findall(r"``([a-z_.]+)``", sentence[1]))
    if "every other folder" not in sentence[1]:
        assert said == MAY_IMPORT[unit]


def test_files_are_short() -> None:
    lengths = {str(file): len((REPO / file).read_text(encoding="utf-8").splitlines()) for file in CODE}
    assert {file: length for file, length in lengths.items() if length > MAX_LINES} == {}
