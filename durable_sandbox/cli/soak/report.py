"""What a soak found: its table, and what is wrong."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from rich.table import Table

from durable_sandbox.cli.soak.account import Ends, Figures, Work
from durable_sandbox.cli.soak.plan import Kind, Plan

_LARGEST_BATCH = 10


@dataclass(frozen=True, slots=True)
class Faults:
    """What was done to the run: ``chosen`` for a second delivery, ``again`` delivered so, environments killed by function."""

    chosen: frozenset[str]
    again: frozenset[str]
    killed: Mapping[str, int]
    throttled: int


def problems(plan: Plan, figures: Figures, ends: Ends, faults: Faults, work: Work, kills: int) -> list[str]:
    """What must not be, and what the run was meant to do and did not; empty if all is right."""
    killed = sum(faults.killed.values())
    good = plan.of_kind(Kind.GOOD)
    checks = [
        (figures.lost, f"{figures.lost} messages are lost: no row, no event in the failed queue, no dead letter."),
        (
            figures.duplicate_effects,
            f"{figures.duplicate_effects} effects were repeated: the table's stream shows them.",
        ),
        (not work.none, f"The run has not ended: {work}."),
        (
            _missing(ends.rows & set(plan.ids), ends.effects),
            "The table's stream does not show every row, so repeated effects may be hidden.",
        ),
        (ends.rows & plan.of_kind(Kind.INVALID), "Invalid messages were stored."),
        # A killed environment may take its batch along; apart from those, what is good must be stored.
        (
            len(good - ends.rows) > killed * _LARGEST_BATCH,
            f"{len(good - ends.rows)} good messages were not stored, more than {killed} killed environments explain.",
        ),
        (killed < kills, f"Only {killed} of {kills} environments were killed: the run was too short for more."),
        (not faults.throttled, "The store step was never throttled: the run was too short for it."),
        # What keeps failing is never deleted, so its redelivery is the queue's own.
        (
            faults.chosen - faults.again - ends.dead,
            f"{len(faults.chosen - faults.again - ends.dead)} messages were to be delivered twice and were not.",
        ),
    ]
    return [text for wrong, text in checks if wrong]


def _missing(rows: Collection[str], effects: Mapping[str, int]) -> bool:
    return any(not effects.get(message_id) for message_id in rows)


def table(plan: Plan, figures: Figures, ends: Ends, faults: Faults, title: str) -> Table:
    """A line a kind of message, a column a class, and the sums."""
    result = Table(title=title, title_justify="left", expand=False)
    result.add_column("messages")
    for column in ("sent", "succeeded", "failed", "dead-lettered", "lost", "delivered twice"):
        result.add_column(column, justify="right")
    for kind in Kind:
        ids = plan.of_kind(kind)
        failed = ids & ends.failed - ends.rows
        dead = ids & ends.dead - ends.rows - ends.failed
        lost = ids - ends.rows - ends.failed - ends.dead
        groups = (ids, ids & ends.rows, failed, dead, lost, ids & faults.chosen)
        result.add_row(str(kind), *(str(len(group)) for group in groups))
    result.add_section()
    sums = (figures.unique, figures.succeeded, figures.failed, figures.dead_lettered, figures.lost, len(faults.chosen))
    result.add_row("all", *map(str, sums))
    return result


def summary(figures: Figures, faults: Faults) -> list[str]:
    """The lines below the table."""
    killed = ", ".join(f"{count} {name}" for name, count in sorted(faults.killed.items())) or "none"
    return [
        f"Effects of the store step that were repeated: {figures.duplicate_effects}",
        f"Environments killed: {killed}",
        f"{figures.unique} messages, {figures.sent} deliveries meant, in {figures.seconds:.1f} s",
    ]
