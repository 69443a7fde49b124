"""What a demo says in the end: commands worth trying."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from durable_sandbox.cli.process import Running


def say_next(console: Console, running: Running, commands: Sequence[str]) -> None:
    """That the sandbox goes on, and what to try with it."""
    console.print(f"\nThe sandbox keeps running at {running.endpoint_url} (state in memory only). Try next:")
    lines(console, commands)


def lines(console: Console, texts: Sequence[str]) -> None:
    """Each on a line of its own, to be copied as it is."""
    for text in texts:
        console.print(f"  {text}", highlight=False, markup=False, soft_wrap=True)
