"""AlarmRule of a composite alarm.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html: ALARM, OK and INSUFFICIENT_DATA
of an alarm's name or ARN, TRUE and FALSE, joined by NOT, AND and OR, which bind in this order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_TOKEN = re.compile(r"\s*(?:(?P<sign>[()])|\"(?P<quoted>[^\"]*)\"|(?P<word>[^\s()\"]+))")
_STATES = frozenset({"ALARM", "OK", "INSUFFICIENT_DATA"})


class RuleError(ValueError):
    """The text is no AlarmRule; the message says where."""


@dataclass(frozen=True, slots=True)
class Condition:
    """``kind``: a state (of ``alarm``), TRUE, FALSE, NOT, AND or OR (of ``parts``)."""

    kind: str
    alarm: str = ""
    parts: tuple[Condition, ...] = ()

    def alarms(self) -> Iterator[str]:
        """The alarms' names, in their order."""
        if self.alarm:
            yield self.alarm
        for part in self.parts:
            yield from part.alarms()

    def holds(self, state_of: Callable[[str], str | None]) -> bool:
        """Whether it is true now; an alarm that is not there is in no state."""
        if self.kind in _STATES:
            return state_of(self.alarm) == self.kind
        if self.kind == "NOT":
            return not self.parts[0].holds(state_of)
        if self.kind in {"AND", "OR"}:
            results = (part.holds(state_of) for part in self.parts)
            return all(results) if self.kind == "AND" else any(results)
        return self.kind == "TRUE"


def parse_rule(rule: str) -> Condition:
    """Parse an AlarmRule. Raises RuleError."""
    return _Parser(rule).whole()


class _Parser:
    def __init__(self, rule: str) -> None:
        self._tokens: list[tuple[str, bool]] = []  # text, and whether it was quoted
        position, end = 0, len(rule.rstrip())
        while position < end:
            match = _TOKEN.match(rule, position)
            if match is None:
                raise RuleError(f"Cannot read the rule at {rule[position : position + 20]!r}")
            quoted = match["quoted"]
            self._tokens.append((match["sign"] or match["word"] or "", False) if quoted is None else (quoted, True))
            position = match.end()
        self._at = 0

    def whole(self) -> Condition:
        condition = self._any()
        if self._at < len(self._tokens):
            raise RuleError(f"Did not expect {self._tokens[self._at][0]!r}")
        return condition

    def _is(self, text: str) -> bool:
        return self._at < len(self._tokens) and self._tokens[self._at] == (text, False)

    def _next(self) -> str:
        if self._at == len(self._tokens):
            raise RuleError("The rule ends too early")
        self._at += 1
        return self._tokens[self._at - 1][0]

    def _expect(self, text: str) -> None:
        found = self._next()
        if found != text:
            raise RuleError(f"Expected {text!r}, found {found!r}")

    def _any(self) -> Condition:
        return self._joined("OR", self._all)

    def _all(self) -> Condition:
        return self._joined("AND", self._one)

    def _joined(self, word: str, part: Callable[[], Condition]) -> Condition:
        parts = [part()]
        while self._is(word):
            self._next()
            parts.append(part())
        return parts[0] if len(parts) == 1 else Condition(word, "", tuple(parts))

    def _one(self) -> Condition:
        word = self._next()
        if word == "NOT":
            return Condition("NOT", "", (self._one(),))
        if word == "(":
            condition = self._any()
            self._expect(")")
            return condition
        if word in {"TRUE", "FALSE"}:
            return Condition(word)
        if word not in _STATES:
            raise RuleError(f"Expected a condition, found {word!r}")
        self._expect("(")
        alarm = self._next()
        self._expect(")")
        # An ARN's last part is the name, which may have colons of its own.
        return Condition(word, alarm.split(":alarm:", 1)[1] if alarm.startswith("arn:") else alarm)
