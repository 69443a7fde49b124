"""What a WebSocket API does on the sandbox: frames to a FIFO queue with an acknowledgement each, and posts back.

    python bench/websocket.py [--connections 50] [--frames 200]

Frames go through a model, a template and SQS, as those of modules/websocket-ingress do; posts go by boto3, as those of
functions/reply. In one run, for the ratio: the same number of messages sent to the queue by boto3 directly.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from typing import Any
from uuid import uuid4

import boto3
from pipeline import ACCOUNT, REGION, Usage, policy, sandbox
from websockets.asyncio.client import ClientConnection, connect

from durable_sandbox.cli.aws import client

_SCHEMA = {"type": "object", "properties": {"id": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,128}$"}}}
_FORM = (
    "Action=SendMessage&MessageGroupId=$util.urlEncode($context.connectionId)"
    "#set($id = $input.path('$.id'))&MessageDeduplicationId=$util.urlEncode($id)"
    "&MessageAttribute.1.Name=connectionId&MessageAttribute.1.Value.DataType=String"
    "&MessageAttribute.1.Value.StringValue=$util.urlEncode($context.connectionId)"
    "&MessageBody=$util.urlEncode($input.body)"
)
_ANSWER = '{"status": "accepted", "connectionId": "$context.connectionId"}'


def deploy(port: int) -> tuple[str, str]:
    """An API with a stage ``live`` before a FIFO queue; the stage's URL and the queue's."""
    name = f"bench-{uuid4().hex[:8]}.fifo"
    queue: str = client(port, "sqs").create_queue(QueueName=name, Attributes={"FifoQueue": "true"})["QueueUrl"]
    gateway = client(port, "apigatewayv2")
    api = gateway.create_api(Name="bench", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action")
    key = {"ApiId": api["ApiId"]}
    integration = gateway.create_integration(
        **key,
        IntegrationType="AWS",
        IntegrationMethod="POST",
        IntegrationUri=f"arn:aws:apigateway:{REGION}:sqs:path/{ACCOUNT}/{name}",
        CredentialsArn=_role(port),
        RequestParameters={"integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"},
        RequestTemplates={"$default": _FORM},
        TemplateSelectionExpression="\\$default",
    )["IntegrationId"]
    answer = {"ResponseTemplates": {"$default": _ANSWER}, "TemplateSelectionExpression": "\\$default"}
    gateway.create_integration_response(**key, IntegrationId=integration, IntegrationResponseKey="$default", **answer)
    gateway.create_model(**key, Name="frame", ContentType="application/json", Schema=json.dumps(_SCHEMA))
    route = gateway.create_route(
        **key,
        RouteKey="$default",
        Target=f"integrations/{integration}",
        RequestModels={"$default": "frame"},
        ModelSelectionExpression="\\$default",
        RouteResponseSelectionExpression="$default",
    )["RouteId"]
    gateway.create_route_response(**key, RouteId=route, RouteResponseKey="$default")
    gateway.create_stage(**key, StageName="live", AutoDeploy=True)
    return f"{api['ApiEndpoint']}/live", queue


def _role(port: int) -> str:
    iam = client(port, "iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "apigateway.amazonaws.com"}, "Action": "sts:AssumeRole"}
    work = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}
    arn: str = iam.create_role(RoleName="bench", AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName="bench", PolicyName="bench", PolicyDocument=policy(work))
    return arn


async def talk(url: str, frames: int, opened: asyncio.Barrier, ids: list[str]) -> None:
    """Send ``frames`` and read as many answers; the connection's id goes to ``ids``."""
    async with connect(url, compression=None) as socket:
        await opened.wait()
        sending = asyncio.create_task(_send(socket, frames))
        for _ in range(frames):
            answer = json.loads(await socket.recv())
            if answer.get("status") != "accepted":
                raise SystemExit(f"a frame was not accepted: {answer}")
        await sending
        ids.append(answer["connectionId"])


async def _send(socket: ClientConnection, frames: int) -> None:
    for number in range(frames):
        await socket.send(json.dumps({"id": str(number), "text": "x" * 200}))


async def ingress(url: str, connections: int, frames: int) -> float:
    """Seconds from the first frame, once all are connected, to the last acknowledgement."""
    opened = asyncio.Barrier(connections + 1)
    tasks = [asyncio.create_task(talk(url, frames, opened, [])) for _ in range(connections)]
    await opened.wait()
    started = time.monotonic()
    await asyncio.gather(*tasks)
    return time.monotonic() - started


async def posts(url: str, count: int) -> float:
    """Seconds for ``count`` posts to one client, by one boto3 client."""
    ids: list[str] = []
    await talk(url, 1, asyncio.Barrier(1), ids)
    async with connect(url, compression=None) as socket:
        await socket.send(json.dumps({"id": "first"}))
        connection = json.loads(await socket.recv())["connectionId"]
        backend: Any = boto3.client(
            "apigatewaymanagementapi",
            endpoint_url=url.replace("ws", "http", 1),
            region_name=REGION,
            aws_access_key_id="sandbox",
            aws_secret_access_key="sandbox",  # noqa: S106 - the sandbox takes any
        )
        started = time.monotonic()

        def post() -> None:
            for number in range(count):
                backend.post_to_connection(ConnectionId=connection, Data=str(number).encode())

        posting = asyncio.create_task(asyncio.to_thread(post))
        for number in range(count):
            if await socket.recv() != str(number):
                raise SystemExit("the posts came out of order")
        await posting
        return time.monotonic() - started


def direct(port: int, queue: str, count: int) -> float:
    """Seconds for as many single sends by boto3."""
    sqs = client(port, "sqs")
    started = time.monotonic()
    for number in range(count):
        sqs.send_message(QueueUrl=queue, MessageBody="x" * 230, MessageGroupId="g", MessageDeduplicationId=f"d{number}")
    return time.monotonic() - started


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--frames", type=int, default=200, help="of each connection")
    arguments = parser.parse_args()
    total = arguments.connections * arguments.frames
    with sandbox() as (port, pid):
        url, queue = deploy(port)
        before = Usage.of(pid).server_cpu
        taken = asyncio.run(ingress(url, arguments.connections, arguments.frames))
        cpu = Usage.of(pid).server_cpu - before
        print(f"frames to SQS, acknowledged: {total / taken:,.0f}/s, server CPU {cpu / total * 1e6:,.0f} us a frame")
        count = min(total, 2000)
        print(f"posts by one boto3 client: {count / asyncio.run(posts(url, count)):,.0f}/s")
        print(f"sends by one boto3 client, for the ratio: {count / direct(port, queue, count):,.0f}/s")


if __name__ == "__main__":
    sys.exit(main())
