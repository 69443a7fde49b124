"""The API's operations: results, errors, batches and long polling."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from botocore.session import get_session
from sqs_support import ACCOUNT, Client, Clock, arn, redrive, run, until

from durable_sandbox.aws.call import method_name
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.services.sqs.service import QueueSummary


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(clock: Clock) -> Client:
    return Client(clock)


def code(client: Client, operation: str, **params: Any) -> str:
    with pytest.raises(AwsError) as refused:
        client.call(operation, **params)
    return refused.value.code


def test_every_operation_of_the_model_is_there(client: Client) -> None:
    operations = get_session().get_service_model("sqs").operation_names
    assert [name for name in operations if not hasattr(client.service, method_name(name))] == []


def test_send_receive_delete(client: Client, clock: Clock) -> None:
    url = client.create("q")
    sent = client.call("SendMessage", QueueUrl=url, MessageBody="hello", MessageGroupId="tenant")
    assert sent["MD5OfMessageBody"] == "5d41402abc4b2a76b9719d911017c592"
    clock.tick(2)
    (held,) = client.receive(url, MessageSystemAttributeNames=["All"])
    assert (held["MessageId"], held["Body"], held["MD5OfBody"]) == (
        sent["MessageId"],
        "hello",
        sent["MD5OfMessageBody"],
    )
    assert held["Attributes"] == {
        "SenderId": ACCOUNT,
        "SentTimestamp": "1700000000000",
        "ApproximateReceiveCount": "1",
        "ApproximateFirstReceiveTimestamp": "1700000002000",
        "MessageGroupId": "tenant",
    }
    counts = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    assert client.attributes(url, *counts) == dict(zip(counts, ("0", "1"), strict=True))
    assert client.service.queues() == [QueueSummary("us-east-1", "q", 0, 1, 0)]
    client.call("DeleteMessage", QueueUrl=url, ReceiptHandle=held["ReceiptHandle"])
    client.call("DeleteMessage", QueueUrl=url, ReceiptHandle=held["ReceiptHandle"])
    assert code(client, "DeleteMessage", QueueUrl=url, ReceiptHandle="garbage") == "ReceiptHandleIsInvalid"
    clock.tick(60)
    assert client.receive(url) == []


def test_unknown_queues(client: Client) -> None:
    client.create("q")
    for url in ("http://127.0.0.1:1/123456789012/other", "http://127.0.0.1:1/999999999999/q", "nonsense"):
        assert code(client, "SendMessage", QueueUrl=url, MessageBody="x") == "QueueDoesNotExist"
    assert code(client, "GetQueueUrl", QueueName="other") == "QueueDoesNotExist"
    assert code(client, "GetQueueUrl", QueueName="q", region="eu-west-1") == "QueueDoesNotExist"
    assert client.call("GetQueueUrl", QueueName="q")["QueueUrl"] == "http://127.0.0.1:1/123456789012/q"
    client.call("GetQueueAttributes", QueueUrl="http://localhost:9/123456789012/q")


@pytest.mark.parametrize(
    "params",
    [
        {"MaxNumberOfMessages": 0},
        {"MaxNumberOfMessages": 11},
        {"WaitTimeSeconds": 21},
        {"VisibilityTimeout": 43_201},
        {"VisibilityTimeout": -1},
    ],
)
def test_receive_ranges(client: Client, params: dict[str, int]) -> None:
    assert code(client, "ReceiveMessage", QueueUrl=client.create("q"), **params) == "InvalidParameterValue"


def test_message_size(client: Client) -> None:
    url = client.create("q", {"MaximumMessageSize": "1024"})
    client.call("SendMessage", QueueUrl=url, MessageBody="x" * 1024)
    with pytest.raises(AwsError, match="Message must be shorter than 1024 bytes") as refused:
        client.call("SendMessage", QueueUrl=url, MessageBody="é" * 513)
    assert refused.value.code == "InvalidParameterValue"


def entries(number: int, **more: Any) -> list[dict[str, Any]]:
    return [{"Id": f"e{n}", "MessageBody": f"body {n}", **more} for n in range(number)]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], "EmptyBatchRequest"),
        (entries(11), "TooManyEntriesInBatchRequest"),
        ([*entries(2), *entries(1)], "BatchEntryIdsNotDistinct"),
        ([{"Id": "invalid:id", "MessageBody": "x"}], "InvalidBatchEntryId"),
        ([{"Id": "", "MessageBody": "x"}], "InvalidBatchEntryId"),
        ([{"Id": "1", "MessageBody": "x" * 524_289}, {"Id": "2", "MessageBody": "x" * 524_288}], "BatchRequestTooLong"),
    ],
)
def test_refused_batches(client: Client, given: list[dict[str, Any]], expected: str) -> None:
    url = client.create("q")
    assert code(client, "SendMessageBatch", QueueUrl=url, Entries=given) == expected
    assert client.receive(url) == []


def test_an_entry_fails_alone(client: Client) -> None:
    url = client.create("q")
    result = client.call("SendMessageBatch", QueueUrl=url, Entries=[*entries(2), {"Id": "bad", "MessageBody": "\x00"}])
    assert [entry["Id"] for entry in result["Successful"]] == ["e0", "e1"]
    assert [(e["Id"], e["SenderFault"], e["Code"]) for e in result["Failed"]] == [
        ("bad", True, "InvalidMessageContents")
    ]
    first, second = client.receive(url, MaxNumberOfMessages=10, VisibilityTimeout=5)
    changes = [
        {"Id": "1", "ReceiptHandle": first["ReceiptHandle"], "VisibilityTimeout": 0},
        {"Id": "2", "ReceiptHandle": "garbage", "VisibilityTimeout": 0},
    ]
    changed = client.call("ChangeMessageVisibilityBatch", QueueUrl=url, Entries=changes)
    assert [entry["Id"] for entry in changed["Successful"]] == ["1"]
    assert [(e["Id"], e["Code"]) for e in changed["Failed"]] == [("2", "ReceiptHandleIsInvalid")]
    again = client.call("ChangeMessageVisibilityBatch", QueueUrl=url, Entries=changes[:1])
    assert again["Failed"][0]["Code"] == "AWS.SimpleQueueService.MessageNotInflight"
    handles = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate((first, second))]
    deleted = client.call("DeleteMessageBatch", QueueUrl=url, Entries=handles)
    assert [entry["Id"] for entry in deleted["Successful"]] == ["0", "1"]
    assert client.attributes(url, "ApproximateNumberOfMessages") == {"ApproximateNumberOfMessages": "0"}


def test_fifo_over_the_api(client: Client) -> None:
    url = client.create("q.fifo", {"FifoQueue": "true"})
    assert code(client, "SendMessage", QueueUrl=url, MessageBody="x") == "MissingParameter"
    assert code(client, "SendMessageBatch", QueueUrl=url, Entries=entries(2)) == "MissingParameter"
    assert (
        code(client, "SendMessageBatch", QueueUrl=url, Entries=entries(2, MessageGroupId="g"))
        == "InvalidParameterValue"
    )
    send = {"QueueUrl": url, "MessageBody": "x", "MessageGroupId": "g", "MessageDeduplicationId": "d"}
    first, duplicate = client.call("SendMessage", **send), client.call("SendMessage", **send)
    assert (first["MessageId"], first["SequenceNumber"]) == (duplicate["MessageId"], duplicate["SequenceNumber"])
    asked = {"AttributeNames": ["All"], "ReceiveRequestAttemptId": "try"}
    (held,), (repeated,) = client.receive(url, **asked), client.receive(url, **asked)
    assert held["ReceiptHandle"] == repeated["ReceiptHandle"]
    attributes = held["Attributes"]
    assert (attributes["MessageGroupId"], attributes["MessageDeduplicationId"]) == ("g", "d")
    assert attributes["SequenceNumber"] == first["SequenceNumber"]


def test_listing_pages(client: Client) -> None:
    urls = [client.create(f"a{n}") for n in range(5)]
    client.create("b")
    assert client.call("ListQueues", QueueNamePrefix="a") == {"QueueUrls": urls}
    page = client.call("ListQueues", QueueNamePrefix="a", MaxResults=3)
    rest = client.call("ListQueues", QueueNamePrefix="a", MaxResults=3, NextToken=page["NextToken"])
    assert page["QueueUrls"] + rest["QueueUrls"] == urls
    assert "NextToken" not in rest
    assert client.call("ListQueues", region="eu-west-1")["QueueUrls"] == []
    assert code(client, "ListQueues", NextToken="%") == "InvalidParameterValue"


def test_dead_letter_sources(client: Client) -> None:
    dlq = client.create("dlq")
    policy = redrive("dlq", 1)
    urls = [client.create(f"source{n}", {"RedrivePolicy": policy}) for n in range(2)]
    assert client.call("ListDeadLetterSourceQueues", QueueUrl=dlq) == {"queueUrls": urls}


def test_tags(client: Client) -> None:
    url = client.call("CreateQueue", QueueName="q", tags={"a": "1"})["QueueUrl"]
    client.call("TagQueue", QueueUrl=url, Tags={"b": "2", "a": "3"})
    assert client.call("ListQueueTags", QueueUrl=url) == {"Tags": {"a": "3", "b": "2"}}
    client.call("UntagQueue", QueueUrl=url, TagKeys=["a", "b", "c"])
    assert client.call("ListQueueTags", QueueUrl=url) == {}


def test_permissions_edit_the_policy(client: Client) -> None:
    url = client.create("q")
    add = {"QueueUrl": url, "Label": "one", "AWSAccountIds": ["111111111111", "222222222222"]}
    client.call("AddPermission", Actions=["ReceiveMessage"], **add)
    policy = client.attributes(url, "Policy")["Policy"]
    assert '"AWS":["arn:aws:iam::111111111111:root","arn:aws:iam::222222222222:root"]' in policy
    assert '"Action":"SQS:ReceiveMessage"' in policy
    assert code(client, "AddPermission", Actions=["ReceiveMessage"], **add) == "InvalidParameterValue"
    assert code(client, "AddPermission", Actions=["DeleteQueue"], **{**add, "Label": "x"}) == "InvalidParameterValue"
    assert code(client, "AddPermission", Actions=["*"] * 8, **{**add, "Label": "x"}) == "OverLimit"
    client.call("RemovePermission", QueueUrl=url, Label="one")
    assert client.attributes(url, "Policy") == {}
    assert code(client, "RemovePermission", QueueUrl=url, Label="one") == "InvalidParameterValue"


def test_purge_at_most_once_a_minute(client: Client, clock: Clock) -> None:
    url = client.create("q")
    client.call("SendMessageBatch", QueueUrl=url, Entries=entries(3))
    client.call("PurgeQueue", QueueUrl=url)
    assert client.receive(url) == []
    assert code(client, "PurgeQueue", QueueUrl=url) == "PurgeQueueInProgress"
    clock.tick(60)
    client.call("PurgeQueue", QueueUrl=url)


def test_a_recreated_queue_refuses_the_old_ones_handles(client: Client) -> None:
    url = client.create("q")
    client.call("SendMessage", QueueUrl=url, MessageBody="x")
    handle = client.receive(url)[0]["ReceiptHandle"]
    client.call("DeleteQueue", QueueUrl=url)
    assert code(client, "ReceiveMessage", QueueUrl=url) == "QueueDoesNotExist"
    client.create("q")
    assert code(client, "DeleteMessage", QueueUrl=url, ReceiptHandle=handle) == "ReceiptHandleIsInvalid"


# Long polling, on the real clock. A waiting receiver is one that has registered with the queue.


async def prepared(attributes: dict[str, str] | None = None, name: str = "q") -> tuple[Client, str]:
    client = Client()
    created = await client.acall("CreateQueue", QueueName=name, Attributes=attributes or {})
    return client, str(created["QueueUrl"])


async def waiting(client: Client, url: str, number: int = 1, **params: Any) -> list[asyncio.Task[dict[str, Any]]]:
    asked = {"QueueUrl": url, "WaitTimeSeconds": 20, **params}
    tasks = [asyncio.create_task(client.acall("ReceiveMessage", **asked)) for _ in range(number)]
    queue = client.service._store.at("us-east-1", url)
    await until(lambda: len(queue.waiters._futures) == number)
    return tasks


def test_a_send_wakes_one_waiting_receiver() -> None:
    async def scenario() -> None:
        client, url = await prepared()
        first, second = await waiting(client, url, 2)
        await client.acall("SendMessage", QueueUrl=url, MessageBody="one")
        assert (await first)["Messages"][0]["Body"] == "one"
        assert not second.done()
        await client.acall("SendMessage", QueueUrl=url, MessageBody="two")
        assert (await second)["Messages"][0]["Body"] == "two"

    run(scenario())


@pytest.mark.parametrize("hidden_by", ["delay", "visibility", "release", "attribute"])
def test_a_message_that_appears_by_itself_wakes_a_receiver(hidden_by: str) -> None:
    async def scenario() -> float:
        client, url = await prepared({"VisibilityTimeout": "1"})
        delay = {"DelaySeconds": 1} if hidden_by == "delay" else {}
        await client.acall("SendMessage", QueueUrl=url, MessageBody="x", **delay)
        if hidden_by == "delay":
            (task,) = await waiting(client, url)
        else:
            held = (await client.acall("ReceiveMessage", QueueUrl=url))["Messages"][0]["ReceiptHandle"]
            (task,) = await waiting(client, url)
            if hidden_by == "release":
                await client.acall("ChangeMessageVisibility", QueueUrl=url, ReceiptHandle=held, VisibilityTimeout=0)
            elif hidden_by == "attribute":
                await client.acall("SetQueueAttributes", QueueUrl=url, Attributes={"VisibilityTimeout": "5"})
        start = time.monotonic()
        assert (await asyncio.wait_for(task, 5))["Messages"][0]["Body"] == "x"
        return time.monotonic() - start

    took = run(scenario())
    assert took < 0.5 if hidden_by == "release" else 0.5 < took < 3


def test_deleting_a_fifo_message_wakes_a_receiver_of_its_group() -> None:
    async def scenario() -> None:
        client, url = await prepared({"FifoQueue": "true", "ContentBasedDeduplication": "true"}, "q.fifo")
        for body in ("1", "2"):
            await client.acall("SendMessage", QueueUrl=url, MessageBody=body, MessageGroupId="g")
        held = (await client.acall("ReceiveMessage", QueueUrl=url))["Messages"][0]["ReceiptHandle"]
        (task,) = await waiting(client, url)
        await client.acall("DeleteMessage", QueueUrl=url, ReceiptHandle=held)
        assert (await asyncio.wait_for(task, 5))["Messages"][0]["Body"] == "2"

    run(scenario())


def test_a_dead_letter_wakes_a_receiver_of_the_dead_letter_queue() -> None:
    async def scenario() -> None:
        client, dlq = await prepared(name="dlq")
        policy = redrive("dlq", 1)
        created = await client.acall("CreateQueue", QueueName="q", Attributes={"RedrivePolicy": policy})
        url = created["QueueUrl"]
        await client.acall("SendMessage", QueueUrl=url, MessageBody="x")
        await client.acall("ReceiveMessage", QueueUrl=url, VisibilityTimeout=0)
        (task,) = await waiting(client, dlq, AttributeNames=["All"])
        assert await client.acall("ReceiveMessage", QueueUrl=url) == {}
        (letter,) = (await asyncio.wait_for(task, 5))["Messages"]
        assert letter["Attributes"]["DeadLetterQueueSourceArn"] == arn("q")

    run(scenario())


def test_waiting_ends_empty_after_its_time_or_the_queues() -> None:
    async def scenario(attributes: dict[str, str], **params: int) -> float:
        client, url = await prepared(attributes)
        start = time.monotonic()
        assert await client.acall("ReceiveMessage", QueueUrl=url, **params) == {}
        return time.monotonic() - start

    assert 0.9 < run(scenario({}, WaitTimeSeconds=1)) < 3
    assert 0.9 < run(scenario({"ReceiveMessageWaitTimeSeconds": "1"})) < 3
    assert run(scenario({"ReceiveMessageWaitTimeSeconds": "20"}, WaitTimeSeconds=0)) < 0.5


def test_a_cancelled_receiver_takes_nothing_and_passes_its_wake_up_on() -> None:
    async def scenario() -> None:
        client, url = await prepared()
        first, second = await waiting(client, url, 2)
        await client.acall("SendMessage", QueueUrl=url, MessageBody="x")
        first.cancel()
        assert (await asyncio.wait_for(second, 5))["Messages"][0]["Body"] == "x"
        with pytest.raises(asyncio.CancelledError):
            await first

    run(scenario())


@pytest.mark.parametrize("end", ["delete", "reset"])
def test_receivers_of_a_queue_that_goes_away_fail(end: str) -> None:
    async def scenario() -> None:
        client, url = await prepared()
        (task,) = await waiting(client, url)
        if end == "delete":
            await client.acall("DeleteQueue", QueueUrl=url)
        else:
            client.service.reset()
        with pytest.raises(AwsError) as refused:
            await asyncio.wait_for(task, 5)
        assert refused.value.code == "QueueDoesNotExist"
        assert client.service.queues() == []

    run(scenario())


def test_many_waiting_receivers_get_every_message_once() -> None:
    async def scenario() -> None:
        client, url = await prepared()
        bodies: list[str] = []

        async def consume() -> None:
            while len(bodies) < 500:
                received = await client.acall("ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=3, WaitTimeSeconds=1)
                for held in received.get("Messages", []):
                    bodies.append(held["Body"])
                    await client.acall("DeleteMessage", QueueUrl=url, ReceiptHandle=held["ReceiptHandle"])

        async def produce(start: int) -> None:
            for number in range(start, start + 100):
                await client.acall("SendMessage", QueueUrl=url, MessageBody=str(number))
                await asyncio.sleep(0)

        consumers = [asyncio.create_task(consume()) for _ in range(20)]
        await asyncio.gather(*(produce(100 * n) for n in range(5)))
        await asyncio.wait_for(asyncio.gather(*consumers), 20)
        assert sorted(bodies, key=int) == [str(n) for n in range(500)]

    run(scenario())
