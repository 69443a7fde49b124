"""``sandbox ws URL``."""

from __future__ import annotations

import asyncio
import sys

import click

from durable_sandbox.cli.errors import ENVIRONMENT, CliError
from durable_sandbox.cli.options import json_option
from durable_sandbox.cli.ws.client import Client, ConnectionEndedError, Target, UnreachableError
from durable_sandbox.cli.ws.show import Screen

_USAGE = ENVIRONMENT


@click.command()
@click.argument("url")
@click.option(
    "--header",
    "-H",
    "headers",
    multiple=True,
    metavar="'NAME: VALUE'",
    help="Header of the handshake; may be given again.",
)
@click.option(
    "--subprotocol", "subprotocols", multiple=True, metavar="NAME", help="Sec-WebSocket-Protocol; may be given again."
)
@click.option(
    "--sign",
    is_flag=True,
    help="Sign the handshake with the environment's AWS keys, for a $connect route with AWS_IAM.",
)
@click.option(
    "--send",
    "-s",
    "messages",
    multiple=True,
    metavar="TEXT",
    help="Send TEXT instead of reading lines; may be given again.",
)
@click.option("--count", "-n", type=click.IntRange(1), help="End once so many messages have come.")
@click.option(
    "--wait",
    type=click.FloatRange(0),
    default=5.0,
    show_default=True,
    help="When all is sent, end after so many seconds without a message.",
)
@json_option
def ws(
    *,
    url: str,
    headers: tuple[str, ...],
    subprotocols: tuple[str, ...],
    sign: bool,
    messages: tuple[str, ...],
    count: int | None,
    wait: float,
    as_json: bool,
) -> int:
    """Talk to the WebSocket API at URL: each line of the input is sent as a message, and what comes back is printed.

    On a terminal it goes on until Ctrl-D or Ctrl-C. The exit code is 0 if it was ended here, 1 if the other side closed the
    connection, refused it, or fewer messages came than --count, 2 if the URL or an option is wrong.

    For example: sandbox ws "$(terraform output -raw url)", or, in a script, sandbox ws URL -s '{"id": "1"}' -n 2 --json
    """
    if not url.startswith(("ws://", "wss://")):
        raise CliError(
            f"{url!r} is no WebSocket URL.", "Give ws://... or wss://..., as the output `url` has it.", exit_code=_USAGE
        )
    target = Target(url, [_header(text) for text in headers], subprotocols, sign)
    screen = Screen(as_json=as_json, interactive=not messages and sys.stdin.isatty())
    client = Client(target, screen, count=count, wait=wait)
    try:
        received = asyncio.run(client.run(messages))
    except UnreachableError as error:
        raise CliError(error.what, error.fix) from error
    except ConnectionEndedError as error:
        raise CliError(str(error)) from error
    if count is not None and received < count:
        raise CliError(
            f"{received} of {count} messages came.", "Wait longer with --wait SECONDS, or look at `sandbox logs`."
        )
    return 0


def _header(text: str) -> tuple[str, str]:
    name, separator, value = text.partition(":")
    if not separator or not name.strip():
        raise CliError(f"--header is {text!r}.", "Write it as 'Name: value'.", exit_code=_USAGE)
    return name.strip(), value.strip()
