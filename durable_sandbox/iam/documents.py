"""Policy documents as values.

Grammar: IAM User Guide reference_policies_grammar. Errors name the element, as ``Statement[1].Action: ...``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from durable_sandbox.iam.conditions import Condition, parse_operator
from durable_sandbox.iam.model import Document
from durable_sandbox.iam.patterns import Template

_VERSIONS = ("2012-10-17", "2008-10-17")
_TOP_LEVEL = frozenset({"Version", "Id", "Statement"})
_ELEMENTS = frozenset(
    {
        "Sid",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    }
)
_PRINCIPAL_TYPES = frozenset({"AWS", "Service", "Federated", "CanonicalUser"})


class PolicyError(ValueError):
    """A policy document that AWS would refuse as MalformedPolicyDocument."""


class PolicyKind(Enum):
    """What a policy is attached to, which decides the elements that it may and must have."""

    IDENTITY = "identity"
    RESOURCE = "resource"
    TRUST = "trust"


@dataclass(frozen=True, slots=True)
class Principals:
    """A Principal or NotPrincipal element; ``everyone`` for ``"*"`` and ``{"AWS": "*"}``."""

    everyone: bool = False
    aws: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()
    """Federated and canonical users: parsed, never matched, as the sandbox has none."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. ``resources`` is None where the policy names none and so means what it is attached to."""

    index: int
    sid: str | None
    allow: bool
    actions: tuple[Template, ...]
    not_actions: bool
    resources: tuple[Template, ...] | None
    not_resources: bool
    principals: Principals | None
    not_principals: bool
    conditions: tuple[Condition, ...]

    @property
    def label(self) -> str:
        """The Sid, else ``#`` and the position, from 0."""
        return self.sid or f"#{self.index}"


@dataclass(frozen=True, slots=True)
class Policy:
    """A parsed document. ``keys`` are all condition keys, in lower case, on which its statements hang."""

    name: str
    statements: tuple[Statement, ...]
    keys: frozenset[str]


def parse_policy(document: Document, kind: PolicyKind) -> Policy:
    """Parse ``document``. Raises PolicyError naming the policy and the element."""
    try:
        return _policy(document, kind)
    except PolicyError as error:
        raise PolicyError(f"Policy {document.name}: {error}") from None


def _policy(document: Document, kind: PolicyKind) -> Policy:
    body: Any = document.body
    if isinstance(body, str):
        try:
            body = json.loads(body)
        except ValueError as error:
            raise PolicyError(f"not JSON: {error}") from error
    if not isinstance(body, Mapping):
        raise PolicyError("not a JSON object")
    _no_others(body, _TOP_LEVEL, "")
    version = body.get("Version", "2008-10-17")
    if version not in _VERSIONS:
        raise PolicyError(f"Version: {version!r} is not one of {', '.join(_VERSIONS)}")
    if "Statement" not in body:
        raise PolicyError("Statement is missing")
    raw = body["Statement"]
    statements = tuple(
        _statement(item, index, kind, variables=version == _VERSIONS[0])
        for index, item in enumerate(raw if isinstance(raw, list) else [raw])
    )
    keys: frozenset[str] = frozenset()
    for statement in statements:
        keys = keys.union(
            *(condition.keys for condition in statement.conditions),
            *(template.keys for template in statement.resources or ()),
        )
    return Policy(document.name, statements, keys)


def _statement(raw: Any, index: int, kind: PolicyKind, *, variables: bool) -> Statement:
    where = f"Statement[{index}]"
    if not isinstance(raw, Mapping):
        raise PolicyError(f"{where} is not an object")
    _no_others(raw, _ELEMENTS, f"{where}.")
    effect = raw.get("Effect")
    if effect not in ("Allow", "Deny"):
        raise PolicyError(f"{where}.Effect: {effect!r} is neither Allow nor Deny")
    action_element = _either(raw, "Action", "NotAction", where)
    if action_element is None:
        raise PolicyError(f"{where} has neither Action nor NotAction")
    actions = _texts(raw[action_element], f"{where}.{action_element}")
    for action in actions:
        if action != "*" and ":" not in action:
            raise PolicyError(f"{where}.{action_element}: {action!r} has no service prefix (service:Action)")
    resource_element = _either(raw, "Resource", "NotResource", where)
    if kind is PolicyKind.IDENTITY and resource_element is None:
        raise PolicyError(f"{where} has neither Resource nor NotResource")
    if kind is PolicyKind.TRUST and resource_element is not None:
        raise PolicyError(f"{where}: a trust policy has no {resource_element}")
    principal_element = _either(raw, "Principal", "NotPrincipal", where)
    if kind is PolicyKind.IDENTITY and principal_element is not None:
        raise PolicyError(f"{where}: a policy of an identity has no {principal_element}")
    if kind is not PolicyKind.IDENTITY and principal_element is None:
        raise PolicyError(f"{where} has neither Principal nor NotPrincipal")
    return Statement(
        index=index,
        sid=raw.get("Sid"),
        allow=effect == "Allow",
        actions=tuple(Template(action, variables=False) for action in actions),
        not_actions=action_element == "NotAction",
        resources=None
        if resource_element is None
        else tuple(
            Template(text, variables=variables) for text in _texts(raw[resource_element], f"{where}.{resource_element}")
        ),
        not_resources=resource_element == "NotResource",
        principals=None
        if principal_element is None
        else _principals(raw[principal_element], f"{where}.{principal_element}"),
        not_principals=principal_element == "NotPrincipal",
        conditions=_conditions(raw.get("Condition", {}), f"{where}.Condition", variables=variables),
    )


def _principals(raw: Any, where: str) -> Principals:
    if raw == "*":
        return Principals(everyone=True)
    if not isinstance(raw, Mapping):
        raise PolicyError(f'{where}: neither "*" nor an object')
    _no_others(raw, _PRINCIPAL_TYPES, f"{where}.")
    named = {name: frozenset(_texts(value, f"{where}.{name}")) for name, value in raw.items()}
    aws = named.get("AWS", frozenset())
    others = named.get("Federated", frozenset()) | named.get("CanonicalUser", frozenset())
    return Principals("*" in aws, aws, named.get("Service", frozenset()), others)


def _conditions(raw: Any, where: str, *, variables: bool) -> tuple[Condition, ...]:
    if not isinstance(raw, Mapping):
        raise PolicyError(f"{where} is not an object")
    conditions: list[Condition] = []
    for name, keys in raw.items():
        if not isinstance(keys, Mapping):
            raise PolicyError(f"{where}.{name} is not an object of condition keys")
        operator = parse_operator(name)
        for key, values in keys.items():
            texts = _values(values, f"{where}.{name}.{key}")
            templates = tuple(Template(text, variables=variables) for text in texts)
            conditions.append(Condition(operator, key.lower(), templates))
    return tuple(conditions)


def _values(raw: Any, where: str) -> list[str]:
    texts: list[str] = []
    for value in raw if isinstance(raw, list) else [raw]:
        if isinstance(value, bool):
            texts.append("true" if value else "false")
        elif isinstance(value, str | int | float):
            texts.append(str(value))
        else:
            raise PolicyError(f"{where}: {value!r} is not text, a number or a boolean")
    return texts


def _texts(raw: Any, where: str) -> list[str]:
    texts = raw if isinstance(raw, list) else [raw]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise PolicyError(f"{where}: expected text or a list of texts, got {raw!r}")
    return texts


def _either(raw: Mapping[str, Any], one: str, other: str, where: str) -> str | None:
    if one in raw and other in raw:
        raise PolicyError(f"{where} has both {one} and {other}")
    return one if one in raw else other if other in raw else None


def _no_others(raw: Mapping[str, Any], known: frozenset[str], where: str) -> None:
    for name in raw:
        if name not in known:
            raise PolicyError(f"{where}{name} is not an element of a policy")
