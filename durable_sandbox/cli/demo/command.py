"""``sandbox demo``."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import click
from rich.console import Console

from durable_sandbox.cli import aws, stack
from durable_sandbox.cli.demo import closing, order, report, websocket
from durable_sandbox.cli.demo.follow import Follower, Place
from durable_sandbox.cli.demo.messages import MINIMUM, build, in_groups, send
from durable_sandbox.cli.demo.variant import Variant
from durable_sandbox.cli.environment import client_environment, command_line, terraform_dir
from durable_sandbox.cli.errors import ENVIRONMENT, CliError
from durable_sandbox.cli.options import json_option, port_option, real_time_option
from durable_sandbox.cli.progress import console as make_console
from durable_sandbox.cli.progress import progress
from durable_sandbox.terraform import Terraform

_TIMEOUT_SECONDS = 120.0
_BY_DEFAULT = click.core.ParameterSource.DEFAULT
_count = click.IntRange(min=MINIMUM)


@click.command()
@click.pass_context
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
@click.option(
    "--websocket", "over_websocket", is_flag=True, help="Orders of two WebSocket clients, by examples/websocket."
)
@click.option("--messages", type=_count, default=20, show_default=True, help="How many to send; 3 of them fail.")
@click.option(
    "--hold-seconds",
    type=click.IntRange(min=1),
    help="The held one's wait.  [default: 1800, with --bridge esm 5, with --websocket 600 or in real time 5]",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    help="Seconds to follow them.  [default: 120, plus the hold in real time, plus the redeliveries behind esm]",
)
@click.option("--keep/--destroy", default=True, help="Keep the stack afterwards (default), or destroy it.")
def demo(
    context: click.Context,
    *,
    port: int,
    as_json: bool,
    real_time: bool,
    bridge: str,
    fifo: bool,
    over_websocket: bool,
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

    With --websocket two clients connect and send three orders each, of which one is held and one invalid; every frame is
    shown as it comes, and each client must hear of its own orders alone, in their order. Behind it is a FIFO queue with esm.

    With --json one object is printed on stdout; its "seconds" count from the first message sent until all have ended;
    "ordered" is there with --fifo and --websocket, "url" with --websocket.
    """
    if over_websocket:
        given = [name for name in ("bridge", "messages") if context.get_parameter_source(name) is not _BY_DEFAULT]
        _check_websocket(given, bridge, messages)
        websocket.demo(websocket.Options(port, as_json, real_time, hold_seconds, timeout, keep))
        return
    variant = Variant.of(bridge, fifo=fifo, hold_seconds=hold_seconds)
    _pipeline(variant, messages, port=port, as_json=as_json, real_time=real_time, timeout=timeout, keep=keep)


def _check_websocket(given: Sequence[str], bridge: str, messages: int) -> None:
    """Raise CliError for an option that examples/websocket has decided."""
    if "bridge" in given and bridge != "esm":
        raise CliError(
            f"--websocket with --bridge {bridge}: the example keeps the order of each connection, by a FIFO queue with esm.",
            "Leave out --bridge.",
            exit_code=ENVIRONMENT,
        )
    if "messages" in given:
        raise CliError(
            f"--websocket with --messages {messages}: its clients send six orders, always the same.",
            "Leave out --messages.",
            exit_code=ENVIRONMENT,
        )


def _pipeline(
    variant: Variant, messages: int, *, port: int, as_json: bool, real_time: bool, timeout: float | None, keep: bool
) -> None:
    console = make_console(stderr=as_json)
    stack.check_port(port)
    terraform = _terraform(port, variant)  # before, so that no sandbox is started that terraform could not use
    running = stack.ensure_sandbox(console, port, real_time=real_time)
    applied = stack.Stack.from_outputs(stack.apply(console, terraform, running, "Applying the root module"))
    if timeout is None:
        timeout = _TIMEOUT_SECONDS + variant.failing_seconds + (variant.hold_seconds if running.real_time else 0)

    batch = build(messages, variant.hold_seconds)
    batch = in_groups(batch) if variant.fifo else batch
    since = datetime.now(UTC) - timedelta(seconds=2)  # StartedAfter is sent in whole seconds
    started = time.monotonic()
    send(aws.client(port, "sqs"), applied.queue_url, batch)
    follower = Follower(running, applied, batch, since, returns=variant.returns)
    _follow(console, follower, timeout, variant)
    figures = report.Figures.of(follower.tracked.values(), time.monotonic() - started)
    console.print(report.table(follower, applied))
    wrong = report.problems(follower, figures)
    overtaken = order.breaches(follower.tracked.values(), waits=variant.returns) if variant.fifo else []
    _conclude(console, figures, as_meant=not wrong)
    if keep:
        closing.say_next(console, running, report.next_steps(running, applied, follower))
    if variant.fifo:
        console.print(f"\nOrder inside the groups: {'broken' if overtaken else 'kept'}.", highlight=False)
    if not keep:
        stack.destroy(console, terraform)
    if as_json:
        click.echo(json.dumps(asdict(figures) | ({"ordered": not overtaken} if variant.fifo else {})))
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


def _conclude(console: Console, figures: report.Figures, *, as_meant: bool) -> None:
    console.print(
        f"\n{figures.sent} sent: {figures.succeeded} succeeded, {figures.failed} failed, {figures.lost} lost "
        f"in {figures.seconds:.1f} s."
        + (" Those that failed were sent to show it." if figures.failed and as_meant else ""),
        highlight=False,
    )
