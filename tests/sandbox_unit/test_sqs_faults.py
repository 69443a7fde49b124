"""Injected faults of queues: a deleted message that is delivered again, and the control route that asks for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError

import pytest
from sqs_support import Clock, ids, message, receipt

from durable_sandbox.cli.process import request_json
from durable_sandbox.pytest_plugin import Sandbox
from durable_sandbox.services.sqs.faults import MissedDeletes
from durable_sandbox.services.sqs.queue import MessageQueue, QueueSettings


@pytest.fixture
def queue() -> MessageQueue:
    made = MessageQueue("arn:source", "uid", QueueSettings(), Clock())
    made.faults = MissedDeletes(2)
    for name in "abcd":
        made.send(message(name))
    return made


def test_every_second_message_comes_back_once_although_it_was_deleted(queue: MessageQueue) -> None:
    for one in queue.receive(10):
        assert queue.delete(receipt(queue, one))
    again = queue.receive(10)
    assert ids(again) == ["b", "d"]
    assert [one.receive_count for one in again] == [2, 2]
    for one in again:
        assert queue.delete(receipt(queue, one))
    assert (queue.receive(10), len(queue)) == ([], 0)
    assert queue.faults is not None
    assert queue.faults.shown() == {"every": 2, "sent": 4, "chosen": ["b", "d"], "delivered_again": ["b", "d"]}


def test_an_outdated_handle_uses_no_fault_up(queue: MessageQueue) -> None:
    _, first, *_ = queue.receive(10, 0)
    old = receipt(queue, first)
    queue.receive(10)
    assert not queue.delete(old)
    assert queue.faults is not None
    assert queue.faults.shown()["delivered_again"] == []


def test_counts_stay_right(queue: MessageQueue) -> None:
    for one in queue.receive(10):
        queue.delete(receipt(queue, one))
    assert (queue.visible, queue.in_flight, queue.delayed) == (2, 0, 0)


class TestRoute:
    @pytest.fixture
    def url(self, sandbox: Sandbox) -> Iterator[str]:
        sqs = sandbox.client("sqs")
        created: str = sqs.create_queue(QueueName="faults")["QueueUrl"]
        yield created
        sqs.delete_queue(QueueUrl=created)

    def test_a_client_gets_the_message_twice(self, sandbox: Sandbox, url: str) -> None:
        inject(sandbox, {"queue_url": url, "every": 1})
        sqs = sandbox.client("sqs")
        sent = sqs.send_message(QueueUrl=url, MessageBody="x")["MessageId"]
        for count in ("1", "2"):
            answer = sqs.receive_message(QueueUrl=url, MessageSystemAttributeNames=["ApproximateReceiveCount"])
            (got,) = answer["Messages"]
            assert (got["MessageId"], got["Attributes"]["ApproximateReceiveCount"]) == (sent, count)
            sqs.delete_message(QueueUrl=url, ReceiptHandle=got["ReceiptHandle"])
        assert "Messages" not in sqs.receive_message(QueueUrl=url)
        shown = request_json(sandbox.port, "/_sandbox/faults")["sqs"][url]
        assert shown["delivered_again"] == [sent]

    def test_none_after_zero(self, sandbox: Sandbox, url: str) -> None:
        inject(sandbox, {"queue_url": url, "every": 1})
        inject(sandbox, {"queue_url": url, "every": 0})
        sqs = sandbox.client("sqs")
        sqs.send_message(QueueUrl=url, MessageBody="x")
        (got,) = sqs.receive_message(QueueUrl=url)["Messages"]
        sqs.delete_message(QueueUrl=url, ReceiptHandle=got["ReceiptHandle"])
        assert "Messages" not in sqs.receive_message(QueueUrl=url)

    @pytest.mark.parametrize(
        "body", [{}, {"every": 1}, {"queue_url": "u", "every": -1}, {"queue_url": "u", "every": True}]
    )
    def test_wrong_bodies(self, sandbox: Sandbox, body: dict[str, Any]) -> None:
        assert "every" in refused(sandbox, body)

    def test_unknown_queue(self, sandbox: Sandbox, url: str) -> None:
        assert "does not exist" in refused(sandbox, {"queue_url": f"{url}-other", "every": 1})

    def test_fifo_delivers_once(self, sandbox: Sandbox) -> None:
        sqs = sandbox.client("sqs")
        url = sqs.create_queue(QueueName="faults.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
        assert "FIFO" in refused(sandbox, {"queue_url": url, "every": 1})
        sqs.delete_queue(QueueUrl=url)


def inject(sandbox: Sandbox, body: dict[str, Any]) -> None:
    request_json(sandbox.port, "/_sandbox/faults", method="POST", send=body)


def refused(sandbox: Sandbox, body: dict[str, Any]) -> str:

    with pytest.raises(HTTPError) as caught:
        inject(sandbox, body)
    assert caught.value.code == 400
    message_text: str = json.load(caught.value)["message"]
    return message_text
