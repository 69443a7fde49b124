"""Records on their way to a target, several side by side."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Self

from clients import LONGEST_CALL_MILLISECONDS, THREADS, OutOfTimeError
from record import Record, canonical_json, normalise, order_key, sequence_number


@dataclass(frozen=True)
class Item:
    """A record and the shard it comes from.

    Attributes:
        record: Its normal form.
        event: The element of `Records` as which the stream's mapping delivers it.
        shard_id: Its shard.
    """

    record: Record
    event: dict[str, Any]
    shard_id: str

    @classmethod
    def of(cls, event: dict[str, Any], shard_id: str) -> Self:
        """Make one of an element of `Records`.

        Raises:
            RecordError: if it lacks what every record has.
        """
        return cls(normalise(event), event, shard_id)

    @property
    def record_id(self) -> str:
        """The record's name, the same each time."""
        return str(self.record["messageId"])

    @property
    def number(self) -> str:
        """Its sequence number."""
        return sequence_number(self.record)

    @property
    def key(self) -> str:
        """What records share whose order is to be kept."""
        return order_key(self.record)

    def payload(self) -> bytes:
        """Return the same bytes each time, those that the dispatcher starts an execution with."""
        return canonical_json(self.record).encode()


Failures = list[tuple[Item, Exception]]
Remaining = Callable[[], int]


class PayloadTooLargeError(ValueError):
    """A record exceeds what the target takes."""


def check_size(payload: bytes, limit: int, invocation: str) -> None:
    """Refuse what `invocation` would not take, before any call.

    Raises:
        PayloadTooLargeError: above `limit` bytes.
    """
    if len(payload) > limit:
        raise PayloadTooLargeError(
            f"the payload takes {len(payload)} bytes, {invocation} takes {limit}: redrive to a bucket instead"
        )


def check_time(remaining: Remaining, longest: int = LONGEST_CALL_MILLISECONDS) -> None:
    """Let no call begin that might take longer (`longest`, in milliseconds) than the invocation still has.

    Raises:
        OutOfTimeError: if it might.
    """
    if remaining() < longest:
        raise OutOfTimeError("no time left to hand it over")


def side_by_side(
    call: Callable[[Item], None],
    items: Sequence[Item],
    remaining: Remaining,
    longest: int = LONGEST_CALL_MILLISECONDS,
) -> Failures:
    """Make a call for each item and return those that failed; none begins that might not end in time."""

    def failure(item: Item) -> Exception | None:
        try:
            check_time(remaining, longest)
            call(item)
        except Exception as error:  # noqa: BLE001  # whatever one record meets, its neighbours are to be handed over
            return error
        return None

    with ThreadPoolExecutor(THREADS) as pool:
        errors = list(pool.map(failure, items))
    return [(item, error) for item, error in zip(items, errors, strict=True) if error is not None]
