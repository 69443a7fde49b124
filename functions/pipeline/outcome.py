"""What became of one message."""

from dataclasses import dataclass, field

# 749 failures of this length stay below the 1 MB of an execution's error.
MAX_ERROR_LENGTH = 1_000


@dataclass(frozen=True)
class Outcome:
    """What became of one message.

    `stored` is True where this execution wrote the item and False where it existed already; both are success.
    `error` is set on failure only, as "<error type>: <message>". `unreported` tells which reports its client did not get,
    and why: none of that is a failure.
    """

    message_id: str
    stored: bool = False
    error: str | None = None
    unreported: list[str] = field(default_factory=list)


def describe(error_type: str | None, message: str | None) -> str:
    """Return an error as one text of at most 1,000 characters."""
    text = f"{error_type or 'Error'}: {message or 'no message'}"
    return text if len(text) <= MAX_ERROR_LENGTH else f"{text[: MAX_ERROR_LENGTH - 3]}..."
