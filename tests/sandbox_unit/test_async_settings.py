"""The settings of asynchronous invocation: FunctionEventInvokeConfig, its ranges, its pages, and what Lambda refuses."""

from __future__ import annotations

import time
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config
from enforcement_support import ACCOUNT, REGION, Account, Role, allow, refused
from lambda_support import ECHO, Functions

from durable_sandbox.pytest_plugin import Sandbox

BAD_HANDLER = "def handler(event, context):\n    raise ValueError('no')\n"


@pytest.fixture(scope="module")
def account(sandbox: Sandbox) -> Account:
    return Account(sandbox)


@pytest.fixture(scope="module")
def functions(sandbox: Sandbox) -> Functions:
    return Functions(sandbox.client("lambda"))


@pytest.fixture
def name(functions: Functions) -> str:
    """A function with version 1 and alias live."""
    return functions.deploy(ECHO).partition(":")[0]


def _arn(name: str, qualifier: str) -> str:
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}:{qualifier}"


def _shown(answer: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in answer.items() if key not in ("ResponseMetadata", "LastModified")}


def _refusal(functions: Functions, name: str, **destinations: str) -> str:
    config = {side: {"Destination": arn} for side, arn in destinations.items()}
    error = refused(functions.client.put_function_event_invoke_config, FunctionName=name, DestinationConfig=config)
    assert (error["Status"], error["Code"]) == (400, "InvalidParameterValueException")
    return str(error["Message"])


def test_put_replaces_and_update_merges(functions: Functions, account: Account, name: str) -> None:
    client, (_, queue) = functions.client, account.queue()
    put, update = client.put_function_event_invoke_config, client.update_function_event_invoke_config
    before = time.time()
    answer = put(FunctionName=name, MaximumRetryAttempts=2, MaximumEventAgeInSeconds=60)
    assert before - 2 <= answer["LastModified"].timestamp() <= time.time() + 2
    both: dict[str, Any] = {"OnSuccess": {}, "OnFailure": {}}
    shown = {"FunctionArn": _arn(name, "$LATEST"), "DestinationConfig": both, "MaximumRetryAttempts": 0}
    assert _shown(put(FunctionName=name, MaximumRetryAttempts=0)) == shown
    assert _shown(client.get_function_event_invoke_config(FunctionName=name, Qualifier="$LATEST")) == shown
    update(FunctionName=name, MaximumEventAgeInSeconds=60)
    update(FunctionName=name, DestinationConfig={"OnFailure": {"Destination": queue}})
    merged = shown | {
        "MaximumEventAgeInSeconds": 60,
        "DestinationConfig": {"OnSuccess": {}, "OnFailure": {"Destination": queue}},
    }
    assert _shown(client.get_function_event_invoke_config(FunctionName=name)) == merged
    assert _shown(put(FunctionName=name, DestinationConfig={"OnSuccess": {"Destination": queue}})) == {
        "FunctionArn": _arn(name, "$LATEST"),
        "DestinationConfig": {"OnSuccess": {"Destination": queue}, "OnFailure": {}},
    }
    assert _shown(put(FunctionName=name, DestinationConfig={"OnSuccess": {}}))["DestinationConfig"] == both


def test_each_qualifier_has_its_own_and_they_come_in_pages(functions: Functions, name: str) -> None:
    client = functions.client
    client.put_function_event_invoke_config(FunctionName=name, MaximumRetryAttempts=0)
    client.put_function_event_invoke_config(FunctionName=f"{name}:1", MaximumRetryAttempts=1)
    client.put_function_event_invoke_config(FunctionName=_arn(name, "live"), MaximumRetryAttempts=2)
    pages = list(
        client.get_paginator("list_function_event_invoke_configs").paginate(
            FunctionName=name, PaginationConfig={"PageSize": 2}
        )
    )
    assert [len(page["FunctionEventInvokeConfigs"]) for page in pages] == [2, 1]
    listed = {
        one["FunctionArn"]: one["MaximumRetryAttempts"] for page in pages for one in page["FunctionEventInvokeConfigs"]
    }
    assert listed == {_arn(name, "$LATEST"): 0, _arn(name, "1"): 1, _arn(name, "live"): 2}
    client.delete_function_event_invoke_config(FunctionName=name, Qualifier="live")
    whole = client.list_function_event_invoke_configs(FunctionName=name)
    assert len(whole["FunctionEventInvokeConfigs"]) == 2
    assert "NextMarker" not in whole
    gone = refused(client.delete_function_event_invoke_config, FunctionName=name, Qualifier="live")
    assert gone["Message"] == f"The function {_arn(name, 'live')} doesn't have an EventInvokeConfig"


def test_what_is_not_there(functions: Functions, name: str) -> None:
    client = functions.client
    no_config = f"The function {_arn(name, '$LATEST')} doesn't have an EventInvokeConfig"
    for call, params, message in (
        (client.get_function_event_invoke_config, {}, no_config),
        (client.update_function_event_invoke_config, {"MaximumRetryAttempts": 0}, no_config),
        (client.put_function_event_invoke_config, {"MaximumRetryAttempts": 0, "Qualifier": "nobody"}, None),
    ):
        error = refused(call, FunctionName=name, **params)
        assert (error["Status"], error["Code"]) == (404, "ResourceNotFoundException")
        assert error["Message"] == (message or "The function doesn't exist.")
    error = refused(client.get_function_event_invoke_config, FunctionName="nobody")
    assert error["Message"] == f"The function {_arn('nobody', '$LATEST')} doesn't have an EventInvokeConfig"
    error = refused(client.list_function_event_invoke_configs, FunctionName="nobody")
    assert error["Message"] == "The function doesn't exist."
    error = refused(client.put_function_event_invoke_config, FunctionName="nobody")
    assert error["Message"] == "You must specify at least one of error handling or destination setting."


@pytest.mark.parametrize(
    "settings",
    [
        {"MaximumRetryAttempts": 3},
        {"MaximumRetryAttempts": -1},
        {"MaximumEventAgeInSeconds": 59},
        {"MaximumEventAgeInSeconds": 21_601},
        {"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:_-/!sqs:us-east-1:123456789012:q"}}},
    ],
)
def test_values_out_of_range_are_refused(sandbox: Sandbox, name: str, settings: dict[str, Any]) -> None:
    client = boto3.client(
        "lambda",
        endpoint_url=sandbox.endpoint_url,
        region_name=REGION,
        aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox",
        config=Config(parameter_validation=False),
    )
    error = refused(client.put_function_event_invoke_config, FunctionName=name, **settings)
    assert (error["Status"], error["Code"]) == (400, "ValidationException")
    refused(client.get_function_event_invoke_config, FunctionName=name)


def test_destinations_that_cannot_be_are_refused(functions: Functions, name: str) -> None:
    nobody = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:nobody"
    assert _refusal(functions, name, OnSuccess=nobody) == f"The destination ARN {nobody} is invalid."
    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:no-{uuid4().hex}"
    assert _refusal(functions, name, OnFailure=queue) == f"The destination ARN {queue} is invalid."
    itself = _arn(name, "live")
    expected = "You can't specify the function as a destination for itself."
    assert _refusal(functions, name, OnFailure=itself) == expected
    for wrong in (f"arn:aws:iam::{ACCOUNT}:role/handler", f"arn:aws:events:{REGION}:{ACCOUNT}:rule/r"):
        assert _refusal(functions, name, OnFailure=wrong) == (
            "The provided destination config DestinationConfig(onSuccess=null, "
            f"onFailure=OnFailure(destination={wrong})) is invalid."
        )
    bucket = "arn:aws:s3:::some-bucket"
    assert _refusal(functions, name, OnSuccess=bucket) == (
        f"The provided destination config DestinationConfig(onSuccess=OnSuccess(destination={bucket}), onFailure=null) "
        "is invalid."
    )


def test_a_durable_function_takes_no_destination_but_other_settings(functions: Functions, account: Account) -> None:
    live, (_, queue) = functions.durable(), account.queue()
    assert "does not support destinations for durable functions" in _refusal(functions, live, OnFailure=queue)
    put = functions.client.put_function_event_invoke_config
    assert put(FunctionName=live, MaximumRetryAttempts=0)["MaximumRetryAttempts"] == 0


class TestPermissions:
    """The function's role must be able to deliver when the destination is set."""

    @pytest.fixture
    def role(self, account: Account) -> Role:
        return account.role(allow("logs:*", "*"))

    @pytest.fixture
    def function(self, account: Account, role: Role) -> str:
        return account.function(role, BAD_HANDLER)

    @pytest.mark.parametrize(
        ("service", "action", "permission"),
        [
            ("sqs", "SendMessage", "sqs:SendMessage"),
            ("sns", "Publish", "sns:Publish"),
            ("lambda", "InvokeFunction", "lambda:InvokeFunction"),
            ("events", "PutEvents", "events:PutEvents"),
        ],
    )
    def test_without_it_the_destination_is_refused(
        self,
        account: Account,
        functions: Functions,
        role: Role,
        function: str,
        service: str,
        action: str,
        permission: str,
    ) -> None:
        target = _target(account, service)
        expected = f"The function's execution role does not have permissions to call {action} on {target}"
        assert _refusal(functions, function, OnFailure=target) == expected
        assert _refusal(functions, function, OnSuccess=target) == expected
        account.grant(role, allow(permission, target))
        config = {"OnFailure": {"Destination": target}, "OnSuccess": {"Destination": target}}
        functions.client.put_function_event_invoke_config(FunctionName=function, DestinationConfig=config)

    def test_a_bucket_needs_both_actions_and_any_key(
        self, account: Account, functions: Functions, role: Role, function: str
    ) -> None:
        bucket = _target(account, "s3")
        begin = "The function's execution role does not have permissions to call"
        account.grant(role, allow("s3:PutObject", f"{bucket}/aws/lambda/*"), allow("s3:ListBucket", bucket))
        assert _refusal(functions, function, OnFailure=bucket) == f"{begin} PutObject on {bucket}"
        account.grant(role, allow("s3:PutObject", f"{bucket}/*"))
        assert _refusal(functions, function, OnFailure=bucket) == f"{begin} ListBucket on {bucket}"
        account.grant(role, allow("s3:PutObject", f"{bucket}/*"), allow("s3:ListBucket", bucket))
        config = {"OnFailure": {"Destination": bucket}}
        functions.client.put_function_event_invoke_config(FunctionName=function, DestinationConfig=config)


def _target(account: Account, service: str) -> str:
    """ARN of a new destination."""
    name = f"d-{uuid4().hex[:12]}"
    client = account.sandbox.client(service)
    arn: str
    if service == "sqs":
        _, arn = account.queue()
    elif service == "sns":
        arn = client.create_topic(Name=name)["TopicArn"]
    elif service == "lambda":
        arn = account.function(account.role(), ECHO)
    elif service == "events":
        arn = client.create_event_bus(Name=name)["EventBusArn"]
    else:
        client.create_bucket(Bucket=name)
        arn = f"arn:aws:s3:::{name}"
    return arn
