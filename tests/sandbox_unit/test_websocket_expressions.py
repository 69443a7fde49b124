from __future__ import annotations

import json
from typing import Any

import pytest

from durable_sandbox.events.websocket import frames
from durable_sandbox.events.websocket.expressions import (
    Answer,
    ExpressionError,
    Parameters,
    ParameterSource,
    chosen,
    map_parameters,
    path_value,
    select,
)

# https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-api-develop-routes.html
CHAT = '{"service": "chat", "action": "join", "data": {"room": "room1234"}}'
ANSWER = Answer(404, {"X-Kind": "a"}, '{"errorMessage": "gone", "code": 7}')


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("$request.body.action", "join"),
        ("${request.body.action}", "join"),
        ("${request.body.service}/${request.body.action}", "chat/join"),
        ("$request.body.service/$request.body.action", "chat/join"),
        ("${request.body.action}-${request.body.invalidPath}", "join-"),
        ("${request.body.action}-beta", "join-beta"),
        ("action", "action"),
        ("\\$default", "$default"),
        ("$default", "$default"),
        ("$request.body.data.room", "room1234"),
        ("$request.body['data']['room']", "room1234"),
        ("$request.body.nowhere", None),
        ("$request.body.action.deeper", None),
        ("${request.body.x}/${request.body.y}", None),
        ("${something.else}", None),
    ],
)
def test_selection(expression: str, expected: str | None) -> None:
    assert select(expression, CHAT) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, "5"),
        (1.5, "1.5"),
        (True, "true"),
        (None, None),
        ("", ""),
        ("$request.body.other", "$request.body.other"),
        (["item1", "item2"], "[item1, item2]"),
        ({"a": 1}, "{a=1}"),
    ],
)
def test_values_become_text_and_are_not_evaluated_again(value: Any, expected: str | None) -> None:
    assert select("$request.body.action", json.dumps({"action": value, "other": "x"})) == expected


@pytest.mark.parametrize("body", [None, "", "hello", "{", "NaN", '"text"', "[1]", "5", "[" * 100_000])
def test_a_message_without_such_a_member_selects_nothing(body: str | None) -> None:
    assert select("$request.body.action", body) is None
    assert select("${request.body.action}-x", body) is None
    assert select("\\$default", body) == "$default"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("${integration.response.statuscode}", "404"),
        ("$integration.response.statuscode", "404"),
        ("$integration.response.header.x-kind", "a"),
        ("${integration.response.multivalueheader.X-Kind}", "a"),
        ("$integration.response.header.other", None),
        ("$integration.response.body.errorMessage", "gone"),
        ("${integration.response.body.code}", "7"),
        ("$integration.response.nonsense", None),
        ("$request.body.action", None),
    ],
)
def test_selection_by_the_integrations_answer(expression: str, expected: str | None) -> None:
    assert select(expression, None, answer=ANSWER) == expected


def test_selection_by_message_and_answer() -> None:
    assert select("${request.body.action}-${integration.response.statuscode}", CHAT, answer=ANSWER) == "join-404"
    assert select("$integration.response.statuscode", CHAT) is None


@pytest.mark.parametrize(
    ("keys", "value", "expected"),
    [
        (["$default", "/4\\d\\d/", "404"], "404", "404"),
        (["$default", "/4\\d\\d/"], "404", "/4\\d\\d/"),
        (["$default", "/4\\d\\d/"], "4040", "$default"),
        (["$default"], None, "$default"),
        (["/2\\d\\d/"], "404", None),
        (["/.*gone.*/"], "it is\ngone", "/.*gone.*/"),
        (["/"], "404", None),
    ],
)
def test_the_choice_among_keys(keys: list[str], value: str | None, expected: str | None) -> None:
    assert chosen(keys, value) == expected


def test_a_pattern_that_is_none() -> None:
    with pytest.raises(ExpressionError, match="no pattern"):
        chosen(["/(/"], "404")


def test_parameters() -> None:
    found = map_parameters(
        {
            "integration.request.header.Content-Type": "'application/x-www-form-urlencoded'",
            "integration.request.header.connectionId": "context.connectionId",
            "integration.request.header.who": "context.authorizer.principalId",
            "integration.request.header.at": "context.connectedAt",
            "integration.request.header.agent": "route.request.header.User-Agent",
            "integration.request.header.all": "route.request.multivalueheader.accept",
            "integration.request.querystring.token": "route.request.querystring.token",
            "integration.request.querystring.last": "route.request.querystring.many",
            "integration.request.querystring.stage": "stageVariables.name",
            "integration.request.path.room": "route.request.body.data.room",
            "integration.request.header.missing": "context.nowhere.x",
            "integration.request.header.missing2": "route.request.header.nowhere",
            "integration.request.header.missing3": "route.request.body.nowhere",
            "integration.request.header.missing4": "stageVariables.nowhere",
        },
        ParameterSource(
            headers=[("user-agent", "wscat"), ("Accept", "a"), ("accept", "b")],
            query=[("token", "t"), ("many", "1"), ("many", "2")],
            body=CHAT,
            context={"connectionId": "c=", "connectedAt": 5, "authorizer": {"principalId": "me"}},
            stage_variables={"name": "blue"},
        ),
    )
    assert found == Parameters(
        (
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("connectionId", "c="),
            ("who", "me"),
            ("at", "5"),
            ("agent", "wscat"),
            ("all", "a"),
            ("all", "b"),
        ),
        (("token", "t"), ("last", "2"), ("stage", "blue")),
        {"room": "room1234"},
    )


def test_parameters_of_a_message_that_is_not_json() -> None:
    mapping = {"integration.request.header.x": "route.request.body.x"}
    assert map_parameters(mapping, ParameterSource(body="hello")) == Parameters()
    assert map_parameters(mapping, ParameterSource()) == Parameters()


@pytest.mark.parametrize(
    ("destination", "source", "text"),
    [
        ("integration.request.body.x", "'x'", "no parameter"),
        ("header.x", "'x'", "no parameter"),
        ("integration.request.header.x", "x", "mapped from"),
        ("integration.request.header.x", "method.request.header.x", "mapped from"),
        ("integration.request.header.x", "'", "mapped from"),
    ],
)
def test_parameters_that_are_none(destination: str, source: str, text: str) -> None:
    with pytest.raises(ExpressionError, match=text):
        map_parameters({destination: source}, ParameterSource())


DOCUMENT: dict[str, Any] = {
    "a": {"b": [1, {"c": 2}], "where": "kept", "$x": 3},
    "k-e": 4,
    "a b": 5,
    "ü": 6,
    "c": {"c": None},
    "n": [{"v": 1, "w": "x"}, {"v": 2, "w": "y"}],
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$", DOCUMENT),
        ("$.a.b", [1, {"c": 2}]),
        ("a.b", [1, {"c": 2}]),
        ("$['a']['b'][1].c", 2),
        ('$["a b"]', 5),
        ("$.a.b[0]", 1),
        ("$.a.b[-1]", {"c": 2}),
        ("$.a.b[2]", None),
        ("$.a.b.c", None),
        ("$.a[0]", None),
        ("$.k-e", 4),
        ("$.ü", 6),
        ("$.a.where", "kept"),
        ("$.a.$x", 3),
        ("$.c.c", None),
        ("$.nowhere.at.all", None),
        ("$..c", [{"c": None}, None, 2]),
        ("$..nowhere", []),
        ("$.n[*].v", [1, 2]),
        ("$.n[0:1].v", [1]),
        ("$.n[?(@.v == 2)].w", ["y"]),
    ],
)
def test_json_paths(path: str, expected: Any) -> None:
    found = path_value(DOCUMENT, path)
    if path == "$..c":
        assert sorted(map(json.dumps, found)) == sorted(map(json.dumps, expected))
    else:
        assert found == expected


@pytest.mark.parametrize("path", ["$.[", "$.a[", "$.a.length()", "$.a[?("])
def test_paths_that_are_none(path: str) -> None:
    with pytest.raises(ExpressionError, match="no JSON path"):
        path_value(DOCUMENT, path)


def test_error_frames() -> None:
    # https://github.com/aws-samples/simple-websockets-chat-app/issues/42
    expected = '{"message": "Internal server error", "connectionId":"VNRUSeldSwMCIRQ=", "requestId":"VNRXVFJOywMF3-Q="}'
    assert frames.error(frames.INTERNAL_ERROR, "VNRUSeldSwMCIRQ=", "VNRXVFJOywMF3-Q=") == expected
    assert json.loads(frames.error('"', "c", "r")) == {"message": '"', "connectionId": "c", "requestId": "r"}
