"""Message move tasks: back to the sources, to another queue, limited, cancelled, failed."""

from __future__ import annotations

from typing import Any

import pytest
from sqs_support import Client, arn, redrive, run, until

from durable_sandbox.aws.errors import AwsError


class Scene:
    """Two sources with one dead-letter queue."""

    def __init__(self, suffix: str = "") -> None:
        self.client = Client()
        self.suffix = suffix

    def arn(self, name: str) -> str:
        return arn(name + self.suffix)

    def url(self, name: str) -> str:
        return self.client.service._store.named("us-east-1", name + self.suffix).url

    async def call(self, operation: str, **params: Any) -> dict[str, Any]:
        return await self.client.acall(operation, **params)

    async def prepare(self, dead: int = 3) -> None:
        fifo = {"FifoQueue": "true", "ContentBasedDeduplication": "true"} if self.suffix else {}
        for name in ("dlq", "one", "two", "elsewhere"):
            policy = {"RedrivePolicy": redrive("dlq" + self.suffix)} if name in ("one", "two") else {}
            await self.call("CreateQueue", QueueName=name + self.suffix, Attributes={**fifo, **policy})
        group = {"MessageGroupId": "g"} if self.suffix else {}
        for source in ("one", "two"):
            for number in range(dead):
                await self.call("SendMessage", QueueUrl=self.url(source), MessageBody=f"{source}-{number}", **group)
            for _ in range(dead + 1):
                await self.call(
                    "ReceiveMessage", QueueUrl=self.url(source), MaxNumberOfMessages=10, VisibilityTimeout=0
                )
        assert self.visible("dlq") == 2 * dead

    def visible(self, name: str) -> int:
        return self.client.service._store.named("us-east-1", name + self.suffix).messages.visible

    async def task(self) -> dict[str, Any]:
        return dict((await self.call("ListMessageMoveTasks", SourceArn=self.arn("dlq")))["Results"][0])

    async def finished(self) -> dict[str, Any]:
        tasks = self.client.service._moves
        await until(lambda: not tasks._running)
        return await self.task()

    async def refused(self, operation: str, **params: Any) -> tuple[str, str]:
        with pytest.raises(AwsError) as refused:
            await self.call(operation, **params)
        return refused.value.code, refused.value.message


@pytest.mark.parametrize("suffix", ["", ".fifo"])
def test_messages_return_to_their_own_sources_as_new_ones(suffix: str) -> None:
    async def scenario() -> None:
        scene = Scene(suffix)
        await scene.prepare()
        await scene.call("StartMessageMoveTask", SourceArn=scene.arn("dlq"))
        ended = await scene.finished()
        assert ended.pop("StartedTimestamp") > 1_600_000_000_000
        assert ended == {
            "Status": "COMPLETED",
            "SourceArn": scene.arn("dlq"),
            "ApproximateNumberOfMessagesMoved": 6,
            "ApproximateNumberOfMessagesToMove": 6,
        }
        received = await scene.call(
            "ReceiveMessage", QueueUrl=scene.url("one"), MaxNumberOfMessages=10, AttributeNames=["All"]
        )
        assert [m["Body"] for m in received["Messages"]] == ["one-0", "one-1", "one-2"]
        attributes = received["Messages"][0]["Attributes"]
        assert attributes["ApproximateReceiveCount"] == "1"
        assert "DeadLetterQueueSourceArn" not in attributes
        assert (scene.visible("two"), scene.visible("dlq")) == (3, 0)

    run(scenario())


def test_a_destination_takes_all() -> None:
    async def scenario() -> None:
        scene = Scene()
        await scene.prepare()
        await scene.call("StartMessageMoveTask", SourceArn=scene.arn("dlq"), DestinationArn=scene.arn("elsewhere"))
        assert (await scene.finished())["DestinationArn"] == scene.arn("elsewhere")
        assert (scene.visible("elsewhere"), scene.visible("one")) == (6, 0)

    run(scenario())


def test_one_task_at_a_time_that_can_be_cancelled() -> None:
    async def scenario() -> None:
        scene = Scene()
        await scene.prepare()
        start = {"SourceArn": scene.arn("dlq"), "MaxNumberOfMessagesPerSecond": 20}
        handle = (await scene.call("StartMessageMoveTask", **start))["TaskHandle"]
        assert (await scene.task())["TaskHandle"] == handle
        assert (await scene.refused("StartMessageMoveTask", **start))[1].startswith("There is already a task running.")
        await until(lambda: scene.visible("dlq") < 6)
        cancelled = await scene.call("CancelMessageMoveTask", TaskHandle=handle)
        ended = await scene.finished()
        assert ended["Status"] == "CANCELLED"
        assert "TaskHandle" not in ended
        assert 1 <= cancelled["ApproximateNumberOfMessagesMoved"] == ended["ApproximateNumberOfMessagesMoved"] < 6
        moved = scene.visible("one") + scene.visible("two")
        assert moved + scene.visible("dlq") == 6
        assert moved == ended["ApproximateNumberOfMessagesMoved"]
        assert (await scene.refused("CancelMessageMoveTask", TaskHandle=handle))[0] == "ResourceNotFoundException"

    run(scenario())


@pytest.mark.parametrize(("gone", "reason"), [("one", "AWS.SimpleQueueService.NonExistentQueue")])
def test_a_task_without_destination_fails_and_loses_nothing(gone: str, reason: str) -> None:
    async def scenario() -> None:
        scene = Scene()
        await scene.prepare()
        await scene.call("DeleteQueue", QueueUrl=scene.url(gone))
        await scene.call("StartMessageMoveTask", SourceArn=scene.arn("dlq"))
        ended = await scene.finished()
        assert (ended["Status"], ended["FailureReason"]) == ("FAILED", reason)
        assert scene.visible("dlq") + scene.visible("two") == 6

    run(scenario())


def test_a_message_sent_straight_to_the_dead_letter_queue_has_no_source() -> None:
    async def scenario() -> None:
        scene = Scene()
        await scene.prepare(dead=0)
        await scene.call("SendMessage", QueueUrl=scene.url("dlq"), MessageBody="direct")
        await scene.call("StartMessageMoveTask", SourceArn=scene.arn("dlq"))
        ended = await scene.finished()
        assert (ended["Status"], ended["FailureReason"]) == ("FAILED", "CouldNotDetermineMessageSource")
        assert scene.visible("dlq") == 1

    run(scenario())


def test_refused_tasks() -> None:
    async def scenario() -> None:
        scene = Scene()
        await scene.prepare(dead=1)
        start, dlq = "StartMessageMoveTask", scene.arn("dlq")
        assert await scene.refused(start, SourceArn=scene.arn("missing")) == (
            "ResourceNotFoundException",
            "The resource that you specified for the SourceArn parameter doesn't exist.",
        )
        assert await scene.refused(start, SourceArn=dlq, DestinationArn=scene.arn("missing")) == (
            "ResourceNotFoundException",
            "The resource that you specified for the DestinationArn parameter doesn't exist.",
        )
        assert await scene.refused(start, SourceArn=scene.arn("elsewhere")) == (
            "InvalidParameterValue",
            "Source queue must be configured as a Dead Letter Queue.",
        )
        for rate in (0, 501):
            refused = await scene.refused(start, SourceArn=dlq, MaxNumberOfMessagesPerSecond=rate)
            assert refused[0] == "InvalidParameterValue"
        assert await scene.refused("CancelMessageMoveTask", TaskHandle="foobar") == (
            "InvalidParameterValue",
            "Value for parameter TaskHandle is invalid.",
        )
        assert scene.visible("dlq") == 2

    run(scenario())
