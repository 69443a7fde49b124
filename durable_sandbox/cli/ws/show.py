"""What a conversation looks like: lines for people, or an object of JSON a message for scripts."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import click


class Screen:
    """Received messages go to standard output; what is said about the connection goes to standard error."""

    def __init__(self, *, as_json: bool, interactive: bool) -> None:
        self._as_json = as_json
        self._interactive = interactive

    def opened(self, url: str, subprotocol: str | None) -> None:
        """The connection is there."""
        if self._interactive and not self._as_json:
            chosen = f" (subprotocol {subprotocol})" if subprotocol else ""
            click.echo(f"Connected to {url}{chosen}. A line is a message; Ctrl-D ends.", err=True)

    def sent(self, text: str) -> None:
        """A message is on its way: a terminal shows it already."""
        if self._as_json:
            self._object("sent", text)
        elif not self._interactive:
            click.echo(f"{_now()} > {text}")

    def received(self, text: str) -> None:
        """A message has come."""
        if self._as_json:
            self._object("received", text)
        else:
            click.echo(f"{_now()} < {text}")

    def _object(self, direction: str, text: str) -> None:
        click.echo(json.dumps({"direction": direction, "time": datetime.now(UTC).isoformat(), "text": text}))


def _now() -> str:
    moment = datetime.now(UTC)
    return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03}"
