"""EventBridge's rules, matched and delivered as on AWS.

Gap closed in moto 5.2.5: rules deliver within PutEvents, to queues, log groups and buses only, without Input, InputPath,
RetryPolicy and DeadLetterConfig; their patterns are matched loosely; schedules never fire; anybody may put events in the
name of AWS (refused there, as shown in aws-samples/serverless-patterns 3089); TestEventPattern is missing.
"""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from moto.events import models as events
from moto.events.exceptions import InvalidEventPatternException
from moto.events.responses import EventsHandler

from durable_sandbox.aws.arns import Arn
from durable_sandbox.events.filters import PatternError
from durable_sandbox.moto_adapter.bridge import Bridge
from durable_sandbox.moto_adapter.event_delivery import deliver
from durable_sandbox.moto_adapter.event_input import Occasion
from durable_sandbox.moto_adapter.event_schedules import fire, period
from durable_sandbox.moto_adapter.event_targets import is_archive
from durable_sandbox.moto_adapter.event_validation import check_rule, check_targets, compiled

logger = logging.getLogger(__name__)

_DISABLED = "DISABLED"
_OF_AWS = "aws."
_SERVICE_KEY = ".amazonaws.com/"
"""In the credential of a call that the sandbox makes in the name of a service (Identities.root, .principal)."""


def patch(bridge: Callable[[], Bridge]) -> None:
    """Replace moto's matching and delivery, once a process. ``bridge`` gives the current one."""
    _patch_rules(bridge)
    _patch_put_rule(bridge)
    _patch_put_targets()
    _patch_put_events()
    EventsHandler.test_event_pattern = _test_event_pattern


def _patch_rules(bridge: Callable[[], Bridge]) -> None:
    archive = events.Rule.send_to_targets

    def send_to_targets(self: Any, original_event: dict[str, Any], transform_input: bool = True) -> None:  # noqa: FBT001, FBT002 - moto's signature
        pattern = self.event_pattern.dump()
        if self.state == _DISABLED or not pattern or not compiled(pattern).matches(_public(original_event)):
            return
        archives = [target for target in self.targets if is_archive(Arn.parse(target["Arn"]))]
        if archives:
            alone = copy.copy(self)
            alone.targets, alone.event_pattern = archives, events.EventPattern.load(None)
            archive(alone, original_event, transform_input=transform_input)
            return
        _send(bridge(), self, original_event)

    events.Rule.send_to_targets = send_to_targets


def _send(bridge: Bridge, rule: Any, original: Mapping[str, Any]) -> None:
    """Begin to deliver to every target as it is now. Does not wait: PutEvents has only accepted the event."""
    event = _public(original)
    occasion = Occasion(event, rule.arn, rule.name, _iso(original.get("ingestion-time", event["time"])))
    for target in rule.targets:
        bridge.start(deliver(bridge, dict(target), occasion))


def _public(event: Mapping[str, Any]) -> dict[str, Any]:
    """The event as patterns and targets see it: time by the second, no ingestion time."""
    shown = {key: value for key, value in event.items() if key != "ingestion-time"}
    return {**shown, "time": _iso(shown["time"])}


def _iso(moment: Any) -> str:
    if isinstance(moment, int | float):
        moment = datetime.fromtimestamp(moment, UTC)
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(moment, datetime) else str(moment)


def _patch_put_rule(bridge: Callable[[], Bridge]) -> None:
    original = events.EventsBackend.put_rule

    def put_rule(self: Any, name: str, **settings: Any) -> Any:
        schedule = settings.get("scheduled_expression")
        check_rule(settings.get("event_pattern"), schedule)
        rule = original(self, name, **settings)
        if schedule:
            seconds = period(schedule)
            if seconds is None:
                logger.warning("The sandbox does not fire %s of rule %s: of schedules, rate(...) fires", schedule, name)
            else:
                ours = bridge()
                bus = self.event_buses[rule.event_bus_name]
                ours.start(fire(rule, bus, seconds, ours.time, lambda due, event: _fired(ours, due, event)))
        return rule

    events.EventsBackend.put_rule = put_rule


def _fired(bridge: Bridge, rule: Any, event: Mapping[str, Any]) -> None:
    if rule.state != _DISABLED:
        _send(bridge, rule, event)


def _patch_put_targets() -> None:
    original = events.EventsBackend.put_targets

    def put_targets(self: Any, name: str, event_bus_arn: str | None, targets: list[dict[str, Any]]) -> None:
        bus = self.event_buses.get(self._normalize_event_bus_arn(event_bus_arn))
        rule = None if bus is None else bus.rules.get(name)
        check_targets(rule.targets if rule is not None else (), targets)
        original(self, name, event_bus_arn, targets)

    events.EventsBackend.put_targets = put_targets


def _patch_put_events() -> None:
    def put_events(self: Any) -> str:
        entries = self._get_param("Entries") or []
        ours = _SERVICE_KEY in self.headers.get("Authorization", "")
        allowed = [entry for entry in entries if ours or not str(entry.get("Source") or "").startswith(_OF_AWS)]
        answers = iter(self.events_backend.put_events(allowed))
        refused = {
            "ErrorCode": "NotAuthorizedForSourceException",
            "ErrorMessage": "Not authorized for the source.",
        }
        results = [next(answers) if any(entry is one for one in allowed) else refused for entry in entries]
        return json.dumps({"FailedEntryCount": sum("ErrorCode" in one for one in results), "Entries": results})

    EventsHandler.put_events = put_events


def _test_event_pattern(self: Any) -> str:
    """TestEventPattern."""
    try:
        pattern = compiled(self._get_param("EventPattern"))
    except PatternError as error:
        raise InvalidEventPatternException(str(error)) from error
    return json.dumps({"Result": pattern.matches(json.loads(self._get_param("Event")))})
