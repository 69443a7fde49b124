"""A history as operations: nesting, retries, what still runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console

from durable_ops.cli import show
from durable_ops.timeline import callbacks, read

START = datetime(2026, 1, 1, tzinfo=UTC)


def event(second: float, kind: str, identifier: str | None = None, **members: Any) -> dict[str, Any]:
    found = {"EventType": kind, "EventTimestamp": START + timedelta(seconds=second), **members}
    return found if identifier is None else found | {"Id": identifier}


def failed(kind: str, message: str, attempt: int, delay: int | None) -> dict[str, Any]:
    error = {"Error": {"Payload": {"ErrorType": "Boom", "ErrorMessage": message}}}
    retry = {"RetryDetails": {"CurrentAttempt": attempt, "NextAttemptDelaySeconds": delay}}
    return {f"{kind}Details": error | retry}


HISTORY = [
    event(0, "ExecutionStarted"),
    event(0.1, "ContextStarted", "c", Name="messages", SubType="Map"),
    event(0.2, "StepStarted", "s", Name="charge", SubType="Step", ParentId="c"),
    event(1, "StepFailed", "s", ParentId="c", **failed("StepFailed", "first", 1, 5)),
    event(6, "StepStarted", "s", Name="charge", SubType="Step", ParentId="c"),
    event(7, "StepSucceeded", "s", ParentId="c", StepSucceededDetails={"RetryDetails": {"CurrentAttempt": 2}}),
    event(7, "StepStarted", "t", Name="send", SubType="Step", ParentId="c"),
    event(8, "StepFailed", "t", ParentId="c", **failed("StepFailed", "last", 1, None)),
    event(8, "InvocationCompleted"),
    event(
        9, "CallbackStarted", "b", Name="approval", SubType="Callback", CallbackStartedDetails={"CallbackId": "aWQ="}
    ),
]


def test_operations_are_in_order_with_depth_time_and_outcome() -> None:
    shown = [(one.name, one.depth, one.status, one.begin, one.end, one.attempts) for one in read(HISTORY)]
    assert shown == [
        ("messages", 0, "started", 0.1, None, 1),
        ("charge", 1, "succeeded", 0.2, 7, 2),
        ("send", 1, "failed", 7, 8, 1),
        ("approval", 0, "started", 9, None, 1),
    ]


def test_the_last_error_is_noted_and_a_mended_one_forgotten() -> None:
    notes = {one.name: one.note for one in read(HISTORY)}
    assert (notes["charge"], notes["send"]) == ("", "Boom: last")
    assert callbacks(read(HISTORY)) == ["aWQ="]


def test_no_history_is_no_operation() -> None:
    assert read([]) == []


def test_the_table_has_a_bar_for_each() -> None:
    console = Console(width=160, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    console.print(show.timeline(read(HISTORY), 10))
    text = console.export_text()
    assert "succeeded (2 attempts)" in text
    assert text.count("━") > 20
    assert "Boom: last" in text


def test_durations_have_two_units() -> None:
    assert [show.span(s) for s in (0.04, 59, 61, 3700, 90_000)] == [
        "0.0 s", "59 s", "1 min 1 s", "1 h 1 min", "1 d 1 h",
    ]  # fmt: skip
