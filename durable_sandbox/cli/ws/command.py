"""``sandbox ws URL``."""

from __future__ import annotations

import asyncio
import re
import sys

import click

from durable_sandbox.cli.errors import ENVIRONMENT, CliError
from durable_sandbox.cli.options import json_option
from durable_sandbox.cli.ws import advice
from durable_sandbox.cli.ws.client import Client, EndedError
from durable_sandbox.cli.ws.handshake import KeysError, RefusedError, Target, UnreachableError
from durable_sandbox.cli.ws.messages import InputError
from durable_sandbox.cli.ws.show import Screen

_INTERRUPTED = 130
_WAIT_SECONDS = 5.0
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110


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
    help="When all is sent, end after so many seconds without a message.  [default: 5; at once after Ctrl-D]",
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
    wait: float | None,
    as_json: bool,
) -> int:
    """Talk to the WebSocket API at URL, in a sandbox or on AWS.

    Each line of the input is sent as a message, and what comes back is printed. On a terminal that goes on until Ctrl-D or
    Ctrl-C; a terminal cuts lines at some thousand characters, so give longer ones through a pipe.

    The exit code is 0 if it was ended here, 1 if the other side closed the connection or refused it, or fewer messages came
    than --count, 2 if the URL, an option or the input is wrong, 130 if a script was interrupted.

    For example: sandbox ws "$(terraform output -raw url)", or, in a script, sandbox ws URL -s '{"id": "1"}' -n 2 --json
    """
    for name in subprotocols:
        _check_subprotocol(name)
    for text in messages:
        _check_utf8(text)
    target = _target(url, [_header(text) for text in headers], subprotocols, sign=sign)
    interactive = not messages and sys.stdin is not None and sys.stdin.isatty()
    if wait is None:
        wait = 0.0 if interactive else _WAIT_SECONDS
    note = advice.idle_note(advice.sandbox_of(target)) if interactive else ""
    screen = Screen(as_json=as_json, interactive=interactive, note=note)
    client = Client(target, screen, count=count, wait=wait)
    try:
        _converse(client, target, messages, screen)
    except KeyboardInterrupt:
        if not interactive:
            click.echo("Interrupted.", err=True)
            return _INTERRUPTED
    finally:
        screen.left()
    if count is not None and client.received < count:
        raise CliError(
            f"{client.received} of {count} messages came.", "Wait longer (--wait SECONDS), or see `sandbox logs`."
        )
    return 0


def _converse(client: Client, target: Target, messages: tuple[str, ...], screen: Screen) -> None:
    try:
        asyncio.run(client.run(messages))
    except KeysError as error:
        raise advice.unsigned(target, error) from error
    except RefusedError as error:
        raise advice.refused(target, error) from error
    except UnreachableError as error:
        raise advice.unreachable(target, error) from error
    except EndedError as error:
        screen.discard()
        raise advice.ended(target, error, client.largest) from error
    except InputError as error:
        raise CliError(str(error), "Convert it, for example with iconv -t UTF-8.", exit_code=ENVIRONMENT) from error


def _target(url: str, headers: list[tuple[str, str]], subprotocols: tuple[str, ...], *, sign: bool) -> Target:
    what = f"{url!r} is no WebSocket URL."
    if url.lower().startswith(("ws://", "wss://")):
        try:
            return Target(url, headers, subprotocols, sign)
        except ValueError as error:
            what = str(error)
    raise CliError(what, "Give ws://... or wss://..., as the output `url` has it.", exit_code=ENVIRONMENT)


def _header(text: str) -> tuple[str, str]:
    name, separator, value = text.partition(":")
    name, value = name.strip(), value.strip()
    if not separator or not _TOKEN.fullmatch(name) or not (value.isascii() and value.isprintable()):
        raise CliError(
            f"--header is {text!r}.",
            "Write it as 'Name: value', the value in ASCII on one line.",
            exit_code=ENVIRONMENT,
        )
    return name, value


def _check_subprotocol(name: str) -> None:
    if not _TOKEN.fullmatch(name):
        fix = "A name has letters, digits and signs, without blanks and commas; give the option once a name."
        raise CliError(f"--subprotocol is {name!r}.", fix, exit_code=ENVIRONMENT)


def _check_utf8(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise CliError(
            f"--send {text!r} is no UTF-8: byte 0x{ord(text[error.start]) & 0xFF:02x}.",
            "Convert it, for example with iconv -t UTF-8.",
            exit_code=ENVIRONMENT,
        ) from error
