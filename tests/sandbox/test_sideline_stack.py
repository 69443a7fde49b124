"""Backlog protection, applied: late messages step aside, fresh ones are served at once, and the rest later.

``SIDELINE_OLD=10000`` makes it the backlog that the feature is for; that takes five CPU minutes.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from deployment import Deployment, inventory
from observe import Pipeline
from pytest_terraform import terraform

from durable_sandbox.pytest_plugin import Sandbox, eventually

pytestmark = pytest.mark.timeout(420)  # the first test applies, which takes a minute, and thousands of executions run

OLD = int(os.environ.get("SIDELINE_OLD", "1500"))
QUIET = 100
"""Of the old ones, the last, and of another tenant."""
MAX_AGE = 3.0
SERVED_WITHIN = 5.0
LATER = 1000
"""Starts a second once the fresh ones have been served: more than there can be."""


@dataclass(frozen=True)
class Outage:
    """The ids of the messages that came before the dispatcher did, and what became of those that came after.

    Attributes:
        fresh: Seconds from the sending of a message to the end of its execution, by message id.
        waiting: How many messages were on the backlog queue when each of these was sent.
    """

    noisy: Sequence[str]
    quiet: Sequence[str]
    fresh: Mapping[str, float]
    waiting: Sequence[int]


class Sidelined(Pipeline):
    """The applied scenario."""

    def poll(self, *, enabled: bool) -> None:
        """Let the dispatcher get messages of the source queue, or not; the backlog's mapping is left alone."""
        uuid = self.outputs["event_source_mapping_uuid"]
        self.functions.update_event_source_mapping(UUID=uuid, Enabled=enabled)
        state = "Enabled" if enabled else "Disabled"
        eventually(lambda: self.functions.get_event_source_mapping(UUID=uuid)["State"] == state or None)

    def send_for(self, tenant: str, count: int) -> list[str]:
        """Send messages of a tenant; returns their ids."""
        ids: list[str] = []
        for start in range(0, count, 10):
            entries = [
                {"Id": str(i), "MessageBody": f"{tenant} {start + i}", "MessageGroupId": tenant}
                for i in range(min(10, count - start))
            ]
            answer = self.sqs.send_message_batch(QueueUrl=self.outputs["queue_url"], Entries=entries)
            assert not answer.get("Failed")
            ids += [sent["MessageId"] for sent in answer["Successful"]]
        return ids

    def serve(self, tenant: str) -> tuple[str, float]:
        """Send one message and wait for the end of its execution: its id, and the seconds until then."""
        began = time.time()
        (message_id,) = self.send_for(tenant, 1)
        ended = eventually(lambda: self._ended(message_id), 60, "of a fresh message")
        return message_id, ended - began

    def _ended(self, message_id: str) -> float | None:
        (one,) = self.summaries(DurableExecutionName=message_id) or [{}]
        return one["EndTimestamp"].timestamp() if one.get("Status") == "SUCCEEDED" else None

    def idle_now(self) -> bool:
        """Whether no execution runs: a look at one, for there may be thousands."""
        answer = self.functions.list_durable_executions_by_function(
            FunctionName=self.outputs["function_name"], Statuses=["RUNNING"], MaxItems=1
        )
        return not answer["DurableExecutions"]

    def summaries(self, **filters: str) -> list[dict[str, Any]]:
        """All executions."""
        pages = self.functions.get_paginator("list_durable_executions_by_function")
        answers = pages.paginate(FunctionName=self.outputs["function_name"], **filters)
        return [summary for page in answers for summary in page["DurableExecutions"]]


@pytest.fixture(scope="module")
def before(sandbox: Sandbox) -> set[str]:
    """What was in the account before the apply."""
    return inventory(sandbox)


@pytest.fixture(scope="module")
def deployed(before: set[str], sandbox: Sandbox, request: pytest.FixtureRequest) -> Sidelined:  # noqa: ARG001 - order
    applied = request.getfixturevalue("sideline")
    return Sidelined(sandbox, {name: output["value"] for name, output in applied.outputs.items()})


@pytest.fixture(scope="module")
def outage(deployed: Sidelined) -> Outage:
    """Messages pile up while nobody takes them; then the dispatcher is back, and more come."""
    deployed.poll(enabled=False)
    noisy, quiet = deployed.send_for("noisy", OLD - QUIET), deployed.send_for("quiet", QUIET)
    sent = time.monotonic()
    eventually(lambda: time.monotonic() - sent > MAX_AGE + 0.5 or None, what="for the messages to be old")
    deployed.poll(enabled=True)
    eventually(lambda: deployed.depth("queue_url") == 0 or None, 60, "for the old messages to step aside")
    fresh, waiting = {}, []
    for _ in range(10):
        waiting.append(deployed.depth("backlog_queue_url"))
        message_id, seconds = deployed.serve("fresh")
        fresh[message_id] = seconds
    return Outage(noisy, quiet, fresh, waiting)


@terraform("sideline", scope="module")
def test_a_fresh_message_is_served_before_the_backlog(outage: Outage, sideline: Any) -> None:  # noqa: ARG001 - applied
    assert min(outage.waiting) > OLD / 2
    assert max(outage.fresh.values()) < SERVED_WITHIN, outage


def test_the_backlog_drains_and_nothing_is_lost_or_run_twice(
    deployed: Sidelined, outage: Outage, sideline: Any
) -> None:
    Deployment.of(sideline).changed("apply", starts_per_second=LATER)
    eventually(lambda: deployed.depth("backlog_queue_url") == 0 or None, 240, "for the backlog to drain")
    eventually(lambda: deployed.idle_now() or None, 180, "for executions to end")

    found = Counter((one["DurableExecutionName"], one["Status"]) for one in deployed.summaries())
    sent = [*outage.noisy, *outage.quiet, *outage.fresh]
    assert len(sent) == OLD + len(outage.fresh)
    assert found == Counter((message_id, "SUCCEEDED") for message_id in sent)
    for queue in ("queue_url", "dead_letter_queue_url", "backlog_dead_letter_queue_url", "failed_queue_url"):
        assert deployed.depth(queue) == 0


def test_an_execution_gets_what_was_sent(deployed: Sidelined, outage: Outage) -> None:
    (summary,) = deployed.summaries(DurableExecutionName=outage.noisy[0])
    payload = deployed.execution(summary["DurableExecutionArn"])["InputPayload"]
    assert outage.noisy[0] in payload
    assert "DurablePipeline" not in payload
    assert '"body":"noisy 0"' in payload
    assert '"MessageGroupId":"noisy"' in payload


def test_a_quiet_tenant_does_not_wait_for_a_noisy_one(deployed: Sidelined, outage: Outage) -> None:
    """It sent last, and its group is known on the backlog queue too."""
    starts = {one["DurableExecutionName"]: one["StartTimestamp"] for one in deployed.summaries()}
    last = max(starts[message_id] for message_id in outage.quiet)
    assert sum(starts[message_id] < last for message_id in outage.noisy) < OLD / 2


def test_second_plan_is_empty(deployed: Sidelined, sideline: Any) -> None:  # noqa: ARG001 - as the messages left it
    Deployment.of(sideline).assert_nothing_to_change(starts_per_second=LATER)


def test_destroy_leaves_nothing(before: set[str], sandbox: Sandbox, sideline: Any) -> None:
    Deployment.of(sideline).changed("destroy")
    assert inventory(sandbox) == before
