"""Kinesis event source mappings: tumbling windows (2.3).

Section numbers as in test_kinesis.py. Source: https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html.
"""

from __future__ import annotations

import time
from datetime import datetime

import pytest
from stream_support import Seen, Streams
from support import Bench

from durable_sandbox.pytest_plugin import eventually

SECONDS = 2


@pytest.fixture(scope="module")
def streams(bench: Bench) -> Streams:
    return Streams(bench)


def _at_the_start_of_a_window() -> None:
    """Wait until a window has just begun: they start at multiples of their length."""
    eventually(lambda: True if time.time() % SECONDS < SECONDS / 5 else None)


def _finals(seen: list[Seen]) -> list[Seen]:
    return [one for one in seen if one.event["isFinalInvokeForWindow"]]


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_2_3_state_is_carried_within_a_window_and_ends_with_it(streams: Streams) -> None:
    stream = streams.stream()
    streams.map(stream, BatchSize=1, TumblingWindowInSeconds=SECONDS)
    _at_the_start_of_a_window()
    streams.put(stream, {"n": 1}, {"n": 2}, {"n": 3})
    streams.until_seen(stream, _finals)
    streams.put(stream, {"n": 4})
    seen = streams.until_seen(stream, lambda seen: len(_finals(seen)) == 2)

    assert {tuple(one.keys) for one in seen} == {
        ("Records", "eventSourceARN", "isFinalInvokeForWindow", "isWindowTerminatedEarly", "shardId", "state", "window")
    }
    assert {one.event["eventSourceARN"] for one in seen} == {stream.arn}
    assert {one.event["shardId"] for one in seen} == {"shardId-000000000000"}
    assert not any(one.event["isWindowTerminatedEarly"] for one in seen)
    counted = 0
    window = None
    for one in seen:
        if one.event["window"] != window:
            counted, window = 0, one.event["window"]
            start, end = _time(window["start"]), _time(window["end"])
            assert (end - start, start % SECONDS) == (SECONDS, 0)
        assert one.event["count"] == counted, "what the invocation before it in this window returned"
        counted += len(one.records)
        arrivals = [record["kinesis"]["approximateArrivalTimestamp"] for record in one.records]
        assert all(start <= arrival < end for arrival in arrivals)
    first, second = _finals(seen)
    assert [first.event["count"] + len(first.records), second.event["count"] + len(second.records)] == [3, 1]
    assert first.event["window"]["end"] <= second.event["window"]["start"]
    assert first.started >= _time(first.event["window"]["end"])


def test_2_3_an_answer_without_state_fails_the_invocation(streams: Streams) -> None:
    stream, queue = streams.stream(), streams.bench.queue()
    settings = {"TumblingWindowInSeconds": SECONDS, "MaximumRetryAttempts": 1}
    sequence = streams.put(stream, {"n": 1, "state": {"none": True}}, {"n": 2})
    streams.map(stream, BatchSize=1, on_failure=queue, **settings)
    (failure,) = streams.failures(queue)
    assert failure["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert failure["requestContext"]["approximateInvokeCount"] == 2
    assert failure["KinesisBatchInfo"]["startSequenceNumber"] == sequence[0]
    seen = streams.until_number(stream, 2)
    assert [one.numbers for one in seen if one.records] == [[1], [1], [2]]


def test_2_3_a_state_above_a_megabyte_ends_its_window_early(streams: Streams) -> None:
    stream = streams.stream()
    _at_the_start_of_a_window()
    streams.put(stream, {"n": 1}, {"n": 2, "state": {"padding": 1_100_000}}, {"n": 3})
    streams.map(stream, BatchSize=1, TumblingWindowInSeconds=SECONDS)
    seen = streams.until_seen(stream, lambda seen: any(one.event["isWindowTerminatedEarly"] for one in seen))
    assert 2 in {number for one in seen for number in one.numbers}
    after = streams.until_number(stream, 3)
    (third,) = [one for one in after if 3 in one.numbers]
    assert third.event["count"] == 0, "the same window goes on with a fresh state"
