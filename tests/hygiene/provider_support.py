"""A module compared with what a provider takes, as tools/provider_schema.py wrote it down; and the module for an older provider."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hygiene_support import REPO, Block, blocks, numbered_code, source_folder

NATIVE = REPO / "modules" / "durable-function-native"
NEWER = [NATIVE, REPO / "examples" / "native"]
"""Folders that take no provider older than FIRST_WITH_DURABLE_CONFIG."""
SCHEMAS = {
    file.stem.removeprefix("aws-"): json.loads(file.read_text(encoding="utf-8"))
    for file in sorted((REPO / "tests" / "contract" / "provider").glob("aws-*.json"))
}
FIRST_WITH_DURABLE_CONFIG = "6.25"

_TERRAFORMS = {"connection", "count", "depends_on", "for_each", "lifecycle", "provider", "provisioner"}


def with_called(module: Path) -> list[Path]:
    """``module`` and the modules that it calls."""
    return [module, *(folder for block in blocks(module, "module") if (folder := source_folder(block)))]


def findings(module: Path, schema: Mapping[str, Any]) -> list[str]:
    """What the provider would not take of the resources and data sources in ``module``."""
    found: list[str] = []
    for block in blocks(module, "resource", "data"):
        type_ = block.labels[0]
        if type_ == "terraform_data":
            continue
        taken = schema[block.kind].get(type_)
        if taken is None:
            found.append(f"{type_}: not written down")
        else:
            found += [f"{'.'.join(block.labels)}: {said}" for said in _of_body(block.body, taken, "")]
    return found + list(_of_references(module, schema))


def _of_body(body: Mapping[str, Any], taken: Mapping[str, Any], path: str) -> Iterator[str]:
    counts: dict[str, int] = {}
    dynamic: set[str] = set()
    for name, value in _given(body):
        place = f"{path}{name}"
        if isinstance(value, Block):
            nested = value.body
            counts[name] = counts.get(name, 0) + 1
            dynamic |= {name} if value.kind == "dynamic" else set()
            if name not in taken["blocks"]:
                yield f"{place} is {'an attribute, written as a block' if name in taken['arguments'] else 'unknown'}"
            else:
                yield from _of_body(nested, taken["blocks"][name], f"{place}.")
        elif name not in taken["arguments"]:
            yield f"{place} is {'a block, written as an attribute' if name in taken['blocks'] else 'unknown'}"
        elif not _fits(value, taken["arguments"][name]):
            yield f"{place} is {value!r}, not {taken['arguments'][name]}"
    given = {name for name, _ in _given(body)}
    # A block that is there on a condition is not there always.
    yield from (f"{path}{name} is required" for name in taken["required"] if name not in given - dynamic)
    for name, count in counts.items():
        most = taken["blocks"].get(name, {}).get("max")
        if most is not None and count > most:
            yield f"{path}{name} is there {count} times, {most} at the most"


def _given(body: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Name and value of each argument, and name and Block of each block; the content of a dynamic block stands for it."""
    for name, value in body.items():
        if name.startswith("__") or name in _TERRAFORMS:
            continue
        if name == "dynamic":
            for labelled in value:
                for label, inner in labelled.items():
                    if label.startswith('"'):
                        yield label.strip('"'), Block("dynamic", (label,), inner["content"][0], Path())
        elif isinstance(value, list) and value and isinstance(value[0], dict) and value[0].get("__is_block__"):
            for inner in value:
                yield name, Block("block", (name,), inner, Path())
        else:
            yield name, value


def _fits(value: object, type_: str) -> bool:
    """Whether a literal has the type; an expression may have any."""
    match value:
        case None:
            return True
        case bool():
            return type_ in {"bool", "any"}
        case int() | float():
            return type_ in {"number", "any"}
        case str():
            return value.startswith("${") or type_ in {"string", "any"}
        case list():
            return type_.startswith("list(") and all(_fits(item, type_[5:-1]) for item in value)
        case _:
            return type_.startswith(("map(", "object"))


def _of_references(module: Path, schema: Mapping[str, Any]) -> Iterator[str]:
    """Attributes that are read of a resource or a data source and that it does not have."""
    pattern = re.compile(r"(?<![\w.])(data\.)?(aws_\w+)\.\w+(?:\[[^\]]*\])?\.(\w+)")
    for file in sorted(module.glob("*.tf")):
        for number, code, _ in numbered_code(file):
            for is_data, type_, attribute in pattern.findall(code):
                taken = schema["data" if is_data else "resource"].get(type_)
                if taken is not None and attribute not in taken["attributes"]:
                    yield f"{file.name}:{number}: {type_} has no attribute {attribute}"


def for_older_provider(library: Path) -> None:
    """Take out of a copy of the tree what providers before 6.25 refuse: the native module's one block, and the constraints."""
    main = library / NATIVE.relative_to(REPO) / "main.tf"
    block = r"\n  durable_config \{\n(?:    .*\n)+  \}\n"
    text, count = re.subn(block, "\n", main.read_text(encoding="utf-8"))
    assert count == 1, "one block durable_config"
    main.write_text(text, encoding="utf-8")
    constraint = f'">= {FIRST_WITH_DURABLE_CONFIG}"'
    for folder in NEWER:
        versions = library / folder.relative_to(REPO) / "versions.tf"
        said = versions.read_text(encoding="utf-8")
        assert said.count(constraint) == 1
        versions.write_text(said.replace(constraint, '">= 5.80"'), encoding="utf-8")
