"""The server as clients meet it: routing, identities, errors, bodies, life."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from server_support import Running, recorder, running

from durable_sandbox.aws.call import Call, Service
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.aws.http import HttpRequest
from durable_sandbox.routing import Destination, destination
from durable_sandbox.wiring import Parts, build_sqs

ROLE = "arn:aws:iam::123456789012:role/handler"


@pytest.fixture(scope="module")
def served() -> Iterator[Running]:
    with running() as sandbox:
        yield sandbox


def get(url: str, method: str = "GET", data: bytes | None = None, headers: dict[str, str] | None = None) -> Any:
    request = urllib.request.Request(url, data=data, method=method, headers=headers or {})  # noqa: S310 - our own URL
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - as above
        return answer.status, answer.headers, answer.read()


SCOPE = "AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/{}/aws4_request, SignedHeaders=host, Signature=0"


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (
            HttpRequest("POST", "/", headers={"authorization": SCOPE.format("sqs")}),
            Destination("sqs", "eu-west-1", "AKID"),
        ),
        (
            HttpRequest("GET", "/b/k", "X-Amz-Credential=AKID%2F20260101%2Feu-west-1%2Fs3%2Faws4_request&X-Amz-Date=1"),
            Destination("s3", "eu-west-1", "AKID"),
        ),
        (
            HttpRequest("POST", "/", headers={"x-amz-target": "AmazonSQS.ListQueues"}),
            Destination("sqs", "us-east-1", None),
        ),
        (HttpRequest("GET", "/2015-03-31/functions/"), Destination("lambda", "us-east-1", None)),
        (HttpRequest("GET", "/2025-12-01/durable-executions/x/state"), Destination("lambda", "us-east-1", None)),
        (HttpRequest("GET", "/v1/pipes/p"), Destination("pipes", "us-east-1", None)),
        (HttpRequest("POST", "/123456789012/q", body=b"Action=SendMessage"), Destination("sqs", "us-east-1", None)),
        (HttpRequest("GET", "/bucket/key"), Destination(None, "us-east-1", None)),
    ],
)
def test_a_request_goes_where_it_says(request_: HttpRequest, expected: Destination) -> None:
    assert destination(request_, "us-east-1") == expected


def test_queues_work_through_boto3_in_two_regions(served: Running) -> None:
    here, there = served.client("sqs"), served.client("sqs", region="eu-west-1")
    url = here.create_queue(QueueName="regional")["QueueUrl"]
    assert url == f"{served.url}/123456789012/regional"
    assert there.list_queues().get("QueueUrls", []) == []
    sent = here.send_message(QueueUrl=url, MessageBody="hello")
    assert sent["ResponseMetadata"]["RequestId"]
    (message,) = here.receive_message(QueueUrl=url)["Messages"]
    assert (message["MessageId"], message["Body"]) == (sent["MessageId"], "hello")


def test_an_error_is_the_clients_exception(served: Running) -> None:
    sqs = served.client("sqs")
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.get_queue_url(QueueName="absent")


def test_a_long_poll_whose_client_left_takes_no_message(served: Running) -> None:
    sqs = served.client("sqs")
    url = sqs.create_queue(QueueName="left")["QueueUrl"]
    body = json.dumps({"QueueUrl": url, "WaitTimeSeconds": 20}).encode()
    head = (
        f"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AmazonSQS.ReceiveMessage\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    address = served.url.removeprefix("http://").split(":")
    with socket.create_connection((address[0], int(address[1]))) as leaving:
        leaving.sendall(head.encode() + body)
        # A second request on a second connection is answered after the first has been read.
        get(f"{served.url}/_sandbox/health")
    get(f"{served.url}/_sandbox/health")
    sqs.send_message(QueueUrl=url, MessageBody="kept")
    (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=2)["Messages"]
    assert message["Body"] == "kept"


def test_control_routes(served: Running) -> None:
    _, _, body = get(f"{served.url}/_sandbox/health")
    health = json.loads(body)
    assert (health["status"], health["pid"], health["real_time"]) == ("ok", os.getpid(), False)
    status = json.loads(get(f"{served.url}/_sandbox/status")[2])
    assert {"queues", "functions", "pipes", "executions", "memory"} <= set(status)
    with pytest.raises(urllib.error.HTTPError) as unknown:
        get(f"{served.url}/_sandbox/nothing")
    assert unknown.value.code == 404
    with pytest.raises(urllib.error.HTTPError) as wrong:
        get(f"{served.url}/_sandbox/reset")
    assert wrong.value.code == 405


def test_reset_forgets_queues_moto_and_keys(served: Running) -> None:
    sqs, dynamodb, sts = served.client("sqs"), served.client("dynamodb"), served.client("sts")
    sqs.create_queue(QueueName="gone")
    key = [{"AttributeName": "id", "KeyType": "HASH"}]
    kinds = [{"AttributeName": "id", "AttributeType": "S"}]
    dynamodb.create_table(TableName="gone", KeySchema=key, AttributeDefinitions=kinds, BillingMode="PAY_PER_REQUEST")
    credentials, caller = served.sandbox.identities.assume(ROLE, "session")
    mine = served.client("sts", key=credentials.access_key)
    assert mine.get_caller_identity()["Arn"] == caller.arn == "arn:aws:sts::123456789012:assumed-role/handler/session"
    assert get(f"{served.url}/_sandbox/reset", "POST")[0] == 200
    assert sqs.list_queues().get("QueueUrls", []) == []
    assert dynamodb.list_tables()["TableNames"] == []
    root = "arn:aws:iam::123456789012:root"
    assert mine.get_caller_identity()["Arn"] == root == sts.get_caller_identity()["Arn"]


def test_s3_bodies_metadata_and_presigned_urls(served: Running) -> None:
    s3 = served.client("s3")
    s3.create_bucket(Bucket="bodies")
    big = os.urandom(1 << 20) * 70
    s3.put_object(Bucket="bodies", Key="a b/é+.bin", Body=big, Metadata={"my_key": "v", "my-other": "w"})
    head = s3.head_object(Bucket="bodies", Key="a b/é+.bin")
    assert (head["ContentLength"], head["Metadata"]) == (len(big), {"my_key": "v", "my-other": "w"})
    assert s3.get_object(Bucket="bodies", Key="a b/é+.bin")["Body"].read() == big
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "bodies", "Key": "a b/é+.bin"})
    assert url.startswith(f"{served.url}/bodies/"), "an IP host is path-style"
    status, headers, body = get(url)
    assert (status, headers["Content-Length"], len(body)) == (200, str(len(big)), len(big))


def test_expect_100_continue(served: Running) -> None:
    host, port = served.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as sock:
        sock.sendall(
            b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AmazonSQS.ListQueues\r\n"
            b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        )
        assert sock.recv(100).startswith(b"HTTP/1.1 100 Continue")
        sock.sendall(b"{}")
        assert sock.recv(1000).startswith(b"HTTP/1.1 200")


def test_what_moto_lacks_is_a_clear_error(served: Running) -> None:
    with pytest.raises(ClientError) as operation:
        served.client("kms").update_custom_key_store(CustomKeyStoreId="x")
    assert operation.value.response["Error"]["Code"] == "UnsupportedOperation"
    assert "UpdateCustomKeyStore" in operation.value.response["Error"]["Message"]
    with pytest.raises(ClientError) as service:
        served.client("codeguru-reviewer").list_code_reviews(Type="PullRequest")
    assert service.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501


def test_an_operation_that_a_service_lacks_is_a_clear_error() -> None:
    _, build = recorder()
    with running(build) as sandbox, pytest.raises(ClientError) as caught:
        sandbox.client("lambda").get_account_settings()
    assert caught.value.response["Error"]["Code"] == "UnsupportedOperation"
    assert "GetAccountSettings" in caught.value.response["Error"]["Message"]


class Broken(Service):
    """A service with a bug."""

    name = "pipes"

    def list_pipes(self, call: Call) -> None:
        raise KeyError(call.operation)

    def start_pipe(self, call: Call) -> dict[str, Any]:
        return {"Nome": call.params["Name"]}


def test_a_bug_is_a_500_with_a_traceback_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with running(lambda _: Broken()) as sandbox, caplog.at_level(logging.ERROR, "durable_sandbox"):
        pipes = sandbox.client("pipes")
        for call in (pipes.list_pipes, lambda: pipes.start_pipe(Name="p")):
            with pytest.raises(ClientError) as caught:
                call()
            assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
            assert caught.value.response["Error"]["Code"] == "InternalFailure"
    assert "KeyError: 'ListPipes'" in caplog.text
    assert "no member 'Nome'" in caplog.text


class Nobody:
    """Denies everything, and remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []

    async def authorise(self, call: Call) -> None:
        self.asked.append((call.caller.arn, call.service, call.operation))
        raise AwsError("AccessDeniedException", f"{call.caller.arn} may not {call.operation}", status=403)


def test_every_call_passes_the_authoriser() -> None:
    nobody = Nobody()
    with running(build_sqs, authoriser=nobody) as sandbox:
        calls = [
            lambda: sandbox.client("sqs").list_queues(),
            lambda: sandbox.client("dynamodb").list_tables(),
            lambda: sandbox.client("s3").list_objects_v2(Bucket="b-c-d"),
            lambda: sandbox.client("iam").list_roles(),
        ]
        for call in calls:
            with pytest.raises(ClientError) as caught:
                call()
            assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
        inside = sandbox.sandbox.call(sandbox.sandbox.identities.root(), "us-east-1", "kinesis", "ListStreams", {})
        with pytest.raises(AwsError, match="ListStreams"):
            asyncio.run_coroutine_threadsafe(inside, sandbox.loop).result(20)
    operations = [(service, operation) for _, service, operation in nobody.asked]
    assert operations == [
        ("sqs", "ListQueues"),
        ("dynamodb", "ListTables"),
        ("s3", "ListObjectsV2"),
        ("iam", "ListRoles"),
        ("kinesis", "ListStreams"),
    ]


def test_services_start_and_close_with_the_server() -> None:
    lived: list[str] = []

    class Living(Service):
        name = "pipes"

        async def start(self) -> None:
            lived.append("start")

        async def close(self) -> None:
            lived.append("close")

    def build(_: Parts) -> Service:
        return Living()

    with running(build):
        assert lived == ["start"]
    assert lived == ["start", "close"]


def test_the_process_answers_and_ends_on_sigterm() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = f"from durable_sandbox.server import SandboxConfig; from durable_sandbox.serving import run; run(SandboxConfig(port={port}))"
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        while True:
            try:
                health = json.loads(get(f"http://127.0.0.1:{port}/_sandbox/health")[2])
                break
            except urllib.error.URLError:
                assert time.monotonic() - started < 20
                assert process.poll() is None
        assert health["pid"] == process.pid
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    finally:
        process.kill()
        process.wait()
