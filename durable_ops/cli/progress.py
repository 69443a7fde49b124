"""Progress on stderr, and stopping in order."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from durable_ops.walk import OnProgress

_LINE_SECONDS = 5.0
_WIDTH = 180  # of a file or a pipe


def console(*, stderr: bool = False) -> Console:
    """A console on stdout or stderr; what is no terminal is wide enough for tables."""
    found = Console(stderr=stderr)
    return found if found.is_terminal else Console(stderr=stderr, width=_WIDTH)


@contextmanager
def progress(title: str) -> Iterator[OnProgress]:
    """Show the progress of the block: a bar on a terminal, now and then a line elsewhere."""
    on = console(stderr=True)
    with _bar(on, title) if on.is_terminal else _lines(on, title) as update:
        yield update


@contextmanager
def _bar(on: Console, title: str) -> Iterator[OnProgress]:
    columns = (SpinnerColumn(finished_text="✓"), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), TextColumn("[dim]{task.fields[detail]}"), console=on) as bars:
        task = bars.add_task(title, total=None, detail="")

        def update(done: int, total: int, detail: str) -> None:
            bars.update(task, completed=done, total=max(done, total) or None, detail=escape(detail))

        yield update
        bars.update(task, detail="")


@contextmanager
def _lines(on: Console, title: str) -> Iterator[OnProgress]:
    shown = time.monotonic()

    def update(done: int, total: int, detail: str) -> None:
        nonlocal shown
        if time.monotonic() - shown >= _LINE_SECONDS:
            shown = time.monotonic()
            on.print(f"{title}: {done}/{max(done, total)} {detail}", highlight=False, markup=False, soft_wrap=True)

    yield update


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """An event that Ctrl-C or SIGTERM sets, so that what is in hand ends first; a second one stops at once."""
    stop = threading.Event()

    def told(_: int, __: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        click.echo("Stopping when what is in hand has ended; once more to stop at once.", err=True)

    before = {number: signal.signal(number, told) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
