"""Operations on the settings of asynchronous invocation, one set a function, version or alias.

https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html; texts of errors as AWS answered
LocalStack's recorded runs (test_lambda_api.snapshot.json, test_lambda_eventinvokeconfig_exceptions). Ranges are the model's,
enforced where requests are parsed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from durable_sandbox.aws.arns import function_arn
from durable_sandbox.aws.call import Call
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.services.lambda_.async_target import ASYNC_SESSION
from durable_sandbox.services.lambda_.context import LambdaContext
from durable_sandbox.services.lambda_.destination_access import DestinationAccess, refuse_durable
from durable_sandbox.services.lambda_.model import LATEST, AsyncSettings, Function, Version
from durable_sandbox.services.lambda_.naming import FunctionReference

_MAX_PAGE = 50
_MEMBERS = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig")


class EventInvokeOperations(LambdaContext):
    """FunctionEventInvokeConfig."""

    async def put_function_event_invoke_config(self, call: Call) -> Mapping[str, Any]:
        """PutFunctionEventInvokeConfig: replaces everything."""
        return await self._set_async(call, AsyncSettings())

    async def update_function_event_invoke_config(self, call: Call) -> Mapping[str, Any]:
        """UpdateFunctionEventInvokeConfig: keeps the members that are not given."""
        return await self._set_async(call, None)

    def get_function_event_invoke_config(self, call: Call) -> Mapping[str, Any]:
        """GetFunctionEventInvokeConfig."""
        reference = self.reference(call)
        function, settings = self._async_settings(reference)
        return settings.to_api(_arn(function, reference))

    def delete_function_event_invoke_config(self, call: Call) -> None:
        """DeleteFunctionEventInvokeConfig."""
        reference = self.reference(call)
        function, _ = self._async_settings(reference)
        del function.async_settings[reference.qualifier or LATEST]

    def list_function_event_invoke_configs(self, call: Call) -> Mapping[str, Any]:
        """ListFunctionEventInvokeConfigs, at most 50 a page. ``Marker``: the first qualifier of the page."""
        reference = self.reference(call)
        function = self.functions.find(reference.region, reference.name)
        if function is None:
            raise _no_such_function()
        start, size = call.params.get("Marker") or "", call.params.get("MaxItems") or _MAX_PAGE
        found = sorted(qualifier for qualifier in function.async_settings if qualifier >= start)
        shown: dict[str, Any] = {
            "FunctionEventInvokeConfigs": [
                function.async_settings[qualifier].to_api(function.arn(qualifier)) for qualifier in found[:size]
            ]
        }
        return shown | ({"NextMarker": found[size]} if len(found) > size else {})

    async def _set_async(self, call: Call, before: AsyncSettings | None) -> Mapping[str, Any]:
        """``before`` None: the settings that exist."""
        reference, params = self.reference(call), call.params
        if all(params.get(member) is None for member in _MEMBERS):
            raise AwsError(
                "InvalidParameterValueException",
                "You must specify at least one of error handling or destination setting.",
                Type="User",
            )
        function, version = self._known(reference)
        if before is None:
            _, before = self._async_settings(reference)
        on_success, on_failure = before.on_success, before.on_failure
        if params.get("DestinationConfig") is not None:
            on_success = _destination(params["DestinationConfig"], "OnSuccess")
            on_failure = _destination(params["DestinationConfig"], "OnFailure")
            await self._check_destinations(function, version, on_success, on_failure)
        settings = AsyncSettings(
            max_retries=_chosen(params.get("MaximumRetryAttempts"), before.max_retries),
            max_age=_chosen(params.get("MaximumEventAgeInSeconds"), before.max_age),
            on_success=on_success,
            on_failure=on_failure,
        )
        function.async_settings[reference.qualifier or LATEST] = settings
        return settings.to_api(_arn(function, reference))

    async def _check_destinations(
        self, function: Function, version: Version, on_success: str | None, on_failure: str | None
    ) -> None:
        if on_success is None and on_failure is None:
            return
        if version.durable is not None:
            raise refuse_durable()
        checks = DestinationAccess(
            api=self.api,
            access=self.access,
            functions=self.functions,
            root=self.identities.root(),
            role=self.identities.service(version.role, ASYNC_SESSION),
            function=function,
        )
        await checks.check(on_success, on_failure)

    def _known(self, reference: FunctionReference) -> tuple[Function, Version]:
        try:
            return self.functions.version(reference)
        except AwsError as error:
            raise _no_such_function() from error

    def _async_settings(self, reference: FunctionReference) -> tuple[Function, AsyncSettings]:
        qualifier = reference.qualifier or LATEST
        function = self.functions.find(reference.region, reference.name)
        settings = None if function is None else function.async_settings.get(qualifier)
        if function is None or settings is None:
            arn = function_arn(reference.region, self.account, reference.name, qualifier)
            raise _not_found(f"The function {arn} doesn't have an EventInvokeConfig")
        return function, settings


def _arn(function: Function, reference: FunctionReference) -> str:
    return function.arn(reference.qualifier or LATEST)


def _destination(config: Mapping[str, Any], side: str) -> str | None:
    return (config.get(side) or {}).get("Destination") or None


def _chosen(given: int | None, before: int | None) -> int | None:
    return before if given is None else given


def _no_such_function() -> AwsError:
    return _not_found("The function doesn't exist.")


def _not_found(message: str) -> AwsError:
    return AwsError("ResourceNotFoundException", message, status=404, Type="User")
