"""The condition keys of a request: what the sandbox knows, what AWS would leave out, and what nobody here can know.

Source: IAM User Guide reference_policies_condition-keys. A key that is neither known nor known to be absent is
*unknown*: an Allow that hangs on it does not apply, a Deny does. So a policy never grants here what AWS might refuse.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from durable_sandbox.iam.model import AccessRequest, PrincipalKind, account_of

# Not set for a request in one account without an organisation or a VPC endpoint, or set only by what the operation or
# the calling service adds to AccessRequest.context.
ABSENT_UNLESS_GIVEN = frozenset(
    {
        "aws:sourcearn",
        "aws:sourceaccount",
        "aws:sourceorgid",
        "aws:sourceorgpaths",
        "aws:sourceowner",
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:resourceorgid",
        "aws:resourceorgpaths",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:sourcevpcarn",
        "aws:vpcsourceip",
        "aws:vpceaccount",
        "aws:calledvia",
        "aws:calledviafirst",
        "aws:calledvialast",
        "aws:federatedprovider",
        "aws:username",
        "aws:sourceidentity",
        "aws:referer",
        "kms:viaservice",
        "lambda:functionarn",
        "sts:externalid",
        "events:source",
        "events:detail-type",
    }
)


class RequestContext:
    """The keys of one request. ``now`` gives epoch seconds for ``aws:CurrentTime`` and ``aws:EpochTime``.

    ``aws:SecureTransport`` is ``true``: the sandbox speaks plain HTTP on the loopback interface for what is HTTPS on AWS,
    and a policy that refuses plain HTTP there must not refuse everything here.
    """

    __slots__ = ("_now", "_request")

    def __init__(self, request: AccessRequest, now: Callable[[], float]) -> None:
        self._request = request
        self._now = now

    def values(self, key: str) -> tuple[str, ...] | None:
        """Values of ``key`` (lower case); empty if AWS would not set it, None if unknown here."""
        given = self._request.context.get(key)
        if given is not None:
            return given
        known = _GLOBAL.get(key)
        if known is not None:
            return known(self._request, self._now)
        return () if key in ABSENT_UNLESS_GIVEN else None


def _principal_arn(request: AccessRequest, _now: Callable[[], float]) -> tuple[str, ...]:
    """Of a role's session it is the role's ARN; a service has none."""
    principal = request.principal
    if principal.kind is PrincipalKind.SERVICE:
        return ()
    return (principal.role_arn or principal.arn,)


def _unless_service(value: Callable[[AccessRequest], str]) -> Callable[..., tuple[str, ...]]:
    def values(request: AccessRequest, _now: Callable[[], float]) -> tuple[str, ...]:
        return () if request.principal.kind is PrincipalKind.SERVICE else (value(request),)

    return values


def _service_name(request: AccessRequest, _now: Callable[[], float]) -> tuple[str, ...]:
    return (request.principal.arn,) if request.principal.kind is PrincipalKind.SERVICE else ()


def _is_service(request: AccessRequest, _now: Callable[[], float]) -> tuple[str, ...]:
    return ("true" if request.principal.kind is PrincipalKind.SERVICE else "false",)


def _region(request: AccessRequest, _now: Callable[[], float]) -> tuple[str, ...]:
    return (request.region,) if request.region else ()


def _resource_account(request: AccessRequest, _now: Callable[[], float]) -> tuple[str, ...]:
    return (account_of(request.resource) or request.principal.account,)


def _current_time(_request: AccessRequest, now: Callable[[], float]) -> tuple[str, ...]:
    return (datetime.fromtimestamp(now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),)


def _epoch_time(_request: AccessRequest, now: Callable[[], float]) -> tuple[str, ...]:
    return (str(int(now())),)


def _always(value: str) -> Callable[..., tuple[str, ...]]:
    return lambda _request, _now: (value,)


_GLOBAL: dict[str, Callable[[AccessRequest, Callable[[], float]], tuple[str, ...]]] = {
    "aws:principalarn": _principal_arn,
    "aws:principalaccount": _unless_service(lambda request: request.principal.account),
    "aws:principaltype": _unless_service(lambda request: request.principal.kind.value),
    "aws:principalisawsservice": _is_service,
    "aws:principalservicename": _service_name,
    "aws:requestedregion": _region,
    "aws:resourceaccount": _resource_account,
    "aws:currenttime": _current_time,
    "aws:epochtime": _epoch_time,
    "aws:securetransport": _always("true"),
    "aws:viaawsservice": _always("false"),
}
