"""Durable orchestrator: every message of an event is validated, transformed, held if it asks for it, and stored.

Durable operations: a single message takes 4 (execution, validate, transform, store), 5 with a hold; a batch of n takes
3n + 2 (the map is one more), plus one a hold. Invocations: a single message takes 4 (start, and one after each step), 5
with a hold. A batch takes 4 as well if the messages keep step, since they run side by side, and one more for each
result that arrives alone.

What a step raises fails its message, never its neighbours. No step is tried again here, and Lambda does not retry a
failed execution (https://docs.aws.amazon.com/lambda/latest/dg/durable-execution-sdk-retries.html), so each step retries
what is transient itself.
"""

import logging
import os
from typing import Any

from aws_durable_execution_sdk_python import DurableContext, durable_execution
from messages import parse_event
from processing import Outcome, process_batch
from settings import Settings

# Read once at import: a published version's environment never changes, so a replay sees the same values.
SETTINGS = Settings.from_environment(os.environ)

LOGGER = logging.getLogger("pipeline")
# Lambda sets a level for the JSON log format only; Python's default would hide INFO in the text format.
if "AWS_LAMBDA_LOG_LEVEL" not in os.environ:
    LOGGER.setLevel(logging.INFO)


class MessagesFailedError(Exception):
    """Messages of an asynchronously started execution failed; the text lists each id with its error."""


@durable_execution  # type: ignore[untyped-decorator]  # the SDK is not followed by mypy here
def handler(event: Any, context: DurableContext) -> dict[str, Any]:
    """Process an event (see `messages.parse_event` for the shapes).

    Returns:
        Behind an event source mapping, `{"batchItemFailures": [{"itemIdentifier": <message id>}...]}`, also when all
        failed. Otherwise `{"processed": n, "results": [{"message_id", "stored"}...]}`.

    Raises:
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
    if batch.from_mapping:
        # SQS may deliver a message twice in one batch; its id is reported once.
        return {"batchItemFailures": [{"itemIdentifier": i} for i in dict.fromkeys(o.message_id for o in failed)]}
    if failed:
        errors = "; ".join(f"{outcome.message_id}: {outcome.error}" for outcome in failed)
        raise MessagesFailedError(f"{len(failed)} of {len(outcomes)} messages failed: {errors}")
    return {
        "processed": len(outcomes),
        "results": [{"message_id": outcome.message_id, "stored": outcome.stored} for outcome in outcomes],
    }


def _log(context: DurableContext, outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        extra: dict[str, Any] = {"message_id": outcome.message_id}
        if outcome.error is not None:
            context.logger.error("message %s failed", outcome.message_id, extra={**extra, "error": outcome.error})
        elif outcome.stored:
            context.logger.info("message %s stored", outcome.message_id, extra=extra)
        else:
            context.logger.info("message %s was stored before", outcome.message_id, extra=extra)
