"""``sandbox demo``."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import click
from rich.console import Console

from durable_sandbox.cli import aws, stack
from durable_sandbox.cli.demo import order, report
from durable_sandbox.cli.demo.follow import Follower, Place
from durable_sandbox.cli.demo.messages import MINIMUM, build, in_groups, send
from durable_sandbox.cli.demo.variant import Variant
from durable_sandbox.cli.environment import client_environment, command_line, terraform_dir
from durable_sandbox.cli.errors import CliError
from durable_sandbox.cli.options import json_option, port_option, real_time_option
from durable_sandbox.cli.process import Running
from durable_sandbox.cli.progress import console as make_console
from durable_sandbox.cli.progress import progress
from durable_sandbox.terraform import Terraform

_TIMEOUT_SECONDS = 120.0
_count = click.IntRange(min=MINIMUM)


@click.command()
@port_option
@json_option
@real_time_option
@click.option(
    "--bridge",
    type=click.Choice(stack.BRIDGES),
    default="pipe",
    show_default=True,
    help="How messages reach the function: EventBridge Pipe, event source mapping, or dispatcher function.",
)
@click.option("--fifo", is_flag=True, help="A FIFO queue, messages in four groups; with esm or dispatcher.")
@click.option("--messages", type=_count, default=20, show_default=True, help="How many to send; 3 of them fail.")
@click.option(
    "--hold-seconds", type=click.IntRange(min=1), help="The held one's wait.  [default: 1800, with --bridge esm 5]"
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds to follow them.  [default: 120, plus the hold in real time, plus the redeliveries behind esm]",
)
@click.option("--keep/--destroy", default=True, help="Keep the stack afterwards (default), or destroy it.")
def demo(
    *,
    port: int,
    as_json: bool,
    real_time: bool,
    bridge: str,
    fifo: bool,
    messages: int,
    hold_seconds: int | None,
    timeout: float | None,
    keep: bool,
) -> None:
    """Apply the sample pipeline to the sandbox, send messages and follow each to its end.

    Three messages must fail (two are invalid, one makes a step raise), the others must end in the table. The exit code
    is 0 only if exactly that happened. Each bridge has a stack of its own, which the next run uses again.

    What fails ends in <name>-failed; behind esm it returns to the queue, is tried once more after its visibility timeout
    (50 s) and ends in <name>-dlq. With --fifo the order inside each group is checked, by when a message was stored or
    given up (esm) or when its execution started (dispatcher).

    With --json one object is printed on stdout; its "seconds" count from the first message sent until all have ended;
    "ordered" is there with --fifo.
    """
    console = make_console(stderr=as_json)
    variant = Variant.of(bridge, fifo=fifo, hold_seconds=hold_seconds)
    stack.check_port(port)
    terraform = _terraform(port, variant)  # before, so that no sandbox is started that terraform could not use
    running = stack.ensure_sandbox(console, port, real_time=real_time)
    applied = stack.Stack.from_outputs(stack.apply(console, terraform, running, "Applying the root module"))
    if timeout is None:
        timeout = _TIMEOUT_SECONDS + variant.failing_seconds + (variant.hold_seconds if running.real_time else 0)

    batch = build(messages, variant.hold_seconds)
    batch = in_groups(batch) if fifo else batch
    since = datetime.now(UTC) - timedelta(seconds=2)  # StartedAfter is sent in whole seconds
    started = time.monotonic()
    send(aws.client(port, "sqs"), applied.queue_url, batch)
    follower = Follower(running, applied, batch, since, returns=variant.returns)
    _follow(console, follower, timeout, variant)
    figures = report.Figures.of(follower.tracked.values(), time.monotonic() - started)
    console.print(report.table(follower, applied))
    wrong = report.problems(follower, figures)
    overtaken = order.breaches(follower.tracked.values(), waits=variant.returns) if fifo else []
    _conclude(console, figures, running, report.next_steps(running, applied, follower) if keep else [])
    if fifo:
        console.print(f"\nOrder inside the groups: {'broken' if overtaken else 'kept'}.", highlight=False)
    if not keep:
        stack.destroy(console, terraform)
    if as_json:
        click.echo(json.dumps(asdict(figures) | ({"ordered": not overtaken} if fifo else {})))
    if wrong or overtaken:
        raise CliError(
            "\n".join(wrong + overtaken), f"See: {command_line('status', port)}; {command_line('logs', port)}"
        )


def _terraform(port: int, variant: Variant) -> Terraform:
    root = stack.checkout("demo")
    environment = client_environment(port, os.environ) | variant.variables()
    return Terraform(root, environment, terraform_dir(root / ".sandbox", port, variant.key))


def _follow(console: Console, follower: Follower, timeout: float, variant: Variant) -> None:
    def on_poll(_: Follower) -> None:
        places = [one.place for one in follower.tracked.values()]
        counts = ", ".join(f"{places.count(place)} {place}" for place in Place if place in places)
        if Place.RETURNED in places:
            counts += f" ({variant.visibility_timeout} s after each receive)"
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
