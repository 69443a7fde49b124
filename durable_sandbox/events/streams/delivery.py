"""A batch of stream records to a function, synchronously, and what its answer means.

Source: https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html (success and failure
conditions).
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from durable_sandbox.aws.arns import Arn
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.events.batch_results import BatchAnswer, read_answer
from durable_sandbox.events.failures import Failure, kind_of
from durable_sandbox.events.mapping_calls import LOG, MappingCalls, Problems
from durable_sandbox.events.streams.batches import Outcome, Result
from durable_sandbox.events.streams.destination import FailureDestination
from durable_sandbox.events.streams.lane import GivenUp
from durable_sandbox.events.streams.records import StreamRecord, event_of
from durable_sandbox.events.streams.spec import StreamCounts, StreamMappingSpec, StreamSamples

FUNCTION_FAILED = "Function call failed"


class FunctionTarget:
    """The mapping's function, with its on-failure destination. ``samples``: takes what is of the function."""

    def __init__(
        self,
        spec: StreamMappingSpec,
        calls: MappingCalls,
        counts: StreamCounts,
        problems: Problems,
        destination: FailureDestination | None,
        samples: StreamSamples,
    ) -> None:
        self._spec = spec
        self._calls = calls
        self._counts = counts
        self._problems = problems
        self._destination = destination
        self._samples = samples
        self._region = Arn.parse(spec.function_arn).region

    async def deliver(
        self, shard_id: str, records: Sequence[StreamRecord], window: Mapping[str, Any] | None = None
    ) -> Outcome:
        """Invoke once. What keeps the code from running (a throttle, say) is no try; it lasts until the age ends it."""
        del shard_id
        params = {
            "FunctionName": self._spec.function_arn,
            "InvocationType": "RequestResponse",
            "Payload": event_of(records, window).encode(),
        }
        age = max(0.0, time.time() - records[-1].arrived) if records else 0.0
        try:
            answer = await self._calls.own(self._region, "lambda", "Invoke", params)
        except AwsError as error:
            if kind_of(error) is not Failure.THROTTLE:
                text = f"Cannot invoke {self._spec.function_arn}: {error.code}: {error.message}"
                self._problems.note("invoke", text)
            return Outcome(Result.NOT_RUN)
        self._problems.solved("invoke")
        self._counts.invoked += len(records)
        self._samples.ages.append(age * 1000)
        outcome = self._read(answer, records, in_window=window is not None)
        self._count_failures(outcome, len(records))
        return outcome

    async def give_up(self, given_up: GivenUp) -> None:
        """Tell the on-failure destination; without one the records are dropped, as on AWS."""
        size = len(given_up.batch.records)
        if self._destination is None:
            self._counts.dropped += size
        elif await self._destination.send(given_up):
            self._counts.delivered_to_destination += size
        else:
            self._counts.delivery_failures += size
            self._samples.undelivered += 1
            self._counts.dropped += size

    def _read(self, answer: Mapping[str, Any], records: Sequence[StreamRecord], *, in_window: bool) -> Outcome:
        version = str(answer.get("ExecutedVersion") or "$LATEST")
        request_id = str(answer.get("RequestId") or "")
        if answer.get("FunctionError"):
            LOG.info("mapping %s: %d records failed: %s", self._spec.uuid, len(records), _message_of(answer))
            return Outcome(Result.FAILED, 0, str(answer["FunctionError"]), version, request_id)
        payload = bytes(answer.get("Payload") or b"")
        state = _state(payload) if in_window else None
        if in_window and state is None:
            return Outcome(Result.FAILED, 0, None, version, request_id)
        positions = {record.identifier: position for position, record in enumerate(records)}
        reports = self._spec.stream.report_failures
        said = read_answer(payload, positions) if reports else BatchAnswer(frozenset())
        if not said.failed:
            return Outcome(Result.HANDLED, 0, None, version, request_id, state)
        if said.malformed:
            return Outcome(Result.FAILED, 0, None, version, request_id)
        first = min(positions[identifier] for identifier in said.failed)
        return Outcome(Result.PARTIAL, first, None, version, request_id, state)

    def _count_failures(self, outcome: Outcome, size: int) -> None:
        if outcome.result is Result.HANDLED:
            self._problems.solved("function")
            return
        self._problems.note("function", FUNCTION_FAILED)
        self._counts.failed += size - (outcome.first_failed if outcome.result is Result.PARTIAL else 0)


def _message_of(answer: Mapping[str, Any]) -> str:
    """The function's error, in a line."""
    try:
        error = json.loads(bytes(answer.get("Payload") or b"null"))
    except (ValueError, RecursionError):
        error = None
    message = error.get("errorMessage") if isinstance(error, dict) else None
    return str(message or answer["FunctionError"]).partition("\n")[0]


def _state(payload: bytes) -> Any:
    """``state`` of an answer; None if it has none, which a tumbling window takes for a failure."""
    try:
        answer = json.loads(payload or b"null")
    except (ValueError, RecursionError):
        return None
    return answer.get("state") if isinstance(answer, dict) else None
