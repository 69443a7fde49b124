"""Streams in memory behind the API that pipes call, and a bench with a pipe of one."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pipes_fakes import ACCOUNT, FUNCTION, REGION, ROLE, Bench, FakeApi, FakeQueue

from durable_sandbox.aws.access import Unrestricted
from durable_sandbox.aws.call import Call
from durable_sandbox.aws.clock import TimePolicy
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.services.pipes.service import PipesService

STREAM = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/orders"
TABLE = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/orders/stream/2026-01-01T00:00:00.000"
DEAD = f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:dead"
SHARD = "shardId-000000000000"
DENIED = AwsError("AccessDeniedException", "not authorized", status=400)
BROKEN = AwsError("ServiceException", "broken", status=500)
THROTTLED = AwsError("TooManyRequestsException", "slow down", status=429)
FIRST = 49_590_338_271_490_256_608_559_692_538_361_571_095_921_575_989_136_588_000

Answer = Callable[[list[dict[str, Any]]], Any]


class StreamApi(FakeApi):
    """One Kinesis stream, one DynamoDB stream and a topic besides the queues and functions."""

    def __init__(self) -> None:
        super().__init__()
        self.queues["dead"] = FakeQueue()
        self.shards: dict[str, list[dict[str, Any]]] = {SHARD: []}
        self.changes: list[dict[str, Any]] = []
        self.published: list[dict[str, Any]] = []
        self.refused: dict[str, AwsError] = {}
        """Operations that fail until taken out of it."""

    async def call(self, caller: Any, region: str, service: str, operation: str, params: Any) -> Mapping[str, Any]:
        if operation in self.refused:
            raise self.refused[operation]
        return await super().call(caller, region, service, operation, params)

    def put(self, *data: Any, key: str = "k", arrived: datetime | None = None) -> list[str]:
        """Put records (bytes as they are, else as JSON); their sequence numbers."""
        held, numbers = self.shards[SHARD], []
        for one in data:
            numbers.append(str(FIRST + len(held)))
            held.append(
                {
                    "SequenceNumber": numbers[-1],
                    "PartitionKey": key,
                    "Data": one if isinstance(one, bytes) else json.dumps(one).encode(),
                    "ApproximateArrivalTimestamp": arrived or datetime.now(UTC),
                }
            )
        return numbers

    def write(self, key: str, value: str, event: str = "INSERT") -> str:
        """Write an item; its record's sequence number."""
        number = f"{len(self.changes) + 1:021}"
        change = {
            "ApproximateCreationDateTime": datetime.now(UTC),
            "Keys": {"id": {"S": key}},
            "NewImage": {"id": {"S": key}, "value": {"S": value}},
            "SequenceNumber": number,
            "SizeBytes": 10,
            "StreamViewType": "NEW_IMAGE",
        }
        self.changes.append({"eventID": f"id-{number}", "eventName": event, "eventVersion": "1.1", "dynamodb": change})
        return number

    async def _kinesis_DescribeStreamSummary(self, _: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: N802
        return {"StreamDescriptionSummary": {"RetentionPeriodHours": 24}}

    async def _kinesis_DescribeStream(self, _: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: N802
        return {"StreamDescription": {}}

    async def _kinesis_ListShards(self, params: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: N802
        assert params["StreamARN"] == STREAM
        return {"Shards": [{"ShardId": name, "SequenceNumberRange": {}} for name in self.shards]}

    async def _kinesis_GetShardIterator(self, params: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: N802
        held, kind = self.shards[params["ShardId"]], params["ShardIteratorType"]
        if kind == "AFTER_SEQUENCE_NUMBER":
            place = sum(int(one["SequenceNumber"]) <= int(params["StartingSequenceNumber"]) for one in held)
        elif kind == "AT_TIMESTAMP":
            place = sum(one["ApproximateArrivalTimestamp"] < params["Timestamp"] for one in held)
        else:
            assert kind == "TRIM_HORIZON"
            place = 0
        return {"ShardIterator": f"{params['ShardId']}/{place}"}

    async def _kinesis_GetRecords(self, params: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: N802
        shard, _, place = params["ShardIterator"].partition("/")
        found = self.shards[shard][int(place) :][: params["Limit"]]
        return {"Records": found, "NextShardIterator": f"{shard}/{int(place) + len(found)}"}

    async def _dynamodbstreams_DescribeStream(self, params: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: N802
        assert params["StreamArn"] == TABLE
        return {"StreamDescription": {"Shards": [{"ShardId": SHARD, "SequenceNumberRange": {}}]}}

    async def _dynamodbstreams_GetShardIterator(self, params: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: N802
        return {"ShardIterator": str(int(params.get("SequenceNumber", 0)))}

    async def _dynamodbstreams_GetRecords(self, params: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: N802
        found = self.changes[int(params["ShardIterator"]) :][: params["Limit"]]
        return {"Records": found, "NextShardIterator": str(int(params["ShardIterator"]) + len(found))}

    async def _sns_GetTopicAttributes(self, _: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: N802
        return {"Attributes": {}}

    async def _sns_Publish(self, params: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: N802
        self.published.append(dict(params))
        return {"MessageId": "m"}


class Denying(Unrestricted):
    """Allows all but the operations in ``denied``."""

    def __init__(self) -> None:
        self.denied: set[str] = set()

    def check(self, call: Call) -> None:
        if call.operation in self.denied:
            raise DENIED


@dataclass
class StreamBench(Bench):
    """A PipesService over a StreamApi."""

    api: StreamApi = field(default_factory=StreamApi)
    access: Denying = field(default_factory=Denying)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.service = PipesService(
            api=self.api,
            identities=self.identities,
            account=ACCOUNT,
            time=TimePolicy(time_scale=1000.0),
            log=self.log,
            access=self.access,
        )

    async def pipe(self, source: str = STREAM, *, filters: tuple[Any, ...] = (), **settings: Any) -> str:
        """Create pipe ``p`` from TRIM_HORIZON with the stream ``settings``; members of CreatePipe in ``with_``.

        Returns the state in which it has settled.
        """
        extra = settings.pop("with_", {})
        member = "KinesisStreamParameters" if source.startswith(STREAM) else "DynamoDBStreamParameters"
        parameters: dict[str, Any] = {member: {"StartingPosition": "TRIM_HORIZON", **settings}}
        if filters:
            parameters["FilterCriteria"] = {"Filters": [{"Pattern": json.dumps(pattern)} for pattern in filters]}
        await self.create(**{"Source": source, "SourceParameters": parameters, **extra})
        return await self.state()

    async def update(self, **params: Any) -> str:
        """UpdatePipe; the state in which the pipe has settled."""
        await self.do("UpdatePipe", Name="p", RoleArn=ROLE, **params)
        return await self.state_not("UPDATING")

    async def stop(self) -> None:
        """StopPipe."""
        await self.do("StopPipe", Name="p")
        assert await self.state_not("STOPPING") == "STOPPED"

    async def start(self) -> str:
        """StartPipe; the state in which the pipe has settled."""
        await self.do("StartPipe", Name="p")
        return await self.state_not("STARTING")

    async def reason(self) -> str:
        """StateReason."""
        return str((await self.do("DescribePipe", Name="p"))["StateReason"])

    def answers(self, answer: Answer, function: str = FUNCTION) -> None:
        """What the function answers to a batch; it may raise FunctionRaisedError."""

        async def handler(payload: Any) -> Any:
            return answer(payload)

        self.api.functions[function] = handler

    @property
    def metrics(self) -> Any:
        """Of pipe ``p``."""
        return self.service.pipes()[0].metrics

    @property
    def tried(self) -> list[list[Any]]:
        """The data of every batch that the target got."""
        return [[data_of(record) for record in payload] for payload in self.api.payloads()]

    def dead(self) -> list[dict[str, Any]]:
        """What the dead-letter queue got."""
        return [json.loads(message["Body"]) for message in self.api.queues["dead"].messages.values()]


def data_of(record: Mapping[str, Any]) -> Any:
    """Data of a Kinesis record, as JSON."""
    return json.loads(base64.b64decode(record["data"]))


def failing(*records: Mapping[str, Any]) -> dict[str, Any]:
    """The answer that says that ``records`` failed."""
    return {"batchItemFailures": [{"itemIdentifier": record["eventID"]} for record in records]}


def run_streams(scenario: Callable[[StreamBench], Awaitable[None]]) -> None:
    """Run ``scenario`` with a bench of its own and leave no task behind."""

    async def main() -> None:
        bench = StreamBench()
        try:
            async with asyncio.timeout(30):
                await scenario(bench)
        finally:
            await bench.service.close()

    asyncio.run(main())
