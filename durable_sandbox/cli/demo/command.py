"""``sandbox demo``."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import click
from rich.console import Console

from durable_sandbox.cli import aws
from durable_sandbox.cli.demo import report, stack
from durable_sandbox.cli.demo.follow import Follower, Place
from durable_sandbox.cli.demo.messages import MINIMUM, build, send
from durable_sandbox.cli.environment import module_root, state_dir
from durable_sandbox.cli.errors import CliError
from durable_sandbox.cli.lifecycle import check_same_time
from durable_sandbox.cli.options import json_option, port_option, real_time_option
from durable_sandbox.cli.process import Running, Start, find, port_conflict, port_is_free, start_detached
from durable_sandbox.cli.progress import console as make_console
from durable_sandbox.cli.progress import progress
from durable_sandbox.terraform import Progress, Terraform

_TIMEOUT_SECONDS = 120.0
_count = click.IntRange(min=MINIMUM)


@click.command()
@port_option
@json_option
@real_time_option
@click.option("--messages", type=_count, default=20, show_default=True, help="How many to send; 3 of them fail.")
@click.option(
    "--hold-seconds", type=click.IntRange(min=1), default=1800, show_default=True, help="The held one's wait."
)
@click.option("--timeout", type=float, help="Seconds to follow them.  [default: 120, plus the hold in real time]")
@click.option("--keep/--destroy", default=True, help="Keep the stack afterwards (default), or destroy it.")
def demo(
    *, port: int, as_json: bool, real_time: bool, messages: int, hold_seconds: int, timeout: float | None, keep: bool
) -> None:
    """Apply the sample pipeline to the sandbox, send messages and follow each to its end.

    Three messages must fail (two are invalid, one makes a step raise), the others must end in the table. The exit code
    is 0 only if exactly that happened. With --json one object is printed on stdout; its "seconds" count from the first
    message sent until all have ended.
    """
    console = make_console(stderr=as_json)
    if find(port) is None and not port_is_free(port):
        raise port_conflict(port)
    terraform = stack.prepare(port)  # before, so that no sandbox is started that terraform could not use
    running = _sandbox(console, port, real_time=real_time)
    stack.forget_other_instance(terraform.work_dir, running)
    applied = _apply(console, terraform, running)
    if timeout is None:
        timeout = _TIMEOUT_SECONDS + (hold_seconds if running.real_time else 0)

    batch = build(messages, hold_seconds)
    since = datetime.now(UTC) - timedelta(seconds=2)  # StartedAfter is sent in whole seconds
    started = time.monotonic()
    send(aws.client(port, "sqs"), applied.queue_url, batch)
    follower = Follower(running, applied, batch, since)
    _follow(console, follower, timeout)
    figures = report.Figures.of(follower.tracked.values(), time.monotonic() - started)
    console.print(report.table(follower, applied))
    wrong = report.problems(follower, figures)
    _conclude(console, figures, running, report.next_steps(running, applied, follower) if keep else [])
    if not keep:
        _destroy(console, terraform)
    if as_json:
        click.echo(json.dumps(asdict(figures)))
    if wrong:
        raise CliError("\n".join(wrong), f"See: sandbox status --port {port}; sandbox logs --port {port}")


def _sandbox(console: Console, port: int, *, real_time: bool) -> Running:
    running = find(port)
    if running is not None:
        check_same_time(running, real_time=real_time)
        console.print(f"Using the sandbox that runs at {running.endpoint_url}.", highlight=False)
        return running
    root = module_root()
    running = start_detached(Start(port, real_time=real_time), root / ".sandbox" if root else state_dir())
    console.print(f"Started the sandbox at {running.endpoint_url}; its state is in memory only.", highlight=False)
    return running


def _apply(console: Console, terraform: Terraform, running: Running) -> stack.Stack:
    with progress(console, "Applying the root module") as update:
        update(0, 0, "terraform init")

        def on_progress(state: Progress) -> None:
            update(state.done, state.total, ", ".join(state.running)[:60])

        applied = stack.apply(terraform, on_progress)
        update(1, 1, "waiting for the pipe")
        stack.wait_for_pipe(running.port, applied)
    return applied


def _follow(console: Console, follower: Follower, timeout: float) -> None:
    def on_poll(_: Follower) -> None:
        places = [one.place for one in follower.tracked.values()]
        counts = ", ".join(f"{places.count(place)} {place}" for place in Place if place in places)
        update(sum(one.ended for one in follower.tracked.values()), len(places), counts)

    with progress(console, "Following the messages") as update:
        follower.follow(timeout, on_poll)
    follower.settle()


def _conclude(console: Console, figures: report.Figures, running: Running, lines: list[str]) -> None:
    console.print(
        f"\n{figures.sent} sent: {figures.succeeded} succeeded, {figures.failed} failed, {figures.lost} lost "
        f"in {figures.seconds:.1f} s.",
        highlight=False,
    )
    if lines:
        console.print(f"\nThe sandbox keeps running at {running.endpoint_url} (state in memory only). Try next:")
        for line in lines:
            console.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)


def _destroy(console: Console, terraform: Terraform) -> None:
    with progress(console, "Destroying the stack") as update:
        terraform.destroy(lambda state: update(state.done, state.total, ", ".join(state.running)[:60]))
