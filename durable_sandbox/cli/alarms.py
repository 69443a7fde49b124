"""``sandbox alarms``."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from durable_sandbox.cli.environment import REGION
from durable_sandbox.cli.errors import CliError
from durable_sandbox.cli.options import json_option, port_option
from durable_sandbox.cli.process import request_json, require
from durable_sandbox.cli.progress import console as make_console

_POLL_SECONDS = 1.0
_STYLES = {"OK": "green", "ALARM": "bold red", "INSUFFICIENT_DATA": "dim"}
Row = Mapping[str, Any]


@click.command()
@port_option
@json_option
@click.option("--watch", "-w", is_flag=True, help="Go on until Ctrl-C: a line of JSON for each change with --json.")
def alarms(*, port: int, as_json: bool, watch: bool) -> None:
    """Show CloudWatch's alarms: state, since when, why, and the metric. The exit code is 0 in any state.

    Alarms are evaluated every five seconds, which are the minute of an AWS alarm.
    """
    require(port)
    rows = _read(port)
    if as_json:
        click.echo(json.dumps({"alarms": rows}))
        while watch:
            time.sleep(_POLL_SECONDS)
            before, rows = rows, _read(port)
            if rows != before:
                click.echo(json.dumps({"alarms": rows}))
        return
    console = make_console()
    if watch:
        with Live(_table(rows), console=console, auto_refresh=False) as live:
            while True:
                time.sleep(_POLL_SECONDS)
                live.update(_table(_read(port)), refresh=True)
    elif rows:
        console.print(_table(rows))
    else:
        click.echo("No alarms.")


def _read(port: int) -> list[Row]:
    try:
        found: list[Row] = request_json(port, "/_sandbox/alarms")["alarms"]
    except (OSError, ValueError, KeyError) as error:
        raise CliError(f"The sandbox on port {port} gave no alarms: {error}", "Look at its log.") from error
    return found


def _table(rows: Sequence[Row]) -> Table:
    table = Table(title="Alarms", title_justify="left")
    for column in ("alarm", "state", "since", "reason", "metric"):
        table.add_column(column, overflow="fold")
    for row in rows:
        name = row["name"] if row["region"] == REGION else f"{row['name']} ({row['region']})"
        state = f"[{_STYLES[row['state']]}]{row['state']}[/]"
        table.add_row(escape(name), state, _since(row["since"]), escape(row["reason"]), escape(row["metric"]))
    return table


def _since(text: str) -> str:
    """The time of day in UTC, as in ``sandbox logs``; with the day, if it is not today."""
    moment = datetime.fromisoformat(text).astimezone(UTC)
    today = moment.date() == datetime.now(UTC).date()
    return moment.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S")
