"""The standard queue without a loop, under a clock that the test turns."""

from __future__ import annotations

import random

import pytest
from sqs_support import Clock, ids, message, receipt

from durable_sandbox.aws.errors import AwsError
from durable_sandbox.services.sqs import queue as queue_module
from durable_sandbox.services.sqs.message import State
from durable_sandbox.services.sqs.queue import MessageQueue, QueueSettings


@pytest.fixture
def clock() -> Clock:
    return Clock()


def make(clock: Clock, **settings: int) -> MessageQueue:
    return MessageQueue("arn:source", "uid", QueueSettings(**settings), clock)


def test_a_received_message_is_hidden_until_its_visibility_timeout_ends(clock: Clock) -> None:
    queue = make(clock, visibility_timeout=30)
    queue.send(message("a"))
    assert ids(queue.receive(10)) == ["a"]
    clock.tick(29.9)
    assert queue.receive(10) == []
    clock.tick(0.2)
    (again,) = queue.receive(10)
    assert (again.message_id, again.receive_count) == ("a", 2)


def test_the_receives_own_visibility_timeout_wins_and_zero_shows_the_message_to_the_next_receive(clock: Clock) -> None:
    queue = make(clock, visibility_timeout=30)
    queue.send(message("a"))
    assert ids(queue.receive(10, 0)) == ["a"]
    assert ids(queue.receive(10, 5)) == ["a"]
    assert queue.receive(10) == []
    clock.tick(5)
    assert ids(queue.receive(10)) == ["a"]


def test_delays_come_from_the_queue_or_the_message(clock: Clock) -> None:
    queue = make(clock, delay=10)
    queue.send(message("queue's"))
    queue.send(message("own"), 3)
    queue.send(message("none"), 0)
    assert (queue.visible, queue.delayed) == (1, 2)
    assert ids(queue.receive(10)) == ["none"]
    clock.tick(3)
    assert ids(queue.receive(10)) == ["own"]
    clock.tick(7)
    assert ids(queue.receive(10)) == ["queue's"]


def test_a_changed_delay_leaves_sent_messages_alone(clock: Clock) -> None:
    queue = make(clock, delay=10)
    queue.send(message("a"))
    queue.configure(QueueSettings(delay=0))
    assert queue.receive(1) == []
    clock.tick(10)
    assert ids(queue.receive(1)) == ["a"]


def test_deleting_with_an_outdated_handle_deletes_nothing(clock: Clock) -> None:
    queue = make(clock, visibility_timeout=1)
    queue.send(message("a"))
    old = receipt(queue, queue.receive(1)[0])
    clock.tick(1)
    new = receipt(queue, queue.receive(1)[0])
    assert queue.delete(old) is False
    assert len(queue) == 1
    assert queue.delete(new) is True
    assert len(queue) == 0


def test_the_latest_handle_deletes_even_when_the_message_is_visible_again(clock: Clock) -> None:
    queue = make(clock, visibility_timeout=1)
    queue.send(message("a"))
    handle = receipt(queue, queue.receive(1)[0])
    clock.tick(2)
    assert queue.delete(handle) is True
    assert (queue.visible, queue.in_flight, queue.receive(1)) == (0, 0, [])


def test_change_visibility(clock: Clock) -> None:
    queue = make(clock, visibility_timeout=10)
    queue.send(message("a"))
    handle = receipt(queue, queue.receive(1)[0])
    queue.change_visibility(handle, 100)
    clock.tick(99)
    assert queue.receive(1) == []
    queue.change_visibility(handle, 0)
    assert queue.visible == 1
    with pytest.raises(AwsError) as refused:
        queue.change_visibility(handle, 5)
    assert refused.value.code == "MessageNotInflight"
    assert ids(queue.receive(1)) == ["a"]
    with pytest.raises(AwsError, match="not available for visibility timeout change"):
        queue.change_visibility(handle, 5)


def test_visibility_ends_twelve_hours_after_the_receive(clock: Clock) -> None:
    queue = make(clock)
    queue.send(message("a"))
    handle = receipt(queue, queue.receive(1, 43_200)[0])
    clock.tick(1)
    queue.change_visibility(handle, 43_199)
    with pytest.raises(AwsError, match="beyond the limit"):
        queue.change_visibility(handle, 43_200)


def test_the_receive_that_would_exceed_the_limit_moves_the_message(clock: Clock) -> None:
    source, dead = (
        make(clock, visibility_timeout=1, max_receives=2),
        MessageQueue("arn:dlq", "d", QueueSettings(), clock),
    )
    source.send(message("a"))
    source.send(message("b"), 2)
    sent = clock.now
    for _ in range(2):
        assert ids(source.receive(10, None, dead)) == ["a"]
        clock.tick(1)
    assert ids(source.receive(10, None, dead)) == ["b"]
    (letter,) = dead.receive(10)
    assert (letter.message_id, letter.sent, letter.source_arn) == ("a", sent, "arn:source")
    assert (letter.receive_count, len(source)) == (3, 1)


def test_without_a_dead_letter_queue_a_message_over_its_limit_is_delivered_not_dropped(clock: Clock) -> None:
    queue = make(clock, visibility_timeout=0, max_receives=1)
    queue.send(message("a"))
    assert [ids(queue.receive(1)) for _ in range(3)] == [["a"]] * 3


def test_retention_counts_from_the_send_even_in_the_dead_letter_queue(clock: Clock) -> None:
    source = make(clock, visibility_timeout=1, max_receives=1, retention=1000)
    dead = MessageQueue("arn:dlq", "d", QueueSettings(retention=500), clock)
    for name in ("ready", "flying", "delayed"):
        source.send(message(name), 900 if name == "delayed" else 0)
    source.receive(1, 5000)
    clock.tick(400)
    source.receive(1, 1, dead)
    clock.tick(2)
    source.receive(1, 1, dead)
    assert len(dead) == 1
    clock.tick(98)
    dead.advance()
    assert len(dead) == 0
    clock.tick(500)
    source.advance()
    assert (len(source), source.visible, source.in_flight, source.delayed) == (0, 0, 0, 0)


def test_over_limit(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_module, "IN_FLIGHT_LIMIT", 3)
    queue = make(clock)
    for number in range(5):
        queue.send(message(str(number)))
    assert len(queue.receive(2)) == 2
    held = queue.receive(2)
    assert len(held) == 1
    with pytest.raises(AwsError) as refused:
        queue.receive(1)
    assert refused.value.code == "OverLimit"
    queue.delete(receipt(queue, held[0]))
    assert len(queue.receive(2)) == 1


def test_a_noisy_group_waits_behind_quiet_ones(clock: Clock) -> None:
    queue = make(clock)
    for number in range(60):
        queue.send(message(f"noisy-{number}", "noisy"))
    for number in range(3):
        queue.send(message(f"quiet-{number}", "quiet"))
    for _ in range(3):
        queue.receive(10)
    assert ids(queue.receive(3)) == ["quiet-0", "quiet-1", "quiet-2"]
    assert len([m for _ in range(4) for m in queue.receive(10)]) == 30
    assert queue.visible == 0


def test_a_message_that_returns_goes_behind_those_waiting(clock: Clock) -> None:
    queue = make(clock, visibility_timeout=1)
    queue.send(message("poison"))
    queue.receive(1)
    queue.send(message("fresh"))
    clock.tick(2)
    assert ids(queue.receive(1)) == ["fresh"]


def test_purge_forgets_every_state(clock: Clock) -> None:
    queue = make(clock)
    for name, delay in (("a", 0), ("b", 0), ("c", 5)):
        queue.send(message(name), delay)
    handle = receipt(queue, queue.receive(1)[0])
    queue.purge()
    clock.tick(100)
    assert (queue.receive(10), len(queue), queue.delete(handle)) == ([], 0, False)


def test_next_due_ignores_what_was_deleted(clock: Clock) -> None:
    queue = make(clock, visibility_timeout=10)
    queue.send(message("a"))
    queue.send(message("b"), 20)
    held = queue.receive(1)[0]
    assert queue.next_due() == clock.now + 10
    queue.delete(receipt(queue, held))
    assert queue.next_due() == clock.now + 20


def test_memory_follows_the_live_messages(clock: Clock) -> None:
    queue = make(clock)
    queue.send(message("old"))
    queue.receive(1, 40_000)
    for number in range(20_000):
        queue.send(message(str(number)))
        held = queue.receive(1)[0]
        queue.change_visibility(receipt(queue, held), 60)
        queue.delete(receipt(queue, held))
    assert len(queue._timers) < 3000
    assert len(queue._ages) < 3000
    assert len(queue) == 1


@pytest.mark.parametrize("seed", range(8))
def test_random_use_agrees_with_a_plain_model(seed: int, clock: Clock) -> None:
    """Counts and deliverability after every step equal those of a list that is scanned."""
    choose = random.Random(seed)  # noqa: S311 - a reproducible test, no secret
    queue = make(clock, visibility_timeout=7, retention=500)
    groups = [None, None, "a", "b"]
    live: dict[str, tuple[float, float]] = {}  # id -> (visible from, sent)
    held = {}
    for step in range(1500):
        action = choose.random()
        if action < 0.35:
            delay = choose.choice([0, 0, 0, 4])
            queue.send(message(str(step), choose.choice(groups)), delay)
            live[str(step)] = (clock.now + delay, clock.now)
        elif action < 0.65:
            expected = {i for i, (due, sent) in live.items() if due <= clock.now and sent + 500 > clock.now}
            got = queue.receive(choose.randint(1, 10))
            assert set(ids(got)) <= expected
            assert bool(got) == bool(expected)
            for one in got:
                live[one.message_id] = (clock.now + 7, live[one.message_id][1])
                held[one.message_id] = receipt(queue, one)
        elif action < 0.85 and held:
            name = choose.choice(list(held))
            if queue.delete(held.pop(name)):
                del live[name]
        else:
            clock.tick(choose.choice([0.5, 3, 20]))
        queue.advance()
        live = {i: times for i, times in live.items() if times[1] + 500 > clock.now}
        assert len(queue) == len(live) == queue.visible + queue.in_flight + queue.delayed
        assert queue.visible == sum(due <= clock.now for due, _ in live.values())
        states = [m.state for m in queue._messages.values()]
        assert queue.in_flight == states.count(State.IN_FLIGHT) == sum(q.in_flight for q in queue._lanes.values())
