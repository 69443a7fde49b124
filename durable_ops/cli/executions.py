"""``durable-ops executions`` and ``durable-ops callback``."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from durable_ops.cli import show
from durable_ops.cli.confirm import confirm
from durable_ops.cli.options import aws_options, json_option, name_argument
from durable_ops.cli.progress import console, interruptible
from durable_ops.clients import Clients
from durable_ops.errors import Exit, OpsError
from durable_ops.executions import STATUSES, Callbacks, Execution, Executions
from durable_ops.timeline import callbacks as waiting
from durable_ops.timeline import read

_AGO = re.compile(r"(\d+)([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_STATUS_WIDTH = 10


class _Time(click.ParamType[datetime]):
    """``2h`` ago (s, m, h, d), or a date and time in ISO 8601; without a zone it is this machine's."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if ago := _AGO.fullmatch(str(value)):
            return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        try:
            return datetime.fromisoformat(str(value)).astimezone(UTC)
        except ValueError:
            self.fail(f"{value!r} is no time: 30m, 2h, 3d ago, or 2026-01-31T12:00", param, ctx)


@click.group()
def executions() -> None:
    """Durable executions of the function <name>."""


@executions.command("list")
@name_argument
@click.option("--status", "statuses", multiple=True, type=click.Choice(STATUSES, case_sensitive=False))
@click.option("--since", type=_Time(), help="Started at or after: 2h (ago; s, m, h, d), or 2026-01-31T12:00.")
@click.option("--until", type=_Time(), help="Started at or before.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True)
@json_option
@aws_options
def list_(
    *,
    clients: Clients,
    name: str,
    statuses: Sequence[str],
    since: datetime | None,
    until: datetime | None,
    limit: int,
    as_json: bool,
) -> None:
    """List executions, newest first."""
    found = Executions(clients("lambda"), name).find(statuses, since, until, limit)
    if as_json:
        click.echo(json.dumps({"executions": [one.shown() for one in found]}))
    elif found:
        console().print(show.executions(found, datetime.now(UTC)))
    else:
        click.echo("None.")


@executions.command("show")
@name_argument
@click.argument("execution")
@json_option
@aws_options
def show_(*, clients: Clients, name: str, execution: str, as_json: bool) -> None:
    """Show an execution, by ARN or name, with a timeline of its operations.

    Behind the dispatcher its name is the message's id. Callbacks that it waits for are named with the command that
    answers them.
    """
    known = Executions(clients("lambda"), name)
    found = known.resolve(execution)
    details, operations = known.details(found), read(known.history(found))
    if as_json:
        data = {"input": details.get("InputPayload"), "result": details.get("Result"), "error": details.get("Error")}
        shown = found.shown() | {"version": details.get("Version")} | data
        click.echo(json.dumps(shown | {"operations": [asdict(one) for one in operations]}))
        return
    out = console()
    # The sandbox skips waits, so that what runs may be ahead of the clock.
    seconds = max([found.seconds(datetime.now(UTC)), *(one.end or one.begin for one in operations)])
    status = f"{found.status}, {show.span(seconds)}"
    for label, value in (
        ("name", found.name),
        ("status", status),
        ("started", f"{found.started.astimezone():%Y-%m-%d %H:%M:%S %Z}"),
        ("version", details.get("Version", "")),
        ("ARN", found.arn),
    ):
        out.print(f"{label + ':':<9}{value}", highlight=False, markup=False, soft_wrap=True)
    out.print(show.timeline(operations, seconds))
    if said := show.error_line(details.get("Error")):
        out.print(f"error: {said}", highlight=False, markup=False, soft_wrap=True)
    if details.get("Result"):
        out.print(f"result: {details['Result']}", highlight=False, markup=False, soft_wrap=True)
    for callback in waiting(operations):
        out.print(f"answer: durable-ops callback succeed {callback}", highlight=False, markup=False, soft_wrap=True)


@executions.command()
@name_argument
@click.argument("chosen", metavar="[EXECUTION]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that are running now.")
@click.option("--reason", default="Stopped with durable-ops.", show_default=True, help="Kept as the execution's error.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@aws_options
def stop(
    *, clients: Clients, name: str, chosen: Sequence[str], everything: bool, reason: str, yes: bool, as_json: bool
) -> int:
    """Stop executions for good, by ARN or name. What they have done stays done.

    The event of one that was started asynchronously goes to <name>-failed, from where it can be redriven.
    """
    if everything == bool(chosen):
        raise click.UsageError("Say which: EXECUTION..., or --all.")
    known = Executions(clients("lambda"), name)
    found = known.find(["RUNNING"]) if everything else [known.resolve(one) for one in chosen]
    running = [one for one in found if one.ended is None]
    ended = [one for one in found if one.ended is not None]
    if running:
        confirm(f"Stop {len(running)} executions of {name} for good?", yes=yes)
    stopped: list[Execution] = []
    with interruptible() as told:
        for one in running:
            if told.is_set():
                break
            known.stop(one, reason)
            stopped.append(one)
            if not as_json:
                click.echo(f"stopped  {one.arn}")
    if as_json:
        click.echo(json.dumps({"stopped": [one.arn for one in stopped], "ended_before": [one.arn for one in ended]}))
    else:
        for one in ended:
            click.echo(f"{one.status.lower():<{_STATUS_WIDTH}}{one.arn}, before")
        click.echo(f"{len(stopped)} stopped.")
    return Exit.INTERRUPTED if len(stopped) < len(running) else Exit.OK


@click.group()
def callback() -> None:
    """Answer an execution that waits: `executions show` names the callback."""


@callback.command()
@click.argument("callback_id")
@click.option("--result", help="What the handler gets, as text; JSON, if that is what it reads.")
@click.option(
    "--result-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The same, from a file."
)
@json_option
@aws_options
def succeed(*, clients: Clients, callback_id: str, result: str | None, result_file: Path | None, as_json: bool) -> None:
    """Let it go on, with a result."""
    if result is not None and result_file is not None:
        raise OpsError("Both --result and --result-file are given.", "Leave one away.", Exit.USAGE)
    data = result_file.read_bytes() if result_file else (result or "").encode()
    Callbacks(clients("lambda")).succeed(callback_id, data)
    click.echo(json.dumps({"callback": callback_id, "answered": "succeeded"}) if as_json else "Succeeded.")


@callback.command()
@click.argument("callback_id")
@click.option("--message", required=True, help="Why.")
@click.option("--type", "error_type", default="FailedByOperator", show_default=True, help="What kind of error it is.")
@json_option
@aws_options
def fail(*, clients: Clients, callback_id: str, message: str, error_type: str, as_json: bool) -> None:
    """Let it fail, with an error."""
    Callbacks(clients("lambda")).fail(callback_id, error_type, message)
    click.echo(json.dumps({"callback": callback_id, "answered": "failed"}) if as_json else "Failed.")
