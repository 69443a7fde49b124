"""``durable-ops dead-letters redrive``, which `sandbox redrive` is as well."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import click

from durable_ops.cli import show
from durable_ops.cli.options import json_option, name_argument, queue_option, queues
from durable_ops.cli.progress import console, interruptible, progress
from durable_ops.clients import Clients
from durable_ops.dead_letters import look
from durable_ops.errors import Exit
from durable_ops.redrive import Method, Plan, plan, redrive
from durable_ops.stack import Stack
from durable_ops.walk import Result

_SHOWN = 20
_MOST_A_SECOND = 500
HELP = """Bring dead letters back, so that they are worked on again.

    <name>-failed: the function is started with the same event again. <name>-dlq and <name>-backlog-dlq: each message is sent
    to the queue that gave it up, with its id in an attribute, so that the store step and the dispatcher know it.

    --method move lets SQS move the whole queue instead, which is faster, and gives messages new ids: what was worked on
    before takes effect a second time.

    Mend the cause first, and look at --dry-run. Ctrl-C ends it in order; interrupted or killed, run it again: nothing is
    lost, and without move nothing takes effect twice. What arrives while it runs is left alone.

    Exit code 1: some could not be redriven, are no events of the function, or are in the hands of another reader; 6: an
    --id was not seen.
    """

_OPTIONS: tuple[Callable[..., Any], ...] = (
    name_argument,
    queue_option("all"),
    click.option("--id", "ids", multiple=True, help="Only this one: its own id, or of a message in it. Repeatable."),
    click.option(
        "--rate",
        type=click.IntRange(1, _MOST_A_SECOND),
        default=50,
        show_default=True,
        help="At most so many a second: what the steps behind can take.",
    ),
    click.option(
        "--method",
        type=click.Choice([str(Method.RESEND), str(Method.MOVE)]),
        default=str(Method.RESEND),
        show_default=True,
        help="How messages go back: ids stay (resend), or SQS moves all of them under new ids (move).",
    ),
    click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing."),
    json_option,
)


def redrive_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of ``run``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def run(
    clients: Clients,
    *,
    name: str,
    which: str,
    ids: Sequence[str],
    rate: int,
    method: str | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Plan, say so, carry it out; the exit code.

    ``<name>-failed`` comes first: what the others give back may fail at once, and is not to be walked over.
    """
    stack = Stack(name, clients)
    asked = Method(method) if method is not None else None
    plans = [plan(stack, kind, queue, list(ids) or None, asked) for kind, queue in reversed(queues(stack, which))]
    if dry_run:
        _dry(plans, as_json=as_json)
        return Exit.OK
    done: list[tuple[Plan, Result]] = []
    missing = set(ids)
    with interruptible() as stop:
        for planned in plans:
            if stop.is_set() or (ids and not missing):
                break
            current = replace(planned, ids=sorted(missing)) if ids else planned
            click.echo(f"{planned.queue.name}: {planned.method}: {planned.why}.", err=True)
            with progress(f"Redriving {planned.queue.name}") as on_progress:
                result = redrive(stack, current, rate=rate, stop=stop, on_progress=on_progress)
            missing &= set(result.missing)
            done.append((planned, result))
        interrupted = stop.is_set()
    _report(done, sorted(missing), interrupted=interrupted, as_json=as_json)
    return _code([result for _, result in done], missing=bool(missing), interrupted=interrupted)


def _code(results: Sequence[Result], *, missing: bool, interrupted: bool) -> int:
    if interrupted or any(result.interrupted for result in results):
        return Exit.INTERRUPTED
    if any(result.failed or result.left for result in results):
        return Exit.FAILED
    return Exit.NOT_FOUND if missing else Exit.OK


def _dry(plans: Sequence[Plan], *, as_json: bool) -> None:
    now = datetime.now(UTC)
    looked = [(planned, look(planned.queue, planned.kind, _SHOWN, planned.ids or ()).letters) for planned in plans]
    if as_json:
        found = [
            {
                "queue": str(planned.kind),
                "method": str(planned.method),
                "why": planned.why,
                "visible": planned.depth.visible,
                "in_flight": planned.depth.in_flight,
                "dead_letters": [letter.shown(now) for letter in letters],
            }
            for planned, letters in looked
        ]
        click.echo(json.dumps({"dry_run": True, "queues": found}))
        return
    out = console()
    for planned, letters in looked:
        what = len(letters) if planned.ids is not None else planned.depth.visible
        stay = sum(not letter.can_be_redriven for letter in letters)
        line = f"{planned.queue.name}: {max(0, what - stay)} would be redriven: {planned.method}: {planned.why}."
        out.print(line, highlight=False, markup=False, soft_wrap=True)
        if letters:
            out.print(show.dead_letters(letters, now))
        if planned.ids is None and what > len(letters):
            out.print(f"These and {what - len(letters)} more.", highlight=False)
        if stay:
            out.print(f"{stay} of these are no events of a function, and stay.", highlight=False)
    out.print("Nothing was done.", highlight=False)


def _report(done: Sequence[tuple[Plan, Result]], missing: Sequence[str], *, interrupted: bool, as_json: bool) -> None:
    if as_json:
        found = [
            {
                "queue": str(planned.kind),
                "method": str(planned.method),
                "redriven": result.done,
                "failed": result.failed,
                "newer": result.newer,
                "left": result.left,
                "seen": result.seen,
            }
            for planned, result in done
        ]
        click.echo(
            json.dumps({"dry_run": False, "interrupted": interrupted, "queues": found, "missing": list(missing)})
        )
        return
    for planned, result in done:
        click.echo(f"{planned.queue.name}: {result.done} redriven, {len(result.failed)} failed, {result.left} left.")
        for letter_id, why in result.failed.items():
            click.echo(f"  {letter_id}: {why}", err=True)
        if result.newer:
            click.echo(f"  {result.newer} arrived meanwhile and were left alone.", err=True)
        if result.left:
            click.echo("  What is left was not met, as if another reader had it in hand: run it again later.", err=True)
    seen = sum(result.seen for _, result in done)
    for one in missing:
        click.echo(f"{one}: not seen in {seen} messages.", err=True)
    if interrupted:
        click.echo("Interrupted: run it again for the rest.", err=True)
