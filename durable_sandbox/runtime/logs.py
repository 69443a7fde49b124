"""Log lines of an environment: what the handler prints, and Lambda's own START, END and REPORT lines.

Text lines and JSON platform events as in
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Protocol
from uuid import uuid4

from durable_sandbox.runtime.spec import RuntimeSpec

_TAIL_BYTES = 4096
"""LogType=Tail returns the last 4 KB (Lambda API, Invoke)."""


class LogWriter(Protocol):
    """Where log events go: CloudWatch Logs. Must not block."""

    def put(
        self, region: str, group: str, stream: str, events: Sequence[tuple[int, str]], *, role_arn: str | None = None
    ) -> None:
        """Append ``events``: milliseconds since the epoch and text; with the permissions of ``role_arn``."""
        ...


class LogLines:
    """The log stream of one environment."""

    def __init__(self, writer: LogWriter, spec: RuntimeSpec) -> None:
        self._writer = writer
        self._spec = spec
        today = datetime.now(UTC).strftime("%Y/%m/%d")
        self.stream = f"{today}/[{spec.version}]{uuid4().hex}"
        self.recent: deque[str] = deque(maxlen=200)

    def write(self, line: str) -> None:
        """Append one line, stamped now."""
        self.recent.append(line)
        event = (int(time.time() * 1000), line)
        self._writer.put(self._spec.region, self._spec.log_group, self.stream, [event], role_arn=self._spec.role_arn)


class InvocationLog:
    """The lines around one invocation."""

    def __init__(self, lines: LogLines, request_id: str, spec: RuntimeSpec) -> None:
        self._lines = lines
        self._request_id = request_id
        self._spec = spec

    def start(self) -> None:
        """Write START."""
        self._lines.recent.clear()
        if self._spec.log_format == "JSON":
            self._platform("platform.start", {"version": self._spec.version})
        else:
            self._lines.write(f"START RequestId: {self._request_id} Version: {self._spec.version}")

    def end(self, duration_ms: float, *, error: str | None, failed: bool = False) -> None:
        """Write END and REPORT, before them ``error`` if the environment was lost. ``failed``: the function says so.

        Statuses: https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html#platform-report
        """
        if error:
            self._lines.write(error)
        billed = int(duration_ms) + 1
        if self._spec.log_format == "JSON":
            metrics = {
                "durationMs": round(duration_ms, 3),
                "billedDurationMs": billed,
                "memorySizeMB": self._spec.memory_mb,
            }
            self._platform("platform.report", {"metrics": metrics, "status": _status(error, failed=failed)})
            return
        self._lines.write(f"END RequestId: {self._request_id}")
        self._lines.write(
            f"REPORT RequestId: {self._request_id}\tDuration: {duration_ms:.2f} ms\t"
            f"Billed Duration: {billed} ms\tMemory Size: {self._spec.memory_mb} MB"
        )

    def tail(self) -> str:
        """The invocation's last lines, at most 4 KB."""
        return "\n".join(self._lines.recent)[-_TAIL_BYTES:]

    def _platform(self, kind: str, record: dict[str, object]) -> None:
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        self._lines.write(json.dumps({"time": stamp, "type": kind, "record": {"requestId": self._request_id} | record}))


def _status(lost: str | None, *, failed: bool) -> str:
    if lost:
        return "timeout" if "Task timed out" in lost else "failure"
    return "error" if failed else "success"
