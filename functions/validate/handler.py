"""Step 1: a message body is a JSON object whose required fields are present and not empty."""

import json
from typing import Any

REQUIRED_FIELDS = ("data_source", "processing_type")
MAX_SHOWN = 200


class InvalidMessageError(ValueError):
    """The message body does not meet the requirements; the text names every fault."""


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return the event, `{"message_id", "body"}` (and more for stream records), unchanged if the body is valid.

    Only presence is checked: null, empty or blank text, an empty list and an empty object count as empty; 0 and false
    are values.

    Raises:
        InvalidMessageError: naming all missing and empty fields, and what was received.
    """
    body = event["body"]
    if not isinstance(body, dict):
        raise InvalidMessageError(
            f"the body must be a JSON object with {' and '.join(REQUIRED_FIELDS)} (received {_show(body)})"
        )
    missing = [field for field in REQUIRED_FIELDS if field not in body]
    empty = [field for field in REQUIRED_FIELDS if field in body and _is_empty(body[field])]
    faults = [
        f"{kind} {'fields' if len(fields) > 1 else 'field'} {', '.join(fields)}"
        for kind, fields in (("missing", missing), ("empty", empty))
        if fields
    ]
    if faults:
        raise InvalidMessageError(f"{' and '.join(faults)} (received {_show(body)})")
    return event


def _is_empty(value: Any) -> bool:
    if isinstance(value, str):
        return not value.strip()
    return value is None or value in ([], {})


def _show(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}... ({len(text)} characters)"
