"""Long polling: receivers that wait for a queue, without a thread or a timer each tick."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

from durable_sandbox.services.sqs.errors import queue_does_not_exist
from durable_sandbox.services.sqs.message import Message
from durable_sandbox.services.sqs.queue import MessageQueue


class Waiters:
    """The receivers waiting on one queue, first come first served. Used from one event loop only."""

    def __init__(self, queue: MessageQueue, now: Callable[[], float]) -> None:
        self._queue = queue
        self._now = now
        self._futures: dict[asyncio.Future[None], None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    async def poll(self, take: Callable[[], list[Message]], seconds: float) -> list[Message]:
        """Call ``take`` until it returns messages, at most for ``seconds``. Raises AwsError if the queue goes away."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while not (messages := take()):
            remaining = end - loop.time()
            if remaining <= 0:
                break
            future: asyncio.Future[None] = loop.create_future()
            self._futures[future] = None
            self._arm()
            timeout = loop.call_later(remaining, self._release, future)
            try:
                await future
            except asyncio.CancelledError:
                if future.done() and not future.cancelled():
                    self.notify()  # this wake-up was meant for a receiver: pass it on
                raise
            finally:
                timeout.cancel()
                self._futures.pop(future, None)
            if self._closed:
                raise queue_does_not_exist()
        if messages:
            self.notify()  # what this receiver left behind is for the next one
        return messages

    def notify(self) -> None:
        """The queue changed: wake as many receivers as there are visible messages, and set the timer anew."""
        if not self._futures:
            return
        self._queue.advance()
        for future in list(itertools.islice(self._futures, self._queue.visible)):
            self._release(future)
        self._arm()

    def close(self) -> None:
        """The queue is gone: every waiting receiver fails with QueueDoesNotExist."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        for future in list(self._futures):
            self._release(future)

    def _release(self, future: asyncio.Future[None]) -> None:
        self._futures.pop(future, None)
        if not future.done():
            future.set_result(None)

    def _arm(self) -> None:
        """Have one timer for the next message that appears by itself, while anybody waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self._queue.next_due() if self._futures else None
        if due is not None:
            self._timer = asyncio.get_running_loop().call_later(max(0.001, due - self._now()), self.notify)
