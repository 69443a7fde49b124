"""Log records of a pipe's executions.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-logs-schema.html (fields) and
.../eb-pipes-logs-execution-steps.html (which step is logged at which level).
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from durable_sandbox.aws.errors import AwsError

_MAXIMUM_RECORD_BYTES = 256 * 1024
_TRUNCATION_ORDER = ("payload", "awsRequest", "awsResponse")
_RANK = {"OFF": 0, "ERROR": 1, "INFO": 2, "TRACE": 3}
_INFO_STEPS = frozenset(
    {
        "ExecutionStarted",
        "ExecutionSucceeded",
        "EnrichmentStageEntered",
        "EnrichmentStageSucceeded",
        "EnrichmentInvocationSkipped",
        "TargetStageEntered",
        "TargetStageSucceeded",
    }
)


def level_of(step: str) -> str:
    """ERROR, INFO or TRACE for an execution step such as ``ExecutionFailed``."""
    if step.endswith(("Failed", "Throttled", "Timeout")):
        return "ERROR"
    return "INFO" if step in _INFO_STEPS else "TRACE"


class PipeLogSink(Protocol):
    """Where records go: CloudWatch Logs."""

    def put(self, region: str, group: str, stream: str, events: Sequence[tuple[int, str]]) -> None:
        """Append ``events``, pairs of epoch milliseconds and text. Must not block."""
        ...


@dataclass(frozen=True, slots=True)
class PipeLogConfig:
    """``LogConfiguration`` with a CloudWatch Logs destination."""

    region: str
    group: str
    level: str
    include_execution_data: bool


@dataclass(frozen=True, slots=True)
class StepError:
    """The ``error`` member of a record."""

    status: int
    message: str
    service: str
    details: str = ""

    @classmethod
    def of(cls, error: AwsError, service: str) -> StepError:
        """From an API call's error; ``service`` is botocore's name."""
        return cls(error.status, error.message, service, error.code)


@dataclass(frozen=True, slots=True)
class ExecutionLog:
    """Records of one execution. Without sink or configuration nothing is written."""

    sink: PipeLogSink | None
    config: PipeLogConfig | None
    pipe_arn: str
    pipe_name: str
    execution_id: str

    def step(
        self,
        message_type: str,
        *,
        error: StepError | None = None,
        payload: Any = None,
        request: Any = None,
        response: Any = None,
    ) -> None:
        """Log that the execution reached ``message_type``; the data only if the pipe includes execution data."""
        level = level_of(message_type)
        if self.sink is None or self.config is None or _RANK[level] > _RANK[self.config.level]:
            return
        now = int(time.time() * 1000)
        record: dict[str, Any] = {
            "executionId": self.execution_id,
            "timestamp": now,
            "messageType": message_type,
            "resourceArn": self.pipe_arn,
            "logLevel": level,
        }
        if self.config.include_execution_data:
            data = {"payload": payload, "awsRequest": request, "awsResponse": response}
            record |= {name: _as_text(value) for name, value in data.items() if value is not None}
        if error is not None:
            record["error"] = {
                "httpStatusCode": error.status,
                "message": error.message,
                "details": error.details,
                "awsService": error.service,
                "requestId": "",
            }
        self.sink.put(self.config.region, self.config.group, self.pipe_name, [(now, _within_limit(record))])


def _as_text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _within_limit(record: dict[str, Any]) -> str:
    record["truncatedFields"] = []
    for name in (None, *_TRUNCATION_ORDER):
        if name in record:
            record[name] = ""
            record["truncatedFields"].append(name)
        text = json.dumps(record)
        if len(text.encode()) <= _MAXIMUM_RECORD_BYTES:
            break
    return text
