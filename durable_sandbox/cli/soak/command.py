"""``sandbox soak``."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import click

from durable_sandbox.cli import aws, stack
from durable_sandbox.cli.environment import client_environment, command_line, terraform_dir
from durable_sandbox.cli.errors import CliError
from durable_sandbox.cli.options import json_option, port_option
from durable_sandbox.cli.process import Running, request_json
from durable_sandbox.cli.progress import console as make_console
from durable_sandbox.cli.progress import progress
from durable_sandbox.cli.soak import chaos, report, root
from durable_sandbox.cli.soak.account import Account, Work, figures
from durable_sandbox.cli.soak.plan import DUPLICATE_EVERY, FEWEST, Plan
from durable_sandbox.terraform import Terraform

_POLL_SECONDS = 0.3
_SURE_SECONDS = 2.0  # nothing left to do for so long is the end
_PATIENCE_SECONDS = 15.0  # unless messages are missing, which gives them this long to turn up
_OnPoll = Callable[[int, str], None]
ROLES = ("function", "validate", "transform", "store", "dispatcher")


@click.command()
@port_option
@json_option
@click.option(
    "--bridge", type=click.Choice(stack.BRIDGES), default="pipe", show_default=True, help="See `sandbox demo`."
)
@click.option("--messages", type=click.IntRange(FEWEST), default=1000, show_default=True, help="How many to send.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the order of the messages and of the kills.")
@click.option("--kills", type=click.IntRange(0), default=5, show_default=True, help="Environments to kill.")
@click.option(
    "--spare",
    type=click.Choice(ROLES),
    multiple=True,
    help="Kill no environment of this function. A killed dispatcher's batch comes back only after 180 s.",
)
@click.option(
    "--max-receive-count",
    type=click.IntRange(2),
    default=3,
    show_default=True,
    help="The source queue's, before its DLQ.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=900,
    show_default=True,
    help="Seconds to follow the messages.",
)
@click.option("--keep/--destroy", default=True, help="Keep the stack afterwards (default), or destroy it.")
def soak(
    *,
    port: int,
    as_json: bool,
    bridge: str,
    messages: int,
    seed: int,
    kills: int,
    spare: tuple[str, ...],
    max_receive_count: int,
    timeout: float,
    keep: bool,
) -> None:
    """Send many messages through the sample pipeline, with faults on every side, and account for each.

    A stack of its own (soak-<bridge>) is applied. 5 % of the messages are invalid; 10 % fail the first time in
    transform; 5 % are delivered a second time although they were deleted, as at-least-once delivery may. During the
    middle third store has a reserved concurrency of 2, and busy environments are killed over the whole run. It ends when
    the queue is empty and nothing runs.

    \b
    Printed, with --json as one object:
      sent               unique messages, plus those that are delivered twice
      unique             messages sent
      succeeded          a row in the table, whatever else became of other deliveries
      failed             no row, but an event in <name>-failed
      dead_lettered      neither, but a message in <name>-dlq
      lost               nothing of these
      duplicate_effects  writes of a row beyond its first, by the table's stream
      seconds            from the first message sent until nothing was left to do

    The exit code is 0 only if nothing is lost or left, no effect was repeated, no invalid message was stored, every good
    one was but for what kills explain, and every fault above did happen.
    """  # noqa: D301 - click's mark for lines to be kept
    console = make_console(stderr=as_json)
    stack.check_port(port)
    checkout = stack.checkout("soak")
    work_dir = terraform_dir(checkout / ".sandbox", port, f"soak-{bridge}")
    root.write(checkout, work_dir, bridge, max_receive_count)
    terraform = Terraform(work_dir, client_environment(port, os.environ), work_dir)
    running = stack.ensure_sandbox(console, port)
    outputs = stack.apply(console, terraform, running, f"Applying soak-{bridge}")
    run = _Run.of(running, outputs, Plan.of(messages, seed), kills=kills, spare=spare, seed=seed)
    with progress(console, "Soaking") as update:
        run.go(timeout, lambda done, detail: update(min(done, messages), messages, detail))
    ends = run.account.ends()
    found = figures(run.plan.ids, len(run.faults.chosen), ends, run.seconds)
    wrong = report.problems(run.plan, found, ends, run.faults, run.work, kills)
    console.print(report.table(run.plan, found, ends, run.faults, f"soak-{bridge}: where the messages ended"))
    for line in report.summary(found, run.faults):
        console.print(line, highlight=False)
    if not keep:
        stack.destroy(console, terraform)
    if as_json:
        click.echo(json.dumps(asdict(found)))
    if wrong:
        raise CliError("\n".join(wrong), f"See: {command_line('status', port)}; {command_line('logs', port)}")


@dataclass
class _Run:
    """One soak of an applied stack. ``work`` and ``faults`` are what is left and what was done, after ``go``."""

    plan: Plan
    account: Account
    kills: chaos.Kills
    throttle: chaos.Throttle
    port: int
    queue_url: str
    work: Work
    faults: report.Faults
    seconds: float = 0.0

    @classmethod
    def of(
        cls, running: Running, outputs: Mapping[str, Any], plan: Plan, *, kills: int, spare: Sequence[str], seed: int
    ) -> _Run:
        applied = stack.Stack.from_outputs(outputs)
        steps: Mapping[str, str] = outputs["step_function_names"]
        functions = {**steps, "function": applied.function_name, "dispatcher": applied.dispatcher_function_name}
        targets = [name for role, name in functions.items() if name and role not in spare]
        nothing = report.Faults(frozenset(), frozenset(), {}, 0)
        return cls(
            plan,
            Account(running, applied, outputs["stream_arn"]),
            chaos.kills(running, kills, targets, seed),
            chaos.throttle(running, steps["store"]),
            running.port,
            applied.queue_url,
            Work(len(plan.kinds), 0, 0),
            nothing,
        )

    def go(self, timeout: float, on_poll: _OnPoll) -> None:
        """Send the messages and watch until nothing is left to do, or ``timeout`` is over."""
        self._inject(DUPLICATE_EVERY)
        started = time.monotonic()
        try:
            # The first kill already now: a dispatcher is through with the messages almost as soon as they are sent.
            self.plan.send(aws.client(self.port, "sqs"), self.queue_url, lambda: self.kills.advance(0.0))
            self.seconds = self._watch(started + timeout, on_poll) - started
        finally:
            self.throttle.lift()
            told = self._inject(0)
        chosen, again = frozenset(told.get("chosen", ())), frozenset(told.get("delivered_again", ()))
        self.faults = report.Faults(chosen, again, dict(self.kills.killed), self.throttle.spans)

    def _watch(self, deadline: float, on_poll: _OnPoll) -> float:
        """Returns when the last thing was done (monotonic)."""
        idle_since: float | None = None
        while True:
            done = self.account.ended()
            self.kills.advance(done / len(self.plan.kinds))
            self.throttle.advance(done / len(self.plan.kinds))
            self.work = self.account.work()
            on_poll(done, f"{self.work}; {sum(self.kills.killed.values())} killed{', throttled' * self.throttle.on}")
            now = time.monotonic()
            idle_since = None if not self.work.none else now if idle_since is None else idle_since
            enough = _SURE_SECONDS if done >= len(self.plan.kinds) else _PATIENCE_SECONDS
            if now > deadline or (idle_since is not None and now - idle_since > enough):
                return idle_since or now
            time.sleep(_POLL_SECONDS)

    def _inject(self, every: int) -> Mapping[str, Any]:
        """Set the second deliveries; returns what the ones before did."""
        before = request_json(self.port, "/_sandbox/faults")["sqs"].get(self.queue_url, {})
        request_json(self.port, "/_sandbox/faults", method="POST", send={"queue_url": self.queue_url, "every": every})
        return dict(before)
