"""examples/: those on queues, applied side by side as their READMEs say."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from deployment import inventory
from observe import only

from durable_sandbox.pytest_plugin import Sandbox, eventually
from examples import Example, Examples

pytestmark = pytest.mark.timeout(400)  # the first test waits for all of them to apply, which takes a minute or two

NAMES = ("pipe", "esm", "dispatcher", "fifo", "approval", "existing-queue")
TWICE = 2
RECEIVES = 2
"""Of a message that keeps failing, before it is a dead letter; five, if the test did not shorten it."""
SOON = 6
"""Seconds until a message is delivered again, a minute and more otherwise: longer than its work, on a busy machine too."""


@pytest.fixture(scope="module")
def before(sandbox: Sandbox) -> set[str]:
    """What was in the account before the applies."""
    return inventory(sandbox)


@pytest.fixture(scope="module")
def examples(sandbox: Sandbox, before: set[str], tmp_path_factory: pytest.TempPathFactory) -> Examples:
    del before  # taken first
    return Examples(sandbox, NAMES, tmp_path_factory.mktemp("examples"))


Applied = Callable[[str], Example]


@pytest.fixture
def applied(examples: Examples) -> Applied:
    return examples.applied


def days(run: dict[str, Any]) -> float:
    """How long an execution took, by its own clock."""
    took: timedelta = run["EndTimestamp"] - run["StartTimestamp"]
    return took / timedelta(days=1)


def test_pipe_keeps_reminders_until_they_are_due(applied: Applied) -> None:
    reminders = applied("pipe")
    date = (datetime.now(UTC) + timedelta(days=60)).date()
    by_days, by_date, undated = reminders.send(
        [{"text": "passport", "in_days": 90}, {"text": "tyres", "on": date.isoformat()}, {"text": "when?"}]
    )
    runs = reminders.ended([by_days, by_date, undated])
    assert 90 <= days(runs[by_days]) < 90.1
    assert 59 <= days(runs[by_date]) < 60.1
    assert runs[undated]["Status"] == "FAILED"
    failure = only(eventually(lambda: reminders.failures() or None))
    assert failure.messages == (undated,)
    assert "give either on (a date) or in_days" in failure.error
    rows = reminders.rows([by_days, by_date, undated])
    assert {message_id: row["text"]["S"] for message_id, row in rows.items()} == {by_days: "passport", by_date: "tyres"}


def test_pipe_stores_once_what_is_delivered_twice(applied: Applied) -> None:
    reminders = applied("pipe")
    with reminders.impatient(SOON, RECEIVES + 1), reminders.delivered_twice():
        (message_id,) = reminders.send([{"text": "passport", "in_days": 30}])
    reminders.drained()
    eventually(lambda: True if len(reminders.executions([message_id])[message_id]) == TWICE else None)
    runs = [run for run in reminders.runs() if message_id in run["InputPayload"]]
    assert [json.loads(run["Result"]) for run in sorted(runs, key=lambda run: run["Result"], reverse=True)] == [
        {"message_id": message_id, "stored": True},
        {"message_id": message_id, "stored": False},
    ]
    assert reminders.row(message_id)["text"] == {"S": "passport"}


def test_esm_returns_what_failed_alone_and_gives_it_up(applied: Applied) -> None:
    payments = applied("esm")
    payments.row(payments.send_one({"cents": 100}))  # warm: work is quicker from here on
    with payments.impatient(SOON, RECEIVES):
        bodies: list[dict[str, int]] = [{"cents": number} for number in range(1, 10)]
        ids = payments.send([*bodies[:4], {"euros": 3}, *bodies[4:]])
        bad = ids.pop(4)
        payments.drained(dead_letters=1)
    letter = only(payments.peek("dead_letter_queue_url"))
    assert (letter["MessageId"], json.loads(letter["Body"])) == (bad, {"euros": 3})
    rows = payments.rows([*ids, bad])
    assert {message_id: int(row["cents"]["N"]) for message_id, row in rows.items()} == dict(
        zip(ids, range(1, 10), strict=True)
    )
    payments.logged("function_name", f"payment {bad}: the body has no cents")
    runs = payments.runs()
    assert {run["Status"] for run in runs} == {"SUCCEEDED"}
    delivered = [record["messageId"] for run in runs for record in json.loads(run["InputPayload"])["Records"]]
    assert {message_id: delivered.count(message_id) for message_id in (*ids, bad)} == {
        **dict.fromkeys(ids, 1),
        bad: RECEIVES,
    }
    named = [one["itemIdentifier"] for run in runs for one in json.loads(run["Result"])["batchItemFailures"]]
    assert named == [bad] * RECEIVES
    assert payments.depth("failed_queue_url") == 0


def test_dispatcher_starts_one_execution_for_two_deliveries(applied: Applied) -> None:
    renewals = applied("dispatcher")
    body = {"data_source": "shop", "processing_type": "renewal"}
    with renewals.impatient(SOON, RECEIVES + 1), renewals.delivered_twice():
        once = renewals.send_one(body)
    own = {"DurablePipelineMessageId": {"DataType": "String", "StringValue": "contract-7"}}
    sent = {renewals.send_one(body, MessageAttributes=own) for _ in range(TWICE)}
    assert len(sent) == TWICE, "SQS takes them for two messages"
    renewals.logged("dispatcher_function_name", "message contract-7 was started before")
    renewals.drained()
    runs = {run["DurableExecutionName"]: run for run in renewals.runs()}
    assert len(runs) == len(renewals.runs())
    assert runs.keys() == {once, "contract-7"}
    assert all(30 <= days(run) < 30.1 for run in runs.values())
    assert renewals.rows([once, "contract-7", *sent]).keys() == {once, "contract-7"}
    assert renewals.depth("failed_queue_url") == 0


def test_fifo_keeps_each_account_in_order_over_a_failure(applied: Applied) -> None:
    bookings = applied("fifo")
    ids: dict[str, list[str]] = {"ada": [], "bob": []}
    warming = {"data_source": "bank", "processing_type": "booking"}
    for account in ids:
        bookings.row(bookings.send_one(warming, MessageGroupId=account))
    with bookings.impatient(SOON, RECEIVES):
        for number in range(5):
            for account, sent in ids.items():
                body: dict[str, Any] = {"data_source": "bank", "processing_type": "booking", "number": number}
                if (account, number) == ("ada", 1):
                    del body["processing_type"]
                sent.append(bookings.send_one(body, MessageGroupId=account))
        bookings.drained(dead_letters=1)
    bad = ids["ada"].pop(1)
    assert only(bookings.peek("dead_letter_queue_url"))["MessageId"] == bad
    rows = bookings.rows([bad, *ids["ada"], *ids["bob"]])
    stored = {message_id: row["stored_at"]["S"] for message_id, row in rows.items()}
    assert stored.keys() == {*ids["ada"], *ids["bob"]}
    for sent in ids.values():
        times = [stored[message_id] for message_id in sent]
        assert times == sorted(times)
    assert max(stored[message_id] for message_id in ids["bob"]) < stored[ids["ada"][1]], "bob does not wait for ada"
    by_account: dict[str, list[dict[str, Any]]] = {account: [] for account in ids}
    for run in bookings.runs():
        record = only(json.loads(run["InputPayload"])["Records"])
        by_account[record["attributes"]["MessageGroupId"]].append(run)
    for runs in by_account.values():
        ends = [run["EndTimestamp"] for run in runs[:-1]]
        assert all(end <= later["StartTimestamp"] for end, later in zip(ends, runs[1:], strict=True)), "one at a time"


def question(expenses: Example, text: str) -> str:
    """The id of the callback of the question with this text, once it is on the queue; it is taken off."""
    url = expenses.outputs["questions_queue_url"]

    def probe() -> dict[str, Any] | None:
        answer = expenses.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1, MessageAttributeNames=["All"])
        return next(iter(answer.get("Messages", [])), None)

    message = eventually(probe, what="for a question")
    assert json.loads(message["Body"])["text"] == text
    expenses.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    callback_id: str = message["MessageAttributes"]["callback_id"]["StringValue"]
    return callback_id


def answer(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``durable-ops callback``."""
    command = [str(Path(sys.executable).with_name("durable-ops")), "callback", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "status", "reason"),
    [
        (("succeed", '--result={"approved": true, "reason": "Ada"}'), "APPROVED", "Ada"),
        (("succeed", '--result={"approved": false, "reason": "over budget"}'), "REFUSED", "over budget"),
        (("fail", "--message=over budget"), "REFUSED", "over budget"),
    ],
    ids=["yes", "no", "fail"],
)
def test_approval_records_the_answer(applied: Applied, arguments: tuple[str, ...], status: str, reason: str) -> None:
    expenses = applied("approval")
    (message_id,) = expenses.send([{"text": "train"}])
    callback_id = question(expenses, "train")
    assert [run["Status"] for run in expenses.running()] == ["RUNNING"]
    assert expenses.rows([message_id]) == {}
    done = answer(*arguments, callback_id)
    assert done.returncode == 0, done.stderr
    row = expenses.row(message_id)
    assert (row["status"]["S"], row["reason"]["S"]) == (status, reason)
    late = answer(*arguments, callback_id)
    assert late.returncode == 6
    assert "No execution waits for callback" in late.stderr


def test_approval_expires_or_fails_without_a_clear_answer(applied: Applied) -> None:
    expenses = applied("approval")
    (message_id,) = expenses.send([{"text": "taxi", "seconds_to_answer": 1}])
    assert expenses.row(message_id)["status"] == {"S": "EXPIRED"}
    question(expenses, "taxi")

    (unclear,) = expenses.send([{"text": "hotel"}])
    assert answer("succeed", "--result=perhaps", question(expenses, "hotel")).returncode == 0
    letter = only(eventually(lambda: expenses.peek("failed_queue_url") or None))
    assert json.loads(letter["Body"])["messageId"] == unclear
    assert "the answer is not" in letter["MessageAttributes"]["ErrorMessage"]["StringValue"]
    assert expenses.rows([unclear]) == {}


def test_existing_queue_role_and_bucket_are_used_and_left_as_they_are(applied: Applied, sandbox: Sandbox) -> None:
    parcels = applied("existing-queue")
    good, bad = parcels.send([{"to": "Lisbon"}, {"from": "Lisbon"}])
    runs = parcels.ended([good, bad])
    assert json.loads(runs[good]["Result"]) == {"label": f"LIS-{good[:8]}", "arrived_in": "Lisbon"}
    assert days(runs[good]) >= 3
    assert runs[bad]["Status"] == "FAILED"
    parcels.drained()

    role = parcels.functions.get_function(FunctionName=parcels.outputs["function_name"])["Configuration"]["Role"]
    policies = sandbox.client("iam").list_role_policies(RoleName=role.rsplit("/", 1)[1])["PolicyNames"]
    assert (role.rsplit("/", 1)[1], policies) == ("parcels-incoming-service", ["service"])

    command = [str(Path(sys.executable).with_name("durable-ops")), "dead-letters", "list", "parcels", "--json"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert listed.returncode == 0, listed.stderr
    assert "parcels-incoming-gave-up" in listed.stdout
    assert "the body is no JSON object with `to`" in listed.stdout


@pytest.mark.parametrize("name", NAMES)
def test_second_plan_is_empty(examples: Examples, name: str) -> None:
    examples.applied(name)
    examples.assert_nothing_to_change(name)


def test_destroy_leaves_nothing(examples: Examples, sandbox: Sandbox, before: set[str]) -> None:
    assert inventory(sandbox) > before
    examples.destroy()
    assert inventory(sandbox) == before
