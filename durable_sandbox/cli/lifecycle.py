"""``sandbox up``, ``down``, ``reset``, ``env`` and ``exec``."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
import threading
import time
from pathlib import Path

import click

from durable_sandbox.cli import process
from durable_sandbox.cli.environment import (
    client_environment,
    client_variables,
    command_line,
    endpoint_url,
    module_root,
    state_dir,
    terraform_dirs,
    unset_variables,
)
from durable_sandbox.cli.errors import ENVIRONMENT, CliError
from durable_sandbox.cli.options import json_option, port_option, real_time_option
from durable_sandbox.cli.stack import check_same_time, forget
from durable_sandbox.terraform_setup import find_terraform, provider_env

_IN_MEMORY = "Its state is in memory only and ends with it."
_levels = click.Choice(["debug", "info", "warning", "error"])


@click.command()
@port_option
@click.option("--detach", is_flag=True, help="Run in the background and return when it answers.")
@real_time_option
@click.option(
    "--time-scale",
    type=click.FloatRange(min=1),
    default=60.0,
    show_default=True,
    help="Divides retry waits, and the time that a WebSocket connection may be idle.",
)
@click.option("--log-level", type=_levels, default="info", show_default=True)
@click.option("--no-iam", is_flag=True, help="Allow every call, whatever the roles' policies say.")
def up(*, port: int, detach: bool, real_time: bool, time_scale: float, log_level: str, no_iam: bool) -> None:
    """Start a sandbox. Its state is in memory only."""
    running = process.find(port)
    if running is not None:
        check_same_time(running, real_time=real_time)
        _check_same_iam(running, iam=not no_iam)
        click.echo(f"A sandbox is running already at {running.endpoint_url} (pid {running.pid}).")
        return
    start = process.Start(port, real_time=real_time, time_scale=time_scale, log_level=log_level, iam=not no_iam)
    if detach:
        running = process.start_detached(start, state_dir())
        _greet(running)
        click.echo(f"Log: {state_dir() / f'sandbox-{port}.log'}")
        return
    if not process.port_is_free(port):
        raise process.port_conflict(port)
    _serve_here(start)


def _serve_here(start: process.Start) -> None:
    from durable_sandbox.cli.serve import run_server  # noqa: PLC0415 - only this command needs a server

    threading.Thread(target=_greet_when_up, args=(start.port,), daemon=True).start()
    try:
        run_server(
            port=start.port,
            real_time=start.real_time,
            time_scale=start.time_scale,
            log_level=start.log_level,
            iam=start.iam,
        )
    finally:
        process.pid_file(state_dir(), start.port).unlink(missing_ok=True)


def _greet_when_up(port: int) -> None:
    deadline = time.monotonic() + process.START_SECONDS
    while time.monotonic() < deadline:
        running = process.find(port, timeout=1.0)
        if running is not None:
            process.write_pid_file(state_dir(), running)
            _greet(running)
            return
        time.sleep(0.05)


def _greet(running: process.Running) -> None:
    click.echo(f"The sandbox runs at {running.endpoint_url} (pid {running.pid}). {_IN_MEMORY}")
    if not running.iam:
        click.echo("IAM is NOT enforced (--no-iam): every call is allowed, which AWS will not do.")
    click.echo(f'Point AWS clients to it: eval "$({command_line("env", running.port)})"')


def _check_same_iam(running: process.Running, *, iam: bool) -> None:
    if iam != running.iam:
        does = "enforces" if running.iam else "does not enforce"
        raise CliError(
            f"The sandbox that runs on port {running.port} {does} IAM, which --no-iam decides when it starts.",
            f"Stop it first: {command_line('down', running.port)}",
            exit_code=ENVIRONMENT,
        )


@click.command()
@port_option
def down(*, port: int) -> None:
    """Stop the sandbox and all that it started."""
    pid = process.stop(port, state_dir())
    click.echo(f"Stopped the sandbox on port {port} (pid {pid})." if pid else f"No sandbox is running on port {port}.")


@click.command()
@port_option
def reset(*, port: int) -> None:
    """Delete everything in the sandbox, and the Terraform state of the demo and the soak with it."""
    process.require(port)
    try:
        process.request_json(port, "/_sandbox/reset", method="POST", timeout=60.0)
    except (OSError, ValueError) as error:
        raise CliError(
            f"The sandbox on port {port} could not be reset: {error}", "Restart it: sandbox down, then up."
        ) from error
    root = module_root()
    for directory in {state_dir(), root / ".sandbox" if root else state_dir()}:
        for work_dir in terraform_dirs(directory, port):
            forget(work_dir)
    click.echo(f"The sandbox on port {port} is empty.")


@click.command()
@port_option
@json_option
def env(*, port: int, as_json: bool) -> None:
    """Print the variables that point AWS clients to the sandbox, for `eval "$(sandbox env)"`."""
    if process.find(port) is None:
        click.echo(f"Note: no sandbox answers on {endpoint_url(port)} yet.", err=True)
    variables = client_variables(port)
    if as_json:
        click.echo(json.dumps(variables))
        return
    for name, value in variables.items():
        click.echo(f"export {name}={shlex.quote(value)}")
    click.echo(f"unset {' '.join(unset_variables())}")


@click.command(name="exec", context_settings={"ignore_unknown_options": True})
@port_option
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def exec_(*, port: int, command: tuple[str, ...]) -> None:
    """Run COMMAND with AWS clients pointed to the sandbox: `sandbox exec -- aws sqs list-queues`."""
    process.require(port)
    environment = client_environment(port)
    # What is installed beside this command, durable-ops for one, after what the user has.
    environment["PATH"] = os.pathsep.join([environment.get("PATH", os.defpath), str(Path(sys.executable).parent)])
    program = shutil.which(command[0], path=environment.get("PATH"))
    if program is None:
        raise CliError(f"{command[0]} was not found.", "Check its name, or install it.", exit_code=127)
    if Path(program).name == "terraform":
        found = provider_env(find_terraform(environment), environment, state_dir())
        environment |= {name: value for name, value in found.items() if value}
    os.execvpe(program, _arguments(command, port), environment)  # noqa: S606 - becoming the user's command is the purpose


def _arguments(command: tuple[str, ...], port: int) -> list[str]:
    """``command``, with the endpoint named to the aws CLI.

    Version 1 of it sends some services, SQS among them, to AWS in spite of AWS_ENDPOINT_URL
    (https://github.com/aws/aws-cli/issues/8737); version 2 does not, and takes the option as well.
    """
    program, *rest = command
    if Path(program).name != "aws" or any(argument.startswith("--endpoint-url") for argument in rest):
        return list(command)
    return [program, "--endpoint-url", endpoint_url(port), *rest]
