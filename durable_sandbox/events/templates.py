"""Input templates of Pipes.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-input-transformation.html.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

_PLACEHOLDER = re.compile(r"<(\$[^<>]*|aws\.pipes\.[^<>]*)>")
_STEP = re.compile(r"\.(?P<name>[\w/-]+|\*)|\[(?P<index>\d+|\*)\]")
_ENCODED = "data"
_EVENT = "event"
_EVENT_JSON = "event.json"
_RESERVED = frozenset(
    {"pipe-arn", "pipe-name", "source-arn", "enrichment-arn", "target-arn", "event.ingestion-time", _EVENT, _EVENT_JSON}
)

Step = str | int | None
"""A name, an index, or None for ``*``."""


class TemplateError(ValueError):
    """A template that is not valid, or whose result is not valid JSON; the text says which."""


class _Missing:
    """What a path yields that leads nowhere."""


_MISSING = _Missing()


@dataclass(frozen=True, slots=True)
class PipeVariables:
    """What the reserved variables ``<aws.pipes.*>`` stand for."""

    pipe_arn: str
    pipe_name: str
    source_arn: str
    enrichment_arn: str
    target_arn: str


@dataclass(frozen=True, slots=True)
class _Variable:
    """``<...>``: either a path into the event or a reserved name; ``quoted`` inside a JSON string."""

    source: str
    quoted: bool
    path: tuple[Step, ...] | None = None
    reserved: str = ""


@dataclass(frozen=True, slots=True)
class InputTemplate:
    """A parsed template: literal text and variables in turn."""

    parts: tuple[str | _Variable, ...]

    @classmethod
    def parse(cls, text: str) -> InputTemplate:
        """Parse ``text``. Raises TemplateError on an unknown variable or an unsupported path."""
        parts: list[str | _Variable] = []
        position, in_string = 0, False
        for match in _PLACEHOLDER.finditer(text):
            literal = text[position : match.start()]
            in_string = _in_string(literal, in_string=in_string)
            parts += [literal, _variable(match.group(1), quoted=in_string)]
            position = match.end()
        parts.append(text[position:])
        return cls(tuple(part for part in parts if part != ""))

    def render(
        self, event: Any, variables: PipeVariables, *, received_at: datetime, data_key: str | None = None
    ) -> str:
        """The template's text for one ``event``.

        ``data_key`` names the field of the event that holds the payload as text (``body`` for SQS, ``data`` in base64
        for Kinesis) and that is parsed where it is JSON, else left as it is; None if there is none, as after an
        enrichment. A path that leads nowhere leaves nothing in its place.
        """
        decoded, is_json = _decode(event, data_key)

        def value_of(variable: _Variable) -> Any:
            if variable.path is not None:
                return _follow(decoded, variable.path)
            if variable.reserved == _EVENT:
                return event
            if variable.reserved == _EVENT_JSON:
                return decoded if is_json else _MISSING
            if variable.reserved == "event.ingestion-time":
                return received_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            return getattr(variables, variable.reserved.replace("-", "_"))

        return "".join(_text(part, value_of) for part in self.parts)

    def render_json(
        self, event: Any, variables: PipeVariables, *, received_at: datetime, data_key: str | None = None
    ) -> Any:
        """The rendered template parsed. Raises TemplateError if it is not valid JSON, as the target would refuse it."""
        decoded, _ = _decode(event, data_key)
        if len(self.parts) == 1 and isinstance(bare := self.parts[0], _Variable) and bare.path is not None:
            value = _follow(decoded, bare.path)
            if isinstance(value, (dict, list)):
                raise TemplateError(
                    f"<{bare.source}> alone loses the quotes of the JSON that it holds; "
                    f'wrap it in an object: {{"data": <{bare.source}>}}'
                )
        text = self.render(event, variables, received_at=received_at, data_key=data_key)
        try:
            return json.loads(text)
        except ValueError as error:
            raise TemplateError(f"the input template's result is not valid JSON: {error}") from error


def _in_string(literal: str, *, in_string: bool) -> bool:
    """Whether the position after ``literal`` is inside a JSON string."""
    escaped = False
    for character in literal:
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = in_string
        elif character == '"':
            in_string = not in_string
    return in_string


def _variable(source: str, *, quoted: bool) -> _Variable:
    if not source.startswith("$"):
        reserved = source.removeprefix("aws.pipes.")
        if reserved not in _RESERVED:
            raise TemplateError(f"<{source}> is no variable of Pipes; there are: {', '.join(sorted(_RESERVED))}")
        return _Variable(source, quoted, reserved=reserved)
    return _Variable(source, quoted, path=tuple(_steps(source)))


def _steps(source: str) -> Iterator[Step]:
    position = 1
    while position < len(source):
        match = _STEP.match(source, position)
        if match is None:
            raise TemplateError(f"<{source}> is no supported path: names after dots, [0], [*] and .* are")
        if match["name"] is not None:
            yield None if match["name"] == "*" else match["name"]
        else:
            yield None if match["index"] == "*" else int(match["index"])
        position = match.end()


def _decode(event: Any, data_key: str | None) -> tuple[Any, bool]:
    """``event`` with its payload parsed where it is JSON, and whether it is."""
    if data_key is None or not isinstance(event, Mapping):
        return event, not isinstance(event, str)
    try:
        payload = event[data_key]
        text = base64.b64decode(payload) if data_key == _ENCODED else payload
        return {**event, data_key: json.loads(text)}, True
    except (KeyError, TypeError, ValueError):
        return event, False


def _follow(value: Any, path: tuple[Step, ...]) -> Any:
    for position, step in enumerate(path):
        if step is None:
            items = list(value.values()) if isinstance(value, Mapping) else value
            if not isinstance(items, list):
                return _MISSING
            found = (_follow(item, path[position + 1 :]) for item in items)
            return [item for item in found if item is not _MISSING]
        if isinstance(step, int):
            if not isinstance(value, list) or step >= len(value):
                return _MISSING
            value = value[step]
        elif isinstance(value, Mapping) and step in value:
            value = value[step]
        else:
            return _MISSING
    return value


def _text(part: str | _Variable, value_of: Callable[[_Variable], Any]) -> str:
    if isinstance(part, str):
        return part
    value = value_of(part)
    if value is _MISSING:
        return ""
    encoded = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if not part.quoted or part.reserved == _EVENT_JSON:
        return encoded
    if isinstance(value, str):
        return encoded[1:-1]
    if part.reserved == _EVENT:
        return json.dumps(encoded, ensure_ascii=False)[1:-1]
    # As AWS documents it: JSON put into a string loses its quotes.
    return encoded.replace('"', "")
