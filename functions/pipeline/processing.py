"""One message through the steps, and a batch of them side by side.

Everything here is replayed on each invocation: no clock, no randomness, no I/O outside durable operations.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from aws_durable_execution_sdk_python import BatchResult, DurableContext, InvokeError
from aws_durable_execution_sdk_python.config import CompletionConfig, Duration, MapConfig, NestingType
from messages import Batch, Message
from outcome import Outcome, describe
from report import Reporter, max_operations
from settings import Settings

# Limits of a durable execution: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_OPERATIONS = 3_000
MAX_PAYLOAD_BYTES = 1_048_576
# Lambda's longest ExecutionTimeout, 366 days, is also the longest wait (botocore model: WaitOptions.WaitSeconds).
MAX_HOLD_SECONDS = 31_622_400

OPERATIONS_PER_MESSAGE = 4  # and what reports take
OWN_OPERATIONS = 2  # the execution and the map
MAX_MESSAGES = (MAX_OPERATIONS - OWN_OPERATIONS) // OPERATIONS_PER_MESSAGE


class MessageError(ValueError):
    """This one message cannot be processed."""


class BatchTooLargeError(ValueError):
    """The batch needs more operations than an execution may have."""


def process_batch(context: DurableContext, batch: Batch, settings: Settings) -> list[Outcome]:
    """Process all messages side by side, whatever becomes of each, and return their outcomes in the event's order.

    A single lane needs no map, which saves an operation and a checkpoint. Branches are FLAT: the steps' own operations
    tell the story, and a context operation a message would only cost.

    Raises:
        BatchTooLargeError: before the first operation.
    """
    _require_operations(batch, settings)
    lanes = batch.lanes()
    numbered = len(batch.messages) > 1
    if len(lanes) == 1:
        return [Outcome(**outcome) for outcome in _process_lane(context, lanes[0], settings, numbered=numbered)]

    def branch(child: DurableContext, lane: list[Message], _index: int, _lanes: Sequence[Any]) -> list[dict[str, Any]]:
        return _process_lane(child, lane, settings, numbered=numbered)

    result = context.map(
        lanes,
        branch,
        name="messages",
        config=MapConfig(completion_config=CompletionConfig.all_completed(), nesting_type=NestingType.FLAT),
    )
    by_position = _outcomes(lanes, result)
    return [by_position[message.position] for message in batch.messages]


def _require_operations(batch: Batch, settings: Settings) -> None:
    needed = [OPERATIONS_PER_MESSAGE + max_operations(message, settings) for message in batch.messages]
    if OWN_OPERATIONS + sum(needed) > MAX_OPERATIONS:
        raise BatchTooLargeError(
            f"a batch of {len(needed)} messages needs more than the {MAX_OPERATIONS} operations of a durable "
            f"execution: set the bridge's batch_size to at most {(MAX_OPERATIONS - OWN_OPERATIONS) // max(needed)}"
        )


def _outcomes(lanes: list[list[Message]], result: BatchResult[list[dict[str, Any]]]) -> dict[int, Outcome]:
    """Pair each message with its outcome; a lane without a result, or that never started, failed."""
    items = {item.index: item for item in result.all}
    outcomes: dict[int, Outcome] = {}
    for index, lane in enumerate(lanes):
        item = items.get(index)
        if item is not None and item.result is not None:
            found = [Outcome(**outcome) for outcome in item.result]
        else:
            error = item.error if item is not None else None
            reason = describe(error.type, error.message) if error is not None else "NotStarted: it did not run"
            found = [Outcome(message.message_id, error=reason) for message in lane]
        outcomes |= {message.position: outcome for message, outcome in zip(lane, found, strict=True)}
    return outcomes


def _process_lane(
    context: DurableContext, lane: list[Message], settings: Settings, *, numbered: bool
) -> list[dict[str, Any]]:
    """Process a lane in order; after a failure the rest of a FIFO group or key is left, so that nothing overtakes."""
    outcomes: list[Outcome] = []
    for message in lane:
        if outcomes and outcomes[-1].error is not None:
            lane_name = "FIFO group" if message.sequence is None else "stream key"
            reason = f"NotStarted: an earlier message of its {lane_name} failed"
            outcomes.append(Outcome(message.message_id, error=reason))
        else:
            outcomes.append(_process(context, message, settings, suffix=f"-{message.position}" if numbered else ""))
    return [asdict(outcome) for outcome in outcomes]


def _process(context: DurableContext, message: Message, settings: Settings, *, suffix: str) -> Outcome:
    """Run one message and report on it to its sender, if it has one."""
    reporter = Reporter(context, message, settings, suffix=suffix)
    reporter.progress("accepted")
    outcome = _run_steps(context, message, settings, reporter, suffix=suffix)
    reporter.result(outcome)
    return replace(outcome, unreported=reporter.unreported)


def _run_steps(
    context: DurableContext, message: Message, settings: Settings, reporter: Reporter, *, suffix: str
) -> Outcome:
    """Run the steps of one message. A step that fails is the message's outcome; anything else is an error of ours."""
    if message.unreadable is not None:
        return Outcome(message.message_id, error=describe(type(message.unreadable).__name__, str(message.unreadable)))
    payload: dict[str, Any] = {"message_id": message.message_id, "body": message.body}
    if message.sequence is not None:
        payload |= {"key": message.group, "sequence": message.sequence}
    try:
        hold = hold_seconds(message, settings)
        _require_payload_fits(payload)
        payload = context.invoke(settings.validate_arn, payload, name=f"validate{suffix}")
        reporter.progress("validated")
        payload = context.invoke(settings.transform_arn, payload, name=f"transform{suffix}")
        reporter.progress("transformed")
        if hold:
            reporter.progress("held", hold_seconds=hold)
            context.wait(Duration.from_seconds(hold), name=f"hold{suffix}")
        reply = context.invoke(settings.store_arn, payload, name=f"store{suffix}")
    except InvokeError as error:
        return Outcome(message.message_id, error=describe(error.error_type, error.message))
    except MessageError as error:
        return Outcome(message.message_id, error=describe(type(error).__name__, str(error)))
    return Outcome(message.message_id, stored=reply["stored"])


def hold_seconds(message: Message, settings: Settings) -> int:
    """Return how long to hold the message before it is stored, in seconds; 0 for not at all.

    Raises:
        MessageError: unless it is an integer from 0 to 31,622,400.
    """
    if isinstance(message.body, dict) and "hold_seconds" in message.body:
        source, value = "hold_seconds of the message", message.body["hold_seconds"]
    else:
        source, value = "environment variable HOLD_SECONDS", settings.hold_seconds or 0
        if isinstance(value, str) and value.isascii() and value.isdigit():
            value = int(value)
    # bool is an int to Python, but "true" is no duration.
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_HOLD_SECONDS:
        raise MessageError(
            f"{source} is {json.dumps(value)}: it must be an integer from 0 to {MAX_HOLD_SECONDS} (366 days)"
        )
    return value


def _require_payload_fits(payload: dict[str, Any]) -> None:
    # Refused here, it fails one message; refused by the service, it would fail the whole batch.
    size = len(json.dumps(payload))
    if size > MAX_PAYLOAD_BYTES:
        raise MessageError(
            f"the message takes {size} bytes as a step's payload, more than {MAX_PAYLOAD_BYTES}: "
            "keep large content in S3 and send its key"
        )
