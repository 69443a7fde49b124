"""Settings of a pipe with a stream, what Pipes refuses, and when such a pipe stops by itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pipes_fakes import ENRICHER, FUNCTION, until
from pipes_stream_support import DEAD, DENIED, STREAM, TABLE, TOPIC, StreamBench, failing, run_streams

from durable_sandbox.aws.errors import AwsError
from durable_sandbox.events.streams.reader import KinesisReader

MEMBER = "KinesisStreamParameters"
HOUR_AGO = datetime.now(UTC) - timedelta(hours=1)


@pytest.fixture(autouse=True)
def _reads_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KinesisReader, "pause_s", 0.01)


async def _parameters(bench: StreamBench) -> Any:
    return (await bench.do("DescribePipe", Name="p"))["SourceParameters"]


def test_describe_shows_the_batch_size_and_what_was_given() -> None:
    async def scenario(bench: StreamBench) -> None:
        await bench.pipe()
        assert await _parameters(bench) == {MEMBER: {"BatchSize": 100, "StartingPosition": "TRIM_HORIZON"}}

    run_streams(scenario)


def test_an_update_replaces_all_but_the_starting_position() -> None:
    async def scenario(bench: StreamBench) -> None:
        start: dict[str, Any] = {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": HOUR_AGO}
        settings: dict[str, Any] = {
            "BatchSize": 7,
            "MaximumBatchingWindowInSeconds": 1,
            "MaximumRecordAgeInSeconds": 60,
            "MaximumRetryAttempts": 3,
            "OnPartialBatchItemFailure": "AUTOMATIC_BISECT",
            "ParallelizationFactor": 2,
            "DeadLetterConfig": {"Arn": DEAD},
        }
        await bench.pipe(**start, **settings, filters=({"data": {"n": [1]}},))
        before = await _parameters(bench)
        assert before[MEMBER] == start | settings
        change = {"MaximumRetryAttempts": 0, "DeadLetterConfig": {}, "StartingPosition": "LATEST"}
        assert await bench.update(SourceParameters={MEMBER: change}) == "RUNNING"
        after = await _parameters(bench)
        assert after[MEMBER] == start | {"BatchSize": 100, "MaximumRetryAttempts": 0}
        assert after["FilterCriteria"] == before["FilterCriteria"]

    run_streams(scenario)


def test_an_update_of_other_members_leaves_the_streams_alone() -> None:
    async def scenario(bench: StreamBench) -> None:
        await bench.pipe(MaximumRetryAttempts=3)
        before = await _parameters(bench)
        await bench.update(Description="new", SourceParameters={"FilterCriteria": {"Filters": []}})
        assert await _parameters(bench) == before

    run_streams(scenario)


AGE = "MaximumRecordAgeInSeconds must be either -1 (forever) or between 60 and 604800 (inclusive)"
WINDOW = "MaximumBatchingWindowInSeconds must be less than MaximumRecordAgeInSeconds."
TIMESTAMP = f"SourceParameters.{MEMBER}.StartingPositionTimestamp"
LETTERS = f"SourceParameters.{MEMBER}.DeadLetterConfig.Arn"
PATTERN = "SourceParameters.FilterCriteria.Filters[0].Pattern"


@pytest.mark.parametrize(
    ("settings", "violations"),
    [
        ({"MaximumRecordAgeInSeconds": 59}, [("MaximumRecordAgeInSeconds", AGE)]),
        (
            {"MaximumRecordAgeInSeconds": 60, "MaximumBatchingWindowInSeconds": 60},
            [("MaximumBatchingWindowInSeconds", WINDOW)],
        ),
        ({"StartingPosition": "AT_TIMESTAMP"}, [(TIMESTAMP, "Missing required parameter")]),
        ({"StartingPositionTimestamp": HOUR_AGO}, [(TIMESTAMP, "AT_TIMESTAMP only")]),
        (
            {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": HOUR_AGO + timedelta(days=1)},
            [(TIMESTAMP, "cannot be in the future")],
        ),
        ({"DeadLetterConfig": {"Arn": DEAD + ".fifo"}}, [(LETTERS, "is FIFO")]),
        ({"DeadLetterConfig": {"Arn": TOPIC + ".fifo"}}, [(LETTERS, "is FIFO")]),
        ({"DeadLetterConfig": {"Arn": FUNCTION}}, [(LETTERS, "neither an SQS queue nor an SNS topic")]),
        ({"BatchSize": 0}, [(f"SourceParameters.{MEMBER}.BatchSize", "minimum: 1, found: 0")]),
        ({"ParallelizationFactor": 11}, [(f"SourceParameters.{MEMBER}.ParallelizationFactor", "maximum: 10")]),
        ({"MaximumRetryAttempts": -2}, [(f"SourceParameters.{MEMBER}.MaximumRetryAttempts", "minimum: -1")]),
        ({"StartingPosition": None}, [(f"SourceParameters.{MEMBER}.StartingPosition", "StartingPosition")]),
        ({"OnPartialBatchItemFailure": "NO"}, [(f"SourceParameters.{MEMBER}.OnPartialBatchItemFailure", "enum")]),
        ({"filters": ({"data": ["text"]},)}, [(PATTERN, "valid JSON format")]),
        ({"filters": ({"eventName": ["aws:kinesis:record"]},)}, [(PATTERN, "eventName")]),
    ],
)
def test_bad_settings_name_the_member(settings: dict[str, Any], violations: list[tuple[str, str]]) -> None:
    async def scenario(bench: StreamBench) -> None:
        with pytest.raises(AwsError) as raised:
            await bench.pipe(**settings)
        assert raised.value.code == "ValidationException"
        named = raised.value.members["fieldList"]
        assert [field["name"] for field in named] == [name for name, _ in violations]
        for field, (_, text) in zip(named, violations, strict=True):
            assert text in field["message"]
        assert bench.service.pipes() == []

    run_streams(scenario)


def test_the_zeros_that_the_terraform_provider_sends_are_refused_as_on_aws() -> None:
    async def scenario(bench: StreamBench) -> None:
        await bench.pipe(TABLE)
        zeros = {"MaximumRecordAgeInSeconds": 0, "MaximumBatchingWindowInSeconds": 0}
        with pytest.raises(AwsError) as raised:
            await bench.update(SourceParameters={"DynamoDBStreamParameters": zeros})
        assert raised.value.members["fieldList"] == [
            {"name": "MaximumRecordAgeInSeconds", "message": AGE},
            {"name": "MaximumBatchingWindowInSeconds", "message": WINDOW},
        ]

    run_streams(scenario)


@pytest.mark.parametrize(
    ("source", "parameters", "member", "text"),
    [
        (STREAM, {}, "SourceParameters.KinesisStreamParameters", "Missing required parameter."),
        (TABLE, {}, "SourceParameters.DynamoDBStreamParameters", "Missing required parameter."),
        (
            TABLE,
            {"KinesisStreamParameters": {"StartingPosition": "LATEST"}},
            "SourceParameters.KinesisStreamParameters",
            "does not belong",
        ),
        (
            TABLE,
            {"DynamoDBStreamParameters": {"StartingPosition": "AT_TIMESTAMP"}},
            "SourceParameters.DynamoDBStreamParameters.StartingPosition",
            "not found in enum",
        ),
        (TABLE.partition("/stream/")[0], {}, "Source", "table/<name>/stream/<label>"),
    ],
)
def test_sources_need_their_own_parameters(source: str, parameters: dict[str, Any], member: str, text: str) -> None:
    async def scenario(bench: StreamBench) -> None:
        with pytest.raises(AwsError) as raised:
            await bench.create(Source=source, SourceParameters=parameters)
        (field,) = raised.value.members["fieldList"]
        assert field["name"] == member
        assert text in field["message"]

    run_streams(scenario)


@pytest.mark.parametrize(
    ("source", "operations"),
    [
        (STREAM, ["DescribeStreamSummary", "DescribeStream", "ListShards", "GetShardIterator", "GetRecords"]),
        (TABLE, ["DescribeStream", "GetShardIterator", "GetRecords"]),
    ],
)
def test_every_permission_on_the_stream_is_needed_to_begin(source: str, operations: list[str]) -> None:
    async def scenario(bench: StreamBench) -> None:
        bench.api.refused[operations[0]] = DENIED
        assert await bench.pipe(source) == "CREATE_FAILED"
        text = f"Cannot access stream {source}. Please ensure the customer role can perform actions on source stream"
        for operation in operations:
            bench.api.refused = {operation: DENIED}
            assert await bench.start() == "START_FAILED"
            assert text in await bench.reason()
        bench.api.refused.clear()
        assert await bench.start() == "RUNNING"

    run_streams(scenario)


@pytest.mark.parametrize(
    ("source", "operation"),
    [(f"{STREAM}/consumer/fast:1700000000", "SubscribeToShard"), (TABLE, "ListStreams")],
)
def test_rights_that_no_call_shows_are_needed_too(source: str, operation: str) -> None:
    async def scenario(bench: StreamBench) -> None:
        bench.access.denied.add(operation)
        assert await bench.pipe(source) == "CREATE_FAILED"
        assert f"Cannot access stream {source}" in await bench.reason()

    run_streams(scenario)


@pytest.mark.parametrize(
    ("target", "operation", "text"),
    [
        (DEAD, "SendMessage", f"Error occurred while sending message to SQS queue: {DEAD}"),
        (TOPIC, "Publish", f"Error occurred while publishing message to SNS topic: {TOPIC}"),
    ],
)
def test_a_dead_letter_queue_must_be_open_to_the_role(target: str, operation: str, text: str) -> None:
    async def scenario(bench: StreamBench) -> None:
        bench.access.denied.add(operation)
        assert await bench.pipe(DeadLetterConfig={"Arn": target}) == "CREATE_FAILED"
        assert text in await bench.reason()
        bench.access.denied.clear()
        assert await bench.start() == "RUNNING"
        assert bench.dead() == bench.api.published == []

    run_streams(scenario)


def test_a_dead_letter_queue_must_exist() -> None:
    async def scenario(bench: StreamBench) -> None:
        assert await bench.pipe(DeadLetterConfig={"Arn": DEAD + "er"}) == "CREATE_FAILED"
        assert "does not exist" in await bench.reason()

    run_streams(scenario)


def test_a_pipe_that_may_read_no_more_stops_and_goes_on_where_it_was() -> None:
    async def scenario(bench: StreamBench) -> None:
        bench.api.put(0)
        await bench.pipe()
        await until(lambda: bench.metrics.executions_succeeded == 1)
        bench.api.refused["GetRecords"] = DENIED
        await until(lambda: bench.service.pipes()[0].current_state == "STOPPED")
        assert "Cannot access stream" in await bench.reason()
        bench.api.refused.clear()
        bench.api.put(1)
        assert await bench.start() == "RUNNING"
        await until(lambda: bench.metrics.executions_succeeded == 2)
        assert bench.tried == [[0], [1]]

    run_streams(scenario)


def test_a_stream_that_disappears_stops_the_pipe() -> None:
    async def scenario(bench: StreamBench) -> None:
        await bench.pipe()
        gone = AwsError("ResourceNotFoundException", "Stream orders not found.")
        bench.api.refused = {"GetRecords": gone, "GetShardIterator": gone, "ListShards": gone}
        await until(lambda: bench.service.pipes()[0].current_state == "STOPPED")
        assert "Stream orders not found." in await bench.reason()

    run_streams(scenario)


@pytest.mark.parametrize("stage", ["target", "enrichment"])
def test_a_denied_invoke_stops_the_pipe_and_costs_no_try(stage: str) -> None:
    async def scenario(bench: StreamBench) -> None:
        bench.api.put(0)
        bench.api.refused["Invoke"] = DENIED
        enrichment = {"Enrichment": ENRICHER} if stage == "enrichment" else {}
        await bench.pipe(MaximumRetryAttempts=0, DeadLetterConfig={"Arn": DEAD}, with_=enrichment)
        await until(lambda: bench.service.pipes()[0].current_state == "STOPPED")
        reason = f"Pipes does not have required permissions to invoke the {stage}: not authorized"
        assert await bench.reason() == reason
        bench.api.refused.clear()
        bench.answers(lambda payload: payload, ENRICHER)
        await bench.start()
        await until(lambda: bench.metrics.executions_succeeded == 1)
        assert bench.tried[-1] == [0]
        assert bench.dead() == []

    run_streams(scenario)


def test_a_dead_letter_queue_that_shuts_out_the_role_stops_the_pipe_before_the_next_loss() -> None:
    async def scenario(bench: StreamBench) -> None:
        bench.api.put(0, 1)
        bench.answers(lambda payload: failing(*payload))
        bench.api.refused["SendMessage"] = DENIED
        await bench.pipe(BatchSize=1, MaximumRetryAttempts=0, DeadLetterConfig={"Arn": DEAD})
        await until(lambda: bench.service.pipes()[0].current_state == "STOPPED")
        assert f"sending message to SQS queue: {DEAD}" in await bench.reason()
        assert bench.metrics.events_dropped == 1
        bench.api.refused.clear()
        await bench.start()
        await until(lambda: bench.metrics.events_dead_lettered == 1)
        assert bench.tried == [[0], [1]]

    run_streams(scenario)
