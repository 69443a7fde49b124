"""The poller of an event source mapping with an SQS queue.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html, .../services-sqs-scaling.html and
.../services-sqs-errorhandling.html. A message is deleted when it was handled or filtered out; everything else comes
back by its visibility timeout, which the poller never changes. Lambda's detection of recursive loops is not emulated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from durable_sandbox.aws.call import Api
from durable_sandbox.aws.clock import TimePolicy
from durable_sandbox.aws.identity import Identities
from durable_sandbox.events.group_locks import GroupLocks
from durable_sandbox.events.mapping_calls import LOG, FunctionLookup, Problems
from durable_sandbox.events.mapping_metrics import MetricsPublisher
from durable_sandbox.events.sqs_mapping_calls import QueueCalls
from durable_sandbox.events.sqs_mapping_delivery import Delivery
from durable_sandbox.events.sqs_mapping_receive import Received, Receiver, Record
from durable_sandbox.events.sqs_mapping_scaling import Concurrency
from durable_sandbox.events.sqs_mapping_spec import METRIC_NAMES, MappingCounts, SqsMappingSpec


class SqsMappingPoller:
    """Polls from ``start`` to ``pause``, as often as wanted; batches in flight do not end with polling."""

    def __init__(
        self,
        spec: SqsMappingSpec,
        *,
        api: Api,
        identities: Identities,
        time: TimePolicy,
        function: FunctionLookup,
    ) -> None:
        self.counts = MappingCounts()
        self._problems = Problems(f"mapping {spec.uuid}")
        self._calls = QueueCalls(api, identities, time, function)
        self._delivery = Delivery(self._calls, self.counts, self._problems)
        self._receiver = Receiver(self._calls, self.counts, self._problems, self._discard)
        self._concurrency = Concurrency(spec.scaling)
        self._groups = GroupLocks()
        self._metrics = MetricsPublisher(self._calls, spec.queue.region, spec.uuid, self.counts, METRIC_NAMES)
        self._polling: tuple[SqsMappingSpec, asyncio.Task[None]] | None = None
        self._in_flight: set[asyncio.Task[None]] = set()

    @property
    def in_flight(self) -> int:
        """Batches being processed or waiting for their turn."""
        return len(self._in_flight)

    @property
    def concurrency(self) -> int:
        """Batches that may be in flight now."""
        return self._concurrency.size

    @property
    def problem(self) -> str | None:
        """What keeps the mapping from working, if anything does."""
        return self._problems.text

    def start(self, spec: SqsMappingSpec) -> None:
        """Poll as ``spec`` says."""
        assert self._polling is None, "pause first"  # noqa: S101 - a second poll task would be lost
        self._concurrency.configure(spec.scaling)
        self._receiver.forget_queue()
        if spec.publish_metrics:
            self._metrics.start()
        self._polling = spec, asyncio.create_task(self._poll(spec), name=f"mapping-{spec.uuid}")

    async def pause(self) -> None:
        """Receive nothing more. What was received is still processed, in the background."""
        if self._polling is None:
            return
        spec, task = self._polling
        self._polling = None
        task.cancel()
        await asyncio.wait({task})
        while batch := self._receiver.take(spec):
            self._dispatch(spec, batch, holds_place=False)
        await self._metrics.stop(last_time=True)

    async def drain(self) -> None:
        """Return when every batch that was received is through."""
        while self._in_flight:
            await asyncio.wait(set(self._in_flight))

    async def abort(self) -> None:
        """End everything now; messages in flight come back by the visibility timeout."""
        tasks = set(self._in_flight)
        if self._polling is not None:
            tasks.add(self._polling[1])
            self._polling = None
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._metrics.stop(last_time=False)

    async def _poll(self, spec: SqsMappingSpec) -> None:
        failures = 0
        while True:
            await self._concurrency.acquire()
            try:
                await self._receiver.collect(spec)
            except Exception as error:  # noqa: BLE001 - a poller must not die unseen
                self._concurrency.release()
                LOG.exception("mapping %s: receiving failed unexpectedly", spec.uuid)
                self._problems.note("poll", f"Internal error of the sandbox: {type(error).__name__}: {error}")
                failures += 1
                await asyncio.sleep(self._calls.pause_after(failures))
                continue
            except BaseException:
                self._concurrency.release()
                raise
            failures = 0
            self._dispatch(spec, self._receiver.take(spec), holds_place=True)

    def _dispatch(self, spec: SqsMappingSpec, batch: list[Received], *, holds_place: bool) -> None:
        self._in_background(self._process(spec, batch, holds_place=holds_place))

    def _discard(self, spec: SqsMappingSpec, records: Sequence[Record]) -> None:
        self._in_background(self._delivery.delete(spec, records))

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)

    async def _process(self, spec: SqsMappingSpec, batch: list[Received], *, holds_place: bool) -> None:
        deadline = min(received.deadline for received in batch)
        records = [received.record for received in batch]
        groups = {record["attributes"].get("MessageGroupId", "") for record in records} if spec.ordered else set()
        try:
            if not holds_place:
                async with asyncio.timeout_at(deadline):
                    await self._concurrency.acquire()
                holds_place = True
            async with self._groups.hold(groups, deadline):
                outcome = await self._delivery.deliver(spec, records, deadline)
        except TimeoutError:
            LOG.info("mapping %s drops a batch that waited until its messages were visible again", spec.uuid)
        except Exception as error:  # noqa: BLE001 - nothing was deleted unhandled, the messages come back
            LOG.exception("mapping %s: a batch failed unexpectedly", spec.uuid)
            self._problems.note("invoke", f"Internal error of the sandbox: {type(error).__name__}: {error}")
            self._concurrency.back_off()
        else:
            if outcome.backs_off:
                self._concurrency.back_off()
            else:
                self._concurrency.succeeded()
        finally:
            if holds_place:
                self._concurrency.release()
