"""The sandbox's one process and one port: request -> identity -> authorisation -> service.

The services that wiring.py builds are ours and live in the event loop; every other one is moto's, in threads.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from durable_sandbox.asgi import Receive, Scope, Send, read_request, unless_disconnected, write_response
from durable_sandbox.aws.access import Access, Unrestricted
from durable_sandbox.aws.call import Call, Caller, Service
from durable_sandbox.aws.clock import TimePolicy
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.aws.http import HttpRequest, HttpResponse
from durable_sandbox.aws.identity import Identities
from durable_sandbox.aws.protocol import ServiceProtocol
from durable_sandbox.control import Control
from durable_sandbox.enforcement import Enforcement
from durable_sandbox.events.websocket.deployed import Apis
from durable_sandbox.metrics.monitor import Monitor
from durable_sandbox.moto_adapter.app import MotoApp, failure
from durable_sandbox.moto_adapter.logs import LogWriter
from durable_sandbox.moto_adapter.policies import Policies
from durable_sandbox.retries import Answers
from durable_sandbox.routing import Destination, destination
from durable_sandbox.sockets import AsgiSocket, WebSockets, connections_request, handshake_of, target_of
from durable_sandbox.wiring import SERVICES, Parts, ServiceBuilder, build_monitor

logger = logging.getLogger("durable_sandbox")

_CONTROL_PREFIX = "/_sandbox/"
# A long poll whose client went away must take no message: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/
# SQSDeveloperGuide/sqs-short-and-long-polling.html. No other operation ends with its client's connection.
_ENDS_WITH_CLIENT = frozenset({"ReceiveMessage"})


@dataclass(frozen=True)
class SandboxConfig:
    """How a sandbox runs. ``time_scale`` divides Lambda's retry waits; ``real_time`` keeps every modelled wait.

    ``iam``: whether calls with a role's keys need that role's permission.
    """

    host: str = "127.0.0.1"
    port: int = 4566
    region: str = "us-east-1"
    account: str = "123456789012"
    real_time: bool = False
    time_scale: float = 60.0
    log_file: Path | None = None
    log_level: str = "INFO"
    iam: bool = True

    @property
    def base_url(self) -> str:
        """The endpoint clients use."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104 - compares, binds nothing
        return f"http://{host}:{self.port}"


class Authoriser(Protocol):
    """Decides whether a caller may make a call."""

    async def authorise(self, call: Call) -> None:
        """Return to allow ``call``; raise AwsError (AccessDeniedException) to deny it."""
        ...


class AllowAll:
    """The authoriser of a sandbox that enforces no IAM."""

    async def authorise(self, call: Call) -> None:
        """Allow ``call``."""


def _unsigned() -> AwsError:
    return AwsError("MissingAuthenticationToken", "Missing Authentication Token: the sandbox enforces IAM.", status=403)


class Sandbox:
    """Everything in one process. An ASGI application, and the Api through which its own parts call AWS."""

    def __init__(
        self,
        config: SandboxConfig | None = None,
        *,
        services: Sequence[ServiceBuilder] = SERVICES,
        authoriser: Authoriser | None = None,
    ) -> None:
        self.config = config or SandboxConfig()
        self.time = TimePolicy(self.config.real_time, self.config.time_scale)
        self.identities = Identities(self.config.account)
        self.services: dict[str, Service] = {}
        self.moto = MotoApp(self, self.identities, account=self.config.account)
        self.iam: Enforcement | None = None
        """None if IAM is not enforced, or something else decides."""
        if authoriser is None and self.config.iam:
            policies = Policies(self.config.account, self.moto.loaded, self.services)
            self.moto.on_session = policies.set_session_policy
            self.iam = Enforcement(policies, account=self.config.account)
        access: Access = self.iam or Unrestricted()
        self.access = self.moto.access = access
        self.moto.time = self.time
        self.logs = LogWriter(self.moto, self.identities, access, account=self.config.account)
        self.control = Control(self)
        self._authoriser: Authoriser = authoriser or self.iam or AllowAll()
        self._answers = Answers()
        self.monitor: Monitor | None = None
        """Of metrics and alarms; there once the sandbox has started."""
        self._builders = services
        self._protocols: dict[str, ServiceProtocol] = {}
        self._started = False
        self.instance = str(uuid4())
        """Changes whenever the state is new: at start and at each reset."""

    # --- life ---------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Build the services. moto's modules load in the background: requests that need them wait, others do not."""
        if self._started:
            return
        self._started = True
        self.moto.start(asyncio.get_running_loop())
        parts = Parts(
            self,
            self.identities,
            self.access,
            self.config.account,
            self.time,
            self.logs,
            self.config.base_url,
            self.services,
            self,
            self.moto.log_role,
        )
        for build in self._builders:
            service = build(parts)
            self.services[service.name] = service
        for service in self.services.values():
            await _finish(service, "start")
        self.monitor = build_monitor(parts, self.services, self.moto.alarms, self.moto.streams)
        self.monitor.start()

    async def stop(self) -> None:
        """End the monitor; close the services, the log writer and moto's threads."""
        if self.monitor is not None:
            await self.monitor.close()
        for service in reversed(self.services.values()):
            await _finish(service, "close")
        await self.logs.close()
        await self.moto.stop()

    async def reset(self) -> None:
        """Forget everything: services, moto's backends, issued keys. Functions and pipes stop first."""
        for service in reversed(self.services.values()):
            await _finish(service, "reset")
        await self.logs.drain()
        await self.moto.reset()
        self.identities.forget()
        self._answers.forget()
        if self.monitor is not None:
            await self.monitor.reset()
        if self.iam is not None:
            self.iam.reset()
        self.instance = str(uuid4())

    # --- calls from inside --------------------------------------------------------------------------------------

    async def call(
        self, caller: Caller, region: str, service: str, operation: str, params: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Run one operation as ``caller`` (aws.call.Api). Raises AwsError."""
        call = Call(service, operation, params, caller, region)
        await self._authoriser.authorise(call)
        own = self.services.get(service)
        try:
            if own is not None:
                return await own.handle(call)
            return await self.moto.call(caller, region, service, operation, params)
        finally:
            self._made(service, operation)

    async def exchange(self, caller: Caller, region: str, service: str, request: HttpRequest) -> HttpResponse:
        """Answer ``request`` in the wire protocol of ``service``, errors included, as made by ``caller``."""
        protocol, request_id = self._protocol(service), str(uuid4())
        query_protocol = "x-amz-target" not in request.headers
        try:
            parsed = protocol.parse(request)
            result = await self.call(caller, region, service, parsed.operation, parsed.params)
            return protocol.serialise(parsed, result, request_id)
        except AwsError as error:
            return protocol.serialise_error(error, request_id, query_protocol=query_protocol)

    def _protocol(self, service: str) -> ServiceProtocol:
        if service not in self._protocols:
            self._protocols[service] = ServiceProtocol(service)
        return self._protocols[service]

    # --- HTTP ---------------------------------------------------------------------------------------------------

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
            return
        request = await read_request(scope, receive)
        response = await self.handle_http(request, receive)
        if response is not None:
            await write_response(response, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a client of a WebSocket API until it is gone."""
        await receive()  # websocket.connect
        handshake = handshake_of(scope, self._signer(scope))
        connections, apis = self.services.get("apigatewaymanagementapi"), self.services.get("apigatewayv2")
        if not isinstance(connections, WebSockets) or not isinstance(apis, Apis):
            await send({"type": "websocket.close"})
            return
        await connections.serve(target_of(scope["path"], handshake.host, apis), handshake, AsgiSocket(receive, send))

    def _signer(self, scope: Scope) -> str | None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        request = HttpRequest("GET", scope["path"], scope["query_string"].decode("latin-1"), headers)
        return destination(request, self.config.region).access_key

    async def handle_http(self, request: HttpRequest, receive: Receive | None = None) -> HttpResponse | None:
        """Answer ``request``; None if its client went away first."""
        if request.raw_path.startswith(_CONTROL_PREFIX):
            return await self.control.handle(request)
        before = self._answers.again(request)
        if before is not None:
            return before
        to = destination(request, self.config.region)
        if to.service in self.services:
            return await self._own(to, request, receive)
        return await self._moto(to, request)

    async def _own(self, to: Destination, request: HttpRequest, receive: Receive | None) -> HttpResponse | None:
        assert to.service is not None  # noqa: S101 - the caller looked it up
        request_id = str(uuid4())
        protocol = self._protocol(to.service)
        query_protocol = "x-amz-target" not in request.headers and to.service == "sqs"
        try:
            inner, endpoint = connections_request(request) or (request, {})
            parsed = protocol.parse(inner)
            caller, params = self._caller(to), {**parsed.params, **endpoint}
            call = Call(to.service, parsed.operation, params, caller, to.region, request_id, request.headers)
            await self._authoriser.authorise(call)
            handling = self._handled(call)
            if receive is not None and parsed.operation in _ENDS_WITH_CLIENT:
                result = await unless_disconnected(handling, receive)
                if result is None:
                    return None
            else:
                result = await handling
            response = protocol.serialise(parsed, result, request_id)
        except AwsError as error:
            return protocol.serialise_error(error, request_id, query_protocol=query_protocol)
        except Exception:
            logger.exception("%s %s failed inside the sandbox (request %s)", to.service, request.raw_path, request_id)
            broken = AwsError(
                "InternalFailure", f"The sandbox failed on this request; its log has request {request_id}.", status=500
            )
            return protocol.serialise_error(broken, request_id, query_protocol=query_protocol)
        self._answers.keep(request, parsed.operation, response)
        return response

    async def _handled(self, call: Call) -> Mapping[str, Any]:
        try:
            return await self.services[call.service].handle(call)
        finally:
            self._made(call.service, call.operation)

    async def _moto(self, to: Destination, request: HttpRequest) -> HttpResponse:
        if isinstance(self._authoriser, AllowAll):
            return await self.moto.handle_http(request)
        try:
            call = await self.moto.describe(self._caller(to), to, request)
            if call is not None:
                await self._authoriser.authorise(call)
        except AwsError as error:
            return failure(request, error.status, error.code, error.message, str(uuid4()))
        try:
            response = await self.moto.handle_http(request)
            if call is not None:
                self._answers.keep(request, call.operation, response)
            return response
        finally:
            if call is not None:
                self._made(call.service, call.operation)

    def _caller(self, to: Destination) -> Caller:
        """Who signed a request. Raises AwsError if IAM is enforced and nobody known did."""
        if self.iam is not None:
            if to.access_key is None:
                raise _unsigned()
            self.identities.refuse_unknown(to.access_key, to.service or "")
        return self.identities.caller(to.access_key)

    def _made(self, service: str, operation: str) -> None:
        if self.iam is not None:
            self.iam.after(service, operation)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    await self.start()
                except Exception:
                    logger.exception("The sandbox could not start")
                    await send({"type": "lifespan.startup.failed", "message": "see the traceback above"})
                    return
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return


async def _finish(service: Service, method: str) -> None:
    hook = getattr(service, method, None)
    result = hook() if hook is not None else None
    if inspect.isawaitable(result):
        await result
