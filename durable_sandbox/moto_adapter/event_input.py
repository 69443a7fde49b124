"""What a rule's target receives: the event, a part of it, a constant, or what an input template makes of it.

Sources: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html (variables, quotes, "for
strings, quotes are required", values are not escaped, JSON is minified);
https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_InputTransformer.html. What AWS answered to LocalStack's
tests (tests/aws/services/events/test_events_inputs.py, its snapshots were recorded on AWS): a path that leads nowhere
gives an empty string; ``aws.events.event`` lacks ``detail`` and spells ``detailType``; an object in a string template
loses its quotes, in a string inside a JSON template it spoils the JSON and nothing is delivered.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

RESERVED = frozenset(
    {
        "aws.events.rule-arn",
        "aws.events.rule-name",
        "aws.events.event",
        "aws.events.event.json",
        "aws.events.event.ingestion-time",
    }
)
_PLACEHOLDER = re.compile(r"<([^<>]*)>")
_STEP = re.compile(r"\.(?P<name>[\w/-]+|\*)|\[(?P<index>\d+|\*)\]")
_QUOTE = re.compile(r'(?<!\\)(?:\\\\)*"')


class InputError(ValueError):
    """An input that cannot be made of an event, or a template that is not valid; the text says why."""


class _Nowhere:
    """What a path yields that leads nowhere."""


_NOWHERE = _Nowhere()


@dataclass(frozen=True, slots=True)
class Occasion:
    """An event that a rule matched, as targets see it."""

    event: Mapping[str, Any]
    rule_arn: str
    rule_name: str
    received_at: str
    """ISO 8601."""

    def reserved(self, name: str) -> Any:
        """The value of a predefined variable."""
        if name == "aws.events.event":
            return {
                "detailType" if key == "detail-type" else key: value
                for key, value in self.event.items()
                if key != "detail"
            }
        return {
            "aws.events.rule-arn": self.rule_arn,
            "aws.events.rule-name": self.rule_name,
            "aws.events.event.json": dict(self.event),
            "aws.events.event.ingestion-time": self.received_at,
        }[name]


def input_of(target: Mapping[str, Any], occasion: Occasion) -> str:
    """The text that ``target`` receives. Raises InputError.

    An InputPath that leads nowhere is such an error (AWS does not say what happens; inference).
    """
    if target.get("Input"):
        return str(target["Input"])
    if target.get("InputPath"):
        value = follow(occasion.event, target["InputPath"])
        if value is _NOWHERE:
            raise InputError(f"the event has nothing at {target['InputPath']}")
        return compact(value)
    transformer = target.get("InputTransformer")
    if transformer:
        return rendered(transformer["InputTemplate"], transformer.get("InputPathsMap") or {}, occasion)
    return compact(occasion.event)


def compact(value: Any) -> str:
    """``value`` as JSON without blanks."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def rendered(template: str, paths: Mapping[str, str], occasion: Occasion) -> str:
    """The template with its variables replaced, minified if it is JSON. Raises InputError if it should be and is not."""
    is_text = _is_text(template)
    parts: list[str] = []
    for literal, name, quoted in _pieces(template):
        parts.append(literal)
        if name is not None:
            value = occasion.reserved(name) if name in RESERVED else follow(occasion.event, paths[name])
            parts.append(_shown(value, quoted=quoted, is_text=is_text))
    text = "".join(parts)
    if is_text:
        return text
    try:
        return compact(json.loads(text))
    except ValueError as error:
        raise InputError(f"the input template's result is not valid JSON: {error}") from error


def unknown_variables(template: str, paths: Mapping[str, str]) -> list[str]:
    """Variables of the template that nothing defines."""
    return [name for name in _PLACEHOLDER.findall(template) if name not in paths and name not in RESERVED]


def check_template(template: str) -> None:
    """Raise InputError unless the template is JSON, or lines of JSON strings, with ``null`` for each variable."""
    probe = _PLACEHOLDER.sub("null", template)
    try:
        if not _is_text(template):
            json.loads(probe)
            return
        decoder, rest = json.JSONDecoder(), probe.strip()
        while rest:
            value, end = decoder.raw_decode(rest)
            if not isinstance(value, str):
                raise InputError(f'[Source: (String)"{probe}"; more than strings in a string template]')
            rest = rest[end:].lstrip()
    except json.JSONDecodeError as error:
        where = f"line: {error.lineno}, column: {error.colno}"
        raise InputError(f'[Source: (String)"{probe}"; {where}]') from error


def follow(value: Any, path: str) -> Any:
    """What ``path`` leads to: names after dots, indices, ``*`` (a list). Any other path leads nowhere."""
    steps = list(_steps(path))
    return _NOWHERE if None in steps else _follow(value, [step for step in steps if step is not None])


def led_nowhere(value: Any) -> bool:
    """Whether ``value`` is what ``follow`` gives for a path that leads nowhere."""
    return value is _NOWHERE


def _is_text(template: str) -> bool:
    return template.lstrip().startswith('"')


def _pieces(template: str) -> Iterator[tuple[str, str | None, bool]]:
    """Literal text, the variable after it, and whether that is inside a JSON string."""
    position, quoted = 0, False
    for match in _PLACEHOLDER.finditer(template):
        literal = template[position : match.start()]
        quoted ^= len(_QUOTE.findall(literal)) % 2 == 1
        yield literal, match[1], quoted
        position = match.end()
    yield template[position:], None, quoted


def _shown(value: Any, *, quoted: bool, is_text: bool) -> str:
    if value is _NOWHERE:
        value = ""
    if not quoted:
        return compact(value)
    if isinstance(value, str):
        return value
    # "EventBridge doesn't escape values": in a JSON template the quotes of an object end the string that it is in.
    return compact(value).replace('"', "") if is_text else compact(value)


def _steps(path: str) -> Iterator[str | int | None]:
    """The steps of a JSON path; None for one that is not supported."""
    position = 1
    if not path.startswith("$"):
        yield None
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None:
            yield None
            return
        found = match["name"] or match["index"]
        yield int(found) if match["index"] and found != "*" else found
        position = match.end()


def _follow(value: Any, steps: list[str | int]) -> Any:
    for position, step in enumerate(steps):
        if step == "*":
            items = list(value.values()) if isinstance(value, Mapping) else value
            if not isinstance(items, list):
                return _NOWHERE
            found = (_follow(item, steps[position + 1 :]) for item in items)
            return [item for item in found if item is not _NOWHERE]
        if isinstance(step, int):
            if not isinstance(value, list) or step >= len(value):
                return _NOWHERE
            value = value[step]
        elif isinstance(value, Mapping) and step in value:
            value = value[step]
        else:
            return _NOWHERE
    return value
