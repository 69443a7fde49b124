"""What an execution environment needs to know of a function version, and what an invocation yields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RuntimeSpec:
    """One version of a function. ``timeout`` is in seconds, ``memory_mb`` in MiB.

    Two specs with the same ``key`` share environments; ``revision`` changes whenever code or configuration does.
    """

    account: str
    region: str
    function_name: str
    version: str
    revision: str
    runtime: str
    handler: str
    code_dir: Path
    timeout: int
    memory_mb: int
    role_arn: str
    log_group: str
    log_format: str = "Text"
    log_level: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Region, name, version, revision."""
        return (self.region, self.function_name, self.version, self.revision)


@dataclass(frozen=True, slots=True)
class InvocationRequest:
    """One event for a handler. ``invoked_arn`` is what the caller named: the handler's context shows it."""

    request_id: str
    payload: bytes
    invoked_arn: str
    client_context: str | None = None
    trace_header: str | None = None


@dataclass(frozen=True, slots=True)
class InvocationOutcome:
    """What a handler returned. ``function_error`` is None or ``Unhandled``; then ``payload`` is Lambda's error JSON.

    ``crashed``: the environment was lost (killed, timed out, failed to start), so the handler did not answer itself.
    """

    payload: bytes
    function_error: str | None
    log_tail: str
    duration_ms: float
    crashed: bool = False
