"""Pipes over a fake API: what was invoked, what was deleted, what stays on the queue."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pipes_fakes import (
    FIFO,
    FIRE_AND_FORGET,
    FUNCTION,
    LOGGED,
    QUEUE,
    ROLE,
    Bench,
    FunctionRaisedError,
    bodies,
    run,
    source,
    until,
)

from durable_sandbox.aws.errors import AwsError
from durable_sandbox.events import pipe_execution
from durable_sandbox.events.batch_results import failed_items


def test_fire_and_forget_sends_a_bare_array_to_the_alias_and_deletes_on_202() -> None:
    async def scenario(bench: Bench) -> None:
        message_id = bench.queue.put('{"x": 1}')
        await bench.create(TargetParameters=FIRE_AND_FORGET)
        await until(lambda: not bench.queue.messages)
        ((name, kind, payload),) = bench.api.invokes
        assert (name, kind) == (FUNCTION, "Event")
        assert [(r["messageId"], r["body"], r["eventSourceARN"]) for r in payload] == [(message_id, '{"x": 1}', QUEUE)]
        assert payload[0]["attributes"]["ApproximateReceiveCount"] == "1"

    run(scenario)


def test_everything_but_the_url_lookup_is_done_as_the_role() -> None:
    async def scenario(bench: Bench) -> None:
        bench.queue.put("x")
        await bench.create()
        await until(lambda: not bench.queue.messages)
        assert bench.api.callers == {
            ("GetQueueUrl", None),
            ("GetQueueAttributes", ROLE),
            ("ReceiveMessage", ROLE),
            ("Invoke", ROLE),
            ("DeleteMessageBatch", ROLE),
        }

    run(scenario)


def test_request_response_deletes_only_after_the_function_succeeded() -> None:
    async def scenario(bench: Bench) -> None:
        release = asyncio.Event()

        async def slow(_: Any) -> None:
            await release.wait()

        bench.api.functions[FUNCTION] = slow
        bench.queue.put("x")
        await bench.create()
        await until(lambda: len(bench.api.invokes) == 1)
        assert bench.api.invokes[0][1] == "RequestResponse"
        assert bench.queue.messages
        release.set()
        await until(lambda: not bench.queue.messages)

    run(scenario)


def test_a_function_error_leaves_the_message_to_its_visibility_timeout() -> None:
    async def scenario(bench: Bench) -> None:
        bench.queue.visibility_s = 0.2

        async def fails_once(payload: Any) -> None:
            if payload[0]["attributes"]["ApproximateReceiveCount"] == "1":
                raise FunctionRaisedError("boom")

        bench.api.functions[FUNCTION] = fails_once
        started = time.monotonic()
        bench.queue.put("x")
        await bench.create()
        await until(lambda: not bench.queue.messages)
        assert len(bench.api.invokes) == 2
        assert time.monotonic() - started >= 0.2
        metrics = bench.service.pipes()[0].metrics
        assert (metrics.executions_failed, metrics.executions_succeeded) == (1, 1)

    run(scenario)


def test_partial_failures_are_always_on() -> None:
    async def scenario(bench: Bench) -> None:
        ids = [bench.queue.put(str(n)) for n in range(3)]

        async def second_fails(_: Any) -> Any:
            return {"batchItemFailures": [{"itemIdentifier": ids[1]}]}

        bench.api.functions[FUNCTION] = second_fails
        await bench.create()
        await until(lambda: set(bench.queue.messages) == {ids[1]})
        assert bench.service.pipes()[0].metrics.executions_partially_failed == 1

    run(scenario)


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        (b"", set()),
        (b"null", set()),
        (b'""', set()),
        (b"{}", set()),
        (b"[]", set()),
        (b'{"result": 5}', set()),
        (b'{"batchItemFailures": []}', set()),
        (b'{"batchItemFailures": null}', set()),
        (b'{"batchItemFailures": [{"itemIdentifier": "a"}]}', {"a"}),
        (b'{"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "a"}]}', {"a"}),
        (b'{"batchItemFailures": [{"itemIdentifier": ""}]}', {"a", "b"}),
        (b'{"batchItemFailures": [{"itemIdentifier": null}]}', {"a", "b"}),
        (b'{"batchItemFailures": [{"foo": "a"}]}', {"a", "b"}),
        (b'{"batchItemFailures": [{"itemIdentifier": "other"}]}', {"a", "b"}),
        (b'{"batchItemFailures": "a"}', {"a", "b"}),
        (b"not json", {"a", "b"}),
        (b'"done"', {"a", "b"}),
        (b'"{\\"batchItemFailures\\": [{\\"itemIdentifier\\": \\"a\\"}]}"', {"a"}),
    ],
)
def test_the_table_of_batch_results(answer: bytes, failed: set[str]) -> None:
    assert failed_items(answer, ["a", "b"]) == failed


def test_from_send_to_invoke_takes_milliseconds_and_waiting_costs_no_calls() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.create(TargetParameters=FIRE_AND_FORGET)
        await until(lambda: bench.queue.receives == 1)
        cpu, wall = time.process_time(), time.monotonic()
        await asyncio.sleep(0.3)  # what is measured is that nothing happens meanwhile
        assert bench.queue.receives == 1
        assert time.process_time() - cpu < 0.5 * (time.monotonic() - wall)
        sent = time.perf_counter()
        bench.queue.put("x")
        await until(lambda: bool(bench.api.invokes))
        assert time.perf_counter() - sent < 0.05

    run(scenario)


def test_a_throttle_leaves_the_message_and_is_counted() -> None:
    async def scenario(bench: Bench) -> None:
        bench.queue.visibility_s = 0.1
        bench.api.errors["Invoke"] = [AwsError("TooManyRequestsException", "Rate Exceeded.", status=429)]
        bench.queue.put("x")
        await bench.create()
        await until(lambda: not bench.queue.messages)
        assert bench.api.payloads()[0][0]["attributes"]["ApproximateReceiveCount"] == "2"
        metrics = bench.service.pipes()[0].metrics
        assert (metrics.executions_throttled, metrics.executions_succeeded) == (1, 1)

    run(scenario)


@pytest.mark.parametrize("fault", [AwsError("ServiceException", "x", status=500), RuntimeError("bug")])
def test_internal_errors_are_retried_without_another_receive(fault: Exception) -> None:
    async def scenario(bench: Bench) -> None:
        bench.api.errors["Invoke"] = [fault, fault]
        bench.queue.put("x")
        await bench.create()
        await until(lambda: not bench.queue.messages)
        assert bench.api.payloads()[0][0]["attributes"]["ApproximateReceiveCount"] == "1"
        assert bench.service.pipes()[0].metrics.internal_retries == 2

    run(scenario)


def test_a_denied_invoke_stops_the_pipe_with_a_reason_and_keeps_the_message() -> None:
    async def scenario(bench: Bench) -> None:
        denied = AwsError("AccessDeniedException", "not authorized to perform: lambda:InvokeFunction", status=403)
        bench.api.errors["Invoke"] = [denied]
        bench.queue.put("x")
        await bench.create()
        assert await bench.state_not("RUNNING", "STOPPING") == "STOPPED"
        described = await bench.do("DescribePipe", Name="p")
        assert "lambda:InvokeFunction" in described["StateReason"]
        assert described["DesiredState"] == "RUNNING"
        assert len(bench.queue.messages) == 1
        await bench.do("StartPipe", Name="p")
        assert await bench.state_not("STARTING") == "RUNNING"
        assert "StateReason" not in await bench.do("DescribePipe", Name="p")

    run(scenario)


def test_a_denied_receive_stops_the_pipe_with_the_words_of_aws() -> None:
    async def scenario(bench: Bench) -> None:
        bench.api.errors["ReceiveMessage"] = [AwsError("AccessDenied", "no", status=403)]
        await bench.create()
        assert await bench.state_not("RUNNING", "STOPPING") == "STOPPED"
        reason = (await bench.do("DescribePipe", Name="p"))["StateReason"]
        assert "does not have required permissions to perform Queue operations" in reason

    run(scenario)


def test_a_source_that_cannot_be_reached_ends_in_create_failed() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.create(Source=QUEUE + "-absent")
        described = await bench.do("DescribePipe", Name="p")
        assert described["CurrentState"] == "CREATE_FAILED"
        assert "orders-absent" in described["StateReason"]

    run(scenario)


def test_a_queue_that_disappears_stops_the_pipe() -> None:
    async def scenario(bench: Bench) -> None:
        bench.api.errors["ReceiveMessage"] = [AwsError("QueueDoesNotExist", "gone") for _ in range(5)]
        await bench.create()
        assert await bench.state_not("RUNNING", "STOPPING") == "STOPPED"

    run(scenario)


def test_receiving_goes_on_after_passing_faults() -> None:
    async def scenario(bench: Bench) -> None:
        bench.api.errors["ReceiveMessage"] = [RuntimeError("bug"), AwsError("InternalError", "x", status=500)]
        bench.queue.put("x")
        await bench.create()
        await until(lambda: not bench.queue.messages)
        assert await bench.state() == "RUNNING"

    run(scenario)


def test_a_delete_that_fails_for_a_moment_is_repeated_without_a_second_invoke() -> None:
    async def scenario(bench: Bench) -> None:
        bench.api.errors["DeleteMessageBatch"] = [AwsError("InternalError", "x", status=500)]
        bench.queue.put("x")
        await bench.create(TargetParameters=FIRE_AND_FORGET)
        await until(lambda: not bench.queue.messages)
        assert len(bench.api.invokes) == 1

    run(scenario)


def test_an_execution_over_its_limit_keeps_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipe_execution, "EXECUTION_LIMIT_S", 0.05)

    async def scenario(bench: Bench) -> None:
        async def forever(_: Any) -> None:
            await asyncio.Event().wait()

        bench.api.functions[FUNCTION] = forever
        bench.queue.put("x")
        await bench.create(LogConfiguration=LOGGED)
        await until(lambda: bench.service.pipes()[0].metrics.executions_timed_out == 1)
        assert len(bench.queue.messages) == 1
        assert "ExecutionTimeout" in bench.log.steps()

    run(scenario)


@pytest.mark.parametrize(("seconds", "late"), [(300, False), (301, True)])
def test_an_execution_whose_skipped_waits_go_over_the_limit_keeps_the_message(
    monkeypatch: pytest.MonkeyPatch, seconds: int, *, late: bool
) -> None:
    async def scenario(bench: Bench) -> None:
        started, arn = datetime(2026, 1, 1, tzinfo=UTC), f"{FUNCTION}/durable-execution/name/id"

        async def invoke(_: Any) -> dict[str, Any]:
            return {"StatusCode": 200, "DurableExecutionArn": arn, "Payload": b"null"}

        async def get(params: dict[str, Any]) -> dict[str, Any]:
            assert params["DurableExecutionArn"] == arn
            return {"StartTimestamp": started, "EndTimestamp": started + timedelta(seconds=seconds)}

        monkeypatch.setattr(bench.api, "_lambda_Invoke", invoke)
        monkeypatch.setattr(bench.api, "_lambda_GetDurableExecution", get, raising=False)
        bench.queue.put("x")
        await bench.create()
        metrics = bench.service.pipes()[0].metrics
        await until(lambda: metrics.executions_succeeded + metrics.executions_timed_out == 1)
        assert metrics.executions_timed_out == late
        await until(lambda: len(bench.queue.messages) == late)

    run(scenario)


def test_a_fifo_source_is_invoked_synchronously_one_batch_a_group() -> None:
    async def scenario(bench: Bench) -> None:
        queue = bench.api.queues["orders.fifo"]
        running: dict[str, int] = {}
        overlaps: list[str] = []
        both = asyncio.Event()

        async def watch(payload: Any) -> None:
            group = payload[0]["attributes"]["MessageGroupId"]
            running[group] = running.get(group, 0) + 1
            overlaps.extend([group] * (running[group] > 1))
            if len([g for g, n in running.items() if n]) == 2:
                both.set()
            await both.wait()
            running[group] -= 1

        bench.api.functions[FUNCTION] = watch
        for n in range(3):
            queue.put(f"a{n}", group="a")
            queue.put(f"b{n}", group="b")
        await bench.create(Source=FIFO, SourceParameters=source(1), TargetParameters=FIRE_AND_FORGET)
        await until(lambda: not queue.messages)
        assert {kind for _, kind, _ in bench.api.invokes} == {"RequestResponse"}
        assert overlaps == []
        order = [bodies(payload)[0] for payload in bench.api.payloads()]
        assert [b for b in order if b[0] == "a"] == ["a0", "a1", "a2"]
        assert [b for b in order if b[0] == "b"] == ["b0", "b1", "b2"]

    run(scenario)


def test_a_group_is_not_invoked_twice_at_once_when_its_visibility_timeout_passes() -> None:
    async def scenario(bench: Bench) -> None:
        queue = bench.api.queues["orders.fifo"]
        queue.visibility_s = 0.1
        release = asyncio.Event()

        async def slow(_: Any) -> None:
            await release.wait()

        bench.api.functions[FUNCTION] = slow
        queue.put("a", group="a")
        await bench.create(Source=FIFO)
        await until(lambda: queue.receives >= 2 and bench.service.pipes()[0].in_flight >= 2)
        assert len(bench.api.invokes) == 1
        release.set()
        await until(lambda: not queue.messages)

    run(scenario)
