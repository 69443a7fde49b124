"""Whether a statement applies to a request."""

from __future__ import annotations

from enum import IntEnum

from durable_sandbox.iam.documents import Principals, Statement
from durable_sandbox.iam.logic import all_of, any_of, negate
from durable_sandbox.iam.model import AccessRequest, Principal, PrincipalKind
from durable_sandbox.iam.patterns import Glob, Lookup


class Grade(IntEnum):
    """How a resource policy named a principal: it decides which other policies still count.

    Source: IAM User Guide reference_policies_evaluation-logic, "Resource-based policies".
    """

    NONE = 0
    ACCOUNT = 1
    """The account: its identity policies decide."""
    ROLE = 2
    """The role, or everyone: a permissions boundary and session policies still limit it."""
    DIRECT = 3
    """The session, the root or the service itself: nothing else limits it."""


def grade(principals: Principals, principal: Principal) -> Grade:
    """The closest way in which a Principal element names ``principal``."""
    if principal.kind is PrincipalKind.SERVICE:
        return Grade.DIRECT if principals.everyone or principal.arn in principals.services else Grade.NONE
    if principal.arn in principals.aws:
        return Grade.DIRECT
    if principals.everyone or principal.role_arn in principals.aws:
        return Grade.ROLE
    if principal.account in principals.aws or principal.account_root in principals.aws:
        return Grade.ACCOUNT
    return Grade.NONE


def excepted(principals: Principals, principal: Principal, *, bounded: bool) -> bool:
    """Whether a Deny with this NotPrincipal spares ``principal``.

    A session is spared only if session, role and account are all listed, and never if its role has a permissions
    boundary: IAM User Guide reference_policies_elements_notprincipal.
    """
    if principal.kind is PrincipalKind.SERVICE:
        return principal.arn in principals.services
    account = principal.account in principals.aws or principal.account_root in principals.aws
    if principal.role_arn is None:
        return account
    return account and not bounded and {principal.arn, principal.role_arn} <= principals.aws


def names(statement: Statement, principal: Principal, *, bounded: bool) -> Grade:
    """How the statement's Principal or NotPrincipal covers ``principal``."""
    if statement.principals is None:
        return Grade.DIRECT
    if not statement.not_principals:
        return grade(statement.principals, principal)
    if statement.allow:
        spared = grade(statement.principals, principal) is not Grade.NONE
    else:
        spared = excepted(statement.principals, principal, bounded=bounded)
    return Grade.NONE if spared else Grade.ROLE


def action_pattern(statement: Statement, action: str, context: Lookup) -> str | None:
    """The pattern by which the statement covers ``action`` (``NotAction`` for that element); None if it does not."""
    for template in statement.actions:
        if template.matches(action, context, Glob.TEXT, ignore_case=True):
            return None if statement.not_actions else template.text
    return "NotAction" if statement.not_actions else None


def applies(statement: Statement, request: AccessRequest, context: Lookup) -> bool:
    """Whether resource and conditions fit.

    What cannot be known counts against the caller: a Deny applies, an Allow does not. Not against the root, who must
    stay able to repair a policy, and to remove the stack.
    """
    outcome = all_of(
        (_resource_fits(statement, request.resource, context), *(c.holds(context) for c in statement.conditions))
    )
    if outcome is None:
        return not statement.allow and request.principal.kind is not PrincipalKind.ROOT
    return outcome


def _resource_fits(statement: Statement, resource: str, context: Lookup) -> bool | None:
    if statement.resources is None:
        return True
    fits = any_of(template.matches(resource, context, Glob.RESOURCE) for template in statement.resources)
    return negate(fits) if statement.not_resources else fits


def unknown_conditions(statement: Statement, context: Lookup) -> tuple[str, ...]:
    """The conditions that cannot be known here, as ``Operator key``, for the message."""
    return tuple(
        f"{condition.operator.name} {condition.key}"
        for condition in statement.conditions
        if condition.holds(context) is None
    )
