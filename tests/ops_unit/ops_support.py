"""A pipeline as small as can be, under the root module's names, by boto3 alone; and the command on it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch
from uuid import uuid4

from durable_ops import queue
from durable_ops.cli import main
from durable_sandbox.pytest_plugin import Sandbox, eventually

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/ops-handler"

# Fails until it is mended. One effect a message, whose attempts are counted: an item under the id that the message has, or had
# at first, as docs/guides/operate.md wants it. Events as a pipe sends them.
HANDLER = """
import boto3
from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python.config import CallbackConfig, Duration

MENDED = False


def message_id(record):
    kept = record.get("messageAttributes", {}).get("DurablePipelineMessageId", {})
    return kept.get("stringValue") or record["messageId"]


def effect(message_id):
    boto3.client("dynamodb").update_item(
        TableName=TABLE, Key={"id": {"S": message_id}},
        UpdateExpression="ADD attempts :one", ExpressionAttributeValues={":one": {"N": "1"}},
    )


@durable_execution
def handler(event, context):
    if isinstance(event, dict):
        context.step(lambda _: 1, name="first")
        if event.get("hold"):
            context.wait(Duration.from_seconds(event["hold"]), name="hold")
        if event.get("callback"):
            callback = context.create_callback(
                name="approval", config=CallbackConfig(timeout=Duration.from_seconds(3600))
            )
            return {"answer": callback.result()}
        return event
    if not MENDED:
        raise ValueError("not mended yet")
    for record in event:
        context.step(lambda _: effect(message_id(record)), name="effect")
"""


def package(source: str) -> bytes:
    """A deployment package whose handler.py is ``source``."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("handler.py", source)
    return buffer.getvalue()


class Deployed:
    """Queues of a pipeline under a name of its own; its function once it is asked for."""

    def __init__(self, sandbox: Sandbox, *, fifo: bool = False) -> None:
        self.sandbox = sandbox
        self.name = f"ops-{uuid4().hex[:10]}"
        self.sqs = sandbox.client("sqs")
        self.functions = sandbox.client("lambda")
        suffix = ".fifo" if fifo else ""
        kind = {"FifoQueue": "true"} if fifo else {}
        self.failed = self.sqs.create_queue(QueueName=f"{self.name}-failed")["QueueUrl"]
        self.dlq = self.sqs.create_queue(QueueName=f"{self.name}-dlq{suffix}", Attributes=kind)["QueueUrl"]
        redrive = {"deadLetterTargetArn": queue_arn(self.dlq), "maxReceiveCount": 1}
        attributes = {**kind, "RedrivePolicy": json.dumps(redrive)}
        self.queue = self.sqs.create_queue(QueueName=f"{self.name}{suffix}", Attributes=attributes)["QueueUrl"]

    # --- function -----------------------------------------------------------------------------------------------

    def deploy(self, *, timeout: int = 86_400) -> None:
        """Create the function, broken, and its table."""
        open_role(self.sandbox)
        self.sandbox.client("dynamodb").create_table(
            TableName=self.name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        self.functions.create_function(
            FunctionName=self.name,
            Role=ROLE,
            Runtime="python3.13",
            Handler="handler.handler",
            Code={"ZipFile": package(self._source())},
            Publish=True,
            Timeout=30,
            DurableConfig={"ExecutionTimeout": timeout, "RetentionPeriodInDays": 3},
            DeadLetterConfig={"TargetArn": queue_arn(self.failed)},
        )
        self.functions.create_alias(FunctionName=self.name, Name="live", FunctionVersion="1")

    def mend(self) -> None:
        """A new version that works, behind the alias."""
        source = self._source().replace("MENDED = False", "MENDED = True")
        self.functions.update_function_code(FunctionName=self.name, ZipFile=package(source), Publish=True)
        self.functions.update_alias(FunctionName=self.name, Name="live", FunctionVersion="2")

    def start(self, event: Any, **params: Any) -> str:
        """Start an execution; its ARN."""
        answer = self.functions.invoke(
            FunctionName=self.name,
            Qualifier="live",
            InvocationType="Event",
            Payload=json.dumps(event).encode(),
            **params,
        )
        arn: str = answer["DurableExecutionArn"]
        return arn

    def fail(self, count: int) -> list[str]:
        """Start ``count`` executions of two messages each, and wait until their events are in the failed queue."""
        ids = [str(uuid4()) for _ in range(2 * count)]
        for first, second in zip(ids[::2], ids[1::2], strict=True):
            self.start([{"messageId": first, "body": "{}"}, {"messageId": second, "body": "{}"}])
        eventually(lambda: True if self.depth(self.failed) == count else None)
        return ids

    def executions(self) -> list[dict[str, Any]]:
        """All that were started."""
        found: list[dict[str, Any]] = self.functions.list_durable_executions_by_function(
            FunctionName=self.name, MaxItems=1000
        )["DurableExecutions"]
        return found

    def settled(self) -> None:
        """Wait until no execution runs."""
        eventually(lambda: None if any(one["Status"] == "RUNNING" for one in self.executions()) else True)

    def attempts(self) -> dict[str, int]:
        """How often each message had its effect."""
        items = self.sandbox.client("dynamodb").scan(TableName=self.name, ConsistentRead=True)["Items"]
        return {item["id"]["S"]: int(item["attempts"]["N"]) for item in items}

    # --- queues -------------------------------------------------------------------------------------------------

    def sideline(self) -> tuple[str, str]:
        """Create the backlog queue and its dead-letter queue; their URLs."""
        dlq = self.sqs.create_queue(QueueName=f"{self.name}-backlog-dlq")["QueueUrl"]
        redrive = {"deadLetterTargetArn": queue_arn(dlq), "maxReceiveCount": 1}
        attributes = {"RedrivePolicy": json.dumps(redrive)}
        return self.sqs.create_queue(QueueName=f"{self.name}-backlog", Attributes=attributes)["QueueUrl"], dlq

    def give_up(self, bodies: Sequence[str], **message: Any) -> list[str]:
        """Send messages and receive them too often, so that SQS moves them to the dead-letter queue; their ids."""
        return self.give_up_from(self.queue, self.dlq, bodies, **message)

    def give_up_from(self, queue: str, dlq: str, bodies: Sequence[str], **message: Any) -> list[str]:
        """The same of another queue, and its dead-letter queue."""
        ids = [self.sqs.send_message(QueueUrl=queue, MessageBody=body, **message)["MessageId"] for body in bodies]

        def moved() -> bool | None:
            answer = self.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=0)
            return None if answer.get("Messages") or self.depth(dlq) < len(ids) else True

        eventually(moved)
        return ids

    def depth(self, url: str) -> int:
        """Messages in any state."""
        names = [f"ApproximateNumberOfMessages{suffix}" for suffix in ("", "NotVisible", "Delayed")]
        answer = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(map(int, answer.values()))

    def visible(self, url: str) -> int:
        """Messages that nobody has in hand."""
        name = "ApproximateNumberOfMessages"
        answer = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"]
        return int(answer[name])

    def take(self, url: str) -> list[dict[str, Any]]:
        """Everything on a queue, taken off it."""
        taken: list[dict[str, Any]] = []
        while True:
            answer = self.sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=10,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["All"],
            )
            if not answer.get("Messages"):
                return taken
            for message in answer["Messages"]:
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            taken += answer["Messages"]

    def _source(self) -> str:
        return f"TABLE = {self.name!r}\n{HANDLER}"


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What --json printed: one object, nothing else."""
        return json.loads(self.out)


def environment(sandbox: Sandbox, **changes: str) -> dict[str, str]:
    """Variables for a command on ``sandbox``, and on nothing that this machine is set up for."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    return kept | nowhere | sandbox.env | changes


def begin(env: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    """Begin the command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", "from durable_ops.cli.main import main; main()", *arguments],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> Said:
    """Wait for its end."""
    out, err = process.communicate(timeout=90)
    return Said(process.returncode, out, err)


def run(env: dict[str, str], *arguments: str) -> Said:
    """Run the command in this process, with nobody to ask: most tests need no other, and are sooner done.

    For the same reason with short polls: in the sandbox they see everything.
    """
    out, err = io.StringIO(), io.StringIO()
    short = patch.object(queue, "_POLL_SECONDS", 0)
    with short, patch.dict(os.environ, env, clear=True), redirect_stdout(out), redirect_stderr(err):
        code = main._run(list(arguments))
    return Said(code, out.getvalue(), err.getvalue())


def queue_arn(url: str) -> str:
    """The ARN of a queue."""
    return f"arn:aws:sqs:us-east-1:{ACCOUNT}:{url.rsplit('/', 1)[1]}"


def open_role(sandbox: Sandbox) -> None:
    """ROLE, which may do anything."""
    iam = sandbox.client("iam")
    name = ROLE.rsplit("/", 1)[1]
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))
        anything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        iam.put_role_policy(RoleName=name, PolicyName="anything", PolicyDocument=policy(anything))


def policy(*statements: dict[str, Any]) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
