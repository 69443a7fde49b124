"""Dispatcher: starts a durable execution for each message of a queue, and does not wait for it.

The execution has the message's id for a name. Lambda knows a name again, whatever became of its execution
(https://docs.aws.amazon.com/lambda/latest/dg/durable-execution-idempotency.html): a message that is delivered twice starts
one execution.
"""

import functools
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from message import group, to_payload

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
LONGEST_START_MILLISECONDS = 1000 * (ATTEMPTS * (CONNECT_SECONDS + READ_SECONDS) + LONGEST_BACKOFF_SECONDS)

Record = dict[str, Any]


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Start the durable function TARGET_FUNCTION_ARN (an alias) with each record of an SQS mapping's event.

    Messages of a standard queue start side by side, those of a FIFO group one after another, in order.

    Returns:
        `{"batchItemFailures": [{"itemIdentifier": <message id>}...]}`: the messages that did not start, and those behind
        them in their FIFO group. Only a mapping with ReportBatchItemFailures understands it. They are delivered again,
        and end in the queue's dead-letter queue if they never start.

    Raises:
        RuntimeError: if TARGET_FUNCTION_ARN is not set; the whole batch is then delivered again.
    """
    target = os.environ.get("TARGET_FUNCTION_ARN")
    if not target:
        raise RuntimeError(
            "environment variable TARGET_FUNCTION_ARN is not set: give the dispatcher the alias ARN of the durable function"
        )
    client = lambda_client()
    lanes = _lanes(event["Records"])

    # Before the function's own timeout, which would take the started messages of the batch back to the queue as well.
    def in_time() -> bool:
        return bool(context.get_remaining_time_in_millis() >= LONGEST_START_MILLISECONDS)

    with ThreadPoolExecutor(THREADS) as pool:
        rests = pool.map(lambda lane: _start_lane(client, target, lane, in_time), lanes)
        failed = [record["messageId"] for rest in rests for record in rest]
    # SQS may deliver a message twice in one batch; its id is reported once.
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in dict.fromkeys(failed)]}


def _lanes(records: list[Record]) -> list[list[Record]]:
    """Group what must start in order: one lane a FIFO group, one a message otherwise."""
    lanes: dict[tuple[str, str | int], list[Record]] = {}
    for position, record in enumerate(records):
        name = group(record)
        key = ("message", position) if name is None else ("group", name)
        lanes.setdefault(key, []).append(record)
    return list(lanes.values())


def _start_lane(client: Any, target: str, lane: list[Record], in_time: Callable[[], bool]) -> list[Record]:
    """Start a lane in order and return what is left of it: the first that did not start, and all behind it."""
    for position, record in enumerate(lane):
        if not in_time():
            LOGGER.warning("message %s was not started: no time left", record["messageId"], extra=_extra(record))
        elif _start(client, target, record):
            continue
        if behind := len(lane) - position - 1:
            LOGGER.warning(
                "%d messages behind %s in its group wait for it", behind, record["messageId"], extra=_extra(record)
            )
        return lane[position:]
    return []


def _start(client: Any, target: str, record: Record) -> bool:
    """Start one execution; False if there is none of this message afterwards, as far as can be known."""
    message_id = record["messageId"]
    try:
        reply = client.invoke(
            FunctionName=target,
            InvocationType="Event",
            DurableExecutionName=message_id,
            Payload=to_payload(record),
        )
    except ClientError as error:
        # Same name, other payload or (the alias has moved since) other version: it has started before.
        if error.response["Error"]["Code"] == "DurableExecutionAlreadyStartedException":
            LOGGER.info("message %s was started before", message_id, extra=_extra(record))
            return True
        return _not_started(record, error)
    except Exception as error:  # noqa: BLE001  # whatever one record meets, its neighbours are not to be delivered again
        return _not_started(record, error)
    LOGGER.info(
        "message %s started", message_id, extra={**_extra(record), "execution_arn": reply.get("DurableExecutionArn")}
    )
    return True


def _not_started(record: Record, error: Exception) -> bool:
    LOGGER.error(
        "message %s was not started: %s: %s",
        record["messageId"],
        type(error).__name__,
        error,
        extra={**_extra(record), "error": type(error).__name__},
    )
    return False


def _extra(record: Record) -> dict[str, Any]:
    return {"message_id": record["messageId"], "receive_count": record["attributes"].get("ApproximateReceiveCount")}


@functools.cache
def lambda_client() -> Any:
    """Return the environment's one client; its pool has a connection for each thread.

    A start is tried twice here and again with each delivery, so patience would only hold up the rest of the batch.
    """
    return boto3.client(
        "lambda",
        config=Config(
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            max_pool_connections=THREADS,
        ),
    )
