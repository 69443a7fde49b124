"""SQS event source mappings: what a filter lets through (1.4) and what a handler is given (1.5).

Section numbers as in test_sqs.py. Sources: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs-filtering.html and
.../with-sqs.html.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from support import Bench

# --- 1.4 filters ----------------------------------------------------------------------------------------------------------


def _filters(*patterns: Any) -> dict[str, Any]:
    return {"Filters": [{"Pattern": json.dumps(pattern)} for pattern in patterns]}


@pytest.mark.parametrize(
    ("patterns", "bodies", "passing"),
    [
        pytest.param([{"body": {"a": [1]}}], [{"a": 1}, {"a": 2}, {"b": 1}], [{"a": 1}], id="no match is deleted"),
        pytest.param([{"body": {"a": [1]}}], [{"a": 1}, "plain"], [{"a": 1}], id="JSON pattern drops plain"),
        pytest.param([{"body": ["plain"]}], ["plain", "other", {"a": 1}], ["plain"], id="plain pattern drops JSON"),
        pytest.param(
            [{"body": {"a": [1]}}, {"body": {"b": [1]}}],
            [{"a": 1}, {"b": 1}, {"a": 2, "b": 2}],
            [{"a": 1}, {"b": 1}],
            id="filters are alternatives",
        ),
        pytest.param(
            [{"body": {"a": [1, 2], "b": ["x"]}}],
            [{"a": 2, "b": "x"}, {"a": 1}, {"a": 3, "b": "x"}],
            [{"a": 2, "b": "x"}],
            id="fields must all match",
        ),
        pytest.param(
            [{"body": {"a": [{"numeric": [">", 5]}]}}], [{"a": 6}, {"a": 5}, {"a": "6"}], [{"a": 6}], id="numeric"
        ),
    ],
)
def test_1_4_filters(bench: Bench, patterns: list[Any], bodies: list[Any], passing: list[Any]) -> None:
    queue = bench.queue()
    bench.map(queue, FilterCriteria=_filters(*patterns))
    bench.send(queue, *bodies)
    bench.emptied(queue)
    texts = [body if isinstance(body, str) else json.dumps(body) for body in passing]
    assert [record["body"] for record in bench.records(queue, len(passing))] == texts


def test_1_4_other_fields_of_the_record_can_be_filtered(bench: Bench) -> None:
    queue = bench.queue()
    bench.map(queue, FilterCriteria=_filters({"messageAttributes": {"kind": {"stringValue": ["good"]}}}))
    for kind in ("bad", "good"):
        attribute = {"kind": {"DataType": "String", "StringValue": kind}}
        bench.sqs.send_message(QueueUrl=queue.url, MessageBody=kind, MessageAttributes=attribute)
    bench.emptied(queue)
    assert [record["body"] for record in bench.records(queue, 1)] == ["good"]


# --- 1.5 the event --------------------------------------------------------------------------------------------------------


def test_1_5_a_standard_record(bench: Bench) -> None:
    queue = bench.queue()
    bench.map(queue)
    attributes = {
        "text": {"DataType": "String", "StringValue": "t"},
        "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
    }
    sent = bench.sqs.send_message(QueueUrl=queue.url, MessageBody="hé", MessageAttributes=attributes)
    (invocation,) = bench.until_seen(queue, lambda seen: seen)
    assert invocation.keys == ["Records"]
    (record,) = invocation.records
    assert record["messageAttributes"] == {
        "text": {"stringValue": "t", "stringListValues": [], "binaryListValues": [], "dataType": "String"},
        "bytes": {"binaryValue": "AAE=", "stringListValues": [], "binaryListValues": [], "dataType": "Binary"},
    }
    assert record["attributes"].keys() == {
        "ApproximateReceiveCount",
        "SentTimestamp",
        "SenderId",
        "ApproximateFirstReceiveTimestamp",
    }
    assert all(isinstance(value, str) for value in record["attributes"].values())
    shown = {name: value for name, value in record.items() if name not in ("attributes", "messageAttributes")}
    assert shown.pop("receiptHandle")
    assert shown == {
        "messageId": sent["MessageId"],
        "body": "hé",
        "md5OfBody": sent["MD5OfMessageBody"],
        "md5OfMessageAttributes": sent["MD5OfMessageAttributes"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue.arn,
        "awsRegion": "us-east-1",
    }


def test_1_5_a_record_without_attributes_has_no_md5_of_them(bench: Bench) -> None:
    queue = bench.queue()
    bench.map(queue)
    bench.send(queue, "a")
    (record,) = bench.records(queue, 1)
    assert record["messageAttributes"] == {}
    assert "md5OfMessageAttributes" not in record


def test_1_5_a_fifo_record_adds_sequence_group_and_deduplication_id(bench: Bench) -> None:
    queue = bench.queue(fifo=True)
    bench.map(queue)
    sent = bench.sqs.send_message(QueueUrl=queue.url, MessageBody="a", MessageGroupId="g", MessageDeduplicationId="d")
    (record,) = bench.records(queue, 1)
    assert record["attributes"]["SequenceNumber"] == sent["SequenceNumber"]
    assert record["attributes"]["MessageGroupId"] == "g"
    assert record["attributes"]["MessageDeduplicationId"] == "d"


def test_1_5_optional_attributes_trace_header_and_tenant_of_a_fair_queue(bench: Bench) -> None:
    queue = bench.queue()
    bench.map(queue)
    header = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988-bd862e3fe1be46a994272793"}}
    bench.sqs.send_message(QueueUrl=queue.url, MessageBody="a", MessageGroupId="tenant", MessageSystemAttributes=header)
    (record,) = bench.records(queue, 1)
    assert record["attributes"]["MessageGroupId"] == "tenant"
    assert record["attributes"]["AWSTraceHeader"] == header["AWSTraceHeader"]["StringValue"]
    assert "SequenceNumber" not in record["attributes"]


def test_1_5_a_dead_letter_names_its_source(bench: Bench) -> None:
    queue, dead = bench.queue_with_dead_letters(1)
    for one in (queue, dead):
        bench.map(one)
    bench.send(queue, {"fail": "once"})
    (record,) = bench.records(dead, 1)
    assert record["attributes"]["DeadLetterQueueSourceArn"] == queue.arn
