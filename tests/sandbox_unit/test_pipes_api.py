"""The Pipes API and the life of a pipe."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pipes_fakes import (
    ENRICHER,
    FIFO,
    FIRE_AND_FORGET,
    FUNCTION,
    QUEUE,
    REGION,
    ROLE,
    Bench,
    bodies,
    run,
    source,
    until,
)

from durable_sandbox.aws.errors import AwsError


def test_stop_finishes_the_batches_in_flight_and_leaves_the_rest() -> None:
    async def scenario(bench: Bench) -> None:
        release = asyncio.Event()

        async def slow(_: Any) -> None:
            await release.wait()

        bench.api.functions[FUNCTION] = slow
        bench.queue.put("first")
        await bench.create()
        await until(lambda: len(bench.api.invokes) == 1)
        assert (await bench.do("StopPipe", Name="p"))["CurrentState"] == "STOPPING"
        await asyncio.sleep(0)
        assert await bench.state() == "STOPPING"
        later = bench.queue.put("later")
        release.set()
        assert await bench.state_not("STOPPING") == "STOPPED"
        assert set(bench.queue.messages) == {later}
        assert later not in bench.queue.hidden_until
        await bench.do("StartPipe", Name="p")
        await until(lambda: not bench.queue.messages)

    run(scenario)


def test_messages_gathered_in_a_window_are_delivered_when_the_pipe_stops() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.create(SourceParameters=source(5, 300))
        bench.queue.put("x")
        await until(lambda: bool(bench.queue.hidden_until))
        await bench.do("StopPipe", Name="p")
        assert await bench.state_not("STOPPING") == "STOPPED"
        assert bench.queue.messages == {}
        assert len(bench.api.invokes) == 1

    run(scenario)


def test_update_changes_the_running_poller_without_losing_anything() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.create(TargetParameters=FIRE_AND_FORGET)
        for n in range(50):
            bench.queue.put(str(n))
        answer = await bench.do("UpdatePipe", Name="p", RoleArn=ROLE, SourceParameters=source(2))
        assert answer["CurrentState"] == "UPDATING"
        assert await bench.state_not("UPDATING") == "RUNNING"
        await until(lambda: not bench.queue.messages)
        bench.queue.put("after")
        await until(lambda: not bench.queue.messages)
        delivered = [body for payload in bench.api.payloads() for body in bodies(payload)]
        assert sorted(delivered) == sorted([*map(str, range(50)), "after"])

    run(scenario)


def test_delete_ends_the_pipe_and_its_polling() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.create()
        answer = await bench.do("DeletePipe", Name="p")
        assert (answer["CurrentState"], answer["DesiredState"]) == ("DELETING", "DELETED")
        with pytest.raises(AwsError, match="Pipe p does not exist"):
            await bench.state_not("DELETING")
        kept = bench.queue.put("x")
        await asyncio.sleep(0.02)
        assert set(bench.queue.messages) == {kept}
        assert bench.api.invokes == []
        assert bench.service.pipes() == []

    run(scenario)


def test_reset_removes_pipes_at_once_even_while_a_function_runs() -> None:
    async def scenario(bench: Bench) -> None:
        async def forever(_: Any) -> None:
            await asyncio.Event().wait()

        bench.api.functions[FUNCTION] = forever
        bench.queue.put("x")
        await bench.create()
        await until(lambda: len(bench.api.invokes) == 1)
        await bench.service.reset()
        assert bench.service.pipes() == []
        assert len(bench.queue.messages) == 1

    run(scenario)


def test_create_is_asynchronous_and_describe_echoes_defaults() -> None:
    async def scenario(bench: Bench) -> None:
        params = {"Name": "p", "Source": QUEUE, "Target": FUNCTION, "RoleArn": ROLE, "Tags": {"k": "v"}}
        created = await bench.do("CreatePipe", **params)
        assert (created["CurrentState"], created["DesiredState"]) == ("CREATING", "RUNNING")
        assert created["Arn"] == f"arn:aws:pipes:{REGION}:123456789012:pipe/p"
        with pytest.raises(AwsError) as busy:
            await bench.do("UpdatePipe", Name="p", RoleArn=ROLE)
        assert busy.value.code == "ConflictException"
        assert await bench.state_not("CREATING") == "RUNNING"
        described = dict(await bench.do("DescribePipe", Name="p"))
        assert described.pop("CreationTime").tzinfo is not None
        assert described.pop("LastModifiedTime") == created["LastModifiedTime"]
        assert described == {
            "Arn": created["Arn"],
            "Name": "p",
            "DesiredState": "RUNNING",
            "CurrentState": "RUNNING",
            "Source": QUEUE,
            "SourceParameters": {"SqsQueueParameters": {"BatchSize": 10, "MaximumBatchingWindowInSeconds": 0}},
            "Target": FUNCTION,
            "RoleArn": ROLE,
            "Tags": {"k": "v"},
        }
        with pytest.raises(AwsError) as twice:
            await bench.do("CreatePipe", **params)
        assert twice.value.code == "ConflictException"
        assert twice.value.members == {"resourceId": "p", "resourceType": "Pipe"}

    run(scenario)


def test_a_pipe_created_stopped_does_not_poll() -> None:
    async def scenario(bench: Bench) -> None:
        bench.queue.put("x")
        await bench.create(DesiredState="STOPPED")
        assert await bench.state() == "STOPPED"
        assert bench.queue.receives == 0
        await bench.do("UpdatePipe", Name="p", RoleArn=ROLE, DesiredState="RUNNING")
        await until(lambda: not bench.queue.messages)

    run(scenario)


def test_update_merges_members_and_replaces_service_objects() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.create(
            Description="one",
            Enrichment=ENRICHER,
            SourceParameters=source(5, 7, {"body": {"a": ["x"]}}),
            TargetParameters={**FIRE_AND_FORGET, "InputTemplate": '{"a": 1}'},
            DesiredState="STOPPED",
        )

        async def update(**params: Any) -> dict[str, Any]:
            await bench.do("UpdatePipe", Name="p", RoleArn=ROLE, **params)
            await bench.state_not("UPDATING")
            return dict(await bench.do("DescribePipe", Name="p"))

        described = await update(SourceParameters={"SqsQueueParameters": {"BatchSize": 3}})
        queue = described["SourceParameters"]["SqsQueueParameters"]
        assert queue == {"BatchSize": 3, "MaximumBatchingWindowInSeconds": 0}
        assert len(described["SourceParameters"]["FilterCriteria"]["Filters"]) == 1
        assert described["Description"] == "one"
        assert described["TargetParameters"] == {**FIRE_AND_FORGET, "InputTemplate": '{"a": 1}'}
        assert described["DesiredState"] == "STOPPED"

        described = await update(
            TargetParameters={"LambdaFunctionParameters": {}, "InputTemplate": ""},
            SourceParameters={"FilterCriteria": {"Filters": []}},
            Enrichment="",
        )
        assert described["TargetParameters"] == {"LambdaFunctionParameters": {}}
        assert described["SourceParameters"] == {"SqsQueueParameters": queue}
        assert "Enrichment" not in described

    run(scenario)


@pytest.mark.parametrize(
    ("params", "member", "text"),
    [
        ({"Name": "x" * 65}, "Name", "maximum allowed: 64"),
        ({"Name": "a b"}, "Name", "does not match"),
        ({"Source": None}, "Source", "required"),
        ({"RoleArn": "role"}, "RoleArn", "does not match"),
        ({"SourceParameters": source(0)}, "SourceParameters.SqsQueueParameters.BatchSize", "minimum: 1, found: 0"),
        ({"SourceParameters": source(10_001)}, "SourceParameters.SqsQueueParameters.BatchSize", "maximum: 10000"),
        (
            {"SourceParameters": source(1, 301)},
            "SourceParameters.SqsQueueParameters.MaximumBatchingWindowInSeconds",
            "maximum: 300",
        ),
        (
            {"SourceParameters": source(1, 0, *[{"body": ["x"]}] * 6)},
            "SourceParameters.FilterCriteria.Filters",
            "at most 5",
        ),
        (
            {"SourceParameters": source(1, 0, {"body": ["x" * 4096]})},
            "SourceParameters.FilterCriteria.Filters[0].Pattern",
            "maximum allowed: 4096",
        ),
        (
            {"SourceParameters": source(1, 0, {"body": ["x"]}, {"body": "x"})},
            "SourceParameters.FilterCriteria.Filters[1].Pattern",
            "Invalid filter pattern definition.",
        ),
        (
            {"SourceParameters": source(1, 0, {"awsRegion": ["x"]})},
            "SourceParameters.FilterCriteria.Filters[0].Pattern",
            "awsRegion",
        ),
        (
            {"SourceParameters": {"KinesisStreamParameters": {"StartingPosition": "LATEST"}}},
            "SourceParameters.KinesisStreamParameters",
            "does not belong",
        ),
        (
            {"TargetParameters": {"InputTemplate": "x" * 8193}},
            "TargetParameters.InputTemplate",
            "maximum allowed: 8192",
        ),
        ({"TargetParameters": {"InputTemplate": "<aws.pipes.no>"}}, "TargetParameters.InputTemplate", "aws.pipes.no"),
        (
            {"TargetParameters": {"LambdaFunctionParameters": {"InvocationType": "MAYBE"}}},
            "TargetParameters.LambdaFunctionParameters.InvocationType",
            "not found in enum",
        ),
        ({"DesiredState": "PAUSED"}, "DesiredState", "not found in enum"),
        ({"Source": QUEUE.replace("sqs", "kinesis")}, "Source", "SQS queues, Kinesis streams"),
        ({"Target": QUEUE.replace("sqs", "sns")}, "Target", "Lambda functions and SQS queues only"),
        ({"Target": FIFO}, "TargetParameters.SqsQueueParameters.MessageGroupId", "FIFO"),
        ({"Enrichment": QUEUE}, "Enrichment", "Lambda functions only"),
        ({"LogConfiguration": {}}, "LogConfiguration.Level", "required"),
        (
            {"LogConfiguration": {"Level": "INFO", "S3LogDestination": {"BucketName": "bbb", "BucketOwner": "1" * 12}}},
            "LogConfiguration.S3LogDestination",
            "CloudWatch Logs only",
        ),
        ({"Tags": {f"k{n}": "v" for n in range(51)}}, "Tags", "at most 50"),
    ],
)
def test_bad_requests_name_the_member(params: dict[str, Any], member: str, text: str) -> None:
    async def scenario(bench: Bench) -> None:
        with pytest.raises(AwsError) as raised:
            await bench.create(**params)
        assert raised.value.code == "ValidationException"
        assert text in raised.value.message
        assert [field["name"] for field in raised.value.members["fieldList"]] == [member]
        assert bench.service.pipes() == []

    run(scenario)


def test_a_bad_update_changes_nothing() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.create()
        before = await bench.do("DescribePipe", Name="p")
        with pytest.raises(AwsError, match="SQS queues only"):
            await bench.do("UpdatePipe", Name="p", RoleArn=ROLE, Target="arn:aws:states:us-east-1:123456789012:x:y")
        assert await bench.do("DescribePipe", Name="p") == before

    run(scenario)


@pytest.mark.parametrize("operation", ["DescribePipe", "UpdatePipe", "DeletePipe", "StartPipe", "StopPipe"])
def test_a_pipe_that_does_not_exist(operation: str) -> None:
    async def scenario(bench: Bench) -> None:
        with pytest.raises(AwsError, match="Pipe no does not exist") as raised:
            await bench.do(operation, Name="no", **({"RoleArn": ROLE} if operation == "UpdatePipe" else {}))
        assert raised.value.code == "NotFoundException"

    run(scenario)


def test_list_filters_and_pages() -> None:
    async def scenario(bench: Bench) -> None:
        for name in ("b", "a", "c"):
            await bench.do("CreatePipe", Name=name, Source=QUEUE, Target=FUNCTION, RoleArn=ROLE, DesiredState="STOPPED")
        first = await bench.do("ListPipes", Limit=2)
        assert [pipe["Name"] for pipe in first["Pipes"]] == ["a", "b"]
        rest = await bench.do("ListPipes", Limit=2, NextToken=first["NextToken"])
        assert [pipe["Name"] for pipe in rest["Pipes"]] == ["c"]
        assert "NextToken" not in rest
        assert [p["Name"] for p in (await bench.do("ListPipes", NamePrefix="c"))["Pipes"]] == ["c"]
        assert (await bench.do("ListPipes", TargetPrefix=QUEUE))["Pipes"] == []
        assert (await bench.do("ListPipes", DesiredState="RUNNING"))["Pipes"] == []

    run(scenario)


def test_tags() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.create(Tags={"a": "1"})
        arn = (await bench.do("DescribePipe", Name="p"))["Arn"]
        await bench.do("TagResource", resourceArn=arn, tags={"b": "2", "a": "3"})
        assert await bench.do("ListTagsForResource", resourceArn=arn) == {"tags": {"a": "3", "b": "2"}}
        await bench.do("UntagResource", resourceArn=arn, tagKeys=["a"])
        assert await bench.do("ListTagsForResource", resourceArn=arn) == {"tags": {"b": "2"}}
        with pytest.raises(AwsError) as raised:
            await bench.do("ListTagsForResource", resourceArn=arn + "x")
        assert raised.value.code == "NotFoundException"

    run(scenario)
