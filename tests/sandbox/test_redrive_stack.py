"""After a soak with failures and a mended step, a redrive that is killed in the middle and run again: nothing is left.

Behind a mapping, since there a dead letter may have had its effect already: it was given up after executions.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest
from observe import Pipeline
from pytest_terraform import terraform

from durable_sandbox.cli.process import request_json
from durable_sandbox.pytest_plugin import Sandbox, eventually

pytestmark = pytest.mark.timeout(290)  # the first test applies, which takes a minute

MESSAGES, BAD_EVERY, BY_HAND = 200, 20, 10
NAME = "redriven"
# The transform as it should have been: a number will do as well.
MENDED = """
def handler(event, _context):
    body = event["body"]
    return {**event, "body": {**body, "data_source": str(body["data_source"]).upper()}}
"""


@pytest.fixture(scope="module")
def deployed(sandbox: Sandbox, request: pytest.FixtureRequest) -> Pipeline:
    applied = request.getfixturevalue("redrive")
    found = Pipeline(sandbox, {name: output["value"] for name, output in applied.outputs.items()})
    # Now that the mapping is made, which asks for more: what fails is back after 3 s.
    found.sqs.set_queue_attributes(QueueUrl=found.outputs["queue_url"], Attributes={"VisibilityTimeout": "3"})
    found.dynamodb.update_table(
        TableName=found.outputs["table_name"],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
    )
    return found


def body(number: int, *, bad: bool) -> dict[str, Any]:
    return {"data_source": number if bad else f"invoices-{number}", "processing_type": "summarise"}


def soak(pipeline: Pipeline) -> tuple[list[str], list[str]]:
    """Ids by way: messages of which one in twenty fails and another comes twice, and events started by hand that fail."""
    url = pipeline.outputs["queue_url"]
    faults = {"queue_url": url, "every": BAD_EVERY}
    request_json(pipeline.sandbox.port, "/_sandbox/faults", method="POST", send=faults)
    sent = pipeline.send([body(number, bad=number % BAD_EVERY == 7) for number in range(MESSAGES)])
    by_hand = []
    for number in range(BY_HAND):
        pair = [str(uuid4()), str(uuid4())]
        records = [
            {"messageId": one, "body": json.dumps(body(number, bad=bad)), "attributes": {}}
            for one, bad in zip(pair, (True, False), strict=True)
        ]
        pipeline.functions.invoke(
            FunctionName=pipeline.outputs["function_alias_arn"],
            InvocationType="Event",
            Payload=json.dumps(records).encode(),
        )
        by_hand += pair
    bad = MESSAGES // BAD_EVERY

    def ended() -> bool | None:
        depths = [pipeline.depth(f"{queue}_url") for queue in ("queue", "dead_letter_queue", "failed_queue")]
        return True if depths[0] == 0 and depths[1] >= bad and depths[2] >= BY_HAND and not pipeline.running() else None

    eventually(ended, 90, "for the soak to end")
    request_json(pipeline.sandbox.port, "/_sandbox/faults", method="POST", send={"queue_url": url, "every": 0})
    return sent, by_hand


def mend(pipeline: Pipeline) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("handler.py", MENDED)
    name = pipeline.outputs["step_function_names"]["transform"]
    answer = pipeline.functions.update_function_code(FunctionName=name, ZipFile=buffer.getvalue(), Publish=True)
    pipeline.functions.update_alias(FunctionName=name, Name="live", FunctionVersion=answer["Version"])


def begin(pipeline: Pipeline, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", "from durable_sandbox.cli.main import main; main()", "redrive", NAME, "--json"]
    return subprocess.Popen(
        [*command, "--port", str(pipeline.sandbox.port), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> Mapping[str, Any]:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    found: Mapping[str, Any] = json.loads(out)
    return found


def effects(pipeline: Pipeline) -> Counter[str]:
    """Writes by message id, as the table's stream recorded them."""
    streams = pipeline.sandbox.client("dynamodbstreams")
    arn = pipeline.dynamodb.describe_table(TableName=pipeline.outputs["table_name"])["Table"]["LatestStreamArn"]
    found: Counter[str] = Counter()
    for shard in streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]:
        iterator = streams.get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while iterator:
            answer = streams.get_records(ShardIterator=iterator, Limit=1000)
            found.update(record["dynamodb"]["Keys"]["message_id"]["S"] for record in answer["Records"])
            iterator = answer.get("NextShardIterator") if answer["Records"] else None
    return found


def dead(pipeline: Pipeline) -> int:
    return pipeline.depth("dead_letter_queue_url") + pipeline.depth("failed_queue_url")


@terraform("redrive", scope="module", teardown=terraform.TEARDOWN_OFF)
def test_killed_and_run_again_it_leaves_nothing_and_repeats_no_effect(deployed: Pipeline) -> None:
    sent, by_hand = soak(deployed)
    before = effects(deployed)
    assert max(before.values()) == 1
    assert len(before) < len(sent) + len(by_hand)
    assert deployed.depth("failed_queue_url") == BY_HAND
    given_up = deployed.depth("dead_letter_queue_url")
    assert given_up >= MESSAGES // BAD_EVERY
    mend(deployed)
    # What is handled now must not be back before it is, however slow the machine.
    deployed.sqs.set_queue_attributes(QueueUrl=deployed.outputs["queue_url"], Attributes={"VisibilityTimeout": "60"})

    for queue in ("failed", "dlq"):
        at_first = dead(deployed)
        killed = begin(deployed, "--queue", queue, "--rate", "3")
        eventually(lambda at_first=at_first: True if dead(deployed) <= at_first - 4 else None)  # type: ignore[misc]
        killed.kill()
        killed.communicate()
    left = dead(deployed)
    assert 0 < left < given_up + BY_HAND

    report = finish(begin(deployed))

    assert not report["interrupted"]
    assert all(not queue["failed"] and not queue["left"] for queue in report["queues"])
    deployed.idle()
    eventually(lambda: True if not deployed.running() else None)
    assert dead(deployed) == 0
    assert effects(deployed) == dict.fromkeys([*sent, *by_hand], 1)


def test_a_third_run_finds_nothing_to_do(deployed: Pipeline) -> None:
    started = time.monotonic()
    report = finish(begin(deployed))
    assert [queue["redriven"] for queue in report["queues"]] == [0, 0]
    assert time.monotonic() - started < 30
