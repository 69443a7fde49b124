"""Fair queues: who is served while several tenants are noisy.

Rules: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues-detailed.html
"""

from __future__ import annotations

from collections import Counter

from sqs_support import Clock, message

from durable_sandbox.services.sqs.queue import MessageQueue, QueueSettings

NOISY = 30  # messages of one group in flight, and more than a tenth of all


def received(queue: MessageQueue, count: int) -> Counter[str | None]:
    """How many messages of each group come next."""
    return Counter(one.group_id for _ in range(count) for one in queue.receive(1))


def test_of_noisy_tenants_the_one_with_the_fewest_in_flight_is_served() -> None:
    queue = MessageQueue("arn:q", "uid", QueueSettings(visibility_timeout=60), Clock())
    for number in range(100):
        queue.send(message(f"a-{number}", "a"))
    assert received(queue, 50) == {"a": 50}
    for number in range(100):
        queue.send(message(f"b-{number}", "b"))

    assert received(queue, NOISY) == {"b": NOISY}  # quiet until then
    assert received(queue, 20) == {"b": 20}  # noisy, but less so
    assert received(queue, 20) == {"a": 10, "b": 10}

    queue.send(message("c-0", "c"))
    assert received(queue, 1) == {"c": 1}
