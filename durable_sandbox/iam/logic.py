"""Three-valued logic: True, False, and None for what the sandbox cannot know."""

from __future__ import annotations

from collections.abc import Iterable


def any_of(results: Iterable[bool | None]) -> bool | None:
    """True if one is, else None if one is, else False."""
    unknown = False
    for result in results:
        if result:
            return True
        unknown = unknown or result is None
    return None if unknown else False


def all_of(results: Iterable[bool | None]) -> bool | None:
    """False if one is, else None if one is, else True."""
    unknown = False
    for result in results:
        if result is False:
            return False
        unknown = unknown or result is None
    return None if unknown else True


def negate(result: bool | None) -> bool | None:  # noqa: FBT001 - the value itself, not a switch
    """The opposite; what is unknown stays so."""
    return None if result is None else not result
