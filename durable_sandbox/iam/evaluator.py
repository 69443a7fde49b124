"""The decision on one request.

Order: IAM User Guide reference_policies_evaluation-logic_policy-eval-denyallow. An explicit deny anywhere; then the
resource's policy, by how it names the principal; then identity policies, permissions boundary and session policies,
which must all allow; else the implicit deny. KMS keys and role trust policies must allow by themselves or hand the
decision to the account. Across accounts the resource's policy and the identity's must both allow
(reference_policies_evaluation-logic-cross-account).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from durable_sandbox.iam.context import RequestContext
from durable_sandbox.iam.documents import Policy, PolicyKind, Statement, parse_policy
from durable_sandbox.iam.matching import Grade, action_pattern, applies, names, unknown_conditions
from durable_sandbox.iam.model import AccessRequest, Document, PolicySource, Principal, PrincipalKind, account_of

_KEPT_RESOURCES = 10_000


class PolicyType(Enum):
    """A kind of policy, by its name in AWS's access denied messages."""

    IDENTITY = "identity-based policy"
    RESOURCE = "resource-based policy"
    BOUNDARY = "permissions boundary"
    SESSION = "session policy"
    TRUST = "role trust policy"


@dataclass(frozen=True, slots=True)
class Grant:
    """The statement that decided: policy name, Sid or ``#index``, and the action pattern that matched."""

    policy: str
    statement: str
    action: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome. ``policy_type`` is what allowed or refused; None if the principal is the account's root.

    ``grant`` is the deciding statement, None for an implicit deny. ``unknown`` lists conditions of otherwise fitting
    statements that the sandbox cannot evaluate, for a hint beside AWS's own message.
    """

    allowed: bool
    policy_type: PolicyType | None
    explicit: bool = False
    grant: Grant | None = None
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicySet:
    """Every policy that bears on a principal and a resource."""

    identity: tuple[Policy, ...] = ()
    resource: Policy | None = None
    resource_type: PolicyType = PolicyType.RESOURCE
    boundary: Policy | None = None
    session: tuple[Policy, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """The condition keys on which a decision may hang, sorted."""
        policies = (*self.identity, *self.session, *(p for p in (self.resource, self.boundary) if p is not None))
        return tuple(sorted(frozenset().union(*(policy.keys for policy in policies))))


class Evaluator:
    """Evaluates requests against the policies of ``source``; parsed policies are kept until ``forget``."""

    def __init__(self, source: PolicySource, *, now: Callable[[], float] = time.time) -> None:
        self._source = source
        self._now = now
        self._roles: dict[str, tuple[tuple[Policy, ...], Policy | None, Policy | None]] = {}
        self._resources: dict[str, Policy | None] = {}

    def forget(self) -> None:
        """Read every policy again when it is next needed."""
        self._roles.clear()
        self._resources.clear()

    def context(self, request: AccessRequest) -> RequestContext:
        """The condition keys of ``request``."""
        return RequestContext(request, self._now)

    def policies(self, principal: Principal, resource: str) -> PolicySet:
        """What bears on ``principal`` and ``resource``. Raises PolicyError for a document that cannot be read."""
        identity: tuple[Policy, ...] = ()
        boundary: Policy | None = None
        session: tuple[Policy, ...] = ()
        if principal.role_arn is not None:
            identity, boundary, _ = self._role(principal.role_arn)
            session = tuple(
                parse_policy(document, PolicyKind.IDENTITY) for document in self._source.session_policies(principal.arn)
            )
        if is_role(resource):
            return PolicySet(identity, self._role(resource)[2], PolicyType.TRUST, boundary, session)
        return PolicySet(identity, self._resource(resource), PolicyType.RESOURCE, boundary, session)

    def identity_policies(self, role_arn: str) -> tuple[Policy, ...]:
        """The inline and attached policies of a role, parsed. Raises PolicyError."""
        return self._role(role_arn)[0]

    def decide(self, request: AccessRequest, policies: PolicySet | None = None) -> Decision:
        """Decide ``request``. Raises PolicyError for a document that cannot be read."""
        found = policies if policies is not None else self.policies(request.principal, request.resource)
        return _Evaluation(request, self.context(request), found).decide()

    def _role(self, role_arn: str) -> tuple[tuple[Policy, ...], Policy | None, Policy | None]:
        known = self._roles.get(role_arn)
        if known is None:
            documents = self._source.role(role_arn)
            if documents is None:
                known = ((), None, None)
            else:
                known = (
                    tuple(parse_policy(document, PolicyKind.IDENTITY) for document in documents.policies),
                    _parsed(documents.boundary, PolicyKind.IDENTITY),
                    parse_policy(documents.trust, PolicyKind.TRUST),
                )
            self._roles[role_arn] = known
        return known

    def _resource(self, resource: str) -> Policy | None:
        if resource == "*":
            return None
        if resource not in self._resources:
            if len(self._resources) >= _KEPT_RESOURCES:
                self._resources.clear()
            self._resources[resource] = _parsed(self._source.resource_policy(resource), PolicyKind.RESOURCE)
        return self._resources[resource]


class _Evaluation:
    """One request on its way through the policies."""

    def __init__(self, request: AccessRequest, context: RequestContext, policies: PolicySet) -> None:
        self._request = request
        self._context = context
        self._policies = policies
        self._unknown: list[str] = []

    def decide(self) -> Decision:
        policies, principal = self._policies, self._request.principal
        denied = self._explicit_deny()
        if denied is not None:
            return denied
        if principal.kind is PrincipalKind.ROOT:
            return Decision(allowed=True, policy_type=None)
        grade, by_resource = self._resource_grant()
        across = account_of(self._request.resource) not in ("", principal.account)
        if grade is Grade.NONE and (
            principal.kind is PrincipalKind.SERVICE or across or must_allow_itself(self._request.resource)
        ):
            return self._refused(policies.resource_type)
        if grade is Grade.ACCOUNT or grade is Grade.NONE or (across and principal.kind is PrincipalKind.ROLE):
            return self._by_identity()
        allowed = Decision(allowed=True, policy_type=policies.resource_type, grant=by_resource)
        return allowed if grade is Grade.DIRECT else self._limited() or allowed

    def _by_identity(self) -> Decision:
        grant = self._grant(self._policies.identity)
        if grant is None:
            return self._refused(PolicyType.IDENTITY)
        return self._limited() or Decision(allowed=True, policy_type=PolicyType.IDENTITY, grant=grant)

    def _limited(self) -> Decision | None:
        """The refusal of a permissions boundary or a session policy, if there is one."""
        policies = self._policies
        if policies.boundary is not None and self._grant((policies.boundary,)) is None:
            return self._refused(PolicyType.BOUNDARY)
        if policies.session and self._grant(policies.session) is None:
            return self._refused(PolicyType.SESSION)
        return None

    def _explicit_deny(self) -> Decision | None:
        policies = self._policies
        for policy_type, group in (
            (PolicyType.IDENTITY, policies.identity),
            (policies.resource_type, _present(policies.resource)),
            (PolicyType.BOUNDARY, _present(policies.boundary)),
            (PolicyType.SESSION, policies.session),
        ):
            for policy in group:
                for statement in policy.statements:
                    if statement.allow or not self._covers(statement):
                        continue
                    grant = Grant(policy.name, statement.label, self._pattern(statement) or "")
                    unknown = unknown_conditions(statement, self._context)
                    return Decision(allowed=False, policy_type=policy_type, explicit=True, grant=grant, unknown=unknown)
        return None

    def _resource_grant(self) -> tuple[Grade, Grant | None]:
        best, found = Grade.NONE, None
        for policy in _present(self._policies.resource):
            for statement in policy.statements:
                grade = self._named(statement)
                if statement.allow and grade > best and self._covers(statement):
                    best = grade
                    found = Grant(policy.name, statement.label, self._pattern(statement) or "")
        return best, found

    def _grant(self, policies: Sequence[Policy]) -> Grant | None:
        for policy in policies:
            for statement in policy.statements:
                if statement.allow and self._covers(statement):
                    return Grant(policy.name, statement.label, self._pattern(statement) or "")
        return None

    def _covers(self, statement: Statement) -> bool:
        if self._pattern(statement) is None or self._named(statement) is Grade.NONE:
            return False
        covers = applies(statement, self._request, self._context)
        if not covers and statement.allow:
            self._unknown += unknown_conditions(statement, self._context)
        return covers

    def _pattern(self, statement: Statement) -> str | None:
        return action_pattern(statement, self._request.action, self._context)

    def _named(self, statement: Statement) -> Grade:
        return names(statement, self._request.principal, bounded=self._policies.boundary is not None)

    def _refused(self, policy_type: PolicyType) -> Decision:
        return Decision(allowed=False, policy_type=policy_type, unknown=tuple(dict.fromkeys(self._unknown)))


def is_role(resource: str) -> bool:
    """Whether an ARN is a role's, whose resource policy is the trust policy."""
    return resource.startswith("arn:") and ":iam::" in resource and ":role/" in resource


def must_allow_itself(resource: str) -> bool:
    """Whether the resource's own policy must allow, or name the account: KMS keys and roles (same source as above)."""
    return is_role(resource) or (resource.startswith("arn:") and resource.split(":", 3)[2] == "kms")


def _present(policy: Policy | None) -> tuple[Policy, ...]:
    return () if policy is None else (policy,)


def _parsed(document: Document | None, kind: PolicyKind) -> Policy | None:
    return None if document is None else parse_policy(document, kind)
