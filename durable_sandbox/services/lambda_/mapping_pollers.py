"""The pollers that work for mappings, one class a kind of source."""

from __future__ import annotations

from typing import Any, Protocol

from durable_sandbox.aws.call import Api
from durable_sandbox.aws.clock import TimePolicy
from durable_sandbox.aws.identity import Identities
from durable_sandbox.events.mapping_calls import FunctionLookup
from durable_sandbox.events.sqs_mapping import SqsMappingPoller
from durable_sandbox.events.sqs_mapping_spec import MappingCounts
from durable_sandbox.events.streams.mapping import StreamMappingPoller
from durable_sandbox.events.streams.spec import StreamCounts, StreamMappingSpec
from durable_sandbox.services.lambda_.mapping_settings import MappingSpec


class Poller(Protocol):
    """What a mapping needs of its poller, whatever it polls."""

    @property
    def counts(self) -> MappingCounts | StreamCounts:
        """Events since the mapping was created."""
        ...

    @property
    def in_flight(self) -> int:
        """Batches being processed or waiting for their turn."""
        ...

    @property
    def concurrency(self) -> int:
        """Batches that may be in flight now."""
        ...

    @property
    def problem(self) -> str | None:
        """What keeps the mapping from working, if anything does."""
        ...

    def start(self, spec: Any) -> None:
        """Poll as ``spec`` says, which is of the poller's own kind."""
        ...

    async def pause(self) -> None:
        """Read nothing more; what was read is still processed, or read again by the next start."""
        ...

    async def drain(self) -> None:
        """Return when every batch in flight is through."""
        ...

    async def abort(self) -> None:
        """End everything now."""
        ...


def build_poller(
    spec: MappingSpec, *, api: Api, identities: Identities, time: TimePolicy, function: FunctionLookup
) -> Poller:
    """The poller for ``spec``; it does not poll yet."""
    if isinstance(spec, StreamMappingSpec):
        return StreamMappingPoller(spec, api=api, identities=identities, time=time, function=function)
    return SqsMappingPoller(spec, api=api, identities=identities, time=time, function=function)
