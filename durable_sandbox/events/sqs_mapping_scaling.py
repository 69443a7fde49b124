"""How many batches a mapping has in flight, and that a message group has one."""

from __future__ import annotations

import asyncio

from durable_sandbox.events.sqs_mapping_spec import ScalingLimits


class Concurrency:
    """Places for batches. A place is taken before messages are fetched: what cannot be invoked is not received."""

    def __init__(self, limits: ScalingLimits) -> None:
        self._limits = limits
        self._size = limits.initial
        self._taken = 0
        self._freed = asyncio.Event()
        self._backed_off_until = 0.0

    @property
    def size(self) -> int:
        """Places there are now."""
        return self._size

    def configure(self, limits: ScalingLimits) -> None:
        """Go on with other limits; batches beyond them finish."""
        self._limits = limits
        self._size = max(min(self._size, limits.maximum), min(limits.initial, limits.maximum))
        self._freed.set()

    async def acquire(self) -> None:
        """Take a place; if none comes free for ``growth_s`` there will be more."""
        while self._taken >= self._size:
            self._freed.clear()
            may_grow = self._size < self._limits.maximum
            try:
                async with asyncio.timeout(self._limits.growth_s if may_grow else None):
                    await self._freed.wait()
            except TimeoutError:
                self._grow()
        self._taken += 1

    def release(self) -> None:
        """Give a place back. An idle mapping starts small again: the one place left is the poll's own."""
        self._taken -= 1
        if self._taken <= 1:
            self._size = min(self._size, self._limits.initial)
        self._freed.set()

    def succeeded(self) -> None:
        """A batch was handled: take back one step of backing off."""
        if self._size < self._limits.initial:
            self._size += 1
            self._freed.set()

    def back_off(self) -> None:
        """A batch failed: one place less, and no growth for a while.

        https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
        """
        self._size = max(min(self._limits.floor, self._limits.maximum), self._size - 1)
        self._backed_off_until = asyncio.get_running_loop().time() + self._limits.growth_s

    def _grow(self) -> None:
        if asyncio.get_running_loop().time() >= self._backed_off_until:
            self._size = min(self._limits.maximum, self._size + self._limits.growth)
