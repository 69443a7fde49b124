"""The entry point: commands, and one line for every error that a user can act on."""

from __future__ import annotations

import signal
import sys
from types import FrameType

import click

from durable_sandbox import __version__
from durable_sandbox.cli.alarms import alarms
from durable_sandbox.cli.demo.command import demo
from durable_sandbox.cli.errors import ENVIRONMENT
from durable_sandbox.cli.iam import iam
from durable_sandbox.cli.lifecycle import down, env, exec_, reset, up
from durable_sandbox.cli.logs import logs
from durable_sandbox.cli.redrive import redrive
from durable_sandbox.cli.soak.command import soak
from durable_sandbox.cli.status import status
from durable_sandbox.cli.ws.command import ws
from durable_sandbox.terraform_setup import TerraformProblem

_INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sandbox")
def cli() -> None:
    """Local AWS with real durable executions: one process, one port."""


for _command in (up, down, reset, status, alarms, env, exec_, logs, iam, demo, soak, redrive, ws):
    cli.add_command(_command)


def main() -> None:
    """Run the command line and exit: 0 fine, 1 failure, 2 wrong usage or environment, 130 interrupted."""
    signal.signal(signal.SIGTERM, _terminated)
    sys.exit(_run(sys.argv[1:]))


def _run(arguments: list[str]) -> int:
    try:
        code = cli.main(arguments, prog_name="sandbox", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo(
            "Interrupted. What was begun can be run again; a sandbox that was started goes on: `sandbox down` stops it.",
            err=True,
        )
        return _INTERRUPTED
    except TerraformProblem as error:
        click.echo(f"Error: {error.what}\n{error.fix}", err=True)
        return ENVIRONMENT if error.environment else 1
    except BrokenPipeError:
        sys.stderr.close()  # the reader of a pipe has gone; Python would complain about it at exit
        return 1
    except Exception as error:
        if not _is_aws_error(error):
            raise
        click.echo(f"Error: {error}\nSee `sandbox status` and the sandbox's log.", err=True)
        return 1
    return code if isinstance(code, int) else 0


def _is_aws_error(error: Exception) -> bool:
    if "botocore" not in sys.modules:  # then nothing of it can have been raised
        return False
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - loaded already

    return isinstance(error, BotoCoreError | ClientError)


def _terminated(_: int, __: FrameType | None) -> None:
    raise SystemExit(128 + signal.SIGTERM)
