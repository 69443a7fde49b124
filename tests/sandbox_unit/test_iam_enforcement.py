"""IAM, enforced by a running sandbox: keys from AssumeRole, handlers, pollers, deliveries."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from enforcement_support import ACCOUNT, REGION, Account, allow, document, refused, trust, unique
from lambda_support import DURABLE, ECHO, package

from durable_sandbox import pytest_plugin
from durable_sandbox.pytest_plugin import Sandbox, eventually

CHECKPOINT = ["lambda:CheckpointDurableExecution", "lambda:GetDurableExecutionState"]
READ = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
EVERYONE = {"Principal": "*"}
PARENT = """
from aws_durable_execution_sdk_python import durable_execution


@durable_execution
def handler(event, context):
    return context.invoke(event["invoke"], {}, name="step")
"""


@pytest.fixture(scope="module")
def account(sandbox: Sandbox) -> Account:
    return Account(sandbox)


class TestStrangers:
    def test_a_strangers_role_cannot_send_to_the_queue(self, account: Account) -> None:
        url, arn = account.queue()
        stranger = account.role(allow("sqs:SendMessage", f"{arn}-other"))
        error = refused(account.session(stranger, "sqs").send_message, QueueUrl=url, MessageBody="x")
        assert (error["Status"], error["Code"]) == (403, "AccessDenied")
        session = f"arn:aws:sts::{ACCOUNT}:assumed-role/{stranger.name}/test"
        assert error["Message"] == (
            f"User: {session} is not authorized to perform: sqs:sendmessage on resource: {arn} "
            "because no identity-based policy allows the sqs:sendmessage action"
        )

    def test_a_grant_and_its_withdrawal_count_at_once(self, account: Account) -> None:
        url, arn = account.queue()
        role = account.role(allow("sqs:SendMessage", arn))
        sqs = account.session(role, "sqs")
        sqs.send_message(QueueUrl=url, MessageBody="x")
        account.iam.delete_role_policy(RoleName=role.name, PolicyName="p")
        refused(sqs.send_message, QueueUrl=url, MessageBody="x")
        account.grant(role, allow("sqs:SendMessage", arn))
        sqs.send_message(QueueUrl=url, MessageBody="x")

    def test_the_queues_policy_lets_in_and_shuts_out(self, account: Account) -> None:
        url, arn = account.queue()
        role = account.role()
        sqs = account.session(role, "sqs")
        account.protect(url, allow("sqs:SendMessage", arn, Principal={"AWS": role.arn}))
        sqs.send_message(QueueUrl=url, MessageBody="x")
        account.protect(url, {**allow("sqs:SendMessage", arn), **EVERYONE, "Effect": "Deny"})
        account.grant(role, allow("sqs:*", arn))
        error = refused(sqs.send_message, QueueUrl=url, MessageBody="x")
        assert error["Message"].endswith("with an explicit deny in a resource-based policy")
        assert "with an explicit deny" in refused(account.sqs.send_message, QueueUrl=url, MessageBody="x")["Message"]

    def test_services_of_moto_refuse_too(self, account: Account) -> None:
        table, bucket = unique("table"), unique("bucket")
        dynamodb, s3 = account.sandbox.client("dynamodb"), account.sandbox.client("s3")
        dynamodb.create_table(
            TableName=table,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket=bucket, Key="a/b", Body=b"x")
        arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}"
        role = account.role(allow("dynamodb:PutItem", arn), allow("s3:GetObject", f"arn:aws:s3:::{bucket}/a/*"))
        mine, objects = account.session(role, "dynamodb"), account.session(role, "s3")
        mine.put_item(TableName=table, Item={"id": {"S": "1"}})
        error = refused(mine.get_item, TableName=table, Key={"id": {"S": "1"}})
        assert (error["Status"], error["Code"]) == (400, "AccessDeniedException")
        assert objects.get_object(Bucket=bucket, Key="a/b")["Body"].read() == b"x"
        assert refused(objects.put_object, Bucket=bucket, Key="a/b", Body=b"y")["Code"] == "AccessDenied"
        assert refused(account.session(role, "iam").list_roles)["Status"] == 403

    @pytest.mark.parametrize("version", ["s3", "s3v4"])
    def test_a_presigned_url_has_its_signers_permissions(self, account: Account, version: str) -> None:
        s3, bucket = account.sandbox.client("s3"), unique("bucket")
        s3.create_bucket(Bucket=bucket)
        for key in ("open", "shut"):
            s3.put_object(Bucket=bucket, Key=key, Body=b"x")
        role = account.role(allow("s3:GetObject", f"arn:aws:s3:::{bucket}/open"))
        signer = account.session(role, "s3", signature_version=version)

        def fetch(key: str) -> int:
            url = signer.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key})
            try:
                with urllib.request.urlopen(url, timeout=20) as answer:  # noqa: S310 - our own
                    return int(answer.status)
            except urllib.error.HTTPError as error:
                return error.code

        assert (fetch("open"), fetch("shut")) == (200, 403)

    def test_an_encrypted_queue_needs_its_key(self, account: Account) -> None:
        key = account.sandbox.client("kms").create_key()["KeyMetadata"]["Arn"]
        url, arn = account.queue(KmsMasterKeyId=key)
        role = account.role(allow("sqs:SendMessage", arn))
        sqs = account.session(role, "sqs")
        assert "kms:GenerateDataKey" in refused(sqs.send_message, QueueUrl=url, MessageBody="x")["Message"]
        account.grant(role, allow("sqs:SendMessage", arn), allow(["kms:GenerateDataKey", "kms:Decrypt"], key))
        sqs.send_message(QueueUrl=url, MessageBody="x")


class TestKeys:
    def test_temporary_keys_that_nobody_issued_are_refused(self, account: Account) -> None:
        url, _ = account.queue()
        unknown = "ASIAQQQQQQQQQQQQQQQQ"
        sent = refused(account.with_keys("sqs", unknown).send_message, QueueUrl=url, MessageBody="x")
        listed = refused(account.with_keys("lambda", unknown).list_functions)
        assert (sent["Status"], sent["Code"]) == (403, "InvalidClientTokenId")
        assert (listed["Status"], listed["Code"]) == (403, "UnrecognizedClientException")
        assert refused(account.with_keys("dynamodb", unknown).list_tables)["Code"] == "UnrecognizedClientException"
        assert refused(account.with_keys("sts", unknown).get_caller_identity)["Code"] == "InvalidClientTokenId"

    def test_an_unsigned_request_is_refused(self, account: Account) -> None:
        for target in ("AmazonSQS.ListQueues", "DynamoDB_20120810.ListTables"):
            headers = {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.0"}
            request = urllib.request.Request(account.sandbox.endpoint_url, b"{}", headers)  # noqa: S310 - our own
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(request, timeout=20)  # noqa: S310 - as above
            assert caught.value.code == 403

    def test_a_session_is_its_roles_and_its_policy_narrows_it(self, account: Account) -> None:
        url, arn = account.queue()
        role = account.role(allow("sqs:*", arn))
        narrow = account.session(role, "sqs", Policy=document(allow("sqs:ReceiveMessage", arn)))
        narrow.receive_message(QueueUrl=url)
        error = refused(narrow.send_message, QueueUrl=url, MessageBody="x")
        assert "no session policy allows" in error["Message"]
        wide = account.session(role, "sqs")
        wide.send_message(QueueUrl=url, MessageBody="x")
        assert account.session(role, "sts").get_caller_identity()["Arn"].endswith(f"assumed-role/{role.name}/test")

    def test_roles_are_assumed_by_whom_they_trust(self, account: Account) -> None:
        caller = account.role(allow("sts:AssumeRole", "*"))
        friend = account.role(
            trusted=document({"Effect": "Allow", "Principal": {"AWS": caller.arn}, "Action": "sts:AssumeRole"})
        )
        sts = account.session(caller, "sts")
        assert sts.assume_role(RoleArn=friend.arn, RoleSessionName="test")["Credentials"]
        assert refused(sts.assume_role, RoleArn=account.role().arn, RoleSessionName="test")["Code"] == "AccessDenied"
        missing = f"arn:aws:iam::{ACCOUNT}:role/missing"
        root = account.sandbox.client("sts")
        assert refused(root.assume_role, RoleArn=missing, RoleSessionName="test")["Code"] == "AccessDenied"
        arns = [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}]
        ignored = refused(root.assume_role, RoleArn=friend.arn, RoleSessionName="test", PolicyArns=arns)
        assert "PolicyArns" in ignored["Message"]


class TestTrust:
    def test_lambda_must_be_trusted(self, account: Account) -> None:
        for role in (account.role(trusted=trust("pipes")).arn, f"arn:aws:iam::{ACCOUNT}:role/missing"):
            error = refused(
                account.functions.create_function,
                FunctionName=unique("f"),
                Role=role,
                Runtime="python3.13",
                Handler="handler.handler",
                Code={"ZipFile": package(ECHO)},
            )
            assert error["Code"] == "InvalidParameterValueException"
            assert error["Message"] == "The role defined for the function cannot be assumed by Lambda."

    def test_pipes_must_be_trusted_with_this_pipe(self, account: Account) -> None:
        _, queue = account.queue()
        target = account.function(account.role(), ECHO)
        name = unique("pipe")
        source = f"arn:aws:pipes:{REGION}:{ACCOUNT}:pipe/"
        reads = allow(READ, queue)

        def condition(pipe: str) -> dict[str, Any]:
            return {"StringEquals": {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": f"{source}{pipe}"}}

        other = account.role(reads, trusted=trust("pipes", Condition=condition("other")))
        params = {"Name": name, "Source": queue, "Target": f"{target}:live"}
        error = refused(account.pipes.create_pipe, RoleArn=other.arn, **params)
        assert error["Code"] == "ValidationException"
        role = account.role(reads, trusted=trust("pipes", Condition=condition(name)))
        account.pipes.create_pipe(RoleArn=role.arn, **params)
        assert _settled(account, name)["CurrentState"] == "RUNNING"


def _settled(account: Account, name: str, *, leaving: str = "CREATING") -> dict[str, Any]:
    def probe() -> dict[str, Any] | None:
        pipe: dict[str, Any] = account.pipes.describe_pipe(Name=name)
        return pipe if pipe["CurrentState"] not in {leaving, "STOPPING"} else None

    return eventually(probe)


class TestPipes:
    def test_a_pipe_cannot_read_another_queue(self, account: Account) -> None:
        _, mine = account.queue()
        _, other = account.queue()
        role = account.role(allow(READ, mine))
        target = account.function(account.role(), ECHO)
        name = unique("pipe")
        account.pipes.create_pipe(Name=name, RoleArn=role.arn, Source=other, Target=f"{target}:live")
        pipe = _settled(account, name)
        assert pipe["CurrentState"] == "CREATE_FAILED"
        assert f"sqs:getqueueattributes on resource: {other}" in pipe["StateReason"]

    def test_a_running_pipe_stops_when_it_may_read_no_more(self, account: Account) -> None:
        url, queue = account.queue()
        role = account.role(allow(READ, queue))
        target = account.function(account.role(), ECHO)
        name = unique("pipe")
        account.pipes.create_pipe(Name=name, RoleArn=role.arn, Source=queue, Target=f"{target}:live")
        assert _settled(account, name)["CurrentState"] == "RUNNING"
        account.grant(role, allow(["sqs:DeleteMessage", "sqs:GetQueueAttributes"], queue))
        account.sqs.send_message(QueueUrl=url, MessageBody="x")
        pipe = _settled(account, name, leaving="RUNNING")
        assert pipe["CurrentState"] == "STOPPED"
        assert "sqs:receivemessage" in pipe["StateReason"]


class TestFunctions:
    def test_a_handler_cannot_invoke_a_step_that_it_was_not_wired_to(self, account: Account) -> None:
        wired, other = (account.function(account.role(), ECHO) for _ in range(2))
        caller = account.function(account.role(allow("lambda:InvokeFunction", f"{wired}:live")))
        assert account.by_handler(caller, "lambda", "invoke", FunctionName=f"{wired}:live") == {"status": 200}
        for unwired in (f"{other}:live", f"{other}:1", wired, f"{wired}:1"):
            answer = account.by_handler(caller, "lambda", "invoke", FunctionName=unwired)
            assert answer["code"] == "AccessDeniedException"
            assert f"lambda:InvokeFunction on resource: {unwired} because" in answer["message"]

    def test_a_durable_function_cannot_checkpoint_anothers_executions(self, account: Account) -> None:
        config = {"ExecutionTimeout": 3600, "RetentionPeriodInDays": 1}
        roles = [account.role(), account.role()]
        functions = [account.function(role, DURABLE, DurableConfig=config) for role in roles]
        executions = []
        for role, function in zip(roles, functions, strict=True):
            account.grant(role, allow(CHECKPOINT, f"{function}:*"))
            started = account.functions.invoke(
                FunctionName=f"{function}:live", InvocationType="Event", Payload=b'{"callback": true}'
            )
            executions.append(started["DurableExecutionArn"])
        mine = account.session(roles[0], "lambda")
        token = {"CheckpointToken": "none"}
        for call in (mine.checkpoint_durable_execution, mine.get_durable_execution_state):
            error = refused(call, DurableExecutionArn=executions[1], **token)
            assert (error["Status"], error["Code"]) == (403, "AccessDeniedException")
            assert refused(call, DurableExecutionArn=executions[0], **token)["Code"] != "AccessDeniedException"
        for execution in executions:
            account.functions.stop_durable_execution(DurableExecutionArn=execution)

    def test_a_durable_function_needs_its_checkpoints(self, account: Account) -> None:
        config = {"ExecutionTimeout": 600, "RetentionPeriodInDays": 1}
        role = account.role()
        function = account.function(role, DURABLE, DurableConfig=config)
        answer = account.functions.invoke(FunctionName=f"{function}:live", Payload=b'{"hold": 1}')
        assert b"lambda:CheckpointDurableExecution" in answer["Payload"].read()
        managed = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicDurableExecutionRolePolicy"
        account.iam.attach_role_policy(RoleName=role.name, PolicyArn=managed)
        answer = account.functions.invoke(FunctionName=f"{function}:live", Payload=b'{"hold": 1}')
        assert "FunctionError" not in answer

    @pytest.mark.parametrize("durable", [False, True])
    def test_a_chained_invoke_needs_permission(self, account: Account, durable: bool) -> None:
        config = {"ExecutionTimeout": 600, "RetentionPeriodInDays": 1}
        step_role = account.role(allow(CHECKPOINT, "*"))
        step = account.function(
            step_role, DURABLE if durable else ECHO, **({"DurableConfig": config} if durable else {})
        )
        role = account.role(allow(CHECKPOINT, "*"))
        parent = account.function(role, PARENT, DurableConfig=config)
        event = json.dumps({"invoke": f"{step}:live"}).encode()
        answer = account.functions.invoke(FunctionName=f"{parent}:live", Payload=event)
        assert f"lambda:InvokeFunction on resource: {step}:live" in answer["Payload"].read().decode()
        account.grant(role, allow(CHECKPOINT, "*"), allow("lambda:InvokeFunction", f"{step}:live"))
        assert "FunctionError" not in account.functions.invoke(FunctionName=f"{parent}:live", Payload=event)

    def test_lines_that_the_role_may_not_write_are_lost(self, account: Account) -> None:
        logs = account.sandbox.client("logs")
        groups = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group"
        writes = allow(["logs:CreateLogStream", "logs:PutLogEvents"], f"{groups}:*")
        role = account.role()
        function = account.function(role, "def handler(event, context):\n    print(event['line'])\n")
        group = f"/aws/lambda/{function.rsplit(':', 1)[1]}"
        logs.create_log_group(logGroupName=group)

        def say(line: str) -> None:
            account.functions.invoke(FunctionName=f"{function}:live", Payload=json.dumps({"line": line}).encode())

        def lines() -> str:
            return "".join(event["message"] for event in logs.filter_log_events(logGroupName=group)["events"])

        say("lost")
        account.grant(role, writes)
        say("kept")
        assert "lost" not in eventually(lambda: found if "kept" in (found := lines()) else None)

    def test_a_refused_dead_letter_is_counted(self, account: Account) -> None:
        _, dead_letters = account.queue()
        role = account.role(allow("logs:*", "*"))
        function = account.function(
            role,
            "def handler(event, context):\n    raise ValueError('no')\n",
            DeadLetterConfig={"TargetArn": dead_letters},
        )
        account.functions.put_function_event_invoke_config(
            FunctionName=function, Qualifier="live", MaximumRetryAttempts=0
        )
        account.functions.invoke(FunctionName=f"{function}:live", InvocationType="Event", Payload=b"{}")
        (refusal,) = eventually(lambda: account.sandbox.iam(role.name)["refused"] or None)
        assert (refusal["action"], refusal["resource"]) == ("sqs:SendMessage", dead_letters)

    def test_a_mapping_reports_a_refusal(self, account: Account) -> None:
        url, queue = account.queue(VisibilityTimeout="60")
        role = account.role(allow(READ, queue))
        function = account.function(role, ECHO)
        params = {"FunctionName": f"{function}:live", "EventSourceArn": queue}
        mapping = account.functions.create_event_source_mapping(**params)["UUID"]
        enabled = lambda: account.functions.get_event_source_mapping(UUID=mapping)["State"] == "Enabled" or None  # noqa: E731
        eventually(enabled)
        account.grant(role, allow("sqs:GetQueueAttributes", queue))
        # The poll that waits was allowed; it ends with a message.
        account.sqs.send_message(QueueUrl=url, MessageBody="x")

        def result() -> str | None:
            mapped = account.functions.get_event_source_mapping(UUID=mapping)
            return mapped.get("LastProcessingResult")

        assert "sqs:" in eventually(result)
        account.functions.delete_event_source_mapping(UUID=mapping)


class TestLog:
    def test_used_refused_and_never_needed(self, account: Account) -> None:
        url, arn = account.queue()
        role = account.role(allow(["sqs:SendMessage", "sqs:PurgeQueue"], arn, Sid="Send"))
        sqs = account.session(role, "sqs")
        for body in ("a", "b"):
            sqs.send_message(QueueUrl=url, MessageBody=body)
        refused(sqs.receive_message, QueueUrl=url)
        report = account.sandbox.iam(role.name)
        assert report == account.sandbox.iam(role.arn)
        (used,), (not_allowed,), (unused,) = report["used"], report["refused"], report["unused"]
        assert (used["action"], used["count"], used["policy"], used["statement"]) == ("sqs:SendMessage", 2, "p", "Send")
        assert (not_allowed["action"], not_allowed["count"]) == ("sqs:ReceiveMessage", 1)
        assert (unused["action"], unused["whole_statement"]) == ("sqs:PurgeQueue", False)
        with pytest.raises(LookupError):
            account.sandbox.iam("nobody")


def test_no_iam_says_so_and_allows_all(tmp_path: Path) -> None:
    with pytest_plugin.started(tmp_path, iam=False) as sandbox:
        sandbox.client("lambda").create_function(
            FunctionName="f",
            Role=f"arn:aws:iam::{ACCOUNT}:role/missing",
            Runtime="python3.13",
            Handler="handler.handler",
            Code={"ZipFile": package(ECHO)},
        )
        assert sandbox.request("/_sandbox/iam") == {"enforced": False, "roles": []}
        assert sandbox.request("/_sandbox/health")["iam"] is False
        assert sandbox.log is not None
        assert "IAM is not enforced" in sandbox.log.read_text()
