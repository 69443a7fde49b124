"""SQS messages as Lambda event records, for event source mappings and Pipes alike."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

RECEIVE_EVERYTHING: Mapping[str, list[str]] = {
    "MessageSystemAttributeNames": ["All"],
    "MessageAttributeNames": ["All"],
}
"""Parameters of ReceiveMessage without which a record would lack attributes."""


def sqs_record(message: Mapping[str, Any], queue_arn: str, region: str) -> dict[str, Any]:
    """One record of ``{"Records": [...]}`` from one element of ReceiveMessage's ``Messages`` (botocore shape).

    All system attributes are strings; binary message attributes are base64 text. ``md5OfMessageAttributes`` is there
    only if the message has attributes. Source: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html.
    """
    record: dict[str, Any] = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": {name: str(value) for name, value in message.get("Attributes", {}).items()},
        "messageAttributes": {
            name: _message_attribute(value) for name, value in message.get("MessageAttributes", {}).items()
        },
        "md5OfBody": message["MD5OfBody"],
    }
    if message.get("MD5OfMessageAttributes"):
        record["md5OfMessageAttributes"] = message["MD5OfMessageAttributes"]
    return record | {"eventSource": "aws:sqs", "eventSourceARN": queue_arn, "awsRegion": region}


def _message_attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    attribute: dict[str, Any] = {}
    if "StringValue" in value:
        attribute["stringValue"] = value["StringValue"]
    if "BinaryValue" in value:
        attribute["binaryValue"] = base64.b64encode(value["BinaryValue"]).decode()
    return attribute | {"stringListValues": [], "binaryListValues": [], "dataType": value["DataType"]}
