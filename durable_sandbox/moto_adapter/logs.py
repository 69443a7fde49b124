"""Lambda's log lines on their way to CloudWatch Logs, written with the permissions of the function's role."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from durable_sandbox.aws.access import Access, Unrestricted
from durable_sandbox.aws.call import Call
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.aws.identity import Identities

if TYPE_CHECKING:
    from durable_sandbox.moto_adapter.app import MotoApp

logger = logging.getLogger(__name__)

_BATCH_DELAY_SECONDS = 0.05
_SESSION = "awslambda-logs"
_Stream = tuple[str, str, str, str | None]
"""Region, group, stream, role."""


class LogWriter:
    """Queues events from the loop and writes them in batches from a thread, creating groups and streams on demand.

    Lines that the role may not write are lost, as on AWS:
    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html
    """

    def __init__(
        self,
        moto: MotoApp,
        identities: Identities,
        access: Access | None = None,
        *,
        account: str = "123456789012",
    ) -> None:
        self._moto = moto
        self._identities = identities
        self._access = access or Unrestricted()
        self._account = account
        self._pending: dict[_Stream, list[tuple[int, str]]] = {}
        self._flushing: asyncio.Task[None] | None = None
        self._refused: set[tuple[str, str]] = set()

    def put(
        self, region: str, group: str, stream: str, events: Sequence[tuple[int, str]], *, role_arn: str | None = None
    ) -> None:
        """Queue ``events`` (milliseconds since the epoch, text). Never blocks; call it in the event loop.

        ``role_arn`` is the function's role; without one a pipe or an API writes itself, and a group that was deleted stays so.
        """
        if not self._allowed(region, group, stream, role_arn, "PutLogEvents"):
            return
        self._pending.setdefault((region, group, stream, role_arn), []).extend(events)
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

        for (region, group, stream, role_arn), events in batch.items():
            backend = logs_backends[self._account][region]
            if group not in backend.groups:
                if role_arn is None or not self._allowed_in_loop(region, group, stream, role_arn, "CreateLogGroup"):
                    continue
                backend.create_log_group(group, {})
            log_group = backend.groups[group]
            if stream not in log_group.streams:
                if not self._allowed_in_loop(region, group, stream, role_arn, "CreateLogStream"):
                    continue
                log_group.create_log_stream(stream)
            backend.put_log_events(group, stream, [{"timestamp": moment, "message": text} for moment, text in events])

    def _allowed(self, region: str, group: str, stream: str, role_arn: str | None, operation: str) -> bool:
        """Whether the role may; a refusal is logged once a group. In the event loop."""
        if role_arn is None:
            return True
        caller = self._identities.service(role_arn, _SESSION)
        try:
            self._access.check(
                Call("logs", operation, {"logGroupName": group, "logStreamName": stream}, caller, region)
            )
        except AwsError as error:
            if (group, role_arn) not in self._refused:
                self._refused.add((group, role_arn))
                logger.warning("Lines of %s are lost: %s", group, error.message)
            return False
        self._refused.discard((group, role_arn))
        return True

    def _allowed_in_loop(self, region: str, group: str, stream: str, role_arn: str | None, operation: str) -> bool:
        """As ``_allowed``, from a thread."""

        async def ask() -> bool:
            return self._allowed(region, group, stream, role_arn, operation)

        assert self._moto.loop is not None  # noqa: S101 - the sandbox has started
        return asyncio.run_coroutine_threadsafe(ask(), self._moto.loop).result()
