from __future__ import annotations

from durable_sandbox.events.sqs_records import sqs_record

ARN = "arn:aws:sqs:eu-west-1:123456789012:q"
MESSAGE = {
    "MessageId": "id-1",
    "ReceiptHandle": "handle",
    "Body": '{"a": 1}',
    "MD5OfBody": "md5",
    "Attributes": {
        "ApproximateReceiveCount": 1,
        "SentTimestamp": "1545082649183",
        "SenderId": "AIDA",
        "ApproximateFirstReceiveTimestamp": "1545082649185",
    },
}


def test_a_plain_message_has_exactly_the_documented_fields() -> None:
    assert sqs_record(MESSAGE, ARN, "eu-west-1") == {
        "messageId": "id-1",
        "receiptHandle": "handle",
        "body": '{"a": 1}',
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1545082649183",
            "SenderId": "AIDA",
            "ApproximateFirstReceiveTimestamp": "1545082649185",
        },
        "messageAttributes": {},
        "md5OfBody": "md5",
        "eventSource": "aws:sqs",
        "eventSourceARN": ARN,
        "awsRegion": "eu-west-1",
    }


def test_message_attributes_are_camel_case_and_binary_is_base64() -> None:
    attributes = {
        "colour": {"StringValue": "red", "DataType": "String"},
        "blob": {"BinaryValue": b"\x00\xff", "DataType": "Binary"},
    }
    record = sqs_record({**MESSAGE, "MessageAttributes": attributes, "MD5OfMessageAttributes": "m"}, ARN, "eu-west-1")
    assert record["messageAttributes"] == {
        "colour": {"stringValue": "red", "stringListValues": [], "binaryListValues": [], "dataType": "String"},
        "blob": {"binaryValue": "AP8=", "stringListValues": [], "binaryListValues": [], "dataType": "Binary"},
    }
    assert record["md5OfMessageAttributes"] == "m"
