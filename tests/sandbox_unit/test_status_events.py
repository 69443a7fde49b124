"""Durable Execution Status Change events on the default bus: https://docs.aws.amazon.com/lambda/latest/dg/durable-monitoring.html."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from lambda_support import Functions

from durable_sandbox.pytest_plugin import Sandbox, eventually

PREFIX = "arn:aws:lambda:us-east-1:123456789012:function"


class Listener:
    """Durable functions, and a queue for their events through a rule on the default bus."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.functions = Functions(sandbox.client("lambda"))
        self._sqs, self._events = sandbox.client("sqs"), sandbox.client("events")
        self._seen: dict[str, list[dict[str, Any]]] = {}

    def watch(self, function: str, *statuses: str) -> str:
        """Collect the events of one function, of some statuses or all; returns the URL of their queue."""
        name = f"status-{uuid4().hex[:12]}"
        url: str = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        queue = f"arn:aws:sqs:us-east-1:123456789012:{name}"
        allow = {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue,
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        self._sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        detail: dict[str, Any] = {"functionArn": [{"prefix": f"{PREFIX}:{function.partition(':')[0]}:"}]}
        if statuses:
            detail["status"] = list(statuses)
        pattern = {"source": ["aws.lambda"], "detail-type": ["Durable Execution Status Change"], "detail": detail}
        self._events.put_rule(Name=name, EventPattern=json.dumps(pattern))
        self._events.put_targets(Rule=name, Targets=[{"Id": "q", "Arn": queue}])
        return url

    def seen(self, url: str, count: int) -> list[dict[str, Any]]:
        """The events of a queue once there are ``count`` and no more come."""
        seen = self._seen.setdefault(url, [])

        def enough() -> bool | None:
            messages = self._sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get(
                "Messages", []
            )
            for message in messages:
                self._sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            seen.extend(json.loads(message["Body"]) for message in messages)
            return None if messages or len(seen) < count else True

        eventually(enough)
        return seen

    def statuses(self, url: str, count: int = 2) -> list[str]:
        """The statuses told of."""
        return [event["detail"]["status"] for event in self.seen(url, count)]


@pytest.fixture
def listener(sandbox: Sandbox) -> Listener:
    return Listener(sandbox)


def _shown(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_the_events_of_an_execution_are_as_documented(listener: Listener) -> None:
    live = listener.functions.durable()
    name = live.partition(":")[0]
    url = listener.watch(live)
    arn = listener.functions.start(live, {"hold": 1800}, DurableExecutionName="order-123")
    execution = listener.functions.finished(arn)
    running, succeeded = listener.seen(url, 2)
    started = {
        "durableExecutionArn": arn,
        "durableExecutionName": "order-123",
        "functionArn": f"{PREFIX}:{name}:1",
        "status": "RUNNING",
        "startTimestamp": _shown(execution["StartTimestamp"]),
    }
    assert running == {
        "version": "0",
        "id": running["id"],
        "detail-type": "Durable Execution Status Change",
        "source": "aws.lambda",
        "account": "123456789012",
        "time": execution["StartTimestamp"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": "us-east-1",
        "resources": [],
        "detail": started,
    }
    ended = {"status": "SUCCEEDED", "endTimestamp": _shown(execution["EndTimestamp"])}
    assert succeeded["detail"] == started | ended
    assert succeeded["id"] != running["id"]
    assert succeeded["time"] == execution["EndTimestamp"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _stopped(functions: Functions, live: str) -> None:
    arn = functions.start(live, {"callback": True})
    functions.client.stop_durable_execution(DurableExecutionArn=arn)
    functions.client.stop_durable_execution(DurableExecutionArn=arn)


def _failed(functions: Functions, live: str) -> None:
    functions.start(live, {"fail": "no good"})


def _timed_out(functions: Functions, live: str) -> None:
    functions.start(live, {"hold": 100_000})


def _named_twice(functions: Functions, live: str) -> None:
    first = functions.start(live, {"value": 1}, DurableExecutionName="once")
    functions.finished(first)
    assert functions.start(live, {"value": 1}, DurableExecutionName="once") == first


def _synchronous(functions: Functions, live: str) -> None:
    functions.client.invoke(FunctionName=live, Payload=b'{"value": 1}')


@pytest.mark.parametrize(
    ("run", "end", "timeout"),
    [
        (_failed, "FAILED", 86_400),
        (_stopped, "STOPPED", 86_400),
        (_timed_out, "TIMED_OUT", 86_400),
        (_named_twice, "SUCCEEDED", 86_400),
        (_synchronous, "SUCCEEDED", 900),
    ],
)
def test_each_status_is_told_once(
    listener: Listener, run: Callable[[Functions, str], None], end: str, timeout: int
) -> None:
    live = listener.functions.durable(timeout=timeout)
    url = listener.watch(live)
    run(listener.functions, live)
    assert listener.statuses(url) == ["RUNNING", end]
    detail = listener.seen(url, 2)[1]["detail"]
    assert set(detail) == {
        "durableExecutionArn",
        "durableExecutionName",
        "functionArn",
        "status",
        "startTimestamp",
        "endTimestamp",
    }


def test_a_chained_execution_tells_for_itself(listener: Listener) -> None:
    child, parent = listener.functions.durable(), listener.functions.durable()
    of_child, of_parent = listener.watch(child), listener.watch(parent)
    listener.functions.finished(listener.functions.start(parent, {"invoke": child}))
    assert listener.statuses(of_child) == ["RUNNING", "SUCCEEDED"]
    assert listener.statuses(of_parent) == ["RUNNING", "SUCCEEDED"]


def test_a_deleted_function_stops_what_runs(listener: Listener) -> None:
    live = listener.functions.durable()
    url = listener.watch(live)
    listener.functions.start(live, {"callback": True})
    listener.functions.client.delete_function(FunctionName=live.partition(":")[0])
    assert listener.statuses(url) == ["RUNNING", "STOPPED"]


def test_many_executions_are_told_of_once_each(listener: Listener) -> None:
    live = listener.functions.durable()
    failed, all_of_them = listener.watch(live, "FAILED"), listener.watch(live)
    arns = [listener.functions.start(live, {"fail": "no"} if n % 5 == 0 else {"value": n}) for n in range(25)]
    events = listener.seen(all_of_them, 50)
    told = [(event["detail"]["durableExecutionArn"], event["detail"]["status"]) for event in events]
    assert sorted(told) == sorted(
        (arn, status) for n, arn in enumerate(arns) for status in ("RUNNING", "FAILED" if n % 5 == 0 else "SUCCEEDED")
    )
    assert {event["detail"]["durableExecutionArn"] for event in listener.seen(failed, 5)} == set(arns[::5])
    assert len(listener.seen(failed, 5)) == 5
