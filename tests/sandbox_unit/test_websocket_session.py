"""The life of a connection, with a socket that the test holds: ends, limits of time, what happens to those who do not read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

import pytest

from durable_sandbox.aws.access import Unrestricted
from durable_sandbox.aws.call import Call, Caller
from durable_sandbox.aws.clock import TimePolicy
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.aws.http import HttpResponse
from durable_sandbox.aws.identity import Identities
from durable_sandbox.events.websocket import connection as connection_module
from durable_sandbox.events.websocket.deployed import DeployedStage, Integration, Route, Throttle
from durable_sandbox.events.websocket.ports import Gateway
from durable_sandbox.events.websocket.session import IDLE_SECONDS, LIFETIME_SECONDS, serve
from durable_sandbox.events.websocket.socket import Binary, Closed, Handshake
from durable_sandbox.events.websocket.throttling import Throttles
from durable_sandbox.services.connections.service import ConnectionsService

TARGET = ("api", "live")
HANDSHAKE = Handshake("127.0.0.1", "/", [("user-agent", "me")], [], "127.0.0.1")
FUNCTION = (
    "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:1:function:f/invocations"
)


class Held:
    """A socket whose other end is the test."""

    def __init__(self) -> None:
        self.incoming: asyncio.Queue[str | Binary | Closed] = asyncio.Queue()
        self.sent: list[str] = []
        self.accepted = asyncio.Event()
        self.refused: tuple[int, str] | None = None
        self.closed: tuple[int, str] | None = None
        self.reads = True

    async def accept(self, headers: Sequence[tuple[str, str]]) -> None:
        del headers
        self.accepted.set()

    async def refuse(self, status: int, headers: Sequence[tuple[str, str]], body: str) -> None:
        del headers
        self.refused = (status, json.loads(body)["message"])

    async def receive(self) -> str | Binary | Closed:
        return await self.incoming.get()

    async def send(self, text: str) -> None:
        if not self.reads:
            await asyncio.Event().wait()
        if self.closed is not None:
            raise ConnectionResetError
        self.sent.append(text)

    async def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)
        self.incoming.put_nowait(Closed(code, reason))


class World:
    """A gateway whose function records its events."""

    def __init__(self, scale: float = 60.0) -> None:
        self.events: list[Mapping[str, Any]] = []
        proxy = Integration("i", "AWS_PROXY", FUNCTION)
        routes = {
            key: Route(key, key, proxy, two_way=key == "$default") for key in ("$connect", "$disconnect", "$default")
        }
        self.stages = {TARGET: DeployedStage("us-east-1", "api", "live", "$request.body.action", routes)}
        self.gateway = Gateway(
            account="1",
            api=self,
            http=self,
            identities=Identities("1"),
            access=Unrestricted(),
            policies=self,
            apis=self,
            time=TimePolicy(time_scale=scale),
            logs=self,
        )

    def stage(self, api_id: str, stage: str) -> DeployedStage | None:
        return self.stages.get((api_id, stage))

    def mapped(self, *_: object) -> tuple[str, str] | None:
        raise AssertionError("nobody is to ask this here")

    def allows(self, *_: object) -> bool:
        raise AssertionError("nobody is to ask this here")

    def put(self, *_: object, **__: object) -> None:
        raise AssertionError("nobody is to ask this here")

    async def exchange(self, *_: object) -> HttpResponse:
        raise AssertionError("nobody is to ask this here")

    async def call(
        self, caller: Caller, region: str, service: str, operation: str, params: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        del caller, region
        assert (service, operation) == ("lambda", "Invoke")
        event = json.loads(params["Payload"])
        self.events.append(event["requestContext"])
        return {"Payload": json.dumps({"statusCode": 200, "body": event.get("body")}).encode()}

    def kinds(self) -> list[str]:
        return [event["eventType"] for event in self.events]


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(10):
            await test()

    asyncio.run(limited())


async def opened(world: World, socket: Held) -> asyncio.Task[None]:
    task = asyncio.create_task(serve(world.gateway, TARGET, HANDSHAKE, socket))
    await socket.accepted.wait()
    return task


def test_an_answer_and_an_end() -> None:
    world, socket = World(), Held()

    async def test() -> None:
        task = await opened(world, socket)
        assert len(world.gateway.connections) == 1
        socket.incoming.put_nowait("hello")
        socket.incoming.put_nowait(Closed(1000, "bye"))
        await task

    run(test)
    assert socket.sent == ["hello"]
    assert world.kinds() == ["CONNECT", "MESSAGE", "DISCONNECT"]
    assert (world.events[2]["disconnectStatusCode"], world.events[2]["disconnectReason"]) == (1000, "bye")
    assert len(world.gateway.connections) == 0


def test_a_close_without_a_code_is_told_to_disconnect() -> None:
    world, socket = World(), Held()

    async def test() -> None:
        task = await opened(world, socket)
        socket.incoming.put_nowait(Closed(1005))
        await task

    run(test)
    assert world.events[-1]["disconnectReason"] == "Client-side close frame status not set"


def test_idle_and_what_keeps_a_connection() -> None:
    """A message in either direction does."""
    world, socket = World(scale=IDLE_SECONDS / 0.2), Held()

    async def test() -> None:
        task = await opened(world, socket)
        (one,) = world.gateway.connections
        for _ in range(3):
            await asyncio.sleep(0.1)
            await one.send("news")
        assert socket.closed is None
        await task

    run(test)
    assert socket.closed == (1001, "Going away")
    assert world.kinds() == ["CONNECT", "DISCONNECT"]


def test_two_hours_whatever_is_said() -> None:
    world, socket = World(scale=LIFETIME_SECONDS / 0.3), Held()

    async def test() -> None:
        task = await opened(world, socket)
        while not task.done():
            socket.incoming.put_nowait("still here")
            await asyncio.sleep(0.01)

    run(test)
    assert socket.closed == (1001, "Going away")


def test_a_restart_calls_no_disconnect() -> None:
    world, socket = World(), Held()

    async def test() -> None:
        task = await opened(world, socket)
        await ConnectionsService(world.gateway).reset()
        await task

    run(test)
    assert socket.closed == (1012, "Service restart")
    assert world.kinds() == ["CONNECT"]


def test_a_client_that_does_not_read_is_too_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "_LONGEST_SEND_SECONDS", 0.05)
    world, socket = World(), Held()
    service = ConnectionsService(world.gateway)

    async def test() -> None:
        task = await opened(world, socket)
        (one,) = world.gateway.connections
        socket.reads = False
        params = {"ApiId": "api", "Stage": "live", "ConnectionId": one.connection_id, "Data": b"x"}
        call = Call("apigatewaymanagementapi", "PostToConnection", params, Identities("1").root(), "us-east-1")
        with pytest.raises(AwsError) as refused:
            await service.handle(call)
        assert (refused.value.code, refused.value.status) == ("LimitExceededException", 429)
        socket.incoming.put_nowait(Closed(1000))
        await task

    run(test)


def test_a_stage_that_is_gone_says_nothing_more() -> None:
    world, socket = World(), Held()

    async def test() -> None:
        task = await opened(world, socket)
        world.stages.clear()
        socket.incoming.put_nowait("hello")
        socket.incoming.put_nowait(Closed(1001))
        await task

    run(test)
    assert socket.sent == []
    assert world.kinds() == ["CONNECT"]


def test_no_such_stage() -> None:
    socket = Held()
    run(lambda: serve(World().gateway, None, HANDSHAKE, socket))
    assert socket.refused == (403, "Forbidden")


class TestThrottles:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html."""

    def test_burst_then_rate(self) -> None:
        now = [0.0]
        throttles, limits = Throttles(lambda: now[0]), Throttle(rate=2, burst=3)
        assert [throttles.take("a", "s", "r", limits) for _ in range(4)] == [True, True, True, False]
        now[0] = 0.5
        assert [throttles.take("a", "s", "r", limits) for _ in range(2)] == [True, False]
        now[0] = 100
        assert [throttles.take("a", "s", "r", limits) for _ in range(4)] == [True, True, True, False]

    def test_each_route_has_its_own(self) -> None:
        throttles, limits = Throttles(lambda: 0.0), Throttle(rate=1, burst=1)
        assert throttles.take("a", "s", "r", limits)
        assert throttles.take("a", "s", "other", limits)
        assert not throttles.take("a", "s", "r", limits)

    def test_nothing_passes_at_zero(self) -> None:
        assert not Throttles(lambda: 0.0).take("a", "s", "r", Throttle(rate=0, burst=0))

    def test_no_limit(self) -> None:
        throttles = Throttles(lambda: 0.0)
        assert all(throttles.take("a", "s", "r", Throttle()) for _ in range(100))
