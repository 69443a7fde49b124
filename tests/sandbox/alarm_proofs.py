"""Proofs that alarms go off: tests that cause what an alarm watches, and end it.

``@proves("depth", ...)`` names the kinds of modules/observability/kinds.tf that a test drives from OK to ALARM and back; it
fails if the test drove others. tests/hygiene/test_alarm_proofs.py compares these kinds with those of the module.
"""

from __future__ import annotations

import functools
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, ParamSpec

from durable_sandbox.pytest_plugin import Sandbox, eventually

P = ParamSpec("P")

WITHIN = 60
OK, ALARM = "OK", "ALARM"

_driven: set[str] = set()
"""Kinds that the running test drove to ALARM and back."""


def proves(*kinds: str) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Mark a test that drives an alarm of each of these kinds from OK to ALARM and back, by ``Alarms.proof``."""

    def mark(test: Callable[P, None]) -> Callable[P, None]:
        @functools.wraps(test)
        def proof(*args: P.args, **kwargs: P.kwargs) -> None:
            _driven.clear()
            test(*args, **kwargs)
            assert _driven == set(kinds), f"drove {sorted(_driven)}, and says that it proves {sorted(kinds)}"

        return proof

    return mark


class Alarms:
    """The alarms of a stack, by their keys (output ``alarm_names``); ``proven``: keys of those that did go off and end."""

    def __init__(self, sandbox: Sandbox, names: Mapping[str, str]) -> None:
        self.cloudwatch = sandbox.client("cloudwatch")
        self.names = dict(names)
        self.proven: set[str] = set()

    def shown(self, keys: Iterable[str]) -> dict[str, dict[str, Any]]:
        """DescribeAlarms, by key."""
        keys_by_name = {self.names[key]: key for key in keys}
        answer = self.cloudwatch.describe_alarms(
            AlarmNames=list(keys_by_name), AlarmTypes=["MetricAlarm", "CompositeAlarm"], MaxRecords=100
        )
        found = answer["MetricAlarms"] + answer["CompositeAlarms"]
        return {keys_by_name[alarm["AlarmName"]]: alarm for alarm in found}

    def become(self, state: str, *keys: str, within: float = WITHIN) -> None:
        """Wait until all of these alarms are in ``state`` at once."""
        seen: dict[str, str] = {}

        def all_are() -> bool | None:
            seen.update({key: f"{a['StateValue']}: {a.get('StateReason')}" for key, a in self.shown(keys).items()})
            time.sleep(0.2)  # many alarms, and they change every 5 s
            return True if all(text.startswith(f"{state}: ") for text in seen.values()) else None

        _await(all_are, within, state, seen)

    @contextmanager
    def proof(self, *keys: str, within: float = WITHIN) -> Iterator[Proof]:
        """These alarms are OK on entry, have gone off when ``go_off`` returns, and are OK again when the block is left."""
        self.become(OK, *keys, within=within)
        running = Proof(self, keys, within)
        yield running
        assert running.gone_off == set(keys), "go_off was not called"
        self.become(OK, *keys, within=within)
        self.proven |= set(keys)
        _driven.update(_kind(alarm) for alarm in self.shown(keys).values())


class Proof:
    """Alarms that were OK, and are to go off."""

    def __init__(self, alarms: Alarms, keys: Iterable[str], within: float) -> None:
        self._alarms = alarms
        self._within = within
        self._were_ok = {key: shown["StateUpdatedTimestamp"] for key, shown in alarms.shown(keys).items()}
        self.gone_off: set[str] = set()

    def go_off(self, *keys: str, meanwhile: Callable[[], object] | None = None) -> None:
        """Wait until each of these, all if none is named, has gone from OK to ALARM, and print why.

        By the history: one may be OK again by now, since another one took longer. ``meanwhile`` is called each second, for
        what has to go on happening.
        """
        wanted = set(keys or self._were_ok)
        seen: dict[str, str] = {}
        due = time.monotonic()

        def all_did() -> bool | None:
            nonlocal due
            if meanwhile is not None and time.monotonic() >= due:
                due = time.monotonic() + 1
                meanwhile()
            for key in wanted - self.gone_off:
                why = self._why(key)
                seen[key] = why or "did not go off"
                if why is not None:
                    self.gone_off.add(key)
                    print(f"{key}: OK -> ALARM: {why}")  # noqa: T201 - pytest shows it with a failure
            time.sleep(0.2)
            return True if wanted <= self.gone_off else None

        _await(all_did, self._within, ALARM, seen)

    def _why(self, key: str) -> str | None:
        """The reason of the change to ALARM since the block was entered, if there is one."""
        answer = self._alarms.cloudwatch.describe_alarm_history(
            AlarmName=self._alarms.names[key], HistoryItemType="StateUpdate", MaxRecords=100
        )
        since: datetime = self._were_ok[key]
        for item in answer["AlarmHistoryItems"]:
            if item["HistorySummary"] == "Alarm updated from OK to ALARM" and item["Timestamp"] > since:
                return str(json.loads(item["HistoryData"])["newState"]["stateReason"])
        return None


def _await(probe: Callable[[], bool | None], within: float, state: str, seen: Mapping[str, str]) -> None:
    try:
        eventually(probe, within)
    except AssertionError:
        raise AssertionError(f"not all are {state} within {within} s: {json.dumps(seen, indent=2)}") from None


def _kind(alarm: Mapping[str, Any]) -> str:
    """What an alarm watches: its description ends with where the guide tells of it."""
    match = re.search(r"docs/guides/alarms\.md, ([a-z-]+)\.$", alarm["AlarmDescription"])
    assert match, alarm["AlarmDescription"]
    return match[1]
