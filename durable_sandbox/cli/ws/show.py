"""What a conversation looks like: lines for people, or an object of JSON a message for scripts."""

from __future__ import annotations

import asyncio
import functools
import json
import shutil
import sys
from datetime import UTC, datetime

import click
from rich.cells import cell_len

_PROMPT = "> "
# Lines that were pasted come one by one, and get one prompt, below the last.
_PAUSE_SECONDS = 0.05
# A message is one line, and no message moves the cursor.
_ESCAPES = {code: repr(chr(code))[1:-1] for code in (*range(32), *range(127, 160))}


class Screen:
    """Received messages go to standard output; what is said about the connection goes to standard error.

    ``interactive``: lines are typed. If the output is a terminal as well, what comes is put above the line that is being typed.
    """

    def __init__(self, *, as_json: bool, interactive: bool, note: str = "") -> None:
        self._as_json = as_json
        self._interactive = interactive
        self._shared = interactive and sys.stdout.isatty()
        self._note = note
        self._opened = False
        self._asking: asyncio.TimerHandle | None = None

    def opened(self, url: str, subprotocol: str | None) -> None:
        """The connection is there."""
        self._opened = True
        if self._interactive:
            chosen = f" (subprotocol {subprotocol})" if subprotocol else ""
            click.echo(f"Connected to {url}{chosen}. Each line is a message; Ctrl-D ends.", err=True)
            if self._note:
                click.echo(self._note, err=True)
        self._ask()

    def sent(self, text: str) -> None:
        """A message is about to be sent; on a terminal it is there already."""
        if self._as_json:
            self._show(_object("sent", text))
        elif not self._interactive:
            self._show(f"{_now()} > {text.translate(_ESCAPES)}")
        self._ask()

    def received(self, text: str) -> None:
        """A message has come."""
        self._show(_object("received", text) if self._as_json else f"{_now()} < {text.translate(_ESCAPES)}")

    def left(self) -> None:
        """The conversation is over: what follows begins a line of its own."""
        if self._shared and self._opened:
            click.echo()

    def discard(self) -> None:
        """Forget what was typed for a connection that is no more: it would go to the shell."""
        if not self._interactive:
            return
        try:
            import termios  # noqa: PLC0415 - not on every platform
        except ImportError:
            return
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)

    def _ask(self) -> None:
        """Put a prompt before what is typed next, or has been typed meanwhile."""
        if not self._shared:
            return
        if self._asking is not None:
            self._asking.cancel()
        # Save the cursor, insert the prompt at the beginning of the line, restore the cursor and follow what it stood behind.
        sequence = f"\x1b7\r\x1b[{len(_PROMPT)}@{_PROMPT}\x1b8\x1b[{len(_PROMPT)}C"
        write = functools.partial(click.echo, sequence, nl=False)
        self._asking = asyncio.get_running_loop().call_later(_PAUSE_SECONDS, write)

    def _show(self, line: str) -> None:
        click.echo(_above(line) if self._shared else line, nl=not self._shared)


def _above(line: str) -> str:
    """Control sequences that put ``line`` above the cursor's, and leave the cursor in what is typed there."""
    size = shutil.get_terminal_size()
    rows = max(1, -(-cell_len(line) // size.columns))
    if rows >= size.lines:  # no room: what was typed is off the screen, but not lost
        return f"\n{line}\n{_PROMPT}"
    # Save the cursor; make room below, go back up; insert rows, write; restore the cursor and follow its line down.
    return "\x1b7" + "\n" * rows + f"\x1b[{rows}A\x1b[{rows}L{line}\n\x1b8\x1b[{rows}B"


def _object(direction: str, text: str) -> str:
    return json.dumps({"direction": direction, "time": datetime.now(UTC).isoformat(), "text": text})


def _now() -> str:
    moment = datetime.now(UTC)
    return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03}"
