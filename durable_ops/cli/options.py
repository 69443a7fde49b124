"""Options that commands share: where AWS is, and how to print."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from durable_ops.clients import Session
from durable_ops.queue import Queue
from durable_ops.stack import Kind, Stack

Command = Callable[..., Any]

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout and nothing else there.")
name_argument = click.argument("name")

_WHERE = (
    click.option("--profile", help="Profile of the AWS configuration.  [default: AWS_PROFILE]"),
    click.option("--region", help="Region.  [default: AWS_REGION, AWS_DEFAULT_REGION, then the profile's]"),
    click.option("--endpoint-url", help="Address of something else than AWS.  [default: AWS_ENDPOINT_URL]"),
)


def aws_options(command: Command) -> Command:
    """Add --profile, --region, --endpoint-url; the command gets ``clients`` for them."""

    @functools.wraps(command)
    def call(*, profile: str | None, region: str | None, endpoint_url: str | None, **others: Any) -> Any:
        return command(clients=Session(profile, region, endpoint_url), **others)

    for option in reversed(_WHERE):
        call = option(call)
    return call


def queue_option(default: str | None) -> Callable[[Command], Command]:
    """--queue dlq|backlog-dlq|failed|all; None for a command that must be told."""
    return click.option(
        "--queue",
        "which",
        type=click.Choice([*(str(kind) for kind in Kind), "all"]),
        default=default,
        show_default=default is not None,
        help="<name>-dlq: never started (esm: kept failing); <name>-backlog-dlq: the same of the backlog that `sideline` "
        "makes; <name>-failed: started and failed.",
    )


def queues(stack: Stack, which: str | None) -> list[tuple[Kind, Queue]]:
    """The queues of ``stack`` that --queue names. Raises OpsError (NOT_FOUND)."""
    if which is None or which == "all":
        return stack.all_dead_letters()
    return [(Kind(which), stack.dead_letters(Kind(which)))]
