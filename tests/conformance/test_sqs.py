"""SQS event source mappings: what a client sees of batches, scaling, failures and order.

Each test names the row it covers: "1.3" is a section of the fact sheet on event sources; the rules themselves are in
https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html and its sub-pages. The API's own rows are in test_sqs_api.py,
filters and the event in test_sqs_events.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from support import PROBE, Bench, Queue, overlap, receive_count

from durable_sandbox.pytest_plugin import eventually

# --- 1.1 batches --------------------------------------------------------------------------------------------------------


def test_1_1_a_batch_closes_at_its_size(bench: Bench) -> None:
    queue = bench.queue()
    bench.send(queue, *"abcdefghij")
    bench.map(queue, BatchSize=4)
    bench.records(queue, 10)
    sizes = [len(invocation.records) for invocation in bench.seen(queue)]
    assert max(sizes) == 4
    assert sum(sizes) == 10


def test_1_1_a_batch_waits_for_its_window_and_then_goes_with_what_there_is(bench: Bench) -> None:
    queue = bench.queue()
    bench.map(queue, BatchSize=100, MaximumBatchingWindowInSeconds=1)
    for body in "abc":
        bench.send(queue, body)
    (invocation,) = bench.until_seen(queue, lambda seen: seen)
    assert sorted(invocation.bodies) == ["a", "b", "c"]


def test_1_1_a_batch_of_more_than_ten_takes_several_receives(bench: Bench) -> None:
    queue = bench.queue()
    for start in range(0, 30, 10):
        bench.send(queue, *(str(n) for n in range(start, start + 10)))
    bench.map(queue, BatchSize=25, MaximumBatchingWindowInSeconds=1)
    bench.records(queue, 30)
    assert sorted(len(invocation.records) for invocation in bench.seen(queue)) == [5, 25]


def test_1_1_a_batch_closes_at_six_megabytes(bench: Bench) -> None:
    queue = bench.queue()
    for n in range(8):
        bench.send(queue, str(n) * 1_000_000)
    bench.map(queue, BatchSize=10)
    bench.emptied(queue)
    bench.records(queue, 8)
    assert sorted(len(invocation.records) for invocation in bench.seen(queue)) == [2, 6]


def test_1_1_a_disabled_mapping_receives_nothing_and_an_enabled_one_goes_on(bench: Bench) -> None:
    queue = bench.queue()
    uuid = bench.map(queue, Enabled=False)
    assert bench.get(uuid)["State"] == "Disabled"
    bench.send(queue, "a")
    assert bench.update(uuid, Enabled=True)["State"] == "Enabled"
    (record,) = bench.records(queue, 1)
    assert receive_count(record) == 1, "nobody received it while the mapping was disabled"
    assert bench.update(uuid, Enabled=False)["State"] == "Disabled"
    bench.emptied(queue)
    bench.send(queue, "b")
    assert bench.counts(queue) == (1, 0)


# --- 1.2 polling, visibility, scaling ----------------------------------------------------------------------------------


def test_1_2_success_deletes_and_failure_waits_for_the_whole_visibility_timeout(bench: Bench) -> None:
    queue = bench.queue(visibility=2)
    bench.map(queue)
    bench.send(queue, {"raise": "not yet"})
    first, second = bench.until_seen(queue, lambda seen: len(seen) == 2)
    assert 1.8 < second.started - first.started < 6
    assert [receive_count(i.records[0]) for i in (first, second)] == [1, 2]
    bench.emptied(queue)


def test_1_2_a_mapping_starts_with_five_batches_and_grows_while_they_are_busy(bench: Bench) -> None:
    queue = bench.queue()
    function = bench.functions.deploy(PROBE, Timeout=10)
    for _ in range(2):
        bench.send(queue, *[json.dumps({"sleep": 2.5})] * 10)
    uuid = bench.map(queue, function, BatchSize=1)
    assert eventually(lambda: n if (n := bench.counts(queue)[1]) >= 5 else None) == 5
    assert eventually(lambda: n if (n := bench.counts(queue)[1]) > 5 else None, within=3) > 5
    bench.lambda_.delete_event_source_mapping(UUID=uuid)
    bench.sqs.delete_queue(QueueUrl=queue.url)


def test_1_2_over_polling_drops_throttled_batches_and_maximum_concurrency_does_not(bench: Bench) -> None:
    slow = {"sleep": 0.9}
    plain, plain_dead = bench.queue_with_dead_letters(1)
    capped, capped_dead = bench.queue_with_dead_letters(1, visibility=4)
    one, two = (bench.functions.deploy(PROBE, Timeout=2) for _ in range(2))
    bench.lambda_.put_function_concurrency(FunctionName=one.partition(":")[0], ReservedConcurrentExecutions=1)
    bench.lambda_.put_function_concurrency(FunctionName=two.partition(":")[0], ReservedConcurrentExecutions=2)
    for queue in (plain, capped):
        bench.send(queue, *[{**slow, "n": n} for n in range(6)])
    bench.map(plain, one, BatchSize=1)
    bench.map(capped, two, BatchSize=1, ScalingConfig={"MaximumConcurrency": 2})

    bench.emptied(capped, plain)
    served = bench.records(capped, 6, two)
    assert {receive_count(record) for record in served} == {1}
    assert overlap(bench.seen(capped, two)) == 2
    assert bench.counts(capped_dead) == (0, 0)
    # Not one invocation failed, and yet messages ran out of receives.
    dead = bench.counts(plain_dead)[0]
    assert dead >= 1
    assert overlap(bench.seen(plain, one)) == 1


def test_1_2_a_batch_that_stays_throttled_is_dropped_and_its_message_runs_out_of_receives(bench: Bench) -> None:
    queue, dead = bench.queue_with_dead_letters(1)
    function = bench.functions.deploy(PROBE, Timeout=2)
    name = function.partition(":")[0]
    bench.lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    bench.send(queue, "patient")
    bench.map(queue, function)
    eventually(lambda: True if bench.counts(dead) == (1, 0) else None)
    assert bench.seen(queue, function) == []
    # What comes after the throttle is served.
    bench.lambda_.delete_function_concurrency(FunctionName=name)
    bench.send(queue, "next")
    assert [record["body"] for record in bench.records(queue, 1, function)] == ["next"]


def test_1_2_a_message_that_keeps_failing_is_dead_lettered_after_max_receive_count(bench: Bench) -> None:
    queue, dead = bench.queue_with_dead_letters(2)
    bench.map(queue)
    (sent,) = bench.send(queue, {"fail": "always"})
    bench.emptied(queue)
    found = bench.sqs.receive_message(QueueUrl=dead.url, WaitTimeSeconds=5, MessageSystemAttributeNames=["All"])
    (message,) = found["Messages"]
    assert message["MessageId"] == sent
    assert message["Attributes"]["DeadLetterQueueSourceArn"] == queue.arn
    assert [receive_count(record) for record in bench.records(queue, 2)] == [1, 2]


def test_1_2_provisioned_pollers_work(bench: Bench) -> None:
    queue = bench.queue()
    bench.map(queue, ProvisionedPollerConfig={"MinimumPollers": 2, "MaximumPollers": 4})
    bench.send(queue, *"abcdef")
    assert len(bench.records(queue, 6)) == 6
    bench.emptied(queue)


# --- 1.2 and 1.3, FIFO --------------------------------------------------------------------------------------------------


def test_1_2_fifo_one_batch_a_group_and_groups_in_parallel(bench: Bench) -> None:
    single, several = (bench.queue(fifo=True) for _ in range(2))
    for queue in (single, several):
        bench.map(queue, BatchSize=1)
    bench.send(single, *[{"sleep": 0.2, "n": n} for n in range(5)], group="only")
    for group in "abc":
        bench.send(several, *[{"sleep": 0.5, "n": n, "of": group} for n in range(2)], group=group)
    bench.records(single, 5)
    bench.records(several, 6)
    alone = bench.seen(single)
    assert overlap(alone) == 1
    assert [json.loads(i.bodies[0])["n"] for i in alone] == [0, 1, 2, 3, 4]
    together = bench.seen(several)
    assert overlap(together) > 1
    for group in "abc":
        mine = [i for i in together if i.records[0]["attributes"]["MessageGroupId"] == group]
        assert overlap(mine) == 1
        assert [json.loads(i.bodies[0])["n"] for i in mine] == [0, 1]


def test_1_2_a_fifo_batch_may_mix_groups(bench: Bench) -> None:
    queue = bench.queue(fifo=True)
    uuid = bench.map(queue, Enabled=False)
    for group in "abc":
        bench.send(queue, group, group=group)
    bench.update(uuid, Enabled=True)
    (invocation,) = bench.until_seen(queue, lambda seen: seen)
    assert invocation.bodies == ["a", "b", "c"]


def test_1_3_fifo_a_failed_message_blocks_its_group_in_order_and_no_other(bench: Bench) -> None:
    queue = bench.queue(fifo=True, visibility=2)
    uuid = bench.map(queue, Enabled=False)
    bench.send(queue, {"n": 1}, {"n": 2, "fail": "once"}, {"n": 3}, group="bad")
    bench.send(queue, {"n": 10}, {"n": 11}, group="good")
    bench.update(uuid, Enabled=True)
    bench.emptied(queue)
    done = [
        (json.loads(record["body"])["n"], receive_count(record), record["attributes"]["MessageGroupId"])
        for record in bench.records(queue, 7)
    ]
    assert [(n, count) for n, count, group in done if group == "bad"] == [(1, 1), (2, 1), (3, 1), (2, 2), (3, 2)]
    assert [(n, count) for n, count, group in done if group == "good"] == [(10, 1), (11, 1)]
    again = bench.seen(queue)[-1]
    assert again.started - bench.seen(queue)[0].started > 1.8


def test_1_3_fifo_after_max_receive_count_the_group_moves_on(bench: Bench) -> None:
    queue, dead = bench.queue_with_dead_letters(1, fifo=True)
    bench.map(queue, BatchSize=1)
    bench.send(queue, {"n": 1, "fail": "always"}, {"n": 2}, group="g")
    bench.emptied(queue)
    assert [json.loads(record["body"])["n"] for record in bench.records(queue, 2)] == [1, 2]
    assert bench.counts(dead) == (1, 0)


def test_1_3_fifo_order_is_the_handlers_duty(bench: Bench) -> None:
    """What is not listed is deleted, even a later message of the group of one that is."""
    queue = bench.queue(fifo=True, visibility=2)
    uuid = bench.map(queue, Enabled=False)
    bench.send(queue, {"n": 1, "fail": "once", "careless": True}, {"n": 2}, group="g")
    bench.update(uuid, Enabled=True)
    bench.emptied(queue)
    assert [json.loads(record["body"])["n"] for record in bench.records(queue, 3)] == [1, 2, 1]


# --- 1.3 batch results ---------------------------------------------------------------------------------------------------

ANSWERS: Mapping[str, tuple[Any, int]] = {
    "no failures": ({"batchItemFailures": []}, 0),
    "null list": ({"batchItemFailures": None}, 0),
    "empty object": ({}, 0),
    "null": (None, 0),
    "empty string": ("", 0),
    "empty identifier": ({"batchItemFailures": [{"itemIdentifier": ""}]}, 2),
    "null identifier": ({"batchItemFailures": [{"itemIdentifier": None}]}, 2),
    "wrong key": ({"batchItemFailures": [{"foo": "<id>"}]}, 2),
    "id not in the batch": ({"batchItemFailures": [{"itemIdentifier": "11111111-2222-3333-4444-555555555555"}]}, 2),
    "one good and one wrong id": (
        {"batchItemFailures": [{"itemIdentifier": "<id>"}, {"itemIdentifier": "elsewhere"}]},
        2,
    ),
    "valid id": ({"batchItemFailures": [{"itemIdentifier": "<id>"}]}, 1),
    "exception": ("raise", 2),
}
"""Row -> what the handler returns at the first receive, and how many of two messages come back."""


FIRST_TIME_TOO_LONG = """

def handler(event, context):
    answer = probe(event, context)
    if event["Records"][0]["attributes"]["ApproximateReceiveCount"] == "1":
        time.sleep(30)
    return answer
"""


def _batch_of_two(bench: Bench, name: str, *, report: bool) -> Queue:
    """A queue whose two messages went through the probe in one batch, the first with the answer of row ``name``."""
    queue = bench.queue(visibility=2)
    bench.map(queue, report=report)
    answer = ANSWERS[name][0]
    bench.send(queue, {"raise": "no"} if answer == "raise" else {"answer": json.dumps(answer)}, {"second": True})
    return queue


@pytest.fixture(scope="module")
def answered(bench: Bench) -> Mapping[tuple[str, bool], Queue]:
    """All rows at once, with ReportBatchItemFailures and without."""
    rows = {(name, report): _batch_of_two(bench, name, report=report) for name in ANSWERS for report in (True, False)}
    bench.emptied(*rows.values())
    return rows


@pytest.mark.parametrize("name", ANSWERS)
def test_1_3_what_an_answer_means(bench: Bench, answered: Mapping[tuple[str, bool], Queue], name: str) -> None:
    queue, back = answered[name, True], ANSWERS[name][1]
    records = bench.records(queue, 2 + back)
    assert [receive_count(record) for record in records] == [1, 1] + [2] * back
    if back == 1:
        assert records[2]["messageId"] == records[0]["messageId"], "the one that was named"


@pytest.mark.parametrize("name", ANSWERS)
def test_1_3_without_the_flag_only_an_exception_fails(
    bench: Bench, answered: Mapping[tuple[str, bool], Queue], name: str
) -> None:
    """Silent loss: failures that the handler reports are deleted with the rest."""
    queue, back = answered[name, False], 2 if name == "exception" else 0
    assert [receive_count(record) for record in bench.records(queue, 2 + back)] == [1, 1] + [2] * back


def test_1_3_a_timeout_fails_the_batch(bench: Bench) -> None:
    queue = bench.queue(visibility=3)
    source = PROBE.replace("def handler", "def probe") + FIRST_TIME_TOO_LONG
    function = bench.functions.deploy(source, Timeout=1)
    bench.map(queue, function)
    bench.send(queue, "a", "b")
    assert [receive_count(record) for record in bench.records(queue, 4, function)] == [1, 1, 2, 2]
    bench.emptied(queue)
