"""Clients of a deployed WebSocket API, and what of its stack they do not see."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlencode

from observe import Pipeline, only
from websockets.asyncio.client import ClientConnection as AsyncConnection
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from durable_sandbox.pytest_plugin import Sandbox, eventually

PATIENCE_S = 60
"""For one answer: the machine may have other things to do."""
TIME_SCALE = 10
"""Keeps idle connections for more than the usual ten seconds: on a busy machine a test may take longer."""


class Client:
    """One connection, open from the beginning; ``query`` goes into its URL."""

    def __init__(self, url: str, **query: str) -> None:
        self._stack = ExitStack()
        target = f"{url}?{urlencode(query)}" if query else url
        opened = connect(target, compression=None, proxy=None, ping_interval=None, open_timeout=PATIENCE_S)
        self.socket: ClientConnection = self._stack.enter_context(opened)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def send(self, message: Any) -> None:
        """Send text as it is, a list of texts as the frames of one message, anything else as JSON."""
        self.socket.send(message if isinstance(message, str | list) else json.dumps(message))

    def text(self) -> str:
        """The next message as it came."""
        return self.socket.recv(timeout=PATIENCE_S, decode=True)

    def receive(self) -> Any:
        """The next message, parsed."""
        return json.loads(self.text())

    def ask(self, message: Any) -> Any:
        """Send, and what comes back."""
        self.send(message)
        return self.receive()

    def accepted(self, message: Any) -> str:
        """Send what must be accepted; the request's id."""
        answer = self.ask(message)
        assert answer.keys() == {"status", "requestId"}, answer
        assert answer["status"] == "accepted"
        request_id: str = answer["requestId"]
        return request_id

    def id(self) -> str:
        """Its connection id, by the answer to a message that is refused."""
        found: str = self.refused("not JSON", "Bad request body")
        return found

    def refused(self, message: Any, words: str) -> str:
        """Send what must be refused so; the connection's id."""
        answer = self.ask(message)
        assert answer.keys() == {"message", "connectionId", "requestId"}, answer
        assert answer["message"] == words
        connection_id: str = answer["connectionId"]
        return connection_id

    def closed(self, *frames: str | bytes) -> int:
        """The code with which the server closes, here at a message of ``frames``; that may be before it is sent whole."""
        try:
            if frames:
                self.socket.send(frames)
            text = self.socket.recv(timeout=PATIENCE_S)
        except ConnectionClosed as end:
            return 1006 if end.rcvd is None else end.rcvd.code
        raise AssertionError(f"it is open, and hears {text!r}")


@dataclass
class Talk:
    """What one client of a crowd sent and heard, in its order."""

    sent: list[str] = field(default_factory=list)
    accepted: int = 0
    heard: list[str] = field(default_factory=list)


@dataclass
class Crowd:
    """Clients that talk at the same time; each sends its next message when the last one is accepted.

    Attributes:
        accepted: Seconds from the first message to the acceptance of the last.
        answered: Seconds from the first message to the last reply.
    """

    talks: Sequence[Talk]
    accepted: float = 0.0
    answered: float = 0.0

    @classmethod
    def of(cls, url: str, clients: int, messages: int, meanwhile: Callable[[], None] = lambda: None) -> Crowd:
        """Let ``clients`` send ``messages`` each and hear as many replies; ``meanwhile`` is called when all are accepted."""
        crowd = cls([Talk([f'{{"client":{one},"number":{n}}}' for n in range(messages)]) for one in range(clients)])
        asyncio.run(crowd._talk(url, meanwhile))
        return crowd

    async def _talk(self, url: str, meanwhile: Callable[[], None]) -> None:
        async with asyncio.timeout(240), _opened(url, len(self.talks)) as sockets:
            began = time.monotonic()
            accepted = [asyncio.Event() for _ in self.talks]
            talking = asyncio.gather(*map(_converse, sockets, self.talks, accepted))
            try:
                await asyncio.gather(*(one.wait() for one in accepted))
                self.accepted = time.monotonic() - began
                await asyncio.to_thread(meanwhile)
                await talking
                self.answered = time.monotonic() - began
            finally:
                talking.cancel()


@asynccontextmanager
async def _opened(url: str, count: int) -> AsyncIterator[Sequence[AsyncConnection]]:
    sockets = await asyncio.gather(
        *(
            connect_async(url, compression=None, proxy=None, ping_interval=None, open_timeout=PATIENCE_S)
            for _ in range(count)
        )
    )
    try:
        yield sockets
    finally:
        await asyncio.gather(*(socket.close() for socket in sockets))


async def _converse(socket: AsyncConnection, talk: Talk, accepted: asyncio.Event) -> None:
    await socket.send(talk.sent[0])
    while talk.accepted < len(talk.sent) or len(talk.heard) < len(talk.sent):
        text = await socket.recv(decode=True)
        if json.loads(text).get("status") != "accepted":
            talk.heard.append(text)
            continue
        talk.accepted += 1
        if talk.accepted < len(talk.sent):
            await socket.send(talk.sent[talk.accepted])
        else:
            accepted.set()


class Behind(Pipeline):
    """An applied stack behind sockets, by its outputs."""

    def __init__(self, sandbox: Sandbox, outputs: Mapping[str, Any]) -> None:
        super().__init__(sandbox, outputs)
        self._logs = sandbox.client("logs")

    @property
    def url(self) -> str:
        """Where clients connect."""
        return str(self.outputs["url"])

    def poll(self, *, enabled: bool) -> None:
        """Let the mapping of the queue get messages, or not."""
        queue = self.sqs.get_queue_attributes(QueueUrl=self.outputs["queue_url"], AttributeNames=["QueueArn"])
        found = self.functions.list_event_source_mappings(EventSourceArn=queue["Attributes"]["QueueArn"])
        uuid = only(found["EventSourceMappings"])["UUID"]
        self.functions.update_event_source_mapping(UUID=uuid, Enabled=enabled)
        state = "Enabled" if enabled else "Disabled"
        eventually(lambda: self.functions.get_event_source_mapping(UUID=uuid)["State"] == state or None)

    def connections(self, output: str) -> dict[str, dict[str, Any]]:
        """The records of the connection table whose name is in ``output``, by connection id."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.outputs[output], ConsistentRead=True)
        return {item["connection_id"]["S"]: item for page in pages for item in page["Items"]}

    def nobody(self, output: str) -> None:
        """Wait until no connection is on record there."""
        eventually(lambda: not self.connections(output) or None, what=f"for {output} to empty")

    def lines(self, output: str, since: float) -> list[str]:
        """What has been written to the log group whose name is in ``output`` since a time (seconds since the epoch)."""
        pages = self._logs.get_paginator("filter_log_events").paginate(
            logGroupName=self.outputs[output], startTime=int(since * 1000)
        )
        return [event["message"] for page in pages for event in page["events"]]

    def those(self, output: str, since: float, text: str) -> list[str]:
        """The lines with ``text``, once there is one: a function's lines may come later than its answer."""
        return eventually(
            lambda: [line for line in self.lines(output, since) if text in line] or None,
            what=f"in {output} with {text}",
        )

    def written(self, output: str, since: float, **fields: str) -> dict[str, str]:
        """The line of a log group, each of whose lines is JSON, that has these fields, once it is there."""

        def found() -> dict[str, str] | None:
            lines = [json.loads(line) for line in self.lines(output, since)]
            return next((line for line in lines if fields.items() <= line.items()), None)

        return eventually(found, what=f"in {output} with {fields}")


def attributes(message: dict[str, Any]) -> dict[str, str]:
    """The message's attributes, which are all texts."""
    found = message["MessageAttributes"]
    assert {value["DataType"] for value in found.values()} == {"String"}
    return {name: value["StringValue"] for name, value in found.items()}
