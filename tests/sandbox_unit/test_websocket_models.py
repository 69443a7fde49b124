from __future__ import annotations

import json
from typing import Any

import pytest

from durable_sandbox.events.websocket import models
from durable_sandbox.events.websocket.models import SchemaError, check, violation

ID = {"type": "object", "properties": {"id": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,128}$"}}}


def fault(schema: dict[str, Any], document: Any) -> str | None:
    return violation(json.dumps(schema), json.dumps(document))


@pytest.mark.parametrize("document", [{}, {"id": "a_B-1"}, {"other": 1}, {"id": "x" * 128}])
def test_valid_messages(document: Any) -> None:
    assert fault(ID, document) is None


@pytest.mark.parametrize("body", ["", "hello", "{", "NaN", "{'id': 1}", "[" * 100_000])
def test_what_is_not_json(body: str) -> None:
    assert violation(json.dumps(ID), body) == "[Unknown error parsing request body]"


@pytest.mark.parametrize(
    ("schema", "document", "expected"),
    [
        (ID, [], 'instance type (array) does not match any allowed primitive type (allowed: ["object"])'),
        (ID, {"id": 5}, 'instance type (integer) does not match any allowed primitive type (allowed: ["string"])'),
        (ID, {"id": "a b"}, 'ECMA 262 regex "^[A-Za-z0-9_-]{1,128}$" does not match input string "a b"'),
        # In Python a dollar would match before the line feed.
        (ID, {"id": "ab\n"}, 'ECMA 262 regex "^[A-Za-z0-9_-]{1,128}$" does not match input string "ab\n"'),
        ({"pattern": "^\\d$"}, "\u0661", 'ECMA 262 regex "^\\d$" does not match input string "\u0661"'),
        ({"required": ["b", "a"]}, {}, 'object has missing required properties (["a","b"])'),
        (
            {"properties": {"a": {}}, "patternProperties": {"^x": {}}, "additionalProperties": False},
            {"a": 1, "x1": 2, "z": 3},
            'object instance has properties which are not allowed by the schema: ["z"]',
        ),
        ({"enum": ["RED"]}, "BLUE", 'instance value ("BLUE") not found in enum (possible values: ["RED"])'),
        ({"maxLength": 2}, "abc", 'string "abc" is too long (length: 3, maximum allowed: 2)'),
        ({"minLength": 2}, "a", 'string "a" is too short (length: 1, required minimum: 2)'),
        ({"maximum": 20}, 97, "numeric instance is greater than the required maximum (maximum: 20, found: 97)"),
        ({"minimum": 2}, 1, "numeric instance is lower than the required minimum (minimum: 2, found: 1)"),
        (
            {"maximum": 2, "exclusiveMaximum": True},
            2,
            "numeric instance is not strictly lower than the required maximum 2",
        ),
        (
            {"minimum": 2, "exclusiveMinimum": True},
            2,
            "numeric instance is not strictly greater than the required minimum 2",
        ),
        (
            {"type": ["null", "array"]},
            1.5,
            'instance type (number) does not match any allowed primitive type (allowed: ["array","null"])',
        ),
        ({"minItems": 1}, [], "[] should be non-empty"),
    ],
)
def test_the_wording(schema: dict[str, Any], document: Any, expected: str) -> None:
    assert fault(schema, document) == f"[{expected}]"


def test_several_faults() -> None:
    schema = {"required": ["a"], "properties": {"b": {"type": "string"}, "c": {"enum": [1]}}}
    assert fault(schema, {"b": None, "c": 2}) == (
        '[object has missing required properties (["a"]), '
        'instance type (null) does not match any allowed primitive type (allowed: ["string"]), '
        "instance value (2) not found in enum (possible values: [1])]"
    )


def test_references_inside_the_schema_are_followed() -> None:
    schema = {"definitions": {"n": {"type": "integer"}}, "properties": {"a": {"$ref": "#/definitions/n"}}}
    assert fault(schema, {"a": 1}) is None
    assert fault(schema, {"a": "x"}) is not None


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("https://apigateway.amazonaws.com/restapis/abc/models/Order", "another one, 'Order', by its URL"),
        ("http://localhost:1/schema.json", "only references inside the schema"),
        ("file:schema.json", "only references inside the schema"),
    ],
)
def test_other_documents_are_never_fetched(target: str, text: str) -> None:
    schema = {"properties": {"a": {"items": [{"$ref": target}]}}}
    with pytest.raises(SchemaError, match=text):
        fault(schema, {})


def test_a_reference_to_nowhere() -> None:
    with pytest.raises(SchemaError, match="leads nowhere"):
        fault({"properties": {"a": {"$ref": "#/definitions/none"}}}, {"a": 1})


def test_a_base_address_makes_no_document_remote() -> None:
    schema = {"id": "http://localhost:1/base.json", "properties": {"a": {"$ref": "#/definitions/none"}}}
    with pytest.raises(SchemaError, match="leads nowhere"):
        fault(schema, {"a": 1})


def test_a_value_named_like_a_reference_is_none() -> None:
    assert (
        fault({"properties": {"$ref": {"type": "string"}}, "enum": [{"$ref": "http://x"}]}, {"$ref": "http://x"})
        is None
    )


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ("{", "not valid JSON"),
        ("[]", "not a JSON object"),
        ('{"type": "nonsense"}', "draft 4"),
        ('{"required": []}', "draft 4"),
        ('{"properties": 5}', "draft 4"),
    ],
)
def test_schemas_that_are_none(schema: str, text: str) -> None:
    with pytest.raises(SchemaError, match=text):
        check(schema)
    with pytest.raises(SchemaError, match=text):
        violation(schema, "{}")


def test_the_cache_is_bounded() -> None:
    for number in range(models._SCHEMAS_KEPT + 10):
        check(json.dumps({"maximum": number}))
    assert models._validator.cache_info().currsize == models._SCHEMAS_KEPT
