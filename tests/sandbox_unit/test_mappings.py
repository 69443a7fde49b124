"""The poller of SQS event source mappings: what needs faults or exact timing."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from mapping_support import Bench, RealQueueApi, run, spec
from pipes_fakes import ACCOUNT, FUNCTION, REGION, ROLE, FunctionRaisedError, until

from durable_sandbox.aws.errors import AwsError
from durable_sandbox.aws.identity import Identities
from durable_sandbox.events.filters import RecordFilter
from durable_sandbox.events.mapping_calls import MappedFunction

THROTTLED = AwsError("TooManyRequestsException", "Rate Exceeded.", status=429)


# --- batch results: event-sources 1.3 ----------------------------------------------------------------------------------

FIRST = "<first>"


@pytest.mark.parametrize(
    ("payload", "kept"),
    [
        (b"", 0),
        (b"null", 0),
        (b'""', 0),
        (b"{}", 0),
        (b'{"batchItemFailures": []}', 0),
        (b'{"batchItemFailures": null}', 0),
        (b"{not json", 2),
        (b'{"batchItemFailures": [{"itemIdentifier": ""}]}', 2),
        (b'{"batchItemFailures": [{"itemIdentifier": null}]}', 2),
        (b'{"batchItemFailures": [{"foo": "<first>"}]}', 2),
        (b'{"batchItemFailures": [{"itemIdentifier": "unknown"}]}', 2),
        (b'{"batchItemFailures": [{"itemIdentifier": "<first>"}, {"itemIdentifier": "unknown"}]}', 2),
        (b'{"batchItemFailures": "oops"}', 2),
        (b'{"batchItemFailures": [{"itemIdentifier": "<first>"}]}', 1),
    ],
)
def test_what_an_answer_means(payload: bytes, kept: int) -> None:
    async def scenario(bench: Bench) -> None:
        first = bench.queue.put("a")
        bench.queue.put("b")

        async def handler(_: Any) -> bytes:
            return payload.replace(FIRST.encode(), first.encode())

        bench.answer(handler)
        bench.poller.start(bench.spec)
        await until(lambda: len(bench.api.invokes) == 1 and not bench.poller.in_flight)
        assert len(bench.queue.messages) == kept
        assert (bench.poller.counts.failed, bench.poller.counts.deleted) == (kept, 2 - kept)
        assert bench.poller.concurrency == 5, "an answer, good or bad, does not slow the mapping down"

    run(scenario)


def test_without_the_flag_reported_failures_are_lost() -> None:
    async def scenario(bench: Bench) -> None:
        async def handler(records: Any) -> Any:
            return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in records]}

        bench.answer(handler)
        bench.queue.put("a")
        bench.poller.start(bench.spec)
        await until(lambda: bench.poller.counts.deleted == 1)
        assert not bench.queue.messages

    run(scenario, report_failures=False)


def test_a_function_error_keeps_the_batch_and_slows_down() -> None:
    async def scenario(bench: Bench) -> None:
        async def handler(_: Any) -> Any:
            raise FunctionRaisedError("no")

        bench.answer(handler)
        bench.poller.start(bench.spec)
        for n in range(6):
            bench.queue.put(str(n))
            await until(lambda n=n: len(bench.api.invokes) == n + 1 and not bench.poller.in_flight)
        assert len(bench.queue.messages) == 6
        assert bench.poller.concurrency == 2

        async def repaired(_: Any) -> Any:
            return None

        bench.answer(repaired)
        bench.queue.put("good")
        await until(lambda: bench.poller.counts.deleted == 1 and not bench.poller.in_flight)
        assert bench.poller.concurrency == 3

    run(scenario)


def test_a_message_that_cannot_be_deleted_is_told_and_counted() -> None:
    async def scenario(bench: Bench) -> None:
        denied = AwsError("AccessDenied", "no sqs:DeleteMessage", status=403)
        bench.api.errors["DeleteMessageBatch"] = [denied]
        bench.queue.put("a")
        bench.poller.start(bench.spec)
        await until(lambda: bench.poller.problem is not None)
        assert "no sqs:DeleteMessage" in (bench.poller.problem or "")
        assert len(bench.queue.messages) == 1
        assert bench.poller.counts.deleted == 0

    run(scenario)


# --- throttling ------------------------------------------------------------------------------------------------------


def test_a_throttled_batch_is_retried_then_dropped_when_its_messages_are_visible() -> None:
    async def scenario(bench: Bench) -> None:
        bench.queue.visibility_s = 1  # whole seconds, as the API gives it
        bench.api.errors["Invoke"] = [THROTTLED] * 1000
        bench.queue.put("a")
        bench.poller.start(bench.spec)
        await until(lambda: bench.poller.counts.polled == 2)
        tried = 1000 - len(bench.api.errors["Invoke"])
        assert tried > 2, "it is tried more than once while the message is invisible"
        assert bench.poller.counts.failed == 1
        assert bench.poller.concurrency == 4
        bench.api.errors["Invoke"] = []
        await until(lambda: not bench.queue.messages)
        assert bench.api.payloads()[0]["Records"][0]["attributes"]["ApproximateReceiveCount"] == "2"
        assert bench.poller.problem is None

    run(scenario)


def test_a_refused_invocation_is_reported_and_the_messages_return() -> None:
    async def scenario(bench: Bench) -> None:
        refused = AwsError("InvalidParameterValueException", "executionTimeout greater than 15 minutes")
        bench.api.errors["Invoke"] = [refused]
        bench.queue.visibility_s = 0.2
        bench.queue.put("a")
        bench.poller.start(bench.spec)
        await until(lambda: bench.poller.problem is not None)
        assert "15 minutes" in (bench.poller.problem or "")
        await until(lambda: not bench.queue.messages)
        assert bench.poller.problem is None

    run(scenario)


# --- batching --------------------------------------------------------------------------------------------------------


def test_six_megabytes_close_a_batch_and_the_rest_follows() -> None:
    async def scenario(bench: Bench) -> None:
        for n in range(10):
            bench.queue.put(f"{n}" + "x" * 1_048_575)
        bench.poller.start(bench.spec)
        await until(lambda: not bench.queue.messages)
        assert [len(batch) for batch in bench.batches] == [5, 5]
        for payload in bench.api.payloads():
            assert len(json.dumps(payload, separators=(",", ":"))) <= 6 * 1024 * 1024

    run(scenario)


def test_a_window_gathers_many_receives() -> None:
    async def scenario(bench: Bench) -> None:
        bench.function = MappedFunction(ROLE, 1)
        bench.poller.start(bench.spec)
        for n in range(30):
            bench.queue.put(str(n))
        await until(lambda: not bench.queue.messages)
        assert [len(batch) for batch in bench.batches] == [25, 5]
        assert set(bench.api.visibility_asked) == {None}

    run(scenario, batch_size=25, batching_window=1)


def test_window_and_timeout_beyond_the_visibility_timeout_hide_messages_longer() -> None:
    async def scenario(bench: Bench) -> None:
        bench.function = MappedFunction(ROLE, 30)
        bench.queue.put("a")
        bench.poller.start(bench.spec)
        await until(lambda: not bench.queue.messages)
        assert set(bench.api.visibility_asked) == {1 + 30 + 30}

    run(scenario, batching_window=1)


def test_filtered_messages_are_deleted_and_fill_no_batch() -> None:
    async def scenario(bench: Bench) -> None:
        for n in range(6):
            bench.queue.put(json.dumps({"keep": n % 2 == 0, "n": n}))
        bench.queue.put("plain text")
        bench.poller.start(bench.spec)
        await until(lambda: not bench.queue.messages)
        assert [json.loads(body)["n"] for batch in bench.batches for body in batch] == [0, 2, 4]
        counts = bench.poller.counts
        assert (counts.polled, counts.filtered_out, counts.invoked, counts.deleted) == (7, 4, 3, 7)

    run(scenario, record_filter=RecordFilter.parse(['{"body": {"keep": [true]}}']))


# --- life ------------------------------------------------------------------------------------------------------------


def test_a_pause_ends_the_window_and_what_was_received_is_processed() -> None:
    async def scenario(bench: Bench) -> None:
        bench.queue.put("a")
        bench.poller.start(bench.spec)
        await until(lambda: bench.poller.counts.polled == 1)
        assert not bench.api.invokes
        await bench.poller.pause()
        await bench.poller.drain()
        assert bench.batches == [["a"]]
        bench.queue.put("b")
        await asyncio.sleep(0.1)  # nothing may happen in this time
        assert list(bench.queue.hidden_until) == []
        bench.poller.start(replace(bench.spec, batching_window=0))
        await until(lambda: bench.batches == [["a"], ["b"]])

    run(scenario, batching_window=60)


def test_pauses_lose_no_message_and_deliver_none_twice() -> None:
    async def scenario() -> None:
        api = RealQueueApi()
        bench = Bench(spec(batch_size=2), api=api)
        root = Identities(ACCOUNT).root()
        queue = await api.call(root, REGION, "sqs", "CreateQueue", {"QueueName": "orders"})
        sent = 0
        try:
            for _ in range(60):
                bench.poller.start(bench.spec)
                for _ in range(3):
                    await api.call(root, REGION, "sqs", "SendMessage", {**queue, "MessageBody": str(sent)})
                    sent += 1
                    await asyncio.sleep(0)
                await bench.poller.pause()
            bench.poller.start(bench.spec)
            await until(lambda: bench.poller.counts.deleted == sent)
        finally:
            await bench.poller.abort()
        assert sorted(int(body) for batch in bench.batches for body in batch) == list(range(sent))
        assert [(q.visible, q.in_flight) for q in api.sqs.queues()] == [(0, 0)]

    asyncio.run(scenario())


def test_the_queue_is_called_as_the_functions_role_and_the_function_as_lambda() -> None:
    async def scenario(bench: Bench) -> None:
        bench.queue.put("a")
        bench.poller.start(bench.spec)
        await until(lambda: not bench.queue.messages)
        by_operation: dict[str, set[str | None]] = {}
        for operation, role in bench.api.callers:
            by_operation.setdefault(operation, set()).add(role)
        for operation in ("ReceiveMessage", "DeleteMessageBatch", "GetQueueAttributes"):
            assert by_operation[operation] == {ROLE}
        assert by_operation["Invoke"] == {None}

    run(scenario)


def test_a_missing_queue_is_reported_until_it_is_back() -> None:
    async def scenario(bench: Bench) -> None:
        queue = bench.api.queues.pop("orders")
        bench.poller.start(bench.spec)
        await until(lambda: bench.poller.problem is not None)
        assert "does not exist" in (bench.poller.problem or "")
        bench.api.queues["orders"] = queue
        queue.put("a")
        await until(lambda: not queue.messages)
        assert bench.poller.problem is None

    run(scenario)


def test_nothing_is_received_for_a_function_that_is_gone() -> None:
    async def scenario(bench: Bench) -> None:
        there = bench.function
        bench.function = AwsError("ResourceNotFoundException", f"Function not found: {FUNCTION}", status=404)
        bench.queue.put("a")
        bench.poller.start(bench.spec)
        await until(lambda: bench.poller.problem is not None)
        assert "Function not found" in (bench.poller.problem or "")
        assert not bench.queue.hidden_until
        bench.function = there
        await until(lambda: not bench.queue.messages)
        assert bench.api.payloads()[0]["Records"][0]["attributes"]["ApproximateReceiveCount"] == "1"

    run(scenario)


def test_counts_go_to_cloudwatch_when_asked() -> None:
    async def scenario(bench: Bench) -> None:
        bench.queue.put("a")
        bench.queue.put("b")
        bench.poller.start(bench.spec)
        await until(lambda: not bench.queue.messages)
        await bench.poller.pause()
        sums = {data["MetricName"]: data["Value"] for data in bench.api.metrics}
        assert sums == {
            "PolledEventCount": 2,
            "FilteredOutEventCount": 0,
            "InvokedEventCount": 2,
            "FailedInvokeEventCount": 0,
            "DeletedEventCount": 2,
        }
        assert bench.api.metrics[0]["Dimensions"] == [{"Name": "EventSourceMappingUUID", "Value": "u"}]

    run(scenario, publish_metrics=True)
