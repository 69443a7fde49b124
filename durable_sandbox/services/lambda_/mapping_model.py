"""Event source mappings as records, their states, and the pollers that work for them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from durable_sandbox.aws.arns import Arn
from durable_sandbox.aws.call import Api
from durable_sandbox.aws.clock import TimePolicy
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.aws.identity import Identities
from durable_sandbox.events.mapping_calls import MappedFunction
from durable_sandbox.events.streams.mapping import StreamMappingPoller
from durable_sandbox.events.streams.spec import StreamCounts, StreamSamples
from durable_sandbox.services.lambda_.mapping_pollers import Poller, build_poller
from durable_sandbox.services.lambda_.mapping_settings import MappingSettings, MappingSpec
from durable_sandbox.services.lambda_.naming import FunctionReference
from durable_sandbox.services.lambda_.store import FunctionStore

logger = logging.getLogger(__name__)

ENABLED = "Enabled"
DISABLED = "Disabled"
_STABLE = frozenset({ENABLED, DISABLED})
# On AWS a change takes some seconds to a minute.
_TRANSITION_S = 10.0


@dataclass(slots=True)
class EventSourceMapping:
    """One mapping. ``function`` keeps the qualifier that the caller named."""

    uuid: str
    region: str
    account: str
    source: Arn
    function: FunctionReference
    function_arn: str
    settings: MappingSettings
    enabled: bool
    state: str
    poller: Poller
    tags: dict[str, str] = field(default_factory=dict)
    modified: datetime = field(default_factory=lambda: datetime.now(UTC))
    last_problem: str | None = None

    @property
    def arn(self) -> Arn:
        """EventSourceMappingArn."""
        return Arn("lambda", self.region, self.account, f"event-source-mapping:{self.uuid}")

    @property
    def in_transition(self) -> bool:
        """Whether a change is being made."""
        return self.state not in _STABLE

    @property
    def spec(self) -> MappingSpec:
        """What the poller runs."""
        return self.settings.spec(self.uuid, self.source, self.function_arn)

    def to_api(self) -> dict[str, Any]:
        """The API's EventSourceMappingConfiguration."""
        shown: dict[str, Any] = {
            "UUID": self.uuid,
            "EventSourceMappingArn": str(self.arn),
            "EventSourceArn": str(self.source),
            "FunctionArn": self.function_arn,
            "State": self.state,
            "StateTransitionReason": self.settings.transition_reason,
            "LastModified": self.modified,
            **self.settings.to_api(),
        }
        result = self._last_result()
        return shown | ({"LastProcessingResult": result} if result else {})

    def enter(self, state: str) -> None:
        """Change state."""
        self.state = state
        self.modified = datetime.now(UTC)

    def _last_result(self) -> str | None:
        """LastProcessingResult. For SQS AWS documents none, so it is there only while something fails.

        For streams: LocalStack's snapshots of AWS, and "PROBLEM: Function call failed" in the examples of
        https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html.
        """
        problem = self.last_problem or self.poller.problem
        if problem:
            return f"PROBLEM: {problem}"
        counts = self.poller.counts
        if not isinstance(counts, StreamCounts):
            return None
        return "OK" if counts.invoked or counts.filtered_out or counts.dropped else "No records processed"


class MappingRegistry:
    """All mappings of a sandbox. Touched from one event loop only."""

    def __init__(
        self, *, api: Api, identities: Identities, time: TimePolicy, functions: FunctionStore, account: str
    ) -> None:
        self._api = api
        self._identities = identities
        self._time = time
        self._functions = functions
        self._account = account
        self._mappings: dict[tuple[str, str], EventSourceMapping] = {}
        self._changes: set[asyncio.Task[None]] = set()
        self._retired: set[Poller] = set()

    def in_region(self, region: str) -> list[EventSourceMapping]:
        """The mappings of ``region``, oldest first."""
        return [mapping for (where, _), mapping in self._mappings.items() if where == region]

    def get(self, region: str, uuid: str) -> EventSourceMapping:
        """One mapping. Raises AwsError ResourceNotFoundException."""
        mapping = self._mappings.get((region, uuid))
        if mapping is None:
            raise AwsError(
                "ResourceNotFoundException", "The resource you requested does not exist.", status=404, Type="User"
            )
        return mapping

    def add(
        self,
        uuid: str,
        source: Arn,
        function: FunctionReference,
        settings: MappingSettings,
        *,
        enabled: bool,
        tags: dict[str, str],
    ) -> EventSourceMapping:
        """Make a mapping; it is Creating, then as ``enabled``."""
        function_arn = _function_arn(self._account, function)
        mapping: EventSourceMapping
        poller = build_poller(
            settings.spec(uuid, source, function_arn),
            api=self._api,
            identities=self._identities,
            time=self._time,
            function=lambda: self._mapped_function(mapping),
        )
        mapping = EventSourceMapping(
            uuid,
            function.region,
            self._account,
            source,
            function,
            function_arn,
            settings,
            enabled=enabled,
            state="Creating",
            poller=poller,
            tags=tags,
        )
        self._mappings[mapping.region, uuid] = mapping
        self._change(mapping, lambda: self._settle(mapping))
        return mapping

    def update(
        self, mapping: EventSourceMapping, function: FunctionReference, settings: MappingSettings, *, enabled: bool
    ) -> None:
        """Change a mapping; batches in flight end as they began."""
        switched = "Enabling" if enabled else "Disabling"
        state = "Updating" if enabled == mapping.enabled else switched
        mapping.function, mapping.settings, mapping.enabled = function, settings, enabled
        mapping.function_arn = _function_arn(self._account, function)
        mapping.enter(state)
        self._change(mapping, lambda: self._settle(mapping))

    def delete(self, mapping: EventSourceMapping) -> None:
        """Remove a mapping; batches in flight are processed to their end."""
        mapping.enter("Deleting")
        self._change(mapping, lambda: self._remove(mapping))

    def status(self) -> list[dict[str, Any]]:
        """Every mapping for the status page."""
        return [
            {
                "region": mapping.region,
                "uuid": mapping.uuid,
                "source": str(mapping.source),
                "function": mapping.function_arn,
                "state": mapping.state,
                "problem": mapping.last_problem or mapping.poller.problem,
                "in_flight": mapping.poller.in_flight,
                "concurrency": mapping.poller.concurrency,
                "counts": asdict(mapping.poller.counts),
            }
            for mapping in self._mappings.values()
        ]

    def take_samples(self) -> list[tuple[FunctionReference, StreamSamples]]:
        """What happened to functions behind streams since the last time."""
        pollers = ((mapping.function, mapping.poller) for mapping in self._mappings.values())
        streams = ((function, poller) for function, poller in pollers if isinstance(poller, StreamMappingPoller))
        return [(function, poller.take_samples()) for function, poller in streams]

    async def reset(self) -> None:
        """End all work now and forget every mapping. What is in flight was not processed, as far as its source knows."""
        changes = list(self._changes)
        for task in changes:
            task.cancel()
        await asyncio.gather(*changes, return_exceptions=True)
        pollers = [mapping.poller for mapping in self._mappings.values()]
        self._mappings.clear()
        await asyncio.gather(*(poller.abort() for poller in [*pollers, *self._retired]))
        self._retired.clear()

    async def close(self) -> None:
        """As reset."""
        await self.reset()

    def _mapped_function(self, mapping: EventSourceMapping) -> MappedFunction:
        _, version = self._functions.version(mapping.function)
        return MappedFunction(version.role, version.timeout)

    def _change(self, mapping: EventSourceMapping, change: Callable[[], Awaitable[None]]) -> None:
        """Make ``change`` in a task; there is one at a time, for a mapping in transition takes no further change."""

        async def make() -> None:
            await asyncio.sleep(self._time.scaled(_TRANSITION_S))
            try:
                await change()
            except Exception as error:
                logger.exception("mapping %s", mapping.uuid)
                mapping.last_problem = f"Internal error of the sandbox: {type(error).__name__}: {error}"
                mapping.enter(DISABLED)

        task = asyncio.create_task(make())
        self._changes.add(task)
        task.add_done_callback(self._changes.discard)

    async def _settle(self, mapping: EventSourceMapping) -> None:
        await mapping.poller.pause()
        if mapping.enabled:
            mapping.poller.start(mapping.spec)
        mapping.last_problem = None
        mapping.enter(ENABLED if mapping.enabled else DISABLED)

    async def _remove(self, mapping: EventSourceMapping) -> None:
        poller = mapping.poller
        self._retired.add(poller)
        await poller.pause()
        del self._mappings[mapping.region, mapping.uuid]
        task = asyncio.create_task(self._finish(poller))
        self._changes.add(task)
        task.add_done_callback(self._changes.discard)

    async def _finish(self, poller: Poller) -> None:
        await poller.drain()
        self._retired.discard(poller)


def _function_arn(account: str, function: FunctionReference) -> str:
    """The function's ARN with the qualifier that the caller named, if any."""
    resource = f"function:{function.name}" + (f":{function.qualifier}" if function.qualifier else "")
    return str(Arn("lambda", function.region, account, resource))
