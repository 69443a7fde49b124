"""What a function's answer says about the messages of its batch.

The same table holds for Pipes (always) and for event source mappings with ReportBatchItemFailures.
Source: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """``failed``: identifiers that failed; all of them if the answer is ``malformed``."""

    failed: frozenset[str]
    malformed: bool = False


def read_answer(payload: bytes, identifiers: Collection[str]) -> BatchAnswer:
    """What an answer says of the batch's ``identifiers`` (message ids, sequence numbers).

    An empty or null answer, one without ``batchItemFailures`` or with an empty or null list is full success. Malformed,
    and so full failure: invalid JSON, a text that holds none (which is what a function returns with ``return "done"``), an
    ``itemIdentifier`` that is missing, empty, null or not of this batch.
    """
    malformed = BatchAnswer(frozenset(identifiers), malformed=True)
    try:
        answer = _parsed(payload)
    except (ValueError, RecursionError):
        return malformed
    items = answer.get("batchItemFailures") if isinstance(answer, dict) else None
    if items is None:
        return BatchAnswer(frozenset())
    failed: set[str] = set()
    for item in items if isinstance(items, list) else [items]:
        identifier = item.get("itemIdentifier") if isinstance(item, dict) else None
        if not isinstance(identifier, str) or identifier not in malformed.failed:
            return malformed
        failed.add(identifier)
    return BatchAnswer(frozenset(failed))


def failed_items(payload: bytes, identifiers: Collection[str]) -> frozenset[str]:
    """The identifiers that failed, by ``read_answer``."""
    return read_answer(payload, identifiers).failed


def _parsed(payload: bytes) -> Any:
    """The answer; a text is taken for JSON once more, as LocalStack's recordings of AWS have it."""
    answer = json.loads(payload) if payload.strip() else None
    return json.loads(answer) if isinstance(answer, str) and answer else answer
