"""``sandbox status``."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import click
import psutil
from rich.markup import escape
from rich.table import Table

from durable_sandbox.cli.environment import REGION
from durable_sandbox.cli.errors import CliError
from durable_sandbox.cli.options import json_option, port_option
from durable_sandbox.cli.process import Running, request_json, require
from durable_sandbox.cli.progress import console as make_console

_MEBI = 1024 * 1024
Row = Mapping[str, Any]


@click.command()
@port_option
@json_option
def status(*, port: int, as_json: bool) -> None:
    """Show queues, functions, pipes, mappings, WebSocket APIs, executions, memory and uptime."""
    running = require(port)
    try:
        current = request_json(port, "/_sandbox/status")
    except (OSError, ValueError) as error:
        raise CliError(f"The sandbox on port {port} gave no status: {error}", "Look at its log.") from error
    current["uptime_seconds"] = _uptime(running.pid)
    for api in current["apis"]:
        api["urls"] = [f"{api['endpoint']}/{stage}" for stage in api["stages"]]
    if as_json:
        click.echo(json.dumps(current))
        return
    console = make_console()
    functions = _functions(current["functions"], current["executions"])
    mappings = _mappings(current["mappings"])
    apis = _apis(current["apis"], current["websockets"])
    for table in (_queues(current["queues"]), functions, _pipes(current["pipes"]), mappings, apis):
        if table.row_count:
            console.print(table)
    for line in summary(running, current):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def summary(running: Running, current: Mapping[str, Any]) -> list[str]:
    """The lines below the tables: executions, memory, time."""
    total: Counter[str] = Counter()
    for counts in current["executions"].values():
        total.update(counts)
    memory = current["memory"]
    server, environments = memory["server_bytes"] / _MEBI, memory["environment_bytes"] / _MEBI
    uptime = current["uptime_seconds"]
    waits = "real time" if running.real_time else f"waits skipped, retry waits divided by {running.time_scale:g}"
    return [
        f"Durable executions: {counted(total)}",
        f"Memory: {server:.0f} MiB, and {environments:.0f} MiB in Lambda environments",
        f"{running.endpoint_url}, pid {running.pid}, up {_span(uptime)}, {waits}",
    ]


def _uptime(pid: int) -> float | None:
    try:
        return round(time.time() - float(psutil.Process(pid).create_time()), 1)
    except psutil.Error:  # in another container
        return None


def _span(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", overflow="fold")
    return table


def _name(row: Row) -> str:
    region = row.get("region", REGION)
    name = row["name"] if region == REGION else f"{row['name']} ({region})"
    return escape(str(name))


def _queues(rows: Sequence[Row]) -> Table:
    table = _table("Queues", "queue", "visible", "in flight", "delayed")
    for row in rows:
        table.add_row(_name(row), str(row["visible"]), str(row["in_flight"]), str(row["delayed"]))
    return table


def _functions(rows: Sequence[Row], executions: Mapping[str, Mapping[str, int]]) -> Table:
    table = _table("Functions", "function", "versions", "busy", "idle", "durable executions")
    for row in rows:
        counts = counted(executions.get(row["name"], {})) if row["durable"] else "-"
        table.add_row(_name(row), str(row["versions"]), str(row["busy"]), str(row["idle"]), counts)
    return table


def counted(counts: Mapping[str, int]) -> str:
    """Executions by status in words."""
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "none"


def _pipes(rows: Sequence[Row]) -> Table:
    table = _table("Pipes", "pipe", "state", "in flight", "batches", "failed", "reason")
    for row in rows:
        metrics = row["metrics"]
        counts = (row["in_flight"], metrics["executions"], metrics["executions_failed"])
        table.add_row(_name(row), escape(str(row["state"])), *map(str, counts), escape(str(row["reason"])))
    return table


def _mappings(rows: Sequence[Row]) -> Table:
    table = _table("Event source mappings", "source", "function", "state", "in flight", "polled", "failed", "problem")
    for row in rows:
        # Of a queue the last part of its ARN; of an alias the function and the alias.
        source, function = _source(str(row["source"])), str(row["function"]).split(":function:")[-1]
        counts = (row["in_flight"], row["counts"]["polled"], row["counts"]["failed"])
        table.add_row(
            escape(source), escape(function), escape(str(row["state"])), *map(str, counts), escape(row["problem"] or "")
        )
    return table


def _apis(rows: Sequence[Row], connections: Sequence[Row]) -> Table:
    """A line a stage, whose name ends the URL; the URL stays in one piece, to be copied."""
    open_ = {(row["api"], row["stage"]): row["connections"] for row in connections}
    table = _table("WebSocket APIs", "API", "connections")
    table.add_column("URL", no_wrap=True)
    for row in rows:
        for stage, url in zip(row["stages"], row["urls"], strict=True):
            table.add_row(_name(row), str(open_.get((row["id"], stage), 0)), escape(url))
        if not row["stages"]:
            table.add_row(_name(row), "0", "no stage")
    return table


def _source(arn: str) -> str:
    """A queue's name, ``stream/<name>``, or ``table/<name>``: its stream's label says nothing."""
    resource = arn.split(":", 5)[-1]
    return resource.partition("/stream/")[0] if resource.startswith("table/") else resource
