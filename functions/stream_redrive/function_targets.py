"""Functions as targets: a durable one is started under the record's name, a plain one is waited for."""

import json
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError
from clients import client, longest_wait_milliseconds, waiting_client
from items import Failures, Item, Remaining, check_size, side_by_side
from record import canonical_json

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_ASYNCHRONOUS_BYTES = 1_048_576
MAX_SYNCHRONOUS_BYTES = 6_291_456

# Of an error or an answer, in the log.
MAX_TOLD_CHARACTERS = 1000


class FunctionFailedError(RuntimeError):
    """The function did not handle the record: it raised, ran out of time, or says so in its answer."""


class DurableFunctionTarget:
    """Starts an execution for each record, under the record's name; what becomes of it is not waited for."""

    def __init__(self, arn: str) -> None:
        self.arn = arn

    def hand_over(self, items: Sequence[Item], remaining: Remaining) -> Failures:
        """Start each."""
        aws = client("lambda")  # here: to make one is not safe on several threads at once
        return side_by_side(lambda item: self._start(aws, item), items, remaining)

    def _start(self, aws: Any, item: Item) -> None:
        payload = item.payload()
        check_size(payload, MAX_ASYNCHRONOUS_BYTES, "an asynchronous invocation")
        try:
            aws.invoke(
                FunctionName=self.arn, InvocationType="Event", Payload=payload, DurableExecutionName=item.record_id
            )
        except ClientError as error:
            # Same name, and (the alias has moved since) other version: it has started before.
            if error.response["Error"]["Code"] != "DurableExecutionAlreadyStartedException":
                raise


class PlainFunctionTarget:
    """Invokes a function with each record alone, as the stream's mapping would, and waits for its answer.

    Asynchronously, Lambda would take the record and drop it after three failures, unless the function had a dead-letter
    queue.
    """

    def __init__(self, arn: str, timeout: int) -> None:
        self.arn = arn
        self._timeout = timeout

    def hand_over(self, items: Sequence[Item], remaining: Remaining) -> Failures:
        """Invoke it for each."""
        aws = waiting_client(self._timeout)  # here, as above
        longest = longest_wait_milliseconds(self._timeout)
        return side_by_side(lambda item: self._invoke(aws, item), items, remaining, longest)

    def _invoke(self, aws: Any, item: Item) -> None:
        payload = canonical_json({"Records": [item.event]}).encode()
        check_size(payload, MAX_SYNCHRONOUS_BYTES, "an invocation")
        reply = aws.invoke(FunctionName=self.arn, InvocationType="RequestResponse", Payload=payload)
        answer = reply["Payload"].read()
        if reply.get("FunctionError"):
            raise FunctionFailedError(_error(answer))
        _check_answer(answer, item.number)


def _check_answer(answer: bytes, number: str) -> None:
    """Read the answer as a mapping with ReportBatchItemFailures does, for the one record of sequence number `number`.

    Success is an empty or null answer, and one whose `batchItemFailures` is missing, null or empty:
    https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html. A text is read as JSON.

    Raises:
        FunctionFailedError: if it names the record, or what is not in the event, or is a text that is no JSON.
    """
    try:
        value = json.loads(answer) if answer.strip() else None
        value = json.loads(value) if isinstance(value, str) and value else value
    except (ValueError, RecursionError):
        raise FunctionFailedError(f"its answer is no JSON object: {_told(answer)}") from None
    failures = value.get("batchItemFailures") if isinstance(value, dict) else None
    if failures is None or failures == []:
        return
    if failures == [{"itemIdentifier": number}]:
        raise FunctionFailedError("it names the record in batchItemFailures; the reason is in its log")
    raise FunctionFailedError(f"its batchItemFailures is not the record's sequence number {number}: {_told(answer)}")


def _error(answer: bytes) -> str:
    """Return type and message of an error: https://docs.aws.amazon.com/lambda/latest/dg/python-exceptions.html."""
    try:
        error = json.loads(answer)
        parts = [str(error[name]) for name in ("errorType", "errorMessage") if error.get(name)]
    except (ValueError, RecursionError, AttributeError):
        parts = []
    return _shortened(": ".join(parts)) if parts else _told(answer)


def _told(answer: bytes) -> str:
    return _shortened(answer.decode(errors="replace"))


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_TOLD_CHARACTERS else f"{text[:MAX_TOLD_CHARACTERS]}..."
