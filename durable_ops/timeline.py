"""An execution's history as its operations, in order of their beginning.

Event types and shapes: botocore's Lambda model, GetDurableExecutionHistory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

_KINDS = {
    "Context": "context",
    "Step": "step",
    "Wait": "wait",
    "ChainedInvoke": "invoke",
    "Callback": "callback",
}

Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation.

    ``status`` is started, succeeded, failed, timed_out, stopped or cancelled; ``begin`` and ``end`` are seconds after the
    execution's start, ``end`` None while it goes on. ``attempts`` counts the tries of a step, ``note`` is its error, a
    wait's length, the function that is invoked or the id that a callback is answered with.
    """

    id: str
    name: str
    kind: str
    depth: int
    status: str
    begin: float
    end: float | None
    attempts: int
    note: str

    @property
    def is_waiting_callback(self) -> bool:
        """Whether ``note`` is the id of a callback that has not been answered."""
        return self.kind.lower() == "callback" and self.end is None and bool(self.note)


def read(events: Sequence[Event]) -> list[Operation]:
    """The operations of a whole history."""
    found: dict[str, Operation] = {}
    depths: dict[str, int] = {}
    origin: datetime | None = None
    for event in events:
        at = event["EventTimestamp"]
        origin = at if origin is None else min(origin, at)
    for event in events:
        prefix = next((prefix for prefix in _KINDS if event["EventType"].startswith(prefix)), None)
        if prefix is None or "Id" not in event or origin is None:
            continue
        end = event["EventType"].removeprefix(prefix)
        seconds = (event["EventTimestamp"] - origin).total_seconds()
        known = found.get(event["Id"])
        if known is None:
            depths[event["Id"]] = depths.get(event.get("ParentId", ""), -1) + 1
            known = Operation(
                event["Id"],
                event.get("Name") or _KINDS[prefix],
                str(event.get("SubType") or _KINDS[prefix]),
                depths[event["Id"]],
                "started",
                seconds,
                None,
                0,
                "",
            )
        found[event["Id"]] = _after(known, event, end, seconds)
    return list(found.values())


def _after(known: Operation, event: Event, end: str, seconds: float) -> Operation:
    details = event.get(f"{event['EventType']}Details") or {}
    note = _note(details) or known.note
    if end == "Started":
        return replace(known, attempts=known.attempts + 1, note=note)
    retried = details.get("RetryDetails") or {}
    attempts = max(known.attempts, int(retried.get("CurrentAttempt") or 0), 1)
    if end == "Failed" and retried.get("NextAttemptDelaySeconds"):
        return replace(known, attempts=attempts, note=note)
    # What succeeded after failures has no error; a callback's id is of no use once it is answered.
    return replace(known, status=_status(end), end=seconds, attempts=attempts, note=_ended_note(known, details, end))


def _ended_note(known: Operation, details: Mapping[str, Any], end: str) -> str:
    if end == "Succeeded":
        return known.note if known.kind.lower() in {"wait", "invoke", "chainedinvoke"} else ""
    return _note(details) or known.note


def _note(details: Mapping[str, Any]) -> str:
    error = (details.get("Error") or {}).get("Payload") or {}
    if said := ": ".join(filter(None, (error.get("ErrorType"), error.get("ErrorMessage")))):
        return said
    if "CallbackId" in details:
        return str(details["CallbackId"])
    if "ScheduledEndTimestamp" in details:
        return f"{details.get('Duration', 0)} s, until {details['ScheduledEndTimestamp']:%Y-%m-%d %H:%M:%S}"
    return str(details.get("FunctionName", ""))


def _status(end: str) -> str:
    return "timed_out" if end == "TimedOut" else end.lower()


def callbacks(operations: Sequence[Operation]) -> list[str]:
    """Ids of the callbacks that are waited for."""
    return [one.note for one in operations if one.is_waiting_callback]
