"""From a moto thread into the sandbox's own services."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from durable_sandbox.aws.call import Api, Caller

_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Bridge:
    """Calls ``api`` in ``loop`` as ``caller``, the account's root: AWS's service principals need no role here."""

    api: Api
    loop: asyncio.AbstractEventLoop
    caller: Caller

    def call(self, region: str, service: str, operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Run one operation and wait for it. Raises AwsError, or TimeoutError after a minute."""
        running = asyncio.run_coroutine_threadsafe(
            self._call(region, service, operation, params),
            self.loop,
        )
        return running.result(_TIMEOUT_SECONDS)

    async def _call(self, region: str, service: str, operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        return await self.api.call(self.caller, region, service, operation, params)
