"""The entry point: commands, and one line with a fix for every error that a user can act on."""

from __future__ import annotations

import signal
import sys
from importlib.metadata import PackageNotFoundError, version
from types import FrameType

import click
from botocore.exceptions import BotoCoreError, ClientError

from durable_ops.cli.dead_letters import dead_letters
from durable_ops.cli.executions import callback, executions
from durable_ops.errors import Exit, OpsError, explain


def _version() -> str:
    try:
        return version("durable-sandbox")  # the distribution that this package is part of
    except PackageNotFoundError:
        return "unknown"


_HELP = """Operate a durable pipeline: dead letters, executions, callbacks.

NAME is the root module's input `name`. Works on AWS with the environment's credentials, and on anything else that
AWS_ENDPOINT_URL or --endpoint-url names.

\b
Exit codes:
  0    done
  1    not all of it, or AWS refused
  2    wrong usage, no region, or an endpoint that is no address
  3    nothing answers at the endpoint
  4    no credentials, or wrong ones
  5    not permitted
  6    no such stack, dead letter, execution or callback
  130  interrupted (Ctrl-C or SIGTERM): run it again
"""


@click.group(help=_HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(_version(), prog_name="durable-ops")
def cli() -> None:
    """Operate a durable pipeline."""


for _command in (dead_letters, executions, callback):
    cli.add_command(_command)


def main() -> None:
    """Run the command line and exit."""
    signal.signal(signal.SIGTERM, _terminated)
    sys.exit(_run(sys.argv[1:]))


def _run(arguments: list[str]) -> int:
    try:
        code = cli.main(arguments, prog_name="durable-ops", standalone_mode=False)
    except click.ClickException as error:
        return _wrong_usage(error)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted. What was begun can be run again.", err=True)
        return Exit.INTERRUPTED
    except OpsError as error:
        return _say(error)
    except (BotoCoreError, ClientError) as error:
        return _say(explain(error))
    except BrokenPipeError:
        sys.stderr.close()  # the reader of a pipe has gone; Python would complain about it at exit
        return Exit.FAILED
    return code if isinstance(code, int) else Exit.OK


def _say(error: OpsError) -> int:
    click.echo(f"Error: {error.what}", err=True)
    click.echo(error.fix, err=True)
    return error.exit_code


def _wrong_usage(error: click.ClickException) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return Exit.USAGE
    context = getattr(error, "ctx", None)
    command = "durable-ops" if context is None else context.command_path
    return _say(OpsError(error.format_message(), f"See: {command} --help", Exit.USAGE))


def _terminated(_: int, __: FrameType | None) -> None:
    """As Ctrl-C, so that whoever ends it sees one code; what walks a queue ends in order (``interruptible``)."""
    raise KeyboardInterrupt
