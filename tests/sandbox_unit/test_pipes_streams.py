"""Pipes with a stream: what the target gets, what is tried again, what is given up and what is remembered."""

from __future__ import annotations

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pipes_fakes import ENRICHER, FIFO, FIRE_AND_FORGET, FUNCTION, LOGGED, REGION, ROLE, FunctionRaisedError, until
from pipes_stream_support import (
    BROKEN,
    DEAD,
    SHARD,
    STREAM,
    TABLE,
    THROTTLED,
    TOPIC,
    StreamBench,
    data_of,
    failing,
    run_streams,
)

from durable_sandbox.events import pipe_execution
from durable_sandbox.events.streams.reader import KinesisReader

PIPE = f"arn:aws:pipes:{REGION}:123456789012:pipe/p"
BISECT: dict[str, Any] = {"OnPartialBatchItemFailure": "AUTOMATIC_BISECT"}


@pytest.fixture(autouse=True)
def _reads_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KinesisReader, "pause_s", 0.01)


def test_kinesis_records_arrive_as_a_flat_array_in_one_synchronous_call() -> None:
    async def scenario(bench: StreamBench) -> None:
        first, second = bench.api.put({"n": 1}, {"n": 2})
        assert await bench.pipe(with_={"TargetParameters": FIRE_AND_FORGET}) == "RUNNING"
        await until(lambda: bool(bench.api.invokes))
        ((name, kind, payload),) = bench.api.invokes
        assert (name, kind) == (FUNCTION, "RequestResponse")
        assert isinstance(payload[0].pop("approximateArrivalTimestamp"), float)
        assert payload[0] == {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "k",
            "sequenceNumber": first,
            "data": base64.b64encode(b'{"n": 1}').decode(),
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{SHARD}:{first}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": ROLE,
            "awsRegion": REGION,
            "eventSourceARN": STREAM,
        }
        assert payload[1]["sequenceNumber"] == second
        assert {role for _, role in bench.api.callers} == {ROLE}
        await until(lambda: bench.metrics.executions_succeeded == 1)

    run_streams(scenario)


def test_changes_of_a_table_arrive_as_lambda_gets_them_and_are_named_by_their_event_id() -> None:
    async def scenario(bench: StreamBench) -> None:
        one, two = bench.api.write("a", "x"), bench.api.write("b", "y")

        def answer(payload: list[dict[str, Any]]) -> Any:
            return {"batchItemFailures": [{"itemIdentifier": f"id-{two}"}]} if len(payload) > 1 else None

        bench.answers(answer)
        await bench.pipe(TABLE)
        await until(lambda: len(bench.api.invokes) == 2)
        batches = [[record["dynamodb"]["SequenceNumber"] for record in payload] for payload in bench.api.payloads()]
        assert batches == [[one, two], [two]]
        record = bench.api.payloads()[0][0]
        assert (record["eventName"], record["eventSource"], record["eventSourceARN"]) == (
            "INSERT",
            "aws:dynamodb",
            TABLE,
        )
        assert record["dynamodb"]["NewImage"] == {"id": {"S": "a"}, "value": {"S": "x"}}
        assert isinstance(record["dynamodb"]["ApproximateCreationDateTime"], int)

    run_streams(scenario)


def test_filters_look_into_decoded_data_and_beside_it() -> None:
    async def scenario(bench: StreamBench) -> None:
        bench.api.put({"n": 1, "city": "Oslo"}, b"plain text")
        bench.api.put({"n": 2, "city": "Oslo"}, {"n": 3, "city": "Rome"}, key="other")
        await bench.pipe(filters=({"partitionKey": ["other"], "data": {"city": ["Oslo"]}}, {"data": {"n": [1]}}))
        await until(lambda: sum(map(len, bench.tried)) == 2)
        assert [data["n"] for batch in bench.tried for data in batch] == [1, 2]
        assert bench.metrics.events_filtered_out == 2

    run_streams(scenario)


def test_filters_of_changes_look_into_the_image_and_the_event_name() -> None:
    async def scenario(bench: StreamBench) -> None:
        bench.api.write("a", "x", "REMOVE")
        bench.api.write("b", "x")
        bench.api.write("c", "z")
        pattern = {"eventName": ["INSERT"], "dynamodb": {"NewImage": {"value": {"S": ["x"]}}}}
        await bench.pipe(TABLE, filters=(pattern,))
        await until(lambda: bench.metrics.executions_succeeded == 1)
        (payload,) = bench.api.payloads()
        assert [record["dynamodb"]["Keys"] for record in payload] == [{"id": {"S": "b"}}]

    run_streams(scenario)


def test_templates_read_json_data_and_leave_other_data_encoded() -> None:
    async def scenario(bench: StreamBench) -> None:
        (number,) = bench.api.put({"n": {"m": 1}})
        bench.api.put(b"\xffplain")
        template = '{"data": <$.data>, "m": [<$.data.n.m>], "number": <$.sequenceNumber>}'
        await bench.pipe(with_={"TargetParameters": {"InputTemplate": template}})
        await until(lambda: bool(bench.api.invokes))
        one, two = bench.api.payloads()[0]
        assert one == {"data": {"n": {"m": 1}}, "m": [1], "number": number}
        assert (two["data"], two["m"]) == (base64.b64encode(b"\xffplain").decode(), [])

    run_streams(scenario)


def test_the_enrichment_gets_the_template_and_the_target_its_answer() -> None:
    async def scenario(bench: StreamBench) -> None:
        bench.api.put({"n": 1})
        bench.answers(lambda payload: [{"enriched": item} for item in payload], ENRICHER)
        template = {"InputTemplate": '{"was": <$.data.n>}'}
        await bench.pipe(with_={"Enrichment": ENRICHER, "EnrichmentParameters": template})
        await until(lambda: len(bench.api.invokes) == 2)
        assert bench.api.payloads() == [[{"was": 1}], [{"enriched": {"was": 1}}]]

    run_streams(scenario)


def test_a_batch_out_of_tries_is_told_to_the_queue_and_the_next_one_goes_on() -> None:
    async def scenario(bench: StreamBench) -> None:
        first, last = bench.api.put({"n": 1, "bad": True}, {"n": 2})
        bench.api.put({"n": 3})

        def answer(payload: list[dict[str, Any]]) -> Any:
            if any(data_of(record).get("bad") for record in payload):
                raise FunctionRaisedError("poison")

        bench.answers(answer)
        await bench.pipe(BatchSize=2, MaximumRetryAttempts=2, DeadLetterConfig={"Arn": DEAD})
        await until(lambda: bench.metrics.executions_succeeded == 1)
        assert [[data["n"] for data in batch] for batch in bench.tried] == [[1, 2]] * 3 + [[3]]
        (told,) = bench.dead()
        info = told.pop("KinesisBatchInfo")
        assert datetime.fromisoformat(told.pop("timestamp")).tzinfo is not None
        assert told == {
            "context": {"partnerResourceArn": PIPE, "condition": "RetryAttemptsExhausted"},
            "version": "1.0",
        }
        assert info.pop("approximateArrivalOfFirstRecord").endswith("Z")
        assert info.pop("approximateArrivalOfLastRecord").endswith("Z")
        assert info == {
            "shardId": SHARD,
            "startSequenceNumber": first,
            "endSequenceNumber": last,
            "batchSize": 2,
            "streamArn": STREAM,
        }
        assert (bench.metrics.events_dead_lettered, bench.metrics.events_dropped) == (2, 0)
        assert ("SendMessage", ROLE) in bench.api.callers

    run_streams(scenario)


def test_a_topic_is_told_of_changes_of_a_table() -> None:
    async def scenario(bench: StreamBench) -> None:
        number = bench.api.write("a", "x")
        bench.answers(lambda _: {"batchItemFailures": [{"itemIdentifier": ""}]})
        await bench.pipe(TABLE, MaximumRetryAttempts=0, DeadLetterConfig={"Arn": TOPIC})
        await until(lambda: bool(bench.api.published))
        (published,) = bench.api.published
        assert published["TopicArn"] == TOPIC
        info = json.loads(published["Message"])["DDBStreamBatchInfo"]
        assert (info["startSequenceNumber"], info["batchSize"], info["streamArn"]) == (number, 1, TABLE)

    run_streams(scenario)


def test_without_a_dead_letter_queue_a_batch_out_of_tries_is_dropped_and_counted() -> None:
    async def scenario(bench: StreamBench) -> None:
        bench.api.put({"n": 1})
        bench.answers(lambda payload: failing(*payload))
        await bench.pipe(MaximumRetryAttempts=1)
        await until(lambda: bench.metrics.events_dropped == 1)
        assert len(bench.api.invokes) == 2

    run_streams(scenario)


def test_faults_of_aws_and_throttles_are_no_tries() -> None:
    async def scenario(bench: StreamBench) -> None:
        bench.api.put({"n": 1})
        bench.api.errors["Invoke"] = [BROKEN, THROTTLED, RuntimeError("a fault of the sandbox"), THROTTLED]
        await bench.pipe(MaximumRetryAttempts=0, DeadLetterConfig={"Arn": DEAD})
        await until(lambda: bench.metrics.executions_succeeded == 1)
        assert bench.tried == [[{"n": 1}]]
        assert bench.metrics.executions_throttled == 2
        assert bench.dead() == []

    run_streams(scenario)


def test_a_record_that_is_too_old_is_given_up_with_that_condition() -> None:
    async def scenario(bench: StreamBench) -> None:
        bench.api.put({"n": 1})
        bench.answers(lambda payload: failing(*payload))
        await bench.pipe(MaximumRecordAgeInSeconds=60, DeadLetterConfig={"Arn": DEAD})
        await until(lambda: bool(bench.dead()))
        assert bench.dead()[0]["context"]["condition"] == "RecordAgeExceeded"

    run_streams(scenario)


def test_a_partial_failure_is_tried_again_from_the_lowest_that_failed() -> None:
    async def scenario(bench: StreamBench) -> None:
        bench.api.put(*range(5))

        def answer(payload: list[dict[str, Any]]) -> Any:
            return failing(payload[4], payload[2]) if len(payload) == 5 else None

        bench.answers(answer)
        await bench.pipe()
        await until(lambda: bench.metrics.executions_succeeded == 1)
        assert bench.tried == [[0, 1, 2, 3, 4], [2, 3, 4]]
        assert bench.metrics.executions_partially_failed == 1

    run_streams(scenario)


@pytest.mark.parametrize("raises", [True, False])
def test_automatic_bisect_isolates_the_poison_without_a_try_for_each_half(raises: bool) -> None:
    async def scenario(bench: StreamBench) -> None:
        numbers = bench.api.put(*range(8))

        def answer(payload: list[dict[str, Any]]) -> Any:
            bad = [record for record in payload if data_of(record) == 5]
            if bad and raises:
                raise FunctionRaisedError("poison")
            return failing(*bad)

        bench.answers(answer)
        await bench.pipe(**BISECT, MaximumRetryAttempts=1, DeadLetterConfig={"Arn": DEAD})
        await until(lambda: bool(bench.dead()) and bench.tried[-1][-1] == 7)
        (told,) = bench.dead()
        assert told["KinesisBatchInfo"]["startSequenceNumber"] == numbers[5]
        assert told["KinesisBatchInfo"]["batchSize"] == 1
        assert bench.tried.count([5]) == 2
        halves = [[0, 1, 2, 3, 4, 5, 6, 7], [0, 1, 2, 3], [4, 5, 6, 7], [4, 5], [4], [5], [5], [6, 7]]
        assert bench.tried == (halves if raises else [[0, 1, 2, 3, 4, 5, 6, 7], [5], [5], [6, 7]])

    run_streams(scenario)


def test_an_execution_over_its_limit_is_a_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipe_execution, "EXECUTION_LIMIT_S", 0.05)

    async def scenario(bench: StreamBench) -> None:
        async def forever(_: Any) -> None:
            await asyncio.Event().wait()

        bench.api.functions[FUNCTION] = forever
        bench.api.put({"n": 1})
        await bench.pipe(MaximumRetryAttempts=1, DeadLetterConfig={"Arn": DEAD})
        await until(lambda: bool(bench.dead()))
        assert (bench.metrics.executions_timed_out, len(bench.api.invokes)) == (2, 2)

    run_streams(scenario)


def test_a_stopped_pipe_keeps_its_position_and_the_batch_that_was_failing() -> None:
    async def scenario(bench: StreamBench) -> None:
        healthy = False

        def answer(payload: list[dict[str, Any]]) -> Any:
            return None if healthy or data_of(payload[0]) == 0 else failing(*payload)

        bench.answers(answer)
        bench.api.put(0)
        await bench.pipe(BatchSize=2)
        await until(lambda: bench.metrics.executions_succeeded == 1)
        bench.api.put(1, 2)
        await until(lambda: bench.metrics.executions_failed >= 2)
        await bench.stop()
        bench.api.put(3)
        healthy, tries = True, len(bench.api.invokes)
        assert await bench.start() == "RUNNING"
        await until(lambda: bench.tried[-1][-1] == 3)
        assert bench.tried[tries:] == [[1, 2], [3]]

    run_streams(scenario)


def test_an_update_changes_the_batches_and_repeats_nothing() -> None:
    async def scenario(bench: StreamBench) -> None:
        bench.api.put(0, 1)
        await bench.pipe(BatchSize=2)
        await until(lambda: bench.metrics.executions_succeeded == 1)
        assert await bench.update(SourceParameters={"KinesisStreamParameters": {"BatchSize": 1}}) == "RUNNING"
        bench.api.put(2, 3)
        await until(lambda: bench.metrics.executions_succeeded == 3)
        assert bench.tried == [[0, 1], [2], [3]]

    run_streams(scenario)


def test_latest_begins_with_the_start_of_the_pipe_and_at_timestamp_with_its_time() -> None:
    async def scenario(bench: StreamBench) -> None:
        now = datetime.now(UTC)
        bench.api.put("old", arrived=now - timedelta(hours=2))
        bench.api.put("newer", arrived=now - timedelta(minutes=30))
        await bench.pipe(StartingPosition="LATEST")
        bench.api.put("latest")
        await until(lambda: bench.metrics.executions_succeeded == 1)
        await bench.do("DeletePipe", Name="p")
        await until(lambda: not bench.service.pipes())
        await bench.pipe(StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=now - timedelta(hours=1))
        await until(lambda: bench.metrics.executions_succeeded == 1)
        assert bench.tried == [["latest"], ["newer", "latest"]]

    run_streams(scenario)


def test_a_fifo_queue_gets_the_records_in_order_even_if_a_send_fails() -> None:
    async def scenario(bench: StreamBench) -> None:
        bench.api.put(0, 1, key="a")
        bench.api.put(2, key="b")
        sends = 0
        send = bench.api._sqs_SendMessage

        async def second_fails(params: Any) -> Any:
            nonlocal sends
            sends += 1
            if sends == 2:
                raise BROKEN
            return await send(params)

        bench.api._sqs_SendMessage = second_fails  # type: ignore[method-assign]
        parameters = {"InputTemplate": '{"n": <$.data>}', "SqsQueueParameters": {"MessageGroupId": "$.partitionKey"}}
        await bench.pipe(MaximumRetryAttempts=1, with_={"Target": FIFO, "TargetParameters": parameters})
        await until(lambda: bench.metrics.executions_succeeded == 1)
        sent = bench.api.queues["orders.fifo"].messages.values()
        found = [(json.loads(message["Body"])["n"], message["Attributes"]["MessageGroupId"]) for message in sent]
        assert found == [(0, "a"), (1, "a"), (2, "b")]

    run_streams(scenario)


def test_executions_are_logged_as_those_of_a_queue() -> None:
    async def scenario(bench: StreamBench) -> None:
        bench.api.put({"n": 1})
        await bench.pipe(with_={"LogConfiguration": LOGGED})
        await until(lambda: bench.metrics.executions_succeeded == 1)
        assert bench.log.steps() == [
            "ExecutionStarted",
            "TargetStageEntered",
            "TargetStageSucceeded",
            "ExecutionSucceeded",
        ]

    run_streams(scenario)
