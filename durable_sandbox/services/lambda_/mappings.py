"""Operations on event source mappings.

Texts of errors: AWS's, where reports show them. https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from durable_sandbox.aws.arns import Arn
from durable_sandbox.aws.call import Call
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.services.lambda_.errors import invalid
from durable_sandbox.services.lambda_.functions import FunctionOperations
from durable_sandbox.services.lambda_.invoke import MAX_SYNC_EXECUTION_SECONDS
from durable_sandbox.services.lambda_.mapping_access import SourceAccess
from durable_sandbox.services.lambda_.mapping_model import EventSourceMapping, MappingRegistry
from durable_sandbox.services.lambda_.mapping_settings import MappingSettings
from durable_sandbox.services.lambda_.mapping_sources import not_emulated, source_defaults
from durable_sandbox.services.lambda_.mapping_stream_settings import StreamSettings
from durable_sandbox.services.lambda_.model import Version
from durable_sandbox.services.lambda_.naming import FunctionReference

_MAX_PAGE = 100
_MAPPING_RESOURCE = "event-source-mapping:"
_SESSION = "awslambda-mapping"


class MappingOperations(FunctionOperations):
    """Event source mappings; their tags share operations with those of functions."""

    mappings: MappingRegistry

    async def create_event_source_mapping(self, call: Call) -> Mapping[str, Any]:
        """CreateEventSourceMapping: answers at once, state Creating."""
        params, uuid = call.params, str(uuid4())
        source = _source(params)
        settings = source_defaults(source).updated(params, source)
        function, version = self._target(call)
        if source.region != function.region:
            kind = "queue" if source.service == "sqs" else "stream"
            raise invalid(f"The {kind} {source} and the function must be in the same Region, {function.region}.")
        self._refuse_duplicate(source, function, but=None)
        await self._check_access(uuid, source, settings, version)
        # Again: another call may have come in between.
        self._refuse_duplicate(source, function, but=None)
        return self.mappings.add(
            uuid,
            source,
            function,
            settings,
            enabled=params.get("Enabled") is not False,
            tags=dict(params.get("Tags") or {}),
        ).to_api()

    def get_event_source_mapping(self, call: Call) -> Mapping[str, Any]:
        """GetEventSourceMapping."""
        return self.mappings.get(call.region, call.params["UUID"]).to_api()

    def list_event_source_mappings(self, call: Call) -> Mapping[str, Any]:
        """ListEventSourceMappings, at most 100 a page. A function named without qualifier stands for all its qualifiers."""
        params = call.params
        found = self.mappings.in_region(call.region)
        if params.get("EventSourceArn"):
            found = [mapping for mapping in found if str(mapping.source) == params["EventSourceArn"]]
        if params.get("FunctionName"):
            wanted = self.reference(call)
            found = [
                mapping
                for mapping in found
                if mapping.function.name == wanted.name and wanted.qualifier in (None, mapping.function.qualifier)
            ]
        start = _offset(params.get("Marker"))
        end = start + min(params.get("MaxItems") or _MAX_PAGE, _MAX_PAGE)
        page = {"EventSourceMappings": [mapping.to_api() for mapping in found[start:end]]}
        return page | ({"NextMarker": str(end)} if end < len(found) else {})

    async def update_event_source_mapping(self, call: Call) -> Mapping[str, Any]:
        """UpdateEventSourceMapping: merges; state Updating, Enabling or Disabling."""
        params = call.params
        mapping = self._changeable(call, "update")
        settings = mapping.settings.updated(params, mapping.source)
        if params.get("FunctionName"):
            function, version = self._target(call)
        else:
            function, version = mapping.function, self._version(mapping.function)
        self._refuse_duplicate(mapping.source, function, but=mapping)
        await self._check_access(mapping.uuid, mapping.source, settings, version)
        mapping = self._changeable(call, "update")
        enabled = params.get("Enabled")
        self.mappings.update(mapping, function, settings, enabled=mapping.enabled if enabled is None else enabled)
        return mapping.to_api()

    def delete_event_source_mapping(self, call: Call) -> Mapping[str, Any]:
        """DeleteEventSourceMapping: state Deleting, then gone."""
        mapping = self._changeable(call, "delete")
        self.mappings.delete(mapping)
        return mapping.to_api()

    # --- tags ---------------------------------------------------------------------------------------------------

    def tag_resource(self, call: Call) -> None:
        """TagResource."""
        mapping = self._tagged(call)
        if mapping is None:
            super().tag_resource(call)
        else:
            mapping.tags.update(call.params["Tags"])

    def untag_resource(self, call: Call) -> None:
        """UntagResource."""
        mapping = self._tagged(call)
        if mapping is None:
            super().untag_resource(call)
            return
        for key in call.params["TagKeys"]:
            mapping.tags.pop(key, None)

    def list_tags(self, call: Call) -> Mapping[str, Any]:
        """ListTags."""
        mapping = self._tagged(call)
        return super().list_tags(call) if mapping is None else {"Tags": dict(mapping.tags)}

    # --- inside -------------------------------------------------------------------------------------------------

    def _tagged(self, call: Call) -> EventSourceMapping | None:
        """The mapping that the call names; None if it names something else."""
        if f":{_MAPPING_RESOURCE}" not in call.params["Resource"]:
            return None
        arn = Arn.parse(call.params["Resource"])
        return self.mappings.get(arn.region, arn.resource.removeprefix(_MAPPING_RESOURCE))

    def _changeable(self, call: Call, verb: str) -> EventSourceMapping:
        mapping = self.mappings.get(call.region, call.params["UUID"])
        if mapping.in_transition:
            raise AwsError(
                "ResourceInUseException",
                f"Cannot {verb} the event source mapping because it is in use.",
                Type="User",
            )
        return mapping

    def _target(self, call: Call) -> tuple[FunctionReference, Version]:
        """The function that the call names, with its version now. Raises AwsError if a mapping cannot invoke it."""
        reference = self.reference(call)
        return reference, self._version(reference)

    def _version(self, reference: FunctionReference) -> Version:
        if not any((f.region, f.name) == (reference.region, reference.name) for f in self.functions):
            raise invalid("Function does not exist")
        _, version = self.functions.version(reference)
        if version.durable is None:
            return version
        if reference.qualifier is None:
            raise invalid(
                f"A durable function is mapped by a qualified ARN: name a version or an alias of {reference.name}."
            )
        if version.durable.execution_timeout > MAX_SYNC_EXECUTION_SECONDS:
            raise invalid(
                f"The executionTimeout of {version.durable.execution_timeout} seconds of the durable function "
                f"{reference.name} is greater than 15 minutes: an event source mapping invokes synchronously."
            )
        return version

    def _refuse_duplicate(self, source: Arn, function: FunctionReference, *, but: EventSourceMapping | None) -> None:
        for mapping in self.mappings.in_region(function.region):
            if mapping is not but and (mapping.source, mapping.function) == (source, function):
                name = function.name if function.qualifier is None else f"{function.name}:{function.qualifier}"
                if source.service == "sqs":
                    told = (
                        f'An event source mapping with SQS arn (" {source} ") and function (" {name} ") already exists.'
                    )
                else:
                    told = f'The event source arn (" {source} ") and function (" {name} ") provided mapping already exists.'
                raise AwsError(
                    "ResourceConflictException",
                    f"{told} Please update or delete the existing mapping with UUID {mapping.uuid}",
                    status=409,
                    Type="User",
                )

    async def _check_access(self, uuid: str, source: Arn, settings: MappingSettings, version: Version) -> None:
        """Raises AwsError unless the source exists and suits, and the function's role may do what the mapping needs."""
        role = self.identities.service(version.role, _SESSION)
        reach = SourceAccess(self.api, self.access, self.identities.root(), role)
        if not isinstance(settings, StreamSettings):
            await reach.check_queue(source, version.timeout)
            return
        await reach.check_stream(settings.stream_spec(source))
        if settings.on_failure is not None:
            reach.check_destination(settings.on_failure, source.region, uuid)


def _source(params: Mapping[str, Any]) -> Arn:
    if params.get("EventSourceArn"):
        return Arn.parse(params["EventSourceArn"])
    if params.get("SelfManagedEventSource"):
        raise not_emulated("a self-managed Kafka cluster")
    raise invalid("Unrecognized event source.")


def _offset(marker: str | None) -> int:
    if not marker:
        return 0
    if not marker.isdigit():
        raise invalid(f"Invalid Marker {marker!r}.")
    return int(marker)
