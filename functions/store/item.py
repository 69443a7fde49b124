"""A message body as a DynamoDB item."""

from decimal import Context, Decimal
from typing import Any

# Fields of the body that get a column of their own, to be read, filtered and indexed by.
COLUMNS = ("data_source", "processing_type")
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
MAX_DIGITS = 38
MAX_EXPONENT = 125
MIN_EXPONENT = -130
# Wide enough for every integer that Python's JSON parser accepts (4,300 digits), so that normalizing never rounds.
EXACT = Context(prec=4_400)


# A record's id is its sequence number and 8 more characters, and a DurableExecutionName has 64. Kinesis uses all 56.
SEQUENCE_DIGITS = 56


class UnstorableValueError(ValueError):
    """DynamoDB has no representation for a value of the message."""


def to_item(
    message_id: str, body: dict[str, Any], stored_at: str, *, key: str | None = None, sequence: str | None = None
) -> dict[str, Any]:
    """Build the item: `message_id` (key), `data_source`, `processing_type`, `stored_at`, and `attributes`.

    `attributes` is a map of all other fields, so that no field of a message can displace the key or a column. A stream
    record has `order_key` and `sequence_number`, too. The latter is text of 56 digits with leading zeros, which sorts as
    the number does: a DynamoDB number holds 38 digits.

    Args:
        message_id: SQS message id, or id of the stream record.
        body: The transformed message body.
        stored_at: Time of storing, ISO 8601 in UTC.
        key: What stream records share that must be in order; None for a queue message.
        sequence: The stream record's sequence number; None for a queue message.

    Raises:
        UnstorableValueError: for a number that DynamoDB cannot hold, naming its place.
    """
    fields = {name: _value(value, name) for name, value in body.items()}
    columns = {name: fields.pop(name) for name in COLUMNS if name in fields}
    item = {"message_id": message_id, **columns, "stored_at": stored_at, "attributes": fields}
    if sequence is not None:
        item |= {"order_key": key, "sequence_number": sequence.zfill(SEQUENCE_DIGITS)}
    return item


def _value(value: Any, path: str) -> Any:
    """Convert numbers to Decimal, at any depth: boto3's serializer takes no float."""
    if isinstance(value, dict):
        return {name: _value(member, f"{path}.{name}") for name, member in value.items()}
    if isinstance(value, list):
        return [_value(member, f"{path}[{index}]") for index, member in enumerate(value)]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    number = EXACT.normalize(Decimal(str(value)))
    digits = len(number.as_tuple().digits)
    if not number.is_finite() or (
        number and (digits > MAX_DIGITS or not MIN_EXPONENT <= number.adjusted() <= MAX_EXPONENT)
    ):
        raise UnstorableValueError(
            f"{path} is a number that DynamoDB cannot hold (38 digits, 1E-130 to 9.9E+125): send it as text"
        )
    return number
