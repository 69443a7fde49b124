"""Nothing in the tree belongs to one machine, and nothing is left for later."""

from __future__ import annotations

import re
from collections.abc import Iterable
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


def _lines(files: Iterable[Path], pattern: re.Pattern[str]) -> list[str]:
    """Where ``pattern`` is found. All files in one test: one a file would be some thousand tests."""
    return [
        f"{file}:{number}: {line}"
        for file in files
        for number, line in enumerate(_text(file).splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_path_of_one_machine() -> None:
    assert _lines(tracked(), MACHINE) == []


def test_no_index_of_one_machine() -> None:
    # Tests of pip, in Python, give it such arguments.
    assert _lines((file for file in tracked() if file.suffix != ".py"), INDEX) == []


def test_nothing_is_left_for_later() -> None:
    assert _lines(tracked(), LATER) == []


def test_text_ends_with_one_newline() -> None:
    texts = {file: _text(file) for file in tracked()}
    assert [str(file) for file, text in texts.items() if not text.endswith("\n") or text.endswith("\n\n")] == []


@pytest.mark.parametrize(
    ("pattern", "parts"),
    [(MACHINE, ["see /ho", "me/me/x"]), (INDEX, ["--index-", "url x"]), (LATER, ["# TO", "DO"])],
    ids=["path", "index", "later"],
)
def test_what_must_not_be_there_is_found(pattern: re.Pattern[str], parts: list[str]) -> None:
    assert pattern.search("".join(parts))
