"""Asynchronous invocation of a function: retries, age, dead letter.

Rules: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html; look-ahead on the event's age
as recorded against AWS (Lambda drops an event whose next delay would pass its maximum age).
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from durable_sandbox.aws.call import Api, Caller
from durable_sandbox.aws.clock import TimePolicy
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.events.dead_letters import send_dead_letter

logger = logging.getLogger(__name__)

RETRY_WAITS_SECONDS = (60.0, 120.0)
"""Waits before the second and third attempt after a function error."""
THROTTLE_FIRST_SECONDS = 1.0
THROTTLE_LONGEST_SECONDS = 300.0
DEFAULT_RETRIES = 2
DEFAULT_MAX_AGE_SECONDS = 21_600


@dataclass(frozen=True, slots=True)
class AsyncEvent:
    """One accepted event. ``max_age`` in seconds; ``dead_letter_target`` is the function's, or None."""

    request_id: str
    payload: bytes
    region: str
    max_retries: int
    max_age: float
    dead_letter_target: str | None
    role_caller: Caller


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one invocation of the function gave.

    ``error`` is its FunctionError payload, None for success. ``final``: another attempt cannot help.
    """

    error: bytes | None
    status: int = 200
    final: bool = False


class AsyncQueue:
    """Lambda's internal queue. ``attempt`` invokes the function once; it raises AwsError when throttled or refused."""

    def __init__(self, api: Api, time_policy: TimePolicy) -> None:
        self._api = api
        self._time = time_policy
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        """Events that are not settled yet."""
        return len(self._tasks)

    def accept(self, event: AsyncEvent, attempt: Callable[[], Awaitable[Attempt]]) -> None:
        """Take ``event``; it is tried at once."""
        task = asyncio.get_running_loop().create_task(self._settle(event, attempt))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def reset(self) -> None:
        """Drop all events."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _settle(self, event: AsyncEvent, attempt: Callable[[], Awaitable[Attempt]]) -> None:
        age = _Age(event.max_age)
        failures = 0
        throttle_wait = THROTTLE_FIRST_SECONDS
        while True:
            try:
                result = await attempt()
            except AwsError as error:
                if error.code == "ResourceNotFoundException":
                    logger.warning("async event %s dropped, its function is gone: %s", event.request_id, error.message)
                    return
                wait, throttle_wait = throttle_wait, min(throttle_wait * 2, THROTTLE_LONGEST_SECONDS)
                message, status = error.message, error.status
            except Exception as error:
                # A fault of the sandbox or its machine (no process, no memory): what AWS calls a system error.
                logger.exception("async event %s: the attempt failed inside the sandbox", event.request_id)
                wait, throttle_wait = throttle_wait, min(throttle_wait * 2, THROTTLE_LONGEST_SECONDS)
                message, status = f"{type(error).__name__}: {error}", 500
            else:
                if result.error is None:
                    return
                failures += 1
                message, status = _error_message(result.error), result.status
                if result.final or failures > event.max_retries:
                    await self._dead_letter(event, status, message)
                    return
                wait = RETRY_WAITS_SECONDS[min(failures, len(RETRY_WAITS_SECONDS)) - 1]
            if not age.allows(wait):
                await self._dead_letter(event, status, message)
                return
            await asyncio.sleep(self._time.scaled(wait))

    async def _dead_letter(self, event: AsyncEvent, status: int, message: str) -> None:
        if event.dead_letter_target is None:
            logger.warning(
                "async event %s dropped after its last attempt, no dead-letter target: %s", event.request_id, message
            )
            return
        await send_dead_letter(
            self._api,
            event.role_caller,
            event.region,
            event.dead_letter_target,
            body=event.payload,
            request_id=event.request_id,
            error_code=status,
            error_message=message,
        )


class _Age:
    """An event's age in modelled seconds: scaled waits count in full."""

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._accepted = time.monotonic()
        self._age = 0.0

    def allows(self, wait: float) -> bool:
        """Whether ``wait`` more seconds keep the event within its age; if so they are counted."""
        self._age = max(self._age, time.monotonic() - self._accepted)
        if self._age + wait > self._longest:
            return False
        self._age += wait
        return True


def _error_message(payload: bytes) -> str:
    try:
        error: Any = json.loads(payload)
    except ValueError:
        return payload.decode(errors="replace")
    return str(error.get("errorMessage", error)) if isinstance(error, dict) else str(error)
