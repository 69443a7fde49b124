"""Message groups of a FIFO queue that somebody has in hand."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection


class GroupLocks:
    """Message groups in flight.

    The queue itself holds back a group while its messages are invisible; this also covers a batch that outlives their
    visibility timeout.
    """

    def __init__(self) -> None:
        self._held: set[str] = set()
        self._changed = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def hold(self, groups: Collection[str], deadline: float | None) -> AsyncIterator[None]:
        """Hold all ``groups``. Raises TimeoutError if that is not possible until ``deadline`` (loop time; None: for ever)."""
        if not groups:
            yield
            return
        wanted = set(groups)
        async with asyncio.timeout_at(deadline), self._changed:
            await self._changed.wait_for(lambda: not wanted & self._held)
            self._held |= wanted
        try:
            yield
        finally:
            self._held -= wanted
            async with self._changed:
                self._changed.notify_all()
