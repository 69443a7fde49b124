"""Lambda's log lines on their way to CloudWatch Logs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from durable_sandbox.moto_adapter.app import MotoApp

logger = logging.getLogger(__name__)

_BATCH_DELAY_SECONDS = 0.05
_Stream = tuple[str, str, str]


class LogWriter:
    """Queues events from the loop and writes them in batches from a thread, creating groups and streams on demand."""

    def __init__(self, moto: MotoApp, *, account: str = "123456789012") -> None:
        self._moto = moto
        self._account = account
        self._pending: dict[_Stream, list[tuple[int, str]]] = {}
        self._flushing: asyncio.Task[None] | None = None

    def put(self, region: str, group: str, stream: str, events: Sequence[tuple[int, str]]) -> None:
        """Queue ``events`` (milliseconds since the epoch, text). Never blocks; call it in the event loop."""
        self._pending.setdefault((region, group, stream), []).extend(events)
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.get_running_loop().create_task(self._flush_soon())

    async def drain(self) -> None:
        """Return once everything queued so far can be read through the Logs API."""
        while self._pending or (self._flushing is not None and not self._flushing.done()):
            if self._flushing is None or self._flushing.done():
                self._flushing = asyncio.get_running_loop().create_task(self._flush_soon())
            await self._flushing

    async def close(self) -> None:
        """Write what is queued."""
        await self.drain()

    async def _flush_soon(self) -> None:
        while self._pending:
            await asyncio.sleep(_BATCH_DELAY_SECONDS)
            batch, self._pending = self._pending, {}
            try:
                await self._moto.in_thread(self._write, batch)
            except Exception:
                # A log line is no reason to fail the function that wrote it.
                logger.exception("%d log events could not be written", sum(map(len, batch.values())))

    def _write(self, batch: dict[_Stream, list[tuple[int, str]]]) -> None:
        self._moto.application()
        from moto.logs.models import logs_backends  # noqa: PLC0415 - loaded by now

        for (region, group, stream), events in batch.items():
            backend = logs_backends[self._account][region]
            if group not in backend.groups:
                backend.create_log_group(group, {})
            log_group = backend.groups[group]
            if stream not in log_group.streams:
                log_group.create_log_stream(stream)
            backend.put_log_events(group, stream, [{"timestamp": moment, "message": text} for moment, text in events])
