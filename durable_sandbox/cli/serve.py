"""The server process: ``python -m durable_sandbox.cli.serve``, as the CLI and the pytest plugin start it."""

from __future__ import annotations

import os
import signal
import sys
import threading

import click

from durable_sandbox.cli.environment import unset_variables


@click.command()
@click.option("--port", type=int, required=True)
@click.option("--real-time", is_flag=True)
@click.option("--time-scale", type=float, default=60.0)
@click.option("--log-level", default="info")
@click.option("--no-iam", is_flag=True)
@click.option("--until-stdin-closes", is_flag=True, help="End when the process that started this one does.")
def serve(
    *, port: int, real_time: bool, time_scale: float, log_level: str, no_iam: bool, until_stdin_closes: bool
) -> None:
    """Serve until SIGTERM or SIGINT."""
    if until_stdin_closes:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    run_server(port=port, real_time=real_time, time_scale=time_scale, log_level=log_level, iam=not no_iam)


def run_server(*, port: int, real_time: bool, time_scale: float, log_level: str, iam: bool) -> None:
    """Serve in this process; returns when it was told to stop."""
    _leave_user_settings()
    from durable_sandbox.server import SandboxConfig  # noqa: PLC0415 - heavy; only a server process needs it
    from durable_sandbox.serving import run  # noqa: PLC0415 - as above

    run(SandboxConfig(port=port, real_time=real_time, time_scale=time_scale, log_level=log_level, iam=iam))


def _leave_user_settings() -> None:
    # The user's profile or endpoint must reach neither botocore in here nor the functions.
    for name in [*unset_variables(), "AWS_ENDPOINT_URL"]:
        os.environ.pop(name, None)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        os.environ[name] = os.devnull


def _end_with_stdin() -> None:
    # The pipe closes whenever the parent ends, even killed; nothing else would tell us on every platform.
    while sys.stdin.buffer.read(4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    serve()
