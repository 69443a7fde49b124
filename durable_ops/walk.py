"""Going through a dead-letter queue once: each message is handed over, then deleted.

It can be killed at any moment and run again: what was not deleted is on the queue still, and handing it over a second
time is harmless, by whatever ``act`` does. What arrives after the walk has begun is left alone, or a handler that is not
mended yet would keep it going for ever.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

from botocore.exceptions import BotoCoreError, ClientError

from durable_ops.dead_letters import DeadLetter
from durable_ops.errors import OpsError, explain
from durable_ops.pace import Pace
from durable_ops.queue import SEARCHED, VISIBILITY_SECONDS, Queue, looking_seconds
from durable_ops.stack import Kind

_THREADS = 10  # of one receive; nearly all of a call is waiting
_PATIENCE_SECONDS = VISIBILITY_SECONDS + 5

Act = Callable[[DeadLetter], None]
"""Hands a dead letter over; to do it twice must have no further effect. Raises OpsError for one that stays."""
OnProgress = Callable[[int, int, str], None]
"""Called with what is done, what there was to do, and what goes on."""


@dataclass(slots=True)
class Result:
    """What a walk did.

    Attributes:
        done: How many were handed over and deleted.
        failed: By dead letter, why it is still there.
        missing: Of the ids that were asked for, those that were not met.
        newer: How many arrived meanwhile, and were left alone.
        left: How many were not met, most likely since others have them in hand.
        seen: How many were met.
        interrupted: Whether it was told to stop.
    """

    done: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    newer: int = 0
    left: int = 0
    seen: int = 0
    interrupted: bool = False


class Walk:
    """One walk through ``queue``. ``ids`` None: all of it."""

    def __init__(
        self,
        queue: Queue,
        kind: Kind,
        act: Act,
        *,
        pace: Pace,
        stop: threading.Event,
        ids: Collection[str] | None = None,
        on_progress: OnProgress,
    ) -> None:
        self._queue = queue
        self._kind = kind
        self._act = act
        self._pace = pace
        self._stop = stop
        self._ids = ids
        self._on_progress = on_progress
        self._lock = threading.Lock()
        self._held: dict[str, str] = {}  # receipt by dead letter, of what is not to be handed over (again)
        self._found: set[str] = set()
        self._newer: set[str] = set()
        self._problem: OpsError | None = None
        self._result = Result()
        self._total = 0
        self._keep_seconds: int | None = None

    def run(self) -> Result:
        """Go through. Raises OpsError if no message can be handed over, whichever it is."""
        depth = self._queue.depth()
        self._total = depth.visible + depth.in_flight
        if self._ids is not None:
            # What is passed over stays in hand, or it would come back before the rest of a long queue has been seen.
            self._keep_seconds = looking_seconds(self._total)
            self._total = len(self._ids)
        until = self._queue.now()
        try:
            with ThreadPoolExecutor(_THREADS) as pool:
                for lanes in self._receives(until):
                    list(pool.map(self._lane, lanes))
                    if self._problem is not None:
                        raise self._problem
        finally:
            self._queue.give_back(self._held.values())
        self._result.newer = len(self._newer)
        self._result.seen = self._result.done + len(self._held)
        self._result.interrupted = self._stop.is_set()
        self._result.missing = tuple(sorted(set(self._ids or ()) - self._found))
        return self._result

    def _receives(self, until: datetime) -> Iterator[list[list[DeadLetter]]]:
        """What is to be handed over, receive by receive; what must keep its order is together."""
        patience = time.monotonic() + _PATIENCE_SECONDS
        while not self._stop.is_set() and not self._search_is_over():
            letters = [DeadLetter.of(self._kind, message) for message in self._queue.receive(self._keep_seconds)]
            self._newer |= {letter.id for letter in letters if letter.sent > until}
            new = [letter for letter in letters if letter.id not in self._held]
            fresh = [letter for letter in new if self._wanted(letter)]
            wanted = {letter.id for letter in fresh}
            self._held |= {letter.id: letter.receipt for letter in letters if letter.id not in wanted}
            if fresh:
                self._result.left = 0
                yield self._lanes(fresh)
            if any(letter.id not in self._newer for letter in new):
                patience = time.monotonic() + _PATIENCE_SECONDS
            elif time.monotonic() > patience or not (new or self._worth_waiting(come_back=bool(letters))):
                return

    def _worth_waiting(self, *, come_back: bool) -> bool:
        """Whether there may be more: what a killed command, or another reader, has in hand, or what was not met yet.

        ``come_back``: whether what we hold begins to be visible again. In a FIFO queue what is behind a held message cannot
        be met: its group is locked by us.
        """
        depth = self._queue.depth()
        others = depth.in_flight - len(self._held)
        behind = 0 if self._queue.fifo and self._held else depth.visible
        self._result.left = max(0, others + behind) if come_back else max(0, others) + behind
        if self._result.left:
            self._progress(f"waiting for {self._result.left} that were not met yet")
        return self._result.left > 0

    def _wanted(self, letter: DeadLetter) -> bool:
        return letter.id not in self._newer and (self._ids is None or letter.is_one_of(self._ids))

    def _search_is_over(self) -> bool:
        return self._ids is not None and (set(self._ids) <= self._found or len(self._held) >= SEARCHED)

    def _lanes(self, letters: list[DeadLetter]) -> list[list[DeadLetter]]:
        lanes: dict[str, list[DeadLetter]] = {}
        for letter in letters:
            key = letter.group if self._queue.fifo and letter.group is not None else letter.id
            lanes.setdefault(key, []).append(letter)
        return list(lanes.values())

    def _lane(self, lane: list[DeadLetter]) -> None:
        """Hand over in order; after a failure the rest of a FIFO group is kept, so that nothing overtakes."""
        failed = False
        for letter in lane:
            with self._lock:
                self._found |= set(self._ids or ()) & {letter.id, *letter.message_ids}
            if failed or self._problem is not None or not self._pace.turn():
                self._hold(letter, "NotTried: an earlier message of its group failed" if failed else None)
                continue
            failed = not self._one(letter)

    def _one(self, letter: DeadLetter) -> bool:
        try:
            self._act(letter)
            self._queue.delete(letter.receipt)
        except (BotoCoreError, ClientError, OpsError) as error:
            problem = error if isinstance(error, OpsError) else explain(error)
            if problem.is_final:
                self._problem = problem
            self._hold(letter, problem.what)
            return False
        with self._lock:
            self._result.done += 1
            self._progress("")
        return True

    def _hold(self, letter: DeadLetter, why: str | None) -> None:
        with self._lock:
            self._held[letter.id] = letter.receipt
            if why is not None:
                self._result.failed[letter.id] = why
            self._progress("")

    def _progress(self, detail: str) -> None:
        failed = len(self._result.failed)
        self._on_progress(self._result.done, self._total, detail or (f"{failed} failed" if failed else ""))
