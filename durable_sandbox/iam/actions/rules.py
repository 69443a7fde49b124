"""What the tables of actions are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from durable_sandbox.aws.arns import Arn
from durable_sandbox.iam.model import ContextValues


class UnmappedError(LookupError):
    """A call of which the sandbox does not know the IAM action or the resource."""


@dataclass(frozen=True, slots=True)
class Need:
    """One action that must be allowed on one resource; ``context`` holds the keys that the operation adds."""

    action: str
    resource: str
    context: ContextValues = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """An API call as the tables see it. ``prefix`` is the service's prefix in IAM actions."""

    prefix: str
    name: str
    region: str
    account: str
    params: Mapping[str, Any]
    key_arn: Callable[[str, str], str | None]
    """Resolves a KMS key id or alias in a region."""

    def arn(self, resource: str, *, service: str | None = None) -> str:
        """ARN of ``resource`` in the caller's region and account."""
        return str(Arn(service or self.prefix, self.region, self.account, resource))

    def text(self, *names: str) -> str:
        """The first of these parameters that is given. Raises UnmappedError if none is."""
        for name in names:
            value = self.params.get(name)
            if value:
                return str(value)
        raise UnmappedError(f"none of the parameters {', '.join(names)} is given")


Resource = Callable[[Operation], str]
Rule = Callable[[Operation], tuple[Need, ...]]
Table = Mapping[str, Rule]


def on(resource: Resource, action: str | None = None) -> Rule:
    """One need: ``action`` (with or without prefix; the operation's own name if None) on ``resource``."""

    def rule(operation: Operation) -> tuple[Need, ...]:
        name = action or operation.name
        return (Need(name if ":" in name else f"{operation.prefix}:{name}", resource(operation)),)

    return rule


def each(names: str, rule: Rule) -> dict[str, Rule]:
    """The same rule for several operations, separated by blanks."""
    return dict.fromkeys(names.split(), rule)


def anything(_operation: Operation) -> str:
    """The resource of an action that has no resource type."""
    return "*"


def nothing(_operation: Operation) -> tuple[Need, ...]:
    """No permission is needed."""
    return ()


def named(kind: str, *parameters: str) -> Resource:
    """``kind`` + the value of a parameter, which may be an ARN already: ``table/`` + TableName."""

    def resource(operation: Operation) -> str:
        value = operation.text(*parameters)
        return value if value.startswith("arn:") else operation.arn(f"{kind}{value}")

    return resource
