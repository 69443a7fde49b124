"""Rules that fire by the clock.

Gap closed in moto 5.2.5: it keeps ScheduleExpression and never fires. ``rate(...)`` fires here, its period divided by the
time scale; ``cron(...)`` does not, and PutRule logs that.
Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

from durable_sandbox.aws.clock import TimePolicy

_RATE = re.compile(r"rate\((?P<value>[1-9]\d*) (?P<unit>minute|hour|day)(?P<plural>s?)\)")
_SECONDS = {"minute": 60, "hour": 3600, "day": 86_400}


def period(expression: str) -> int | None:
    """Seconds between two firings of ``rate(...)``; None if it is not valid ("the unit is singular for 1, else plural")."""
    match = _RATE.fullmatch(expression)
    if match is None or (match["value"] == "1") is (match["plural"] == "s"):
        return None
    return int(match["value"]) * _SECONDS[match["unit"]]


async def fire(
    rule: Any, bus: Any, seconds: int, policy: TimePolicy, send: Callable[[Any, Mapping[str, Any]], None]
) -> None:
    """Let ``send`` have the rule and a Scheduled Event every ``seconds``, until the rule is replaced or deleted."""
    while True:
        await asyncio.sleep(policy.scaled(seconds))
        if bus.rules.get(rule.name) is not rule:
            return
        send(rule, scheduled_event(rule))


def scheduled_event(rule: Any) -> dict[str, Any]:
    """The event of a rule that fires by the clock."""
    now = time.time()
    return {
        "version": "0",
        "id": str(uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": rule.account_id,
        "time": now,
        "region": rule.region_name,
        "resources": [rule.arn],
        "detail": {},
        "ingestion-time": now,
    }
