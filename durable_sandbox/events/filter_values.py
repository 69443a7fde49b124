"""Leaf tests of event patterns: what one value must be like. See ``filters`` for the sources."""

from __future__ import annotations

import ipaddress
import json
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn, Protocol

_NUMERIC_LIMIT = Decimal("5e9")
_COMPARISONS: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_RANGE_TERMS = 4
_SINGLE_TERMS = 2


class PatternError(ValueError):
    """A pattern that is not valid; the text says why."""


@dataclass(frozen=True, slots=True)
class JsonNumber:
    """A number as it was written: exact matching compares the text (300 and 300.0 differ), ``numeric`` the value."""

    text: str

    @property
    def value(self) -> Decimal:
        """The number."""
        return Decimal(self.text)

    @property
    def comparable(self) -> bool:
        """Whether ``numeric`` can match it (event-ruler: -5.0e9 to 5.0e9)."""
        return abs(self.value) <= _NUMERIC_LIMIT


def parse_json(text: str) -> Any:
    """Parse strict JSON, numbers as JsonNumber. Raises ValueError."""
    return json.loads(text, parse_int=JsonNumber, parse_float=JsonNumber, parse_constant=_no_constant)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def json_number(value: Any) -> Any:
    """``value``, an int or float turned into JsonNumber."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return JsonNumber(json.dumps(value))
    return value


class Test(Protocol):
    """Whether one leaf value passes."""

    def __call__(self, value: Any, /) -> bool:
        """Test ``value``: str, JsonNumber, bool or None."""
        ...


class Absent:
    """``{"exists": false}``: passes where there is no value, so never on one."""

    def __call__(self, value: Any, /) -> bool:  # noqa: ARG002 - the protocol's argument
        """Return False."""
        return False


def leaf_test(rule: Any, *, nested: bool) -> Test:
    """The test of one element of a pattern's array. Raises PatternError."""
    if isinstance(rule, dict):
        if len(rule) != 1:
            raise PatternError("only one key is allowed in a match expression")
        ((name, argument),) = rule.items()
        return _operator(name, argument, nested=nested)
    if isinstance(rule, list):
        raise PatternError("a match value must be a string, number, true, false, null or a match expression")
    return _exactly(rule)


def _exactly(expected: Any) -> Test:
    def test(value: Any) -> bool:
        # bool before ==: in Python 1 == True, in JSON not.
        return type(value) is type(expected) and bool(value == expected)

    return test


def _operator(name: str, argument: Any, *, nested: bool) -> Test:
    if name == "anything-but":
        return _anything_but(argument, nested=nested)
    if name == "exists":
        if not isinstance(argument, bool):
            raise PatternError("exists match pattern must be either true or false")
        return _always if argument else Absent()
    if name == "numeric":
        return _numeric(argument)
    if name == "cidr":
        return _cidr(argument)
    if name == "exactly":
        return _exactly(_text(name, argument))
    if name in _STRING_TESTS:
        return _string_test(name, argument)
    raise PatternError(f"unrecognized match type {name}")


def _always(value: Any) -> bool:  # noqa: ARG001 - the protocol's argument
    return True


def _text(name: str, argument: Any) -> str:
    if not isinstance(argument, str):
        raise PatternError(f"{name} match pattern must be a string")
    return argument


def _string_test(name: str, argument: Any) -> Test:
    """prefix, suffix, equals-ignore-case or wildcard; they pass on strings only."""
    fold = False
    if name in {"prefix", "suffix"} and isinstance(argument, dict):
        if list(argument) != ["equals-ignore-case"]:
            raise PatternError(f"{name} takes a string or equals-ignore-case")
        argument, fold = argument["equals-ignore-case"], True
    text = _text(name, argument)
    accepts = _STRING_TESTS[name](text.casefold() if fold else text)

    def test(value: Any) -> bool:
        return isinstance(value, str) and accepts(value.casefold() if fold else value)

    return test


def _equals_ignoring_case(text: str) -> Callable[[str], bool]:
    folded = text.casefold()
    return lambda value: value.casefold() == folded


def _wildcard(text: str) -> Callable[[str], bool]:
    """``*`` stands for any characters, a backslash makes ``*`` or itself literal; ``**``, other escapes are refused."""
    if re.search(r"(?<!\\)(?:\\\\)*\*\*", text):
        raise PatternError("consecutive wildcard characters are not allowed")
    if re.search(r"(?<!\\)(?:\\\\)*\\(?![\\*])", text):
        raise PatternError("a backslash may only escape an asterisk or a backslash")
    parts = re.findall(r"\\[\\*]|\*|[^\\*]+", text)
    pattern = "".join(".*" if part == "*" else re.escape(re.sub(r"\\([\\*])", r"\1", part)) for part in parts)
    compiled = re.compile(pattern, re.DOTALL)
    return lambda value: compiled.fullmatch(value) is not None


_STRING_TESTS: Mapping[str, Callable[[str], Callable[[str], bool]]] = {
    "prefix": lambda text: lambda value: value.startswith(text),
    "suffix": lambda text: lambda value: value.endswith(text),
    "equals-ignore-case": _equals_ignoring_case,
    "wildcard": _wildcard,
}


def _anything_but(argument: Any, *, nested: bool) -> Test:
    if isinstance(argument, dict):
        return _anything_but_nested(argument, nested=nested)
    values = argument if isinstance(argument, list) else [argument]
    if not values or not (
        all(isinstance(item, str) for item in values) or all(isinstance(item, JsonNumber) for item in values)
    ):
        raise PatternError("anything-but takes a string, a number, or a list of only strings or only numbers")
    strings = {item for item in values if isinstance(item, str)}
    numbers = {item.value for item in values if isinstance(item, JsonNumber)}

    def test(value: Any) -> bool:
        if isinstance(value, JsonNumber):
            return value.value not in numbers
        return value not in strings if isinstance(value, str) else True

    return test


def _anything_but_nested(argument: Mapping[str, Any], *, nested: bool) -> Test:
    if len(argument) != 1 or not _STRING_TESTS.keys() >= argument.keys():
        raise PatternError(f"unsupported anything-but pattern: {', '.join(argument) or 'empty'}")
    ((name, texts),) = argument.items()
    if not nested:
        raise PatternError(f"anything-but with {name} is not supported here, only on an event bus")
    choices = texts if isinstance(texts, list) else [texts]
    if not choices or not all(isinstance(text, str) and text for text in choices):
        raise PatternError(f"anything-but {name} takes a non-empty string or a list of them")
    excluded = [_string_test(name, text) for text in choices]
    return lambda value: not any(test(value) for test in excluded)


def _numeric(argument: Any) -> Test:
    if not isinstance(argument, list) or len(argument) not in {_SINGLE_TERMS, _RANGE_TERMS}:
        raise PatternError('numeric takes ["=", n], one bound, or a lower bound and then an upper one')
    terms: list[tuple[str, Decimal]] = []
    for symbol, number in zip(argument[::2], argument[1::2], strict=True):
        if not isinstance(symbol, str) or symbol not in _COMPARISONS:
            raise PatternError(f"unrecognized numeric range operator: {symbol}")
        if not isinstance(number, JsonNumber):
            raise PatternError(f"value of {symbol} must be numeric")
        if not number.comparable:
            raise PatternError("numeric values must be between -5.0e9 and 5.0e9")
        terms.append((symbol, number.value))
    if len(terms) > 1:
        (low_symbol, low), (high_symbol, high) = terms
        if low_symbol not in {">", ">="} or high_symbol not in {"<", "<="}:
            raise PatternError("a numeric range is a lower bound (> or >=) and then an upper one (< or <=)")
        if low >= high:
            raise PatternError("the bottom of a numeric range must be less than its top")

    def test(value: Any) -> bool:
        return (
            isinstance(value, JsonNumber)
            and value.comparable
            and all(_COMPARISONS[symbol](value.value, bound) for symbol, bound in terms)
        )

    return test


def _cidr(argument: Any) -> Test:
    try:
        network = ipaddress.ip_network(_text("cidr", argument), strict=False)
    except ValueError as error:
        raise PatternError(f"cidr: {error}") from error

    def test(value: Any) -> bool:
        if not isinstance(value, str):
            return False
        try:
            return ipaddress.ip_address(value) in network
        except ValueError:
            return False

    return test
