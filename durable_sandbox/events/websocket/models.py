"""Models: the JSON schemas that messages are held against.

Sources: https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-request-validation.html (JSON schema
draft 4; a message that fails gets a "Bad request body" frame); the wording of ``$context.error.validationErrorString`` as
users of API Gateway report it: ``[object has missing required properties (["name"])]``, several with commas between,
``[Unknown error parsing request body]`` for what is not JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from jsonschema import Draft4Validator, ValidationError
from jsonschema.exceptions import SchemaError as DraftError
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

from durable_sandbox.events.websocket.expressions import ExpressionError, json_document

_NOT_JSON = "[Unknown error parsing request body]"
_MODEL_URL = re.compile(r"https://apigateway\.amazonaws\.com/restapis/[^/]+/models/(?P<name>[^/]+)")
_SCHEMAS_KEPT = 256
_NO_SCHEMAS = frozenset({"enum", "default"})


class SchemaError(ValueError):
    """A model whose schema cannot be used; the text says why."""


def violation(schema: str, body: str) -> str | None:
    """What ``body`` offends against in ``schema`` (JSON text), as API Gateway words it; None if it is valid.

    Formats (``"format": "email"``) are not checked. References to other documents are never followed. Raises SchemaError.
    """
    validator = _validator(schema)
    try:
        document = json_document(body)
    except ExpressionError:
        return _NOT_JSON
    try:
        errors = sorted(validator.iter_errors(document), key=lambda error: [str(step) for step in error.path])
        messages = dict.fromkeys(_message(error) for error in errors)
    except Unresolvable as error:
        raise SchemaError(f"a $ref of the model leads nowhere: {error}") from error
    except RecursionError:
        return _NOT_JSON
    return f"[{', '.join(messages)}]" if messages else None


def check(schema: str) -> None:
    """Refuse what ``violation`` could not use. Raises SchemaError."""
    _validator(schema)


@lru_cache(maxsize=_SCHEMAS_KEPT)
def _validator(schema: str) -> Any:
    try:
        parsed = json_document(schema)
    except ExpressionError as error:
        raise SchemaError(f"the model's schema is {error}") from error
    if not isinstance(parsed, dict):
        raise SchemaError("the model's schema is not a JSON object")
    _refuse_references(parsed)
    try:
        Draft4Validator.check_schema(parsed)
    except DraftError as error:
        raise SchemaError(f"the model's schema is not one of draft 4: {error.message}") from error
    # A registry of its own, and empty: the default one would fetch remote documents.
    return _Validator(parsed, registry=Registry())


def _refuse_references(node: Any) -> None:
    if isinstance(node, list):
        for item in node:
            _refuse_references(item)
    if not isinstance(node, dict):
        return
    target = node.get("$ref")
    if isinstance(target, str) and not target.startswith("#"):
        if (model := _MODEL_URL.fullmatch(target)) is not None:
            raise SchemaError(
                f"the model refers to another one, {model['name']!r}, by its URL ({target}), "
                "which the sandbox does not follow: write it into definitions and refer to #/definitions/..."
            )
        raise SchemaError(f"the model refers to {target}: only references inside the schema (#/...) are followed")
    for key, item in node.items():
        if key not in _NO_SCHEMAS:
            _refuse_references(item)


@lru_cache(maxsize=_SCHEMAS_KEPT)
def _ecma(pattern: str) -> re.Pattern[str]:
    """A pattern of ECMA 262 for Python: ``$`` is the end of the text there, not also before a last line feed."""
    parts: list[str] = []
    in_class = False
    for piece in re.findall(r"\\.|.", pattern, re.DOTALL):
        in_class = piece == "[" or (in_class and piece != "]")
        parts.append(r"\Z" if piece == "$" and not in_class else piece)
    try:
        return re.compile("".join(parts), re.ASCII)
    except re.error as error:
        raise SchemaError(f"{pattern} is no pattern: {error}") from error


def _pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and _ecma(pattern).search(instance) is None:
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


_Validator = extend(Draft4Validator, {"pattern": _pattern})


def _message(error: ValidationError) -> str:
    worded = _WORDS.get(str(error.validator))
    return error.message if worded is None else worded(error.validator_value, error.instance, error.schema)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _type_name(value: Any) -> str:
    for name, kind in (("boolean", bool), ("integer", int), ("number", float), ("string", str), ("array", list)):
        if isinstance(value, kind):
            return name
    return "null" if value is None else "object"


def _missing(names: Any, found: Any, _schema: Any) -> str:
    return f"object has missing required properties ({_text(sorted(set(names) - set(found)))})"


def _wrong_type(allowed: Any, found: Any, _schema: Any) -> str:
    names = sorted([allowed] if isinstance(allowed, str) else allowed)
    return f"instance type ({_type_name(found)}) does not match any allowed primitive type (allowed: {_text(names)})"


def _too_many(_allowed: Any, found: Any, schema: Any) -> str:
    patterns = schema.get("patternProperties", {})
    known = schema.get("properties", {})
    extra = [name for name in found if name not in known and not any(re.search(pattern, name) for pattern in patterns)]
    return f"object instance has properties which are not allowed by the schema: {_text(sorted(extra))}"


def _too_long(limit: Any, found: Any, _schema: Any) -> str:
    return f'string "{found}" is too long (length: {len(found)}, maximum allowed: {limit})'


def _too_short(limit: Any, found: Any, _schema: Any) -> str:
    return f'string "{found}" is too short (length: {len(found)}, required minimum: {limit})'


def _too_great(limit: Any, found: Any, schema: Any) -> str:
    if found == limit and schema.get("exclusiveMaximum"):
        return f"numeric instance is not strictly lower than the required maximum {limit}"
    return f"numeric instance is greater than the required maximum (maximum: {limit}, found: {found})"


def _too_small(limit: Any, found: Any, schema: Any) -> str:
    if found == limit and schema.get("exclusiveMinimum"):
        return f"numeric instance is not strictly greater than the required minimum {limit}"
    return f"numeric instance is lower than the required minimum (minimum: {limit}, found: {found})"


_WORDS: Mapping[str, Callable[[Any, Any, Any], str]] = {
    "required": _missing,
    "type": _wrong_type,
    "additionalProperties": _too_many,
    "enum": lambda values, found, _: (
        f"instance value ({_text(found)}) not found in enum (possible values: {_text(values)})"
    ),
    "pattern": lambda pattern, found, _: f'ECMA 262 regex "{pattern}" does not match input string "{found}"',
    "maxLength": _too_long,
    "minLength": _too_short,
    "maximum": _too_great,
    "minimum": _too_small,
}
