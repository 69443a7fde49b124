"""Alarms on functions, on what invokes them asynchronously, and on streams: each goes off and ends.

The sandbox plays a minute in five seconds, so that an alarm of three periods wants its cause for 15 seconds.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from alarm_proofs import ALARM, OK, Alarms, proves
from pytest_terraform import terraform
from websockets.sync.client import connect

from durable_sandbox.pytest_plugin import Sandbox, eventually

pytestmark = pytest.mark.timeout(240)  # the first test applies, which takes a minute

SLOW_S = 2.6
"""More than 80 % of the reader's timeout."""
SLOW_RECORDS = 8
BUSY_S = 34
"""Six periods and a bit: of an alarm of five periods the first is hardly a whole one."""


class Watched:
    """The applied stack."""

    def __init__(self, sandbox: Sandbox, outputs: Mapping[str, Any]) -> None:
        self.sandbox = sandbox
        self.outputs = outputs
        self.alarms = Alarms(sandbox, outputs["alarm_names"])
        self._kinesis = sandbox.client("kinesis")
        self._lambda = sandbox.client("lambda")
        self._sqs = sandbox.client("sqs")

    def put(self, count: int = 1, **order: Any) -> str:
        """Put as many records, each with this order; the sequence number of the first."""
        records = [{"PartitionKey": "a", "Data": json.dumps(order).encode()}] * count
        answer = self._kinesis.put_records(StreamName=self.outputs["stream_name"], Records=records)
        assert answer["FailedRecordCount"] == 0
        return str(answer["Records"][0]["SequenceNumber"])

    def read_slowly(self, since: str, count: int) -> Iterator[None]:
        """Be a reader that takes as long for a record as the function does; yields after each."""
        stream = self.outputs["stream_name"]
        [shard] = self._kinesis.list_shards(StreamName=stream)["Shards"]
        iterator = self._kinesis.get_shard_iterator(
            StreamName=stream,
            ShardId=shard["ShardId"],
            ShardIteratorType="AT_SEQUENCE_NUMBER",
            StartingSequenceNumber=since,
        )["ShardIterator"]
        for _ in range(count):
            time.sleep(SLOW_S)
            answer = self._kinesis.get_records(ShardIterator=iterator, Limit=1)
            assert len(answer["Records"]) == 1
            iterator = answer["NextShardIterator"]
            yield

    def send(self, function: str, **order: Any) -> None:
        """Invoke a function asynchronously."""
        self._lambda.invoke(
            FunctionName=self.outputs["function_alias_arns"][function],
            InvocationType="Event",
            Payload=json.dumps(order).encode(),
        )

    def composite_state(self) -> str:
        """The state of the alarm over all alarms."""
        [alarm] = self.alarms.cloudwatch.describe_alarms(
            AlarmNames=[self.outputs["composite_alarm_name"]], AlarmTypes=["CompositeAlarm"]
        )["CompositeAlarms"]
        return str(alarm["StateValue"])

    def delete_queue(self, output: str) -> None:
        """Delete the queue whose URL is in ``output``, as somebody would by mistake."""
        self._sqs.delete_queue(QueueUrl=self.outputs[output])


@pytest.fixture(scope="module")
def watched(sandbox: Sandbox, request: pytest.FixtureRequest) -> Watched:
    applied = request.getfixturevalue("alarms-streams")
    return Watched(sandbox, {name: output["value"] for name, output in applied.outputs.items()})


@terraform("alarms-streams", scope="module")
@proves(
    "async-age",
    "async-dropped",
    "concurrency",
    "dead-letter-errors",
    "destination-errors",
    "duration",
    "errors",
    "iterator-age",
    "read-age",
    "throttles",
)
def test_what_lasts_for_some_periods(watched: Watched) -> None:
    """Three causes at a time, each with its own function.

    Readers lag behind, as they are slow. A function fails, and its dead-letter queue and its destination are gone. Another
    one is busy with all its concurrency, while events wait for it.
    """
    slow = ("reader-duration", "reader-iterator-age", "stream-read-age")
    kinds = ("errors", "async-age", "async-dropped", "dead-letter-errors", "destination-errors")
    failing = [f"jobs-{kind}" for kind in kinds]
    busy = ("worker-concurrency", "worker-throttles")
    with watched.alarms.proof(*slow, *failing, *busy) as proof:
        watched.send("worker", sleep=BUSY_S)
        for _ in range(4):
            watched.send("worker")
        watched.delete_queue("dead_letter_queue_url")
        watched.delete_queue("failures_queue_url")
        first = watched.put(SLOW_RECORDS, sleep=SLOW_S)
        for _ in watched.read_slowly(first, SLOW_RECORDS):
            watched.send("jobs", fail="raise")
        proof.go_off()


@proves("destination-errors", "dropped-events", "failed-events")
def test_records_that_are_reported_failed_and_told_nobody(watched: Watched) -> None:
    """Of one consumer nobody is to hear, of the other the queue is gone. What is reported is no error."""
    keys = ("reader-failed-events", "reader-dropped-events", "keeper-failed-events", "keeper-dropped-events")
    with watched.alarms.proof(*keys, "keeper-destination-errors") as proof:
        watched.delete_queue("keeper_failed_queue_url")
        watched.put(fail="report")
        proof.go_off()
        eventually(lambda: True if watched.composite_state() == ALARM else None, 10, "of the composite alarm")
        errors = watched.alarms.shown(["reader-errors", "keeper-errors"])
        assert {alarm["StateValue"] for alarm in errors.values()} == {OK}


@proves("integration-errors", "integration-failures")
def test_a_websocket_api_that_can_do_nothing_for_its_clients(watched: Watched) -> None:
    """One route's function fails, the other's may not be called."""
    with watched.alarms.proof("socket-integration-errors", "socket-integration-failures") as proof:
        with connect(watched.outputs["socket_url"], compression=None) as socket:
            for function in ("reader", "keeper"):
                socket.send(json.dumps({"action": function}))
                assert json.loads(socket.recv(timeout=10))["message"] == "Internal server error"
        proof.go_off()


def test_nothing_is_in_alarm_in_the_end(watched: Watched) -> None:
    watched.alarms.become(OK, *watched.alarms.names)
    eventually(lambda: True if watched.composite_state() == OK else None, 10, "of the composite alarm")
