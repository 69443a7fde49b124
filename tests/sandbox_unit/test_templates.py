from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from durable_sandbox.events.templates import InputTemplate, PipeVariables, TemplateError

VARIABLES = PipeVariables("arn:pipe", "p", "arn:source", "arn:enrichment", "arn:target")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RECORD = {
    "messageId": "id-1",
    "body": json.dumps({"name": 'a "b"', "n": 5, "list": [{"x": 1}, {"x": 2}], "deep": {"k-e_y": None}}),
    "attributes": {"SenderId": "AIDA"},
}


def render(template: str, event: Any = RECORD, data_key: str | None = "body") -> Any:
    return InputTemplate.parse(template).render_json(event, VARIABLES, received_at=NOW, data_key=data_key)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ('{"n": <$.body.n>}', {"n": 5}),
        ('{"name": <$.body.name>}', {"name": 'a "b"'}),
        ('{"name": "Hello <$.body.name>!"}', {"name": 'Hello a "b"!'}),
        ('{"x": <$.body.list[1].x>}', {"x": 2}),
        ('{"xs": <$.body.list[*].x>}', {"xs": [1, 2]}),
        ('{"k": <$.body.deep.k-e_y>}', {"k": None}),
        ('{"data": <$.body>}', {"data": json.loads(RECORD["body"])}),
        ('{"text": "<$.body.list>"}', {"text": "[{x:1},{x:2}]"}),
        ('{"missing": "<$.body.nothing>"}', {"missing": ""}),
        ("<$.attributes.SenderId>", "AIDA"),
        ('"Hello, sender"', "Hello, sender"),
        ('{"plain": "a < b", "other": "<div>"}', {"plain": "a < b", "other": "<div>"}),
        (
            '{"a": <aws.pipes.pipe-arn>, "n": "<aws.pipes.pipe-name>", "t": <aws.pipes.event.ingestion-time>}',
            {"a": "arn:pipe", "n": "p", "t": "2026-01-02T03:04:05.000Z"},
        ),
        (
            "[<aws.pipes.source-arn>, <aws.pipes.enrichment-arn>, <aws.pipes.target-arn>]",
            ["arn:source", "arn:enrichment", "arn:target"],
        ),
        ("<aws.pipes.event>", RECORD),
        ('{"text": "<aws.pipes.event>"}', {"text": json.dumps(RECORD, separators=(",", ":"))}),
        ("<aws.pipes.event.json>", {**RECORD, "body": json.loads(RECORD["body"])}),
    ],
)
def test_rendering(template: str, expected: Any) -> None:
    assert render(template) == expected


def test_a_plain_text_body_is_a_string() -> None:
    assert render('{"body": <$.body>}', {"body": "just text"}) == {"body": "just text"}


def test_after_an_enrichment_no_field_is_parsed_implicitly() -> None:
    assert render('{"b": <$.body>}', {"body": '{"x": 1}'}, data_key=None) == {"b": '{"x": 1}'}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ('{"missing": <$.body.nothing>}', "not valid JSON"),
        ("Hello <$.body.name>", "not valid JSON"),
        ("<$.body>", 'wrap it in an object: {"data": <$.body>}'),
    ],
)
def test_a_result_that_is_not_valid_json_is_an_error(template: str, text: str) -> None:
    with pytest.raises(TemplateError, match="JSON") as raised:
        render(template)
    assert text in str(raised.value)


def test_event_json_has_no_value_when_the_body_is_not_json() -> None:
    with pytest.raises(TemplateError, match="not valid JSON"):
        render('{"e": <aws.pipes.event.json>}', {"body": "text"})


@pytest.mark.parametrize("template", ["<aws.pipes.nonsense>", "<$.body[?(@.x)]>", "<$body>", "<$..x>"])
def test_unknown_variables_and_paths_are_refused_when_parsed(template: str) -> None:
    with pytest.raises(TemplateError):
        InputTemplate.parse(template)
