"""``durable-ops dead-letters``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import click

from durable_ops.cli import redrive as redriving
from durable_ops.cli import show
from durable_ops.cli.confirm import confirm
from durable_ops.cli.options import aws_options, json_option, name_argument, queue_option
from durable_ops.cli.options import queues as queues_of
from durable_ops.cli.progress import console, interruptible, progress
from durable_ops.clients import Clients
from durable_ops.dead_letters import DeadLetter, look
from durable_ops.errors import Exit, OpsError
from durable_ops.pace import Pace
from durable_ops.stack import Stack
from durable_ops.walk import Result, Walk


@click.group("dead-letters")
def dead_letters() -> None:
    """Messages that never started (<name>-dlq, <name>-backlog-dlq); events that started and failed (<name>-failed)."""


@dead_letters.command("list")
@name_argument
@queue_option("all")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="At most so many a queue.")
@json_option
@aws_options
def list_(*, clients: Clients, name: str, which: str, limit: int, as_json: bool) -> None:
    """List dead letters, oldest first, with reason, age and receive count.

    To look is to receive: it counts as a receive, and hides them from other readers for a moment. All are given back.
    """
    queues = queues_of(Stack(name, clients), which)
    depths = {kind: queue.depth() for kind, queue in queues}
    found = {kind: look(queue, kind, limit).letters for kind, queue in queues}
    now = datetime.now(UTC)
    letters = [letter for letters in found.values() for letter in letters]
    if as_json:
        counts = {
            str(kind): {"name": queue.name, "visible": depths[kind].visible, "in_flight": depths[kind].in_flight}
            for kind, queue in queues
        }
        click.echo(json.dumps({"queues": counts, "dead_letters": [letter.shown(now) for letter in letters]}))
        return
    out = console()
    if letters:
        out.print(show.dead_letters(letters, now))
    for kind, queue in queues:
        out.print(show.depth_line(queue, depths[kind], len(found[kind])), highlight=False, soft_wrap=True)


@dead_letters.command("show")
@name_argument
@click.argument("letter_id", metavar="ID")
@queue_option("all")
@json_option
@aws_options
def show_(*, clients: Clients, name: str, letter_id: str, which: str, as_json: bool) -> None:
    """Show one dead letter whole: ID is its own id, or that of a message in it."""
    letter = _one(Stack(name, clients), letter_id, which)
    now = datetime.now(UTC)
    attributes = {key: value.get("StringValue", "(binary)") for key, value in letter.attributes.items()}
    if as_json:
        click.echo(json.dumps(letter.shown(now) | {"attributes": attributes, "body": letter.body}))
        return
    for key, value in (letter.shown(now) | {"age_seconds": show.span((now - letter.sent).total_seconds())}).items():
        shown = ", ".join(value) if isinstance(value, list) else value
        click.echo(f"{key.replace('_seconds', '').replace('_', ' ')}: {shown}")
    for key, value in attributes.items():
        click.echo(f"attribute {key}: {value}")
    click.echo(f"\n{show.text_of(letter.body)}")


def _one(stack: Stack, letter_id: str, which: str) -> DeadLetter:
    queues, seen = queues_of(stack, which), 0
    for kind, queue in queues:
        found = look(queue, kind, 1, {letter_id})
        if found.letters:
            return found.letters[0]
        seen += found.seen
    raise OpsError(
        f'"{letter_id}" was not seen in {seen} messages of {" and ".join(queue.name for _, queue in queues)}.',
        f"List them: durable-ops dead-letters list {stack.name}. Another reader may have it in hand for a moment.",
        Exit.NOT_FOUND,
    )


@dead_letters.command("redrive", help=redriving.HELP)
@redriving.redrive_options
@aws_options
def redrive(
    *,
    clients: Clients,
    name: str,
    which: str,
    ids: Sequence[str],
    rate: int,
    method: str | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Bring dead letters back; the help text is ``redriving.HELP``."""
    return redriving.run(
        clients, name=name, which=which, ids=ids, rate=rate, method=method, dry_run=dry_run, as_json=as_json
    )


@dead_letters.command()
@name_argument
@queue_option(None)
@click.option("--id", "ids", multiple=True, help="This one: its own id, or of a message in it. Repeatable.")
@click.option("--all", "everything", is_flag=True, help="All that is there now; with --queue.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@aws_options
def delete(
    *, clients: Clients, name: str, which: str | None, ids: Sequence[str], everything: bool, yes: bool, as_json: bool
) -> int:
    """Delete dead letters for good: --id ID, or --queue QUEUE --all."""
    if everything == bool(ids) or (everything and which is None):
        raise click.UsageError("Say what to delete: --id ID, or --queue dlq|backlog-dlq|failed|all and --all.")
    queues = queues_of(Stack(name, clients), which)
    count = len(ids) if ids else sum(queue.depth().visible for _, queue in queues)
    names = " and ".join(queue.name for _, queue in queues)
    confirm(f"Delete {count} dead letters of {names} for good?", yes=yes)
    missing, results = set(ids), list[tuple[str, Result]]()
    with interruptible() as stop:
        for kind, queue in queues:
            if stop.is_set() or (ids and not missing):
                break
            with progress(f"Deleting from {queue.name}") as on_progress:
                walk = Walk(
                    queue,
                    kind,
                    lambda _: None,
                    pace=Pace(None, stop),
                    stop=stop,
                    ids=sorted(missing) or None,
                    on_progress=on_progress,
                )
                results.append((str(kind), walk.run()))
            missing &= set(results[-1][1].missing)
        interrupted = stop.is_set()
    return _report_deleted(results, sorted(missing), interrupted=interrupted, as_json=as_json)


def _report_deleted(
    results: Sequence[tuple[str, Result]], missing: Sequence[str], *, interrupted: bool, as_json: bool
) -> int:
    deleted = sum(result.done for _, result in results)
    failed = {letter: why for _, result in results for letter, why in result.failed.items()}
    left, seen = sum(result.left for _, result in results), sum(result.seen for _, result in results)
    if as_json:
        found = {"deleted": deleted, "failed": failed, "left": left, "seen": seen, "missing": missing}
        click.echo(json.dumps(found | {"interrupted": interrupted}))
    else:
        click.echo(f"{deleted} deleted, {len(failed)} failed, {left} left.")
        for one, why in failed.items():
            click.echo(f"{one}: {why}", err=True)
        for one in missing:
            click.echo(f"{one}: not seen in {seen} messages.", err=True)
    if interrupted:
        return Exit.INTERRUPTED
    if failed or left:
        return Exit.FAILED
    return Exit.NOT_FOUND if missing else Exit.OK
