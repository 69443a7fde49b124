"""Every check in a module has a test in tests/contract that makes it fail."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hygiene_support import LIBRARY, REPO, Block, blocks, file_blocks, literal, relative_id
from provider_support import NATIVE

SUITES = sorted((REPO / "tests" / "contract").glob("**/*.tftest.hcl"))


@cache
def _expected_failures() -> dict[Path, Counter[str]]:
    """Module to how many runs expect each address to fail."""
    found: dict[Path, Counter[str]] = {module: Counter() for module in LIBRARY}
    for suite in SUITES:
        for run in file_blocks(suite, "run"):
            source = next((literal(module["source"]) for module in run.body.get("module", [])), ".")
            addresses = {address.strip("${}") for address in run.body.get("expect_failures", [])}
            found.setdefault((REPO / source).resolve(), Counter()).update(addresses)
    # What both refuse they refuse by the same words (test_native_module.py), and it is tested with the one.
    found[NATIVE] += found[REPO / "modules" / "durable-function"]
    return found


def _checks(module: Path) -> Counter[str]:
    """Address to the number of checks it has."""
    found: Counter[str] = Counter()
    for block in blocks(module, "variable"):
        found[f"var.{block.name}"] += len(block.body.get("validation", []))
    for block in blocks(module, "resource", "data", "output"):
        found[_address(block)] += _conditions(block.body)
    for block in blocks(module, "check"):
        found[f"check.{block.name}"] += len(block.body.get("assert", []))
    return +found


def _address(block: Block) -> str:
    prefix = () if block.kind == "resource" else (block.kind,)
    return ".".join([*prefix, *block.labels])


def _conditions(body: dict[str, Any]) -> int:
    holders = [body, *body.get("lifecycle", [])]
    return sum(len(holder.get(kind, [])) for holder in holders for kind in ("precondition", "postcondition"))


@pytest.mark.parametrize("module", LIBRARY, ids=relative_id)
def test_each_check_is_made_to_fail(module: Path) -> None:
    expected = _expected_failures()[module]
    untested = {
        address: f"{count} checks, {expected[address]} runs expect one to fail"
        for address, count in _checks(module).items()
        if expected[address] < count
    }
    assert not untested


def test_checks_were_found() -> None:
    """The parser's output is as the tests above take it: otherwise they would hold for want of anything to test."""
    assert sum(_checks(REPO).values()) > 5
    assert sum(counter.total() for counter in _expected_failures().values()) > 50
