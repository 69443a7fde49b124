"""A function that does what its event, or each record of it, says: `sleep` seconds, then `fail` in one of two ways."""

from __future__ import annotations

import base64
import json
import time
from typing import Any


def handler(event: dict[str, Any], context: object) -> Any:  # noqa: ARG001 - as Lambda calls it
    """Obey; a record that is told to report is reported failed. A WebSocket's client is always told to fail."""
    if "requestContext" in event:
        raise ValueError("as every client is told")
    if "Records" not in event:
        return _obey(event)
    told = {record["kinesis"]["sequenceNumber"]: _order(record) for record in event["Records"]}
    failed = [number for number, order in told.items() if _obey(order) == "report"]
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}


def _order(record: dict[str, Any]) -> dict[str, Any]:
    order: dict[str, Any] = json.loads(base64.b64decode(record["kinesis"]["data"]))
    return order


def _obey(order: dict[str, Any]) -> Any:
    time.sleep(order.get("sleep", 0))
    if order.get("fail") == "raise":
        raise ValueError("as it was told to")
    return order.get("fail")
