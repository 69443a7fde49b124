"""One execution of a pipe: a batch of records through the enrichment to the target.

Sources: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-batching-concurrency.html,
.../eb-pipes-event-target.html, .../pipes-enrichment.html, .../eb-pipes-error-troubleshooting.html.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from durable_sandbox.aws.arns import Arn
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.events.batch_results import failed_items
from durable_sandbox.events.failures import Failure, kind_of
from durable_sandbox.events.pipe_calls import PipeCalls
from durable_sandbox.events.pipe_log import ExecutionLog, PipeLogSink, StepError
from durable_sandbox.events.pipe_spec import PipeMetrics, PipeSpec
from durable_sandbox.events.templates import InputTemplate, TemplateError

SYNC_PAYLOAD_BYTES = 6 * 1024 * 1024
ASYNC_PAYLOAD_BYTES = 1024 * 1024
EXECUTION_LIMIT_S = 300.0
_NOTHING_FROM_ENRICHMENT: tuple[Any, ...] = ("", {}, [])

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """``handled``: ids of records that are done; ``error``: why the rest is not; ``fatal``: why the pipe must stop.

    ``kind``: of the failure of a whole stage; None if there was none, or it lasted too long.
    """

    handled: frozenset[str]
    error: str | None = None
    fatal: str | None = None
    kind: Failure | None = None


class _StageError(Exception):
    """A stage (``Enrichment`` or ``Target``) failed in its ``Transformation`` or ``Invocation``."""

    def __init__(self, stage: str, part: str, kind: Failure, error: StepError) -> None:
        super().__init__(f"{stage}{part}Failed: {error.message}")
        self.stage = stage
        self.part = part
        self.kind = kind
        self.error = error


class PipeExecution:
    """Runs batches for one pipe; safe to use for several at once."""

    def __init__(self, spec: PipeSpec, calls: PipeCalls, metrics: PipeMetrics, sink: PipeLogSink | None) -> None:
        self._spec = spec
        self._calls = calls
        self._metrics = metrics
        self._sink = sink

    async def run(self, records: Sequence[Record], deadline: float) -> Outcome:
        """Process ``records``; internal errors are retried until ``deadline`` (loop time). Never raises AwsError."""
        metrics, spec = self._metrics, self._spec
        metrics.executions += 1
        metrics.events += len(records)
        log = ExecutionLog(self._sink, spec.log, spec.arn, spec.name, str(uuid4()))
        log.step("ExecutionStarted", payload=records)
        ids = frozenset(identifier(record) for record in records)
        try:
            async with asyncio.timeout(EXECUTION_LIMIT_S):
                failed = await self._stages(records, ids, deadline, log)
        except TimeoutError:
            metrics.executions_timed_out += 1
            error = f"the execution did not end within {EXECUTION_LIMIT_S:g} s"
            log.step("ExecutionTimeout", error=StepError(408, error, "pipes"))
            return Outcome(frozenset(), error)
        except _StageError as failure:
            return self._failed(failure, log)
        if not failed:
            metrics.executions_succeeded += 1
            log.step("ExecutionSucceeded")
            return Outcome(ids)
        if failed == ids:
            metrics.executions_failed += 1
            log.step("ExecutionFailed")
        else:
            metrics.executions_partially_failed += 1
            log.step("ExecutionPartiallyFailed")
        return Outcome(ids - failed, f"{len(failed)} of {len(ids)} records failed")

    def _failed(self, failure: _StageError, log: ExecutionLog) -> Outcome:
        if failure.stage == "Enrichment":
            self._metrics.enrichment_stages_failed += 1
        else:
            self._metrics.target_stages_failed += 1
        log.step(f"{failure.stage}{failure.part}Failed", error=failure.error)
        log.step(f"{failure.stage}StageFailed", error=failure.error)
        if failure.kind is Failure.THROTTLE:
            self._metrics.executions_throttled += 1
            log.step("ExecutionThrottled", error=failure.error)
        else:
            self._metrics.executions_failed += 1
            log.step("ExecutionFailed", error=failure.error)
        denied = failure.kind is Failure.PERMISSION
        reason = f"Pipes does not have required permissions to invoke the {failure.stage.lower()}: "
        return Outcome(frozenset(), str(failure), reason + failure.error.message if denied else None, failure.kind)

    async def _stages(
        self, records: Sequence[Record], ids: frozenset[str], deadline: float, log: ExecutionLog
    ) -> frozenset[str]:
        """Run both stages and return the ids that failed. Raises _StageError when the whole batch did."""
        payload: Any = list(records)
        if self._spec.enrichment is not None:
            payload = await self._enrich(self._spec.enrichment, payload, deadline, log)
            if payload in _NOTHING_FROM_ENRICHMENT:
                self._metrics.target_stages_skipped += 1
                log.step("TargetInvocationSkipped")
                return frozenset()
        log.step("TargetStageEntered", payload=payload)
        if self._spec.target.service == "sqs":
            failed = await self._send(payload, ids, deadline, log)
        else:
            failed = await self._invoke_target(payload, ids, deadline, log)
        if not failed:
            log.step("TargetStageSucceeded")
        else:
            self._metrics.target_stages_failed += 1
            log.step("TargetStageFailed" if failed == ids else "TargetStagePartiallyFailed")
        return failed

    async def _enrich(self, function: Arn, payload: Any, deadline: float, log: ExecutionLog) -> Any:
        log.step("EnrichmentStageEntered", payload=payload)
        request = self._transform("Enrichment", self._spec.enrichment_template, payload, self._spec.data_key, log)
        answer = await self._invoke("Enrichment", function, request, deadline, log, asynchronous=False)
        log.step("EnrichmentStageSucceeded", payload=answer)
        try:
            return json.loads(answer) if answer else ""
        except ValueError:
            return answer.decode("utf-8", "replace")

    async def _invoke_target(
        self, payload: Any, ids: frozenset[str], deadline: float, log: ExecutionLog
    ) -> frozenset[str]:
        spec = self._spec
        request = self._transform("Target", spec.target_template, payload, self._target_data_key, log)
        answer = await self._invoke("Target", spec.target, request, deadline, log, asynchronous=spec.asynchronous)
        failed = frozenset() if spec.asynchronous else failed_items(answer, ids)
        if failed:
            step = "TargetInvocationFailed" if failed == ids else "TargetInvocationPartiallyFailed"
            log.step(step, error=StepError(200, "the function reported failed messages", "lambda"), response=answer)
        return failed

    @property
    def _target_data_key(self) -> str | None:
        return self._spec.data_key if self._spec.enrichment is None else None

    def _transform(
        self, stage: str, template: InputTemplate | None, payload: Any, data_key: str | None, log: ExecutionLog
    ) -> Any:
        """``payload`` through the stage's template, element by element where it is an array."""
        if template is None:
            return payload
        log.step(f"{stage}TransformationStarted", payload=payload)
        now, variables = datetime.now(UTC), self._spec.variables

        def one(event: Any) -> Any:
            return template.render_json(event, variables, received_at=now, data_key=data_key)

        try:
            result = [one(event) for event in payload] if isinstance(payload, list) else one(payload)
        except TemplateError as error:
            raise _StageError(stage, "Transformation", Failure.CUSTOMER, StepError(400, str(error), "pipes")) from error
        log.step(f"{stage}TransformationSucceeded", payload=result)
        return result

    async def _invoke(
        self, stage: str, function: Arn, request: Any, deadline: float, log: ExecutionLog, *, asynchronous: bool
    ) -> bytes:
        """Invoke ``function`` and return its answer (empty for an asynchronous one).

        Raises _StageError, and TimeoutError for a durable execution that on AWS would have taken longer than the limit.
        """
        payload = json.dumps(request, ensure_ascii=False, separators=(",", ":")).encode()
        params = {
            "FunctionName": str(function),
            "InvocationType": "Event" if asynchronous else "RequestResponse",
            "Payload": payload,
        }
        log.step(f"{stage}InvocationStarted", request=payload)
        try:
            _check_size(payload, asynchronous=asynchronous)
            result = await self._calls.persist(deadline, function.region, "lambda", "Invoke", params)
            execution = None if asynchronous else result.get("DurableExecutionArn")
            if execution is not None and await self._calls.modelled_seconds(execution) > EXECUTION_LIMIT_S:
                # Its waits were skipped. On AWS the pipe would have stopped waiting, and the execution gone on without it.
                raise TimeoutError
        except AwsError as error:
            raise _StageError(stage, "Invocation", kind_of(error), StepError.of(error, "lambda")) from error
        answer = bytes(result.get("Payload") or b"")
        if result.get("FunctionError"):
            text = answer.decode("utf-8", "replace")
            error_of_function = StepError(200, text, "lambda", str(result["FunctionError"]))
            raise _StageError(stage, "Invocation", Failure.CUSTOMER, error_of_function)
        log.step(f"{stage}InvocationSucceeded", response=answer)
        return answer

    async def _send(self, payload: Any, ids: frozenset[str], deadline: float, log: ExecutionLog) -> frozenset[str]:
        """Send each element to the target queue; ids of elements that could not be sent, all if they have none."""
        target = self._spec.target
        elements = payload if isinstance(payload, list) else [payload]
        failures: list[tuple[int, _StageError]] = []
        log.step("TargetInvocationStarted", request=payload)
        url = await self._target_url(target)
        for position, element in enumerate(elements):
            try:
                params = {"QueueUrl": url, **self._message(element)}
                await self._calls.persist(deadline, target.region, "sqs", "SendMessage", params)
            except TemplateError as error:
                step = StepError(400, str(error), "pipes")
                failures.append((position, _StageError("Target", "Transformation", Failure.CUSTOMER, step)))
            except AwsError as error:
                step = StepError.of(error, "sqs")
                failures.append((position, _StageError("Target", "Invocation", kind_of(error), step)))
            if failures and self._spec.stream is not None:
                # What comes after it is tried again with it, in order.
                break
        if not failures:
            log.step("TargetInvocationSucceeded")
            return frozenset()
        whole = len(failures) == len(elements) or (self._spec.stream is not None and failures[0][0] == 0)
        if self._spec.enrichment is not None or whole:
            raise failures[0][1]
        log.step("TargetInvocationPartiallyFailed", error=failures[0][1].error)
        return frozenset(identifier(elements[position]) for position, _ in failures) & ids

    async def _target_url(self, target: Arn) -> str:
        try:
            return await self._calls.queue_url(target)
        except AwsError as error:
            raise _StageError("Target", "Invocation", kind_of(error), StepError.of(error, "sqs")) from error

    def _message(self, element: Any) -> dict[str, str]:
        spec, now = self._spec, datetime.now(UTC)

        def text(template: InputTemplate) -> str:
            return template.render(element, spec.variables, received_at=now, data_key=self._target_data_key)

        def plain(template: InputTemplate) -> str:
            rendered = text(template)
            return str(json.loads(rendered)) if rendered.startswith('"') else rendered

        template = spec.target_template
        message = {"MessageBody": json.dumps(element, ensure_ascii=False) if template is None else text(template)}
        if spec.sqs_target.group_id is not None:
            message["MessageGroupId"] = plain(spec.sqs_target.group_id)
        if spec.sqs_target.deduplication_id is not None:
            message["MessageDeduplicationId"] = plain(spec.sqs_target.deduplication_id)
        return message


def identifier(record: Record) -> str:
    """What ``batchItemFailures`` calls a record: a message's id, the ``eventID`` of a stream record.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-batching-concurrency.html. A mapping calls the latter by
    its sequence number.
    """
    return str(record["messageId"] if "messageId" in record else record["eventID"])


def _check_size(payload: bytes, *, asynchronous: bool) -> None:
    """Refuse what the Invoke API would refuse (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html)."""
    limit = ASYNC_PAYLOAD_BYTES if asynchronous else SYNC_PAYLOAD_BYTES
    if len(payload) > limit:
        kind = "Event" if asynchronous else "RequestResponse"
        raise AwsError(
            "RequestTooLargeException",
            f"{len(payload)} byte payload is too large for the {kind} invocation type (limit {limit} bytes). "
            "Lower the pipe's BatchSize.",
            status=413,
        )
