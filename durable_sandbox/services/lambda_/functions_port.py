"""Lambda as the durable engine sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import uuid4

from aws_durable_execution_sdk_python_testing.execution import Execution

from durable_sandbox.aws.access import Access
from durable_sandbox.aws.arns import function_arn
from durable_sandbox.aws.call import Api, Call, Caller
from durable_sandbox.aws.clock import TimePolicy
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.aws.identity import Identities
from durable_sandbox.durable.ports import DurableTarget, HandlerResult, PlainTarget
from durable_sandbox.events.async_queue import EventAge
from durable_sandbox.services.lambda_.invoke import InvokeOperations, durable_target
from durable_sandbox.services.lambda_.naming import FunctionReference

_SESSION = "durable-execution"
_THROTTLE_FIRST_SECONDS = 1.0
_THROTTLE_LONGEST_SECONDS = 60.0


class EnginePort:
    """Resolves targets, runs handlers, hears of ends."""

    def __init__(
        self,
        lambda_: InvokeOperations,
        api: Api,
        identities: Identities,
        access: Access,
        time: TimePolicy,
        closed: Callable[[Execution], None],
    ) -> None:
        self._lambda = lambda_
        self._api = api
        self._identities = identities
        self._access = access
        self._time = time
        self._closed = closed

    def resolve(self, region: str, function_name: str, qualifier: str | None) -> DurableTarget | PlainTarget:
        """The target of a chained invoke: durable ones need a qualifier, as with Invoke."""
        reference = FunctionReference(region, function_name, qualifier)
        _, version = self._lambda.functions.version(reference)
        if version.durable is None:
            return PlainTarget(function_name, qualifier)
        if qualifier is None:
            raise AwsError(
                "InvalidParameterValueException", "You cannot invoke a durable function using an unqualified ARN."
            )
        return durable_target(version)

    async def run_handler(
        self, region: str, function_name: str, version: str, execution_arn: str, payload: bytes
    ) -> HandlerResult:
        """Invoke the handler of one version once, as the durable backend does."""
        reference = FunctionReference(region, function_name, version)
        start = self._lambda.async_starts.get(execution_arn)
        event = EventAge(self._time) if start is None or start.waiting is None else start.waiting

        async def invoke() -> HandlerResult:
            function, target = self._lambda.functions.version(reference)
            if self._lambda.engine.execution(execution_arn).is_complete:
                # Stopped or timed out while it was throttled: its handler must not start any more.
                raise AwsError("ResourceConflictException", f"{execution_arn} is closed.", status=409)
            request_id, age = str(uuid4()), event.seconds()
            outcome = await self._lambda.run(function, target, reference, payload, request_id)
            if start is not None and start.waiting is not None:
                start.waiting = None
                self._lambda.async_metrics.of(region, function_name).attempted(age * 1000)
            return HandlerResult(request_id, outcome.payload, outcome.function_error is not None)

        return await self._once_admitted(invoke, event)

    async def invoke_plain(self, parent: Execution, target: PlainTarget, payload: bytes) -> HandlerResult:
        """Invoke with the role of the parent's function."""
        start = parent.start_input
        caller = self._parent(parent)
        params = {"FunctionName": target.function_name, "InvocationType": "RequestResponse", "Payload": payload}
        if target.qualifier:
            params["Qualifier"] = target.qualifier

        async def invoke() -> HandlerResult:
            answer = await self._api.call(caller, parent.region, "lambda", "Invoke", params)
            return HandlerResult(start.invocation_id, answer["Payload"], "FunctionError" in answer)

        return await self._once_admitted(invoke, EventAge(self._time))

    def permit(self, parent: Execution, target: DurableTarget, qualifier: str | None) -> None:
        """Ask IAM for the invocation that starts a child execution, as ``invoke_plain`` does by its call."""
        params = {
            "FunctionName": function_arn(target.region, target.account, target.function_name, qualifier),
            "InvocationType": "Event",
        }
        self._access.check(Call("lambda", "Invoke", params, self._parent(parent), parent.region))

    def _parent(self, parent: Execution) -> Caller:
        """The role of the function that ``parent`` runs."""
        start = parent.start_input
        reference = FunctionReference(parent.region, start.function_name, start.function_qualifier)
        _, version = self._lambda.functions.version(reference)
        return self._identities.service(version.role, _SESSION)

    async def _once_admitted(self, invoke: Callable[[], Awaitable[HandlerResult]], age: EventAge) -> HandlerResult:
        """Wait a throttle out, which adds to ``age``: the service retries 429 until it succeeds; it says nothing of the work.

        https://docs.aws.amazon.com/lambda/latest/dg/durable-execution-sdk-retries.html
        """
        wait = _THROTTLE_FIRST_SECONDS
        while True:
            try:
                return await invoke()
            except AwsError as error:
                if error.code != "TooManyRequestsException":
                    raise
            await age.wait(wait)
            wait = min(wait * 2, _THROTTLE_LONGEST_SECONDS)

    def on_closed(self, execution: Execution) -> None:
        """Hand on."""
        self._closed(execution)
