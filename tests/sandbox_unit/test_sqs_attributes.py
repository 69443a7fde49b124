"""Queue attributes: exact text, ranges, removal, defaults, redrive permissions."""

from __future__ import annotations

import json

import pytest
from sqs_support import Client, Clock, arn, redrive

from durable_sandbox.aws.errors import AwsError

WIDE = '{ "deadLetterTargetArn" : "%s",\n  "maxReceiveCount" : 5 }'


@pytest.fixture
def client() -> Client:
    return Client(Clock())


def refusal(client: Client, name: str, attributes: dict[str, str]) -> AwsError:
    with pytest.raises(AwsError) as refused:
        client.create(name, attributes)
    return refused.value


def test_defaults(client: Client) -> None:
    assert client.attributes(client.create("q")) == {
        "QueueArn": arn("q"),
        "ApproximateNumberOfMessages": "0",
        "ApproximateNumberOfMessagesNotVisible": "0",
        "ApproximateNumberOfMessagesDelayed": "0",
        "CreatedTimestamp": "1700000000",
        "LastModifiedTimestamp": "1700000000",
        "VisibilityTimeout": "30",
        "MaximumMessageSize": "1048576",
        "MessageRetentionPeriod": "345600",
        "DelaySeconds": "0",
        "ReceiveMessageWaitTimeSeconds": "0",
        "SqsManagedSseEnabled": "true",
    }
    fifo = client.attributes(client.create("q.fifo", {"FifoQueue": "true"}))
    assert {fifo[n] for n in ("FifoQueue", "DeduplicationScope", "FifoThroughputLimit")} == {
        "true",
        "queue",
        "perQueue",
    }
    assert fifo["ContentBasedDeduplication"] == "false"


def test_json_attributes_come_back_as_the_text_that_was_sent(client: Client) -> None:
    allow = f'{{"sourceQueueArns":  ["{arn("q")}"], "redrivePermission" : "byQueue"}}'
    policy = '{\n "Statement": [],   "Version":"2012-10-17"}'
    dlq = client.create("dlq", {"RedriveAllowPolicy": allow, "Policy": policy})
    redrive = WIDE % arn("dlq")
    url = client.create("q", {"RedrivePolicy": redrive})
    assert client.attributes(dlq, "RedriveAllowPolicy", "Policy") == {"RedriveAllowPolicy": allow, "Policy": policy}
    assert client.attributes(url, "RedrivePolicy") == {"RedrivePolicy": redrive}


def test_empty_text_removes_an_optional_attribute(client: Client) -> None:
    client.create("dlq")
    url = client.create("q", {"RedrivePolicy": WIDE % arn("dlq"), "Policy": "{}", "KmsMasterKeyId": "alias/k"})
    client.call(
        "SetQueueAttributes", QueueUrl=url, Attributes={"RedrivePolicy": "", "Policy": "", "KmsMasterKeyId": ""}
    )
    assert not {"RedrivePolicy", "Policy", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds"} & set(
        client.attributes(url)
    )
    with pytest.raises(AwsError, match="Invalid value for the parameter VisibilityTimeout"):
        client.call("SetQueueAttributes", QueueUrl=url, Attributes={"VisibilityTimeout": ""})


def test_encryption_is_one_kind_at_a_time(client: Client) -> None:
    url = client.create("q", {"KmsMasterKeyId": "testKeyId", "KmsDataKeyReusePeriodSeconds": "6000"})
    names = ("KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled")
    assert client.attributes(url, *names) == dict(zip(names, ("testKeyId", "6000", "false"), strict=True))
    client.call("SetQueueAttributes", QueueUrl=url, Attributes={"SqsManagedSseEnabled": "true"})
    assert client.attributes(url, *names) == {"SqsManagedSseEnabled": "true"}
    both = refusal(client, "q2", {"KmsMasterKeyId": "k", "SqsManagedSseEnabled": "true"})
    assert (both.code, "one type of server-side encryption" in both.message) == ("InvalidAttributeName", True)


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ({"VisibilityTimeout": "43201"}, "InvalidAttributeValue"),
        ({"VisibilityTimeout": "-1"}, "InvalidAttributeValue"),
        ({"DelaySeconds": "901"}, "InvalidAttributeValue"),
        ({"MaximumMessageSize": "1023"}, "InvalidAttributeValue"),
        ({"MaximumMessageSize": "1048577"}, "InvalidAttributeValue"),
        ({"MessageRetentionPeriod": "59"}, "InvalidAttributeValue"),
        ({"ReceiveMessageWaitTimeSeconds": "21"}, "InvalidAttributeValue"),
        ({"SqsManagedSseEnabled": "yes"}, "InvalidAttributeValue"),
        ({"Policy": "no json"}, "InvalidAttributeValue"),
        ({"ContentBasedDeduplication": "true"}, "InvalidAttributeName"),
        ({"QueueArn": "x"}, "InvalidAttributeName"),
        ({"Nonsense": "x"}, "InvalidAttributeName"),
        ({"RedrivePolicy": "no json"}, "InvalidParameterValue"),
        ({"RedrivePolicy": "{}"}, "InvalidParameterValue"),
        ({"RedrivePolicy": '{"deadLetterTargetArn":"dummy","maxReceiveCount":42}'}, "InvalidParameterValue"),
        (
            {"RedrivePolicy": redrive("missing", 3)},
            "InvalidParameterValue",
        ),
        (
            {"RedrivePolicy": redrive("dlq", 1001)},
            "InvalidParameterValue",
        ),
        (
            {"RedrivePolicy": redrive("dlq.fifo", 3)},
            "InvalidParameterValue",
        ),
        (
            {"RedrivePolicy": redrive("denies", 3)},
            "InvalidParameterValue",
        ),
        ({"RedrivePolicy": redrive("by", 3)}, "InvalidParameterValue"),
        ({"RedriveAllowPolicy": '{"redrivePermission":"some"}'}, "InvalidParameterValue"),
        ({"RedriveAllowPolicy": '{"redrivePermission":"byQueue"}'}, "InvalidParameterValue"),
    ],
)
def test_refused_attributes(client: Client, attributes: dict[str, str], code: str) -> None:
    client.create("dlq")
    client.create("dlq.fifo", {"FifoQueue": "true"})
    client.create("denies", {"RedriveAllowPolicy": '{"redrivePermission":"denyAll"}'})
    client.create(
        "by", {"RedriveAllowPolicy": json.dumps({"redrivePermission": "byQueue", "sourceQueueArns": [arn("other")]})}
    )
    assert refusal(client, "q", attributes).code == code
    assert client.call("ListQueues", QueueNamePrefix="q")["QueueUrls"] == []


def test_redrive_count_may_be_text_or_absent(client: Client) -> None:
    client.create("dlq")
    client.create("text", {"RedrivePolicy": redrive("dlq", "7")})
    client.create("absent", {"RedrivePolicy": json.dumps({"deadLetterTargetArn": arn("dlq")})})
    found = {q.name: q.redrive.max_receives for q in client.service._store if q.redrive}
    assert found == {"text": 7, "absent": 10}


def test_high_throughput_needs_both_attributes(client: Client) -> None:
    fifo = {"FifoQueue": "true", "FifoThroughputLimit": "perMessageGroupId"}
    assert refusal(client, "q.fifo", fifo).code == "InvalidAttributeValue"
    client.create("q.fifo", {**fifo, "DeduplicationScope": "messageGroup"})


def test_names(client: Client) -> None:
    for name in ("with space", "x" * 81, "q.fifo", ""):
        assert refusal(client, name, {}).code == "InvalidParameterValue"
    for name in ("q", ".fifo", "x" * 76 + ".fifo"):
        assert refusal(client, name, {"FifoQueue": "true"}).code == "InvalidParameterValue"


def test_creating_again_needs_the_same_attributes(client: Client) -> None:
    client.create("dlq")
    first = client.create("q", {"DelaySeconds": "5", "RedrivePolicy": WIDE % arn("dlq")})
    assert client.create("q") == first
    compact = json.dumps(json.loads(WIDE % arn("dlq")))
    assert client.create("q", {"DelaySeconds": "5", "RedrivePolicy": compact}) == first
    different = refusal(client, "q", {"DelaySeconds": "6"})
    assert different.code == "QueueNameExists"
    assert different.message == (
        "A queue already exists with the same name and a different value for attribute DelaySeconds"
    )


def test_a_refused_change_changes_nothing(client: Client) -> None:
    url = client.create("q")
    with pytest.raises(AwsError):
        client.call("SetQueueAttributes", QueueUrl=url, Attributes={"DelaySeconds": "7", "VisibilityTimeout": "x"})
    assert client.attributes(url, "DelaySeconds") == {"DelaySeconds": "0"}
    with pytest.raises(AwsError) as refused:
        client.attributes(url, "Nonsense")
    assert refused.value.code == "InvalidAttributeName"
