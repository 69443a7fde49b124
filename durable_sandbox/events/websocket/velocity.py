r"""The Velocity template language as API Gateway has it: airspeed's, and where Velocity differs from it.

Sources: https://velocity.apache.org/engine/1.7/vtl-reference.html and .../user-guide.html (names may have hyphens; #foreach
over an object takes its values; a text in quotes has no backslash escapes, hence AWS's ``.replaceAll("\\'","'")``); as seen on
AWS: https://github.com/localstack/localstack/pull/12379 (an object prints as Java's ``{a=1}``, an array as JSON, also within
an object), /pull/12774 and /pull/11886 (what is missing is null and prints as "").
"""

from __future__ import annotations

import importlib.util
import json
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

_TEMPLATES_KEPT = 256


class TemplateError(ValueError):
    """A template that cannot be parsed, or that cannot be rendered for this message; the text says why."""


@dataclass(frozen=True, slots=True)
class Provided:
    """An object such as ``$util``, which has nothing but what is listed here."""

    name: str
    methods: Mapping[str, Callable[..., Any]]
    properties: Mapping[str, Any] = field(default_factory=dict)


def merged(template: str, namespace: Mapping[str, Any]) -> str:
    """The text of ``template`` with ``namespace``: JSON values (which it may change) and Provided. Raises TemplateError."""
    try:
        return str(_compiled(template).merge(dict(namespace)))
    except _vtl.TemplateExecutionError as error:
        raise TemplateError(f"in {error.element.my_text()[:80]!r}: {_reason(error)}") from error
    except RecursionError as error:
        raise TemplateError("the template or its input is nested too deeply") from error


@lru_cache(maxsize=_TEMPLATES_KEPT)
def _compiled(template: str) -> Any:
    compiled = _vtl.Template(template)
    try:
        compiled.ensure_compiled()
    except (_vtl.TemplateError, _vtl.NoMatch, KeyError) as error:
        raise TemplateError(f"the template cannot be parsed: {error}") from error
    return compiled


def _reason(error: BaseException) -> BaseException:
    while error.__cause__ is not None and not isinstance(error, TemplateError):
        error = error.__cause__
    return error


def json_text(value: Any) -> str:
    """``value`` as compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def printed(value: Any) -> str:
    """How a value prints."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={printed(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Provided):
        raise TemplateError(f"{value.name} alone has no text: name a property or a method")
    return json_text(list(value)) if isinstance(value, range) else json_text(value)


def argument(value: Any) -> str:
    """A value as the text that a method takes; null is ""."""
    return "" if value is None else printed(value)


def _substring(text: str, start: int, end: int | None = None) -> str:
    stop = len(text) if end is None else end
    if not 0 <= start <= stop <= len(text):
        raise TemplateError(f"substring({start}, {stop}): the text has {len(text)} characters")
    return text[start:stop]


def _replaced(text: str, pattern: str, replacement: str, count: int = 0) -> str:
    """Java's replaceAll: ``$1`` is a group in the replacement, a backslash takes the next character literally."""
    parts = re.findall(r"\\(.)|\$(\d)|(.)", replacement, re.DOTALL)

    def expanded(match: re.Match[str]) -> str:
        return "".join((match[int(group)] or "") if group else literal or plain for literal, group, plain in parts)

    return _regex(pattern).sub(expanded, text, count=count)


def _split(text: str, pattern: str) -> list[str]:
    parts: list[str] = _regex(pattern).split(text)
    while len(parts) > 1 and not parts[-1]:
        parts.pop()
    return parts


@lru_cache(maxsize=_TEMPLATES_KEPT)
def _regex(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.ASCII)
    except re.error as error:
        raise TemplateError(f"{pattern!r} is no regular expression: {error}") from error


def _set_item(items: list[Any], index: int, value: Any) -> Any:
    items[index], before = value, items[index]
    return before


def _put(values: dict[str, Any], key: str, value: Any) -> Any:
    before = values.get(key)
    values[key] = value
    return before


_ANY: dict[str, Callable[..., Any]] = {"toString": printed, "equals": lambda a, b: type(a) is type(b) and a == b}
_STRING: dict[str, Callable[..., Any]] = _ANY | {
    # Java counts UTF-16 code units.
    "length": lambda text: len(text.encode("utf-16-le", "surrogatepass")) // 2,
    "isEmpty": lambda text: not text,
    "equalsIgnoreCase": lambda text, other: text.lower() == argument(other).lower(),
    "contains": lambda text, part: part in text,
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "indexOf": str.find,
    "lastIndexOf": str.rfind,
    "charAt": lambda text, index: _substring(text, index, index + 1),
    "substring": _substring,
    "concat": lambda text, other: text + other,
    "trim": lambda text: text.strip("".join(map(chr, range(33)))),
    "toLowerCase": str.lower,
    "toUpperCase": str.upper,
    "replace": str.replace,
    "replaceAll": _replaced,
    "replaceFirst": lambda text, pattern, replacement: _replaced(text, pattern, replacement, 1),
    "matches": lambda text, pattern: _regex(pattern).fullmatch(text) is not None,
    "split": _split,
}
_LIST: dict[str, Callable[..., Any]] = _ANY | {
    "size": len,
    "count": len,
    "isEmpty": lambda items: not items,
    "get": operator.getitem,
    "set": _set_item,
    "add": lambda items, value: items.append(value) or True,
    "addAll": lambda items, values: items.extend(values) or True,
    "contains": lambda items, value: value in items,
    "indexOf": lambda items, value: items.index(value) if value in items else -1,
}
_MAP: dict[str, Callable[..., Any]] = _ANY | {
    "size": len,
    "count": len,
    "isEmpty": lambda values: not values,
    "get": dict.get,
    "getOrDefault": dict.get,
    "put": _put,
    "putAll": lambda values, more: values.update(more),
    "remove": lambda values, key: values.pop(key, None),
    "containsKey": lambda values, key: key in values,
    "containsValue": lambda values, value: value in values.values(),
    "keySet": list,
    "values": lambda values: list(values.values()),
    "entrySet": lambda values: [{"key": key, "value": value} for key, value in values.items()],
    # Of what entrySet yields.
    "getKey": lambda entry: entry.get("key"),
    "getValue": lambda entry: entry.get("value"),
}


def _called(target: Any, name: str, arguments: list[Any]) -> Any:
    bound: list[Any] = [target]
    if isinstance(target, Provided):
        owner, methods, bound = target.name, target.methods, []
    else:
        tables = ((str, "a text", _STRING), (list, "an array", _LIST), (dict, "an object", _MAP))
        found = next(((owner, table) for kind, owner, table in tables if isinstance(target, kind)), ("a number", _ANY))
        owner, methods = found
    method = methods.get(name)
    if method is None:
        raise TemplateError(f"{owner} has no method {name}(); there are: {', '.join(sorted(methods))}")
    try:
        return method(*bound, *arguments)
    except (TypeError, IndexError) as error:
        raise TemplateError(
            f"{name}() cannot take {json_text([argument(item) for item in arguments])}: {error}"
        ) from error


def _item(target: Any, index: Any) -> Any:
    if isinstance(target, dict):
        return target.get(index)
    inside = isinstance(target, (list, range)) and isinstance(index, int) and -len(target) <= index < len(target)
    return target[index] if inside else None


# From here on: what replaces parts of airspeed. Each has the arguments of the method that it stands for.


def _name_or_call(self: Any, target: Any, loader: Any, top: Any) -> Any:
    if isinstance(target, _vtl.LocalNamespace):
        value = target[self.name] if _knows(target, self.name) else None
        if isinstance(value, _vtl.DefineDefinition):
            stream = _vtl.StoppableStream()
            value.execute_function(
                stream, top, self.parameters.calculate(top, loader) if self.parameters else [], loader
            )
            return stream.getvalue()
    elif target is None:
        return None
    elif self.parameters is not None:
        return _called(target, self.name, self.parameters.calculate(top, loader))
    elif isinstance(target, dict):
        value = target.get(self.name)
    else:
        value = target.properties.get(self.name) if isinstance(target, Provided) else None
    return value if self.index is None else _item(value, self.index.calculate(top, loader))


def _sub_expression(self: Any, target: Any, loader: Any, top: Any) -> Any:
    if not isinstance(self.expression, _vtl.ArrayIndex):
        return self.expression.calculate(target, loader, top)
    value = _item(target, self.expression.calculate(top, loader))
    return value if self.subexpression is None else self.subexpression.calculate(value, loader, top)


def _knows(namespace: Any, name: str) -> bool:
    while isinstance(namespace, _vtl.LocalNamespace):
        if dict.__contains__(namespace, name):
            return True
        namespace = namespace.parent
    return name in namespace


def _reference(self: Any, stream: Any, namespace: Any, loader: Any) -> None:
    value = None if self.expression is None else self.expression.calculate(namespace, loader)
    if value is None and self.alternate is not None:
        value = self.alternate.calculate(namespace, loader)
    if value is not None:
        stream.write(printed(value))
    elif self.expression is None or not (self.silent or _knows(namespace, self.expression.part.name)):
        stream.write(self.my_text())


def _expression(self: Any, namespace: Any, loader: Any) -> Any:
    return _evaluated(self.expression, namespace, loader)


def _evaluated(terms: list[Any], namespace: Any, loader: Any) -> Any:
    """Values with operators between them: the one that binds least is applied last, from left to right."""
    if len(terms) == 1:
        return terms[0].calculate(namespace, loader)
    at = max(range(1, len(terms), 2), key=lambda position: (terms[position].precedence, position))
    symbol, left = terms[at].apply_to, _evaluated(terms[:at], namespace, loader)
    if symbol in {"and", "or"} and bool(left) is (symbol == "or"):
        return symbol == "or"
    right = _evaluated(terms[at + 1 :], namespace, loader)
    return bool(right) if symbol in {"and", "or"} else _applied(symbol, left, right)


def _applied(symbol: str, left: Any, right: Any) -> Any:
    if symbol in {"eq", "ne"}:
        return _same(left, right) is (symbol == "eq")
    numbers = all(isinstance(side, (int, float)) and not isinstance(side, bool) for side in (left, right))
    if symbol in _COMPARISONS:
        return numbers and _COMPARISONS[symbol](left, right)
    if symbol == "add" and not numbers and (isinstance(left, str) or isinstance(right, str)):
        return argument(left) + argument(right)
    if not numbers or (symbol in {"div", "mod"} and right == 0):
        return None
    if symbol in {"div", "mod"} and isinstance(left, int) and isinstance(right, int):
        # Java rounds towards zero.
        quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
        return quotient if symbol == "div" else left - quotient * right
    return _ARITHMETIC[symbol](left, right)


def _same(left: Any, right: Any) -> bool:
    """Values of different kinds are the same if they print the same, so null and "" too."""
    if isinstance(left, (int, float)) and isinstance(right, (int, float)):
        return bool(left == right)
    return bool(left == right) if type(left) is type(right) else argument(left) == argument(right)


def _for_each(self: Any, stream: Any, namespace: Any, loader: Any) -> None:
    found = self.value.calculate(namespace, loader)
    items = list(found.values()) if isinstance(found, dict) else found if isinstance(found, (list, range)) else []
    for index, item in enumerate(items):
        last = index + 1 == len(items)
        inner = _vtl.LocalNamespace(namespace)
        inner["velocityCount"] = index + 1
        inner["foreach"] = {"index": index, "count": index + 1, "hasNext": not last, "first": index == 0, "last": last}
        inner[self.loop_var_name] = item
        self.block.evaluate(stream, inner, loader)


def _set(self: Any, namespace: Any, loader: Any) -> None:
    value = self.value.calculate(namespace, loader)
    if len(self.terms) == 1:
        owner = namespace.find_outermost(self.terms[0])
        while owner is None:
            # A variable that is first set in a loop lives on after it.
            owner = None if isinstance(namespace.parent, _vtl.LocalNamespace) else namespace
            namespace = namespace.parent
        owner[self.terms[0]] = value
        return
    target = namespace[self.terms[0]] if _knows(namespace, self.terms[0]) else None
    for term in self.terms[1:-1]:
        target = _item(target, term)
    if not isinstance(target, dict):
        raise TemplateError(f"${'.'.join(self.terms)} cannot be set: there is no such object")
    target[self.terms[-1]] = value


def _no_evaluate(_self: Any, _stream: Any, _namespace: Any, _loader: Any) -> None:
    raise TemplateError("#evaluate, #parse and #include are not supported")


def _interpolated(self: Any) -> None:
    _vtl.StringLiteral.parse(self)
    self.block = _vtl.Block(self.filename, self.value, 0)
    if self.block.end < len(self.value):
        raise self.syntax_error("text without an unfinished directive")


_COMPARISONS = {"lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge}
_ARITHMETIC = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "mod": operator.mod,
}
_SYMBOLS = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq", "!=": "ne", "&&": "and", "||": "or"}
_SYMBOLS |= {"+": "add", "-": "sub", "*": "mul", "/": "div", "%": "mod"}
_DIRECTIVES = "end|else|elseif|if|set|foreach|macro|define|stop|break|evaluate|parse|include"
_NAME = r"[a-z_][a-z0-9_-]*"


def _dialect() -> Any:
    """A copy of airspeed of our own, changed: whoever else uses airspeed in this process has it unchanged."""
    spec = importlib.util.find_spec("airspeed")
    if spec is None or spec.loader is None:
        raise ImportError("airspeed is not installed")
    vtl: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(vtl)
    flags = re.DOTALL | re.IGNORECASE
    vtl.NameOrCall.NAME = re.compile(f"({_NAME})", flags)
    vtl.NameOrCall.calculate = _name_or_call
    vtl.SubExpression.calculate = _sub_expression
    vtl.FormalReference.evaluate_raw = _reference
    vtl.Expression.calculate = _expression
    vtl.BinaryOperator.OPERATORS = _SYMBOLS | {word: word for word in _SYMBOLS.values()}
    vtl.ForeachDirective.LOOP_VAR_NAME = re.compile(rf"\$({_NAME})", flags)
    vtl.ForeachDirective.evaluate_raw = _for_each
    vtl.SetDirective.PLACE = re.compile(rf"\s*\$({_NAME}(?:\.{_NAME})*)", flags)
    vtl.SetDirective.evaluate_raw = lambda self, _stream, namespace, loader: _set(self, namespace, loader)
    for directive in (vtl.EvaluateDirective, vtl.ParseDirective, vtl.IncludeDirective):
        directive.evaluate_raw = _no_evaluate
    # A quote is doubled to stand in a text; a backslash is a character like any other.
    vtl.StringLiteral.STRING, vtl.StringLiteral.ESCAPED_CHAR = re.compile(r"'((?:[^']|'')*)'"), re.compile(r"'(')")
    vtl.InterpolatedStringLiteral.STRING = re.compile(r'"((?:[^"]|"")*)"')
    vtl.InterpolatedStringLiteral.ESCAPED_CHAR = re.compile(r'"(")')
    vtl.InterpolatedStringLiteral.parse = _interpolated
    # What airspeed takes for text if it cannot parse it, Velocity refuses.
    vtl.FallthroughHashText.PLAIN = re.compile(rf"(\#(?!end|else|\{{?(?:{_DIRECTIVES})\b))")
    vtl.Text.PLAIN = re.compile(vtl.Text.PLAIN.pattern.replace(r"|\\.)", r"|\\.|\\\Z)"), flags)
    return vtl


_vtl = _dialect()
