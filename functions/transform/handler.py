"""Step 2: `data_source` in upper case."""

import json
from typing import Any


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return the event, `{"message_id", "body"}`, with `body.data_source` in upper case and all else unchanged.

    A stream record's `key` and `sequence` are among the rest.

    Raises:
        TypeError: if `data_source` is not text.
    """
    body = event["body"]
    data_source = body["data_source"]
    if not isinstance(data_source, str):
        shown = json.dumps(data_source)[:100]
        raise TypeError(f"data_source must be text, got {shown}: send it as a JSON string, in double quotes")
    return {**event, "body": {**body, "data_source": data_source.upper()}}
