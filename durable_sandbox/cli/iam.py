"""``sandbox iam``: what a role used, what it was refused, and what it was granted for nothing."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import click

from durable_sandbox.cli import process
from durable_sandbox.cli.errors import CliError
from durable_sandbox.cli.options import json_option, port_option


@click.command()
@port_option
@click.option("--role", help="Name or ARN of a role, or a service such as sns.amazonaws.com. Without it: list them.")
@click.option("--unused", is_flag=True, help="Only what the role was granted and never needed since the last reset.")
@json_option
def iam(*, port: int, role: str | None, unused: bool, as_json: bool) -> None:
    """Show the decisions on a role: what it used, what was refused, what it never needed."""
    process.require(port)
    query = f"?{urlencode({'role': role})}" if role else ""
    answer = process.request_json(port, f"/_sandbox/iam{query}")
    if not answer["enforced"]:
        raise CliError(
            f"The sandbox on port {port} enforces no IAM, so there are no decisions.",
            "Restart it without --no-iam: sandbox down, then up.",
        )
    if role is None:
        _show_roles(answer["roles"], as_json=as_json)
        return
    report = answer["report"]
    if report is None:
        raise CliError(f"No role {role}, and nobody of that name asked for anything.", "List them: sandbox iam")
    if unused:
        report = {"principal": report["principal"], "unused": report["unused"]}
    if as_json:
        click.echo(json.dumps(report))
    else:
        _show(report)


def _show_roles(roles: list[str], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"roles": roles}))
        return
    for role in roles:
        click.echo(role)


def _show(report: dict[str, Any]) -> None:
    click.echo(report["principal"])
    for title in ("used", "refused"):
        if title in report:
            _section(title, [_tally(tally) for tally in report[title]])
    _section("granted, never needed", [_unused(one) for one in report["unused"]])
    if report.get("problem"):
        click.echo(f"\n{report['problem']}")


def _section(title: str, lines: list[str]) -> None:
    click.echo(f"\n{title}:")
    for line in lines or ["nothing"]:
        click.echo(f"  {line}")


def _tally(tally: dict[str, Any]) -> str:
    by = f"{tally['policy']}/{tally['statement']}" if "policy" in tally else tally["reason"]
    unknown = tally.get("unknown_conditions")
    hint = f" (cannot evaluate: {', '.join(unknown)})" if unknown else ""
    return f"{tally['count']:>6}  {tally['action']}  {tally['resource']}  [{by}]{hint}"


def _unused(one: dict[str, Any]) -> str:
    whole = " (the whole statement)" if one["whole_statement"] else ""
    return f"{one['policy']}/{one['statement']}  {one['action']}{whole}"
