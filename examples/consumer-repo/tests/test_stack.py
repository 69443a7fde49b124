"""The stack applied to a local sandbox: what is sent to its queue, and what becomes of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from durable_sandbox.pytest_plugin import Sandbox
from durable_sandbox.terraform import Terraform


@pytest.fixture(scope="module")
def stack(sandbox_stack: Callable[..., Terraform]) -> Terraform:
    """The stack, applied. Without alarms, which take half of the time."""
    return sandbox_stack(Path(__file__).parents[1], observability=False)


@pytest.fixture(scope="module")
def outputs(stack: Terraform) -> dict[str, Any]:
    """Names and URLs of what was created."""
    return stack.output()


def send(sandbox: Sandbox, outputs: dict[str, Any], order: dict[str, Any]) -> None:
    sandbox.client("sqs").send_message(QueueUrl=outputs["queue_url"], MessageBody=json.dumps(order))


def test_an_order_is_stored_with_its_price(sandbox: Sandbox, outputs: dict[str, Any]) -> None:
    send(sandbox, outputs, {"order_id": "7", "article": "tea", "quantity": 3})

    def stored() -> dict[str, Any] | None:
        answer = sandbox.client("dynamodb").get_item(TableName=outputs["table_name"], Key={"order_id": {"S": "7"}})
        item: dict[str, Any] | None = answer.get("Item")
        return item

    assert sandbox.eventually(stored) == {"order_id": {"S": "7"}, "total": {"N": "12"}}


def test_an_order_that_fails_is_kept_with_the_reason(sandbox: Sandbox, outputs: dict[str, Any]) -> None:
    send(sandbox, outputs, {"order_id": "8", "article": "soup", "quantity": 1})

    def failed() -> list[dict[str, Any]] | None:
        answer = sandbox.client("sqs").receive_message(
            QueueUrl=outputs["failed_queue_url"], MessageAttributeNames=["All"], WaitTimeSeconds=1
        )
        messages: list[dict[str, Any]] | None = answer.get("Messages")
        return messages

    (message,) = sandbox.eventually(failed)
    assert "there is no price for 'soup'" in message["MessageAttributes"]["ErrorMessage"]["StringValue"]


def test_a_second_plan_is_empty(stack: Terraform) -> None:
    assert not stack.plan()


def test_destroy_leaves_nothing(sandbox: Sandbox, stack: Terraform, outputs: dict[str, Any]) -> None:
    stack.destroy()  # the last test: those above need the stack
    status = sandbox.status()
    left = [found["name"] for found in [*status["queues"], *status["functions"], *status["pipes"]]]
    assert not [name for name in left if name.startswith(outputs["function_name"])]
