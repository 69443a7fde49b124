"""examples/kinesis: a stream under load with poisoned records, the redrive once the function is mended, and the end."""

from __future__ import annotations

import json
import random
import shutil
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from deployment import Deployment, inventory
from pytest_terraform import terraform

from durable_sandbox.pytest_plugin import Sandbox, eventually

pytestmark = pytest.mark.timeout(280)  # the first test applies, which takes a minute

RECORDS = 2000
DEVICES = 40
A_SECOND = 100
"""What the machine bears beside the other tests."""
POISON = frozenset(random.Random(5).sample(range(RECORDS), RECORDS // 100))  # noqa: S311 - the same ones each time
LONGEST_AGE_S = 5.0
INVOCATIONS_BEHIND_POISON = 22
"""What a good record may have to wait for: a batch of a hundred in its lane halved down to a poisoned record (7), its tries (4),
and the same for another one in the batch behind."""


@pytest.fixture(scope="module")
def before(sandbox: Sandbox) -> set[str]:
    """What was in the account before the apply."""
    return inventory(sandbox)


@dataclass(frozen=True)
class Load:
    """What was sent: by sequence number, the record's position and when it was sent (epoch seconds).

    ``slowest_invocation``: seconds that the slowest of the probes took: as slow is the machine at its worst, beside other tests.
    """

    sent: Mapping[str, tuple[int, float]]
    slowest_invocation: float = 0.0

    @property
    def poisoned(self) -> set[str]:
        """Sequence numbers of the poisoned records."""
        return {number for number, (position, _) in self.sent.items() if position in POISON}


class Readings:
    """The applied example."""

    def __init__(self, sandbox: Sandbox, outputs: Mapping[str, Any]) -> None:
        self.sandbox = sandbox
        self.outputs = outputs
        self.kinesis = sandbox.client("kinesis")
        self.sqs = sandbox.client("sqs")
        self._dynamodb = sandbox.client("dynamodb")

    def send(self) -> Load:
        """Send all records, evenly in time; one in a hundred is no reading."""
        sent: dict[str, tuple[int, float]] = {}
        began, size = time.time(), A_SECOND // 4
        for start in range(0, RECORDS, size):
            positions = range(start, start + size)
            records = [
                {"PartitionKey": f"device-{p % DEVICES}", "Data": json.dumps({"value": _value(p)}).encode()}
                for p in positions
            ]
            now = time.time()
            answer = self.kinesis.put_records(StreamName=self.outputs["stream_name"], Records=records)
            assert answer["FailedRecordCount"] == 0
            sent |= {one["SequenceNumber"]: (p, now) for p, one in zip(positions, answer["Records"], strict=True)}
            time.sleep(max(0.0, began + (start + size) / A_SECOND - time.time()))
        assert len(sent) == RECORDS
        return Load(sent)

    @contextmanager
    def probing(self) -> Iterator[list[float]]:
        """Invoke the function with no record, over and over, and list how long that takes (seconds)."""
        functions, durations, over = self.sandbox.client("lambda"), [], threading.Event()

        def probe() -> None:
            while not over.wait(0.5):
                began = time.monotonic()
                functions.invoke(FunctionName=self.outputs["function_name"], Payload=b'{"Records": []}')
                durations.append(time.monotonic() - began)

        prober = threading.Thread(target=probe)
        prober.start()
        try:
            yield durations
        finally:
            over.set()
            prober.join()

    def rows(self) -> dict[str, dict[str, Any]]:
        """The table, by sequence number."""
        pages = self._dynamodb.get_paginator("scan").paginate(TableName=self.outputs["table_name"])
        return {row["sequence_number"]["S"]: row for page in pages for row in page["Items"]}

    def depth(self, output: str) -> int:
        """Messages on a queue, in flight too."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        shown = self.sqs.get_queue_attributes(QueueUrl=self.outputs[output], AttributeNames=names)["Attributes"]
        return sum(int(shown[name]) for name in names)

    def failures(self, count: int) -> list[dict[str, Any]]:
        """On-failure records, once there are ``count``; they stay on the queue."""
        eventually(lambda: True if self.depth("failed_queue_url") >= count else None, 60, "of failures")
        found: dict[str, dict[str, Any]] = {}
        while True:
            answer = self.sqs.receive_message(
                QueueUrl=self.outputs["failed_queue_url"],
                MaxNumberOfMessages=10,
                VisibilityTimeout=30,
                WaitTimeSeconds=0,  # the queue itself would wait, and what was seen come back
            )
            messages = answer.get("Messages", [])
            found |= {message["MessageId"]: message for message in messages}
            if not messages:
                break
        for message in found.values():
            self.sqs.change_message_visibility(
                QueueUrl=self.outputs["failed_queue_url"],
                ReceiptHandle=message["ReceiptHandle"],
                VisibilityTimeout=0,
            )
        return [json.loads(message["Body"]) for message in found.values()]

    def dead_letters(self) -> list[dict[str, Any]]:
        """The batches of which the dead-letter queue tells; they stay on it."""
        answer = self.sqs.receive_message(
            QueueUrl=self.outputs["failed_dead_letter_url"], MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        return [json.loads(message["Body"])["KinesisBatchInfo"] for message in answer["Messages"]]

    def told(self, *words: str) -> str | None:
        """A line of the redrive's log with all of these words."""
        pages = self.sandbox.client("logs").get_paginator("filter_log_events")
        group = f"/aws/lambda/{self.outputs['function_name']}-redrive"
        lines = (event["message"] for page in pages.paginate(logGroupName=group) for event in page["events"])
        return next((line for line in lines if all(word in line for word in words)), None)


def _value(position: int) -> Any:
    return "broken" if position in POISON else position


@pytest.fixture(scope="module")
def deployed(before: set[str], sandbox: Sandbox, request: pytest.FixtureRequest) -> Readings:  # noqa: ARG001 - order
    applied = request.getfixturevalue("kinesis")
    return Readings(sandbox, {name: output["value"] for name, output in applied.outputs.items()})


@pytest.fixture(scope="module")
def loaded(deployed: Readings) -> Load:
    """The example, having got all records."""
    with deployed.probing() as durations:
        load = deployed.send()
        good = RECORDS - len(POISON)
        eventually(lambda: True if len(deployed.rows()) >= good else None, 60, "of rows")
    return replace(load, slowest_invocation=max(durations))


@terraform("kinesis", scope="module")
def test_every_good_record_is_stored_and_no_other(deployed: Readings, loaded: Load, kinesis: Any) -> None:  # noqa: ARG001 - applied
    rows = deployed.rows()
    assert rows.keys() == loaded.sent.keys() - loaded.poisoned
    assert all(row["value"]["N"] == str(loaded.sent[number][0]) for number, row in rows.items())


def test_each_device_is_stored_in_order(deployed: Readings, loaded: Load) -> None:
    by_device: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for number, row in deployed.rows().items():
        by_device[row["device"]["S"]].append((int(number), float(row["stored_at"]["N"])))
    assert len(by_device) == DEVICES
    for stored in by_device.values():
        times = [at for _, at in sorted(stored)]
        assert times == sorted(times)
    assert len(loaded.sent) == RECORDS


def test_no_good_record_waits_for_a_poisoned_one(deployed: Readings, loaded: Load) -> None:
    ages = {number: float(row["stored_at"]["N"]) - loaded.sent[number][1] for number, row in deployed.rows().items()}
    oldest = max(ages, key=lambda number: ages[number])
    allowed = LONGEST_AGE_S + INVOCATIONS_BEHIND_POISON * loaded.slowest_invocation
    assert ages[oldest] < allowed, f"{oldest} was stored after {ages[oldest]:.1f} s, {allowed:.1f} s are allowed"


def test_each_poisoned_record_is_given_up_alone_and_once(deployed: Readings, loaded: Load) -> None:
    failures = deployed.failures(len(POISON))
    batches = [failure["KinesisBatchInfo"] for failure in failures]
    assert sorted(batch["startSequenceNumber"] for batch in batches) == sorted(loaded.poisoned)
    assert all(batch["startSequenceNumber"] == batch["endSequenceNumber"] for batch in batches)
    assert {batch["batchSize"] for batch in batches} == {1}
    assert {failure["requestContext"]["approximateInvokeCount"] for failure in failures} == {4}
    assert {failure["requestContext"]["condition"] for failure in failures} == {"RetryAttemptsExhausted"}


def test_plan_after_apply_is_empty(deployed: Readings, kinesis: Any) -> None:  # noqa: ARG001 - applied
    Deployment.of(kinesis).assert_nothing_to_change()


@pytest.fixture
def mended(tmp_path: Path) -> Path:
    """The example's sources, mended: what is no number is stored as -1."""
    sources = Path(__file__).parents[2] / "examples" / "kinesis" / "src"
    changed = tmp_path / "src"
    shutil.copytree(sources, changed, ignore=shutil.ignore_patterns("__pycache__"))
    code = (changed / "handler.py").read_text()
    broken = '        raise InvalidReadingError(f"the value is {value!r}, not a number")\n'
    assert broken in code
    (changed / "handler.py").write_text(code.replace(broken, "        value = -1\n"))
    return changed


def test_a_redrive_brings_back_precisely_what_was_given_up(
    deployed: Readings, loaded: Load, kinesis: Any, mended: Path
) -> None:
    untouched = {number: row["stored_at"] for number, row in deployed.rows().items()}
    deployment = Deployment.of(kinesis)
    deployment.changed("apply", redrive="true", source_dir=mended)
    eventually(lambda: True if len(deployed.rows()) == RECORDS else None, 60, "of rows")
    eventually(lambda: True if deployed.depth("failed_queue_url") == 0 else None, 30, "for the queue to empty")
    rows = deployed.rows()
    assert rows.keys() == loaded.sent.keys()
    assert {number for number, row in rows.items() if row["value"]["N"] == "-1"} == loaded.poisoned
    assert {number: rows[number]["stored_at"] for number in untouched} == untouched, "each effect once"
    assert deployed.depth("failed_dead_letter_url") == 0
    deployment.assert_nothing_to_change(redrive="true", source_dir=mended)


@pytest.fixture(scope="module")
def impatient(deployed: Readings) -> None:
    """Messages of the on-failure queue come again after 3 seconds, not 6 minutes."""
    deployed.sqs.set_queue_attributes(
        QueueUrl=deployed.outputs["failed_queue_url"], Attributes={"VisibilityTimeout": "3"}
    )


@pytest.mark.usefixtures("loaded", "impatient")
def test_a_record_that_fails_again_ends_in_the_dead_letter_queue(deployed: Readings) -> None:
    """The redrive is on, and the function is mended for other records: it is given up, redriven and fails five times."""
    before = deployed.depth("failed_dead_letter_url")
    sent = deployed.kinesis.put_record(
        StreamName=deployed.outputs["stream_name"], PartitionKey="device-0", Data=b"no reading"
    )
    number = sent["SequenceNumber"]
    refused = eventually(lambda: deployed.told(f"record {number}-", "was not handed over"), 60, "in the redrive's log")
    assert "FunctionFailedError: it names the record in batchItemFailures" in refused
    assert deployed.depth("failed_queue_url") + deployed.depth("failed_dead_letter_url") == before + 1, "it is kept"

    eventually(lambda: True if deployed.depth("failed_dead_letter_url") > before else None, 60, "for the dead letter")
    (letter,) = [letter for letter in deployed.dead_letters() if letter["startSequenceNumber"] == number]
    assert letter["endSequenceNumber"] == number
    assert deployed.depth("failed_queue_url") == 0
    assert number not in deployed.rows()


@pytest.mark.usefixtures("impatient")
def test_what_is_no_longer_on_the_stream_ends_in_the_dead_letter_queue(deployed: Readings, loaded: Load) -> None:
    """Asked for records of a shard that never was: past retention looks the same, and nothing is lost silently."""
    before = deployed.depth("failed_dead_letter_url")
    number = min(loaded.sent)
    info = {
        "shardId": "shardId-000000000099",
        "startSequenceNumber": number,
        "endSequenceNumber": number,
        "approximateArrivalOfFirstRecord": "2026-01-01T00:00:00.000Z",
        "approximateArrivalOfLastRecord": "2026-01-01T00:00:00.000Z",
        "batchSize": 1,
        "streamArn": f"arn:aws:kinesis:us-east-1:123456789012:stream/{deployed.outputs['stream_name']}",
    }
    deployed.sqs.send_message(
        QueueUrl=deployed.outputs["failed_queue_url"], MessageBody=json.dumps({"KinesisBatchInfo": info})
    )
    eventually(lambda: deployed.told("1 of 1 records are missing"), 30, "in the redrive's log")
    eventually(lambda: True if deployed.depth("failed_dead_letter_url") > before else None, 60, "for the dead letter")
    assert info in deployed.dead_letters()


def test_destroy_leaves_nothing(deployed: Readings, kinesis: Any, before: set[str]) -> None:
    Deployment.of(kinesis).changed("destroy")
    assert inventory(deployed.sandbox) - before == set()
    assert deployed.kinesis.list_streams()["StreamNames"] == []
