"""Kinesis event source mappings: what a function's answer means for its batch (2.3).

Section numbers as in test_kinesis.py. Source:
https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from stream_support import REPORT, Seen, Streams, numbers
from support import Bench

BOTH, SECOND, DONE = [1, 2], [2], [3]

ANSWERS: Mapping[str, tuple[Any, list[int] | None]] = {
    "no failures": ({"batchItemFailures": []}, None),
    "null list": ({"batchItemFailures": None}, None),
    "empty object": ({}, None),
    "empty list": ([], None),
    "null": (None, None),
    "empty string": ("", None),
    "empty identifier": ({"batchItemFailures": [{"itemIdentifier": ""}]}, BOTH),
    "null identifier": ({"batchItemFailures": [{"itemIdentifier": None}]}, BOTH),
    "wrong key": ({"batchItemFailures": [{"foo": "<id>"}]}, BOTH),
    "wrong key, null": ({"batchItemFailures": [{"foo": None}]}, BOTH),
    "id not in the batch": ({"batchItemFailures": [{"itemIdentifier": "1" * 56}]}, BOTH),
    "string": ("done", BOTH),
    "valid id": ({"batchItemFailures": [{"itemIdentifier": "<id>"}]}, SECOND),
    "exception": ("raise", BOTH),
}
"""Row -> what the function answers to a batch of two whose second record is <id>, and what it is invoked with again."""


@pytest.fixture(scope="module")
def answered(bench: Bench) -> Mapping[tuple[str, bool], list[list[int]]]:
    """Row, with ReportBatchItemFailures or without -> the batches of its shard, with one retry and a last batch."""
    streams = Streams(bench)
    stream = streams.stream(len(ANSWERS))
    rows: dict[str, str] = {}
    for shard, (name, (answer, _)) in enumerate(ANSWERS.items()):
        second = {"n": 2, "raise": True} if answer == "raise" else {"n": 2, "answer": json.dumps(answer)}
        rows[name] = streams.put(stream, {"n": 1}, second, {"n": 3}, shard=shard)[0]
    functions = {True: streams.probe, False: streams.probe.partition(":")[0]}
    for report, function in functions.items():
        streams.map(stream, function, BatchSize=2, MaximumRetryAttempts=1, **REPORT if report else {})

    def complete(seen: list[Seen]) -> bool:
        return sum(one.numbers == DONE for one in seen) == len(ANSWERS)

    found = {}
    for report, function in functions.items():
        seen = streams.until_seen(stream, complete, function, within=40)
        for name, first in rows.items():
            (shard,) = {one.shard for one in seen if first in one.sequence}
            found[name, report] = numbers([one for one in seen if one.shard == shard])
    return found


@pytest.mark.parametrize("name", ANSWERS)
def test_2_3_what_an_answer_means(answered: Mapping[tuple[str, bool], list[list[int]]], name: str) -> None:
    again = ANSWERS[name][1]
    assert answered[name, True] == ([BOTH, DONE] if again is None else [BOTH, again, DONE])


@pytest.mark.parametrize("name", ANSWERS)
def test_2_3_without_the_flag_only_an_exception_fails(
    answered: Mapping[tuple[str, bool], list[list[int]]], name: str
) -> None:
    """Silent loss: failures that the function reports are behind the mapping like the rest."""
    assert answered[name, False] == ([BOTH, BOTH, DONE] if name == "exception" else [BOTH, DONE])
