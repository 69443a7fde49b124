"""What the hygiene tests share: the tree's files, and the Terraform modules in it as python-hcl2 reads them."""

from __future__ import annotations

import functools
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hcl2

REPO = Path(__file__).parents[2]


@functools.cache
def tracked() -> tuple[Path, ...]:
    """Files that are, or are about to be, in git, relative to the root; deleted ones left out."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"git tells which files to check, and it failed: {done.stderr}"
    return tuple(path for line in sorted(set(done.stdout.splitlines())) if (REPO / (path := Path(line))).is_file())


def relative_id(path: Path) -> str:
    """``path`` as the id of a parametrised test."""
    return str(path.relative_to(REPO) if path.is_absolute() else path) if path != REPO else "root"


def _folders(*parts: str) -> list[Path]:
    return sorted({path.parent for path in (REPO.joinpath(*parts)).glob("*/*.tf")})


MODULES = _folders("modules")
EXAMPLES = _folders("examples")
SCENARIOS = _folders("tests", "terraform")
LIBRARY = [REPO, *MODULES]  # what others use: held to more than scenarios
ALL = [*LIBRARY, *EXAMPLES, *SCENARIOS]


@functools.cache
def parsed(file: Path) -> dict[str, Any]:
    """An HCL file: block types to lists of blocks; labels keep their quotes."""
    with file.open(encoding="utf-8") as stream:
        content: dict[str, Any] = hcl2.load(stream)
    return content


@dataclass(frozen=True)
class Block:
    """A block: ``kind`` like variable, ``labels`` without quotes."""

    kind: str
    labels: tuple[str, ...]
    body: dict[str, Any]
    file: Path

    @property
    def name(self) -> str:
        return self.labels[-1]


def blocks(directory: Path, *kinds: str) -> Iterator[Block]:
    """The blocks of these kinds in the *.tf files of ``directory``, in the order of the files."""
    for file in sorted(directory.glob("*.tf")):
        yield from file_blocks(file, *kinds)


def file_blocks(file: Path, *kinds: str) -> Iterator[Block]:
    """The blocks of these kinds in ``file``, in order."""
    for kind in kinds:
        for block in parsed(file).get(kind, []):
            yield from _labelled(kind, (), block, file)


def _labelled(kind: str, labels: tuple[str, ...], block: dict[str, Any], file: Path) -> Iterator[Block]:
    nested = {key: value for key, value in block.items() if key.startswith('"')}
    if not nested:
        yield Block(kind, labels, block, file)
    for key, value in nested.items():
        yield from _labelled(kind, (*labels, key.strip('"')), value, file)


def required_variables(directory: Path) -> list[str]:
    """The variables of a module that have no default."""
    return [block.name for block in blocks(directory, "variable") if "default" not in block.body]


def alarm_kinds() -> set[str]:
    """The kinds of alarms that modules/observability has."""
    found: set[str] = set()
    for block in parsed(REPO / "modules" / "observability" / "kinds.tf")["locals"]:
        found |= {kind.strip('"') for kind in block.get("kinds", {})}
    return found


def source_folder(block: Block) -> Path | None:
    """The folder that a module block's ``source`` names; None for one from elsewhere."""
    source = block.body["source"].strip('"')
    return (block.file.parent / source).resolve() if source.startswith(".") else None


def numbered_code(file: Path) -> Iterator[tuple[int, str, str]]:
    """Number, code and comment of each line of a *.tf file. A # in a string is code."""
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        match = re.match(r'((?:[^"#]|"(?:[^"\\]|\\.)*")*)(#.*)?', line)
        code, comment = (match[1], match[2] or "") if match else (line, "")
        yield number, code, comment


def literal(value: object) -> str:
    """A string of python-hcl2 without its quotes; empty for what is no string."""
    return value.strip('"') if isinstance(value, str) else ""
