"""Metric math.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html. Computed are arithmetic, comparison
and logic on numbers, time series and arrays of time series, and the functions of ``FUNCTIONS``; anything else (ANOMALY_
DETECTION_BAND, SEARCH, ...) is refused when the expression is parsed.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Series = list[float | None]
"""A value a period, None where there is no data."""


class ExpressionError(ValueError):
    """The expression cannot be computed; the text says why."""


@dataclass(frozen=True, slots=True)
class Array:
    """Several time series; a number among them stands for the same in each period."""

    members: tuple[float | Series, ...]


Value = float | Series | Array
Lookup = Callable[[str], Value]

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)|(?P<name>[A-Za-z_]\w*)|(?P<text>\"[^\"]*\"|'[^']*')"
    r"|(?P<sign>==|!=|<=|>=|&&|\|\||[-+*/^<>()\[\],]))"
)
_LEVELS: tuple[frozenset[str], ...] = (
    frozenset({"||", "OR"}),
    frozenset({"&&", "AND"}),
    frozenset({"==", "!=", "<", ">", "<=", ">="}),
    frozenset({"+", "-"}),
    frozenset({"*", "/"}),
)
_NESTED_TOO_DEEP = 50


def _quotient(left: float, right: float) -> float | None:
    return left / right if right else None


def _power(left: float, right: float) -> float | None:
    try:
        return math.pow(left, right)
    except (ValueError, OverflowError):
        return None


_BINARY: dict[str, Callable[[float, float], float | None]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _quotient,
    "^": _power,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
    "&&": lambda left, right: float(bool(left) and bool(right)),
    "||": lambda left, right: float(bool(left) or bool(right)),
}
_BINARY |= {"AND": _BINARY["&&"], "OR": _BINARY["||"]}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


_REDUCE: dict[str, Callable[[Sequence[float]], float]] = {"MAX": max, "MIN": min, "SUM": sum, "AVG": _mean}
_EACH: dict[str, Callable[[float], float]] = {"ABS": abs, "CEIL": math.ceil, "FLOOR": math.floor}
_ARITY = {"METRICS": (0, 1), "FILL": (2, 2), "IF": (2, 3)}
FUNCTIONS = frozenset({*_REDUCE, *_EACH, *_ARITY, "DIFF", "DATAPOINT_COUNT"})


@dataclass(frozen=True, slots=True)
class Node:
    """A part of a parsed expression. ``kind``: number, text, name, array, call, or an operator's sign."""

    kind: str
    text: str = ""
    parts: tuple[Node, ...] = ()

    def names(self) -> set[str]:
        """The ids that it refers to."""
        own = {self.text} if self.kind == "name" else set()
        return own.union(*(part.names() for part in self.parts))


def parse(expression: str) -> Node:
    """Parse metric math. Raises ExpressionError."""
    parser = _Parser(expression)
    node = parser.binary(0)
    parser.expect("")
    return node


class _Parser:
    """Recursive descent over the tokens. Functions and AND/OR in any case; ids begin with a lower-case letter."""

    def __init__(self, expression: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        self._depth = 0
        position, end = 0, len(expression.rstrip())
        while position < end:
            match = _TOKEN.match(expression, position)
            if match is None:
                raise ExpressionError(f"Cannot read the expression at {expression[position : position + 20]!r}")
            self._tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
            position = match.end()
        self._tokens.append(("end", ""))
        self._at = 0

    def _sign(self) -> str:
        kind, text = self._tokens[self._at]
        return text.upper() if kind == "name" and text.upper() in {"AND", "OR"} else text if kind == "sign" else ""

    def _next(self) -> tuple[str, str]:
        self._at += 1
        return self._tokens[self._at - 1]

    def expect(self, text: str) -> None:
        """Take ``text``; the empty one is the end."""
        kind, found = self._next()
        if found != text or (kind == "end") is not (text == ""):
            raise ExpressionError(f"Expected {text or 'the end'!r}, found {found or 'the end'!r}")

    def binary(self, level: int) -> Node:
        """Operators of this level and those that bind tighter."""
        if level == len(_LEVELS):
            return self._unary()
        node = self.binary(level + 1)
        while (sign := self._sign()) in _LEVELS[level]:
            self._next()
            node = Node(sign, "", (node, self.binary(level + 1)))
        return node

    def _unary(self) -> Node:
        self._depth += 1
        if self._depth > _NESTED_TOO_DEEP:
            raise ExpressionError("The expression is nested too deep")
        if self._sign() == "-":
            self._next()
            node = Node("-", "", (Node("number", "0"), self._unary()))
        else:
            node = self._atom()
            if self._sign() == "^":
                self._next()
                node = Node("^", "", (node, self._unary()))
        self._depth -= 1
        return node

    def _atom(self) -> Node:
        kind, text = self._next()
        if kind in {"number", "text"}:
            return Node(kind, text.strip("\"'"))
        if kind == "name":
            if self._sign() != "(":
                return Node("name", text)
            if text.upper() not in FUNCTIONS:
                raise ExpressionError(f"The sandbox does not compute the function {text}")
            self._next()
            return Node("call", text.upper(), self._list(")"))
        if text == "(":
            node = self.binary(0)
            self.expect(")")
            return node
        if text == "[":
            return Node("array", "", self._list("]"))
        raise ExpressionError(f"Did not expect {text or 'the end'!r}")

    def _list(self, end: str) -> tuple[Node, ...]:
        parts: list[Node] = []
        if self._sign() != end:
            parts.append(self.binary(0))
            while self._sign() == ",":
                self._next()
                parts.append(self.binary(0))
        self.expect(end)
        return tuple(parts)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an expression is computed from. ``metrics``: ids of all time series that are no expressions."""

    periods: int
    lookup: Lookup
    metrics: Sequence[str]

    def series(self, node: Node) -> Series:
        """The expression as a time series: a number is the same in each period. Raises ExpressionError for an array."""
        return _series(self.value(node), self.periods)

    def value(self, node: Node) -> Value:
        """Compute ``node``. Raises ExpressionError."""
        if node.kind == "number":
            return float(node.text)
        if node.kind == "name":
            return self.lookup(node.text)
        if node.kind == "array":
            return Array(tuple(_single(self.value(part)) for part in node.parts))
        if node.kind == "call":
            return self._call(node)
        if node.kind in _BINARY:
            return _both(_BINARY[node.kind], *(self.value(part) for part in node.parts))
        raise ExpressionError(f"Did not expect {node.text!r}")

    def _call(self, node: Node) -> Value:
        low, high = _ARITY.get(node.text, (1, 1))
        if not low <= len(node.parts) <= high:
            raise ExpressionError(f"{node.text} takes another number of arguments than {len(node.parts)}")
        if node.text == "METRICS":
            wanted = node.parts[0].text if node.parts else ""
            return Array(tuple(_single(self.lookup(metric)) for metric in self.metrics if wanted in metric))
        if node.text == "FILL":
            return _fill(self.value(node.parts[0]), self._filler(node.parts[1]))
        values = [self.value(part) for part in node.parts]
        return self._choose(*values) if node.text == "IF" else self._of_one(node.text, values[0])

    def _of_one(self, name: str, value: Value) -> Value:
        if name in _REDUCE:
            return _reduce(_REDUCE[name], value, self.periods)
        if name in _EACH:
            each = _EACH[name]
            return _both(lambda left, _: each(left), value, 0.0)
        series = _series(value, self.periods)
        if name == "DATAPOINT_COUNT":
            return float(sum(point is not None for point in series))
        return [None, *(_apply(operator.sub, *pair) for pair in zip(series[1:], series, strict=False))]

    def _filler(self, node: Node) -> float | None:
        """The number to fill with; None for the last one that there was."""
        if node.kind == "name" and node.text.upper() == "REPEAT":
            return None
        value = self.value(node)
        if not isinstance(value, float):
            raise ExpressionError("The sandbox fills with a number or REPEAT")
        return value

    def _choose(self, condition: Value, then: Value, otherwise: Value | None = None) -> Value:
        columns = [_series(value, self.periods) for value in (condition, then)]
        columns.append([None] * self.periods if otherwise is None else _series(otherwise, self.periods))
        return [None if test is None else (yes if test else no) for test, yes, no in zip(*columns, strict=True)]


def _single(value: Value) -> float | Series:
    if isinstance(value, Array):
        raise ExpressionError("The expression gives several time series where there must be one")
    return value


def _series(value: Value, periods: int) -> Series:
    single = _single(value)
    if isinstance(single, list):
        return single
    return [None if math.isnan(single) else single] * periods


def _apply(function: Callable[[float, float], float | None], left: float | None, right: float | None) -> float | None:
    if left is None or right is None:
        return None
    result = function(left, right)
    return None if result is None else float(result)


def _both(function: Callable[[float, float], float | None], left: Value, right: Value) -> Value:
    """Apply to numbers, point by point to series, and to each member of an array."""
    if isinstance(left, Array):
        return Array(tuple(_single(_both(function, part, right)) for part in left.members))
    if isinstance(right, Array):
        return Array(tuple(_single(_both(function, left, part)) for part in right.members))
    if isinstance(left, float) and isinstance(right, float):
        result = _apply(function, left, right)
        return math.nan if result is None else result
    periods = max(len(side) for side in (left, right) if isinstance(side, list))
    return [_apply(function, *pair) for pair in zip(_series(left, periods), _series(right, periods), strict=True)]


def _reduce(function: Callable[[Sequence[float]], float], value: Value, periods: int) -> Value:
    """A series gives a number; an array gives a series, in each period of what is not missing."""
    if isinstance(value, Array):
        columns = zip(*(_series(part, periods) for part in value.members), strict=True)
        points = ([point for point in column if point is not None] for column in columns)
        return [function(there) if there else None for there in points]
    there = [point for point in _series(value, periods) if point is not None]
    return float(function(there)) if there else math.nan


def _fill(value: Value, filler: float | None) -> Value:
    if isinstance(value, Array):
        return Array(tuple(_single(_fill(part, filler)) for part in value.members))
    if isinstance(value, float):
        return value
    filled: Series = []
    for point in value:
        last = filled[-1] if filled else None
        filled.append(point if point is not None else last if filler is None else filler)
    return filled
