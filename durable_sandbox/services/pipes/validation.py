"""Validation of requests against botocore's model, with AWS's texts.

The texts of a schema violation follow what AWS answers, e.g. ``[numeric instance is lower than the required minimum
(minimum: 1, found: 0)]`` (terraform-provider-aws issue 32423), those of a semantic one the JSON with
``ValidationErrorFields`` (issues 32018 and 41573). ``fieldList`` names the members in both cases.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from botocore.model import ListShape, MapShape, ServiceModel, Shape, StringShape, StructureShape
from botocore.session import get_session

from durable_sandbox.aws.errors import AwsError

Violation = tuple[str, str]
"""A member's path and what is wrong with it."""


@cache
def _model() -> ServiceModel:
    return get_session().get_service_model("pipes")


def check_schema(operation: str, params: Mapping[str, Any]) -> None:
    """Check ``params`` against the model of ``operation``. Raises AwsError (ValidationException)."""
    shape = _model().operation_model(operation).input_shape
    violations = [] if shape is None else list(_violations(shape, params, ""))
    if violations:
        text = ", ".join(f"{name}: {message}" for name, message in violations)
        raise _validation_exception(f"[{text}]", violations)


def field_error(name: str, message: str) -> AwsError:
    """A semantic violation of one member."""
    return field_errors([(name, message)])


def field_errors(violations: Sequence[Violation]) -> AwsError:
    """Semantic violations."""
    fields = {"ValidationErrorFields": [{"Name": name, "Message": message} for name, message in violations]}
    return _validation_exception(json.dumps(fields), violations)


def _validation_exception(message: str, violations: Sequence[Violation]) -> AwsError:
    fields = [{"name": name, "message": text} for name, text in violations]
    return AwsError("ValidationException", message, fieldList=fields)


def _violations(shape: Shape, value: Any, path: str) -> Iterator[Violation]:
    if isinstance(shape, StructureShape):
        yield from _structure_violations(shape, value, path)
    elif isinstance(shape, ListShape):
        if (maximum := shape.metadata.get("max")) is not None and len(value) > maximum:
            yield (
                path,
                f"array is too long: must have at most {maximum} elements but instance has {len(value)} elements",
            )
        for index, item in enumerate(value):
            yield from _violations(shape.member, item, f"{path}[{index}]")
    elif isinstance(shape, MapShape):
        if (maximum := shape.metadata.get("max")) is not None and len(value) > maximum:
            yield path, f"object has too many properties (found {len(value)} but schema requires at most {maximum})"
        for key, item in value.items():
            yield from _violations(shape.key, key, f"{path}.{key}")
            yield from _violations(shape.value, item, f"{path}.{key}")
    elif isinstance(shape, StringShape):
        yield from _string_violations(shape, value, path)
    elif shape.type_name in {"integer", "long"}:
        yield from _number_violations(shape, value, path)


def _structure_violations(shape: StructureShape, value: Mapping[str, Any], path: str) -> Iterator[Violation]:
    for name in shape.required_members:
        if value.get(name) is None:
            yield _join(path, name), f'object has missing required properties (["{name}"])'
    for name, item in value.items():
        if item is not None and name in shape.members:
            yield from _violations(shape.members[name], item, _join(path, name))


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _string_violations(shape: StringShape, value: str, path: str) -> Iterator[Violation]:
    minimum, maximum = shape.metadata.get("min"), shape.metadata.get("max")
    if minimum is not None and len(value) < minimum:
        yield path, f'string "{value}" is too short (length: {len(value)}, required minimum: {minimum})'
    if maximum is not None and len(value) > maximum:
        yield path, f'string "{value}" is too long (length: {len(value)}, maximum allowed: {maximum})'
    pattern = shape.metadata.get("pattern")
    if pattern is not None and re.fullmatch(pattern, value) is None:
        yield path, f'ECMA 262 regex "^{pattern}$" does not match input string "{value}"'
    if shape.enum and value not in shape.enum:
        allowed = ",".join(f'"{item}"' for item in shape.enum)
        yield path, f'instance value ("{value}") not found in enum (possible values: [{allowed}])'


def _number_violations(shape: Shape, value: int, path: str) -> Iterator[Violation]:
    minimum, maximum = shape.metadata.get("min"), shape.metadata.get("max")
    if minimum is not None and value < minimum:
        yield path, f"numeric instance is lower than the required minimum (minimum: {minimum}, found: {value})"
    if maximum is not None and value > maximum:
        yield path, f"numeric instance is greater than the required maximum (maximum: {maximum}, found: {value})"
