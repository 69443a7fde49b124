"""Tables and lines that commands print."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from durable_ops.dead_letters import DeadLetter
from durable_ops.executions import Execution
from durable_ops.queue import Depth, Queue
from durable_ops.timeline import Operation

_BAR = 24
_IDS = 3
_ID = 12
_COLOURS = {"succeeded": "green", "started": "yellow", "running": "yellow"}


def span(seconds: float) -> str:
    """A duration in the two units that matter."""
    if seconds < 10:  # noqa: PLR2004 - tenths say something below ten seconds
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def depth_line(queue: Queue, depth: Depth, shown: int) -> str:
    """What is on a queue, and what of it was not shown."""
    line = f"{queue.name}: {depth.visible} to be received, {depth.in_flight} in the hands of a reader"
    if shown >= depth.visible:
        return line + "."
    why = "; of a FIFO group ten at most can be seen" if queue.fifo else ""
    return f"{line}. {depth.visible - shown} are not shown (--limit{why})."


def dead_letters(letters: Sequence[DeadLetter], now: datetime) -> Table:
    """A row for each."""
    table = _table("Dead letters", "queue", "id", "messages", "age", "receives", "reason")
    for letter in letters:
        ids = [one for one in letter.message_ids if one != letter.id]
        more = [f"and {len(ids) - _IDS} more"] if len(ids) > _IDS else []
        table.add_row(
            str(letter.kind),
            letter.id,
            escape("\n".join([*ids[:_IDS], *more])),
            span((now - letter.sent).total_seconds()),
            str(letter.receives),
            escape(letter.reason),
        )
    return table


def executions(found: Sequence[Execution], now: datetime) -> Table:
    """A row for each."""
    table = _table("Executions", "name", "status", "started", "took")
    for one in found:
        table.add_row(
            escape(one.name),
            _coloured(one.status),
            f"{one.started.astimezone():%Y-%m-%d %H:%M:%S}",
            span(one.seconds(now)),
        )
    return table


def timeline(operations: Sequence[Operation], seconds: float) -> Table:
    """Operations one below the other, with when they were, against ``seconds``, the whole."""
    table = _table("Timeline", "at", "operation", "kind", "status", "took", "", "")
    table.columns[0].justify = table.columns[4].justify = "right"
    for one in operations:
        end = seconds if one.end is None else one.end
        attempts = f" ({one.attempts} attempts)" if one.attempts > 1 else ""
        table.add_row(
            f"+{span(one.begin)}",
            escape("  " * one.depth + one.name),
            escape(one.kind),
            _coloured(one.status + attempts),
            span(end - one.begin),
            _bar(one, end, seconds),
            escape(_note(one)),
        )
    return table


def text_of(payload: str | None) -> str:
    """A payload as a person reads it."""
    try:
        return json.dumps(json.loads(payload or ""), indent=2, ensure_ascii=False)
    except ValueError:
        return payload or ""


def error_line(error: Mapping[str, Any] | None) -> str:
    """An error in one line."""
    return ": ".join(filter(None, ((error or {}).get("ErrorType"), (error or {}).get("ErrorMessage"))))


def _note(one: Operation) -> str:
    """A callback's id fills lines, and is shown below with the command that takes it."""
    return f"{one.note[:_ID]}…" if one.is_waiting_callback else one.note


def _bar(one: Operation, end: float, seconds: float) -> Text:
    scale = _BAR / seconds if seconds else 0
    left = min(_BAR - 1, int(one.begin * scale))
    width = max(1, min(_BAR - left, round((end - one.begin) * scale)))
    return Text(" " * left + "━" * width + " " * (_BAR - left - width), style=_colour(one.status))


def _coloured(status: str) -> Text:
    return Text(status, style=_colour(status.split(" ", 1)[0]))


def _colour(status: str) -> str:
    return _COLOURS.get(status.lower(), "red")


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
