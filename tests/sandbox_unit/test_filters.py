from __future__ import annotations

import json
from typing import Any

import pytest

from durable_sandbox.events.filters import EventPattern, PatternError, RecordFilter

EVENT: dict[str, Any] = {
    "source": "aws.ec2",
    "state": "running",
    "count": 5,
    "limit": 301.8,
    "ip": "10.0.0.33",
    "flag": True,
    "nothing": None,
    "empty": "",
    "tags": ["red", "green"],
    "detail": {"path": "dir/sub/file.png", "n": -2},
    "people": [{"first": "Ann", "last": "Lee"}, {"first": "Bob", "last": "Ray"}],
}


def matches(pattern: Any, event: dict[str, Any] = EVENT) -> bool:
    return EventPattern.parse(pattern if isinstance(pattern, str) else json.dumps(pattern)).matches(event)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ({"source": ["aws.ec2"]}, True),
        ({"source": ["aws.s3", "aws.ec2"]}, True),
        ({"source": ["AWS.EC2"]}, False),
        ({"source": ["aws.ec2"], "state": ["stopped"]}, False),
        ({"count": [5]}, True),
        ({"count": ["5"]}, False),
        ('{"count": [5.0]}', False),
        ({"flag": [True]}, True),
        ({"flag": [1]}, False),
        ({"nothing": [None]}, True),
        ({"absent": [None]}, False),
        ({"empty": [""]}, True),
        ({"tags": ["green"]}, True),
        ({"tags": ["blue"]}, False),
        ({"detail": {"n": [-2]}}, True),
        ({"source": [{"prefix": "aws."}]}, True),
        ({"source": [{"prefix": {"equals-ignore-case": "AWS."}}]}, True),
        ({"count": [{"prefix": "5"}]}, False),
        ({"source": [{"suffix": ".ec2"}]}, True),
        ({"source": [{"suffix": {"equals-ignore-case": ".EC2"}}]}, True),
        ({"source": [{"suffix": ".s3"}]}, False),
        ({"source": [{"equals-ignore-case": "AWS.ec2"}]}, True),
        ({"detail": {"path": [{"wildcard": "dir/*.png"}]}}, True),
        ({"detail": {"path": [{"wildcard": "dir/*.jpg"}]}}, False),
        ({"source": [{"wildcard": "aws.\\*"}]}, False),
        ({"state": [{"anything-but": "running"}]}, False),
        ({"state": [{"anything-but": ["stopped", "lost"]}]}, True),
        ({"state": [{"anything-but": ["stopped", "running"]}]}, False),
        ({"count": [{"anything-but": 5.0}]}, False),
        ({"count": [{"anything-but": [100, 200]}]}, True),
        ({"state": [{"anything-but": {"prefix": "run"}}]}, False),
        ({"state": [{"anything-but": {"prefix": ["x", "run"]}}]}, False),
        ({"state": [{"anything-but": {"suffix": "ed"}}]}, True),
        ({"state": [{"anything-but": {"equals-ignore-case": "RUNNING"}}]}, False),
        ({"state": [{"anything-but": {"wildcard": "r*g"}}]}, False),
        ({"absent": [{"anything-but": "x"}]}, False),
        ({"count": [{"numeric": [">", 0, "<=", 5]}]}, True),
        ({"count": [{"numeric": [">", 5]}]}, False),
        ({"limit": [{"numeric": ["=", 3.018e2]}]}, True),
        ({"detail": {"n": [{"numeric": ["<", 0]}]}}, True),
        ({"state": [{"numeric": ["<", 10]}]}, False),
        ({"ip": [{"cidr": "10.0.0.0/24"}]}, True),
        ({"ip": [{"cidr": "10.0.1.0/24"}]}, False),
        ({"count": [{"exists": True}]}, True),
        ({"absent": [{"exists": True}]}, False),
        ({"absent": [{"exists": False}]}, True),
        ({"gone": {"deep": [{"exists": False}]}}, True),
        ({"count": [{"exists": False}]}, False),
        ({"detail": [{"exists": True}]}, False),
        ({"absent": [{"exists": False}, "x"]}, True),
        ({"$or": [{"state": ["stopped"]}, {"count": [{"numeric": ["<", 10]}]}]}, True),
        ({"$or": [{"state": ["stopped"]}, {"count": [6]}]}, False),
        ({"source": ["aws.s3"], "$or": [{"state": ["running"]}, {"count": [5]}]}, False),
        ({"detail": {"$or": [{"n": [-2]}, {"path": ["x"]}]}}, True),
        ({"$or": [{"state": ["running"], "count": [6]}, {"$or": [{"count": [5]}, {"count": [7]}]}]}, True),
        ({"people": {"first": ["Ann"], "last": ["Lee"]}}, True),
        ({"people": {"first": ["Ann"], "last": ["Ray"]}}, False),
    ],
)
def test_the_pattern_language(pattern: Any, expected: bool) -> None:
    assert matches(pattern) is expected


@pytest.mark.parametrize(
    "pattern",
    [
        "not json",
        "[]",
        '"text"',
        "{}",
        '{"a": "x"}',
        '{"a": 1}',
        '{"a": []}',
        '{"a": {}}',
        '{"a": [["x"]]}',
        '{"a": [NaN]}',
        '{"a": [{"prefix": 1}]}',
        '{"a": [{"prefix": "x", "suffix": "y"}]}',
        '{"a": [{}]}',
        '{"a": [{"like": "x"}]}',
        '{"a": [{"exists": "true"}]}',
        '{"a": [{"numeric": [">", "25"]}]}',
        '{"a": [{"numeric": [">"]}]}',
        '{"a": [{"numeric": []}]}',
        '{"a": [{"numeric": ["<", 5, ">", 0]}]}',
        '{"a": [{"numeric": [">", 5, "<", 5]}]}',
        '{"a": [{"numeric": ["~", 5]}]}',
        '{"a": [{"numeric": [">", 6000000000]}]}',
        '{"a": [{"anything-but": []}]}',
        '{"a": [{"anything-but": ["x", 1]}]}',
        '{"a": [{"anything-but": null}]}',
        '{"a": [{"anything-but": {"numeric": ["=", 1]}}]}',
        '{"a": [{"anything-but": {"prefix": ""}}]}',
        '{"a": [{"wildcard": "a**b"}]}',
        '{"a": [{"wildcard": "a\\\\b"}]}',
        '{"a": [{"cidr": "10.0.0.0/99"}]}',
        '{"$or": [{"a": ["x"]}, {"b": "y"}]}',
    ],
)
def test_invalid_patterns_are_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        EventPattern.parse(pattern)


def test_too_many_or_combinations_are_refused() -> None:
    fields = {f"f{n}": {"$or": [{"a": ["x"]}, {"b": ["y"]}]} for n in range(11)}
    with pytest.raises(PatternError, match="1000"):
        EventPattern.parse(json.dumps(fields))


def record(body: str) -> dict[str, Any]:
    return {"messageId": "m", "body": body, "attributes": {"SenderId": "AIDA"}}


@pytest.mark.parametrize(
    ("pattern", "body", "accepted"),
    [
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-event-filtering.html, table for SQS
        ({"body": ["hello"]}, "hello", True),
        ({"body": ["hello"]}, "bye", False),
        ({"body": {"a": ["x"]}}, "plain", False),
        ({"body": {"a": [{"exists": False}]}}, "plain", False),
        ({"body": [{"prefix": "{"}]}, '{"a": "x"}', False),
        ({"body": {"a": ["x"]}}, '{"a": "x"}', True),
        ({"body": {"a": ["x"]}}, '{"a": "y"}', False),
        ({"body": {"n": [5]}}, '{"n": 5}', True),
        ({"body": {"n": [5]}}, '{"n": 5.0}', False),
        ({"body": {"n": [{"numeric": [">=", 5]}]}}, '{"n": 5.0}', True),
        ({"attributes": {"SenderId": ["AIDA"]}}, "plain", True),
        ({"attributes": {"SenderId": ["AIDA"]}}, '{"a": 1}', True),
        ({"attributes": {"SenderId": ["other"]}}, '{"a": 1}', False),
        ({"$or": [{"body": {"a": ["x"]}}, {"attributes": {"SenderId": ["other"]}}]}, '{"a": "x"}', True),
    ],
)
def test_sqs_records(pattern: Any, body: str, accepted: bool) -> None:
    assert RecordFilter.parse([json.dumps(pattern)]).accepts(record(body)) is accepted


def test_several_filters_are_alternatives_and_none_accepts_all() -> None:
    both = RecordFilter.parse(['{"body": {"a": ["x"]}}', '{"body": ["plain"]}'])
    assert [both.accepts(record(body)) for body in ('{"a": "x"}', "plain", "other")] == [True, True, False]
    assert RecordFilter.parse([]).accepts(record("anything"))


def test_what_a_source_forbids_is_refused() -> None:
    with pytest.raises(PatternError, match="eventSource"):
        RecordFilter.parse(['{"eventSource": ["aws:sqs"]}'], forbidden=frozenset({"eventSource"}))
    with pytest.raises(PatternError, match="not supported"):
        RecordFilter.parse(['{"body": {"a": [{"anything-but": {"prefix": "x"}}]}}'], nested_anything_but=False)
