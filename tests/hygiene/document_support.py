"""Code in the pages of this repository: fenced blocks and command lines, each with where it stands."""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hygiene_support import REPO, tracked

SHELLS = {"bash", "console", "sh", "shell"}
PROGRAMS = {"aws", "durable-ops", "make", "sandbox", "terraform"}
# What else a line may begin with. Anything unknown is a misspelt program, or belongs into a block of another language.
OTHERS = {"cd", "cp", "echo", "eval", "export", "git", "pip", "pre-commit", "pytest", "python", "python3", "rm", "ruff"}

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^(?P=indent)```", re.DOTALL | re.MULTILINE
)
_SPAN = re.compile(r"(?<!`)`(?P<command>(?:\S*/)?(?:sandbox|durable-ops|make) [^`\n]+)`(?!`)")
_SUBSTITUTION = re.compile(r"\$\(([^()]*)\)")
_ASSIGNMENT = re.compile(r"[A-Z][A-Z0-9_]*=.*")


@dataclass(frozen=True)
class Snippet:
    """A piece of a page: ``line`` is that of its first line of code, ``page`` relative to the root."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@functools.cache
def pages() -> tuple[tuple[Path, str], ...]:
    """Every Markdown page with its text."""
    return tuple((page, (REPO / page).read_text(encoding="utf-8")) for page in tracked() if page.suffix == ".md")


def fenced(page: Path, text: str) -> Iterator[Snippet]:
    """The fenced blocks of a page, less the indentation that they have as part of a list."""
    for match in _FENCE.finditer(text):
        code = re.sub(rf"^{match['indent']}", "", match["text"], flags=re.MULTILINE)
        yield Snippet(page, text.count("\n", 0, match.start()) + 2, match["language"], code)


def snippets(*languages: str) -> list[Snippet]:
    """The fenced blocks of all pages in these languages."""
    return [found for page, text in pages() for found in fenced(page, text) if found.language in languages]


def command_lines(page: Path, text: str) -> Iterator[Snippet]:
    """The command lines of a page: of shell blocks, of indented blocks, and spans that begin with one of our commands."""
    for block in fenced(page, text):
        if block.language in SHELLS:
            yield from _logical_lines(page, list(enumerate(block.text.splitlines(), block.line)))
    prose = _FENCE.sub(lambda match: "\n" * match[0].count("\n"), text)
    yield from _logical_lines(page, list(_indented(prose)))
    for match in _SPAN.finditer(prose):
        yield Snippet(page, prose.count("\n", 0, match.start()) + 1, "span", match["command"])


def _indented(prose: str) -> Iterator[tuple[int, str]]:
    """Number and text of the lines of indented code: four spaces, after an empty line or another such line."""
    code, before = False, ""
    for number, line in enumerate(prose.splitlines(), 1):
        begins = bool(re.match(r" {4}\S", line)) and not before.strip()
        code = begins or (code and line.startswith("    "))
        if code:
            yield number, line.strip()
        before = line


def _logical_lines(page: Path, lines: list[tuple[int, str]]) -> Iterator[Snippet]:
    """Lines with their continuations, without those that are no command: empty ones, comments, input of a program."""
    whole, first = "", 0
    for number, line in lines:
        first = first if whole else number
        whole += line.strip()
        if whole.endswith("\\"):
            whole = whole[:-1] + " "
            continue
        if whole and whole[0] not in "#{":
            yield Snippet(page, first, "shell", whole)
        whole = ""


def words(line: str) -> Iterator[list[str]]:
    """The simple commands of a line, each as its words: those in $(...) first, without comments and assignments.

    Raises ValueError for a line that no shell would take.
    """
    for inner in _SUBSTITUTION.findall(line):
        yield from words(inner)
    line = _SUBSTITUTION.sub("substituted", line)
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexer.commenters = "#"
    lexer.whitespace_split = True
    command: list[str] = []
    for word in [*lexer, ";"]:
        if not word or set(word) - set("|&;"):
            command.append(word)
            continue
        while command and _ASSIGNMENT.fullmatch(command[0]):
            command = command[1:]
        redirections = [index for index, part in enumerate(command) if part in {"<", ">", ">>"}]
        if command := command[: min(redirections, default=len(command))]:
            yield command
        command = []
