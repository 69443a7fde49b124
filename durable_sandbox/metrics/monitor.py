"""The one task behind metrics and alarms, and how they treat time.

Every five seconds the sandbox puts what its services counted, stamped with the real time at which these five seconds
began, then it evaluates every alarm on the data until now. So five seconds are what a minute is on AWS, where an alarm is
evaluated each minute on the periods before it
(https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html). A period of an alarm is divided by
the time scale, but is never shorter than five seconds (nor longer than it was): with the usual scale of 60 a period of
60 or 300 s is five seconds here, and with ``--real-time`` as long as it says. What is shortened is only the evaluation: an
alarm's settings, and the timestamps of data, states and messages, read as on AWS. A Sum is over the shortened period, so
thresholds for a rate are reached later here; ages and durations are not scaled.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from datetime import UTC, datetime

from durable_sandbox.aws.clock import TimePolicy
from durable_sandbox.metrics.collector import Collector
from durable_sandbox.metrics.evaluator import Evaluator

logger = logging.getLogger(__name__)

TICK_SECONDS = 5


def window(period: int, policy: TimePolicy) -> int:
    """Wall seconds that stand for an alarm's period: whole ticks, so that each has data."""
    shortened = min(period, max(TICK_SECONDS, policy.scaled(period)))
    return max(1, math.ceil(shortened / TICK_SECONDS)) * TICK_SECONDS


class Monitor:
    """Collects and evaluates from ``start`` to ``close``."""

    def __init__(self, collector: Collector, evaluator: Evaluator) -> None:
        self._collector = collector
        self._evaluator = evaluator
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """End."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def reset(self) -> None:
        """Forget what was told: the services are as new."""
        await self.close()
        self._collector.reset()
        self.start()

    async def tick(self, end: float) -> None:
        """Put what there is, as of the five seconds before ``end``, and evaluate."""
        await self._collector.collect(datetime.fromtimestamp(end - TICK_SECONDS, UTC))
        await self._evaluator.evaluate(end)

    async def _run(self) -> None:
        end = 0.0
        while True:
            now = time.time()
            # The clock may still be a little before the end that was slept until.
            end = max((now // TICK_SECONDS + 1) * TICK_SECONDS, end + TICK_SECONDS if end > now else 0.0)
            await asyncio.sleep(end - now)
            try:
                await self.tick(end)
            except Exception:
                logger.exception("metrics and alarms of %s failed", datetime.fromtimestamp(end, UTC))
