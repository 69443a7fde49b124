"""The poller of a pipe with an SQS source: receive, batch, filter, execute, delete.

Sources: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-sqs.html and
.../eb-pipes-batching-concurrency.html. A message is deleted only when it was handled or filtered out; everything else
comes back by its visibility timeout, which the poller never changes.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from durable_sandbox.aws.call import Api
from durable_sandbox.aws.clock import TimePolicy
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.aws.identity import Identities
from durable_sandbox.events.failures import Failure, is_missing_queue, kind_of
from durable_sandbox.events.group_locks import GroupLocks
from durable_sandbox.events.pipe_calls import LOG, PipeCalls, backoff_seconds
from durable_sandbox.events.pipe_execution import SYNC_PAYLOAD_BYTES, PipeExecution
from durable_sandbox.events.pipe_log import PipeLogSink
from durable_sandbox.events.pipe_spec import PipeMetrics, PipeSpec, PipeStartError
from durable_sandbox.events.sqs_records import RECEIVE_EVERYTHING, sqs_record

QUEUE_PERMISSIONS_MISSING = (
    "Pipes does not have required permissions to perform Queue operations "
    "(sqs:ReceiveMessage, sqs:DeleteMessage and sqs:GetQueueAttributes)"
)
_LONG_POLL_S = 20
_RECEIVE_MAXIMUM = 10
_DELETE_MAXIMUM = 10
# A queue that answers "empty" at once instead of holding the long poll must not make the loop spin.
_EMPTY_PAUSE_S = 0.05
_MISSING_QUEUE_TRIES = 5
_PAYLOAD_FRAME_BYTES = 2


@dataclass(frozen=True, slots=True)
class PollerLimits:
    """Batches in flight: ``initial`` at first, one more every ``growth_s`` while all are busy, up to ``maximum``.

    AWS starts with 5, adds 60 a minute and goes to 1,250; one machine's processes are why the maximum is lower here.
    """

    initial: int = 5
    maximum: int = 100
    growth_s: float = 1.0


class PipePoller:
    """Polls from ``start`` to ``stop``. ``on_fatal`` is told why, once, if the pipe cannot go on by itself."""

    def __init__(
        self,
        spec: PipeSpec,
        *,
        api: Api,
        identities: Identities,
        time: TimePolicy,
        metrics: PipeMetrics,
        sink: PipeLogSink | None,
        on_fatal: Callable[[str], None],
        limits: PollerLimits | None = None,
    ) -> None:
        _, caller = identities.assume(spec.role_arn, f"pipes-{spec.name}"[:64])
        self._spec = spec
        self._time = time
        self._metrics = metrics
        self._on_fatal = on_fatal
        self._calls = PipeCalls(api, caller, identities.root(), time, metrics)
        self._execution = PipeExecution(spec, self._calls, metrics, sink)
        self._slots = _Slots(limits or PollerLimits())
        self._groups = GroupLocks()
        self._queue_url = ""
        self._visibility_s = 30.0
        self._poll_task: asyncio.Task[None] | None = None
        self._pending: asyncio.Task[Sequence[dict[str, Any]]] | None = None
        self._collected: list[dict[str, Any]] = []
        self._overflow: deque[dict[str, Any]] = deque()
        self._in_flight: set[asyncio.Task[None]] = set()
        self._failures = 0
        self._fatal = False

    @property
    def in_flight(self) -> int:
        """Batches being processed."""
        return len(self._in_flight)

    async def start(self) -> None:
        """Check the source and begin to poll. Raises PipeStartError."""
        source = self._spec.source
        try:
            self._queue_url = await self._calls.queue_url(source)
            answer = await self._calls.call(
                source.region,
                "sqs",
                "GetQueueAttributes",
                {"QueueUrl": self._queue_url, "AttributeNames": ["VisibilityTimeout"]},
            )
        except AwsError as error:
            if kind_of(error) is Failure.PERMISSION:
                raise PipeStartError(f"{QUEUE_PERMISSIONS_MISSING}: {error.message}") from error
            raise PipeStartError(f"Cannot access the source queue {source}: {error.message}") from error
        self._visibility_s = float(answer.get("Attributes", {}).get("VisibilityTimeout", self._visibility_s))
        self._poll_task = asyncio.create_task(self._poll(), name=f"pipe-{self._spec.name}")

    async def stop(self) -> None:
        """End polling; return when every batch that was received is through."""
        self._calls.stopping = True
        if self._poll_task is not None:
            self._poll_task.cancel()
            await asyncio.wait({self._poll_task})
        while self._in_flight:
            await asyncio.wait(set(self._in_flight))

    async def abort(self) -> None:
        """End everything now, batches in flight too; their messages come back by the visibility timeout."""
        self._calls.stopping = True
        tasks = {task for task in (self._poll_task, self._pending) if task is not None}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for task in self._in_flight:
            task.cancel()
        if self._in_flight:
            await asyncio.wait(set(self._in_flight))

    async def _poll(self) -> None:
        try:
            while not self._fatal:
                await self._slots.acquire()
                try:
                    await self._pause_after_failures()
                    await self._collect()
                except BaseException:
                    self._slots.release()
                    raise
                self._dispatch(holds_slot=True)
        except Exception as error:  # noqa: BLE001 - a dead poller must show as a stopped pipe
            LOG.exception("pipe %s: the poller failed", self._spec.name)
            self._stop_for(f"Internal error of the sandbox: {type(error).__name__}: {error}")
        finally:
            await self._dispatch_the_rest()

    async def _pause_after_failures(self) -> None:
        if self._failures:
            await asyncio.sleep(self._time.scaled(backoff_seconds(self._failures)))

    async def _dispatch_the_rest(self) -> None:
        """What was received before the stop is still processed."""
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.cancel()
            await asyncio.wait({pending})
            if not pending.cancelled() and pending.exception() is None:
                self._overflow.extend(pending.result())
        while self._collected or self._overflow:
            self._fill(self._spec.batch_size)
            self._dispatch(holds_slot=False)

    def _dispatch(self, *, holds_slot: bool) -> None:
        batch, self._collected = self._collected, []
        if not batch:
            if holds_slot:
                self._slots.release()
            return
        task = asyncio.create_task(self._process(batch, holds_slot=holds_slot))
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)

    async def _collect(self) -> None:
        """Fill ``_collected`` until it has BatchSize records or 6 MB, the window is over, or the queue has no more."""
        spec, loop = self._spec, asyncio.get_running_loop()
        closes_at: float | None = None
        while True:
            wanted = spec.batch_size - len(self._collected)
            asked = min(_RECEIVE_MAXIMUM, wanted)
            if not self._overflow:
                remaining = None if closes_at is None else max(0.0, closes_at - loop.time())
                patient = not self._collected or spec.batching_window > 0
                records = await self._receive(asked, _LONG_POLL_S if patient else 0, remaining)
                self._overflow.extend(records)
                if not self._overflow:
                    if self._collected and closes_at is not None and loop.time() < closes_at and not self._fatal:
                        continue
                    return
            received = len(self._overflow)
            self._fill(wanted)
            closes_at = loop.time() + spec.batching_window if closes_at is None else closes_at
            full = len(self._collected) >= spec.batch_size or bool(self._overflow)
            exhausted = spec.batching_window == 0 and received < asked
            if full or exhausted or (spec.batching_window > 0 and loop.time() >= closes_at):
                return

    def _fill(self, wanted: int) -> None:
        """Move records from the overflow to the batch as far as count and 6 MB allow; at least one."""
        size = sum(_size(record) for record in self._collected) + _PAYLOAD_FRAME_BYTES
        while self._overflow and wanted > 0:
            size += _size(self._overflow[0])
            if size > SYNC_PAYLOAD_BYTES and self._collected:
                return
            self._collected.append(self._overflow.popleft())
            wanted -= 1

    async def _receive(self, maximum: int, wait_s: int, timeout: float | None) -> Sequence[dict[str, Any]]:  # noqa: ASYNC109 - the poll must go on after it
        """Records of one ReceiveMessage; nothing when ``timeout`` (s) ends first, and then the poll goes on for later.

        Not cancelling it means that a message which arrives just then belongs to the next batch and not to nobody.
        """
        if self._pending is None:
            self._pending = asyncio.create_task(self._receive_once(maximum, wait_s))
        done, _ = await asyncio.wait({self._pending}, timeout=timeout)
        if not done:
            return []
        pending, self._pending = self._pending, None
        return pending.result()

    async def _receive_once(self, maximum: int, wait_s: int) -> Sequence[dict[str, Any]]:
        source, loop = self._spec.source, asyncio.get_running_loop()
        params = {"QueueUrl": self._queue_url, "MaxNumberOfMessages": maximum, "WaitTimeSeconds": wait_s}
        failures = 0
        while True:
            asked_at = loop.time()
            try:
                answer = await self._calls.call(
                    source.region, "sqs", "ReceiveMessage", {**params, **RECEIVE_EVERYTHING}
                )
            except AwsError as error:
                failures += 1
                if self._ends_polling(error, failures):
                    return []
                LOG.warning("pipe %s cannot receive: %s: %s", self._spec.name, error.code, error.message)
                await asyncio.sleep(self._time.scaled(backoff_seconds(failures)))
                continue
            messages = answer.get("Messages") or []
            if not messages and wait_s and loop.time() - asked_at < _EMPTY_PAUSE_S:
                await asyncio.sleep(_EMPTY_PAUSE_S)
            return [sqs_record(message, str(source), source.region) for message in messages]

    def _ends_polling(self, error: AwsError, failures: int) -> bool:
        if kind_of(error) is Failure.PERMISSION:
            self._stop_for(f"{QUEUE_PERMISSIONS_MISSING}: {error.message}")
        elif is_missing_queue(error) and failures >= _MISSING_QUEUE_TRIES:
            self._stop_for(f"The source queue {self._spec.source} does not exist.")
        return self._fatal

    def _groups_of(self, records: Sequence[dict[str, Any]]) -> set[str]:
        """A group's next batch waits even if the last one outlived its visibility timeout."""
        return {record["attributes"].get("MessageGroupId", "") for record in records} if self._spec.ordered else set()

    def _stop_for(self, reason: str) -> None:
        if not self._fatal:
            self._fatal = True
            self._calls.stopping = True
            LOG.warning("pipe %s stops: %s", self._spec.name, reason)
            self._on_fatal(reason)
            if self._poll_task is not None and self._poll_task is not asyncio.current_task():
                self._poll_task.cancel()

    async def _process(self, records: list[dict[str, Any]], *, holds_slot: bool) -> None:
        deadline = asyncio.get_running_loop().time() + self._visibility_s
        try:
            async with self._groups.hold(self._groups_of(records), deadline=None):
                accepted = [record for record in records if self._spec.record_filter.accepts(record)]
                ids = {record["messageId"] for record in accepted}
                excluded = [record for record in records if record["messageId"] not in ids]
                self._metrics.events_filtered_out += len(excluded)
                await self._delete(excluded, deadline)
                if accepted:
                    await self._execute(accepted, deadline)
        except Exception:  # noqa: BLE001 - nothing unhandled was deleted, the messages come back
            LOG.exception("pipe %s: a batch failed unexpectedly", self._spec.name)
            self._failures += 1
        finally:
            if holds_slot:
                self._slots.release()

    async def _execute(self, records: list[dict[str, Any]], deadline: float) -> None:
        outcome = await self._execution.run(records, deadline)
        await self._delete([record for record in records if record["messageId"] in outcome.handled], deadline)
        if outcome.error is None or outcome.handled:
            self._failures = 0
        else:
            self._failures += 1
        if outcome.error is not None:
            LOG.info("pipe %s: %s", self._spec.name, outcome.error)
        if outcome.fatal is not None:
            self._stop_for(outcome.fatal)

    async def _delete(self, records: Sequence[dict[str, Any]], deadline: float) -> None:
        """Delete ``records``; one that cannot be deleted comes back and is delivered again (at least once)."""
        for start in range(0, len(records), _DELETE_MAXIMUM):
            chunk = records[start : start + _DELETE_MAXIMUM]
            entries = [{"Id": str(n), "ReceiptHandle": record["receiptHandle"]} for n, record in enumerate(chunk)]
            params = {"QueueUrl": self._queue_url, "Entries": entries}
            try:
                region = self._spec.source.region
                answer = await self._calls.persist(deadline, region, "sqs", "DeleteMessageBatch", params)
            except AwsError as error:
                LOG.warning("pipe %s cannot delete: %s: %s", self._spec.name, error.code, error.message)
                if kind_of(error) is Failure.PERMISSION:
                    self._stop_for(f"{QUEUE_PERMISSIONS_MISSING}: {error.message}")
                continue
            for failed in answer.get("Failed") or []:
                message = chunk[int(failed["Id"])]["messageId"]
                LOG.warning("pipe %s cannot delete %s: %s", self._spec.name, message, failed.get("Message"))


def _size(record: dict[str, Any]) -> int:
    return len(json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()) + 1


class _Slots:
    """Places for batches in flight, growing as PollerLimits says."""

    def __init__(self, limits: PollerLimits) -> None:
        self._limits = limits
        self._size = limits.initial
        self._taken = 0
        self._freed = asyncio.Event()

    async def acquire(self) -> None:
        while self._taken >= self._size:
            self._freed.clear()
            grows = self._size < self._limits.maximum
            try:
                async with asyncio.timeout(self._limits.growth_s if grows else None):
                    await self._freed.wait()
            except TimeoutError:
                self._size += 1
        self._taken += 1

    def release(self) -> None:
        self._taken -= 1
        self._freed.set()
        # One place is the poll's own while the queue is idle.
        if self._taken <= 1:
            self._size = self._limits.initial
