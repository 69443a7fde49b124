"""Print the notes of a version: its section of CHANGELOG.md, without the heading.

    python3 tools/release_notes.py [VERSION]

VERSION is as in the heading, or the tag made of it: 0.2.0, v0.2.0; without it, Unreleased. Exit code 1 if there is no such
section, or nothing in it, and for a tag that is not the package's version. Standard library only.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[1]
CHANGELOG = _ROOT / "CHANGELOG.md"
VERSION_FILE = Path("durable_sandbox", "__init__.py")
_HEADING = re.compile(r"^## \[(?P<version>[^\]]+)\](?: - (?P<date>\d{4}-\d{2}-\d{2}))?$", re.MULTILINE)


def sections(changelog: str) -> dict[str, str]:
    """Version to the text below its heading, in the order of the file: newest first."""
    headings = list(_HEADING.finditer(changelog))
    ends = [following.start() for following in headings[1:]] + [len(changelog)]
    return {
        heading["version"]: changelog[heading.end() : end].strip() for heading, end in zip(headings, ends, strict=True)
    }


def mismatch(tag: str) -> str | None:
    """What is wrong with ``tag`` if it is not the version that the package says of itself."""
    said = re.search(r'^__version__ = "(.+)"$', (_ROOT / VERSION_FILE).read_text(encoding="utf-8"), re.MULTILINE)
    version = said[1] if said else "nothing"
    return None if tag == f"v{version}" else f"The tag is {tag}, but {VERSION_FILE} says {version}: tag v{version}."


def main() -> int:
    """Print the section that the command line names."""
    name = sys.argv[1] if len(sys.argv) > 1 else "Unreleased"
    version = name.removeprefix("v")
    wrong = mismatch(name) if name != version else None
    if wrong is not None:
        print(wrong, file=sys.stderr)
        return 1
    notes = sections(CHANGELOG.read_text(encoding="utf-8")).get(version)
    if not notes:
        print(
            f"{CHANGELOG.name} has no section with text for {version}: add `## [{version}] - <date>`.", file=sys.stderr
        )
        return 1
    print(notes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
