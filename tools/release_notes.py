"""Print the notes of a version: its section of CHANGELOG.md, without the heading.

    python3 tools/release_notes.py [VERSION]

VERSION is as in the heading, or the tag made of it: 0.2.0, v0.2.0; without it, Unreleased. Exit code 1 if there is no such
section, or nothing in it. Standard library only.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

CHANGELOG = Path(__file__).parents[1] / "CHANGELOG.md"
_HEADING = re.compile(r"^## \[(?P<version>[^\]]+)\](?: - (?P<date>\d{4}-\d{2}-\d{2}))?$", re.MULTILINE)


def sections(changelog: str) -> dict[str, str]:
    """Version to the text below its heading, in the order of the file: newest first."""
    headings = list(_HEADING.finditer(changelog))
    ends = [following.start() for following in headings[1:]] + [len(changelog)]
    return {
        heading["version"]: changelog[heading.end() : end].strip() for heading, end in zip(headings, ends, strict=True)
    }


def main() -> int:
    """Print the section that the command line names."""
    version = sys.argv[1].removeprefix("v") if len(sys.argv) > 1 else "Unreleased"
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
