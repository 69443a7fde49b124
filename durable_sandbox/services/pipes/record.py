"""A pipe as the service keeps it, and what is shown of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from durable_sandbox.aws.arns import Arn
from durable_sandbox.events.pipe_spec import PipeMetrics
from durable_sandbox.events.streams.consumer import StreamConsumer
from durable_sandbox.services.pipes.definition import PipeDefinition

_REASON_LENGTH = 512


class Poller(Protocol):
    """Moves a pipe's records."""

    @property
    def in_flight(self) -> int:
        """Batches being processed."""
        ...

    async def start(self) -> None:
        """Check the source and begin to poll. Raises PipeStartError."""
        ...

    async def stop(self) -> None:
        """End polling; return when what is in flight is through."""
        ...

    async def abort(self) -> None:
        """End everything now."""
        ...


@dataclass(slots=True)
class Pipe:
    """A pipe's record. ``position``: how far it has read its stream, once it has begun to."""

    arn: Arn
    definition: PipeDefinition
    desired_state: str
    current_state: str
    tags: dict[str, str]
    created: datetime
    modified: datetime
    state_reason: str | None = None
    poller: Poller | None = None
    position: StreamConsumer | None = None
    metrics: PipeMetrics = field(default_factory=PipeMetrics)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def brief(self) -> dict[str, Any]:
        """The output of the operations that change a pipe."""
        return {
            "Arn": str(self.arn),
            "Name": self.definition.name,
            "DesiredState": self.desired_state,
            "CurrentState": self.current_state,
            "CreationTime": self.created,
            "LastModifiedTime": self.modified,
        }

    def listed(self) -> dict[str, Any]:
        """An element of ListPipes."""
        definition = self.definition
        optional = {"StateReason": self.state_reason, "Enrichment": definition.enrichment}
        given = {name: value for name, value in optional.items() if value is not None}
        return {**self.brief(), "Source": definition.source, "Target": definition.target, **given}

    def selected(self, wanted: Mapping[str, Any]) -> bool:
        """Whether ListPipes with the members ``wanted`` lists it."""
        return (
            self.definition.name.startswith(wanted.get("NamePrefix") or "")
            and self.definition.source.startswith(wanted.get("SourcePrefix") or "")
            and self.definition.target.startswith(wanted.get("TargetPrefix") or "")
            and wanted.get("DesiredState") in {None, self.desired_state}
            and wanted.get("CurrentState") in {None, self.current_state}
        )

    def set_state(self, state: str, reason: str | None = None) -> None:
        """Enter ``state``."""
        self.current_state = state
        self.state_reason = None if reason is None else reason.replace("\n", " ")[:_REASON_LENGTH]


@dataclass(frozen=True, slots=True)
class PipeSummary:
    """A pipe for the status page; ``in_flight`` are batches."""

    region: str
    name: str
    arn: str
    source: str
    target: str
    desired_state: str
    current_state: str
    state_reason: str | None
    in_flight: int
    metrics: PipeMetrics
