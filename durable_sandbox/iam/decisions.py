"""The log of decisions: what each role used, what it was refused, and what it was granted and never used."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from durable_sandbox.iam.documents import Policy
from durable_sandbox.iam.evaluator import Decision, Grant
from durable_sandbox.iam.model import Principal, PrincipalKind

OTHERS = "(others)"
"""Stands for the resources that came after the log was full."""

_VOLATILE = (
    (re.compile(r"(:log-stream:).+"), r"\1*"),
    (re.compile(r"(/durable-execution/).+"), r"\1*"),
    (re.compile(r"(/@connections/).+"), r"\1*"),
    (re.compile(r"^(arn:aws:s3:::[^/]+/).+"), r"\1*"),
)


def resource_pattern(resource: str) -> str:
    """``resource`` with what changes from call to call as ``*``: log streams, executions, connections, object keys."""
    for volatile, replacement in _VOLATILE:
        resource = volatile.sub(replacement, resource)
    return resource


@dataclass(slots=True)
class Tally:
    """How often one principal asked for one action on one resource, with one outcome.

    ``principal`` is a role's ARN or a service's name, ``reason`` the kind of policy that decided, ``unknown`` the
    conditions that the sandbox could not evaluate.
    """

    principal: str
    action: str
    resource: str
    allowed: bool
    reason: str
    grant: Grant | None
    unknown: tuple[str, ...]
    count: int = 0

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        shown: dict[str, Any] = {
            "principal": self.principal,
            "action": self.action,
            "resource": self.resource,
            "allowed": self.allowed,
            "count": self.count,
            "reason": self.reason,
        }
        if self.grant is not None:
            shown["policy"] = self.grant.policy
            shown["statement"] = self.grant.statement
        if self.unknown:
            shown["unknown_conditions"] = list(self.unknown)
        return shown


@dataclass(frozen=True, slots=True)
class Unused:
    """An allowed action that no call needed. ``whole_statement`` if none of the statement's actions was."""

    policy: str
    statement: str
    action: str
    whole_statement: bool


class DecisionLog:
    """Counts decisions on roles and services; root's are not counted. Holds at most about ``limit`` tallies."""

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._tallies: dict[tuple[str, str, str, Decision], Tally] = {}
        self._granted: dict[str, set[Grant]] = {}

    def record(self, principal: Principal, action: str, resource: str, decision: Decision) -> None:
        """Count one decision. ``resource`` is a ``resource_pattern``."""
        if principal.kind is PrincipalKind.ROOT:
            return
        who = principal.role_arn or principal.arn
        tally = self._tallies.get((who, action, resource, decision))
        if tally is None:
            tally = self._new(who, action, resource, decision)
        tally.count += 1

    def _new(self, who: str, action: str, resource: str, decision: Decision) -> Tally:
        if decision.allowed and decision.grant is not None:
            self._granted.setdefault(who, set()).add(decision.grant)
        if len(self._tallies) >= self._limit:
            resource = OTHERS
        key = (who, action, resource, decision)
        reason = decision.policy_type.value if decision.policy_type else ""
        return self._tallies.setdefault(
            key, Tally(who, action, resource, decision.allowed, reason, decision.grant, decision.unknown)
        )

    def principals(self) -> list[str]:
        """Every role and service that asked for anything."""
        return sorted({tally.principal for tally in self._tallies.values()})

    def find(self, name: str) -> list[str]:
        """The principals of that ARN or role name."""
        return [who for who in self.principals() if who == name or who.rsplit("/", 1)[-1] == name]

    def used(self, principal: str) -> list[Tally]:
        """What was allowed, the most frequent first."""
        return self._of(principal, allowed=True)

    def refused(self, principal: str) -> list[Tally]:
        """What was refused, the most frequent first."""
        return self._of(principal, allowed=False)

    def unused(self, principal: str, policies: Iterable[Policy]) -> list[Unused]:
        """The allowed actions of ``policies`` that decided no call. Of two statements that allow one call, one counts."""
        granted = self._granted.get(principal, set())
        unused: list[Unused] = []
        for policy in policies:
            for statement in policy.statements:
                if not statement.allow:
                    continue
                actions = ["NotAction"] if statement.not_actions else [template.text for template in statement.actions]
                idle = [a for a in actions if Grant(policy.name, statement.label, a) not in granted]
                whole = len(idle) == len(actions)
                unused += [Unused(policy.name, statement.label, action, whole) for action in idle]
        return unused

    def clear(self) -> None:
        """Forget all counts."""
        self._tallies.clear()
        self._granted.clear()

    def _of(self, principal: str, *, allowed: bool) -> list[Tally]:
        found = [t for t in self._tallies.values() if t.principal == principal and t.allowed is allowed]
        return sorted(found, key=lambda tally: (-tally.count, tally.action, tally.resource))
