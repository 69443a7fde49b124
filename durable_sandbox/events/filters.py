"""Event patterns: the language by which EventBridge, Pipes and Lambda's event source mappings filter.

Sources: Comparison operators (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html);
the reference implementation and its README (https://github.com/aws/event-ruler) for arrays, ``$or``, ``anything-but``,
``numeric`` bounds and wildcards; https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-event-filtering.html
for the table of body formats.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any

from durable_sandbox.events.filter_values import (
    Absent,
    PatternError,
    Test,
    json_number,
    leaf_test,
    parse_json,
)

__all__ = ["EventPattern", "PatternError", "RecordFilter"]

_OR = "$or"
_RESERVED_IN_OR = frozenset(
    {"anything-but", "cidr", "equals-ignore-case", "exactly", "exists", "numeric", "prefix", "suffix", "wildcard"}
)
_MINIMUM_ALTERNATIVES = 2
# EventBridge refuses patterns with more combinations; it also keeps the product below from exploding.
_MAXIMUM_BRANCHES = 1000

Path = tuple[str, ...]
# Which element of which array (by identity) a value was found in.
Place = dict[int, int]
# One way to match: every path must have a value that passes one of its tests.
Branch = dict[Path, tuple[Test, ...]]


@dataclass(frozen=True, slots=True)
class EventPattern:
    """A compiled pattern."""

    branches: tuple[Branch, ...]

    @classmethod
    def parse(cls, text: str, *, nested_anything_but: bool = True) -> EventPattern:
        """Compile ``text``.

        ``nested_anything_but=False`` refuses prefix, suffix, equals-ignore-case and wildcard inside anything-but: the
        operator table says that event buses have them and Pipes has not. Raises PatternError with the reason.
        """
        try:
            root = parse_json(text)
        except ValueError as error:
            raise PatternError(f"not valid JSON: {error}") from error
        if not isinstance(root, dict):
            raise PatternError("a filter must be a JSON object")
        branches = _compile(root, (), in_or=False, nested=nested_anything_but)
        return cls(tuple(branches))

    def matches(self, event: Mapping[str, Any]) -> bool:
        """Whether ``event`` (plain JSON values) matches."""
        return any(branch_matches(branch, event) for branch in self.branches)


def branch_matches(branch: Branch, event: Mapping[str, Any]) -> bool:
    """Whether ``event`` satisfies all fields of ``branch``."""
    return _satisfied(list(branch.items()), event, {})


def _compile(node: Mapping[str, Any], path: Path, *, in_or: bool, nested: bool) -> list[Branch]:
    """The branches of an object; fields multiply what ``$or`` adds up."""
    if not node:
        raise PatternError("empty objects are not allowed")
    factors: list[list[Branch]] = []
    for name, value in node.items():
        if name == _OR and _is_or(value):
            alternatives = (_compile(item, path, in_or=True, nested=nested) for item in value)
            factors.append([branch for branches in alternatives for branch in branches])
            continue
        if in_or and name in _RESERVED_IN_OR:
            raise PatternError(f"{name} is a reserved word that cannot be a field inside $or")
        here = (*path, name)
        if isinstance(value, dict):
            factors.append(_compile(value, here, in_or=in_or, nested=nested))
        elif isinstance(value, list):
            if not value:
                raise PatternError(f'"{name}": empty arrays are not allowed')
            factors.append([{here: tuple(leaf_test(item, nested=nested) for item in value)}])
        else:
            raise PatternError(f'"{name}" must be an object or an array')
    if prod(len(factor) for factor in factors) > _MAXIMUM_BRANCHES:
        raise PatternError(f"$or makes more than {_MAXIMUM_BRANCHES} combinations")
    return [_merged(parts) for parts in product(*factors)]


def _is_or(value: Any) -> bool:
    """``$or`` is an operator only over two or more objects; else it is a field name, as event-ruler has it."""
    return (
        isinstance(value, list)
        and len(value) >= _MINIMUM_ALTERNATIVES
        and all(isinstance(item, dict) and not _RESERVED_IN_OR.intersection(item) for item in value)
    )


def _merged(parts: Sequence[Branch]) -> Branch:
    merged: Branch = {}
    for part in parts:
        merged.update(part)
    return merged


def _satisfied(fields: list[tuple[Path, tuple[Test, ...]]], event: Any, place: Place) -> bool:
    """Whether values for all ``fields`` exist that do not contradict each other about the array elements they are in."""
    if not fields:
        return True
    (path, tests), rest = fields[0], fields[1:]
    found = list(_leaves(event, path, {}))
    if not found and any(isinstance(test, Absent) for test in tests) and _satisfied(rest, event, place):
        return True
    for value, where in found:
        agrees = all(place.get(array, index) == index for array, index in where.items())
        if agrees and any(test(value) for test in tests) and _satisfied(rest, event, place | where):
            return True
    return False


def _leaves(value: Any, path: Path, place: Place) -> Iterator[tuple[Any, Place]]:
    """The leaf values at ``path``, looking into every array on the way."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, path, {**place, id(value): index})
    elif not path:
        if not isinstance(value, Mapping):
            yield json_number(value), place
    elif isinstance(value, Mapping) and path[0] in value:
        yield from _leaves(value[path[0]], path[1:], place)


@dataclass(frozen=True, slots=True)
class RecordFilter:
    """``FilterCriteria`` over records whose ``data_key`` (``body`` for SQS) holds text that may be JSON.

    A record is accepted if any pattern matches; without patterns all are. A pattern on the data that is an object
    asks for a JSON body, one that is an array for a plain string; a record of the other kind is not accepted.
    A body that parses to a JSON object or array is JSON here, a bare number or quoted string is plain text (AWS does
    not say; inference).
    """

    patterns: tuple[EventPattern, ...]
    data_key: str = "body"

    @classmethod
    def parse(
        cls,
        patterns: Sequence[str],
        *,
        data_key: str = "body",
        nested_anything_but: bool = True,
        forbidden: frozenset[str] = frozenset(),
    ) -> RecordFilter:
        """Compile ``patterns``; ``forbidden`` are top-level fields that cannot be filtered. Raises PatternError."""
        compiled = tuple(EventPattern.parse(text, nested_anything_but=nested_anything_but) for text in patterns)
        for pattern in compiled:
            clash = forbidden.intersection(path[0] for branch in pattern.branches for path in branch)
            if clash:
                raise PatternError(f"{', '.join(sorted(clash))} cannot be used in a filter pattern")
        return cls(compiled, data_key)

    def accepts(self, record: Mapping[str, Any]) -> bool:
        """Whether ``record`` passes."""
        if not self.patterns:
            return True
        parsed = _parsed_container(record.get(self.data_key))
        as_json = None if parsed is None else {**record, self.data_key: parsed}
        return any(
            self._branch_accepts(branch, record, as_json) for pattern in self.patterns for branch in pattern.branches
        )

    def _branch_accepts(self, branch: Branch, record: Mapping[str, Any], as_json: Mapping[str, Any] | None) -> bool:
        depths = {len(path) for path in branch if path[0] == self.data_key}
        wants_json = any(depth > 1 for depth in depths)
        if depths and wants_json != (as_json is not None):
            return False
        return branch_matches(branch, as_json if wants_json and as_json is not None else record)


def _parsed_container(data: Any) -> Any:
    """``data`` parsed, if it is text that holds a JSON object or array."""
    if not isinstance(data, str):
        return data if isinstance(data, (dict, list)) else None
    try:
        value = parse_json(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, (dict, list)) else None
