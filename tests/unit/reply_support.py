"""API Gateway's management API on the wire, a connection table in moto, and a reply function that is none."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import boto3
import pytest
from botocore.awsrequest import AWSRequest, AWSResponse
from functions_support import load
from moto import mock_aws

ENDPOINT = "https://abc.execute-api.us-east-1.amazonaws.com/live"
TABLE = "connections"
LONG_AGO = 1_745_000_000_000

GONE = (410, "GoneException")
THROTTLED = (429, "LimitExceededException")
BROKEN = (500, "InternalServerErrorException")
FORBIDDEN = (403, "ForbiddenException")
INVALID = (400, "BadRequestException")
TOO_LARGE = (413, "PayloadTooLargeException")


@dataclass
class Gateway:
    """Answers the real client's requests: 200, or by connection id what `answers` says; a list is used up one by one."""

    answers: dict[str, Any] = field(default_factory=dict)
    posts: list[tuple[str, bytes]] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    together: threading.Barrier | None = None

    def __call__(self, request: AWSRequest, **_: object) -> Any:
        connection_id = unquote(request.url.rpartition("/@connections/")[2])
        with self.lock:
            self.posts.append((connection_id, request.body))
            self.urls.append(request.url)
            answer = self.answers.get(connection_id, (200, ""))
            if isinstance(answer, list):
                answer = answer.pop(0) if answer else (200, "")
        if self.together is not None:
            self.together.wait(timeout=5)
        if isinstance(answer, Exception):
            raise answer
        status, code = answer
        body = json.dumps({"message": "because"}).encode() if code else b""
        headers = {"x-amzn-errortype": code} if code else {}
        return AWSResponse(request.url, status, headers, SimpleNamespace(stream=lambda: [body], read=lambda: body))

    @property
    def to(self) -> list[str]:
        return [connection_id for connection_id, _ in self.posts]


@contextmanager
def management_api(patch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    """Give the reply function its environment, with moto's table and this fake of the API; its retries do not wait."""
    patch.setenv("MANAGEMENT_ENDPOINT", ENDPOINT)
    patch.setenv("TABLE_NAME", TABLE)
    patch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
    clients = load("reply", "clients")
    for client in (clients.management, clients.dynamodb):
        client.cache_clear()
    fake = Gateway()
    clients.management(ENDPOINT).meta.events.register("before-send.apigatewaymanagementapi.PostToConnection", fake)
    yield fake
    for client in (clients.management, clients.dynamodb):
        client.cache_clear()


def time_left(milliseconds: int = 30_000) -> Any:
    """Return Lambda's context, as far as the function reads it."""
    return SimpleNamespace(get_remaining_time_in_millis=lambda: milliseconds)


@contextmanager
def connection_table() -> Iterator[Any]:
    """Yield an empty connection table in moto, as the module makes it."""
    with mock_aws():
        yield boto3.resource("dynamodb").create_table(
            TableName=TABLE,
            AttributeDefinitions=[
                {"AttributeName": "connection_id", "AttributeType": "S"},
                {"AttributeName": "client_id", "AttributeType": "S"},
                {"AttributeName": "connected_at", "AttributeType": "N"},
            ],
            KeySchema=[{"AttributeName": "connection_id", "KeyType": "HASH"}],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "client",
                    "KeySchema": [
                        {"AttributeName": "client_id", "KeyType": "HASH"},
                        {"AttributeName": "connected_at", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
            BillingMode="PAY_PER_REQUEST",
        )


def connect(table: Any, connection_id: str, client_id: str | None = None, *, at: int = LONG_AGO) -> None:
    item: dict[str, Any] = {"connection_id": connection_id, "connected_at": at, "expires_at": at // 1000 + 7200}
    table.put_item(Item=item | ({"client_id": client_id} if client_id else {}))


def connected(table: Any) -> list[str]:
    return sorted(item["connection_id"] for item in table.scan()["Items"])


class ThrottledError(Exception):
    pass


@dataclass
class Reply:
    """The reply function: answers that all was delivered, or what `answers` says, one by one."""

    answers: list[Any] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, event: dict[str, Any], _context: object) -> Any:
        with self.lock:
            self.requests.append(event)
            answer = self.answers.pop(0) if self.answers else delivered(event["connection_id"])
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def reports(self) -> list[dict[str, Any]]:
        return [request["data"] for request in self.requests]

    def statuses(self, message_id: str | None = None) -> list[str]:
        return [r["status"] for r in self.reports if message_id in {None, r["message_id"]}]


def delivered(connection_id: str | None, client_id: str | None = None) -> dict[str, Any]:
    return {"delivered": connection_id is not None, "connection_id": connection_id, "client_id": client_id}
