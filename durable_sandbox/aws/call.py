"""One API call and who makes it, whether it came over HTTP or from a poller inside the sandbox."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol
from uuid import uuid4

from botocore import xform_name

from durable_sandbox.aws.errors import AwsError


@dataclass(frozen=True, slots=True)
class Caller:
    """A principal: a role's session (``role_arn``), an AWS service that acts by itself (``service``), else the root.

    A service's ``arn`` is its name (``sns.amazonaws.com``); it acts for the resource ``source_arn``.
    """

    account: str
    arn: str
    access_key: str
    role_arn: str | None = None
    service: bool = False
    source_arn: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One API operation.

    ``service`` is botocore's service name (``sqs``), ``operation`` the API's (``SendMessage``) and ``params`` its
    input by botocore member names, blobs as ``bytes``, timestamps as aware ``datetime``. ``headers`` are the HTTP
    request's, lower-cased; empty for a call from inside.
    """

    service: str
    operation: str
    params: Mapping[str, Any]
    caller: Caller
    region: str
    request_id: str = field(default_factory=lambda: str(uuid4()))
    headers: Mapping[str, str] = field(default_factory=dict)


class Api(Protocol):
    """AWS as the sandbox's own parts call it: the same routing and the same errors as over HTTP."""

    async def call(
        self, caller: Caller, region: str, service: str, operation: str, params: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Run one operation and return its output by botocore member names. Raises AwsError."""
        ...


_INNER_ACRONYM = re.compile(r"[^a-z0-9_]")


def method_name(operation: str) -> str:
    """The Python method of an API operation: ``SendMessageBatch`` -> ``send_message_batch``."""
    return _INNER_ACRONYM.sub("_", xform_name(operation))


class Service:
    """Base of the services that are ours: state, and one method an API operation.

    A method takes a Call and returns the operation's output by botocore member names (or None for an empty one);
    it may be a coroutine. An operation without a method fails with UnsupportedOperation, never silently.
    """

    name: ClassVar[str]

    async def handle(self, call: Call) -> Mapping[str, Any]:
        """Dispatch ``call`` to its method. Raises AwsError."""
        method = getattr(self, method_name(call.operation), None)
        if method is None:
            raise AwsError(
                "UnsupportedOperation",
                f"The sandbox does not implement {call.service}:{call.operation}. See 'The sandbox' in the README.",
                status=501,
            )
        result = method(call)
        if inspect.isawaitable(result):
            result = await result
        return result if result is not None else {}
