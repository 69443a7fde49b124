"""Selection expressions, parameter mappings and JSON paths: how routes, models and templates are chosen.

Sources: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-selection-expressions.html
(the language); .../websocket-api-develop-routes.html (results of examples, what cannot be found is "", arrays become
"[item1, item2]"); .../websocket-api-data-mapping.html (parameters). Paths are those of Jayway's JsonPath
(https://github.com/json-path/JsonPath), which those pages name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NoReturn

from jsonpath_ng.exceptions import JSONPathError
from jsonpath_ng.ext.parser import parse as compile_path

DEFAULT_KEY = "$default"
_TOKEN = re.compile(
    r"\\(?P<escaped>\$)"
    r"|\$\{(?P<wrapped>[^}]*)\}"
    r"|\$(?P<bare>(?:request|integration)\.(?:[\w.@*-]|\[[^\]]*\])+)"
)
_STEP = re.compile(
    r"\.(?P<name>[^.\[\]()*?'\"\s]+)|\[(?P<index>-?\d+)\]|\['(?P<single>[^'\\]*)'\]|\[\"(?P<double>[^\"\\]*)\"\]"
)
_DESTINATION = re.compile(r"integration\.request\.(?P<place>header|querystring|path)\.(?P<name>[\w.$-]+)")
_SOURCE = re.compile(r"route\.request\.(?P<multi>multivalue)?(?P<place>header|querystring)\.(?P<name>[\w.$-]+)")
_BODY_SOURCE = "route.request.body."
_PATHS_KEPT = 512


class ExpressionError(ValueError):
    """An expression or path that is none; the text says which."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an integration answered: HTTP status, headers (names in any case) and text."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


@dataclass(frozen=True, slots=True)
class ParameterSource:
    """What parameters may be mapped from. Headers and query are the handshake's: AWS has them for $connect only."""

    headers: Sequence[tuple[str, str]] = ()
    query: Sequence[tuple[str, str]] = ()
    body: str | None = None
    context: Mapping[str, Any] = field(default_factory=dict)
    stage_variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Parameters:
    """Parameters of an integration request, in the order of the mapping; a name may occur more than once."""

    headers: tuple[tuple[str, str], ...] = ()
    query: tuple[tuple[str, str], ...] = ()
    path: Mapping[str, str] = field(default_factory=dict)


def select(expression: str, body: str | None, *, answer: Answer | None = None) -> str | None:
    """The key that ``expression`` makes of a message and of what its integration answered; None if there is none.

    There is none if the body is needed and is not JSON, or if no variable of the expression has a value; of several,
    those without one are "". ``$default`` may be written with or without its backslash.
    """
    variables = _Variables(body, answer)
    key = _TOKEN.sub(variables.replacement, expression)
    return None if variables.impossible or (variables.sought and not variables.found) else key


def chosen(keys: Iterable[str], value: str | None) -> str | None:
    r"""Which of ``keys`` stands for ``value``: the same, else a pattern ``/4\d\d/`` that all of it matches, else $default."""
    known = list(keys)
    if value is not None:
        if value in known:
            return value
        for key in known:
            if len(key) > 1 and key[0] == key[-1] == "/" and _matches(key[1:-1], value):
                return key
    return DEFAULT_KEY if DEFAULT_KEY in known else None


def map_parameters(mappings: Mapping[str, str], source: ParameterSource) -> Parameters:
    """Headers, query and path of an integration request. What has no value is left out. Raises ExpressionError."""
    places: dict[str, list[tuple[str, str]]] = {"header": [], "querystring": [], "path": []}
    for destination, expression in mappings.items():
        match = _DESTINATION.fullmatch(destination)
        if match is None:
            raise ExpressionError(
                f"{destination} is no parameter of an integration request: header, querystring or path"
            )
        places[match["place"]] += [(match["name"], value) for value in _source_values(expression, source)]
    return Parameters(tuple(places["header"]), tuple(places["querystring"]), dict(places["path"]))


def path_value(document: Any, path: str) -> Any:
    """What ``path`` leads to in a JSON ``document``; None if nowhere. Raises ExpressionError for what is no path.

    A path that may lead to several values (``$..a``, ``[*]``, a filter) yields a list of them, which may be empty.
    """
    steps, compiled = _compiled(path)
    if compiled is not None:
        return [match.value for match in compiled.find(document)]
    value = document
    for step in steps:
        if isinstance(step, int):
            if not isinstance(value, list) or not -len(value) <= step < len(value):
                return None
            value = value[step]
        elif isinstance(value, Mapping):
            value = value.get(step)
        else:
            return None
    return value


def looked_up(values: Mapping[str, Any], dotted: str) -> Any:
    """The value of a dotted name such as ``authorizer.principalId``; None if there is none."""
    value: Any = values
    for name in dotted.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def stringified(value: Any) -> str:
    """JSON scalars as their JSON text, text without quotes; arrays and objects as Java prints them."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}={stringified(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(stringified(item) for item in value) + "]"
    return json.dumps(value)


class _Variables:
    """The variables of one expression: replaces them, and keeps in mind whether any had a value."""

    def __init__(self, body: str | None, answer: Answer | None) -> None:
        self._body, self._answer = body, answer
        self.sought = self.found = self.impossible = False

    def replacement(self, match: re.Match[str]) -> str:
        if match["escaped"] is not None:
            return match["escaped"]
        self.sought = True
        value = self._value((match["wrapped"] or match["bare"] or "").strip())
        self.found = self.found or value is not None
        return "" if value is None else stringified(value)

    def _value(self, name: str) -> Any:
        scope, _, rest = name.partition(".")
        part, _, key = rest.partition(".")
        if scope == "request" and rest.startswith("body"):
            return self._in_body(self._body, rest.removeprefix("body"))
        if scope != "integration" or part != "response" or self._answer is None:
            return None
        if key == "statuscode":
            return self._answer.status
        if key.startswith("body"):
            return self._in_body(self._answer.body, key.removeprefix("body"))
        place, _, header = key.partition(".")
        if place not in {"header", "multivalueheader"}:
            return None
        return next((value for key, value in self._answer.headers.items() if key.lower() == header.lower()), None)

    def _in_body(self, body: str | None, path: str) -> Any:
        try:
            document = json_document(body)
        except ExpressionError:
            self.impossible = True
            return None
        return path_value(document, f"${path}")


def json_document(text: str | None) -> Any:
    """``text`` parsed, strictly (no NaN). Raises ExpressionError if it is not JSON."""
    try:
        return json.loads(text or "", parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ExpressionError(f"not valid JSON: {error}") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")


def _matches(pattern: str, value: str) -> bool:
    try:
        return re.fullmatch(pattern, value, re.DOTALL) is not None
    except re.error as error:
        raise ExpressionError(f"/{pattern}/ is no pattern: {error}") from error


def _source_values(expression: str, source: ParameterSource) -> Sequence[str]:
    """The values of a mapping's right side: none, one, or several of a multi-value source."""
    if len(expression) > 1 and expression[0] == expression[-1] == "'":
        return [expression[1:-1]]
    if (match := _SOURCE.fullmatch(expression)) is not None:
        if match["place"] == "header":
            values = [value for key, value in source.headers if key.lower() == match["name"].lower()]
        else:
            values = [value for key, value in source.query if key == match["name"]]
        return values if match["multi"] else values[-1:]
    found: Any
    if expression.startswith(_BODY_SOURCE):
        try:
            document = json_document(source.body)
        except ExpressionError:
            return []
        found = path_value(document, "$." + expression.removeprefix(_BODY_SOURCE))
    elif expression.startswith("context."):
        found = looked_up(source.context, expression.removeprefix("context."))
    elif expression.startswith("stageVariables."):
        found = source.stage_variables.get(expression.removeprefix("stageVariables."))
    else:
        raise ExpressionError(
            f"{expression} is nothing that a parameter can be mapped from: 'text' in quotes, context.x, stageVariables.x, "
            "route.request.header.x, route.request.querystring.x or route.request.body.x"
        )
    return [] if found is None else [stringified(found)]


@lru_cache(maxsize=_PATHS_KEPT)
def _compiled(path: str) -> tuple[tuple[str | int, ...], Any]:
    """The steps of a path to one value, or else a compiled path to several."""
    text = path.strip()
    # As Jayway does with a path that has no root.
    text = text if text.startswith("$") else f"$.{text}"
    steps: list[str | int] = []
    position = 1
    while position < len(text):
        match = _STEP.match(text, position)
        if match is None:
            break
        named = next((found for name in ("name", "single", "double") if (found := match[name]) is not None), None)
        steps.append(int(match["index"]) if named is None else named)
        position = match.end()
    else:
        return tuple(steps), None
    try:
        return (), compile_path(text)
    except (JSONPathError, ValueError, AttributeError, TypeError) as error:
        raise ExpressionError(f"{path} is no JSON path: {error}") from error
