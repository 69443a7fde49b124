"""Wildcards and policy variables.

Sources: IAM User Guide reference_policies_elements_resource (wildcards in segments), reference_policies_variables,
reference_policies_elements_condition_operators (ARN operators compare each of the six components).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_DEFAULT = re.compile(r"^\s*([^,\s]+)\s*,\s*'(.*)'\s*$")
_LITERAL_VARIABLES = frozenset("*?$")
_LAST_COMPONENT = 5


class Lookup(Protocol):
    """The request's condition keys."""

    def values(self, key: str) -> tuple[str, ...] | None:
        """Values of a key in lower case; empty if AWS would not set it, None if the sandbox does not know the key."""
        ...


class Glob(Enum):
    """Where ``*`` and ``?`` may match a colon."""

    TEXT = "text"
    """Anywhere: actions and StringLike."""
    ARN = "arn"
    """Never before an ARN's last component: ArnLike."""
    RESOURCE = "resource"
    """Before the last component only where ``*`` ends its segment: Resource."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a pattern: text with wildcards, literal text, or a variable."""

    text: str
    literal: bool = False
    variable: str | None = None
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Expanded:
    """A pattern with its variables filled in."""

    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """The pattern as plain text, for operators without wildcards."""
        return "".join(part.text for part in self.parts)

    def regex(self, glob: Glob, *, ignore_case: bool = False) -> re.Pattern[str]:
        """The regular expression that matches what the pattern does."""
        text = "".join(part.text for part in self.parts)
        literal = [part.literal for part in self.parts for _ in part.text]
        expression: list[str] = []
        component = 0
        for position, character in enumerate(text):
            bounded = glob is not Glob.TEXT and component < _LAST_COMPONENT
            if literal[position] or character not in "*?":
                expression.append(re.escape(character))
                component += character == ":"
            elif character == "?":
                expression.append("[^:]" if bounded else ".")
            else:
                ends_segment = position + 1 == len(text) or text[position + 1] == ":"
                expression.append("[^:]*" if bounded and not (glob is Glob.RESOURCE and ends_segment) else ".*")
        return re.compile("".join(expression), re.DOTALL | (re.IGNORECASE if ignore_case else 0))


class Template:
    """A text of a policy that may hold wildcards and, from version 2012-10-17 on, variables."""

    __slots__ = ("_fixed", "_regexes", "keys", "parts", "text")

    def __init__(self, text: str, *, variables: bool = True) -> None:
        self.text = text
        self.parts = _parts(text) if variables else (Part(text),)
        self.keys = frozenset(part.variable for part in self.parts if part.variable is not None)
        self._fixed = None if self.keys else Expanded(self.parts)
        self._regexes: dict[tuple[Glob, bool], re.Pattern[str]] = {}

    def expand(self, context: Lookup) -> Expanded | bool | None:
        """The filled-in pattern. False if a variable has no value in the request, None if its key is unknown here."""
        if self._fixed is not None:
            return self._fixed
        parts: list[Part] = []
        for part in self.parts:
            if part.variable is None:
                parts.append(part)
                continue
            values = context.values(part.variable)
            if values is None:
                return None
            if len(values) == 1:
                parts.append(Part(values[0], literal=True))
            elif not values and part.default is not None:
                parts.append(Part(part.default, literal=True))
            else:
                return False
        return Expanded(tuple(parts))

    def matches(self, value: str, context: Lookup, glob: Glob, *, ignore_case: bool = False) -> bool | None:
        """Whether ``value`` fits; None if that hangs on a key that is unknown here."""
        if self._fixed is not None:
            regex = self._regexes.get((glob, ignore_case))
            if regex is None:
                regex = self._regexes[glob, ignore_case] = self._fixed.regex(glob, ignore_case=ignore_case)
            return regex.fullmatch(value) is not None
        expanded = self.expand(context)
        if not isinstance(expanded, Expanded):
            return expanded
        return expanded.regex(glob, ignore_case=ignore_case).fullmatch(value) is not None

    def __repr__(self) -> str:
        return f"Template({self.text!r})"


def _parts(text: str) -> tuple[Part, ...]:
    parts: list[Part] = []
    end = 0
    for match in _VARIABLE.finditer(text):
        if match.start() > end:
            parts.append(Part(text[end : match.start()]))
        inside = match.group(1)
        if inside in _LITERAL_VARIABLES:
            parts.append(Part(inside, literal=True))
        else:
            with_default = _DEFAULT.match(inside)
            key, default = with_default.groups() if with_default else (inside.strip(), None)
            parts.append(Part("", variable=key.lower(), default=default))
        end = match.end()
    if end < len(text):
        parts.append(Part(text[end:]))
    return tuple(parts)
