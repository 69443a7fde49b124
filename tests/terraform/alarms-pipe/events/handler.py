"""Handler that no event satisfies."""

from typing import Any


def handler(_event: Any, _context: Any) -> None:
    """Fail."""
    raise ValueError("never")
