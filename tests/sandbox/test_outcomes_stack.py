"""on_failure and on_success of the root: who is told how an execution ended, once, and what if that cannot be told."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import pytest
from deployment import Deployment, inventory
from observe import Pipeline, kill_busy
from pytest_terraform import terraform

from durable_sandbox.pytest_plugin import Sandbox, eventually

pytestmark = pytest.mark.timeout(240)  # the first test applies, which takes a minute

ALERTS, SUCCESSES = "alerts_queue_url", "on_success_queue_url"
UNDELIVERED = "outcomes_dead_letter_queue_url"
KILLS = 4
ROUND = 12
"""Messages between two looks for an environment to kill."""


@pytest.fixture(scope="module")
def before(sandbox: Sandbox) -> set[str]:
    """What was in the account before the apply."""
    return inventory(sandbox)


class Jobs(Pipeline):
    """The applied scenario, and what its targets got so far."""

    def __init__(self, sandbox: Sandbox, outputs: Mapping[str, Any]) -> None:
        super().__init__(sandbox, outputs)
        self.records: dict[str, list[dict[str, Any]]] = {ALERTS: [], SUCCESSES: []}
        self.letters: list[dict[str, Any]] = []

    def work(self, *ends: str, **fields: Any) -> list[dict[str, Any]]:
        """Send a message for each of ``ends``; its executions once all have ended."""
        ended = self.ended(self.send([{"end": end, **fields} for end in ends]))
        return list(ended.values())

    def collect(self) -> None:
        """Take what the targets have got."""
        for queue, records in self.records.items():
            records += [json.loads(message["Body"]) for message in self._drain(self.outputs[queue])]
        self.letters += self._drain(self.outputs[UNDELIVERED])

    def told(self, queue: str, executions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The records of these executions on a target, in their order, once each has one."""

        def all_told() -> list[dict[str, Any]] | None:
            self.collect()
            found = {record["requestContext"]["executionArn"]: record for record in self.records[queue]}
            arns = [execution["DurableExecutionArn"] for execution in executions]
            return [found[arn] for arn in arns] if all(arn in found for arn in arns) else None

        return eventually(all_told, 30, f"of {len(executions)} records on {queue}")

    def all_executions(self) -> dict[str, str]:
        """Status by ARN of every execution that there has been."""
        pages = self.functions.get_paginator("list_durable_executions_by_function")
        answers = pages.paginate(FunctionName=self.outputs["function_name"])
        return {run["DurableExecutionArn"]: run["Status"] for page in answers for run in page["DurableExecutions"]}


@pytest.fixture(scope="module")
def deployed(before: set[str], sandbox: Sandbox, request: pytest.FixtureRequest) -> Jobs:  # noqa: ARG001 - order
    applied = request.getfixturevalue("outcomes")
    return Jobs(sandbox, {name: output["value"] for name, output in applied.outputs.items()})


def moment(text: str) -> datetime:
    """A time of a record, to the millisecond."""
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text), text
    return datetime.fromisoformat(text)


def assert_record(record: dict[str, Any], execution: Mapping[str, Any], status: str) -> None:
    """The record as the README of `outcome-events` shows it, of this execution."""
    response = record["responseContext"]
    assert moment(response["startTimestamp"]) == execution["StartTimestamp"]
    assert moment(response["endTimestamp"]) == execution["EndTimestamp"]
    assert record == {
        "version": "1.0",
        "timestamp": response["endTimestamp"][:19] + "Z",
        "requestContext": {
            "functionArn": execution["FunctionArn"],
            "condition": status,
            "executionArn": execution["DurableExecutionArn"],
            "executionName": execution["DurableExecutionName"],
        },
        "responseContext": {**response, "status": status},
    }


@terraform("outcomes", scope="module")
def test_a_success_is_told(deployed: Jobs) -> None:
    executions = deployed.work("succeed", "succeed")
    for record, execution in zip(deployed.told(SUCCESSES, executions), executions, strict=True):
        assert_record(record, execution, "SUCCEEDED")


def test_a_failure_is_told_and_its_event_kept(deployed: Jobs) -> None:
    executions = deployed.work("fail", "fail")
    for record, execution in zip(deployed.told(ALERTS, executions), executions, strict=True):
        assert_record(record, execution, "FAILED")
    failures = eventually(lambda: found if len(found := deployed.peek("failed_queue_url")) == 2 else None)
    assert {message["Body"] for message in failures} == {execution["InputPayload"] for execution in executions}


def test_an_execution_that_takes_too_long_is_told(deployed: Jobs) -> None:
    (execution,) = deployed.work("outlast")
    (record,) = deployed.told(ALERTS, [execution])
    assert_record(record, execution, "TIMED_OUT")


def test_an_execution_is_told_when_it_is_stopped_and_not_while_it_runs(deployed: Jobs) -> None:
    (message_id,) = deployed.send([{"end": "wait"}])
    (running,) = eventually(lambda: deployed.executions([message_id])[message_id] or None)
    arn = running["DurableExecutionArn"]
    # What comes later is told, this one is not.
    deployed.told(SUCCESSES, [_ended(deployed, "succeed")])
    deployed.told(ALERTS, [_ended(deployed, "fail")])
    assert arn not in _told_arns(deployed)
    assert deployed.execution(arn)["Status"] == "RUNNING"

    deployed.functions.stop_durable_execution(DurableExecutionArn=arn)
    (record,) = deployed.told(ALERTS, [running])
    assert_record(record, deployed.execution(arn), "STOPPED")


def _ended(jobs: Jobs, end: str) -> dict[str, Any]:
    """An execution that has ended while others run."""
    (message_id,) = jobs.send([{"end": end}])

    def probe() -> dict[str, Any] | None:
        found = jobs.executions([message_id])[message_id]
        return next((run for run in found if run["Status"] != "RUNNING"), None)

    return eventually(probe, what=f"to {end}")


def _told_arns(jobs: Jobs) -> Counter[str]:
    jobs.collect()
    return Counter(record["requestContext"]["executionArn"] for records in jobs.records.values() for record in records)


def test_executions_whose_environment_is_killed_are_told_once(deployed: Jobs) -> None:
    """A killed handler is started again and replays; only its end is an outcome."""
    names = {deployed.outputs["function_name"]}
    ids: list[str] = []

    def kill() -> bool | None:
        if not deployed.running():
            ids.extend(deployed.send([{"end": end, "seconds": 0.3} for end in ("succeed", "fail") * (ROUND // 2)]))
        return True if kill_busy(deployed.sandbox, names) else None

    for number in range(KILLS):
        eventually(kill, what=f"for a busy environment, the {number + 1}th")
    executions = list(deployed.ended(ids).values())
    good = [execution for execution in executions if execution["Status"] == "SUCCEEDED"]
    bad = [execution for execution in executions if execution["Status"] == "FAILED"]
    assert len(good) == len(bad) == len(ids) / 2
    deployed.told(SUCCESSES, good)
    deployed.told(ALERTS, bad)
    told = _told_arns(deployed)
    assert {told[execution["DurableExecutionArn"]] for execution in executions} == {1}


def test_executions_of_another_function_are_not_told(deployed: Jobs) -> None:
    """Though its name begins with this one's."""
    records = [
        {"messageId": str(number), "body": json.dumps({"end": end})} for number, end in enumerate(("succeed", "fail"))
    ]
    answers = [
        deployed.functions.invoke(
            FunctionName=deployed.outputs["other_alias_arn"], InvocationType="Event", Payload=json.dumps([record])
        )
        for record in records
    ]
    arns = [answer["DurableExecutionArn"] for answer in answers]
    eventually(lambda: True if all(deployed.execution(arn)["Status"] != "RUNNING" for arn in arns) else None)
    assert [deployed.execution(arn)["Status"] for arn in arns] == ["SUCCEEDED", "FAILED"]
    # What ends later is told.
    deployed.told(SUCCESSES, deployed.work("succeed"))
    deployed.told(ALERTS, deployed.work("fail"))
    assert not set(arns) & set(_told_arns(deployed))


@pytest.fixture
def locked(deployed: Jobs) -> Iterator[Jobs]:
    """The scenario, its queue of alerts without the policy that lets the rule in; it gets it back."""
    url = deployed.outputs[ALERTS]
    policy = deployed.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"]
    deployed.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    yield deployed
    deployed.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})


def test_an_outcome_that_cannot_be_told_is_in_the_dead_letter_queue(locked: Jobs) -> None:
    executions = locked.work("fail")
    (execution,) = executions
    locked.told(SUCCESSES, locked.work("succeed"))
    (letter,) = eventually(lambda: locked.collect() or locked.letters or None, 30, "of dead letters")
    event = json.loads(letter["Body"])
    assert (event["source"], event["detail-type"]) == ("aws.lambda", "Durable Execution Status Change")
    detail = event["detail"]
    assert moment(detail.pop("startTimestamp")) == execution["StartTimestamp"]
    assert moment(detail.pop("endTimestamp")) == execution["EndTimestamp"]
    assert detail == {
        "durableExecutionArn": execution["DurableExecutionArn"],
        "durableExecutionName": execution["DurableExecutionName"],
        "functionArn": execution["FunctionArn"],
        "status": "FAILED",
    }
    attributes = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert locked.outputs["alerts_queue_arn"] in attributes.pop("ERROR_MESSAGE")
    assert attributes == {
        "RULE_ARN": locked.outputs["on_failure_rule_arn"],
        "TARGET_ARN": locked.outputs["alerts_queue_arn"],
        "ERROR_CODE": "NO_PERMISSIONS",
        "RETRY_ATTEMPTS": "0",
    }
    assert execution["DurableExecutionArn"] not in _told_arns(locked)


def test_in_the_end_every_execution_was_told_once_and_to_the_right_target(deployed: Jobs) -> None:
    """Of all the tests above: what was not delivered is in the dead-letter queue, and nothing came twice."""
    deployed.told(ALERTS, deployed.work("fail"))
    statuses = deployed.all_executions()
    undelivered = {json.loads(letter["Body"])["detail"]["durableExecutionArn"] for letter in deployed.letters}
    good = {arn for arn, status in statuses.items() if status == "SUCCEEDED"}
    assert len(undelivered) == len(deployed.letters) == 1
    assert set(statuses.values()) == {"SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED"}

    def outcomes(queue: str) -> Counter[tuple[str, str]]:
        contexts = [record["requestContext"] for record in deployed.records[queue]]
        return Counter((context["executionArn"], context["condition"]) for context in contexts)

    assert outcomes(SUCCESSES) == Counter((arn, "SUCCEEDED") for arn in good)
    assert outcomes(ALERTS) == Counter((arn, s) for arn, s in statuses.items() if arn not in good | undelivered)


def test_plan_after_apply_is_empty(deployed: Jobs, outcomes: Any) -> None:  # noqa: ARG001 - applied
    Deployment.of(outcomes).assert_nothing_to_change()


def test_destroy_leaves_nothing(deployed: Jobs, outcomes: Any, before: set[str]) -> None:
    created = {entry.partition(":")[0] for entry in inventory(deployed.sandbox) - before}
    assert created == {"iam", "lambda", "logs", "pipes", "rule", "s3", "sqs", "stack"}
    Deployment.of(outcomes).changed("destroy")
    assert inventory(deployed.sandbox) - before == set()
