"""The sandbox's authoriser: API call -> needs -> decision, kept, counted, and an AWS error if refused.

Touched from the event loop only, as ``services`` are.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from durable_sandbox.aws.call import Call, Caller
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.iam.actions import Need, UnmappedError, needs
from durable_sandbox.iam.decisions import DecisionLog, Unused, resource_pattern
from durable_sandbox.iam.denials import cannot_decide, denial
from durable_sandbox.iam.documents import PolicyError
from durable_sandbox.iam.encryption import KEY_USES, key_needs
from durable_sandbox.iam.evaluator import Decision, Evaluator, PolicySet
from durable_sandbox.iam.model import (
    AccessRequest,
    ContextValues,
    PolicySource,
    Principal,
    PrincipalKind,
    account_of,
)

logger = logging.getLogger(__name__)

_KEPT_SUBJECTS = 20_000
_KEPT_DECISIONS = 64
_ALARMS = "cloudwatch.amazonaws.com"
_SOURCE_KEYS = ("aws:sourcearn", "aws:sourceaccount")

_Values = tuple[tuple[str, ...] | None, ...]


@dataclass(slots=True)
class _Subject:
    """Decisions on one principal, action and resource, by the values of the condition keys that they hang on."""

    policies: PolicySet
    keys: tuple[str, ...]
    shown: str
    decisions: dict[_Values, Decision] = field(default_factory=dict)


class Authoriser:
    """Decides API calls against the policies of ``source`` and counts decisions in ``log``."""

    def __init__(
        self,
        source: PolicySource,
        *,
        account: str,
        log: DecisionLog | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.log = log if log is not None else DecisionLog()
        self._source = source
        self._account = account
        self._evaluator = Evaluator(source, now=now)
        self._subjects: dict[tuple[str, str, str], _Subject] = {}
        self._keys: dict[str, str | None] = {}

    def changed(self) -> None:
        """Policies may have changed: forget all decisions. To be called after a call that ``changes_policies``."""
        self._evaluator.forget()
        self._subjects.clear()
        self._keys.clear()

    async def authorise(self, call: Call) -> None:
        """Return if ``call`` is allowed. Raises AwsError with the code and text of the call's service."""
        self.check(call)

    def check(self, call: Call) -> None:
        """As ``authorise``, without awaiting."""
        principal = Principal.of(call.caller)
        try:
            wanted = needs(call, account=self._account, key_arn=self._source.key_arn)
        except UnmappedError as error:
            if principal.kind is PrincipalKind.ROOT:
                return
            raise cannot_decide(call.service, principal, call.operation, str(error)) from error
        source = _source_of(call.caller)
        for need in wanted:
            sourced = Need(need.action, need.resource, {**need.context, **source}) if source else need
            self._require(principal, sourced, call.region, call.service, call.operation)

    def require(
        self,
        principal: Principal,
        action: str,
        resource: str,
        *,
        service: str,
        region: str,
        context: Mapping[str, str] | None = None,
    ) -> None:
        """Demand one action outside an API call: a delivery by a service principal, a role's use of a key.

        ``context`` adds condition keys, as ``{"aws:SourceArn": ...}``. Raises AwsError in the words of ``service``.
        """
        need = Need(action, resource, _context(context))
        self._require(principal, need, region, service, action.partition(":")[2])

    def assumable(
        self,
        role_arn: str,
        service: str,
        *,
        source_arn: str | None = None,
        source_account: str | None = None,
        region: str = "",
    ) -> Decision:
        """Whether the role's trust policy lets an AWS service (``pipes.amazonaws.com``) assume it for a resource.

        A role that does not exist is refused. Each service has its own words for it, so none are raised here.
        Raises AwsError (AccessDenied) if the trust policy cannot be read.
        """
        principal = Principal.service(service, self._account)
        given = {"aws:SourceArn": source_arn, "aws:SourceAccount": source_account}
        context = _context({key: value for key, value in given.items() if value is not None})
        need = Need("sts:AssumeRole", role_arn, context)
        try:
            return self._decide(principal, need, region)
        except PolicyError as error:
            raise cannot_decide("sts", principal, "AssumeRole", str(error)) from error

    def unused(self, role_arn: str) -> list[Unused]:
        """What the role's policies allow and no call needed since the log began. Raises PolicyError."""
        return self.log.unused(role_arn, self._evaluator.identity_policies(role_arn))

    def _require(self, principal: Principal, need: Need, region: str, service: str, operation: str) -> None:
        try:
            decision = self._decide(principal, need, region)
        except PolicyError as error:
            if principal.kind is PrincipalKind.ROOT:
                logger.warning("%s: root may call %s", error, operation)
                return
            raise cannot_decide(service, principal, operation, str(error)) from error
        if not decision.allowed:
            raise self._refusal(service, principal, need, decision)
        if need.action in KEY_USES:
            key = self._encryption_key(need.resource)
            if key is not None:
                source = {name: need.context[name] for name in _SOURCE_KEYS if name in need.context}
                for use in key_needs(need, key, region):
                    self._require(
                        principal, Need(use.action, use.resource, {**use.context, **source}), region, service, operation
                    )

    def _refusal(self, service: str, principal: Principal, need: Need, decision: Decision) -> AwsError:
        error = denial(service, principal, need, decision)
        if decision.unknown:
            logger.warning(
                "%s (conditions that the sandbox cannot evaluate: %s)", error.message, ", ".join(decision.unknown)
            )
        return error

    def _decide(self, principal: Principal, need: Need, region: str) -> Decision:
        key = (principal.arn, need.action, need.resource)
        subject = self._subjects.get(key)
        if subject is None:
            subject = self._subject(principal, need)
            self._subjects[key] = subject
        request = AccessRequest(principal, need.action, need.resource, region, need.context)
        values: _Values = ()
        if subject.keys:
            context = self._evaluator.context(request)
            values = tuple([context.values(name) for name in subject.keys])
        decision = subject.decisions.get(values)
        if decision is None:
            if len(subject.decisions) >= _KEPT_DECISIONS:
                subject.decisions.clear()
            decision = subject.decisions[values] = self._evaluator.decide(request, subject.policies)
        self.log.record(principal, need.action, subject.shown, decision)
        return decision

    def _subject(self, principal: Principal, need: Need) -> _Subject:
        if len(self._subjects) >= _KEPT_SUBJECTS:
            self._subjects.clear()
        policies = self._evaluator.policies(principal, need.resource)
        return _Subject(policies, policies.keys, resource_pattern(need.resource))

    def _encryption_key(self, resource: str) -> str | None:
        if resource not in self._keys:
            if len(self._keys) >= _KEPT_SUBJECTS:
                self._keys.clear()
            self._keys[resource] = self._source.encryption_key(resource)
        return self._keys[resource]


def _source_of(caller: Caller) -> ContextValues:
    """The resource for which a service acts: IAM User Guide, confused-deputy."""
    if caller.source_arn is None:
        return {}
    account = account_of(caller.source_arn) or caller.account
    source = {"aws:sourcearn": (caller.source_arn,), "aws:sourceaccount": (account,)}
    # The older name, which a topic's default policy asks for: an alarm gets past that, an EventBridge rule does not
    # (SNS Developer Guide sns-access-policy-use-cases).
    return source | {"aws:sourceowner": (account,)} if caller.arn == _ALARMS else source


def _context(given: Mapping[str, str] | None) -> ContextValues:
    return {key.lower(): (value,) for key, value in (given or {}).items()}
