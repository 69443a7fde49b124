"""Digests, handles, checks of content and attribute filters."""

from __future__ import annotations

from typing import Any
from uuid import RFC_4122, UUID

import pytest
from sqs_support import ACCOUNT, ROOT, message

from durable_sandbox.aws.call import Caller
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.services.sqs.content import AttributeFilter, build_message, sender_id
from durable_sandbox.services.sqs.message import attributes_md5, encode_receipt, new_message_id, parse_receipt, text_md5

# Digests that AWS returned for these attributes (recorded replies of the service).
KENOBI = {
    "General": {"DataType": "String", "StringValue": "Kenobi"},
    "Hello": {"DataType": "String", "StringValue": "There"},
    "Help.Me": {"DataType": "String", "StringValue": "Me"},
}


def test_md5_of_attributes_equals_what_aws_returned() -> None:
    binary = {
        "attr1": {
            "DataType": "Binary",
            "BinaryValue": b"traceparent\x1e00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01",
        }
    }
    assert attributes_md5(KENOBI) == "4c360f3fdafd970e05fae2f149d997f5"
    assert attributes_md5({"Foo": {"DataType": "String", "StringValue": "Bar"}}) == "ae7155c6026991b6d54b11589678bf9c"
    assert attributes_md5(binary) == "8cbe4db156db8a94db8b801b7addb984"
    assert text_md5("msg") == "6e2baaf3b97dbeef01c0043275f9a0e7"


@pytest.mark.parametrize(
    ("names", "shown", "digest"),
    [
        ([], None, None),
        (["All"], {"General", "Hello", "Help.Me"}, "4c360f3fdafd970e05fae2f149d997f5"),
        (["*"], {"General", "Hello", "Help.Me"}, "4c360f3fdafd970e05fae2f149d997f5"),
        ([".*"], {"General", "Hello", "Help.Me"}, "4c360f3fdafd970e05fae2f149d997f5"),
        (["Foo"], None, None),
        (["Hello", "General"], {"Hello", "General"}, "fca026605781cb4126a1e9044df24232"),
        (["Foo", "Hello"], {"Hello"}, "a311262e065454b75da111d535b8dacd"),
        (["Hel.*"], {"Hello", "Help.Me"}, "83fee93c1bcd8b9a5a923ffacdc636c7"),
    ],
)
def test_message_attribute_filters_as_recorded_from_aws(
    names: list[str], shown: set[str] | None, digest: str | None
) -> None:
    held = message("a")
    held.attributes = KENOBI
    rendered = AttributeFilter.of({"MessageAttributeNames": names}).render(held, "uid")
    assert set(rendered.get("MessageAttributes", {})) == (shown or set())
    assert rendered.get("MD5OfMessageAttributes") == digest


@pytest.mark.parametrize("parameter", ["AttributeNames", "MessageSystemAttributeNames"])
def test_system_attribute_filters(parameter: str) -> None:
    held = message("a", "tenant")
    held.sent, held.first_received, held.receive_count = 1.5, 2.25, 3
    everything = AttributeFilter.of({parameter: ["All"]}).render(held, "uid")["Attributes"]
    assert everything == {
        "SenderId": ACCOUNT,
        "SentTimestamp": "1500",
        "ApproximateReceiveCount": "3",
        "ApproximateFirstReceiveTimestamp": "2250",
        "MessageGroupId": "tenant",
    }
    one = AttributeFilter.of({parameter: ["SenderId", "SequenceNumber"]}).render(held, "uid")["Attributes"]
    assert one == {"SenderId": ACCOUNT}
    assert "Attributes" not in AttributeFilter.of({}).render(held, "uid")
    with pytest.raises(AwsError) as refused:
        AttributeFilter.of({parameter: ["Nonsense"]})
    assert refused.value.code == "InvalidAttributeName"


def test_receipt_handles_belong_to_one_queue_and_one_receive() -> None:
    held = message("0b0d6f4e-7e7a-4b37-8a0f-4f6a4f6a4f6a")
    held.receives = 3
    handle = encode_receipt("uid", held)
    assert parse_receipt("uid", handle).number == 3
    for bad in ("garbage", "", "Z2FyYmFnZQ==", "ünicode", handle[:-4], encode_receipt("another", held)):
        with pytest.raises(AwsError) as refused:
            parse_receipt("uid", bad)
        assert refused.value.code == "ReceiptHandleIsInvalid"


def test_message_ids_are_distinct_random_uuids() -> None:
    made = [new_message_id() for _ in range(1000)]
    assert len(set(made)) == 1000
    assert {(str(UUID(one)) == one, UUID(one).version, UUID(one).variant) for one in made} == {(True, 4, RFC_4122)}


def attribute(**value: Any) -> dict[str, Any]:
    return {"MessageAttributes": {"name": value}}


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"MessageBody": ""}, "MissingParameter"),
        ({"MessageBody": "a\x00b"}, "InvalidMessageContents"),
        ({"MessageBody": "\ufffe"}, "InvalidMessageContents"),
        ({"DelaySeconds": 901}, "InvalidParameterValue"),
        ({"DelaySeconds": -1}, "InvalidParameterValue"),
        ({"MessageDeduplicationId": "x"}, "InvalidParameterValue"),
        ({"MessageGroupId": "with space"}, "InvalidParameterValue"),
        ({"MessageGroupId": "x" * 129}, "InvalidParameterValue"),
        (attribute(DataType="String", StringValue=""), "InvalidParameterValue"),
        (attribute(DataType="Text", StringValue="x"), "InvalidParameterValue"),
        (attribute(DataType="Number", StringValue="one"), "InvalidParameterValue"),
        (attribute(DataType="Binary", StringValue="x"), "InvalidParameterValue"),
        (attribute(DataType="String", StringValue="\x01"), "InvalidMessageContents"),
        (attribute(DataType="String", StringValue="x", StringListValues=["x"]), "UnsupportedOperation"),
        ({"MessageAttributes": {"AWS.x": {"DataType": "String", "StringValue": "x"}}}, "InvalidParameterValue"),
        ({"MessageAttributes": {"a..b": {"DataType": "String", "StringValue": "x"}}}, "InvalidParameterValue"),
        (
            {"MessageAttributes": {f"n{i}": {"DataType": "String", "StringValue": "x"} for i in range(11)}},
            "InvalidParameterValue",
        ),
        ({"MessageSystemAttributes": {"Other": {"DataType": "String", "StringValue": "x"}}}, "InvalidParameterValue"),
    ],
)
def test_refused_content(params: dict[str, Any], code: str) -> None:
    with pytest.raises(AwsError) as refused:
        build_message({"MessageBody": "x", **params}, ROOT, fifo=False)
    assert refused.value.code == code


def test_accepted_content_and_its_size() -> None:
    built = build_message(
        {
            "MessageBody": "é\n\t\U0001f600",
            "MessageGroupId": "tenant",
            "MessageAttributes": {
                "n": {"DataType": "Number.int", "StringValue": "-1.5e3"},
                "b": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
            },
            "MessageSystemAttributes": {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1"}},
        },
        ROOT,
        fifo=False,
    )
    assert built.size == 8 + (1 + 10 + 6) + (1 + 6 + 2)
    assert (built.trace_header, built.group_id) == ("Root=1", "tenant")


def test_a_fifo_queue_needs_a_group_and_takes_no_delay() -> None:
    with pytest.raises(AwsError, match=r"The request must contain the parameter MessageGroupId\.") as refused:
        build_message({"MessageBody": "x"}, ROOT, fifo=True)
    assert refused.value.code == "MissingParameter"
    with pytest.raises(AwsError, match="The request include parameter that is not valid for this queue type"):
        build_message({"MessageBody": "x", "MessageGroupId": "g", "DelaySeconds": 2}, ROOT, fifo=True)


def test_sender_id_of_a_role_is_its_unique_id_and_session() -> None:
    role = Caller(ACCOUNT, f"arn:aws:sts::{ACCOUNT}:assumed-role/r/session", "ASIA", f"arn:aws:iam::{ACCOUNT}:role/r")
    assert sender_id(ROOT) == ACCOUNT
    assert sender_id(role).startswith("AROA")
    assert sender_id(role).endswith(":session")
