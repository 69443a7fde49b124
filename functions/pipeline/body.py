"""What a message says, as plain JSON."""

import base64
import json
import math
from decimal import Decimal
from typing import Any, NoReturn

from record import KINESIS, Record


class UnreadableRecordError(ValueError):
    """A stream record has no body that the steps could be given."""


def from_text(text: str) -> Any:
    """Parse a text as strict JSON; what is not JSON stays text, for `validate` to name."""
    try:
        return json.loads(text, parse_constant=_not_json, parse_float=_finite)
    except (ValueError, RecursionError):
        return text


def from_stream_record(normal: Record) -> Any:
    """Return the body of a record in its normal form: Kinesis' data as text, or DynamoDB's new image as an object.

    Raises:
        UnreadableRecordError: for data that is not UTF-8, and for a change without a new image.
    """
    return _kinesis(normal["data"]) if normal["eventSource"] == KINESIS else _dynamodb(normal)


def _kinesis(data: str) -> Any:
    try:
        text = base64.b64decode(data, validate=True).decode()
    except ValueError as error:  # of base64 or of UTF-8
        raise UnreadableRecordError(
            f"the data of the Kinesis record is not text in UTF-8 ({error}): the producer must send JSON in UTF-8, "
            "uncompressed and not aggregated"
        ) from error
    return from_text(text)


def _dynamodb(normal: Record) -> dict[str, Any]:
    image = normal["dynamodb"].get("NewImage")
    if image is None:
        view = normal["dynamodb"].get("StreamViewType", "unknown")
        raise UnreadableRecordError(
            f"the {normal['eventName']} of a DynamoDB item has no new image (stream view type {view}): filter such records "
            'out (filter pattern {"eventName": ["INSERT", "MODIFY"]}), and let the table\'s stream_view_type be NEW_IMAGE '
            "or NEW_AND_OLD_IMAGES"
        )
    return {name: _plain(value) for name, value in image.items()}


def _plain(value: dict[str, Any]) -> Any:
    """Return a DynamoDB value as JSON: sets as lists in the record's order, binary as its base64 text.

    boto3's deserializer makes Python sets, whose order differs from one process to the next, so between replays.
    Types: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_AttributeValue.html
    """
    ((kind, content),) = value.items()
    match kind:
        case "N":
            return _number(content)
        case "NS":
            return [_number(member) for member in content]
        case "L":
            return [_plain(member) for member in content]
        case "M":
            return {name: _plain(member) for name, member in content.items()}
        case "NULL":
            return None
    return content  # S, B, BOOL, SS and BS are JSON already


def _number(text: str) -> int | float:
    """Integers exactly, with all the 38 digits that DynamoDB may hold; others as a JSON parser reads them."""
    number = Decimal(text)
    return int(number) if number == number.to_integral_value() else float(number)


def _not_json(constant: str) -> NoReturn:
    # Python reads and writes NaN and Infinity; the step functions' JSON has neither.
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} is out of range")
    return number
