"""examples/events: events that start functions, those that fail, and those that nobody takes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from deployment import Deployment, inventory
from observe import only
from pytest_terraform import terraform

from durable_sandbox.pytest_plugin import Sandbox, eventually

pytestmark = pytest.mark.timeout(240)  # the first test applies, which takes a minute

QUEUES = ("charged", "not_charged", "failed")
DEAD_LETTERS = ("placed", "delivered")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
WEEK = 7 * 86400


@pytest.fixture(scope="module")
def before(sandbox: Sandbox) -> set[str]:
    """What was in the account before the apply."""
    return inventory(sandbox)


class Shop:
    """The applied example."""

    def __init__(self, sandbox: Sandbox, outputs: Mapping[str, Any]) -> None:
        self.sandbox = sandbox
        self.outputs = outputs
        self.functions = sandbox.client("lambda")
        self._events = sandbox.client("events")
        self._sqs = sandbox.client("sqs")
        self.urls = {name: outputs[f"{name}_queue_url"] for name in QUEUES} | {
            f"{name}-dlq": outputs[f"{name}_dead_letter_url"] for name in DEAD_LETTERS
        }

    def put(self, detail_type: str, detail: Any, source: str = "shop") -> str:
        """Put an event on the bus; its id."""
        entry = {
            "EventBusName": self.outputs["bus_name"],
            "Source": source,
            "DetailType": detail_type,
            "Detail": json.dumps(detail),
        }
        answer = self._events.put_events(Entries=[entry])
        assert answer["FailedEntryCount"] == 0, answer
        event_id: str = answer["Entries"][0]["EventId"]
        return event_id

    def message(self, queue: str) -> dict[str, Any]:
        """The next message of a queue, taken off it."""

        def received() -> dict[str, Any] | None:
            found = self._sqs.receive_message(
                QueueUrl=self.urls[queue], WaitTimeSeconds=1, MaxNumberOfMessages=1, MessageAttributeNames=["All"]
            )
            return next(iter(found.get("Messages", [])), None)

        message = eventually(received, 30, f"on {queue}")
        self._sqs.delete_message(QueueUrl=self.urls[queue], ReceiptHandle=message["ReceiptHandle"])
        return message

    def record(self, queue: str) -> dict[str, Any]:
        """The next record on a destination."""
        found: dict[str, Any] = json.loads(self.message(queue)["Body"])
        return found

    def depths(self) -> dict[str, int]:
        """Messages by queue, where there are any; in flight ones too."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        shown = {
            queue: self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
            for queue, url in self.urls.items()
        }
        depths = {queue: sum(int(depth) for depth in attributes.values()) for queue, attributes in shown.items()}
        return {queue: depth for queue, depth in depths.items() if depth}

    def reviews(self) -> list[dict[str, Any]]:
        """Executions of the durable function, with their data, once all have ended."""

        def ended() -> list[dict[str, Any]] | None:
            listed = self.functions.list_durable_executions_by_function(
                FunctionName=self.outputs["review_function_name"]
            )["DurableExecutions"]
            return listed if listed and all(run["Status"] != "RUNNING" for run in listed) else None

        return [
            self.functions.get_durable_execution(
                DurableExecutionArn=run["DurableExecutionArn"], IncludeExecutionData=True
            )
            for run in eventually(ended, 30, "for executions to end")
        ]


@pytest.fixture(scope="module")
def deployed(before: set[str], sandbox: Sandbox, request: pytest.FixtureRequest) -> Shop:  # noqa: ARG001 - order
    applied = request.getfixturevalue("events")
    return Shop(sandbox, {name: output["value"] for name, output in applied.outputs.items()})


@pytest.fixture
def quiet(deployed: Shop) -> Iterator[Shop]:
    """The example with nothing on its queues, before and after."""
    assert deployed.depths() == {}
    yield deployed
    assert deployed.depths() == {}


def placed(number: int, *cents: int) -> dict[str, Any]:
    return {"order_id": str(number), "lines": [{"cents": one, "count": 2} for one in cents]}


def assert_event(event: dict[str, Any], event_id: str, detail_type: str, detail: Any) -> None:
    """What a function gets is the whole event: https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html."""
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", event["time"])
    assert {name: value for name, value in event.items() if name != "time"} == {
        "version": "0",
        "id": event_id,
        "detail-type": detail_type,
        "source": "shop",
        "account": "123456789012",
        "region": "us-east-1",
        "resources": [],
        "detail": detail,
    }


@terraform("events", scope="module")
def test_an_event_starts_the_function_and_the_answer_is_on_record(quiet: Shop) -> None:
    order = placed(1, 250, 100)
    event_id = quiet.put("Order placed", order)
    record = quiet.record("charged")
    assert MOMENT.fullmatch(record.pop("timestamp"))
    assert UUID.fullmatch(record["requestContext"].pop("requestId"))
    assert_event(record.pop("requestPayload"), event_id, "Order placed", order)
    assert record == {
        "version": "1.0",
        "requestContext": {
            "functionArn": quiet.outputs["charge_alias_arn"],
            "condition": "Success",
            "approximateInvokeCount": 1,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "1"},
        "responsePayload": {"order_id": "1", "cents": 700},
    }


def test_an_event_on_which_the_function_fails_is_on_record_and_in_its_dead_letter_queue(quiet: Shop) -> None:
    order = placed(2)
    event_id = quiet.put("Order placed", order)
    record = quiet.record("not_charged")
    assert MOMENT.fullmatch(record.pop("timestamp"))
    request_id = record["requestContext"].pop("requestId")
    event = record.pop("requestPayload")
    assert_event(event, event_id, "Order placed", order)
    assert record["responsePayload"].pop("requestId") == request_id
    assert any("has no lines" in line for line in record["responsePayload"].pop("stackTrace"))
    assert record == {
        "version": "1.0",
        "requestContext": {
            "functionArn": quiet.outputs["charge_alias_arn"],
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "1", "functionError": "Unhandled"},
        "responsePayload": {"errorMessage": "order 2 has no lines", "errorType": "ValueError"},
    }

    letter = quiet.message("failed")
    assert json.loads(letter["Body"]) == event
    attributes = {
        name: (value["DataType"], value["StringValue"]) for name, value in letter["MessageAttributes"].items()
    }
    assert attributes == {
        "RequestID": ("String", request_id),
        "ErrorCode": ("Number", "200"),
        "ErrorMessage": ("String", "order 2 has no lines"),
    }


def test_an_event_starts_an_execution_by_the_alias(quiet: Shop) -> None:
    """The last event alone fits the pattern; what the others would start had begun before."""
    quiet.put("Order delivered", {"order": "3"})
    quiet.put("Order delivered", {"order_id": "3"}, source="another shop")
    quiet.put("Order returned", {"order_id": "3"})
    quiet.put("Order delivered", {"order_id": "4"})
    execution = only(quiet.reviews())
    assert execution["Status"] == "SUCCEEDED", execution
    assert execution["Version"] == "1"
    assert json.loads(execution["InputPayload"]) == {"order_id": "4"}
    assert json.loads(execution["Result"]) == {"asked": "How do you like order 4?"}
    assert (execution["EndTimestamp"] - execution["StartTimestamp"]).total_seconds() >= WEEK


@pytest.fixture
def locked(quiet: Shop) -> Iterator[Shop]:
    """The example without the permission by which the rule for placed orders invokes; it gets it back."""
    name, _, alias = quiet.outputs["charge_alias_arn"].partition(":function:")[2].partition(":")
    policy = json.loads(quiet.functions.get_policy(FunctionName=name, Qualifier=alias)["Policy"])
    statement = only(policy["Statement"])
    quiet.functions.remove_permission(FunctionName=name, Qualifier=alias, StatementId=statement["Sid"])
    yield quiet
    quiet.functions.add_permission(
        FunctionName=name,
        Qualifier=alias,
        StatementId=statement["Sid"],
        Action=statement["Action"],
        Principal=statement["Principal"]["Service"],
        SourceArn=statement["Condition"]["ArnLike"]["AWS:SourceArn"],
    )


def test_an_event_that_cannot_be_delivered_is_in_the_dead_letter_queue_of_the_rule(locked: Shop) -> None:
    order = placed(5, 100)
    event_id = locked.put("Order placed", order)
    letter = locked.message("placed-dlq")
    assert_event(json.loads(letter["Body"]), event_id, "Order placed", order)
    attributes = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    reason = attributes.pop("ERROR_MESSAGE")
    assert "lambda:InvokeFunction" in reason
    assert locked.outputs["charge_alias_arn"] in reason
    assert attributes == {
        "RULE_ARN": locked.outputs["placed_rule_arn"],
        "TARGET_ARN": locked.outputs["charge_alias_arn"],
        "ERROR_CODE": "NO_PERMISSIONS",
        "RETRY_ATTEMPTS": "0",
    }


def test_with_the_permission_back_events_are_taken_again(quiet: Shop) -> None:
    quiet.put("Order placed", placed(6, 50))
    assert quiet.record("charged")["responsePayload"] == {"order_id": "6", "cents": 100}
    assert len(quiet.reviews()) == 1, "of all events one has started an execution"


def test_plan_after_apply_is_empty(deployed: Shop, events: Any) -> None:  # noqa: ARG001 - applied
    Deployment.of(events).assert_nothing_to_change()


def test_destroy_leaves_nothing(deployed: Shop, events: Any, before: set[str]) -> None:
    created = {entry.partition(":")[0] for entry in inventory(deployed.sandbox) - before}
    assert created == {"bus", "iam", "lambda", "logs", "rule", "s3", "sqs", "stack"}
    Deployment.of(events).changed("destroy")
    assert inventory(deployed.sandbox) - before == set()
