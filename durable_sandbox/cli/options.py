"""Options that several commands share."""

from __future__ import annotations

import click

from durable_sandbox.cli.environment import DEFAULT_PORT

port_option = click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    envvar="SANDBOX_PORT",
    show_envvar=True,
    help="Port of the sandbox.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout and nothing else there.")
real_time_option = click.option("--real-time", is_flag=True, help="Durable waits take as long as they say.")
