"""A function as the asynchronous queue sees it: resolved anew each time, for an alias may move and settings may change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from durable_sandbox.aws.arns import Arn
from durable_sandbox.aws.identity import Identities
from durable_sandbox.events.async_queue import DEFAULT_MAX_AGE_SECONDS, DEFAULT_RETRIES, AsyncPolicy
from durable_sandbox.events.destinations import Answer
from durable_sandbox.runtime.spec import InvocationOutcome
from durable_sandbox.services.lambda_.model import LATEST, AsyncSettings, Function, Version
from durable_sandbox.services.lambda_.naming import FunctionReference
from durable_sandbox.services.lambda_.store import FunctionStore

ASYNC_SESSION = "awslambda-async"
"""The name of the role's session in which Lambda delivers what became of an event."""

Run = Callable[[Function, Version], Awaitable[InvocationOutcome]]


class AsyncTarget:
    """What ``reference`` names; ``run`` invokes a version with the event."""

    def __init__(
        self, functions: FunctionStore, identities: Identities, reference: FunctionReference, run: Run
    ) -> None:
        self._functions = functions
        self._identities = identities
        self._reference = reference
        self._run = run

    def policy(self) -> AsyncPolicy:
        """The settings of the qualifier that was invoked. Raises AwsError when there is no such function any more."""
        function, version = self._functions.version(self._reference)
        settings = function.async_settings.get(self._reference.qualifier or LATEST, AsyncSettings())
        return AsyncPolicy(
            role=self._identities.service(version.role, ASYNC_SESSION),
            max_retries=DEFAULT_RETRIES if settings.max_retries is None else settings.max_retries,
            max_age=DEFAULT_MAX_AGE_SECONDS if settings.max_age is None else settings.max_age,
            dead_letter_target=version.dead_letter_target,
            on_success=Arn.parse(settings.on_success) if settings.on_success else None,
            on_failure=Arn.parse(settings.on_failure) if settings.on_failure else None,
            attempts=function.reserved_concurrency != 0,
        )

    async def attempt(self) -> Answer:
        """Run the event once. Raises AwsError when the function is gone, throttled or cannot start."""
        function, version = self._functions.version(self._reference)
        outcome = await self._run(function, version)
        return Answer(version.version, outcome.payload, outcome.function_error)
