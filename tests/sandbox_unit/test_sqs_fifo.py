"""The FIFO queue without a loop, under a clock that the test turns."""

from __future__ import annotations

import random

import pytest
from sqs_support import Clock, ids, message, receipt

from durable_sandbox.aws.errors import AwsError
from durable_sandbox.services.sqs.fifo import FifoQueue
from durable_sandbox.services.sqs.message import Message
from durable_sandbox.services.sqs.queue import QueueSettings


@pytest.fixture
def clock() -> Clock:
    return Clock()


def make(clock: Clock, **settings: int) -> FifoQueue:
    return FifoQueue("arn:source.fifo", "uid", QueueSettings(**settings), clock)


def send(queue: FifoQueue, name: str, group: str = "g", delay: int | None = None) -> Message:
    return queue.send(message(name, group, name), delay)


def test_a_group_is_locked_while_one_of_its_messages_is_in_flight(clock: Clock) -> None:
    queue = make(clock)
    for name, group in (("a1", "a"), ("a2", "a"), ("b1", "b")):
        send(queue, name, group)
    (first,) = queue.receive(1)
    assert first.message_id == "a1"
    assert ids(queue.receive(10)) == ["b1"]
    assert queue.receive(10) == []
    queue.delete(receipt(queue, first))
    assert ids(queue.receive(10)) == ["a2"]


def test_a_batch_takes_as_much_of_one_group_as_possible_then_the_next(clock: Clock) -> None:
    queue = make(clock)
    for name, group in (("a1", "a"), ("b1", "b"), ("a2", "a"), ("b2", "b")):
        send(queue, name, group)
    assert ids(queue.receive(3)) == ["a1", "a2", "b1"]


def test_messages_return_in_order_whatever_the_order_of_their_return(clock: Clock) -> None:
    queue = make(clock, visibility_timeout=30)
    for name in ("1", "2", "3"):
        send(queue, name)
    held = {m.message_id: receipt(queue, m) for m in queue.receive(3)}
    queue.change_visibility(held["3"], 0)
    queue.change_visibility(held["1"], 0)
    assert queue.receive(10) == []
    queue.change_visibility(held["2"], 0)
    assert ids(queue.receive(10)) == ["1", "2", "3"]


def test_duplicates_within_five_minutes_are_accepted_and_not_stored(clock: Clock) -> None:
    queue = make(clock)
    first = queue.send(message("first", "g", "same"))
    queue.delete(receipt(queue, queue.receive(1)[0]))
    clock.tick(299)
    again = queue.send(message("second", "other", "same"))
    assert (again.message_id, again.sequence, len(queue)) == ("first", first.sequence, 0)
    clock.tick(1)
    assert queue.send(message("third", "g", "same")).message_id == "third"


def test_deduplication_by_group(clock: Clock) -> None:
    queue = make(clock, dedup_by_group=True)
    queue.send(message("a", "one", "same"))
    queue.send(message("b", "two", "same"))
    queue.send(message("c", "two", "same"))
    assert ids(queue.receive(10)) == ["a", "b"]


def test_the_content_is_the_body_alone(clock: Clock) -> None:
    queue = make(clock, content_based_dedup=True)
    first = message("a", "g", body="x")
    first.attributes = {"n": {"DataType": "String", "StringValue": "1"}}
    queue.send(first)
    queue.send(message("b", "g", body="x"))
    queue.send(message("c", "g", body="y"))
    queue.send(message("d", "g", "explicit", body="x"))
    received = queue.receive(10)
    assert ids(received) == ["a", "c", "d"]
    assert received[0].dedup_id == "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"


def test_without_content_based_deduplication_an_id_is_needed(clock: Clock) -> None:
    with pytest.raises(AwsError, match="ContentBasedDeduplication enabled or MessageDeduplicationId"):
        make(clock).send(message("a", "g"))


def test_sequence_numbers_have_twenty_digits_and_grow(clock: Clock) -> None:
    queue = make(clock)
    sequences = [send(queue, str(number)).sequence or 0 for number in range(5)]
    assert sequences == sorted(set(sequences))
    assert {len(str(sequence)) for sequence in sequences} == {20}


def test_a_handle_expires_with_the_visibility_timeout(clock: Clock) -> None:
    queue = make(clock, visibility_timeout=5)
    send(queue, "a")
    handle = receipt(queue, queue.receive(1)[0])
    clock.tick(5)
    with pytest.raises(AwsError, match="The receipt handle has expired"):
        queue.delete(handle)
    assert ids(queue.receive(1)) == ["a"]


def test_dead_letters_unblock_the_group_and_get_a_new_identity_for_deduplication(clock: Clock) -> None:
    queue, dead = make(clock, visibility_timeout=1, max_receives=1), make(clock)
    send(queue, "poison")
    send(queue, "next")
    queue.receive(1, None, dead)
    clock.tick(60)
    assert ids(queue.receive(10, None, dead)) == ["next"]
    (letter,) = dead.receive(1)
    assert (letter.message_id, letter.dedup_id, letter.group_id) == ("poison", "poison", "g")
    assert (letter.sent, letter.source_arn) == (clock.now, "arn:source.fifo")


def test_a_changed_delay_holds_for_sent_messages_too(clock: Clock) -> None:
    queue = make(clock, delay=100)
    send(queue, "1")
    send(queue, "2")
    queue.configure(QueueSettings(delay=10))
    clock.tick(10)
    assert ids(queue.receive(10)) == ["1", "2"]


def test_an_attempt_repeats_until_something_changed(clock: Clock) -> None:
    queue = make(clock, visibility_timeout=30)
    send(queue, "1")
    send(queue, "2")
    received = queue.receive(10)
    queue.remember("try", received)
    clock.tick(20)
    assert queue.repeat("try", None) == received
    clock.tick(20)
    assert queue.receive(10) == []
    assert queue.repeat("try", None) == received
    queue.delete(receipt(queue, received[0]))
    assert queue.repeat("try", None) is None
    assert queue.repeat("other", None) is None


def test_an_attempt_is_forgotten_after_five_minutes(clock: Clock) -> None:
    queue = make(clock, visibility_timeout=1000)
    send(queue, "1")
    queue.remember("try", queue.receive(1))
    clock.tick(300)
    assert queue.repeat("try", None) is None


@pytest.mark.parametrize("seed", range(8))
def test_every_group_is_processed_in_order_whatever_fails(seed: int, clock: Clock) -> None:
    """Consumers that fail, time out and release at random still see each group's messages in the order sent."""
    choose = random.Random(seed)  # noqa: S311 - a reproducible test, no secret
    queue = make(clock, visibility_timeout=5)
    done: dict[str, list[int]] = {"a": [], "b": [], "c": []}
    for number in range(150):
        send(queue, f"{number}", choose.choice("abc"))
    order = {g: sorted(int(m.message_id) for m in queue._messages.values() if m.group_id == g) for g in done}
    for _ in range(5000):
        batch = queue.receive(choose.randint(1, 10))
        failed: set[str | None] = set()
        for held in batch:
            outcome = choose.random()
            if held.group_id in failed or outcome < 0.3:
                failed.add(held.group_id)
                if choose.random() < 0.5:
                    queue.change_visibility(receipt(queue, held), choose.choice([0, 1, 9]))
            else:
                queue.delete(receipt(queue, held))
                done[str(held.group_id)].append(int(held.message_id))
        clock.tick(choose.choice([0, 1, 6]))
        if not len(queue):
            break
    assert done == order
