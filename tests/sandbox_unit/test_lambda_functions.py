"""Lambda's control plane through boto3: functions, versions, aliases, policies, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from lambda_support import DURABLE, ECHO, ROLE, Functions, open_role, package

from durable_sandbox.pytest_plugin import Sandbox


@pytest.fixture
def functions(sandbox: Sandbox) -> Functions:
    return Functions(sandbox.client("lambda"))


def test_a_function_shows_what_it_was_created_with(functions: Functions) -> None:
    queue = "arn:aws:sqs:us-east-1:123456789012:failed"
    live = functions.durable(
        Environment={"Variables": {"A": "b"}},
        DeadLetterConfig={"TargetArn": queue},
        LoggingConfig={"LogFormat": "JSON", "LogGroup": "/custom"},
        MemorySize=256,
        Tags={"team": "x"},
    )
    shown = functions.client.get_function(FunctionName=live.split(":")[0])
    configuration = shown["Configuration"]
    assert configuration["DurableConfig"] == {"ExecutionTimeout": 86_400, "RetentionPeriodInDays": 3}
    assert configuration["DeadLetterConfig"] == {"TargetArn": queue}
    assert configuration["Environment"] == {"Variables": {"A": "b"}}
    assert configuration["LoggingConfig"]["LogGroup"] == "/custom"
    assert (configuration["MemorySize"], configuration["Version"], configuration["State"]) == (256, "$LATEST", "Active")
    assert shown["Tags"] == {"team": "x"}


def test_publishing_nothing_new_returns_the_last_version(functions: Functions) -> None:
    name = functions.deploy(ECHO).split(":")[0]
    assert functions.client.publish_version(FunctionName=name)["Version"] == "1"
    functions.client.update_function_configuration(FunctionName=name, MemorySize=512)
    assert functions.client.publish_version(FunctionName=name)["Version"] == "2"
    versions = functions.client.list_versions_by_function(FunctionName=name)["Versions"]
    assert [(v["Version"], v["MemorySize"]) for v in versions] == [("$LATEST", 512), ("1", 128), ("2", 512)]


def test_an_alias_moves_and_its_version_cannot_be_deleted(functions: Functions) -> None:
    name = functions.deploy(ECHO).split(":")[0]
    functions.client.update_function_code(FunctionName=name, ZipFile=package(ECHO + "\n"), Publish=True)
    functions.client.update_alias(FunctionName=name, Name="live", FunctionVersion="2")
    assert functions.client.get_alias(FunctionName=name, Name="live")["FunctionVersion"] == "2"
    with pytest.raises(ClientError, match="referenced by alias live"):
        functions.client.delete_function(FunctionName=name, Qualifier="2")
    functions.client.delete_function(FunctionName=name, Qualifier="1")
    assert [v["Version"] for v in functions.client.list_versions_by_function(FunctionName=name)["Versions"]] == [
        "$LATEST",
        "2",
    ]


def test_deleting_a_function_leaves_nothing(functions: Functions) -> None:
    name = functions.durable().split(":")[0]
    functions.client.delete_function(FunctionName=name)
    for read in (functions.client.get_function, functions.client.list_versions_by_function):
        with pytest.raises(functions.client.exceptions.ResourceNotFoundException):
            read(FunctionName=name)


def test_permissions_belong_to_a_qualifier(functions: Functions) -> None:
    name, alias = functions.deploy(ECHO).split(":")
    functions.client.add_permission(
        FunctionName=name,
        Qualifier=alias,
        StatementId="events",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
    )
    assert "events.amazonaws.com" in functions.client.get_policy(FunctionName=name, Qualifier=alias)["Policy"]
    with pytest.raises(functions.client.exceptions.ResourceNotFoundException):
        functions.client.get_policy(FunctionName=name)


_VALID: dict[str, Any] = {"Role": ROLE, "Runtime": "python3.13", "Handler": "handler.handler"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"DurableConfig": {"RetentionPeriodInDays": 3}}, "without an executionTimeout"),
        ({"DurableConfig": {"ExecutionTimeout": 31_622_401}}, "ExecutionTimeout.*between 1 and 31622400"),
        ({"Timeout": 901}, "901.*between 1 and 900"),
        ({"Role": "not-a-role"}, "not-a-role"),
        ({"DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:123456789012:q.fifo"}}, "FIFO"),
        ({"Layers": ["arn:aws:lambda:us-east-1:123456789012:layer:x:1"]}, "does not emulate layers"),
        ({"SnapStart": {"ApplyOn": "PublishedVersions"}}, "does not emulate SnapStart"),
        ({"Environment": {"Variables": {"BIG": "x" * 5000}}}, "4KB limit"),
    ],
)
def test_what_lambda_refuses_is_refused_and_leaves_nothing(
    functions: Functions, change: dict[str, Any], message: str
) -> None:
    open_role(functions.client)
    with pytest.raises(ClientError, match=message):
        functions.client.create_function(FunctionName="refused", Code={"ZipFile": package(ECHO)}, **_VALID | change)
    with pytest.raises(functions.client.exceptions.ResourceNotFoundException):
        functions.client.get_function(FunctionName="refused")


def test_durability_cannot_be_added_later(functions: Functions) -> None:
    name = functions.deploy(ECHO).split(":")[0]
    with pytest.raises(ClientError, match="cannot add a durable configuration"):
        functions.client.update_function_configuration(FunctionName=name, DurableConfig={"ExecutionTimeout": 60})
    durable = functions.durable(DURABLE).split(":")[0]
    shown = functions.client.update_function_configuration(FunctionName=durable, DurableConfig={"ExecutionTimeout": 60})
    assert shown["DurableConfig"] == {"ExecutionTimeout": 60, "RetentionPeriodInDays": 3}


def test_an_operation_that_is_not_emulated_says_so(functions: Functions) -> None:
    with pytest.raises(ClientError, match="does not implement lambda:GetAccountSettings"):
        functions.client.get_account_settings()


def test_a_refused_update_changes_nothing(functions: Functions) -> None:
    name = functions.deploy(ECHO).split(":")[0]
    before = functions.client.get_function_configuration(FunctionName=name)
    with pytest.raises(ClientError, match="timeout"):
        functions.client.update_function_configuration(FunctionName=name, Handler="other.handler", Timeout=901)
    after = functions.client.get_function_configuration(FunctionName=name)
    assert (after["Handler"], after["RevisionId"]) == (before["Handler"], before["RevisionId"])


def test_an_empty_key_takes_the_key_away(functions: Functions) -> None:
    name = functions.deploy(ECHO, KMSKeyArn="arn:aws:kms:us-east-1:123456789012:key/1").split(":")[0]
    assert "KMSKeyArn" in functions.client.get_function_configuration(FunctionName=name)
    functions.client.update_function_configuration(FunctionName=name, KMSKeyArn="")
    assert "KMSKeyArn" not in functions.client.get_function_configuration(FunctionName=name)
    assert "KMSKeyArn" in functions.client.get_function_configuration(FunctionName=name, Qualifier="1")


def test_an_alias_may_name_latest(functions: Functions) -> None:
    name = functions.deploy(ECHO).split(":")[0]
    functions.client.create_alias(FunctionName=name, Name="dev", FunctionVersion="$LATEST")
    assert functions.client.invoke(FunctionName=f"{name}:dev")["ExecutedVersion"] == "$LATEST"


def test_reserved_concurrency_leaves_the_account_its_unreserved_part(functions: Functions) -> None:
    name = functions.deploy(ECHO).split(":")[0]
    with pytest.raises(ClientError, match=r"below its minimum value of \[100\]"):
        functions.client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=901)
    functions.client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=5)
    assert functions.client.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"] == 5
    functions.client.delete_function_concurrency(FunctionName=name)
