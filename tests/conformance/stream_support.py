"""Kinesis and DynamoDB streams, mappings of them and what a function made of their records, all through boto3."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError
from support import Bench, Queue

from durable_sandbox.pytest_plugin import eventually

ACCOUNT = "123456789012"
INVALID = "InvalidParameterValueException"
TRIM_HORIZON = {"StartingPosition": "TRIM_HORIZON"}
LAST = 99
REPORT = {"FunctionResponseTypes": ["ReportBatchItemFailures"]}

PROBE = """
import base64
import json
import time

BIG = 10_000


def order_of(record):
    try:
        if "kinesis" in record:
            order = json.loads(base64.b64decode(record["kinesis"]["data"]))
        else:
            order = json.loads(record["dynamodb"].get("NewImage", {})["order"]["S"])
    except (KeyError, ValueError):
        return {}
    return order if isinstance(order, dict) else {}


def sequence_number(record):
    return record["kinesis"]["sequenceNumber"] if "kinesis" in record else record["dynamodb"]["SequenceNumber"]


def shown(record):
    data = record.get("kinesis", {})
    if len(data.get("data", "")) < BIG:
        return record
    return {**record, "kinesis": {**data, "data": ""}}


def handler(event, context):
    started = time.time()
    error, answer, failed, extra = None, None, [], {}
    for record in event["Records"]:
        order = order_of(record)
        time.sleep(order.get("sleep", 0))
        if "raise" in order or time.time() < order.get("raise_until", 0):
            error = "poison"
        if order.get("fail"):
            failed.insert(0, sequence_number(record))
        if "answer" in order:
            answer = order["answer"].replace("<id>", sequence_number(record))
        extra |= order.get("state", {})
    state = event.get("state")
    about = {name: value for name, value in event.items() if name not in ("Records", "state")}
    if state is not None:
        about["count"] = state.get("count", 0)
    print(json.dumps({
        "function": context.invoked_function_arn,
        "started": started,
        "ended": time.time(),
        "keys": sorted(event),
        "event": about,
        "records": [shown(record) for record in event["Records"]],
    }))
    if error is not None:
        raise ValueError(error)
    if answer is not None:
        return json.loads(answer)
    said = {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}
    if state is not None and not extra.get("none"):
        said["state"] = {"count": about["count"] + len(event["Records"]), "padding": "." * extra.get("padding", 0)}
    return said
"""
"""Orders in a record's data (Kinesis) or attribute ``order`` (DynamoDB): sleep (s), raise, raise_until (epoch seconds),
fail (its sequence number is returned, the last of the batch first), answer (JSON, <id>: its sequence number), state
(none: the answer has no state; padding: so many characters more of it). The log has no state but its count, and
no data of large records."""


@dataclass(frozen=True)
class Source:
    """A stream: ``name`` of the stream or the table, ``shards`` at its creation, ``since`` when in epoch milliseconds."""

    arn: str
    name: str
    shards: int
    since: int


@dataclass(frozen=True)
class Seen:
    """What the probe saw of one event. Times in epoch seconds; ``event``: its other members than Records and state."""

    started: float
    ended: float
    keys: list[str]
    event: dict[str, Any]
    records: list[dict[str, Any]]

    @property
    def orders(self) -> list[dict[str, Any]]:
        """The orders of the records."""
        return [order_of(record) for record in self.records]

    @property
    def numbers(self) -> list[int]:
        """Order "n" of every record."""
        return [order["n"] for order in self.orders]

    @property
    def sequence(self) -> list[str]:
        """The records' sequence numbers."""
        return [sequence_number(record) for record in self.records]

    @property
    def shard(self) -> str:
        """The one shard of a Kinesis batch."""
        (shard,) = {record["eventID"].partition(":")[0] for record in self.records}
        return str(shard)

    @property
    def key(self) -> str:
        """The one partition key or item key of a batch."""
        (key,) = {
            record["kinesis"]["partitionKey"] if "kinesis" in record else record["dynamodb"]["Keys"]["id"]["S"]
            for record in self.records
        }
        return str(key)


def order_of(record: dict[str, Any]) -> dict[str, Any]:
    """What a record of these tests orders; {} for one that was deleted."""
    image = record.get("dynamodb", {}).get("NewImage", {"order": {"S": "{}"}})
    text = base64.b64decode(record["kinesis"]["data"]) if "kinesis" in record else image["order"]["S"]
    order: dict[str, Any] = json.loads(text)
    return order


def sequence_number(record: dict[str, Any]) -> str:
    """A record's sequence number."""
    found = record["kinesis"]["sequenceNumber"] if "kinesis" in record else record["dynamodb"]["SequenceNumber"]
    return str(found)


def numbers(seen: Sequence[Seen]) -> list[list[int]]:
    """Order "n" of every record, a list for every event."""
    return [one.numbers for one in seen]


def filters(*patterns: Any) -> dict[str, Any]:
    """FilterCriteria."""
    return {"Filters": [{"Pattern": json.dumps(pattern)} for pattern in patterns]}


def refused(call: Any, **params: Any) -> tuple[str, int, str]:
    """Code, HTTP status and message of the error that ``call`` ends with."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Message"]


def deny(bench: Bench, function: str, action: str) -> None:
    """Give an unqualified function a role of its own that may do anything but ``action``."""
    iam = bench.sandbox.client("iam")
    name = f"r-{uuid4().hex[:8]}"
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(trust))["Role"]["Arn"]
    rights = [
        {"Effect": effect, "Action": what, "Resource": "*"} for effect, what in (("Allow", "*"), ("Deny", action))
    ]
    iam.put_role_policy(RoleName=name, PolicyName="rights", PolicyDocument=_policy(*rights))
    bench.lambda_.update_function_configuration(FunctionName=function, Role=role)


def _policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


class Streams:
    """Streams and tables, and the probe of these tests, deployed when first used. Make one a module: logs stay short."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.lambda_ = bench.lambda_
        self.kinesis = bench.sandbox.client("kinesis")
        self.dynamodb = bench.sandbox.client("dynamodb")
        self.dynamodbstreams = bench.sandbox.client("dynamodbstreams")
        self._logs = bench.sandbox.client("logs")
        self._probe: str | None = None

    @property
    def probe(self) -> str:
        """``name:live`` of the probe; its timeout is 5 s."""
        if self._probe is None:
            self._probe = self.bench.functions.deploy(PROBE, Timeout=5)
        return self._probe

    def stream(self, shards: int = 1) -> Source:
        """Create a Kinesis stream."""
        name = f"s-{uuid4().hex[:12]}"
        since = _now()
        self.kinesis.create_stream(StreamName=name, ShardCount=shards)
        self.active(name)
        return Source(f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/{name}", name, shards, since)

    def active(self, name: str) -> None:
        """Wait until a Kinesis stream is in no transition."""
        self.kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})

    def table(self, view: str = "NEW_AND_OLD_IMAGES") -> Source:
        """Create a table with key ``id`` and a stream."""
        name = f"t-{uuid4().hex[:12]}"
        since = _now()
        self.dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": view},
        )
        self.dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
        arn = self.dynamodb.describe_table(TableName=name)["Table"]["LatestStreamArn"]
        return Source(arn, name, 1, since)

    def put(self, stream: Source, *orders: Any, key: str = "key", shard: int | None = None) -> list[str]:
        """Put records one after the other (bytes as they are, else as JSON); returns their sequence numbers.

        ``shard``: its place among the first ones.
        """
        place = {} if shard is None else {"ExplicitHashKey": str(shard * (2**128 // stream.shards))}
        found = []
        for order in orders:
            data = order if isinstance(order, bytes) else json.dumps(order).encode()
            put = self.kinesis.put_record(StreamName=stream.name, Data=data, PartitionKey=key, **place)
            found.append(put["SequenceNumber"])
        return found

    def write(self, table: Source, *orders: dict[str, Any], key: str | None = None) -> None:
        """PutItem for every order, one after the other; the item's key is ``key`` or the order's "n"."""
        for order in orders:
            item = {"id": {"S": key or str(order["n"])}, "order": {"S": json.dumps(order)}}
            self.dynamodb.put_item(TableName=table.name, Item=item)

    def create(self, source: str | Source, function: str | None = None, **settings: Any) -> dict[str, Any]:
        """CreateEventSourceMapping on the probe or ``function``."""
        arn = source if isinstance(source, str) else source.arn
        created: dict[str, Any] = self.lambda_.create_event_source_mapping(
            EventSourceArn=arn, FunctionName=function or self.probe, **settings
        )
        return created

    def map(self, source: str | Source, function: str | None = None, **settings: Any) -> str:
        """Create a mapping from TRIM_HORIZON unless told; returns its UUID once it is in no transition.

        ``on_failure``: the queue, or the ARN, of the on-failure destination.
        """
        on_failure = settings.pop("on_failure", None)
        if on_failure is not None:
            arn = on_failure.arn if isinstance(on_failure, Queue) else on_failure
            settings["DestinationConfig"] = {"OnFailure": {"Destination": arn}}
        uuid: str = self.create(source, function, **TRIM_HORIZON | settings)["UUID"]
        self.bench.settled(uuid)
        return uuid

    def delete(self, uuid: str) -> None:
        """Delete a mapping and wait until it is gone."""
        self.lambda_.delete_event_source_mapping(UUID=uuid)

        def gone() -> bool | None:
            try:
                self.bench.get(uuid)
            except self.lambda_.exceptions.ResourceNotFoundException:
                return True
            return None

        eventually(gone)

    def seen(self, source: Source, function: str | None = None) -> list[Seen]:
        """What the probe (or ``function``, a copy of it or another qualifier) saw of ``source``, by time."""
        function = function or self.probe
        group = f"/aws/lambda/{function.partition(':')[0]}"
        events: list[str] = []
        try:
            pages = self._logs.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=source.since)
            for page in pages:
                events += [event["message"] for event in page["events"]]
        except self._logs.exceptions.ResourceNotFoundException:
            return []
        said = [json.loads(text) for text in events if text.startswith("{")]
        mine = [
            Seen(one["started"], one["ended"], one["keys"], one["event"], one["records"])
            for one in said
            if one["function"].endswith(f":function:{function}") and _is_of(one, source)
        ]
        return sorted(mine, key=lambda seen: seen.started)

    def until_seen(
        self, source: Source, condition: Callable[[list[Seen]], Any], function: str | None = None, within: float = 20
    ) -> list[Seen]:
        """What was seen of ``source`` once that satisfies ``condition``."""

        def satisfied() -> list[Seen] | None:
            found = self.seen(source, function)
            return found if condition(found) else None

        return eventually(satisfied, within)

    def until_number(self, source: Source, number: int, function: str | None = None, within: float = 20) -> list[Seen]:
        """What was seen of ``source`` once the record with order "n" ``number`` was among it."""
        return self.until_seen(
            source, lambda seen: any(order.get("n") == number for one in seen for order in one.orders), function, within
        )

    def history(self, source: Source, count: int, function: str | None = None) -> list[list[int]]:
        """Order "n" of every record, a list for every event: all ``count`` ones, or more, before a record sent now.

        What failed for good is told before the function's last lines are in its log, so a test of "no more" needs both.
        """
        last = {"n": LAST}
        if ":dynamodb:" in source.arn:
            self.write(source, last)
        else:
            self.put(source, last)
        seen = self.until_seen(source, lambda seen: len(seen) > count and seen[-1].numbers == [LAST], function)
        return numbers(seen)[:-1]

    def failures(self, queue: Queue, count: int = 1, within: float = 20) -> list[dict[str, Any]]:
        """The bodies of the next ``count`` messages of an on-failure queue, parsed."""
        found: list[dict[str, Any]] = []

        def received() -> list[dict[str, Any]] | None:
            answer = self.bench.sqs.receive_message(QueueUrl=queue.url, WaitTimeSeconds=1, MaxNumberOfMessages=10)
            for message in answer.get("Messages", []):
                found.append(json.loads(message["Body"]))
                self.bench.sqs.delete_message(QueueUrl=queue.url, ReceiptHandle=message["ReceiptHandle"])
            return found if len(found) >= count else None

        eventually(received, within)
        assert len(found) == count
        return found


def _now() -> int:
    return int(time.time() * 1000)


def _is_of(said: dict[str, Any], source: Source) -> bool:
    """Whether an event came from ``source`` or a consumer of it; the last event of a window may have no records."""
    arns = {record["eventSourceARN"] for record in said["records"]} | {said["event"].get("eventSourceARN", source.arn)}
    return all(arn == source.arn or arn.startswith(f"{source.arn}/consumer/") for arn in arns)
