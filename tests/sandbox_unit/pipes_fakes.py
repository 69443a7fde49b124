"""An in-memory stand-in for the API that pipes call, and a way to drive a PipesService in a test."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from durable_sandbox.aws.call import Call, Caller
from durable_sandbox.aws.clock import TimePolicy
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.aws.identity import Identities
from durable_sandbox.events.pipe import PollerLimits
from durable_sandbox.services.pipes.service import PipesService

ACCOUNT = "123456789012"
REGION = "us-east-1"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"
FIFO = f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders.fifo"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:pipeline:live"
ENRICHER = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:enricher"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/service/pipe-role"

FIRE_AND_FORGET = {"LambdaFunctionParameters": {"InvocationType": "FIRE_AND_FORGET"}}
GROUP = "/aws/vendedlogs/pipes/p"
LOGGED = {
    "Level": "INFO",
    "CloudwatchLogsLogDestination": {"LogGroupArn": f"arn:aws:logs:{REGION}:123456789012:log-group:{GROUP}:*"},
}

Handler = Callable[[Any], Awaitable[Any]]


class FunctionRaisedError(Exception):
    """Raised by a fake function: Invoke answers 200 with FunctionError."""


@dataclass
class FakeQueue:
    visibility_s: float = 30.0
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    hidden_until: dict[str, float] = field(default_factory=dict)
    receives: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, body: str, *, group: str | None = None, **extra: Any) -> str:
        message_id = f"m{len(self.messages) + 1}-{id(self) % 1000}"
        attributes = {"SentTimestamp": "1", "ApproximateReceiveCount": "0"}
        if group is not None:
            attributes["MessageGroupId"] = group
        md5 = hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()
        self.messages[message_id] = {
            "MessageId": message_id,
            "Body": body,
            "MD5OfBody": md5,
            "Attributes": attributes,
            **extra,
        }
        self.arrived.set()
        return message_id

    def take(self, maximum: int) -> list[dict[str, Any]]:
        now = asyncio.get_running_loop().time()
        taken: list[dict[str, Any]] = []
        blocked = {
            m["Attributes"].get("MessageGroupId") for i, m in self.messages.items() if self.hidden_until.get(i, 0) > now
        } - {None}
        for message_id, message in self.messages.items():
            free = message["Attributes"].get("MessageGroupId") not in blocked
            if len(taken) < maximum and free and self.hidden_until.get(message_id, 0) <= now:
                self.hidden_until[message_id] = now + self.visibility_s
                attributes = message["Attributes"]
                attributes["ApproximateReceiveCount"] = str(int(attributes["ApproximateReceiveCount"]) + 1)
                taken.append({**message, "Attributes": dict(attributes), "ReceiptHandle": f"r-{message_id}"})
        return taken


class FakeApi:
    """sqs and lambda, as far as pipes use them."""

    def __init__(self) -> None:
        self.queues: dict[str, FakeQueue] = {"orders": FakeQueue(), "orders.fifo": FakeQueue()}
        self.functions: dict[str, Handler] = {}
        self.invokes: list[tuple[str, str, Any]] = []
        self.callers: set[tuple[str, str | None]] = set()
        self.errors: dict[str, list[AwsError | Exception]] = defaultdict(list)
        self.background: set[asyncio.Task[Any]] = set()

    async def call(
        self, caller: Caller, region: str, service: str, operation: str, params: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        assert region == REGION
        self.callers.add((operation, caller.role_arn))
        if self.errors[operation]:
            raise self.errors[operation].pop(0)
        method = getattr(self, f"_{service}_{operation}")
        result: Mapping[str, Any] = await method(params)
        return result

    def payloads(self) -> list[Any]:
        return [payload for _, _, payload in self.invokes]

    def _queue(self, params: Mapping[str, Any]) -> FakeQueue:
        name = params["QueueUrl"].rsplit("/", 1)[-1]
        if name not in self.queues:
            raise AwsError("QueueDoesNotExist", "The specified queue does not exist.")
        return self.queues[name]

    async def _sqs_GetQueueUrl(self, params: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: N802
        url = f"http://x/{params['QueueOwnerAWSAccountId']}/{params['QueueName']}"
        self._queue({"QueueUrl": url})
        return {"QueueUrl": url}

    async def _sqs_GetQueueAttributes(self, params: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: N802
        return {"Attributes": {"VisibilityTimeout": str(int(self._queue(params).visibility_s))}}

    async def _sqs_ReceiveMessage(self, params: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: N802
        queue = self._queue(params)
        assert 1 <= params["MaxNumberOfMessages"] <= 10
        assert params["MessageAttributeNames"] == ["All"]
        queue.receives += 1
        deadline = asyncio.get_running_loop().time() + params["WaitTimeSeconds"]
        while True:
            queue.arrived.clear()
            if messages := queue.take(params["MaxNumberOfMessages"]):
                return {"Messages": messages}
            now = asyncio.get_running_loop().time()
            next_visible = min([deadline, *(t for t in queue.hidden_until.values() if t > now)])
            if now >= deadline:
                return {}
            try:
                async with asyncio.timeout_at(next_visible):
                    await queue.arrived.wait()
            except TimeoutError:
                continue

    async def _sqs_DeleteMessageBatch(self, params: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: N802
        queue = self._queue(params)
        assert 1 <= len(params["Entries"]) <= 10
        for entry in params["Entries"]:
            message_id = entry["ReceiptHandle"].removeprefix("r-")
            queue.messages.pop(message_id, None)
            queue.hidden_until.pop(message_id, None)
        queue.arrived.set()
        return {"Successful": [{"Id": entry["Id"]} for entry in params["Entries"]]}

    async def _sqs_SendMessage(self, params: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: N802
        return {"MessageId": self._queue(params).put(params["MessageBody"], group=params.get("MessageGroupId"))}

    async def _lambda_Invoke(self, params: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: N802
        name, kind, payload = params["FunctionName"], params["InvocationType"], json.loads(params["Payload"])
        self.invokes.append((name, kind, payload))
        handler = self.functions.get(name)
        if kind == "Event":
            return {"StatusCode": 202, "Payload": b""}
        try:
            answer = None if handler is None else await handler(payload)
        except FunctionRaisedError as error:
            body = json.dumps({"errorMessage": str(error)}).encode()
            return {"StatusCode": 200, "FunctionError": "Unhandled", "Payload": body}
        return {"StatusCode": 200, "Payload": answer if isinstance(answer, bytes) else json.dumps(answer).encode()}


class FakeLog:
    def __init__(self) -> None:
        self.records: list[tuple[str, str, str, dict[str, Any]]] = []

    def put(self, region: str, group: str, stream: str, events: Any) -> None:
        self.records += [(region, group, stream, json.loads(text)) for _, text in events]

    def steps(self) -> list[str]:
        return [record["messageType"] for *_, record in self.records]


@dataclass
class Bench:
    """A PipesService over a FakeApi."""

    api: FakeApi = field(default_factory=FakeApi)
    log: FakeLog = field(default_factory=FakeLog)
    limits: PollerLimits = field(default_factory=PollerLimits)
    _numbers: Any = field(default_factory=count)

    def __post_init__(self) -> None:
        self.identities = Identities(ACCOUNT)
        self.service = PipesService(
            api=self.api,
            identities=self.identities,
            account=ACCOUNT,
            time=TimePolicy(time_scale=200.0),
            log=self.log,
            limits=self.limits,
        )

    @property
    def queue(self) -> FakeQueue:
        return self.api.queues["orders"]

    async def do(self, operation: str, **params: Any) -> Mapping[str, Any]:
        return await self.service.handle(Call("pipes", operation, params, self.identities.root(), REGION))

    async def create(self, **params: Any) -> None:
        """Create pipe ``p`` and wait until it has settled."""
        await self.do("CreatePipe", **{"Name": "p", "Source": QUEUE, "Target": FUNCTION, "RoleArn": ROLE, **params})
        await self.state_not("CREATING")

    async def state(self, name: str = "p") -> str:
        return str((await self.do("DescribePipe", Name=name))["CurrentState"])

    async def state_not(self, *states: str, name: str = "p") -> str:
        while (state := await self.state(name)) in states:  # noqa: ASYNC110 - DescribePipe is what a user polls
            await asyncio.sleep(0.001)
        return state


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the condition is about many things
            await asyncio.sleep(0.001)


def run(scenario: Callable[[Bench], Awaitable[None]], *, limits: PollerLimits | None = None) -> None:
    """Run ``scenario`` with a bench of its own and leave no task behind."""

    async def main() -> None:
        bench = Bench(limits=limits or PollerLimits())
        try:
            async with asyncio.timeout(30):
                await scenario(bench)
        finally:
            await bench.service.close()

    asyncio.run(main())


def source(batch: int = 10, window: int = 0, *patterns: Any) -> dict[str, Any]:
    parameters: dict[str, Any] = {"SqsQueueParameters": {"BatchSize": batch, "MaximumBatchingWindowInSeconds": window}}
    if patterns:
        parameters["FilterCriteria"] = {"Filters": [{"Pattern": json.dumps(pattern)} for pattern in patterns]}
    return parameters


def bodies(payload: Any) -> list[str]:
    return [record["body"] for record in payload]
