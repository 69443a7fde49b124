"""The dispatcher behind a mapping: a message starts one execution however often it is delivered, and fails alone."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from lambda_support import DURABLE, Functions, open_role, package

from durable_sandbox.cli.process import request_json
from durable_sandbox.pytest_plugin import Sandbox, eventually

DISPATCHER = Path(__file__).resolve().parents[2] / "functions" / "dispatcher"
# With less than 11 s left the dispatcher starts nothing, so its module asks for 15; and a mapping wants a queue that hides
# messages that long when it is created.
TIMEOUT = 15
LARGEST = 1_048_576


@dataclass(frozen=True)
class Queue:
    """A queue with a dead-letter queue after two receives, mapped to the dispatcher or not yet."""

    sqs: Any
    name: str
    url: str
    dead_letters: str

    def send(self, bodies: list[str]) -> list[str]:
        entries = [{"Id": str(i), "MessageBody": body} for i, body in enumerate(bodies)]
        sent = self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries)["Successful"]
        return [entry["MessageId"] for entry in sorted(sent, key=lambda entry: int(entry["Id"]))]

    def depths(self) -> tuple[int, int]:
        """All messages, in flight or not: of the queue, of its dead-letter queue."""
        return self._depth(self.url), self._depth(self.dead_letters)

    def ends_with(self, dead: int) -> None:
        eventually(lambda: True if self.depths() == (0, dead) else None)

    def _depth(self, url: str) -> int:
        names = ["", "NotVisible", "Delayed"]
        wanted = [f"ApproximateNumberOfMessages{name}" for name in names]
        return sum(map(int, self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=wanted)["Attributes"].values()))


@dataclass(frozen=True)
class Bridge:
    """The deployed dispatcher and its target, a durable function."""

    sandbox: Sandbox
    functions: Functions
    name: str
    target: str

    def queue(self) -> Queue:
        sqs, name = self.sandbox.client("sqs"), f"bridge-{uuid4().hex[:8]}"
        size = {"MaximumMessageSize": str(LARGEST)}
        dead_letters = sqs.create_queue(QueueName=f"{name}-dlq", Attributes=size)["QueueUrl"]
        redrive = {"deadLetterTargetArn": _queue_arn(f"{name}-dlq"), "maxReceiveCount": 2}
        attributes = size | {"VisibilityTimeout": str(TIMEOUT), "RedrivePolicy": json.dumps(redrive)}
        url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return Queue(sqs, name, url, dead_letters)

    def connect(self, queue: Queue) -> None:
        """Map the queue; what is not deleted comes back after 2 s from now on."""
        self.functions.client.create_event_source_mapping(
            EventSourceArn=_queue_arn(queue.name),
            FunctionName=f"{self.name}:live",
            BatchSize=10,
            FunctionResponseTypes=["ReportBatchItemFailures"],
        )
        queue.sqs.set_queue_attributes(QueueUrl=queue.url, Attributes={"VisibilityTimeout": "2"})

    def dispatch(self, records: list[dict[str, Any]]) -> Any:
        answer = self.functions.client.invoke(
            FunctionName=f"{self.name}:live", Payload=json.dumps({"Records": records}).encode()
        )
        return json.load(answer["Payload"])

    def executions(self, message_id: str | None = None) -> list[dict[str, Any]]:
        named = {"DurableExecutionName": message_id} if message_id else {}
        found: list[dict[str, Any]] = self.functions.client.list_durable_executions_by_function(
            FunctionName=self.target, **named
        )["DurableExecutions"]
        return found

    def said(self, message_id: str, what: str) -> list[str]:
        """The ids of the dispatcher's invocations that logged ``what`` of the message."""
        events = self.sandbox.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{self.name}")["events"]
        lines = [event["message"].split("\t") for event in events]
        return [line[2] for line in lines if line[-1].startswith(f"message {message_id} {what}")]

    def says(self, times: int, message_id: str, what: str) -> list[str]:
        """``said``, once it is that often."""
        return eventually(lambda: found if len(found := self.said(message_id, what)) == times else None)


@pytest.fixture(scope="module")
def bridge(sandbox: Sandbox) -> Bridge:
    functions = Functions(sandbox.client("lambda"))
    target = functions.durable(timeout=60)
    name = f"dispatcher-{uuid4().hex[:8]}"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for source in sorted(DISPATCHER.glob("*.py")):
            archive.write(source, source.name)
    functions.client.create_function(
        FunctionName=name,
        Role=open_role(functions.client),
        Runtime="python3.13",
        Handler="handler.handler",
        Code={"ZipFile": buffer.getvalue()},
        Publish=True,
        Timeout=TIMEOUT,
        Environment={"Variables": {"TARGET_FUNCTION_ARN": _function_arn(target)}},
    )
    functions.client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    sandbox.client("logs").create_log_group(logGroupName=f"/aws/lambda/{name}")
    found = Bridge(sandbox, functions, name, target.split(":")[0])
    assert found.dispatch([]) == {"batchItemFailures": []}  # warm: a batch takes far less than 2 s from here
    return found


def _queue_arn(name: str) -> str:
    return f"arn:aws:sqs:us-east-1:123456789012:{name}"


def _function_arn(name: str) -> str:
    return f"arn:aws:lambda:us-east-1:123456789012:function:{name}"


def test_a_message_delivered_twice_is_one_execution_named_after_it(bridge: Bridge) -> None:
    queue = bridge.queue()
    request_json(bridge.sandbox.port, "/_sandbox/faults", method="POST", send={"queue_url": queue.url, "every": 1})
    bridge.connect(queue)
    (sent,) = queue.send(['{"order": 1}'])

    # The second time by the same name and payload, which is no conflict.
    assert len(set(bridge.says(2, sent, "started"))) == 2
    queue.ends_with(dead=0)
    assert bridge.said(sent, "was") == []
    faults = request_json(bridge.sandbox.port, "/_sandbox/faults")["sqs"][queue.url]
    assert faults["delivered_again"] == [sent]
    inputs = [bridge.functions.finished(each["DurableExecutionArn"]) for each in bridge.executions()]
    (execution,) = [each for each in inputs if json.loads(each["InputPayload"])["messageId"] == sent]
    assert (execution["DurableExecutionName"], execution["Status"]) == (sent, "SUCCEEDED")


def test_a_message_delivered_again_after_the_alias_moved_counts_as_started(bridge: Bridge) -> None:
    """The first delivery is the test's own, so that the second comes when the test wants it."""
    queue, client = bridge.queue(), bridge.functions.client
    (sent,) = queue.send(['{"order": 2}'])
    (message,) = queue.sqs.receive_message(
        QueueUrl=queue.url, MessageSystemAttributeNames=["All"], VisibilityTimeout=600
    )["Messages"]
    record = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {},
    }
    assert bridge.dispatch([record]) == {"batchItemFailures": []}
    (first,) = bridge.executions(sent)
    begun = bridge.functions.finished(first["DurableExecutionArn"])

    def start() -> str:
        """As the dispatcher does, with the very same payload."""
        arn: str = client.invoke(
            FunctionName=f"{bridge.target}:live",
            InvocationType="Event",
            DurableExecutionName=sent,
            Payload=begun["InputPayload"].encode(),
        )["DurableExecutionArn"]
        return arn

    assert start() == first["DurableExecutionArn"]
    client.update_function_code(
        FunctionName=bridge.target, ZipFile=package(DURABLE.replace("REVISION = 1", "REVISION = 2"))
    )
    version = client.publish_version(FunctionName=bridge.target)["Version"]
    assert version != begun["Version"]
    client.update_alias(FunctionName=bridge.target, Name="live", FunctionVersion=version)
    with pytest.raises(client.exceptions.DurableExecutionAlreadyStartedException):
        start()
    bridge.connect(queue)
    queue.sqs.change_message_visibility(QueueUrl=queue.url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)

    bridge.says(1, sent, "was started before")
    queue.ends_with(dead=0)
    (only,) = bridge.executions(sent)
    assert only["DurableExecutionArn"] == first["DurableExecutionArn"]
    assert bridge.said(sent, "was not started") == []


def test_a_payload_over_1_mb_among_ten_fails_alone_and_ends_in_the_dead_letter_queue(bridge: Bridge) -> None:
    queue = bridge.queue()
    bridge.connect(queue)
    large = '"' * (LARGEST // 2)  # the queue takes it; as text in JSON each quote is two bytes
    bodies = [json.dumps({"order": i}) for i in range(10)]
    bodies[4] = large
    ids = queue.send(bodies)
    poisoned = ids.pop(4)

    queue.ends_with(dead=1)
    (dead,) = queue.sqs.receive_message(QueueUrl=queue.dead_letters)["Messages"]
    assert (dead["MessageId"], dead["Body"] == large) == (poisoned, True)
    tries = bridge.says(2, poisoned, "was not started: PayloadTooLargeError")
    assert bridge.executions(poisoned) == []
    for sent in ids:
        assert len(bridge.executions(sent)) == 1
        assert bridge.said(sent, "started")[0] == tries[0], "not in one batch with the poisoned message"
    assert queue.depths() == (0, 1)
