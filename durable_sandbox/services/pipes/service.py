"""The Pipes API.

Source: https://docs.aws.amazon.com/eventbridge/latest/pipes-reference/ and the botocore model. Create, update, start,
stop and delete answer at once with a transitional state; the change itself is made by a task, one after another a pipe.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, ClassVar

from durable_sandbox.aws.access import Access, Unrestricted
from durable_sandbox.aws.arns import Arn
from durable_sandbox.aws.call import Api, Call, Service
from durable_sandbox.aws.clock import TimePolicy
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.aws.identity import Identities
from durable_sandbox.events.pipe import PipePoller, PollerLimits
from durable_sandbox.events.pipe_log import PipeLogSink
from durable_sandbox.events.pipe_spec import PipeStartError
from durable_sandbox.events.pipe_stream import StreamPipePoller, position_of
from durable_sandbox.services.pipes.definition import PipeDefinition
from durable_sandbox.services.pipes.record import Pipe, PipeSummary, Poller
from durable_sandbox.services.pipes.validation import check_schema, field_error

LOG = logging.getLogger(__name__)

_DEFAULT_PAGE = 100
_MAXIMUM_TAGS = 50
_TRANSITIONAL = frozenset({"CREATING", "UPDATING", "DELETING", "STARTING", "STOPPING"})


class PipesService(Service):
    """Pipes from SQS queues, Kinesis and DynamoDB streams to Lambda functions or SQS queues."""

    name: ClassVar[str] = "pipes"

    def __init__(
        self,
        *,
        api: Api,
        identities: Identities,
        account: str,
        time: TimePolicy,
        log: PipeLogSink | None,
        limits: PollerLimits | None = None,
        access: Access | None = None,
    ) -> None:
        self._api = api
        self._access = access or Unrestricted()
        self._identities = identities
        self._account = account
        self._time = time
        self._log = log
        self._limits = limits
        self._pipes: dict[tuple[str, str], Pipe] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def create_pipe(self, call: Call) -> Mapping[str, Any]:
        """Create a pipe; it is CREATING, then as desired. Raises ConflictException, ValidationException."""
        check_schema("CreatePipe", call.params)
        definition = PipeDefinition.created(call.params)
        key = (call.region, definition.name)
        if key in self._pipes:
            raise _conflict(definition.name, f"Pipe {definition.name} already exists")
        arn = Arn("pipes", call.region, self._account, f"pipe/{definition.name}")
        definition.spec(str(arn))
        self._check_role(definition, arn)
        now = datetime.now(UTC)
        desired = call.params.get("DesiredState") or "RUNNING"
        pipe = Pipe(arn, definition, desired, "CREATING", dict(call.params.get("Tags") or {}), now, now)
        self._pipes[key] = pipe
        self._change(pipe, lambda: self._settle(pipe, "CREATE_FAILED"))
        return pipe.brief()

    def describe_pipe(self, call: Call) -> Mapping[str, Any]:
        """Give the whole definition. Raises NotFoundException."""
        pipe = self._pipe(call)
        reason = {} if pipe.state_reason is None else {"StateReason": pipe.state_reason}
        return {**pipe.definition.described(), **pipe.brief(), **reason, "Tags": dict(pipe.tags)}

    def update_pipe(self, call: Call) -> Mapping[str, Any]:
        """Merge a change in. Raises NotFoundException, ConflictException, ValidationException."""
        check_schema("UpdatePipe", call.params)
        pipe = self._settled_pipe(call)
        definition = pipe.definition.updated(call.params)
        definition.spec(str(pipe.arn))
        self._check_role(definition, pipe.arn)
        pipe.definition = definition
        self._want(pipe, call.params.get("DesiredState") or pipe.desired_state, "UPDATING")
        self._change(pipe, lambda: self._settle(pipe, "UPDATE_FAILED"))
        return pipe.brief()

    def delete_pipe(self, call: Call) -> Mapping[str, Any]:
        """Delete a pipe; batches in flight are finished first. Raises NotFoundException, ConflictException."""
        pipe = self._pipe(call)
        if pipe.current_state != "DELETING":
            pipe = self._settled_pipe(call)
            self._want(pipe, "DELETED", "DELETING")
            self._change(pipe, lambda: self._remove(call.region, pipe))
        return pipe.brief()

    def start_pipe(self, call: Call) -> Mapping[str, Any]:
        """Start a pipe; a running one stays as it is. Raises NotFoundException, ConflictException."""
        pipe = self._settled_pipe(call)
        if pipe.current_state != "RUNNING":
            self._want(pipe, "RUNNING", "STARTING")
            self._change(pipe, lambda: self._settle(pipe, "START_FAILED"))
        return pipe.brief()

    def stop_pipe(self, call: Call) -> Mapping[str, Any]:
        """Stop a pipe; batches in flight are finished first. Raises NotFoundException, ConflictException."""
        pipe = self._settled_pipe(call)
        self._want(pipe, "STOPPED", "STOPPING")
        self._change(pipe, lambda: self._settle(pipe, "STOP_FAILED"))
        return pipe.brief()

    def list_pipes(self, call: Call) -> Mapping[str, Any]:
        """List pipes by name. Raises ValidationException."""
        check_schema("ListPipes", call.params)
        wanted = call.params
        after = _decode_token(wanted.get("NextToken"))
        pipes = [pipe for (region, _), pipe in sorted(self._pipes.items()) if region == call.region]
        pipes = [pipe for pipe in pipes if pipe.definition.name > after and pipe.selected(wanted)]
        page = pipes[: wanted.get("Limit") or _DEFAULT_PAGE]
        answer: dict[str, Any] = {"Pipes": [pipe.listed() for pipe in page]}
        if len(page) < len(pipes):
            answer["NextToken"] = base64.urlsafe_b64encode(page[-1].definition.name.encode()).decode()
        return answer

    def tag_resource(self, call: Call) -> None:
        """Add or overwrite tags. Raises NotFoundException, ValidationException."""
        check_schema("TagResource", call.params)
        pipe = self._tagged(call)
        tags = {**pipe.tags, **call.params["tags"]}
        if len(tags) > _MAXIMUM_TAGS:
            raise field_error("tags", f"A pipe has at most {_MAXIMUM_TAGS} tags, this would make {len(tags)}.")
        pipe.tags = tags

    def untag_resource(self, call: Call) -> None:
        """Remove tags. Raises NotFoundException, ValidationException."""
        check_schema("UntagResource", call.params)
        pipe = self._tagged(call)
        pipe.tags = {name: value for name, value in pipe.tags.items() if name not in call.params["tagKeys"]}

    def list_tags_for_resource(self, call: Call) -> Mapping[str, Any]:
        """Give a pipe's tags. Raises NotFoundException, ValidationException."""
        check_schema("ListTagsForResource", call.params)
        return {"tags": dict(self._tagged(call).tags)}

    def status(self) -> dict[str, list[dict[str, Any]]]:
        """Pipes with what they did, for the status page."""
        return {
            "pipes": [
                asdict(pipe) | {"state": pipe.current_state, "reason": pipe.state_reason or ""} for pipe in self.pipes()
            ]
        }

    def pipes(self) -> list[PipeSummary]:
        """A snapshot for the status page."""
        return [
            PipeSummary(
                region=region,
                name=name,
                arn=str(pipe.arn),
                source=pipe.definition.source,
                target=pipe.definition.target,
                desired_state=pipe.desired_state,
                current_state=pipe.current_state,
                state_reason=pipe.state_reason,
                in_flight=0 if pipe.poller is None else pipe.poller.in_flight,
                metrics=pipe.metrics,
            )
            for (region, name), pipe in sorted(self._pipes.items())
        ]

    async def close(self) -> None:
        """End all work now. Messages in flight come back by their visibility timeout."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        pollers = [pipe.poller for pipe in self._pipes.values() if pipe.poller is not None]
        await asyncio.gather(*(poller.abort() for poller in pollers))
        for pipe in self._pipes.values():
            pipe.poller = None

    async def reset(self) -> None:
        """Remove every pipe."""
        await self.close()
        self._pipes.clear()

    def _trusted(self, definition: PipeDefinition, arn: Arn) -> bool:
        return self._access.assumable(
            definition.role_arn, "pipes.amazonaws.com", source_arn=str(arn), source_account=self._account
        )

    def _check_role(self, definition: PipeDefinition, arn: Arn) -> None:
        """Raises AwsError unless the role's trust policy lets Pipes assume it for this pipe."""
        if not self._trusted(definition, arn):
            raise field_error("RoleArn", _untrusted(definition))

    def _pipe(self, call: Call) -> Pipe:
        name = call.params.get("Name", "")
        pipe = self._pipes.get((call.region, name))
        if pipe is None:
            raise AwsError("NotFoundException", f"Pipe {name} does not exist.")
        return pipe

    def _settled_pipe(self, call: Call) -> Pipe:
        pipe = self._pipe(call)
        if pipe.current_state in _TRANSITIONAL:
            name = pipe.definition.name
            raise _conflict(name, f"Pipe {name} is {pipe.current_state}; {call.operation} must wait until that ends.")
        return pipe

    def _tagged(self, call: Call) -> Pipe:
        arn = Arn.parse(call.params["resourceArn"])
        pipe = self._pipes.get((arn.region, arn.resource.removeprefix("pipe/")))
        if pipe is None or pipe.arn != arn:
            raise AwsError("NotFoundException", f"Resource {arn} does not exist.")
        return pipe

    def _want(self, pipe: Pipe, desired: str, transitional: str) -> None:
        pipe.desired_state = desired
        pipe.modified = datetime.now(UTC)
        pipe.set_state(transitional)

    def _change(self, pipe: Pipe, change: Callable[[], Awaitable[None]]) -> None:
        """Make ``change`` in a task of its own, after the pipe's earlier changes."""

        async def make() -> None:
            async with pipe.lock:
                try:
                    await change()
                except Exception as error:
                    LOG.exception("pipe %s", pipe.definition.name)
                    pipe.set_state("UPDATE_FAILED", f"Internal error of the sandbox: {type(error).__name__}: {error}")

        task = asyncio.create_task(make())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _settle(self, pipe: Pipe, failed_state: str) -> None:
        """Replace the poller by one of the present definition, or by none, as desired."""
        await self._stop_poller(pipe)
        if pipe.desired_state != "RUNNING":
            pipe.set_state("STOPPED")
            return
        if not self._trusted(pipe.definition, pipe.arn):
            pipe.set_state(failed_state, _untrusted(pipe.definition))
            return
        try:
            poller = self._poller(pipe)
            await poller.start()
        except PipeStartError as error:
            pipe.set_state(failed_state, str(error))
            return
        pipe.poller = poller
        pipe.set_state("RUNNING")

    def _poller(self, pipe: Pipe) -> Poller:
        """A poller of the present definition; one of a stream goes on where the last one was."""

        def on_fatal(reason: str) -> None:
            self._on_fatal(pipe, reason)

        spec = pipe.definition.spec(str(pipe.arn))
        if spec.stream is None:
            return PipePoller(
                spec,
                api=self._api,
                identities=self._identities,
                time=self._time,
                metrics=pipe.metrics,
                sink=self._log,
                on_fatal=on_fatal,
                limits=self._limits,
            )
        if pipe.position is None:
            pipe.position = position_of(spec.name, self._time, pipe.metrics)
        return StreamPipePoller(
            spec,
            spec.stream,
            pipe.position,
            api=self._api,
            identities=self._identities,
            access=self._access,
            time=self._time,
            metrics=pipe.metrics,
            sink=self._log,
            on_fatal=on_fatal,
        )

    def _on_fatal(self, pipe: Pipe, reason: str) -> None:
        """The poller cannot go on: as AWS does, the pipe stops by itself and says why; it stays desired RUNNING."""
        if pipe.current_state != "RUNNING":
            return

        async def stop() -> None:
            await self._stop_poller(pipe)
            pipe.set_state("STOPPED", reason)

        pipe.set_state("STOPPING", reason)
        self._change(pipe, stop)

    async def _remove(self, region: str, pipe: Pipe) -> None:
        await self._stop_poller(pipe)
        del self._pipes[region, pipe.definition.name]

    async def _stop_poller(self, pipe: Pipe) -> None:
        if pipe.poller is not None:
            await pipe.poller.stop()
            pipe.poller = None


def _conflict(name: str, message: str) -> AwsError:
    return AwsError("ConflictException", message, status=409, resourceId=name, resourceType="Pipe")


def _untrusted(definition: PipeDefinition) -> str:
    return f"The role {definition.role_arn} cannot be assumed by pipes.amazonaws.com for pipe {definition.name}."


def _decode_token(token: str | None) -> str:
    if token is None:
        return ""
    try:
        return base64.urlsafe_b64decode(token).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise field_error("NextToken", "The token is not one that ListPipes returned.") from error
