"""Durable Execution Status Change events on the default event bus.

Source: https://docs.aws.amazon.com/lambda/latest/dg/durable-monitoring.html (EventBridge events): their detail, the times to
the millisecond, empty ``resources``; neither payload nor error is part of them.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from aws_durable_execution_sdk_python_testing.execution import Execution

from durable_sandbox.aws.arns import function_arn
from durable_sandbox.aws.call import Api
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.aws.identity import Identities

logger = logging.getLogger(__name__)

_SERVICE = "lambda.amazonaws.com"
_ENTRIES_PER_CALL = 10
_BATCH_DELAY_SECONDS = 0.05


class StatusEvents:
    """A StatusListener that puts an event for each change, in their order, and holds nobody up."""

    def __init__(self, api: Api, identities: Identities) -> None:
        self._api = api
        self._identities = identities
        self._waiting: deque[tuple[str, Mapping[str, Any]]] = deque()
        self._sending: asyncio.Task[None] | None = None

    def status_changed(self, execution: Execution) -> None:
        """Put the event of its present status."""
        self._waiting.append((execution.region, status_event(execution)))
        if self._sending is None or self._sending.done():
            self._sending = asyncio.get_running_loop().create_task(self._send())

    def reset(self) -> None:
        """Drop what is not sent."""
        self._waiting.clear()
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None

    async def _send(self) -> None:
        # Under load the events of many executions share a call.
        await asyncio.sleep(_BATCH_DELAY_SECONDS)
        while self._waiting:
            region, entries = self._waiting[0][0], list[Mapping[str, Any]]()
            while self._waiting and self._waiting[0][0] == region and len(entries) < _ENTRIES_PER_CALL:
                entries.append(self._waiting.popleft()[1])
            try:
                # By this key EventBridge knows the service, which alone may name itself as the source.
                caller = self._identities.root(_SERVICE)
                await self._api.call(caller, region, "events", "PutEvents", {"Entries": entries})
            except AwsError as error:
                logger.error(  # noqa: TRY400 - the refusal says all; a traceback would hide it
                    "%d status change events are lost: %s: %s", len(entries), error.code, error.message
                )
            except Exception:
                logger.exception("%d status change events are lost", len(entries))


def status_event(execution: Execution) -> dict[str, Any]:
    """The entry of PutEvents that tells the present status of ``execution``."""
    start, operation = execution.start_input, execution.get_operation_execution_started()
    status = execution.current_status().value
    started = _to_the_millisecond(operation.start_timestamp)
    detail = {
        "durableExecutionArn": execution.durable_execution_arn,
        "durableExecutionName": start.execution_name,
        "functionArn": function_arn(execution.region, start.account_id, start.function_name, start.function_qualifier),
        "status": status,
        "startTimestamp": _iso(started),
    }
    changed = started
    if status != "RUNNING":
        changed = _to_the_millisecond(operation.end_timestamp)
        detail["endTimestamp"] = _iso(changed)
    return {
        "Source": "aws.lambda",
        "DetailType": "Durable Execution Status Change",
        "Time": changed,
        "Resources": [],
        "Detail": json.dumps(detail, separators=(",", ":")),
    }


def _to_the_millisecond(moment: datetime) -> datetime:
    """Rounded as GetDurableExecution shows it."""
    rounded = moment + timedelta(microseconds=500)
    return rounded.replace(microsecond=rounded.microsecond // 1000 * 1000)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
