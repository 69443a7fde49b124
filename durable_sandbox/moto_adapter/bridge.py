"""From a moto thread into the sandbox's own services."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from durable_sandbox.aws.access import Access
from durable_sandbox.aws.call import Api, Caller
from durable_sandbox.aws.clock import TimePolicy
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.aws.identity import Identities

logger = logging.getLogger(__name__)

_TIMEOUT_SECONDS = 60.0
_FORBIDDEN = 403


@dataclass(frozen=True, slots=True)
class Sender:
    """Who delivers: a service (``sns.amazonaws.com``) for a topic, rule or bucket; with a role if the target names one."""

    service: str
    source_arn: str
    role_arn: str | None = None


_sender: ContextVar[Sender | None] = ContextVar("sender", default=None)


@contextmanager
def sending(service: str, source_arn: str, role_arn: str | None = None) -> Iterator[None]:
    """Let this thread's deliveries be those of ``service``."""
    token = _sender.set(Sender(service, source_arn, role_arn))
    try:
        yield
    finally:
        _sender.reset(token)


class Background:
    """Work in the event loop that nobody waits for."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, None]) -> None:
        """Begin ``work`` in ``loop``, in the order of the calls. Thread-safe."""
        loop.call_soon_threadsafe(self._start, work)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def cancel(self) -> None:
        """End all of it."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class Bridge:
    """Calls ``api`` in ``loop``: as the account's root what moto asks for itself, deliveries as whoever delivers."""

    api: Api
    loop: asyncio.AbstractEventLoop
    identities: Identities
    access: Access
    time: TimePolicy
    background: Background

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Begin ``work`` in the loop and do not wait for it. Thread-safe; a reset of the sandbox ends it."""
        self.background.start(self.loop, work)

    def call(self, region: str, service: str, operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Run one operation as the root and wait for it. Raises AwsError, or TimeoutError after a minute."""
        return self._wait(None, region, service, operation, params)

    def deliver(self, region: str, service: str, operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """As ``call``, with the permissions of the service in whose name this thread is ``sending``."""
        sender = _sender.get()
        try:
            return self._wait(sender, region, service, operation, params)
        except AwsError as error:
            # Here and not where it is caught: moto's S3 drops every error of a notification.
            if sender is not None and error.status == _FORBIDDEN:
                logger.warning("%s may not deliver for %s: %s", sender.service, sender.source_arn, error.message)
            raise

    def _wait(
        self, sender: Sender | None, region: str, service: str, operation: str, params: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        running = asyncio.run_coroutine_threadsafe(self._call(sender, region, service, operation, params), self.loop)
        return running.result(_TIMEOUT_SECONDS)

    async def _call(
        self, sender: Sender | None, region: str, service: str, operation: str, params: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        return await self.api.call(self.caller(sender), region, service, operation, params)

    def caller(self, sender: Sender | None) -> Caller:
        """Who calls for ``sender``. From the event loop only. Raises AwsError if its role may not be assumed."""
        if sender is None:
            return self.identities.root()
        if sender.role_arn is None:
            return self.identities.principal(sender.service, sender.source_arn)
        account = self.identities.root().account
        if not self.access.assumable(
            sender.role_arn, sender.service, source_arn=sender.source_arn, source_account=account
        ):
            raise AwsError(
                "AccessDenied", f"{sender.service} is not authorized to assume {sender.role_arn}", status=_FORBIDDEN
            )
        return self.identities.service(sender.role_arn, sender.service.partition(".")[0])
