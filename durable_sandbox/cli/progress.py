"""Progress of one long action: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

_LINE_SECONDS = 10.0
_WIDTH = 180  # of a file or a pipe

Update = Callable[[int, int, str], None]
"""Called with what is done, the total (0: not known yet) and what goes on."""


def console(*, stderr: bool = False) -> Console:
    """A console on stdout or stderr; what is no terminal is wide enough for tables."""
    found = Console(stderr=stderr)
    return found if found.is_terminal else Console(stderr=stderr, width=_WIDTH)


@contextmanager
def progress(on: Console, title: str) -> Iterator[Update]:
    """Show the progress of the block, reported by calling what it is given."""
    started = time.monotonic()
    with _bar(on, title) if on.is_terminal else _lines(on) as update:
        yield update
    if not on.is_terminal:
        on.print(f"{title}: {time.monotonic() - started:.1f} s", highlight=False, soft_wrap=True)


@contextmanager
def _bar(on: Console, title: str) -> Iterator[Update]:
    columns = (SpinnerColumn(finished_text="✓"), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), TextColumn("[dim]{task.fields[detail]}"), console=on) as bars:
        task = bars.add_task(title, total=None, detail="")

        def update(done: int, total: int, detail: str) -> None:
            bars.update(task, completed=done, total=total or None, detail=escape(detail))

        yield update
        bars.update(task, detail="")


@contextmanager
def _lines(on: Console) -> Iterator[Update]:
    shown = time.monotonic()

    def update(done: int, total: int, detail: str) -> None:
        nonlocal shown
        if time.monotonic() - shown >= _LINE_SECONDS:
            shown = time.monotonic()
            on.print(f"  {done}/{total or '?'} {detail}", highlight=False, markup=False, soft_wrap=True)

    yield update
