"""examples/stream-pipe: what the pipe passes on, what it passes over, what it gives up, and the end."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from deployment import Deployment, inventory
from observe import only
from pytest_terraform import terraform

from durable_sandbox.pytest_plugin import Sandbox, eventually

pytestmark = pytest.mark.timeout(240)  # the first test applies, which takes a minute

RECORDS = 240
ACCOUNTS = 8
CARD = "4111 1111 1111 1111"
POISON = {0: "12,50", 42: None, 43: "NaN", 130: {"value": 1}, 199: True}
"""Settled payments without a number for amount, by position: at the head of the stream, next to each other, on their own."""
NOT_SETTLED = frozenset(range(5, RECORDS, 6))
NO_JSON = 76


@dataclass(frozen=True)
class Sent:
    """What was sent: by sequence number, the record's position."""

    positions: Mapping[str, int]

    @property
    def settled(self) -> dict[str, int]:
        """Those that are to be booked, by sequence number."""
        others = NOT_SETTLED | POISON.keys() | {NO_JSON}
        return {number: position for number, position in self.positions.items() if position not in others}

    @property
    def poisoned(self) -> list[str]:
        """Sequence numbers of those that cannot be."""
        return sorted(number for number, position in self.positions.items() if position in POISON)


class Payments:
    """The applied example."""

    def __init__(self, sandbox: Sandbox, outputs: Mapping[str, Any]) -> None:
        self.sandbox = sandbox
        self.outputs = outputs
        self.kinesis = sandbox.client("kinesis")
        self.sqs = sandbox.client("sqs")
        self._dynamodb = sandbox.client("dynamodb")

    def put(self, records: Mapping[int, bytes]) -> Sent:
        """Put records by position, in one call."""
        answer = self.kinesis.put_records(
            StreamName=self.outputs["stream_name"],
            Records=[{"PartitionKey": _account(position), "Data": data} for position, data in records.items()],
        )
        assert answer["FailedRecordCount"] == 0
        return Sent({one["SequenceNumber"]: place for place, one in zip(records, answer["Records"], strict=True)})

    def rows(self) -> dict[str, dict[str, Any]]:
        """The table, by sequence number."""
        pages = self._dynamodb.get_paginator("scan").paginate(TableName=self.outputs["table_name"])
        return {row["sequence_number"]["S"]: row for page in pages for row in page["Items"]}

    def failures(self) -> list[dict[str, Any]]:
        """What is in the on-failure queue; it stays there."""
        url, found = self.outputs["failed_queue_url"], {}
        while messages := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0).get(
            "Messages"
        ):
            found |= {message["ReceiptHandle"]: json.loads(message["Body"]) for message in messages}
        for handle in found:
            self.sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)
        return list(found.values())

    def logged(self) -> Iterator[str]:
        """The function's log."""
        group = f"/aws/lambda/{self.outputs['function_name']}"
        for page in self.sandbox.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group):
            yield from (event["message"] for event in page["events"])


def _account(position: int) -> str:
    return f"account-{position % ACCOUNTS}"


def _payment(position: int) -> bytes:
    if position == NO_JSON:
        return b"settled"
    payment = {"status": "authorised" if position in NOT_SETTLED else "settled", "amount": position / 4, "card": CARD}
    if position in POISON:
        payment["amount"] = POISON[position]
    return json.dumps(payment).encode()


@pytest.fixture(scope="module")
def before(sandbox: Sandbox) -> set[str]:
    """What was in the account before the apply."""
    return inventory(sandbox)


@pytest.fixture(scope="module")
def deployed(before: set[str], sandbox: Sandbox, request: pytest.FixtureRequest) -> Payments:  # noqa: ARG001 - order
    applied = request.getfixturevalue("stream-pipe")
    return Payments(sandbox, {name: output["value"] for name, output in applied.outputs.items()})


@pytest.fixture(scope="module")
def sent(deployed: Payments) -> Sent:
    """The example, done with all records: the last of each account is a good one, and a shard is read in order."""
    sent = deployed.put({position: _payment(position) for position in range(RECORDS)})
    eventually(lambda: True if deployed.rows().keys() >= sent.settled.keys() else None, 60, "of bookings")
    return sent


@terraform("stream-pipe", scope="module")
def test_what_is_settled_is_booked_and_the_rest_passed_over(deployed: Payments, sent: Sent) -> None:
    rows = deployed.rows()
    assert rows.keys() == sent.settled.keys()
    assert all(float(rows[number]["amount"]["N"]) == position / 4 for number, position in sent.settled.items())
    assert len(rows) == 194


def test_each_account_is_booked_in_order(deployed: Payments, sent: Sent) -> None:
    by_account: dict[str, list[tuple[int, float, int]]] = defaultdict(list)
    for number, row in deployed.rows().items():
        booked = (int(number), float(row["booked_at"]["N"]), sent.positions[number])
        by_account[row["account"]["S"]].append(booked)
    assert len(by_account) == ACCOUNTS
    for booked in by_account.values():
        times = [at for _, at, _ in sorted(booked)]
        positions = [position for _, _, position in sorted(booked)]
        assert times == sorted(times)
        assert positions == sorted(positions)


def test_each_poisoned_payment_is_given_up_alone_and_once(deployed: Payments, sent: Sent) -> None:
    failures = deployed.failures()
    batches = [failure["KinesisBatchInfo"] for failure in failures]
    assert sorted(batch["startSequenceNumber"] for batch in batches) == sent.poisoned
    assert all(batch["startSequenceNumber"] == batch["endSequenceNumber"] for batch in batches)
    assert {batch["batchSize"] for batch in batches} == {1}
    assert {failure["context"]["condition"] for failure in failures} == {"RetryAttemptsExhausted"}
    pipes = {failure["context"]["partnerResourceArn"].rpartition("/")[2] for failure in failures}
    assert pipes == {deployed.outputs["pipe_name"]}


def test_a_payment_that_comes_twice_is_booked_once(deployed: Payments, sent: Sent) -> None:
    """The pipe brings none again that is booked: what failed is named so that it knows the rest as done."""
    again = "was booked before"
    assert again not in "\n".join(deployed.logged())
    rows = deployed.rows()
    number, row = next(iter(rows.items()))
    payment = {"eventID": "", "partitionKey": row["account"]["S"], "sequenceNumber": number, "amount": "1"}
    answer = deployed.sandbox.client("lambda").invoke(
        FunctionName=deployed.outputs["function_name"], Payload=json.dumps([payment]).encode()
    )
    assert json.loads(answer["Payload"].read()) == {"batchItemFailures": []}
    assert deployed.rows() == rows
    assert number in sent.settled
    eventually(lambda: True if again in "\n".join(deployed.logged()) else None, 30, "in the log")


def test_the_function_sees_no_card_and_may_not_read_the_stream(deployed: Payments, sent: Sent) -> None:
    log = "\n".join(deployed.logged())
    assert all(number in log for number in sent.poisoned), "it logs what it got where it cannot book it"
    assert CARD not in log
    role = deployed.sandbox.client("lambda").get_function(FunctionName=deployed.outputs["function_name"])
    name = role["Configuration"]["Role"].rpartition("/")[2]
    iam = deployed.sandbox.client("iam")
    policies = [
        iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
    ]
    assert "dynamodb:PutItem" in str(policies)
    assert "kinesis:" not in str(policies)


def test_a_payment_is_got_back_as_the_readme_says(deployed: Payments, sent: Sent) -> None:
    number = next(number for number, position in sent.positions.items() if position == 0)
    infos = [failure["KinesisBatchInfo"] for failure in deployed.failures()]
    info = only([info for info in infos if info["startSequenceNumber"] == number])
    iterator = deployed.kinesis.get_shard_iterator(
        StreamName=deployed.outputs["stream_name"],
        ShardId=info["shardId"],
        ShardIteratorType="AT_SEQUENCE_NUMBER",
        StartingSequenceNumber=info["startSequenceNumber"],
    )["ShardIterator"]
    record = only(deployed.kinesis.get_records(ShardIterator=iterator, Limit=1)["Records"])
    payment = json.loads(record["Data"])
    assert payment == {"status": "settled", "amount": "12,50", "card": CARD}
    again = deployed.put({0: json.dumps({**payment, "amount": 12.5}).encode()})
    row = eventually(lambda: deployed.rows().get(*again.positions), 30, "of the payment")
    assert (row["account"]["S"], row["amount"]["N"]) == (_account(0), "12.5")


def test_plan_after_apply_is_empty(request: pytest.FixtureRequest, deployed: Payments) -> None:  # noqa: ARG001 - applied
    Deployment.of(request.getfixturevalue("stream-pipe")).assert_nothing_to_change()


def test_destroy_leaves_nothing(deployed: Payments, request: pytest.FixtureRequest, before: set[str]) -> None:
    Deployment.of(request.getfixturevalue("stream-pipe")).changed("destroy")
    assert inventory(deployed.sandbox) - before == set()
    assert deployed.kinesis.list_streams()["StreamNames"] == []
