"""Durable orchestrator: every message of an event is validated, transformed, held if it asks for it, and stored.

Durable operations: a single message takes 4 (execution, validate, transform, store), 5 with a hold; a batch of n takes
3n + 2 (the map is one more), plus one a hold. Invocations: a single message takes 4 (start, and one after each step), 5
with a hold. A batch takes 4 as well if the messages keep step, since they run side by side, and one more for each
result that arrives alone.

A message that a WebSocket client sent is reported on, if there is a reply function: "accepted" when its execution has started,
"validated", "transformed" and "held" after these, and "stored" or "failed". Each takes one more operation and one more
invocation; a result that does not arrive is tried three times more, each with a wait, so two of both.

What a step raises fails its message, never its neighbours; only what is behind it in its FIFO group or stream key waits.
No step is tried again here, and Lambda does not retry a failed execution
(https://docs.aws.amazon.com/lambda/latest/dg/durable-execution-sdk-retries.html), so each step retries what is transient
itself.
"""

import logging
import os
from collections.abc import Iterable
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from messages import Batch, parse_event
from outcome import Outcome
from processing import process_batch
from settings import Settings

# Read once at import: a published version's environment never changes, so a replay sees the same values.
SETTINGS = Settings.from_environment(os.environ)

LOGGER = logging.getLogger("pipeline")
# Lambda sets a level for the JSON log format only; Python's default would hide INFO in the text format.
if "AWS_LAMBDA_LOG_LEVEL" not in os.environ:
    LOGGER.setLevel(logging.INFO)


class MessagesFailedError(Exception):
    """Messages of an asynchronously started execution failed; the text lists each id with its error."""


class BatchSplitError(Exception):
    """The first of several stream records failed: the batch is to be halved; the text lists each failure."""


@durable_execution  # type: ignore[untyped-decorator]  # the SDK is not followed by mypy here
def handler(event: Any, context: DurableContext) -> dict[str, Any]:
    """Process an event (see `messages.parse_event` for the shapes).

    Returns:
        Behind an event source mapping or a stream's pipe, `{"batchItemFailures": [{"itemIdentifier": <id>}...]}`: for a
        queue the ids of the messages that failed, also when all did, for a stream the sequence numbers of the records.
        Otherwise `{"processed": n, "results": [{"message_id", "stored"}...]}`.

    Raises:
        BatchSplitError: behind a stream's mapping or pipe, after all records have ended, if the first of several failed.
            A stream is tried again from the lowest number that is returned; named first, the whole batch would be, and
            given up together in the end. An error halves it instead, until the failed record is alone
            (https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html).
        MessagesFailedError: started asynchronously, after all messages have ended, if any failed. The execution is then
            FAILED and the function's dead-letter queue gets the event; replaying it repeats no effect.
        EventError, SettingsError, BatchTooLargeError: before the first operation.
    """
    # Logged from this context only: FLAT branches run again on each replay and would log again.
    context.set_logger(LOGGER)
    SETTINGS.require_steps()
    batch = parse_event(event)
    context.logger.info("processing %d messages", len(batch.messages), extra={"messages": len(batch.messages)})
    outcomes = process_batch(context, batch, SETTINGS)
    _log(context, outcomes)
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    if batch.takes_failures:
        return _item_failures(batch, outcomes)
    if failed:
        raise MessagesFailedError(f"{len(failed)} of {len(outcomes)} messages failed: {_list(failed)}")
    return {
        "processed": len(outcomes),
        "results": [{"message_id": outcome.message_id, "stored": outcome.stored} for outcome in outcomes],
    }


def _item_failures(batch: Batch, outcomes: list[Outcome]) -> dict[str, Any]:
    pairs = zip(batch.messages, outcomes, strict=True)
    failed = {message.item_identifier: outcome for message, outcome in pairs if outcome.error is not None}
    if batch.is_stream and len(outcomes) > 1 and batch.messages[0].item_identifier in failed:
        raise BatchSplitError(
            f"{len(failed)} of {len(outcomes)} records failed, the first among them, so the batch is to be halved: "
            f"{_list(failed.values())}"
        )
    # SQS may deliver a message twice in one batch; its id is reported once.
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in failed]}


def _list(failed: Iterable[Outcome]) -> str:
    return "; ".join(f"{outcome.message_id}: {outcome.error}" for outcome in failed)


def _log(context: DurableContext, outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        for report in outcome.unreported:
            context.logger.warning(
                "message %s: its sender got no report %s",
                outcome.message_id,
                report,
                extra={"message_id": outcome.message_id},
            )
        extra: dict[str, Any] = {"message_id": outcome.message_id}
        if outcome.error is not None:
            context.logger.error("message %s failed", outcome.message_id, extra={**extra, "error": outcome.error})
        elif outcome.stored:
            context.logger.info("message %s stored", outcome.message_id, extra=extra)
        else:
            context.logger.info("message %s was stored before", outcome.message_id, extra=extra)
