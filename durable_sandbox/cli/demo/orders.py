"""The orders of the WebSocket demo, and what their clients must hear of each.

Reports of the sample pipeline: functions/pipeline. Before them API Gateway acknowledges each order, without its id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

CLIENTS = ("alice", "bob")
ENDS = ("stored", "failed")


@dataclass(frozen=True, slots=True)
class Order:
    """An order: ``client`` sends ``body``, which says what must become of it."""

    client: str
    body: dict[str, Any]

    @property
    def id(self) -> str:
        """Its id, which every report repeats."""
        return str(self.body["id"])

    @property
    def good(self) -> bool:
        """Whether it must be stored; the pipeline's first step refuses it otherwise."""
        return "processing_type" in self.body

    @property
    def meant(self) -> tuple[str, ...]:
        """What the pipeline must report, in this order."""
        if not self.good:
            return ("accepted", "failed")
        held = ("held",) if "hold_seconds" in self.body else ()
        return ("accepted", "validated", "transformed", *held, "stored")


def build(hold_seconds: int) -> list[Order]:
    """Three orders a client; the second of one is held, the last of the other is invalid, for it holds up what is behind it."""
    orders = []
    for client, kind in zip(CLIENTS, ("summarise", "classify"), strict=True):
        for number in (1, 2, 3):
            body = {"id": f"{client}-{number}", "data_source": f"shop-{number}", "processing_type": kind}
            orders.append(Order(client, body))
    orders[1].body["hold_seconds"] = hold_seconds
    del orders[-1].body["processing_type"]
    return orders


@dataclass(frozen=True, slots=True)
class Report:
    """A frame of the pipeline, as ``client`` got it: what became of the order ``id``."""

    client: str
    id: str
    status: str
    message_id: str


@dataclass(frozen=True, slots=True)
class Figures:
    """``seconds``: from the first order sent until the last report."""

    sent: int
    succeeded: int
    failed: int
    lost: int
    ordered: bool
    seconds: float


@dataclass(slots=True)
class Ledger:
    """What was sent and heard. ``faults`` are frames that nobody expected, and connections that were closed."""

    orders: Sequence[Order]
    reports: list[Report] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def of(self, client: str) -> list[Order]:
        """The orders of a client, as it sends them."""
        return [order for order in self.orders if order.client == client]

    def heard(self, order: Order) -> tuple[str, ...]:
        """What its client was told of an order."""
        return tuple(one.status for one in self.reports if (one.client, one.id) == (order.client, order.id))

    def ended(self, client: str) -> bool:
        """Whether the client has heard the end of all its orders."""
        return all(set(self.heard(order)) & set(ENDS) for order in self.of(client))

    def stored(self) -> dict[str, Order]:
        """Message id to order of those that were reported as stored."""
        orders = {order.id: order for order in self.orders}
        return {one.message_id: orders[one.id] for one in self.reports if one.status == "stored" and one.id in orders}

    def problems(self) -> list[str]:
        """What is not as it was meant; empty if all is right."""
        found = list(self.faults)
        owners = {order.id: order.client for order in self.orders}
        found += [
            f"{one.client} heard of {one.id}, which is not its order."
            for one in self.reports
            if owners.get(one.id) != one.client
        ]
        for order in self.orders:
            if (heard := self.heard(order)) != order.meant:
                found.append(
                    f"{order.client} heard {', '.join(heard) or 'nothing'} of {order.id}, not {', '.join(order.meant)}."
                )
        return found + self.breaches()

    def breaches(self) -> list[str]:
        """Orders of which a client heard something before it had heard the end of the one before."""
        found = []
        for client in CLIENTS:
            heard = [one.id for one in self.reports if one.client == client]
            for before, after in zip(self.of(client), self.of(client)[1:], strict=False):
                if before.id in heard and after.id in heard and heard.index(after.id) < _last(heard, before.id):
                    found.append(f"{client} heard of {after.id} before {before.id} had ended.")
        return found

    def figures(self, seconds: float) -> Figures:
        """The result in numbers."""
        ends = [heard[-1] if (heard := self.heard(order)) else "" for order in self.orders]
        stored, failed = ends.count("stored"), ends.count("failed")
        lost = len(ends) - stored - failed
        return Figures(len(ends), stored, failed, lost, not self.breaches(), round(seconds, 2))


def _last(items: Sequence[str], item: str) -> int:
    return len(items) - 1 - list(reversed(items)).index(item)
