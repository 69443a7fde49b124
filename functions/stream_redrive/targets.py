"""Where failed records are handed over to: a function, a queue or a bucket."""

import functools
import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

from botocore.exceptions import ClientError
from clients import LONGEST_CALL_MILLISECONDS, THREADS, OutOfTimeError, client
from record import Record, canonical_json, order_key, sequence_number

# An asynchronous invocation takes 1 MB: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_PAYLOAD_BYTES = 1_048_576

# A call takes 10 messages (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html),
# and together what a queue takes of one, at least: a queue may be set lower or higher. A larger message goes alone.
MAX_BATCH_MESSAGES = 10
MAX_BATCH_BYTES = 262_144

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
MESSAGE_GROUP = re.compile(r"[A-Za-z0-9!-/:-@\[-`{-~]{1,128}")


class PayloadTooLargeError(ValueError):
    """A record in its normal form exceeds what the target takes."""


class RefusedError(RuntimeError):
    """The queue took other messages of the call, but not this one."""


@dataclass(frozen=True)
class Item:
    """A record on its way: its normal form and the shard it comes from."""

    record: Record
    shard_id: str

    @property
    def record_id(self) -> str:
        """The record's name, the same each time."""
        return str(self.record["messageId"])

    @property
    def key(self) -> str:
        """What records share whose order is to be kept."""
        return order_key(self.record)

    def payload(self) -> bytes:
        """Return the same bytes each time, those that the dispatcher starts an execution with."""
        return canonical_json(self.record).encode()


Failures = list[tuple[Item, Exception]]
Remaining = Callable[[], int]


class Target(Protocol):
    """Takes records of different keys, side by side, and returns those that it did not take.

    Attributes:
        arn: Its ARN.
    """

    arn: str

    def hand_over(self, items: Sequence[Item], remaining: Remaining) -> Failures:
        """Hand over each item, as far as `remaining` milliseconds allow."""


def target(environment: dict[str, str]) -> Target:
    """Return the target that the environment names.

    TARGET is the ARN of an alias, a queue or a bucket. TARGET_DURABLE is "true" or "false", for an alias; TARGET_PREFIX
    begins the keys in a bucket.

    Raises:
        RuntimeError: if TARGET is not set, or is something else.
    """
    arn = environment.get("TARGET", "")
    parts = arn.split(":", 5)
    service = parts[2] if len(parts) == 6 else ""  # noqa: PLR2004  # an ARN has six parts
    if service == "lambda":
        return FunctionTarget(arn, durable=_is_durable(environment))
    if service == "sqs":
        return QueueTarget(arn)
    if service == "s3":
        return BucketTarget(arn, environment.get("TARGET_PREFIX", ""))
    raise RuntimeError(
        f'environment variable TARGET is "{arn}": give the redrive the ARN of a function\'s alias, a queue or a bucket'
    )


def _is_durable(environment: dict[str, str]) -> bool:
    durable = environment.get("TARGET_DURABLE")
    if durable not in {"true", "false"}:
        raise RuntimeError(f'environment variable TARGET_DURABLE is "{durable}": say "true" or "false" of the function')
    return durable == "true"


class FunctionTarget:
    """Invokes a function asynchronously with each record; a durable one under the record's name."""

    def __init__(self, arn: str, *, durable: bool) -> None:
        self.arn = arn
        self._durable = durable

    def hand_over(self, items: Sequence[Item], remaining: Remaining) -> Failures:
        """Start each."""
        aws = client("lambda")  # here: to make one is not safe on several threads at once
        return _side_by_side(lambda item: self._start(aws, item), items, remaining)

    def _start(self, aws: Any, item: Item) -> None:
        payload = item.payload()
        if len(payload) > MAX_PAYLOAD_BYTES:
            raise PayloadTooLargeError(
                f"the payload takes {len(payload)} bytes, an asynchronous invocation takes {MAX_PAYLOAD_BYTES}: "
                "redrive to a bucket instead"
            )
        name = {"DurableExecutionName": item.record_id} if self._durable else {}
        try:
            aws.invoke(FunctionName=self.arn, InvocationType="Event", Payload=payload, **name)
        except ClientError as error:
            # Same name, and (the alias has moved since) other version: it has started before.
            if error.response["Error"]["Code"] != "DurableExecutionAlreadyStartedException":
                raise


class BucketTarget:
    """Writes each record to an object of its own; a repetition writes the same object again."""

    def __init__(self, arn: str, prefix: str) -> None:
        self.arn = arn
        self._bucket = arn.rpartition(":")[2]
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def hand_over(self, items: Sequence[Item], remaining: Remaining) -> Failures:
        """Write each."""
        aws = client("s3")  # here, as above
        return _side_by_side(lambda item: self._write(aws, item), items, remaining)

    def _write(self, aws: Any, item: Item) -> None:
        # arn:...:stream/<name>, or arn:...:table/<name>/stream/<label>
        name = item.record["eventSourceARN"].split("/")[1]
        aws.put_object(
            Bucket=self._bucket,
            Key=f"{self._prefix}{name}/{item.shard_id}/{sequence_number(item.record)}.json",
            Body=item.payload(),
            ContentType="application/json",
        )


class QueueTarget:
    """Sends each record to a queue; in a FIFO queue a key is a message group, and a repetition a duplicate."""

    def __init__(self, arn: str) -> None:
        self.arn = arn
        self._account, self._name = arn.split(":")[4:]

    @functools.cached_property
    def _url(self) -> str:
        reply = client("sqs").get_queue_url(QueueName=self._name, QueueOwnerAWSAccountId=self._account)
        return str(reply["QueueUrl"])

    def hand_over(self, items: Sequence[Item], remaining: Remaining) -> Failures:
        """Send all, in as few calls as possible."""
        return [failure for call in _calls(items) for failure in self._send(call, remaining)]

    def _send(self, items: list[Item], remaining: Remaining) -> Failures:
        try:
            _check_time(remaining)
            url = self._url
            _check_time(remaining)
            entries = [self._entry(position, item) for position, item in enumerate(items)]
            reply = client("sqs").send_message_batch(QueueUrl=url, Entries=entries)
        except Exception as error:  # noqa: BLE001  # other calls may succeed
            return [(item, error) for item in items]
        return [
            (items[int(failed["Id"])], RefusedError(f"{failed['Code']}: {failed.get('Message', '')}"))
            for failed in reply.get("Failed", [])
        ]

    def _entry(self, position: int, item: Item) -> dict[str, Any]:
        entry = {"Id": str(position), "MessageBody": item.payload().decode()}
        if self._name.endswith(".fifo"):
            entry |= {"MessageGroupId": message_group(item.key), "MessageDeduplicationId": item.record_id}
        return entry


def message_group(key: str) -> str:
    """Return the key as a message group: itself where SQS takes it, else its hash."""
    return key if MESSAGE_GROUP.fullmatch(key) else hashlib.sha256(key.encode()).hexdigest()


def _calls(items: Sequence[Item]) -> Iterator[list[Item]]:
    call: list[Item] = []
    size = 0
    for item in items:
        length = len(item.payload())
        if call and (len(call) == MAX_BATCH_MESSAGES or size + length > MAX_BATCH_BYTES):
            yield call
            call, size = [], 0
        call.append(item)
        size += length
    if call:
        yield call


def _side_by_side(call: Callable[[Item], None], items: Sequence[Item], remaining: Remaining) -> Failures:
    def failure(item: Item) -> Exception | None:
        try:
            _check_time(remaining)
            call(item)
        except Exception as error:  # noqa: BLE001  # whatever one record meets, its neighbours are to be handed over
            return error
        return None

    with ThreadPoolExecutor(THREADS) as pool:
        errors = list(pool.map(failure, items))
    return [(item, error) for item, error in zip(items, errors, strict=True) if error is not None]


def _check_time(remaining: Remaining) -> None:
    if remaining() < LONGEST_CALL_MILLISECONDS:
        raise OutOfTimeError("no time left to hand it over")
