"""Nothing in the tree belongs to one machine, and nothing is left for later."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hygiene_support import REPO, tracked

# Written so that this file does not hold what it looks for.
LATER = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
MACHINE = re.compile(
    r"(?<![\w.~}-])(/ho"
    r"me/\w+|/Us"
    r"ers/\w+|/ro"
    r"ot/|/wo"
    r"rk/|/mn"
    r"t/|/op"
    r"t/(?!python\b)[a-z]|fi"
    r"le:///)"
    r"|[A-Z]:\\\\?Us"
    r"ers"
)
# A package index of one's own, in a lock file or a tool's configuration.
INDEX = re.compile(r"--(extra-)?index-url|--find-links|--trusted-host|\bindex-url\s*=")


def _text(file: Path) -> str:
    return (REPO / file).read_text(encoding="utf-8", errors="replace")


def _lines(file: Path, pattern: re.Pattern[str]) -> list[str]:
    return [f"{number}: {line}" for number, line in enumerate(_text(file).splitlines(), 1) if pattern.search(line)]


every_file = pytest.mark.parametrize("file", tracked(), ids=str)


@every_file
def test_no_path_or_index_of_one_machine(file: Path) -> None:
    assert _lines(file, MACHINE) == []
    if file.suffix != ".py":  # tests of pip give it such arguments
        assert _lines(file, INDEX) == []


@every_file
def test_nothing_is_left_for_later(file: Path) -> None:
    assert _lines(file, LATER) == []


@every_file
def test_text_ends_with_one_newline(file: Path) -> None:
    text = _text(file)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
