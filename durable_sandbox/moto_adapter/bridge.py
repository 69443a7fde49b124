"""From a moto thread into the sandbox's own services."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from durable_sandbox.aws.access import Access
from durable_sandbox.aws.call import Api, Caller
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


@dataclass(frozen=True, slots=True)
class Bridge:
    """Calls ``api`` in ``loop``: as the account's root what moto asks for itself, deliveries as whoever delivers."""

    api: Api
    loop: asyncio.AbstractEventLoop
    identities: Identities
    access: Access

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
        return await self.api.call(self._caller(sender), region, service, operation, params)

    def _caller(self, sender: Sender | None) -> Caller:
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
