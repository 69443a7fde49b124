"""Where failed records are handed over to: a function, a queue or a bucket."""

import functools
import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from clients import client
from function_targets import DurableFunctionTarget, PlainFunctionTarget
from items import Failures, Item, Remaining, check_time, side_by_side

# A call takes 10 messages (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html),
# and together what a queue takes of one, at least: a queue may be set lower or higher. A larger message goes alone.
MAX_BATCH_MESSAGES = 10
MAX_BATCH_BYTES = 262_144

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
MESSAGE_GROUP = re.compile(r"[A-Za-z0-9!-/:-@\[-`{-~]{1,128}")


class RefusedError(RuntimeError):
    """The queue took other messages of the call, but not this one."""


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

    TARGET is the ARN of an alias, a queue or a bucket. TARGET_DURABLE is "true" or "false", for an alias;
    TARGET_TIMEOUT the timeout of a plain function in seconds; TARGET_PREFIX begins the keys in a bucket.

    Raises:
        RuntimeError: if TARGET, or what it asks for, is not set, or is something else.
    """
    arn = environment.get("TARGET", "")
    parts = arn.split(":", 5)
    service = parts[2] if len(parts) == 6 else ""  # noqa: PLR2004  # an ARN has six parts
    if service == "lambda":
        return _function(arn, environment)
    if service == "sqs":
        return QueueTarget(arn)
    if service == "s3":
        return BucketTarget(arn, environment.get("TARGET_PREFIX", ""))
    raise RuntimeError(
        f'environment variable TARGET is "{arn}": give the redrive the ARN of a function\'s alias, a queue or a bucket'
    )


def _function(arn: str, environment: dict[str, str]) -> Target:
    durable = environment.get("TARGET_DURABLE")
    if durable == "true":
        return DurableFunctionTarget(arn)
    if durable != "false":
        raise RuntimeError(f'environment variable TARGET_DURABLE is "{durable}": say "true" or "false" of the function')
    timeout = environment.get("TARGET_TIMEOUT", "")
    if not (timeout.isascii() and timeout.isdigit() and int(timeout) > 0):
        raise RuntimeError(
            f'environment variable TARGET_TIMEOUT is "{timeout}": give the timeout of the function, in whole seconds'
        )
    return PlainFunctionTarget(arn, int(timeout))


class BucketTarget:
    """Writes each record to an object of its own; a repetition writes the same object again."""

    def __init__(self, arn: str, prefix: str) -> None:
        self.arn = arn
        self._bucket = arn.rpartition(":")[2]
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""

    def hand_over(self, items: Sequence[Item], remaining: Remaining) -> Failures:
        """Write each."""
        aws = client("s3")  # here: to make one is not safe on several threads at once
        return side_by_side(lambda item: self._write(aws, item), items, remaining)

    def _write(self, aws: Any, item: Item) -> None:
        # arn:...:stream/<name>, or arn:...:table/<name>/stream/<label>
        name = item.record["eventSourceARN"].split("/")[1]
        aws.put_object(
            Bucket=self._bucket,
            Key=f"{self._prefix}{name}/{item.shard_id}/{item.number}.json",
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
            check_time(remaining)
            url = self._url
            check_time(remaining)
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
