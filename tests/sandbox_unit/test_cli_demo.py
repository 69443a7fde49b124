"""The demo's parts against a small model of the AWS APIs that it reads."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from durable_sandbox.cli import aws
from durable_sandbox.cli.demo import history, report
from durable_sandbox.cli.demo.follow import Follower, Place
from durable_sandbox.cli.demo.messages import Message, build, send
from durable_sandbox.cli.errors import CliError
from durable_sandbox.cli.process import Running
from durable_sandbox.cli.queues import message_ids
from durable_sandbox.cli.stack import Stack

START = datetime(2026, 1, 1, tzinfo=UTC)
RUNNING = Running(4566, 1, real_time=False, time_scale=60.0, version="0", instance="1")
STACK = Stack("http://h/1/p", "http://h/1/p-dlq", "http://h/1/p-failed", "p", "p", "p")


class TestMessages:
    def test_composition(self) -> None:
        messages = build(20, 1800)
        good = [message for message in messages if message.good]
        bad = [message.body for message in messages if not message.good]
        assert (len(messages), len(good)) == (20, 17)
        assert [message.body["hold_seconds"] for message in good if "hold_seconds" in message.body] == [1800]
        assert sum("data_source" not in body or "processing_type" not in body for body in bad) == 2
        assert sum(body.get("data_source") == 20260101 for body in bad) == 1
        assert all(message.body["data_source"] and message.body["processing_type"] for message in good)

    def test_fewest(self) -> None:
        assert [message.good for message in build(4, 5)] == [True, False, False, False]

    def test_refused(self) -> None:
        class Refusing:
            def send_message_batch(self, **_: Any) -> Any:
                return {"Successful": [], "Failed": [{"Id": "0", "Code": "TooBig", "Message": "too big"}]}

        with pytest.raises(CliError, match="refused 1 messages: TooBig too big"):
            send(Refusing(), "http://h/1/p", build(4, 5))

    @pytest.mark.parametrize(
        ("payload", "ids"),
        [
            ({"Records": [{"messageId": "a"}, {"messageId": "b"}]}, ["a", "b"]),
            ([{"messageId": "a"}], ["a"]),
            ({"messageId": "a", "body": "x"}, ["a"]),
            ({"other": 1}, []),
            (5, []),
        ],
    )
    def test_ids_of_every_event_shape(self, payload: Any, ids: list[str]) -> None:
        assert list(message_ids(json.dumps(payload))) == ids

    def test_ids_of_text(self) -> None:
        assert list(message_ids("no json")) == []


FAILURE = {"Error": {"Payload": {"ErrorType": "E", "ErrorMessage": "missing"}}}


def event(kind: str, identifier: str, seconds: float, **more: Any) -> dict[str, Any]:
    return {"EventType": kind, "Id": identifier, "EventTimestamp": START + timedelta(seconds=seconds), **more}


class TestHistory:
    def test_steps_by_message_and_modelled_time(self) -> None:
        events = [
            event("ExecutionStarted", "x", 0),
            event("ContextStarted", "map", 0, Name="messages", SubType="Map"),
            event("ContextStarted", "i0", 0, SubType="MapIteration", ParentId="map"),
            event("ContextStarted", "i1", 0, SubType="MapIteration", ParentId="map"),
            event("ChainedInvokeStarted", "b", 0, Name="validate", ParentId="i1"),
            event("ChainedInvokeStarted", "a", 0, Name="validate", ParentId="i0"),
            event("ChainedInvokeFailed", "b", 1, Name="validate", ParentId="i1", ChainedInvokeFailedDetails=FAILURE),
            event("ChainedInvokeSucceeded", "a", 1, Name="validate", ParentId="i0"),
            event("WaitStarted", "w", 1, Name="hold", ParentId="i0", WaitStartedDetails={"Duration": 1800}),
            event("WaitSucceeded", "w", 1801, Name="hold", ParentId="i0"),
            event("StepStarted", "s", 1801, Name="store", ParentId="i0"),
            event("ExecutionFailed", "x", 1802.5),
        ]
        assert history.read(events, 2) == history.History(
            (("validate", "hold", "store …"), ("validate ✗",)), seconds=1802.5, waited=1800, errors=("", "E: missing")
        )

    def test_batch_with_numbered_names(self) -> None:
        events = [
            event("ChainedInvokeSucceeded", "a", 1, Name="validate-0", ParentId="map"),
            event("ChainedInvokeFailed", "b", 1, Name="validate-1", ParentId="map"),
            event("ChainedInvokeSucceeded", "c", 2, Name="store-0", ParentId="map"),
        ]
        assert history.read(events, 2).steps == (("validate", "store"), ("validate ✗",))

    def test_without_a_map(self) -> None:
        events = [event("StepStarted", "s", 0, Name="one"), event("StepSucceeded", "s", 2, Name="one")]
        assert history.read(events, 1).steps == (("one",),)

    @pytest.mark.parametrize(("seconds", "text"), [(0.42, "0.42 s"), (1802.4, "30 min 2 s"), (86_460, "24 h 1 min")])
    def test_duration(self, seconds: float, text: str) -> None:
        assert report.duration(seconds) == text


def test_reason_of_one_message() -> None:
    first, second = "0f3c5a1e-1111-4222-8333-444455556666", "1f3c5a1e-1111-4222-8333-444455556666"
    error = f"Failed: 2 of 3 messages failed: {first}: KeyError: a; b; {second}: TypeError: c"
    assert report.reason(error, first) == "KeyError: a; b"
    assert report.reason(error, second) == "TypeError: c"
    assert report.reason("it broke", second) == "it broke"
    assert len(report.reason("x" * 500, second)) == 160


def row(message_id: str) -> dict[str, Any]:
    return {"message_id": {"S": message_id}, "stored_at": {"S": "2026-01-01T00:00:01.500+00:00"}}


class World:
    """The APIs that Follower reads. Executions have a status and the message they were started with."""

    def __init__(self) -> None:
        self.queue = 0
        self.executions: dict[str, tuple[str, str]] = {}  # arn -> (status, message id)
        self.rows: set[str] = set()
        self.failed: list[dict[str, Any]] = []
        self.dead: list[dict[str, Any]] = []
        self.hidden: set[str] = set()

    def fail(self, message_id: str, error: str) -> None:
        self.executions[f"arn:{message_id}"] = ("FAILED", message_id)
        body = json.dumps([{"messageId": message_id}])
        attributes = {"ErrorMessage": {"StringValue": error, "DataType": "String"}}
        receipt = f"r{len(self.failed)}"
        self.failed.append({"MessageId": "e", "ReceiptHandle": receipt, "Body": body, "MessageAttributes": attributes})

    def succeed(self, message_id: str, *, row: bool = True) -> None:
        self.executions[f"arn:{message_id}"] = ("SUCCEEDED", message_id)
        if row:
            self.rows.add(message_id)

    def die(self, message_id: str) -> None:
        attributes = {"SentTimestamp": "1767225602250"}
        self.dead.append(
            {"MessageId": message_id, "ReceiptHandle": f"d-{message_id}", "Body": "{}", "Attributes": attributes}
        )

    # --- the API's operations

    def list_durable_executions_by_function(self, **request: Any) -> Any:
        found = list(self.executions.items())
        first = int(request.get("Marker", 0))
        page = [
            {"DurableExecutionArn": arn, "DurableExecutionName": arn, "Status": status, "StartTimestamp": START}
            for arn, (status, _) in found[first : first + 2]
        ]
        more = {"NextMarker": str(first + 2)} if first + 2 < len(found) else {}
        return {"DurableExecutions": page, **more}

    def get_durable_execution(self, **request: Any) -> Any:
        _, message_id = self.executions[request["DurableExecutionArn"]]
        return {"InputPayload": json.dumps([{"messageId": message_id}]), "Error": {"ErrorType": "E"}}

    def get_durable_execution_history(self, **_: Any) -> Any:
        return {"Events": [event("ExecutionStarted", "x", 0)]}

    def batch_get_item(self, **request: Any) -> Any:
        ((table, wanted),) = request["RequestItems"].items()
        keys = [key["message_id"]["S"] for key in wanted["Keys"]]
        return {"Responses": {table: [row(key) for key in keys if key in self.rows]}}

    def _of(self, url: str) -> list[dict[str, Any]]:
        return {"p-failed": self.failed, "p-dlq": self.dead}[url.rsplit("/", 1)[-1]]

    def receive_message(self, **request: Any) -> Any:
        assert request["WaitTimeSeconds"] == 0, "a long poll would outlast the visibility timeout"
        visible = [m for m in self._of(request["QueueUrl"]) if m["ReceiptHandle"] not in self.hidden][:10]
        self.hidden |= {message["ReceiptHandle"] for message in visible}
        return {"Messages": visible} if visible else {}

    def change_message_visibility_batch(self, **request: Any) -> Any:
        self.hidden -= {entry["ReceiptHandle"] for entry in request["Entries"]}
        return {}

    def get_queue_attributes(self, **request: Any) -> Any:
        depth = self.queue if request["QueueUrl"] == STACK.queue_url else len(self.dead)
        return {"Attributes": {"ApproximateNumberOfMessages": str(depth)}}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr(aws, "client", lambda *_, **__: world)
    monkeypatch.setattr("durable_sandbox.cli.demo.follow._QUIET_SECONDS", 0.0)
    monkeypatch.setattr("durable_sandbox.cli.demo.follow._POLL_SECONDS", 0.001)
    return world


Make = Callable[..., Follower]


@pytest.fixture
def follower(world: World) -> Make:
    assert not world.executions, "made before the world has a history"

    def make(*, returns: bool = False, **good: bool) -> Follower:
        messages = [Message(name, {}, good=is_good, message_id=name) for name, is_good in good.items()]
        return Follower(RUNNING, STACK, messages, START, returns=returns)

    return make


def finish(follower: Follower, timeout: float = 5.0) -> tuple[report.Figures, list[str]]:
    follower.follow(timeout, lambda _: None)
    follower.settle()
    figures = report.Figures.of(follower.tracked.values(), 1.0)
    return figures, report.problems(follower, figures)


class TestFollower:
    def test_all_as_expected(self, world: World, follower: Make) -> None:
        watched = follower(a=True, b=True, c=False)
        world.executions["arn:old"] = ("FAILED", "of an earlier run")
        world.failed.append({"ReceiptHandle": "old", "Body": json.dumps([{"messageId": "of an earlier run"}])})
        world.succeed("a")
        world.succeed("b")
        world.fail("c", "processing_type is missing")
        figures, problems = finish(watched)
        assert figures == report.Figures(3, 2, 1, 0, 1.0)
        assert problems == []
        assert watched.tracked["c"].error == "processing_type is missing"
        assert world.hidden == set(), "what was peeked at is given back"

    def test_table_shows_every_message(self, world: World, follower: Make) -> None:
        watched = follower(a=True, c=False)
        world.succeed("a")
        world.fail("c", "[bad] input")
        finish(watched)
        console = Console(width=200, file=io.StringIO(), record=True)
        console.print(report.table(watched, STACK))
        text = console.export_text()
        assert "row in table p" in text
        assert "p-failed: [bad] input" in text

    def test_success_without_a_row_is_lost(self, world: World, follower: Make) -> None:
        watched = follower(a=True, b=True)
        world.succeed("a")
        world.succeed("b", row=False)
        figures, problems = finish(watched)
        assert (figures.succeeded, figures.lost) == (1, 1)
        assert any("1 messages are lost" in problem for problem in problems)

    def test_row_counts_though_its_batch_failed(self, world: World, follower: Make) -> None:
        watched = follower(a=True)
        world.fail("a", "another message of the batch")
        world.rows.add("a")
        figures, problems = finish(watched)
        assert (figures.succeeded, problems) == (1, [])

    def test_never_started_is_lost_when_the_queue_is_empty(self, follower: Make) -> None:
        watched = follower(a=True)
        figures, _ = finish(watched)
        assert figures.lost == 1

    def test_failure_without_an_event_is_lost(self, world: World, follower: Make) -> None:
        watched = follower(a=False)
        world.executions["arn:a"] = ("FAILED", "a")
        figures, _ = finish(watched)
        assert (figures.failed, figures.lost) == (0, 1)

    def test_dead_letter(self, world: World, follower: Make) -> None:
        watched = follower(a=True)
        world.die("a")
        figures, problems = finish(watched)
        assert (figures.failed, figures.lost) == (1, 0)
        assert "ended in the dead-letter queue" in problems[0]

    def test_good_one_that_fails_is_a_problem(self, world: World, follower: Make) -> None:
        watched = follower(a=True)
        world.fail("a", "x")
        figures, problems = finish(watched)
        assert figures.failed == 1
        assert problems == ["Message a ended in the failed queue; it should have ended in the table."]

    def test_timeout_says_what_is_where(self, world: World, follower: Make) -> None:
        watched = follower(a=True, b=True)
        world.queue = 1
        world.executions["arn:a"] = ("RUNNING", "a")
        figures, problems = finish(watched, timeout=0.0)
        assert (figures.lost, figures.unended) == (0, 2)
        assert watched.tracked["b"].place is Place.QUEUE
        assert problems == ["2 messages have not ended. On the queue: 1; executions running: 1."]

    def test_second_delivery_is_waited_for(self, world: World, follower: Make) -> None:
        watched = follower(a=True)
        world.succeed("a")
        world.executions["arn:again"] = ("RUNNING", "a")
        watched.poll()
        watched.depths = type(watched.depths)(0, 0)
        assert not watched.done
        world.executions["arn:again"] = ("SUCCEEDED", "a")
        figures, problems = finish(watched)
        assert (figures.succeeded, problems) == (1, [])


class TestBehindAMapping:
    """What fails returns to the queue, though its execution succeeds, and ends in the dead-letter queue."""

    def test_dead_letters_are_where_the_failing_ones_belong(self, world: World, follower: Make) -> None:
        watched = follower(returns=True, a=True, c=False)
        world.succeed("a")
        world.succeed("c", row=False)
        world.die("c")
        figures, problems = finish(watched)
        assert (figures.succeeded, figures.failed, figures.lost, problems) == (1, 1, 0, [])

    def test_waits_for_its_redelivery(self, world: World, follower: Make) -> None:
        watched = follower(returns=True, c=False)
        world.succeed("c", row=False)
        world.queue = 1
        watched.poll()
        assert watched.tracked["c"].place is Place.RETURNED
        assert not watched.done
        world.executions["arn:again"] = ("RUNNING", "c")
        watched.poll()
        assert watched.tracked["c"].place is Place.RUNNING
        world.executions["arn:again"] = ("SUCCEEDED", "c")
        world.queue = 0
        world.die("c")
        figures, problems = finish(watched)
        assert (figures.failed, problems) == (1, [])
        assert len(watched.tracked["c"].executions) == 2

    def test_neither_row_nor_dead_letter_is_lost(self, world: World, follower: Make) -> None:
        watched = follower(returns=True, c=False)
        world.succeed("c", row=False)
        figures, _ = finish(watched)
        assert figures.lost == 1

    def test_on_the_queue_is_not_lost(self, world: World, follower: Make) -> None:
        watched = follower(returns=True, c=False)
        world.succeed("c", row=False)
        world.queue = 1
        figures, problems = finish(watched, timeout=0.0)
        assert (figures.lost, figures.unended) == (0, 1)
        assert "On the queue: 1" in problems[0]


def test_stack_needs_every_output() -> None:
    with pytest.raises(CliError, match="gives no output dead_letter_queue_url"):
        Stack.from_outputs(
            {"queue_url": "u", "failed_queue_url": "f", "function_name": "n", "pipe_name": "a", "table_name": "t"}
        )


def test_stack_needs_a_bridge() -> None:
    outputs = dict.fromkeys(
        ("queue_url", "dead_letter_queue_url", "failed_queue_url", "function_name", "table_name"), "x"
    )
    with pytest.raises(CliError, match="pipe_name or event_source_mapping_uuid"):
        Stack.from_outputs(outputs)
    assert Stack.from_outputs(outputs | {"event_source_mapping_uuid": "u"}).pipe_name is None
