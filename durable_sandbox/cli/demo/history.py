"""What an execution's history says: steps and modelled time.

Event types and shapes: botocore's Lambda model, GetDurableExecutionHistory.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_OPERATIONS = ("Step", "ChainedInvoke", "Wait", "Callback")
_BAD_ENDS = ("Failed", "TimedOut", "Stopped", "Cancelled")
_ITERATION = "MapIteration"
# The sample pipeline's map is FLAT (no context operation a message) and numbers the names of a batch: validate-3.
_NUMBERED = re.compile(r"(.+)-(\d+)")

Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class History:
    """``steps``: for each message of the payload, its operations in order, each as ``name``, ``name ✗`` or ``name …``.

    ``seconds`` is the modelled time from the first to the last event, skipped waits included; ``waited`` the sum of
    the waits' durations. ``errors``: for each message what its last failed step said, or empty.
    """

    steps: tuple[tuple[str, ...], ...]
    seconds: float
    waited: int
    errors: tuple[str, ...] = ()


def fetch(lambda_: Any, execution_arn: str) -> list[Event]:
    """All events of an execution, first to last."""
    events: list[Event] = []
    request = {"DurableExecutionArn": execution_arn, "IncludeExecutionData": True, "MaxItems": 1000}
    while True:
        answer = lambda_.get_durable_execution_history(**request)
        events += answer["Events"]
        if not answer.get("NextMarker"):
            return events
        request["Marker"] = answer["NextMarker"]


def read(events: Sequence[Event], messages: int) -> History:
    """Read the history of an execution that was started with ``messages`` messages."""
    parents = {event["Id"]: event.get("ParentId") for event in events if "Id" in event}
    iterations = list(
        dict.fromkeys(event["Id"] for event in events if event.get("SubType") == _ITERATION and "Id" in event)
    )
    lanes: list[dict[str, str]] = [{} for _ in range(max(messages, 1))]
    errors = [""] * len(lanes)
    for event in events:
        operation = next((kind for kind in _OPERATIONS if event["EventType"].startswith(kind)), None)
        if operation is None or "Id" not in event:
            continue
        name, lane = event.get("Name") or operation.lower(), _lane(event["Id"], parents, iterations)
        if messages > 1 and (numbered := _NUMBERED.fullmatch(name)):
            name, lane = numbered.group(1), int(numbered.group(2))
        if lane < len(lanes):
            lanes[lane][event["Id"]] = _text(name, event["EventType"].removeprefix(operation))
            errors[lane] = _error(event) or errors[lane]
    times = [event["EventTimestamp"] for event in events if "EventTimestamp" in event]
    waits = (event.get("WaitStartedDetails", {}).get("Duration") or 0 for event in events)
    seconds = (max(times) - min(times)).total_seconds() if times else 0.0
    return History(tuple(tuple(lane.values()) for lane in lanes), seconds, sum(waits), tuple(errors))


def _error(event: Event) -> str:
    details = event.get(f"{event['EventType']}Details") or {}
    error = (details.get("Error") or {}).get("Payload") or {}
    return ": ".join(filter(None, (error.get("ErrorType"), error.get("ErrorMessage"))))


def _lane(operation_id: str, parents: Mapping[str, str | None], iterations: Sequence[str]) -> int:
    current: str | None = operation_id
    while current is not None:
        if current in iterations:
            return iterations.index(current)
        current = parents.get(current)
    return 0


def _text(name: str, end: str) -> str:
    if end == "Started":
        return f"{name} …"
    return f"{name} ✗" if end in _BAD_ENDS else name
