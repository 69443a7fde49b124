"""Asynchronous invocation of a function: retries, age, destinations, dead letter.

Rules: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html; look-ahead on the event's age
and the records' invocation counts as recorded against AWS (LocalStack's test_lambda_destinations.snapshot.json: Lambda drops
an event whose next delay would pass its maximum age). Settings hold from when they are made, for events that wait, too.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from durable_sandbox.aws.arns import Arn
from durable_sandbox.aws.call import Api, Caller
from durable_sandbox.aws.clock import TimePolicy
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.events.async_metrics import AsyncMetrics
from durable_sandbox.events.dead_letters import send_dead_letter
from durable_sandbox.events.destinations import Answer, Condition, Destinations, InvocationRecord

logger = logging.getLogger(__name__)

RETRY_WAITS_SECONDS = (60.0, 120.0)
"""Waits before the second and third attempt after a function error."""
THROTTLE_FIRST_SECONDS = 1.0
THROTTLE_LONGEST_SECONDS = 300.0
DEFAULT_RETRIES = 2
DEFAULT_MAX_AGE_SECONDS = 21_600
_OK = 200
_THROTTLED = 429
_SYSTEM_ERROR = 500
_ZERO_RESERVED = "Reserved concurrency is 0: no event of this function is attempted."


@dataclass(frozen=True, slots=True)
class AsyncEvent:
    """One accepted event; ``function_arn`` is qualified."""

    request_id: str
    payload: bytes
    region: str
    function_name: str
    function_arn: str


@dataclass(frozen=True, slots=True)
class AsyncPolicy:
    """How a function's events are handled, as configured now. ``role`` delivers; ``max_age`` in seconds.

    ``attempts``: whether any is made; none is while the reserved concurrency is 0.
    """

    role: Caller
    max_retries: int = DEFAULT_RETRIES
    max_age: float = DEFAULT_MAX_AGE_SECONDS
    dead_letter_target: str | None = None
    on_success: Arn | None = None
    on_failure: Arn | None = None
    attempts: bool = True


class AsyncFunction(Protocol):
    """The function that an event is for. Both raise AwsError, ResourceNotFoundException when it is gone."""

    def policy(self) -> AsyncPolicy:
        """Its settings now."""
        ...

    async def attempt(self) -> Answer:
        """Invoke it once with the event. Raises AwsError also when it is throttled or refused."""
        ...


class EventAge:
    """An event's age in modelled seconds: what the clock says, and the waits that the sandbox skipped."""

    def __init__(self, time_policy: TimePolicy, now: Callable[[], float] = time.monotonic) -> None:
        self._time = time_policy
        self._now = now
        self._accepted = now()
        self._skipped = 0.0

    def seconds(self) -> float:
        """The age now."""
        return self._now() - self._accepted + self._skipped

    async def wait(self, seconds: float) -> None:
        """Let ``seconds`` pass, scaled."""
        scaled = self._time.scaled(seconds)
        await asyncio.sleep(scaled)
        self._skipped += seconds - scaled


@dataclass(slots=True)
class _Progress:
    """``tries``: the function's answers; ``status`` and ``message``: of the last failure, whoever's it was."""

    age: EventAge
    tries: int = 0
    answer: Answer | None = None
    status: int = _OK
    message: str = ""
    throttle_wait: float = field(default=THROTTLE_FIRST_SECONDS)

    def answered(self, answer: Answer) -> None:
        self.tries += 1
        self.answer = answer
        self.status, self.message = _OK, _error_message(answer.payload) if answer.function_error else ""
        self.throttle_wait = THROTTLE_FIRST_SECONDS

    def refused(self, status: int, message: str) -> float:
        """Seconds to wait; no try is counted."""
        self.status, self.message = status, message
        wait, self.throttle_wait = self.throttle_wait, min(self.throttle_wait * 2, THROTTLE_LONGEST_SECONDS)
        return wait


class AsyncQueue:
    """Lambda's internal queue."""

    def __init__(self, api: Api, time_policy: TimePolicy, metrics: AsyncMetrics) -> None:
        self._api = api
        self._time = time_policy
        self._metrics = metrics
        self._destinations = Destinations(api, time_policy)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        """Events that are not settled yet."""
        return len(self._tasks)

    def accept(self, event: AsyncEvent, function: AsyncFunction) -> None:
        """Take ``event``; it is tried at once."""
        self._metrics.of(event.region, event.function_name).received += 1
        task = asyncio.get_running_loop().create_task(self._settle(event, function))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def reset(self) -> None:
        """Drop all events."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _settle(self, event: AsyncEvent, function: AsyncFunction) -> None:
        progress = _Progress(EventAge(self._time))
        try:
            condition = await self._run(event, function, progress)
            policy = function.policy()
        except AwsError as error:
            logger.warning("async event %s dropped, its function is gone: %s", event.request_id, error.message)
            self._metrics.of(event.region, event.function_name).dropped += 1
            return
        record = InvocationRecord(
            event.request_id, event.function_arn, condition, progress.tries, event.payload, progress.answer
        )
        if not record.success:
            await self._give_up(event, policy, progress, condition)
        target = policy.on_success if record.success else policy.on_failure
        if target is not None and not await self._destinations.send(policy.role, event.region, target, record):
            self._metrics.of(event.region, event.function_name).destination_delivery_failures += 1

    async def _run(self, event: AsyncEvent, function: AsyncFunction, progress: _Progress) -> Condition:
        """Try until the event is settled. Raises AwsError ResourceNotFoundException when the function is gone."""
        while True:
            policy = function.policy()
            if not policy.attempts:
                progress.status, progress.message = _THROTTLED, _ZERO_RESERVED
                return Condition.ZERO_RESERVED_CONCURRENCY
            if progress.age.seconds() > policy.max_age:
                return Condition.EVENT_AGE_EXCEEDED
            wait = await self._attempt(event, function, progress)
            if wait is None:
                if progress.answer is not None and progress.answer.function_error is None:
                    return Condition.SUCCESS
                if progress.tries > policy.max_retries:
                    return Condition.RETRIES_EXHAUSTED
                wait = RETRY_WAITS_SECONDS[min(progress.tries, len(RETRY_WAITS_SECONDS)) - 1]
            if progress.age.seconds() + wait > policy.max_age:
                return Condition.EVENT_AGE_EXCEEDED
            await progress.age.wait(wait)

    async def _attempt(self, event: AsyncEvent, function: AsyncFunction, progress: _Progress) -> float | None:
        """None if the function answered, else seconds until another attempt that does not count."""
        age = progress.age.seconds()
        try:
            answer = await function.attempt()
        except AwsError as error:
            if error.code == "ResourceNotFoundException":
                raise
            return progress.refused(error.status, error.message)
        except Exception as error:
            # A fault of the sandbox or its machine (no process, no memory): what AWS calls a system error.
            logger.exception("async event %s: the attempt failed inside the sandbox", event.request_id)
            return progress.refused(_SYSTEM_ERROR, f"{type(error).__name__}: {error}")
        self._metrics.of(event.region, event.function_name).attempted(age * 1000)
        progress.answered(answer)
        return None

    async def _give_up(self, event: AsyncEvent, policy: AsyncPolicy, progress: _Progress, condition: Condition) -> None:
        """Count the event as dropped, and send it to the dead-letter target if there is one."""
        counts = self._metrics.of(event.region, event.function_name)
        counts.dropped += 1
        if policy.dead_letter_target is None:
            if policy.on_failure is None:
                logger.warning(
                    "async event %s dropped (%s), no dead-letter target and no destination: %s",
                    event.request_id,
                    condition.value,
                    progress.message,
                )
            return
        delivered = await send_dead_letter(
            self._api,
            policy.role,
            event.region,
            policy.dead_letter_target,
            body=event.payload,
            request_id=event.request_id,
            error_code=progress.status,
            error_message=progress.message,
        )
        counts.dead_letter_errors += not delivered


def _error_message(payload: bytes) -> str:
    try:
        error: Any = json.loads(payload)
    except ValueError:
        return payload.decode(errors="replace")
    return str(error.get("errorMessage", error)) if isinstance(error, dict) else str(error)
