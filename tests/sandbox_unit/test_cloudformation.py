"""CloudFormation's Lambda types against our Lambda: what is passed on, in which order, and how a stack fails."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from server_support import RecordingLambda, Running, recorder, running

from durable_sandbox.aws.errors import AwsError

ROLE = "arn:aws:iam::123456789012:role/r"
DURABLE = {"ExecutionTimeout": 3600, "RetentionPeriodInDays": 7}
NO = AwsError("InvalidParameterValueException", "no such thing")


@pytest.fixture(scope="module")
def world() -> Iterator[tuple[Running, RecordingLambda]]:
    service, build = recorder()
    with running(build) as sandbox:
        yield sandbox, service


@pytest.fixture
def lambda_(world: tuple[Running, RecordingLambda]) -> RecordingLambda:
    service = world[1]
    service.calls.clear()
    service.functions.clear()
    service.versions.clear()
    service.aliases.clear()
    service.refuse.clear()
    return service


@pytest.fixture
def cfn(world: tuple[Running, RecordingLambda], lambda_: RecordingLambda) -> Iterator[Any]:
    client = world[0].client("cloudformation")
    yield client
    lambda_.refuse.clear()
    for stack in client.describe_stacks()["Stacks"]:
        client.delete_stack(StackName=stack["StackId"])


def template(marker: str = "A", *, retain: bool = True, **function: Any) -> dict[str, Any]:
    """A function, a version and an alias; ``marker`` is part of the version's logical id."""
    keep = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"} if retain else {}
    properties = {
        "FunctionName": "order",
        "Role": ROLE,
        "Runtime": "python3.13",
        "Handler": "h.h",
        "Code": {"S3Bucket": "b", "S3Key": "k"},
        "DurableConfig": DURABLE,
        **function,
    }
    version = {"Fn::GetAtt": [f"Version{marker}", "Version"]}
    return {
        "Resources": {
            "Alias": {
                "Type": "AWS::Lambda::Alias",
                "Properties": {"Name": "live", "FunctionName": {"Ref": "Function"}, "FunctionVersion": version},
            },
            f"Version{marker}": {
                "Type": "AWS::Lambda::Version",
                "Properties": {"FunctionName": {"Fn::Sub": "${Function}"}},
                **keep,
            },
            "Function": {"Type": "AWS::Lambda::Function", "Properties": properties},
        },
        "Outputs": {
            "Function": {"Value": {"Fn::GetAtt": ["Function", "Arn"]}},
            "Alias": {"Value": {"Ref": "Alias"}},
            "Version": {"Value": version},
            "VersionArn": {"Value": {"Ref": f"Version{marker}"}},
        },
    }


def create(cfn: Any, body: dict[str, Any], **options: Any) -> str:
    stack: str = cfn.create_stack(StackName="order", TemplateBody=json.dumps(body), **options)["StackId"]
    return stack


def update(cfn: Any, body: dict[str, Any], **options: Any) -> None:
    cfn.update_stack(StackName="order", TemplateBody=json.dumps(body), **options)


def status(cfn: Any, name: str = "order") -> str:
    return str(cfn.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])


def events(cfn: Any, name: str) -> list[tuple[str, str, str]]:
    found = reversed(cfn.describe_stack_events(StackName=name)["StackEvents"])
    return [(e["LogicalResourceId"], e["ResourceStatus"], e.get("ResourceStatusReason", "")) for e in found]


def test_create_passes_everything_on_and_gives_outputs(cfn: Any, lambda_: RecordingLambda) -> None:
    arn = "arn:aws:lambda:us-east-1:123456789012:function:order"
    body = template(
        Timeout="30",
        KmsKeyArn="arn:aws:kms:us-east-1:123456789012:key/k",
        Environment={"Variables": {"A": 1, "B": True}},
        DeadLetterConfig={"TargetArn": "arn:aws:sqs:us-east-1:123456789012:failed"},
        LoggingConfig={"LogFormat": "JSON", "LogGroup": "g"},
        TracingConfig={"Mode": "Active"},
        EphemeralStorage={"Size": 1024},
        Layers=["arn:aws:lambda:us-east-1:123456789012:layer:l:1"],
        Tags=[{"Key": "own", "Value": "1"}, {"Key": "both", "Value": "resource"}],
        ReservedConcurrentExecutions=5,
    )
    create(cfn, body, Tags=[{"Key": "stack", "Value": "2"}, {"Key": "both", "Value": "stack"}])
    stack = cfn.describe_stacks(StackName="order")["Stacks"][0]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]} == {
        "Function": arn,
        "Alias": f"{arn}:live",
        "Version": "1",
        "VersionArn": f"{arn}:1",
    }
    (created,) = lambda_.made("CreateFunction")
    assert created == {
        "FunctionName": "order",
        "Role": ROLE,
        "Runtime": "python3.13",
        "Handler": "h.h",
        "Code": {"S3Bucket": "b", "S3Key": "k"},
        "DurableConfig": DURABLE,
        "Timeout": 30,
        "KMSKeyArn": "arn:aws:kms:us-east-1:123456789012:key/k",
        "Environment": {"Variables": {"A": "1", "B": "true"}},
        "DeadLetterConfig": {"TargetArn": "arn:aws:sqs:us-east-1:123456789012:failed"},
        "LoggingConfig": {"LogFormat": "JSON", "LogGroup": "g"},
        "TracingConfig": {"Mode": "Active"},
        "EphemeralStorage": {"Size": 1024},
        "Layers": ["arn:aws:lambda:us-east-1:123456789012:layer:l:1"],
        "Tags": {"own": "1", "stack": "2", "both": "resource"},
    }
    assert lambda_.functions["order"]["Reserved"] == 5
    assert lambda_.aliases["order:live"]["FunctionVersion"] == "1"


def test_inline_code_is_zipped(cfn: Any, lambda_: RecordingLambda) -> None:
    create(cfn, template(Code={"ZipFile": "def handler(event, context): return 1"}))
    (created,) = lambda_.made("CreateFunction")
    with zipfile.ZipFile(io.BytesIO(created["Code"]["ZipFile"])) as archive:
        assert archive.read("index.py") == b"def handler(event, context): return 1"


def test_an_update_changes_the_function_before_it_publishes_and_retains_the_old_version(
    cfn: Any, lambda_: RecordingLambda
) -> None:
    create(cfn, template())
    lambda_.calls.clear()
    update(cfn, template("B", Timeout=9, Code={"S3Bucket": "b", "S3Key": "k2"}))
    assert status(cfn) == "UPDATE_COMPLETE"
    changes = [name for name, _ in lambda_.calls if not name.startswith(("Get", "List"))]
    assert changes == ["UpdateFunctionCode", "UpdateFunctionConfiguration", "PublishVersion", "UpdateAlias"]
    assert lambda_.made("UpdateFunctionConfiguration") == [{"FunctionName": "order", "Timeout": 9}]
    assert lambda_.versions["order"] == ["1", "2"]
    assert lambda_.aliases["order:live"]["FunctionVersion"] == "2"
    assert ("VersionA", "DELETE_SKIPPED", "") in events(cfn, "order")


def test_a_removed_version_without_retain_goes(cfn: Any, lambda_: RecordingLambda) -> None:
    create(cfn, template(retain=False))
    update(cfn, template("B", retain=False, Timeout=9))
    assert lambda_.versions["order"] == ["2"]


def test_a_property_that_is_removed_returns_to_its_default(cfn: Any, lambda_: RecordingLambda) -> None:
    dead = {"TargetArn": "arn:aws:sqs:us-east-1:123456789012:failed"}
    create(cfn, template(DeadLetterConfig=dead, Environment={"Variables": {"A": "1"}}))
    update(cfn, template())
    assert lambda_.made("UpdateFunctionConfiguration") == [
        {"FunctionName": "order", "DeadLetterConfig": {"TargetArn": ""}, "Environment": {"Variables": {}}}
    ]


def test_changed_stack_tags_reach_the_function(cfn: Any, lambda_: RecordingLambda) -> None:
    create(cfn, template(), Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "1"}])
    update(cfn, template(), Tags=[{"Key": "a", "Value": "2"}])
    assert lambda_.functions["order"]["Tags"] == {"a": "2"}


def test_a_new_name_replaces_the_function_and_all_that_hangs_on_it(cfn: Any, lambda_: RecordingLambda) -> None:
    create(cfn, template(retain=False))
    update(cfn, template(retain=False, FunctionName="renamed"))
    assert status(cfn) == "UPDATE_COMPLETE"
    assert list(lambda_.functions) == ["renamed"]
    assert list(lambda_.aliases) == ["renamed:live"]


def test_a_failed_update_rolls_back_and_says_why(cfn: Any, lambda_: RecordingLambda) -> None:
    stack = create(cfn, template(Timeout=3))
    lambda_.refuse["UpdateAlias"] = NO
    update(cfn, template("B", Timeout=9), ClientRequestToken="token-1")
    # The alias is put back to what it was too, which the refusal forbids.
    assert status(cfn) == "UPDATE_ROLLBACK_FAILED"
    assert lambda_.functions["order"]["Timeout"] == 3
    seen = events(cfn, stack)
    assert any(
        e[:2] == ("Alias", "UPDATE_FAILED") and "no such thing" in e[2] and "InvalidParameterValueException" in e[2]
        for e in seen
    )
    tokens = {
        e["ResourceStatus"]: e.get("ClientRequestToken")
        for e in cfn.describe_stack_events(StackName=stack)["StackEvents"]
    }
    assert tokens["UPDATE_ROLLBACK_FAILED"] == "token-1"


def test_a_failed_addition_rolls_back_completely(cfn: Any, lambda_: RecordingLambda) -> None:
    create(cfn, template(Timeout=3))
    body = template("B", Timeout=9)
    body["Resources"]["Extra"] = {
        "Type": "AWS::Lambda::Alias",
        "DependsOn": "Alias",
        "Properties": {"Name": "extra", "FunctionName": {"Ref": "Function"}, "FunctionVersion": "99"},
    }
    lambda_.refuse["CreateAlias"] = NO
    update(cfn, body)
    assert status(cfn) == "UPDATE_ROLLBACK_COMPLETE"
    assert lambda_.functions["order"]["Timeout"] == 3
    assert lambda_.aliases["order:live"]["FunctionVersion"] == "1"
    lambda_.refuse.clear()
    update(cfn, template("B", Timeout=9))
    assert status(cfn) == "UPDATE_COMPLETE", "a rolled back stack can be updated again"
    assert lambda_.functions["order"]["Timeout"] == 9


@pytest.mark.parametrize(
    ("options", "left", "function_left"),
    [
        ({"OnFailure": "DELETE"}, "DELETE_COMPLETE", False),
        ({}, "ROLLBACK_COMPLETE", False),
        ({"OnFailure": "DO_NOTHING"}, "CREATE_FAILED", True),
        ({"DisableRollback": True}, "CREATE_FAILED", True),
    ],
)
def test_a_failed_create(
    cfn: Any, lambda_: RecordingLambda, options: dict[str, Any], left: str, *, function_left: bool
) -> None:
    lambda_.refuse["CreateAlias"] = NO
    stack = create(cfn, template(), **options)
    assert status(cfn, stack) == left
    assert ("order" in lambda_.functions) is function_left
    assert any(e[:2] == ("Alias", "CREATE_FAILED") and "no such thing" in e[2] for e in events(cfn, stack))
    calls = len(lambda_.calls)
    cfn.describe_stacks(StackName=stack)
    assert len(lambda_.calls) == calls, "describing a failed stack creates nothing"


def test_a_function_that_cannot_be_configured_is_not_left_behind(cfn: Any, lambda_: RecordingLambda) -> None:
    lambda_.refuse["PutFunctionConcurrency"] = NO
    stack = create(cfn, template(ReservedConcurrentExecutions=5), OnFailure="DELETE")
    assert status(cfn, stack) == "DELETE_COMPLETE"
    assert lambda_.functions == {}


def test_delete_removes_in_reverse_and_failure_keeps_the_stack(cfn: Any, lambda_: RecordingLambda) -> None:
    create(cfn, template())
    lambda_.refuse["DeleteAlias"] = NO
    cfn.delete_stack(StackName="order")
    assert status(cfn) == "DELETE_FAILED"
    lambda_.refuse.clear()
    cfn.delete_stack(StackName="order")
    with pytest.raises(ClientError, match="does not exist"):
        status(cfn)
    assert lambda_.functions == {}


@pytest.mark.parametrize("kind", ["AWS::Nothing::AtAll", "AWS::SQS::Queue", "AWS::Lambda::Permission"])
def test_an_unknown_type_is_refused(cfn: Any, kind: str) -> None:
    with pytest.raises(ClientError, match=kind):
        create(cfn, {"Resources": {"X": {"Type": kind}}})
    with pytest.raises(ClientError, match="does not exist"):
        status(cfn)


def test_an_unknown_property_fails_the_stack(cfn: Any) -> None:
    stack = create(cfn, template(Colour="red"), OnFailure="DELETE")
    assert any("unsupported property Colour" in reason for _, _, reason in events(cfn, stack))


def test_dependencies_are_found_in_every_form() -> None:
    from durable_sandbox.moto_adapter.cfn_changes import in_order  # noqa: PLC0415 - all of moto, a second in each worker

    resources = {
        "A": {"Properties": {"X": {"Fn::Sub": "${B}-${AWS::Region}"}}},
        "B": {"Properties": {"X": {"Fn::Sub": ["${v}", {"v": {"Fn::GetAtt": "C.Arn"}}]}}},
        "C": {"DependsOn": ["D"], "Properties": {"X": [{"Ref": "E"}]}},
        "D": {},
        "E": {},
    }
    assert in_order(resources) == ["D", "E", "C", "B", "A"]
    with pytest.raises(AwsError, match="Circular"):
        in_order({"A": {"DependsOn": "B"}, "B": {"DependsOn": "A"}})
