"""``sandbox redrive``: the redrive of durable-ops, in the sandbox."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import click
from botocore.exceptions import BotoCoreError, ClientError

from durable_ops.cli.redrive import HELP, redrive_options, run
from durable_ops.errors import OpsError, explain
from durable_sandbox.cli import aws, process
from durable_sandbox.cli.errors import CliError
from durable_sandbox.cli.options import port_option


@click.command(help=HELP)
@redrive_options
@port_option
def redrive(
    *,
    port: int,
    name: str,
    which: str,
    ids: Sequence[str],
    rate: int,
    method: str | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Bring dead letters back; the help text is durable-ops' own. The exit codes are, too."""
    process.require(port)
    clients = functools.cache(functools.partial(aws.client, port))
    try:
        return run(clients, name=name, which=which, ids=ids, rate=rate, method=method, dry_run=dry_run, as_json=as_json)
    except OpsError as error:
        raise CliError(error.what, error.fix, exit_code=error.exit_code) from error
    except (BotoCoreError, ClientError) as error:
        problem = explain(error)
        raise CliError(problem.what, problem.fix, exit_code=problem.exit_code) from error
