"""One walk through a queue of the sandbox: order, pace, what is left alone, what ends it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from typing import Any

import pytest
from botocore.exceptions import ClientError
from ops_support import Deployed

from durable_ops import dead_letters
from durable_ops import queue as queues
from durable_ops import walk as walking
from durable_ops.dead_letters import DeadLetter, look
from durable_ops.errors import Exit, OpsError
from durable_ops.pace import Pace
from durable_ops.queue import Queue
from durable_ops.redrive import message_again, resending
from durable_ops.stack import Kind
from durable_ops.walk import Result, Walk
from durable_sandbox.pytest_plugin import Sandbox


@pytest.fixture
def deployed(sandbox: Sandbox) -> Deployed:
    return Deployed(sandbox)


@pytest.fixture
def fifo(sandbox: Sandbox) -> Deployed:
    return Deployed(sandbox, fifo=True)


def walk(
    deployed: Deployed,
    act: Callable[[DeadLetter], None],
    *,
    rate: int | None = None,
    stop: threading.Event | None = None,
    ids: Collection[str] | None = None,
) -> Result:
    told = stop or threading.Event()
    queue = Queue(deployed.sqs, deployed.dlq)
    pace = Pace(rate, told)
    return Walk(queue, Kind.DLQ, act, pace=pace, stop=told, ids=ids, on_progress=lambda *_: None).run()


def put(deployed: Deployed, *bodies: str, group: str | None = None) -> None:
    """Dead letters, put there by hand; in a FIFO queue each with a body of its own."""
    for body in bodies:
        fifo = {} if group is None else {"MessageGroupId": group, "MessageDeduplicationId": f"{group}{body}"}
        deployed.sqs.send_message(QueueUrl=deployed.dlq, MessageBody=body, **fifo)


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "because"}}, "Invoke")


def test_each_is_handed_over_once_and_deleted(deployed: Deployed) -> None:
    put(deployed, *(f"{n}" for n in range(25)))
    seen: list[str] = []

    result = walk(deployed, lambda letter: seen.append(letter.body))

    assert sorted(seen, key=int) == [f"{n}" for n in range(25)]
    assert (result.done, result.failed, result.left) == (25, {}, 0)
    assert deployed.depth(deployed.dlq) == 0


def test_one_that_fails_stays_and_keeps_no_other_back(deployed: Deployed) -> None:
    put(deployed, *(f"{n}" for n in range(12)))

    def act(letter: DeadLetter) -> None:
        if letter.body == "7":
            raise refusal("TooManyRequestsException")

    result = walk(deployed, act)

    assert result.done == 11
    (why,) = result.failed.values()
    assert "throttled" in why
    assert [m["Body"] for m in deployed.take(deployed.dlq)] == ["7"]


def test_what_no_message_can_escape_ends_the_walk_at_once(deployed: Deployed) -> None:
    put(deployed, *(f"{n}" for n in range(40)))
    tried: list[str] = []

    def act(letter: DeadLetter) -> None:
        tried.append(letter.body)
        raise refusal("AccessDeniedException")

    with pytest.raises(OpsError) as problem:
        walk(deployed, act)

    assert problem.value.exit_code is Exit.DENIED
    assert len(tried) <= 10
    assert deployed.visible(deployed.dlq) == 40


def test_what_arrives_meanwhile_is_left_alone(deployed: Deployed) -> None:
    put(deployed, "old 1", "old 2")
    seen: list[str] = []

    def act(letter: DeadLetter) -> None:
        seen.append(letter.body)
        put(deployed, f"again {letter.body}")

    result = walk(deployed, act)

    assert sorted(seen) == ["old 1", "old 2"]
    assert (result.done, result.newer) == (2, 2)
    assert deployed.visible(deployed.dlq) == 2


def test_the_rate_is_kept(deployed: Deployed) -> None:
    put(deployed, *(f"{n}" for n in range(11)))
    times: list[float] = []

    walk(deployed, lambda _: times.append(time.monotonic()), rate=10)

    assert len(times) == 11
    assert max(times) - min(times) >= 0.9


def test_told_to_stop_it_gives_back_what_it_has(deployed: Deployed) -> None:
    put(deployed, *(f"{n}" for n in range(20)))
    stop = threading.Event()

    result = walk(deployed, lambda _: stop.set(), rate=5, stop=stop)

    assert result.interrupted
    assert result.done == 1
    assert deployed.visible(deployed.dlq) == 19


def test_what_another_reader_keeps_is_told(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    put(deployed, "mine", "theirs")
    deployed.sqs.receive_message(QueueUrl=deployed.dlq, MaxNumberOfMessages=1, VisibilityTimeout=600)
    monkeypatch.setattr(walking, "_PATIENCE_SECONDS", 2)

    result = walk(deployed, lambda _: None)

    assert (result.done, result.left) == (1, 1)


def test_what_comes_back_while_it_is_waited_for_is_not_left(deployed: Deployed) -> None:
    put(deployed, "theirs")
    (message,) = deployed.sqs.receive_message(QueueUrl=deployed.dlq, VisibilityTimeout=2)["Messages"]

    result = walk(deployed, lambda _: None, ids=[message["MessageId"]])

    assert (result.done, result.left, result.missing) == (1, 0, ())


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three receives a second."""
    receive = Queue.receive

    def slowly(queue: Queue, *seconds: int | None) -> Any:
        time.sleep(0.3)
        return receive(queue, *seconds)

    monkeypatch.setattr(Queue, "receive", slowly)


@pytest.mark.usefixtures("slow")
def test_it_searches_a_long_queue_to_its_end(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "_PATIENCE_SECONDS", 1)
    put(deployed, *(f"{n}" for n in range(69)))
    last = deployed.sqs.send_message(QueueUrl=deployed.dlq, MessageBody="last")["MessageId"]

    result = walk(deployed, lambda _: None, ids=[last])

    assert (result.done, result.missing) == (1, ())
    assert deployed.visible(deployed.dlq) == 69


@pytest.mark.usefixtures("slow")
def test_what_it_passed_over_is_not_back_before_the_end(fifo: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a queue of many groups, where what comes back comes first."""
    monkeypatch.setattr(queues, "VISIBILITY_SECONDS", 1)
    monkeypatch.setattr(queues, "_LOOKED_AT_A_SECOND", 10)
    for n in range(70):
        put(fifo, f"{n}", group=f"{n}")
    found = fifo.sqs.send_message(
        QueueUrl=fifo.dlq, MessageBody="last", MessageGroupId="last", MessageDeduplicationId="last"
    )
    last, queue = found["MessageId"], Queue(fifo.sqs, fifo.dlq)

    assert [letter.body for letter in look(queue, Kind.DLQ, 1, {last}).letters] == ["last"]
    result = walk(fifo, lambda _: None, ids=[last])

    assert (result.done, result.missing) == (1, ())
    assert fifo.visible(fifo.dlq) == 70


def test_what_comes_back_does_not_end_the_search(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    put(deployed, *(f"{n}" for n in range(19)))
    last = deployed.sqs.send_message(QueueUrl=deployed.dlq, MessageBody="last")["MessageId"]
    answers: list[Any] = []
    receive = Queue.receive

    def again(queue: Queue, *seconds: int | None) -> Any:
        """The first ten twice, as if they had come back before the others were seen."""
        answers.append(answers[0] if len(answers) == 1 else receive(queue, *seconds))
        return answers[-1]

    monkeypatch.setattr(Queue, "receive", again)

    result = walk(deployed, lambda _: None, ids=[last])

    assert (result.done, result.missing, result.seen) == (1, (), 20)


def test_a_search_has_an_end(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    put(deployed, *(f"{n}" for n in range(40)))
    monkeypatch.setattr(walking, "SEARCHED", 20)
    monkeypatch.setattr(dead_letters, "SEARCHED", 20)

    result = walk(deployed, lambda _: None, ids=["nobody"])

    assert (result.seen, result.missing) == (20, ("nobody",))
    assert look(Queue(deployed.sqs, deployed.dlq), Kind.DLQ, 1, {"nobody"}).seen == 20
    assert deployed.visible(deployed.dlq) == 40


def test_long_queues_are_kept_for_longer_within_limits() -> None:
    assert [queues.looking_seconds(count) for count in (0, 900, 3_000, 1_000_000)] == [30, 30, 100, 600]


def test_a_delete_that_is_lost_repeats_the_hand_over_and_nothing_else(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between the two, a message is in both queues; the next run sends it again, under the same id."""
    (first,) = deployed.give_up(["body"])
    source = Queue(deployed.sqs, deployed.queue)
    with monkeypatch.context() as patch:
        patch.setattr(Queue, "delete", _killed)
        patch.setattr(queues, "VISIBILITY_SECONDS", 2)
        with pytest.raises(KeyboardInterrupt):
            walk(deployed, resending(source))
    assert (deployed.depth(deployed.dlq), deployed.depth(deployed.queue)) == (1, 1)

    assert walk(deployed, resending(source)).done == 1

    kept = [m["MessageAttributes"]["DurablePipelineMessageId"]["StringValue"] for m in deployed.take(deployed.queue)]
    assert kept == [first, first]


def _killed(*_: Any) -> None:
    raise KeyboardInterrupt


def test_a_group_is_handed_over_in_order_and_stops_at_its_first_failure(fifo: Deployed) -> None:
    put(fifo, "a1", "a2", "a3", "a4", group="a")
    put(fifo, "b1", "b2", group="b")
    seen: list[str] = []

    def act(letter: DeadLetter) -> None:
        if letter.body == "a3":
            raise refusal("TooManyRequestsException")
        seen.append(letter.body)

    result = walk(fifo, act)

    assert [body for body in seen if body[0] == "a"] == ["a1", "a2"]
    assert [body for body in seen if body[0] == "b"] == ["b1", "b2"]
    assert (result.done, len(result.failed)) == (4, 2)
    assert [m["Body"] for m in fifo.take(fifo.dlq)] == ["a3", "a4"]


def test_a_group_of_more_than_a_receive_is_walked_in_order(fifo: Deployed) -> None:
    bodies = [f"{n:02}" for n in range(25)]
    put(fifo, *bodies, group="a")
    seen: list[str] = []

    assert walk(fifo, lambda letter: seen.append(letter.body)).done == 25
    assert seen == bodies


def test_sent_again_twice_a_fifo_queue_has_it_once(fifo: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    (first,) = fifo.give_up(["body"], MessageGroupId="g", MessageDeduplicationId="d")
    source = Queue(fifo.sqs, fifo.queue)
    with monkeypatch.context() as patch:
        patch.setattr(Queue, "delete", _killed)
        patch.setattr(queues, "VISIBILITY_SECONDS", 2)
        with pytest.raises(KeyboardInterrupt):
            walk(fifo, resending(source))

    walk(fifo, resending(source))

    (message,) = fifo.take(fifo.queue)
    assert message["Attributes"]["MessageGroupId"] == "g"
    assert message["MessageAttributes"]["DurablePipelineMessageId"]["StringValue"] == first


def test_trace_and_fair_group_go_along(deployed: Deployed) -> None:
    deployed.sqs.send_message(
        QueueUrl=deployed.dlq,
        MessageBody="body",
        MessageGroupId="tenant",
        MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988-bd862e3f"}},
    )
    (letter,) = look(Queue(deployed.sqs, deployed.dlq), Kind.DLQ, 10).letters

    again = message_again(letter, fifo=False)

    assert again["MessageGroupId"] == "tenant"
    assert "MessageDeduplicationId" not in again
    assert again["MessageSystemAttributes"]["AWSTraceHeader"]["StringValue"].startswith("Root=1-")
    assert walk(deployed, resending(Queue(deployed.sqs, deployed.queue))).done == 1
