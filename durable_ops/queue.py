"""An SQS queue, as far as dead letters need it.

Facts: botocore's model of sqs. An empty answer to a short poll proves nothing, since it asks some of the servers only;
a long poll asks all (SQS Developer Guide, sqs-short-and-long-polling). Dead-letter queues have no redrive policy of their
own here, so that being received costs a message nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

VISIBILITY_SECONDS = 30
"""How long what is received stays with us; what a killed command had in hand is back after that."""
SEARCHED = 20_000
"""How many messages are looked at for some of them: a minute or a few, and well below the 120,000 that may be in flight
(SQS Developer Guide, quotas-messages)."""
_LONGEST_LOOK_SECONDS = 600
_LOOKED_AT_A_SECOND = 30  # a receive of ten in a third of a second, which is slow
_POLL_SECONDS = 1
_BATCH = 10
_CLOCK_TOLERANCE = timedelta(seconds=5)
_DEPTHS = tuple(f"ApproximateNumberOfMessages{suffix}" for suffix in ("", "NotVisible", "Delayed"))

Message = Mapping[str, Any]


def looking_seconds(messages: int) -> int:
    """How long to keep what is received, so that it is not back before ``messages`` have been looked at."""
    return max(VISIBILITY_SECONDS, min(_LONGEST_LOOK_SECONDS, messages // _LOOKED_AT_A_SECOND))


@dataclass(frozen=True, slots=True)
class Depth:
    """Messages that can be received, that somebody has in hand, and that are delayed; SQS gives approximate numbers."""

    visible: int
    in_flight: int
    delayed: int


class Queue:
    """One queue by its URL. But for ``give_back``, what calls SQS raises ClientError and BotoCoreError."""

    def __init__(self, sqs: Any, url: str) -> None:
        self._sqs = sqs
        self.url = url
        self.name = url.rsplit("/", 1)[-1]
        self.fifo = self.name.endswith(".fifo")

    def arn(self) -> str:
        """Its ARN, ``arn:<partition>:sqs:<region>:<account>:<name>``, as SQS has it."""
        answer = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
        return str(answer["Attributes"]["QueueArn"])

    def depth(self) -> Depth:
        """How many messages SQS knows on it, at this moment and roughly."""
        answer = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=list(_DEPTHS))
        return Depth(*(int(answer["Attributes"].get(name, 0)) for name in _DEPTHS))

    def now(self) -> datetime:
        """The time by the clock that stamps the messages: this machine's, unless it differs from what SQS answers.

        In UTC. An answer's date is good for the second at best, hence the tolerance.
        """
        answer = self._sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
        here = datetime.now(UTC)
        date = answer["ResponseMetadata"].get("HTTPHeaders", {}).get("date")
        there = parsedate_to_datetime(date) if date else here
        return here if abs(here - there) < _CLOCK_TOLERANCE else there

    def receive(self, seconds: int | None = None) -> list[Message]:
        """Take up to ten messages, as SQS's Message, hidden for ``seconds`` (None: VISIBILITY_SECONDS).

        Waits a second for the first; an empty list if none comes.
        """
        answer = self._sqs.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=_BATCH,
            VisibilityTimeout=VISIBILITY_SECONDS if seconds is None else seconds,
            WaitTimeSeconds=_POLL_SECONDS,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        messages: list[Message] = answer.get("Messages", [])
        return messages

    def give_back(self, receipts: Iterable[str]) -> None:
        """Make messages visible again, by their ReceiptHandle. One that cannot be is back when its time is over; raises nothing."""
        open_ones = list(receipts)
        with ThreadPoolExecutor(_BATCH) as pool:
            batches = (open_ones[start : start + _BATCH] for start in range(0, len(open_ones), _BATCH))
            list(pool.map(self._give_ten_back, batches))

    def _give_ten_back(self, receipts: Sequence[str]) -> None:
        entries = [
            {"Id": str(index), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
            for index, receipt in enumerate(receipts)
        ]
        with contextlib.suppress(BotoCoreError, ClientError):
            self._sqs.change_message_visibility_batch(QueueUrl=self.url, Entries=entries)

    def delete(self, receipt: str) -> None:
        """Delete a received message by its ReceiptHandle."""
        self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=receipt)

    def send(self, **message: Any) -> str:
        """Send a message: SendMessage's parameters but QueueUrl. Returns its MessageId."""
        return str(self._sqs.send_message(QueueUrl=self.url, **message)["MessageId"])
