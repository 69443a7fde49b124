"""The graphs of docs/architecture.md are those of the code."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest
from hygiene_support import MODULES, REPO, blocks, source_folder
from test_python import MAY_IMPORT

PAGE = (REPO / "docs" / "architecture.md").read_text(encoding="utf-8")
SERVER = {"server", "serving", "asgi", "control", "enforcement", "retries", "routing", "sockets", "wiring"}


def edges(heading: str, page: str = PAGE) -> set[tuple[str, str]]:
    """The arrows of the first graph below a heading: `a --> b & c` is two of them."""
    section = re.search(rf"^#+ {heading}\n(.*?)```\n", page, flags=re.DOTALL | re.MULTILINE)
    assert section, f"there is no {heading!r} with a graph"
    lines = re.findall(r"^ +(\w+) --> ([\w &]+)$", section[1], flags=re.MULTILINE)
    return {(source, target.strip()) for source, targets in lines for target in targets.split("&")}


def test_graph_of_modules() -> None:
    def name(folder: object) -> str:
        return "root" if folder == REPO else str(getattr(folder, "name", "")).replace("-", "_")

    calls = {
        (name(folder), name(source_folder(block))) for folder in [REPO, *MODULES] for block in blocks(folder, "module")
    }
    assert edges("Which module calls which") == calls


def layer(unit: str) -> str:
    """The layer that the page shows of a unit of the table."""
    if unit in SERVER:
        return "server"
    return "durable_ops" if unit.partition(".")[0] == "ops" else unit.partition(".")[0]


def layers(table: dict[str, set[str]]) -> set[tuple[str, str]]:
    """Who may import whom between layers, but for `aws`, which all know."""

    def targets(unit: str) -> Iterable[str]:
        return (layer(target) for target in table[unit])

    return {(layer(unit), target) for unit in table for target in targets(unit) if target not in {layer(unit), "aws"}}


def test_graph_of_layers() -> None:
    assert edges("The sandbox") == layers(MAY_IMPORT)


@pytest.mark.parametrize("heading", ["Which module calls which", "The sandbox"])
def test_a_missing_arrow_is_noticed(heading: str) -> None:
    shown = edges(heading)
    without = re.sub(rf"(^#+ {heading}\n.*?--> )\w+ & ", r"\1", PAGE, count=1, flags=re.DOTALL | re.MULTILINE)
    assert len(shown - edges(heading, without)) == 1
