"""What a function's answer says about the messages of its batch.

The same table holds for Pipes (always) and for event source mappings with ReportBatchItemFailures.
Source: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html.
"""

from __future__ import annotations

import json
from collections.abc import Collection


def failed_items(payload: bytes, identifiers: Collection[str]) -> frozenset[str]:
    """The identifiers (message ids, sequence numbers) that failed, out of the batch's ``identifiers``.

    An empty or null answer, one without ``batchItemFailures`` or with an empty or null list is full success. Invalid
    JSON, an ``itemIdentifier`` that is missing, empty, null or not of this batch is full failure.
    """
    everything = frozenset(identifiers)
    if not payload.strip():
        return frozenset()
    try:
        answer = json.loads(payload)
    except ValueError:
        return everything
    items = answer.get("batchItemFailures") if isinstance(answer, dict) else None
    if items is None:
        return frozenset()
    failed: set[str] = set()
    for item in items if isinstance(items, list) else [items]:
        identifier = item.get("itemIdentifier") if isinstance(item, dict) else None
        if not isinstance(identifier, str) or identifier not in everything:
            return everything
        failed.add(identifier)
    return frozenset(failed)
