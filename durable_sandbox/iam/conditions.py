"""Condition operators.

Source: IAM User Guide reference_policies_elements_condition_operators and
reference_policies_multi-value-conditions. A key that the request lacks fails a positive operator and satisfies a
negated one; ``...IfExists`` and ``ForAllValues`` hold without it, ``ForAnyValue`` does not.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from durable_sandbox.iam.logic import all_of, any_of, negate
from durable_sandbox.iam.patterns import Expanded, Glob, Lookup, Template

Test = Callable[[Template, str, Lookup], bool | None]
"""Whether a request's value meets one value of the policy; None if that cannot be known."""


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator by its name: ``ForAnyValue:StringNotLikeIfExists`` has all of it."""

    name: str
    test: Test | None
    negated: bool = False
    if_exists: bool = False
    quantifier: str | None = None
    """``forallvalues``, ``foranyvalue`` or None."""
    null: bool = False

    @property
    def known(self) -> bool:
        """Whether the evaluator has this operator."""
        return self.test is not None or self.null


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator on one key (in lower case) with the policy's values."""

    operator: Operator
    key: str
    values: tuple[Template, ...]

    @property
    def keys(self) -> frozenset[str]:
        """Every key on which the outcome hangs."""
        return frozenset({self.key}).union(*(value.keys for value in self.values))

    def holds(self, context: Lookup) -> bool | None:
        """Whether the request meets the condition; None for an operator or a key unknown here."""
        operator = self.operator
        found = context.values(self.key)
        if not operator.known or found is None:
            return None
        if operator.null:
            return _null(self.values, present=bool(found))
        if not found:
            return self._without_key()
        matched = [any_of(self._test(value, actual, context) for value in self.values) for actual in found]
        if operator.negated:
            matched = [negate(result) for result in matched]
        if operator.quantifier == "foranyvalue":
            return any_of(matched)
        if operator.quantifier == "forallvalues" or operator.negated:
            return all_of(matched)
        return any_of(matched)

    def _without_key(self) -> bool:
        operator = self.operator
        if operator.if_exists or operator.quantifier == "forallvalues":
            return True
        return operator.negated and operator.quantifier is None

    def _test(self, value: Template, actual: str, context: Lookup) -> bool | None:
        assert self.operator.test is not None  # noqa: S101 - holds() asked for it
        return self.operator.test(value, actual, context)


def parse_operator(name: str) -> Operator:
    """The operator called ``name``, case ignored; ``known`` is False if AWS has none of that name."""
    base = name.lower()
    quantifier, separator, rest = base.partition(":")
    if separator:
        if quantifier not in ("forallvalues", "foranyvalue"):
            return Operator(name, None)
        base = rest
    else:
        quantifier = ""
    if base == "null":
        return Operator(name, None, null=not quantifier)
    if_exists = base.endswith("ifexists")
    base = base.removesuffix("ifexists")
    negated = base in _NEGATED
    test = _TESTS.get(_NEGATED.get(base, base))
    return Operator(name, test, negated, if_exists, quantifier or None)


def _null(values: Sequence[Template], *, present: bool) -> bool | None:
    """``"true"`` asks that the key be absent, ``"false"`` that it be present."""
    wanted = {value.text.lower() for value in values}
    if not wanted <= {"true", "false"}:
        return None
    return ("false" if present else "true") in wanted


def _string(*, ignore_case: bool) -> Test:
    def test(value: Template, actual: str, context: Lookup) -> bool | None:
        expanded = value.expand(context)
        if not isinstance(expanded, Expanded):
            return expanded
        if ignore_case:
            return expanded.text.lower() == actual.lower()
        return expanded.text == actual

    return test


def _like(glob: Glob) -> Test:
    def test(value: Template, actual: str, context: Lookup) -> bool | None:
        return value.matches(actual, context, glob)

    return test


def _bool(value: Template, actual: str, context: Lookup) -> bool | None:
    expanded = value.expand(context)
    if not isinstance(expanded, Expanded):
        return expanded
    wanted = expanded.text.lower()
    return wanted == actual.lower() if wanted in ("true", "false") else None


def _compared(read: Callable[[str], float], holds: Callable[[float, float], bool]) -> Test:
    def test(value: Template, actual: str, _context: Lookup) -> bool | None:
        try:
            wanted, found = read(value.text), read(actual)
        except ValueError:
            return None
        return holds(found, wanted)

    return test


def _date(text: str) -> float:
    """Epoch seconds of an ISO 8601 date or of epoch seconds. Raises ValueError."""
    try:
        return float(text)
    except ValueError:
        read = datetime.fromisoformat(text)
        return (read if read.tzinfo is not None else read.replace(tzinfo=UTC)).timestamp()


def _address(value: Template, actual: str, _context: Lookup) -> bool | None:
    try:
        return ipaddress.ip_address(actual) in ipaddress.ip_network(value.text, strict=False)
    except ValueError:
        return None


_ORDERS: dict[str, Callable[[float, float], bool]] = {
    "equals": lambda found, wanted: found == wanted,
    "lessthan": lambda found, wanted: found < wanted,
    "lessthanequals": lambda found, wanted: found <= wanted,
    "greaterthan": lambda found, wanted: found > wanted,
    "greaterthanequals": lambda found, wanted: found >= wanted,
}

_TESTS: dict[str, Test] = {
    "stringequals": _string(ignore_case=False),
    "stringequalsignorecase": _string(ignore_case=True),
    "stringlike": _like(Glob.TEXT),
    "arnequals": _like(Glob.ARN),
    "arnlike": _like(Glob.ARN),
    "bool": _bool,
    "binaryequals": _string(ignore_case=False),
    "ipaddress": _address,
    **{f"numeric{name}": _compared(float, order) for name, order in _ORDERS.items()},
    **{f"date{name}": _compared(_date, order) for name, order in _ORDERS.items()},
}

_NEGATED = {
    "stringnotequals": "stringequals",
    "stringnotequalsignorecase": "stringequalsignorecase",
    "stringnotlike": "stringlike",
    "arnnotequals": "arnequals",
    "arnnotlike": "arnlike",
    "notipaddress": "ipaddress",
    "numericnotequals": "numericequals",
    "datenotequals": "dateequals",
}
