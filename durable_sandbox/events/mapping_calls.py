"""What every event source mapping has: its function, calls to other services, and what stands in its way."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from durable_sandbox.aws.call import Api, Caller
from durable_sandbox.aws.clock import TimePolicy
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.aws.identity import Identities
from durable_sandbox.events.pipe_calls import backoff_seconds

LOG = logging.getLogger(__name__)

_SESSION = "awslambda-mapping"


@dataclass(frozen=True, slots=True)
class MappedFunction:
    """What a mapping needs of its function: the role that it polls with, and its timeout in seconds."""

    role_arn: str
    timeout: int


FunctionLookup = Callable[[], MappedFunction]
"""The mapping's function as it is now. Raises AwsError if it is gone."""


class MappingCalls:
    """API calls of one mapping.

    The source is read as the function's execution role, looked up at each call, for the role may change. The function
    is invoked and metrics are published by Lambda itself, which on AWS costs the role no permission:
    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html.
    """

    def __init__(self, api: Api, identities: Identities, time: TimePolicy, function: FunctionLookup) -> None:
        self._api = api
        self._identities = identities
        self._time = time
        self._function = function

    def function(self) -> MappedFunction:
        """The function now. Raises AwsError if it is gone."""
        return self._function()

    async def as_role(self, region: str, service: str, operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Call a service as the function's role. Raises AwsError."""
        caller = self._identities.service(self._function().role_arn, _SESSION)
        return await self._call(caller, region, service, operation, params)

    async def own(self, region: str, service: str, operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Call a service as Lambda itself. Raises AwsError."""
        return await self._call(self._identities.root(), region, service, operation, params)

    def pause_after(self, failures: int) -> float:
        """Wall seconds to wait after ``failures`` (>= 1) failures in a row."""
        return self._time.scaled(backoff_seconds(failures))

    async def _call(
        self, caller: Caller, region: str, service: str, operation: str, params: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """One call; what is no AwsError is a fault of the sandbox and becomes InternalException."""
        try:
            return await self._api.call(caller, region, service, operation, params)
        except AwsError:
            raise
        except Exception as error:
            LOG.exception("%s:%s failed unexpectedly", service, operation)
            raise AwsError("InternalException", f"{type(error).__name__}: {error}", status=500) from error


class Problems:
    """What keeps a mapping from working, by what it was doing."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._by_activity: dict[str, str] = {}

    @property
    def text(self) -> str | None:
        """The problems in one line, if there are any."""
        return " ".join(self._by_activity.values()) or None

    def note(self, activity: str, text: str) -> None:
        """``activity`` fails; logged when that is news."""
        if self._by_activity.get(activity) != text:
            LOG.warning("%s: %s", self._name, text)
        self._by_activity[activity] = text

    def solved(self, activity: str) -> None:
        """``activity`` works."""
        self._by_activity.pop(activity, None)
