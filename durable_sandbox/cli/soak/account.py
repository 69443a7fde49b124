"""What became of each message, by what AWS shows: rows, queues, executions, and the table's stream."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from durable_sandbox.cli import aws
from durable_sandbox.cli.process import Running, request_json
from durable_sandbox.cli.queues import depth, message_ids, peek
from durable_sandbox.cli.stack import Stack

_EFFECTS = frozenset({"INSERT", "MODIFY"})


@dataclass(frozen=True, slots=True)
class Ends:
    """Message ids by where they were found (a message may be in several places), and writes by message id."""

    rows: frozenset[str]
    failed: frozenset[str]
    dead: frozenset[str]
    effects: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Figures:
    """Each of ``unique`` messages is in exactly one of the four classes; see ``sandbox soak --help``."""

    sent: int
    unique: int
    succeeded: int
    failed: int
    dead_lettered: int
    lost: int
    duplicate_effects: int
    seconds: float


def figures(ids: Collection[str], delivered_twice: int, ends: Ends, seconds: float) -> Figures:
    """Class each message: a row is success, else an event in the failed queue, else a dead letter, else it is lost."""
    unique = set(ids)
    succeeded = unique & ends.rows
    failed = (unique & ends.failed) - succeeded
    dead = (unique & ends.dead) - succeeded - failed
    lost = unique - succeeded - failed - dead
    again = sum(max(0, ends.effects.get(message_id, 0) - 1) for message_id in unique)
    return Figures(
        len(unique) + delivered_twice,
        len(unique),
        len(succeeded),
        len(failed),
        len(dead),
        len(lost),
        again,
        round(seconds, 2),
    )


@dataclass(frozen=True, slots=True)
class Work:
    """What is left to do: messages on the source queue in any state, executions that run, events not yet started."""

    queued: int
    running: int
    waiting: int

    def __str__(self) -> str:
        return f"{self.queued} on the queue, {self.running} executions running, {self.waiting} events to start"

    @property
    def none(self) -> bool:
        """Whether nothing is left."""
        return not (self.queued or self.running or self.waiting)


class Account:
    """Looks at the stack's resources. Counts are of this run: what earlier runs left is subtracted."""

    def __init__(self, running: Running, stack: Stack, stream_arn: str) -> None:
        self._port = running.port
        self._stack = stack
        self._stream_arn = stream_arn
        self._sqs = aws.client(running.port, "sqs")
        self._lambda = aws.client(running.port, "lambda")
        self._dynamodb = aws.client(running.port, "dynamodb")
        self._streams = aws.client(running.port, "dynamodbstreams")
        self._before = 0
        self._before = self.ended()

    def ended(self) -> int:
        """How many messages seem to have ended: rows, events in the failed queue and dead letters."""
        stack = self._stack
        queues = (stack.failed_queue_url, stack.dead_letter_queue_url)
        pages = self._scan(Select="COUNT")
        rows = sum(int(page["Count"]) for page in pages)
        return rows + sum(depth(self._sqs, url) for url in queues) - self._before

    def work(self) -> Work:
        """What is left to do."""
        request = {"FunctionName": self._stack.function_name, "Statuses": ["RUNNING"], "MaxItems": 1000}
        pages = self._lambda.get_paginator("list_durable_executions_by_function").paginate(**request)
        running = sum(len(page["DurableExecutions"]) for page in pages)
        # The one thing that no API of AWS shows: events that Lambda has accepted and not started yet.
        waiting = int(request_json(self._port, "/_sandbox/status").get("async_events", 0))
        return Work(depth(self._sqs, self._stack.queue_url), running, waiting)

    def ends(self) -> Ends:
        """Where the messages are now."""
        stack = self._stack
        rows = [
            row["message_id"]["S"] for page in self._scan(ProjectionExpression="message_id") for row in page["Items"]
        ]
        events = peek(self._sqs, stack.failed_queue_url)
        failed = [message_id for event in events for message_id in message_ids(event["Body"])]
        dead = [message["MessageId"] for message in peek(self._sqs, stack.dead_letter_queue_url)]
        return Ends(frozenset(rows), frozenset(failed), frozenset(dead), self._effects())

    def _scan(self, **request: Any) -> Iterator[Mapping[str, Any]]:
        scan = self._dynamodb.get_paginator("scan")
        yield from scan.paginate(TableName=self._stack.table_name, ConsistentRead=True, **request)

    def _effects(self) -> Counter[str]:
        """Writes by message id, as the table's stream recorded them: the first of an item, and any that replaced it."""
        effects: Counter[str] = Counter()
        description = self._streams.describe_stream(StreamArn=self._stream_arn)["StreamDescription"]
        for shard in description["Shards"]:
            answer = self._streams.get_shard_iterator(
                StreamArn=self._stream_arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )
            iterator = answer["ShardIterator"]
            while iterator:
                answer = self._streams.get_records(ShardIterator=iterator, Limit=1000)
                records = answer["Records"]
                effects.update(
                    record["dynamodb"]["Keys"]["message_id"]["S"]
                    for record in records
                    if record["eventName"] in _EFFECTS
                )
                iterator = answer.get("NextShardIterator") if records else None
        return effects
