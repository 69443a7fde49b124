"""Dispatcher: starts a durable execution for each message of a queue or record of a stream, and does not wait for it.

The execution has the message's id for a name; a stream record's id is made of its sequence number (`record.record_id`).
Lambda knows a name again, whatever became of its execution
(https://docs.aws.amazon.com/lambda/latest/dg/durable-execution-idempotency.html): a message that is delivered twice starts
one execution.

With a backlog queue, messages of a standard queue that are older than MAX_AGE_SECONDS are sent there instead, and start
when they come back from it (`sideline`).
"""

import functools
import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from message import Message, to_payload
from record import Record
from sideline import Sideline, batches, read

LOGGER = logging.getLogger("dispatcher")
if "AWS_LAMBDA_LOG_LEVEL" not in os.environ:
    LOGGER.setLevel(logging.INFO)

# One receive of a queue. Nearly all of a start is waiting: with answers after 20 ms ten starts took 231 ms one after another,
# 52 ms on ten threads, and no less on twenty.
THREADS = 10

CONNECT_SECONDS = 1
READ_SECONDS = 4
ATTEMPTS = 2
LONGEST_BACKOFF_SECONDS = 1  # before the second attempt, botocore's standard mode
# Of a start, and of a batch to the backlog queue.
LONGEST_START_MILLISECONDS = 1000 * (ATTEMPTS * (CONNECT_SECONDS + READ_SECONDS) + LONGEST_BACKOFF_SECONDS)


class BatchSplitError(Exception):
    """The first of several stream records did not start: the batch is to be halved."""


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Start the durable function TARGET_FUNCTION_ARN (an alias) with each record of a queue's or a stream's mapping.

    Messages of a standard queue start side by side, those of a FIFO group and stream records of one key one after another,
    in order.

    Returns:
        `{"batchItemFailures": [{"itemIdentifier": <message id or sequence number>}...]}`: what did not start, and what is
        behind it in its FIFO group or key. Only a mapping with ReportBatchItemFailures understands it. Queue messages are
        delivered again, and end in the queue's dead-letter queue if they never start. Of a stream, all is delivered again
        from the lowest number on; what has started is known by its name.

    Raises:
        RuntimeError: if TARGET_FUNCTION_ARN is not set; the whole batch is then delivered again.
        BatchSplitError: after all records have been tried, if the first of several of a stream did not start. Named first
            in an answer, it would take the whole batch along, again and again and to its end; an error halves the batch
            until the record is alone
            (https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html).
    """
    target = os.environ.get("TARGET_FUNCTION_ARN")
    if not target:
        raise RuntimeError(
            "environment variable TARGET_FUNCTION_ARN is not set: give the dispatcher the alias ARN of the durable function"
        )
    client = lambda_client()
    records = event["Records"]
    sideline = Sideline.from_environment()

    # Before the function's own timeout, which would take the started messages of the batch back to the queue as well.
    def in_time() -> bool:
        return bool(context.get_remaining_time_in_millis() >= LONGEST_START_MILLISECONDS)

    with ThreadPoolExecutor(THREADS) as pool:
        if sideline is not None:
            records = _fresh(sideline, records, pool, in_time)
        messages = [read(record) for record in records]
        pause = sideline.start_seconds if sideline is not None and records and sideline.holds(records[0]) else 0.0
        starts = _paced(pool, pause, lambda lane: _start_lane(client, target, lane, in_time), _lanes(messages))
        # SQS may deliver a message twice in one batch; its id is reported once.
        failed = list(dict.fromkeys(message.item_identifier for start in starts for message in start.result()))
    if failed and len(messages) > 1 and messages[0].is_stream and messages[0].item_identifier in failed:
        raise BatchSplitError(
            f"{len(failed)} of {len(messages)} records did not start, the first among them, so the batch is to be halved; "
            f"sequence numbers {', '.join(failed)}"
        )
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in failed]}


def _fresh(
    sideline: Sideline, records: list[Record], pool: ThreadPoolExecutor, in_time: Callable[[], bool]
) -> list[Record]:
    """Send what is too old to the backlog queue, and return the rest, with what could not be sent there."""
    now = time.time()
    old = [record for record in records if sideline.wants(record, now)]
    if not old:
        return records
    client = sqs_client()

    def send(entries: list[Record]) -> list[str]:
        if not in_time():
            return []  # and not to be started either
        try:
            sent, failed = sideline.send(client, entries)
        except Exception as error:  # noqa: BLE001  # a start is what remains, and what would be without a backlog queue
            sent, failed = [], dict.fromkeys((entry["Id"] for entry in entries), f"{type(error).__name__}: {error}")
        for message_id in sent:
            LOGGER.info("message %s was sidelined", message_id, extra={"message_id": message_id})
        for message_id, reason in failed.items():
            LOGGER.warning(
                "message %s was not sidelined, and is started now: %s",
                message_id,
                reason,
                extra={"message_id": message_id},
            )
        return sent

    gone = {message_id for sent in pool.map(send, batches(old)) for message_id in sent}
    return [record for record in records if record["messageId"] not in gone]


def _paced(
    pool: ThreadPoolExecutor,
    pause: float,
    start: Callable[[list[Message]], list[Message]],
    lanes: list[list[Message]],
) -> list[Future[list[Message]]]:
    """Begin one start every `pause` seconds, and return a pause after the last: the next batch begins then."""
    began, starts = time.monotonic(), []
    for position, lane in enumerate(lanes):
        starts.append(pool.submit(start, lane))
        time.sleep(max(0.0, began + (position + 1) * pause - time.monotonic()))
    return starts


def _lanes(messages: list[Message]) -> list[list[Message]]:
    """Group what must start in order: one lane a FIFO group or key, one a message otherwise."""
    lanes: dict[tuple[str, str | int], list[Message]] = {}
    for position, message in enumerate(messages):
        key = ("message", position) if message.group is None else ("group", message.group)
        lanes.setdefault(key, []).append(message)
    return list(lanes.values())


def _start_lane(client: Any, target: str, lane: list[Message], in_time: Callable[[], bool]) -> list[Message]:
    """Start a lane in order and return what is left of it: the first that did not start, and all behind it."""
    for position, message in enumerate(lane):
        if not in_time():
            LOGGER.warning("message %s was not started: no time left", message.message_id, extra=message.log)
        elif _start(client, target, message):
            continue
        if behind := len(lane) - position - 1:
            LOGGER.warning(
                "%d messages behind %s in its group or key wait for it", behind, message.message_id, extra=message.log
            )
        return lane[position:]
    return []


def _start(client: Any, target: str, message: Message) -> bool:
    """Start one execution; False if there is none of this message afterwards, as far as can be known."""
    try:
        reply = client.invoke(
            FunctionName=target,
            InvocationType="Event",
            DurableExecutionName=message.message_id,
            Payload=to_payload(message),
        )
    except ClientError as error:
        # Same name, other payload or (the alias has moved since) other version: it has started before.
        if error.response["Error"]["Code"] == "DurableExecutionAlreadyStartedException":
            LOGGER.info("message %s was started before", message.message_id, extra=message.log)
            return True
        return _not_started(message, error)
    except Exception as error:  # noqa: BLE001  # whatever one record meets, its neighbours are not to be delivered again
        return _not_started(message, error)
    execution_arn = reply.get("DurableExecutionArn")
    LOGGER.info("message %s started", message.message_id, extra={**message.log, "execution_arn": execution_arn})
    return True


def _not_started(message: Message, error: Exception) -> bool:
    LOGGER.error(
        "message %s was not started: %s: %s",
        message.message_id,
        type(error).__name__,
        error,
        extra={**message.log, "error": type(error).__name__},
    )
    return False


@functools.cache
def lambda_client() -> Any:
    """Return the environment's one client for starts; its pool has a connection for each thread.

    A start is tried twice here and again with each delivery, so patience would only hold up the rest of the batch.
    """
    return boto3.client("lambda", config=_config())


@functools.cache
def sqs_client() -> Any:
    """Return the environment's client for the backlog queue, as patient as the other."""
    return boto3.client("sqs", config=_config())


def _config() -> Config:
    return Config(
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        max_pool_connections=THREADS,
    )
