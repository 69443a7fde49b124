"""AWS as the redrive sees it: answers to the real clients on the wire, from shards, objects and scripted errors."""

import base64
import io
import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote_plus, unquote

import pytest
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.exceptions import ReadTimeoutError
from functions_support import load

redrive = load("stream_redrive")
clients = load("stream_redrive", "clients")
shard_module = load("stream_redrive", "shard")

ACCOUNT = "123456789012"
STREAM = f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/orders"
CHANGES = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/items/stream/2026-01-01T00:00:00.000"
SHARD = "shardId-00000001700000000000-1a2b3c4d"
WIDE = 10**20  # DynamoDB's sequence numbers have 21 digits or more
ALIAS = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:orders:live"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:retries"
BUCKET = "arn:aws:s3:::archive"
QUEUE_URL = "https://sqs.us-east-1.amazonaws.com/123456789012/retries"
SERVICES = ("kinesis", "dynamodbstreams", "lambda", "sqs", "s3")
TARGET_TIMEOUT = 30
Function = Callable[[dict[str, Any]], tuple[str, str | None]]


def kinesis(number: int, key: str = "a", data: bytes = b"{}") -> dict[str, Any]:
    """Return a record as GetRecords of Kinesis has it on the wire."""
    return {
        "SequenceNumber": str(number),
        "PartitionKey": key,
        "Data": base64.b64encode(data).decode(),
        "ApproximateArrivalTimestamp": 1545084650.987,
    }


def change(number: int, key: str = "a") -> dict[str, Any]:
    """Return a record as GetRecords of DynamoDB streams has it on the wire, with binary values in three places."""
    binary = base64.b64encode(b"\x00\xff").decode()
    return {
        "eventID": "1",
        "eventName": "MODIFY",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1700000000,
            "Keys": {"id": {"S": key}, "part": {"B": binary}},
            "NewImage": {"id": {"S": key}, "set": {"BS": [binary]}, "map": {"M": {"deep": {"L": [{"B": binary}]}}}},
            "SequenceNumber": str(number),
            "SizeBytes": 26,
            "StreamViewType": "NEW_IMAGE",
        },
    }


@dataclass
class Shard:
    """Records in order of their numbers. `pages` are the sizes of the next pages, 0 for an empty one in between."""

    records: list[dict[str, Any]]
    closed: bool = False
    trimmed_before: int = 0
    pages: list[int] = field(default_factory=list)

    def number(self, position: int) -> int:
        record = self.records[position]
        return int(record["SequenceNumber"] if "SequenceNumber" in record else record["dynamodb"]["SequenceNumber"])

    @property
    def first(self) -> int:
        numbers = (self.number(position) for position in range(len(self.records)))
        return sum(number < self.trimmed_before for number in numbers)

    def position(self, kind: str, number: str) -> int:
        if kind == "TRIM_HORIZON":
            return self.first
        least = int(number) + (kind == "AFTER_SEQUENCE_NUMBER")
        later = (at for at in range(self.first, len(self.records)) if self.number(at) >= least)
        return next(later, len(self.records))


@dataclass
class Aws:
    """Calls in their order with their parameters; `errors` are the next answers of an operation, None for a success.

    `function` is the plain function: of a record, it returns its answer, and the kind of error if it failed. The error
    "timeout" is none of AWS's: nothing answers in time.
    """

    shards: dict[tuple[str, str], Shard] = field(default_factory=dict)
    objects: dict[str, str] = field(default_factory=dict)
    errors: dict[str, list[str | None]] = field(default_factory=lambda: defaultdict(list))
    refused: dict[str, str] = field(default_factory=dict)
    function: Function = field(default=lambda _: ("null", None))
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, params: dict[str, Any], model: Any, **_: object) -> None:
        with self.lock:
            self.calls.append((model.name, dict(params)))

    def of(self, operation: str) -> list[dict[str, Any]]:
        return [params for name, params in self.calls if name == operation]

    def send(self, request: AWSRequest, **_: object) -> Any:
        header = {key.lower(): _text(value) for key, value in request.headers.items()}
        target = header.get("x-amz-target", "").rpartition(".")[2]
        operation = target or {"POST": "Invoke", "PUT": "PutObject", "GET": "GetObject"}[request.method]
        with self.lock:
            code = self.errors[operation].pop(0) if self.errors[operation] else None
            code = code or self.refused.get(header.get("x-amz-durable-execution-name", ""))
            if code == "timeout":
                raise ReadTimeoutError(endpoint_url=request.url)
            if operation == "PutObject":
                error = f"<Error><Code>{code}</Code><Message>because</Message></Error>"
                return _raw(request, 403 if code else 200, error.encode() if code else b"", {})
            if code:
                return _answer(request, 400, {"__type": code, "message": "because"}, code)
            if operation == "GetObject":
                return self._object(request)
            waits = header.get("x-amz-invocation-type") == "RequestResponse"
            sent = json.loads(request.body) if target else {}
            if not waits:
                status = 202 if operation == "Invoke" else 200
                return _answer(request, status, getattr(self, f"_{operation}", dict)(sent))
        (record,) = json.loads(request.body)["Records"]
        answer, error = self.function(record)  # outside of the lock: functions run side by side
        return _raw(request, 200, answer.encode(), {"x-amz-function-error": error} if error else {})

    __call__ = send

    def _object(self, request: AWSRequest) -> Any:
        key = unquote(request.url.split("?")[0].split("amazonaws.com/", 1)[1])
        if key not in self.objects:
            return _raw(request, 404, b"<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>", {})
        return _raw(request, 200, self.objects[key].encode(), {})

    def _GetShardIterator(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        stream = sent.get("StreamARN") or sent["StreamArn"]
        number = sent.get("StartingSequenceNumber") or sent.get("SequenceNumber") or "0"
        position = self.shards[stream, sent["ShardId"]].position(sent["ShardIteratorType"], number)
        return {"ShardIterator": json.dumps([stream, sent["ShardId"], position])}

    def _GetRecords(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        stream, shard_id, position = json.loads(sent["ShardIterator"])
        shard = self.shards[stream, shard_id]
        size = min(sent["Limit"], shard.pages.pop(0) if shard.pages else sent["Limit"])
        end = min(position + size, len(shard.records))
        behind = 1000 * (len(shard.records) - end)
        reply: dict[str, Any] = {"Records": shard.records[position:end], "MillisBehindLatest": behind}
        if not (shard.closed and end == len(shard.records)):
            reply["NextShardIterator"] = json.dumps([stream, shard_id, end])
        if ":dynamodb:" in stream:
            del reply["MillisBehindLatest"]
        return reply

    def _GetQueueUrl(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"QueueUrl": QUEUE_URL.replace("retries", sent["QueueName"])}

    def _SendMessageBatch(self, sent: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        reply: dict[str, list[dict[str, Any]]] = {"Successful": [], "Failed": []}
        for entry in sent["Entries"]:
            code = self.refused.get(json.loads(entry["MessageBody"])["messageId"])
            failed = {"Id": entry["Id"], "Code": code, "SenderFault": True, "Message": "because"}
            taken = {"Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "0"}
            reply["Failed" if code else "Successful"].append(failed if code else taken)
        return reply


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _answer(request: AWSRequest, status: int, body: dict[str, Any], code: str = "") -> Any:
    return _raw(request, status, json.dumps(body).encode(), {"x-amzn-errortype": code} if code else {})


class _Body(io.BytesIO):
    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield self.read()


def _raw(request: AWSRequest, status: int, body: bytes, headers: dict[str, str]) -> Any:
    return AWSResponse(request.url, status, {"content-length": str(len(body))} | headers, _Body(body))


@contextmanager
def fake_aws(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Iterator[Aws]:
    """Put the fake behind the redrive's clients, and the environment around it; nothing waits."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
    monkeypatch.setattr(shard_module, "time", SimpleNamespace(sleep=lambda _: None))
    _forget()
    fake = Aws()
    for aws in (*map(clients.client, SERVICES), clients.waiting_client(TARGET_TIMEOUT)):
        aws.meta.events.register("before-parameter-build", fake.note)
        aws.meta.events.register("before-send", fake.send)
    yield fake
    _forget()


def _forget() -> None:
    clients.client.cache_clear()
    clients.waiting_client.cache_clear()
    redrive.environment_target.cache_clear()


def failed(start: int, end: int, size: int | None = None, **changes: Any) -> dict[str, Any]:
    """Return an on-failure record of a batch, of Kinesis unless `stream_arn` is DynamoDB's."""
    arn = changes.pop("stream_arn", STREAM)
    info = {
        "shardId": SHARD,
        "startSequenceNumber": str(start),
        "endSequenceNumber": str(end),
        "approximateArrivalOfFirstRecord": "2026-01-01T00:00:00.000Z",
        "approximateArrivalOfLastRecord": "2026-01-01T00:00:01.000Z",
        "batchSize": end - start + 1 if size is None else size,
        "streamArn": arn,
    } | changes
    return {
        "requestContext": {
            "requestId": "r",
            "functionArn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:handler",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 4,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "version": "1.0",
        "timestamp": "2026-01-01T00:00:02.000Z",
        "DDBStreamBatchInfo" if ":dynamodb:" in arn else "KinesisBatchInfo": info,
    }


def run(*bodies: Any, remaining: Any = 300_000) -> list[str]:
    """Give the redrive a batch of messages, m-0, m-1 ...; return which it reports as failed."""
    clock = remaining if callable(remaining) else lambda: remaining
    texts = [body if isinstance(body, str) else json.dumps(body) for body in bodies]
    records = [{"messageId": f"m-{position}", "body": text} for position, text in enumerate(texts)]
    reply = redrive.handler({"Records": records}, SimpleNamespace(get_remaining_time_in_millis=clock))
    assert set(reply) == {"batchItemFailures"}
    return [failure["itemIdentifier"] for failure in reply["batchItemFailures"]]


def give(aws: Aws, *numbers: int, **shard: Any) -> Shard:
    """Put Kinesis records on the shard."""
    aws.shards[STREAM, SHARD] = Shard([kinesis(number) for number in numbers], **shard)
    return aws.shards[STREAM, SHARD]


def handed_over(aws: Aws) -> list[str]:
    """The sequence numbers that a function was started with, in order."""
    return [json.loads(call["Payload"])["sequenceNumber"] for call in aws.of("Invoke")]


def changes(aws: Aws) -> list[int]:
    """The same for changes of DynamoDB."""
    return [int(json.loads(call["Payload"])["dynamodb"]["SequenceNumber"]) for call in aws.of("Invoke")]


def line(log: pytest.LogCaptureFixture, level: int) -> Any:
    """The redrive's one line of a level."""
    (found,) = (record for record in log.records if record.levelno == level and record.name == "stream_redrive")
    return found


def event_records(*numbers: int) -> list[dict[str, Any]]:
    """Records as a Kinesis mapping's event has them, of an enhanced fan-out consumer."""
    return [
        {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": "a",
                "sequenceNumber": str(number),
                "data": "e30=",
                "approximateArrivalTimestamp": 1545084650.987,
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{SHARD}:{number}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": "arn:aws:iam::123456789012:role/handler",
            "awsRegion": "us-east-1",
            "eventSourceARN": f"{STREAM}/consumer/fast:1",
        }
        for number in numbers
    ]


def notification(*keys: str) -> dict[str, Any]:
    """What S3 tells a queue of new objects."""
    s3 = [{"bucket": {"name": "failures"}, "object": {"key": quote_plus(key), "size": 1}} for key in keys]
    return {"Records": [{"eventName": "ObjectCreated:Put", "eventSource": "aws:s3", "s3": one} for one in s3]}


def pipe_record(record: dict[str, Any]) -> dict[str, Any]:
    """The same batch as a pipe's dead letter."""
    kind = "KinesisBatchInfo" if "KinesisBatchInfo" in record else "DDBStreamBatchInfo"
    context = {
        "partnerResourceArn": "arn:aws:pipes:us-east-1:123456789012:pipe/p",
        "condition": "RetryAttemptsExhausted",
    }
    return {"context": context, "version": "1.0", "timestamp": record["timestamp"], kind: record[kind]}
