"""The result of a run: figures, table, what to try next."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from rich.markup import escape
from rich.table import Table

from durable_sandbox.cli.demo import order
from durable_sandbox.cli.demo.follow import Execution, Follower, Place, Tracked
from durable_sandbox.cli.environment import command_line
from durable_sandbox.cli.process import Running
from durable_sandbox.cli.stack import Stack

_ERROR_WIDTH = 160


@dataclass(frozen=True, slots=True)
class Figures:
    """``seconds``: from the first SendMessageBatch until every message had ended."""

    sent: int
    succeeded: int
    failed: int
    lost: int
    seconds: float

    @classmethod
    def of(cls, tracked: Iterable[Tracked], seconds: float) -> Figures:
        """Count: in the table, in one of the two queues for trouble, and lost; the rest has not ended."""
        places = [one.place for one in tracked]
        failed = places.count(Place.FAILED) + places.count(Place.DEAD)
        return cls(len(places), places.count(Place.TABLE), failed, places.count(Place.LOST), round(seconds, 2))

    @property
    def unended(self) -> int:
        """Messages that still run or wait."""
        return self.sent - self.succeeded - self.failed - self.lost


def problems(follower: Follower, figures: Figures) -> list[str]:
    """What is not as the messages were meant to end; empty if all is right."""
    found = []
    expected = {True: Place.TABLE, False: Place.DEAD if follower.returns else Place.FAILED}
    for one in follower.tracked.values():
        meant = expected[one.message.good]
        if one.ended and one.place is not meant:
            found.append(f"Message {one.message.label} ended in the {one.place}; it should have ended in the {meant}.")
    if figures.lost:
        found.append(f"{figures.lost} messages are lost: ended without a row, an event or a dead letter.")
    if figures.unended:
        found.append(
            f"{figures.unended} messages have not ended. On the queue: {follower.depths.queue}; "
            f"executions running: {len({run.arn for one in follower.tracked.values() for run in one.executions if not run.ended})}."
        )
    elif follower.depths.queue:
        found.append(f"The source queue still holds {follower.depths.queue} messages.")
    return found


def table(follower: Follower, stack: Stack) -> Table:
    """One line a message."""
    result = Table(title=f"{stack.function_name}: where the messages ended", title_justify="left", expand=False)
    fifo = any(one.message.group for one in follower.tracked.values())
    columns = ["message", "execution", "runs", "status", "steps", "modelled time", "where it ended"]
    if fifo:
        columns[1:1] = ["group", "processed at"]
    for column in columns:
        result.add_column(column, overflow="fold", no_wrap=column in {"status", "modelled time", "group"})
    # By group, so that its order can be read downwards.
    for one in sorted(follower.tracked.values(), key=lambda one: (one.message.group, one.message.position)):
        run = one.executions[-1] if one.executions else None
        cells = [
            escape(one.message.label),
            escape(run.name[:13]) if run else "-",
            str(len(one.executions)),
            _status(run),
            escape(_steps(one, run)),
            duration(run.history.seconds) if run and run.history else "-",
            escape(_end(one, stack)),
        ]
        if fifo:
            time = order.mark(one, waits=follower.returns)
            cells[1:1] = [f"{one.message.group} {one.message.position}", f"{time:%H:%M:%S.%f}"[:-3] if time else "-"]
        result.add_row(*cells)
    return result


def _status(run: Execution | None) -> str:
    if run is None:
        return "-"
    colour = {"SUCCEEDED": "green", "RUNNING": "yellow"}.get(run.status, "red")
    return f"[{colour}]{run.status}[/]"


def _steps(one: Tracked, run: Execution | None) -> str:
    if run is None or run.history is None or one.message.message_id not in run.messages:
        return "-"
    return " → ".join(run.history.steps[run.messages.index(one.message.message_id)]) or "-"


def _end(one: Tracked, stack: Stack) -> str:
    if one.place is Place.TABLE:
        return f"row in table {stack.table_name}"
    if one.place is Place.FAILED:
        return f"{_queue(stack.failed_queue_url)}: {reason(one.error, one.message.message_id)}"
    if one.place is Place.DEAD:
        queue = f"{_queue(stack.dead_letter_queue_url)} after {len(one.executions)} runs"
        return f"{queue}: {reason(one.error, one.message.message_id)}" if one.error else queue
    return one.place.upper() if one.place is Place.LOST else str(one.place)


def reason(error: str, message_id: str) -> str:
    """What ``error`` says of one message, if it lists several as ``<id>: <reason>; <id>: <reason>``, and not too long."""
    own = re.search(re.escape(message_id) + r": (.*?)(?:; [0-9a-f-]{36}: |$)", error, re.DOTALL)
    text = own.group(1) if own else error
    return text if len(text) <= _ERROR_WIDTH else text[: _ERROR_WIDTH - 1] + "…"


def _queue(url: str) -> str:
    return url.rsplit("/", 1)[-1]


def duration(seconds: float) -> str:
    """Seconds for people: ``0.42 s``, ``30 min 2 s``."""
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def next_steps(running: Running, stack: Stack, follower: Follower) -> list[str]:
    """Commands worth trying now."""
    port = running.port
    held = (one for one in follower.tracked.values() if one.executions and "hold_seconds" in one.message.body)
    arn = next((one.executions[-1].arn for one in held), None)
    lines = [
        command_line("status", port),
        command_line(f"logs {stack.function_name}", port),
        f"{command_line('exec', port)} -- durable-ops dead-letters list {stack.function_name}",
        f'eval "$({command_line("env", port)})"   # then the aws CLI and terraform talk to the sandbox',
    ]
    if arn:
        lines.append(f"aws lambda get-durable-execution-history --durable-execution-arn '{arn}'")
    return [*lines, command_line("down", port)]
