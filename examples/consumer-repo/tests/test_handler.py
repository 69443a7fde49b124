"""The handler with its step in the SDK's test runner: no network, and waits take no time."""

import importlib
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from aws_durable_execution_sdk_python.execution import InvocationStatus
from aws_durable_execution_sdk_python_testing import DurableFunctionTestResult, DurableFunctionTestRunner

import price

REGION = "us-east-1"

Run = Callable[[Any], DurableFunctionTestResult]


@pytest.fixture
def dynamodb() -> Mock:
    """The client that the handler writes with."""
    return Mock()


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, dynamodb: Mock) -> Iterator[Run]:
    """Handles one order, as the pipe hands it over."""
    monkeypatch.setenv("PRICE_FUNCTION_ARN", f"arn:aws:lambda:{REGION}:123456789012:function:orders-price:live")
    monkeypatch.setenv("TABLE_NAME", "orders")
    handler = importlib.import_module("handler")
    monkeypatch.setattr(handler, "dynamodb", lambda: dynamodb)
    with DurableFunctionTestRunner(handler.handler, region=REGION, execution_timeout=2 * 86400) as runner:
        runner.register_function("orders-price", price.handler)
        yield lambda order: runner.run(json.dumps([{"messageId": "1", "body": json.dumps(order)}]))


def test_an_order_is_priced_and_stored(run: Run, dynamodb: Mock) -> None:
    result = run({"order_id": "7", "article": "tea", "quantity": 3})

    assert result.status is InvocationStatus.SUCCEEDED
    assert json.loads(result.result) == {"order_id": "7", "total": 12}
    dynamodb.put_item.assert_called_once_with(TableName="orders", Item={"order_id": {"S": "7"}, "total": {"N": "12"}})


def test_an_order_is_held_for_a_day_before_it_is_stored(run: Run) -> None:
    result = run({"order_id": "7", "article": "tea", "quantity": 3})

    held, stored = result.get_wait("second-thoughts"), result.get_step("store")
    assert held.scheduled_end_timestamp - held.start_timestamp == timedelta(days=1)
    assert stored.start_timestamp >= held.scheduled_end_timestamp


def test_an_order_of_an_unknown_article_fails_and_is_not_stored(run: Run, dynamodb: Mock) -> None:
    result = run({"order_id": "8", "article": "soup", "quantity": 1})

    assert result.status is InvocationStatus.FAILED
    assert "there is no price for 'soup'" in result.error.message
    dynamodb.put_item.assert_not_called()
