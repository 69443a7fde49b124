"""Batches, filters, templates, enrichment and logs of pipes, over a fake API."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from pipes_fakes import (
    ENRICHER,
    FIFO,
    FIRE_AND_FORGET,
    FUNCTION,
    GROUP,
    LOGGED,
    REGION,
    Bench,
    FunctionRaisedError,
    bodies,
    run,
    source,
    until,
)

from durable_sandbox.events.pipe import PollerLimits


def test_a_batch_larger_than_ten_is_collected_from_several_receives() -> None:
    async def scenario(bench: Bench) -> None:
        for n in range(25):
            bench.queue.put(str(n))
        await bench.create(SourceParameters=source(25), TargetParameters=FIRE_AND_FORGET)
        await until(lambda: not bench.queue.messages)
        assert [len(payload) for payload in bench.api.payloads()] == [25]

    run(scenario)


def test_the_window_gathers_later_messages_and_ends_early_when_the_batch_is_full() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.create(SourceParameters=source(3, 20), TargetParameters=FIRE_AND_FORGET)
        bench.queue.put("a")
        await until(lambda: bool(bench.queue.hidden_until))
        bench.queue.put("b")
        await until(lambda: len(bench.queue.hidden_until) == 2)
        assert bench.api.invokes == []
        bench.queue.put("c")
        await until(lambda: bool(bench.api.invokes), seconds=2)
        assert bodies(bench.api.payloads()[0]) == ["a", "b", "c"]

    run(scenario)


def test_the_window_ends_by_itself_and_the_next_message_is_not_lost() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.create(SourceParameters=source(3, 1), TargetParameters=FIRE_AND_FORGET)
        bench.queue.put("a")
        await until(lambda: len(bench.api.invokes) == 1)
        bench.queue.put("b")
        await until(lambda: len(bench.api.invokes) == 2)
        assert [bodies(payload) for payload in bench.api.payloads()] == [["a"], ["b"]]

    run(scenario)


def test_a_batch_is_closed_at_six_megabytes() -> None:
    async def scenario(bench: Bench) -> None:
        for _ in range(8):
            bench.queue.put("x" * 1_000_000)
        await bench.create()
        await until(lambda: not bench.queue.messages)
        assert sorted(len(payload) for payload in bench.api.payloads()) == [2, 6]

    run(scenario)


def test_an_asynchronous_payload_over_one_megabyte_fails_and_nothing_is_lost() -> None:
    async def scenario(bench: Bench) -> None:
        for _ in range(2):
            bench.queue.put("x" * 600_000)
        await bench.create(TargetParameters=FIRE_AND_FORGET, LogConfiguration=LOGGED)
        await until(lambda: bench.service.pipes()[0].metrics.executions_failed == 1)
        assert len(bench.queue.messages) == 2
        assert bench.api.invokes == []
        errors = [record["error"]["httpStatusCode"] for *_, record in bench.log.records if "error" in record]
        assert errors
        assert set(errors) == {413}

    run(scenario)


def test_five_batches_are_in_flight_at_first_and_more_as_they_stay_busy() -> None:
    async def scenario(bench: Bench) -> None:
        release = asyncio.Event()

        async def slow(_: Any) -> None:
            await release.wait()

        bench.api.functions[FUNCTION] = slow
        for n in range(9):
            bench.queue.put(str(n))
        await bench.create(SourceParameters=source(1))
        await until(lambda: len(bench.api.invokes) == 5)
        assert bench.service.pipes()[0].in_flight == 5
        await until(lambda: len(bench.api.invokes) == 7)
        release.set()
        await until(lambda: not bench.queue.messages)

    run(scenario, limits=PollerLimits(initial=5, maximum=7, growth_s=0.05))


def test_filtered_messages_are_deleted_without_an_execution() -> None:
    async def scenario(bench: Bench) -> None:
        for body in ('{"kind": "a"}', '{"kind": "b"}', "plain"):
            bench.queue.put(body)
        await bench.create(SourceParameters=source(10, 0, {"body": {"kind": ["a"]}}))
        await until(lambda: not bench.queue.messages)
        assert [bodies(payload) for payload in bench.api.payloads()] == [['{"kind": "a"}']]
        assert bench.service.pipes()[0].metrics.events_filtered_out == 2

    run(scenario)


def test_the_input_template_is_applied_to_each_element() -> None:
    async def scenario(bench: Bench) -> None:
        for n in (1, 2):
            bench.queue.put(json.dumps({"n": n}))
        template = '{"number": <$.body.n>, "pipe": <aws.pipes.pipe-name>}'
        await bench.create(TargetParameters={**FIRE_AND_FORGET, "InputTemplate": template})
        await until(lambda: not bench.queue.messages)
        assert bench.api.payloads() == [[{"number": 1, "pipe": "p"}, {"number": 2, "pipe": "p"}]]

    run(scenario)


def test_a_template_whose_result_is_not_json_fails_the_execution_and_keeps_the_message() -> None:
    async def scenario(bench: Bench) -> None:
        bench.queue.put("plain")
        await bench.create(TargetParameters={"InputTemplate": '{"n": <$.body.n>}'}, LogConfiguration=LOGGED)
        await until(lambda: bench.service.pipes()[0].metrics.executions_failed == 1)
        assert len(bench.queue.messages) == 1
        assert bench.api.invokes == []
        assert "TargetTransformationFailed" in bench.log.steps()

    run(scenario)


def test_the_enrichment_answer_goes_to_the_target() -> None:
    async def scenario(bench: Bench) -> None:
        async def enrich(payload: Any) -> Any:
            return [{"was": record["body"]} for record in payload]

        bench.api.functions[ENRICHER] = enrich
        bench.queue.put("x")
        await bench.create(Enrichment=ENRICHER, TargetParameters=FIRE_AND_FORGET)
        await until(lambda: not bench.queue.messages)
        assert [(name, kind) for name, kind, _ in bench.api.invokes] == [
            (ENRICHER, "RequestResponse"),
            (FUNCTION, "Event"),
        ]
        assert bench.api.payloads()[1] == [{"was": "x"}]

    run(scenario)


@pytest.mark.parametrize("empty", ["", {}, [], b""])
def test_an_empty_enrichment_answer_skips_the_target_and_counts_as_handled(empty: Any) -> None:
    async def scenario(bench: Bench) -> None:
        async def enrich(_: Any) -> Any:
            return empty

        bench.api.functions[ENRICHER] = enrich
        bench.queue.put("x")
        await bench.create(Enrichment=ENRICHER)
        await until(lambda: not bench.queue.messages)
        assert [name for name, _, _ in bench.api.invokes] == [ENRICHER]

    run(scenario)


def test_an_enrichment_of_one_empty_object_still_invokes_the_target() -> None:
    async def scenario(bench: Bench) -> None:
        async def enrich(_: Any) -> Any:
            return [{}]

        bench.api.functions[ENRICHER] = enrich
        bench.queue.put("x")
        await bench.create(Enrichment=ENRICHER)
        await until(lambda: not bench.queue.messages)
        assert bench.api.invokes[1][2] == [{}]

    run(scenario)


def test_a_failing_enrichment_keeps_the_message() -> None:
    async def scenario(bench: Bench) -> None:
        async def enrich(_: Any) -> Any:
            raise FunctionRaisedError("no")

        bench.api.functions[ENRICHER] = enrich
        bench.queue.put("x")
        await bench.create(Enrichment=ENRICHER)
        await until(lambda: bench.service.pipes()[0].metrics.enrichment_stages_failed == 1)
        assert len(bench.queue.messages) == 1
        assert [name for name, _, _ in bench.api.invokes] == [ENRICHER]

    run(scenario)


def test_an_sqs_target_gets_one_message_an_element() -> None:
    async def scenario(bench: Bench) -> None:
        for n in (1, 2):
            bench.queue.put(json.dumps({"n": n, "g": "blue"}))
        parameters = {"InputTemplate": '{"n": <$.body.n>}', "SqsQueueParameters": {"MessageGroupId": "$.body.g"}}
        await bench.create(Target=FIFO, TargetParameters=parameters)
        await until(lambda: not bench.queue.messages)
        sent = list(bench.api.queues["orders.fifo"].messages.values())
        assert [json.loads(message["Body"]) for message in sent] == [{"n": 1}, {"n": 2}]
        assert {message["Attributes"]["MessageGroupId"] for message in sent} == {"blue"}

    run(scenario)


def test_info_records_tell_the_execution_without_its_data() -> None:
    async def scenario(bench: Bench) -> None:
        bench.queue.put("secret")
        await bench.create(LogConfiguration=LOGGED)
        await until(lambda: "ExecutionSucceeded" in bench.log.steps())
        assert bench.log.steps() == [
            "ExecutionStarted",
            "TargetStageEntered",
            "TargetStageSucceeded",
            "ExecutionSucceeded",
        ]
        region, group, _, record = bench.log.records[0]
        assert (region, group) == (REGION, GROUP)
        assert record["resourceArn"].endswith("pipe/p")
        assert record["logLevel"] == "INFO"
        assert "secret" not in json.dumps([record for *_, record in bench.log.records])
        assert len({record["executionId"] for *_, record in bench.log.records}) == 1

    run(scenario)


def test_error_level_logs_failures_only_and_says_what_the_function_said() -> None:
    async def scenario(bench: Bench) -> None:
        async def fails(_: Any) -> None:
            raise FunctionRaisedError("boom")

        bench.api.functions[FUNCTION] = fails
        bench.queue.put("x")
        await bench.create(LogConfiguration={**LOGGED, "Level": "ERROR"})
        await until(lambda: "ExecutionFailed" in bench.log.steps())
        assert bench.log.steps() == ["TargetInvocationFailed", "TargetStageFailed", "ExecutionFailed"]
        assert "boom" in bench.log.records[0][3]["error"]["message"]

    run(scenario)


def test_execution_data_is_logged_on_request_and_cut_at_the_limit() -> None:
    async def scenario(bench: Bench) -> None:
        bench.queue.put("x" * 300_000)
        await bench.create(LogConfiguration={**LOGGED, "Level": "TRACE", "IncludeExecutionData": ["ALL"]})
        await until(lambda: "ExecutionSucceeded" in bench.log.steps())
        started = bench.log.records[0][3]
        assert (started["payload"], started["truncatedFields"]) == ("", ["payload"])
        invoked = next(r for *_, r in bench.log.records if r["messageType"] == "TargetInvocationStarted")
        assert invoked["truncatedFields"] == ["awsRequest"]

    run(scenario)
