"""What the three batch operations share: limits of the request, and results an entry."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from durable_sandbox.aws.errors import AwsError
from durable_sandbox.services.sqs.errors import query_code

Entry = Mapping[str, Any]
MAX_ENTRIES = 10
_ENTRY_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")


def check_entries(entries: Sequence[Entry], operation: str) -> None:
    """Raise AwsError if AWS refuses the batch as a whole. ``operation`` is the API's name."""
    if not entries:
        raise AwsError("EmptyBatchRequest", f"There should be at least one {operation}RequestEntry in the request.")
    if len(entries) > MAX_ENTRIES:
        raise AwsError(
            "TooManyEntriesInBatchRequest",
            f"Maximum number of entries per request are {MAX_ENTRIES}. You have sent {len(entries)}.",
        )
    seen: set[str] = set()
    for entry in entries:
        entry_id = entry["Id"]
        if not _ENTRY_ID.fullmatch(entry_id):
            raise AwsError(
                "InvalidBatchEntryId",
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most "
                "80 letters long.",
            )
        if entry_id in seen:
            raise AwsError("BatchEntryIdsNotDistinct", f"Id {entry_id} repeated.")
        seen.add(entry_id)


def each_entry(entries: Sequence[Entry], act: Callable[[Entry], Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Run ``act`` on every entry; an entry's AwsError is that entry's failure only."""
    successful: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    for entry in entries:
        try:
            successful.append({"Id": entry["Id"], **act(entry)})
        except AwsError as error:
            failed.append(
                {"Id": entry["Id"], "SenderFault": True, "Code": query_code(error.code), "Message": error.message}
            )
    result = {"Successful": successful}
    if failed:
        result["Failed"] = failed
    return result
