"""Lambda's queue of asynchronous events, by itself: how often, how long, and what is reported where."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from durable_sandbox.aws.arns import Arn
from durable_sandbox.aws.call import Caller
from durable_sandbox.aws.clock import TimePolicy
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.aws.identity import Identities
from durable_sandbox.events.async_metrics import AsyncCounts, AsyncMetrics
from durable_sandbox.events.async_queue import AsyncEvent, AsyncPolicy, AsyncQueue
from durable_sandbox.events.destinations import Answer

REGION, NAME = "us-east-1", "orders"
FUNCTION = f"arn:aws:lambda:{REGION}:123456789012:function:{NAME}"
QUEUE = f"arn:aws:sqs:{REGION}:123456789012"
ROLE = Identities("123456789012").root("role")
EVENT = AsyncEvent("r-1", b'{"n": 1}', REGION, NAME, f"{FUNCTION}:live")
POLICY = AsyncPolicy(
    ROLE,
    dead_letter_target=f"{QUEUE}:dead",
    on_success=Arn.parse(f"{QUEUE}:done"),
    on_failure=Arn.parse(f"{QUEUE}:failed"),
)
GOOD = Answer("7", b'{"ok": true}')
BAD = Answer("7", b'{"errorMessage": "no good", "errorType": "ValueError"}', "Unhandled")
THROTTLED = AwsError("TooManyRequestsException", "Rate Exceeded.", status=429)
GONE = AwsError("ResourceNotFoundException", f"Function not found: {FUNCTION}", status=404)


@dataclass
class FakeApi:
    """Notes every call, and refuses those to the ARNs in ``refusals`` with their errors, one after another."""

    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refusals: dict[str, list[Exception]] = field(default_factory=dict)

    async def call(
        self, caller: Caller, region: str, service: str, operation: str, params: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        assert (caller, region) == (ROLE, REGION)
        for name, errors in self.refusals.items():
            if errors and name in str(params):
                raise errors.pop(0)
        self.calls.append((f"{service}:{operation}", dict(params)))
        return {}

    def sent(self, queue: str) -> list[dict[str, Any]]:
        """Messages to a queue."""
        return [params for _, params in self.calls if str(params.get("QueueUrl")).endswith(f"/{queue}")]

    def record(self, queue: str) -> dict[str, Any]:
        """The only record in a queue."""
        (message,) = self.sent(queue)
        found: dict[str, Any] = json.loads(message["MessageBody"])
        return found


@dataclass
class FakeFunction:
    """Answers with ``answers``, the last of them for ever."""

    answers: Sequence[Answer | Exception]
    settings: AsyncPolicy = POLICY
    attempts: int = 0

    def policy(self) -> AsyncPolicy:
        return self.settings

    async def attempt(self) -> Answer:
        answer = self.answers[min(self.attempts, len(self.answers) - 1)]
        self.attempts += 1
        if isinstance(answer, Exception):
            raise answer
        return answer


def settle(
    function: FakeFunction, api: FakeApi | None = None, *, event: AsyncEvent = EVENT, scale: float = 1e6
) -> tuple[FakeApi, AsyncCounts]:
    """Run one event to its end; what was sent and counted."""
    api, metrics = api or FakeApi(), AsyncMetrics()

    async def run() -> None:
        queue = AsyncQueue(api, TimePolicy(time_scale=scale), metrics)
        queue.accept(event, function)
        async with asyncio.timeout(20):
            while queue.waiting:  # noqa: ASYNC110 - the queue tells nobody
                await asyncio.sleep(0.001)

    asyncio.run(run())
    return api, metrics.of(REGION, NAME)


def context(record: Mapping[str, Any]) -> tuple[str, int]:
    """Condition and count."""
    return record["requestContext"]["condition"], record["requestContext"]["approximateInvokeCount"]


def test_a_success_goes_to_its_destination_alone() -> None:
    function = FakeFunction([GOOD])
    api, counts = settle(function)
    record = api.record("done")
    assert record.pop("timestamp").endswith("Z")
    assert record == {
        "version": "1.0",
        "requestContext": {
            "requestId": "r-1",
            "functionArn": f"{FUNCTION}:live",
            "condition": "Success",
            "approximateInvokeCount": 1,
        },
        "requestPayload": {"n": 1},
        "responseContext": {"statusCode": 200, "executedVersion": "7"},
        "responsePayload": {"ok": True},
    }
    assert len(api.calls) == 1
    assert (counts.received, counts.dropped) == (1, 0)


def test_two_retries_after_one_and_two_minutes() -> None:
    function = FakeFunction([BAD])
    api, counts = settle(function)
    assert function.attempts == 3
    assert context(api.record("failed")) == ("RetriesExhausted", 3)
    assert (counts.received, counts.dropped, counts.age.samples) == (1, 1, 3)
    assert counts.age.minimum < 5_000
    assert counts.age.total == pytest.approx(60_000 + 180_000, abs=5_000)
    assert counts.age.maximum == pytest.approx(180_000, abs=5_000)


def test_a_retry_that_succeeds_is_a_success() -> None:
    api, counts = settle(FakeFunction([BAD, GOOD]))
    record = api.record("done")
    assert context(record) == ("Success", 2)
    assert "functionError" not in record["responseContext"]
    assert (api.sent("failed"), api.sent("dead"), counts.dropped) == ([], [], 0)


@pytest.mark.parametrize(("age", "tries"), [(60, 1), (90, 2), (180, 2)])
def test_an_event_is_given_up_before_the_wait_that_would_outlast_its_age(age: int, tries: int) -> None:
    function = FakeFunction([BAD], replace(POLICY, max_age=age))
    api, _ = settle(function)
    record = api.record("failed")
    assert context(record) == ("EventAgeExceeded", tries)
    assert function.attempts == tries
    assert record["responseContext"] == {"statusCode": 200, "executedVersion": "7", "functionError": "Unhandled"}
    assert record["responsePayload"] == {"errorMessage": "no good", "errorType": "ValueError"}


def test_no_retries_are_exhausted_at_once_even_at_the_least_age() -> None:
    api, _ = settle(FakeFunction([BAD], replace(POLICY, max_retries=0, max_age=60)))
    assert context(api.record("failed")) == ("RetriesExhausted", 1)


def test_throttles_and_system_errors_are_no_tries() -> None:
    system = AwsError("KMSAccessDeniedException", "no key", status=502)
    function = FakeFunction([THROTTLED] * 4 + [BAD, system, THROTTLED, OSError("no more processes"), BAD, BAD])
    api, counts = settle(function)
    assert context(api.record("failed")) == ("RetriesExhausted", 3)
    # 1+2+4+8, the minute, 1+2+4 again, the two minutes.
    assert counts.age.maximum == pytest.approx((15 + 60 + 7 + 120) * 1000, abs=5_000)


def test_a_throttled_event_waits_up_to_five_minutes_at_a_time_for_six_hours() -> None:
    function = FakeFunction([THROTTLED])
    api, counts = settle(function, scale=1e8)
    # After waits of 1, 2, 4 ... 256 s (511 s), 70 times 300 s fit into 21,600 s.
    assert function.attempts == 1 + 9 + 70
    record = api.record("failed")
    assert context(record) == ("EventAgeExceeded", 0)
    assert not {"responseContext", "responsePayload"} & set(record)
    (message,) = api.sent("dead")
    assert message["MessageAttributes"]["ErrorCode"]["StringValue"] == "429"
    assert counts.age.samples == 0


def test_zero_reserved_concurrency_attempts_nothing() -> None:
    function = FakeFunction([GOOD], replace(POLICY, attempts=False))
    api, counts = settle(function)
    record = api.record("failed")
    assert context(record) == ("ZeroReservedConcurrency", 0)
    assert record["requestPayload"] == {"n": 1}
    assert not {"responseContext", "responsePayload"} & set(record)
    assert (function.attempts, counts.dropped, len(api.sent("dead"))) == (0, 1, 1)


def test_a_lower_age_drops_what_waits() -> None:
    function = FakeFunction([THROTTLED])
    api = FakeApi()

    async def attempt() -> Answer:
        function.attempts += 1
        if function.attempts == 9:  # 255 s old
            function.settings = replace(POLICY, max_age=200)
        raise THROTTLED

    function.attempt = attempt  # type: ignore[method-assign]
    settle(function, api)
    assert function.attempts == 9
    assert context(api.record("failed")) == ("EventAgeExceeded", 0)


def test_the_dead_letter_queue_and_the_destination_each_get_their_copy() -> None:
    api, counts = settle(FakeFunction([BAD], replace(POLICY, max_retries=0)))
    (dead,) = api.sent("dead")
    assert dead["MessageBody"] == '{"n": 1}'
    assert dead["MessageAttributes"] == {
        "RequestID": {"DataType": "String", "StringValue": "r-1"},
        "ErrorCode": {"DataType": "Number", "StringValue": "200"},
        "ErrorMessage": {"DataType": "String", "StringValue": "no good"},
    }
    assert context(api.record("failed")) == ("RetriesExhausted", 1)
    assert (counts.dropped, counts.dead_letter_errors, counts.destination_delivery_failures) == (1, 0, 0)


def test_what_cannot_be_delivered_is_counted_apart() -> None:
    denied = AwsError("AccessDeniedException", "no", status=403)
    policy = replace(POLICY, max_retries=0)
    api, counts = settle(FakeFunction([BAD], policy), FakeApi(refusals={"/dead": [denied]}))
    assert (counts.dead_letter_errors, counts.destination_delivery_failures) == (1, 0)
    assert len(api.sent("failed")) == 1
    api, counts = settle(FakeFunction([BAD], policy), FakeApi(refusals={"/failed": [denied]}))
    assert (counts.dead_letter_errors, counts.destination_delivery_failures) == (0, 1)
    assert len(api.sent("dead")) == 1
    _, counts = settle(FakeFunction([GOOD], policy), FakeApi(refusals={"/done": [ValueError("a bug")]}))
    assert (counts.dropped, counts.destination_delivery_failures) == (0, 1)


def test_a_destination_that_is_busy_is_asked_again() -> None:
    busy = AwsError("ServiceUnavailable", "later", status=503)
    api, counts = settle(FakeFunction([GOOD]), FakeApi(refusals={"/done": [busy, busy]}))
    assert len(api.sent("done")) == 1
    assert counts.destination_delivery_failures == 0
    _, counts = settle(FakeFunction([GOOD]), FakeApi(refusals={"/done": [busy] * 3}))
    assert counts.destination_delivery_failures == 1


@pytest.mark.parametrize("target", ["lambda", "events", "s3", "sns"])
def test_each_destination_is_called_in_its_way(target: str) -> None:
    arns = {
        "lambda": f"arn:aws:lambda:{REGION}:123456789012:function:next:live",
        "events": f"arn:aws:events:{REGION}:123456789012:event-bus/outcomes",
        "s3": "arn:aws:s3:::failures",
        "sns": f"arn:aws:sns:{REGION}:123456789012:alerts",
    }
    policy = replace(POLICY, max_retries=0, dead_letter_target=None, on_failure=Arn.parse(arns[target]))
    api, _ = settle(FakeFunction([BAD], policy))
    ((called, params),) = api.calls
    if target == "lambda":
        assert called == "lambda:Invoke"
        assert (params["FunctionName"], params["InvocationType"]) == (arns[target], "Event")
        text = params["Payload"]
    elif target == "events":
        assert called == "events:PutEvents"
        (entry,) = params["Entries"]
        assert (entry["Source"], entry["EventBusName"]) == ("lambda", arns[target])
        assert entry["DetailType"] == "Lambda Function Invocation Result - Failure"
        assert entry["Resources"] == [arns[target], f"{FUNCTION}:live"]
        text = entry["Detail"]
    elif target == "s3":
        assert called == "s3:PutObject"
        assert params["Bucket"] == "failures"
        assert params["Key"].startswith(f"aws/lambda/async/{NAME}/2")
        text = params["Body"]
    else:
        assert called == "sns:Publish"
        assert params["TopicArn"] == arns[target]
        text = params["Message"]
    assert context(json.loads(text)) == ("RetriesExhausted", 1)


def test_a_bus_that_refuses_the_entry_is_a_failure() -> None:
    class Refusing(FakeApi):
        async def call(self, *args: Any) -> Mapping[str, Any]:
            del args
            return {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "MalformedDetail", "ErrorMessage": "no"}]}

    bus = Arn.parse(f"arn:aws:events:{REGION}:123456789012:event-bus/outcomes")
    _, counts = settle(FakeFunction([GOOD], replace(POLICY, on_success=bus)), Refusing())
    assert counts.destination_delivery_failures == 1


def test_a_failures_record_too_big_for_a_topic_goes_without_payloads() -> None:
    topic = Arn.parse(f"arn:aws:sns:{REGION}:123456789012:alerts")
    policy = replace(POLICY, max_retries=0, dead_letter_target=None, on_success=topic, on_failure=topic)
    big = replace(EVENT, payload=b'"' + b"x" * 256 * 1024 + b'"')
    api, _ = settle(FakeFunction([BAD], policy), event=big)
    ((_, params),) = api.calls
    record = json.loads(params["Message"])
    assert sorted(record) == ["requestContext", "responseContext", "timestamp", "version"]
    api, _ = settle(FakeFunction([GOOD], policy), event=big)
    ((_, params),) = api.calls
    assert len(json.loads(params["Message"])["requestPayload"]) == 256 * 1024


def test_an_answer_that_is_no_json_is_shown_as_text() -> None:
    api, _ = settle(FakeFunction([Answer("7", b'{"x": NaN}')]))
    assert api.record("done")["responsePayload"] == '{"x": NaN}'


def test_an_event_whose_function_is_gone_is_dropped() -> None:
    api, counts = settle(FakeFunction([THROTTLED, GONE]))
    assert api.calls == []
    assert (counts.received, counts.dropped) == (1, 1)


def test_a_fault_of_the_sandbox_is_told_and_costs_no_event(caplog: pytest.LogCaptureFixture) -> None:
    api, _ = settle(FakeFunction([OSError("no more processes"), GOOD]))
    assert context(api.record("done")) == ("Success", 1)
    assert "no more processes" in caplog.text
