"""One batch of a mapping: invoke the function, read its answer, delete what was handled.

Rules: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from durable_sandbox.aws.arns import Arn
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.events.batch_results import failed_items
from durable_sandbox.events.failures import Failure, kind_of
from durable_sandbox.events.mapping_calls import LOG, Problems
from durable_sandbox.events.sqs_mapping_calls import QueueCalls
from durable_sandbox.events.sqs_mapping_spec import MappingCounts, SqsMappingSpec

_DELETE_MAXIMUM = 10

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """``failed``: ids of messages that stay in the queue; ``backs_off``: the mapping must slow down."""

    failed: frozenset[str]
    backs_off: bool


class Delivery:
    """Delivers batches; safe to use for several at once."""

    def __init__(self, calls: QueueCalls, counts: MappingCounts, problems: Problems) -> None:
        self._calls = calls
        self._counts = counts
        self._problems = problems

    async def deliver(self, spec: SqsMappingSpec, records: Sequence[Record], deadline: float) -> Outcome:
        """Invoke with ``records`` and delete those that were handled. Never raises AwsError."""
        ids = frozenset(str(record["messageId"]) for record in records)
        try:
            answer = await self._invoke(spec, records, deadline)
        except AwsError as error:
            self._counts.failed += len(ids)
            if kind_of(error) is not Failure.THROTTLE:
                self._problems.note("invoke", f"Cannot invoke {spec.function_arn}: {error.code}: {error.message}")
            return Outcome(ids, backs_off=True)
        self._problems.solved("invoke")
        if answer.get("FunctionError"):
            self._counts.failed += len(ids)
            return Outcome(ids, backs_off=True)
        # Without the flag the answer is not looked at: what it names as failed is deleted with the rest, as on AWS.
        failed = failed_items(bytes(answer.get("Payload") or b""), ids) if spec.report_failures else frozenset()
        self._counts.failed += len(failed)
        await self.delete(spec, [record for record in records if record["messageId"] not in failed])
        return Outcome(failed, backs_off=False)

    async def delete(self, spec: SqsMappingSpec, records: Sequence[Record]) -> None:
        """Delete ``records``; one that cannot be deleted comes back and is delivered again (at least once)."""
        for start in range(0, len(records), _DELETE_MAXIMUM):
            chunk = records[start : start + _DELETE_MAXIMUM]
            entries = [{"Id": str(n), "ReceiptHandle": record["receiptHandle"]} for n, record in enumerate(chunk)]
            try:
                answer = await self._calls.queue(spec.queue, "DeleteMessageBatch", {"Entries": entries})
            except AwsError as error:
                self._problems.note("delete", f"Cannot delete messages of {spec.queue}: {error.code}: {error.message}")
                continue
            self._problems.solved("delete")
            refused = answer.get("Failed") or []
            self._counts.deleted += len(chunk) - len(refused)
            for entry in refused:
                message_id = chunk[int(entry["Id"])]["messageId"]
                LOG.warning("mapping %s cannot delete %s: %s", spec.uuid, message_id, entry.get("Message"))

    async def _invoke(self, spec: SqsMappingSpec, records: Sequence[Record], deadline: float) -> Mapping[str, Any]:
        """Invoke, again after a throttle or Lambda's own failure, until the messages are visible again. Raises AwsError."""
        event = json.dumps({"Records": list(records)}, ensure_ascii=False, separators=(",", ":")).encode()
        params = {"FunctionName": spec.function_arn, "InvocationType": "RequestResponse", "Payload": event}
        region, loop, failures = Arn.parse(spec.function_arn).region, asyncio.get_running_loop(), 0
        while True:
            try:
                answer = await self._calls.own(region, "lambda", "Invoke", params)
            except AwsError as error:
                failures += 1
                pause = self._calls.pause_after(failures)
                if kind_of(error) not in (Failure.THROTTLE, Failure.INTERNAL):
                    raise
                if loop.time() + pause >= deadline:
                    LOG.info("mapping %s drops a batch: %s until its messages were visible", spec.uuid, error.code)
                    raise
            else:
                self._counts.invoked += len(records)
                return answer
            await asyncio.sleep(pause)
