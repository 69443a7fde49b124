"""``sandbox logs``: what functions wrote, from CloudWatch Logs."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from durable_sandbox.cli import aws
from durable_sandbox.cli.errors import ENVIRONMENT, CliError
from durable_sandbox.cli.options import port_option
from durable_sandbox.cli.process import require

_POLL_SECONDS = 0.5
# An event may become readable after younger ones: look back this far for those not shown yet.
_OVERLAP_MS = 10_000
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@click.command()
@click.argument("function", required=False)
@port_option
@click.option("--follow", "-f", is_flag=True, help="Go on until Ctrl-C.")
@click.option("--since", default="1h", show_default=True, help="How far back: 30s, 10m, 2h, 1d or an ISO time.")
def logs(*, function: str | None, port: int, follow: bool, since: str) -> None:
    """Print the log of FUNCTION (a name, or a log group that begins with /), or of all functions, oldest first."""
    require(port)
    start = parse_since(since, datetime.now(UTC))
    reader = Reader(aws.client(port, "logs"), int(start.timestamp() * 1000))
    group = _group(port, function) if function else None
    while True:
        for event_group, event in reader.read([group] if group else None):
            click.echo(line(event_group, event, with_group=group is None))
        if not follow:
            return
        time.sleep(_POLL_SECONDS)


def parse_since(text: str, now: datetime) -> datetime:
    """``10m``, ``2h`` ... before ``now``, or an ISO time (UTC if it names no zone). Raises click.BadParameter."""
    if match := re.fullmatch(r"(\d+)([smhd])", text):
        return now - timedelta(**{_UNITS[match.group(2)]: int(match.group(1))})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is neither a span (30s, 10m, 2h, 1d) nor an ISO time.", param_hint="--since"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def line(group: str, event: dict[str, Any], *, with_group: bool) -> str:
    """One event as text."""
    moment = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
    source = f"{group.removeprefix('/aws/lambda/')}  " if with_group else ""
    return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03}  {source}{event['message'].rstrip()}"


class Reader:
    """Reads log groups again and again, each event once. ``start`` is in milliseconds since 1970."""

    def __init__(self, client: Any, start: int) -> None:
        self._client = client
        self._starts: dict[str, int] = {}
        self._first = start
        self._shown: dict[str, dict[str, int]] = {}  # group -> event id -> timestamp

    def read(self, groups: list[str] | None) -> list[tuple[str, dict[str, Any]]]:
        """New events of ``groups`` (all if None) with their groups, by time. A group that is not there has none."""
        found = [(group, event) for group in groups or self._groups() for event in self._new(group)]
        return sorted(found, key=lambda pair: pair[1]["timestamp"])

    def _groups(self) -> list[str]:
        pages = self._client.get_paginator("describe_log_groups").paginate()
        return [group["logGroupName"] for page in pages for group in page["logGroups"]]

    def _new(self, group: str) -> Iterator[dict[str, Any]]:
        start = self._starts.get(group, self._first)
        shown = self._shown.setdefault(group, {})
        newest = start
        try:
            pages = self._client.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=start)
            for page in pages:
                for event in page["events"]:
                    newest = max(newest, event["timestamp"])
                    if event["eventId"] not in shown:
                        shown[event["eventId"]] = event["timestamp"]
                        yield event
        except self._client.exceptions.ResourceNotFoundException:
            return
        self._starts[group] = max(self._first, newest - _OVERLAP_MS)
        self._shown[group] = {key: moment for key, moment in shown.items() if moment >= self._starts[group]}


def _group(port: int, function: str) -> str:
    if function.startswith("/"):
        return function
    lambda_ = aws.client(port, "lambda")
    try:
        configuration = lambda_.get_function_configuration(FunctionName=function)
    except lambda_.exceptions.ResourceNotFoundException:
        pages = lambda_.get_paginator("list_functions").paginate()
        names = sorted(found["FunctionName"] for page in pages for found in page["Functions"])
        there = f"There are: {', '.join(names)}." if names else "There are no functions yet."
        raise CliError(f"There is no function {function!r} in the sandbox.", there, exit_code=ENVIRONMENT) from None
    default = f"/aws/lambda/{configuration['FunctionName']}"
    return str(configuration.get("LoggingConfig", {}).get("LogGroup") or default)
