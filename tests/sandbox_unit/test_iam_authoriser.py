"""The authoriser: calls in, AWS's errors out, decisions kept and counted."""

from __future__ import annotations

import asyncio
import logging
import statistics
import time
from typing import Any

import pytest
from iam_support import (
    ACCOUNT,
    KEY,
    QUEUE,
    REGION,
    ROLE,
    ROOT,
    SESSION,
    URL,
    WORKER,
    FakeSource,
    allow,
    call,
    callback_id,
    deny,
    document,
    trust,
)

from durable_sandbox.aws.call import Caller
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.iam.authoriser import Authoriser
from durable_sandbox.iam.decisions import OTHERS, DecisionLog, Unused, resource_pattern
from durable_sandbox.iam.evaluator import Decision, Grant, PolicyType
from durable_sandbox.iam.model import Document, Principal, RoleDocuments

SEND = call("sqs", "SendMessage", {"QueueUrl": URL})
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:store"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:orders"
EVERYONE = {"Principal": "*"}


def authoriser(source: FakeSource, **more: Any) -> Authoriser:
    return Authoriser(source, account=ACCOUNT, **more)


def refusal(
    source: FakeSource, service: str, operation: str, params: dict[str, Any], caller: Caller = WORKER
) -> AwsError:
    with pytest.raises(AwsError) as raised:
        authoriser(source).check(call(service, operation, params, caller))
    return raised.value


class TestErrors:
    def test_sqs(self) -> None:
        error = refusal(FakeSource(), "sqs", "SendMessageBatch", {"QueueUrl": URL})
        assert (error.code, error.status) == ("AccessDenied", 403)
        assert error.message == (
            f"User: {SESSION} is not authorized to perform: sqs:sendmessage on resource: {QUEUE} "
            "because no identity-based policy allows the sqs:sendmessage action"
        )

    def test_lambda(self) -> None:
        error = refusal(FakeSource(), "lambda", "Invoke", {"FunctionName": "store", "Qualifier": "live"})
        assert (error.code, error.status) == ("AccessDeniedException", 403)
        assert error.message == (
            f"User: {SESSION} is not authorized to perform: lambda:InvokeFunction on resource: {FUNCTION}:live "
            "because no identity-based policy allows the lambda:InvokeFunction action"
        )

    def test_sns(self) -> None:
        error = refusal(FakeSource(), "sns", "Publish", {"TopicArn": TOPIC})
        assert (error.code, error.status) == ("AuthorizationError", 403)
        assert error.message == (
            f"User: {SESSION} is not authorized to perform: SNS:Publish on resource: {TOPIC} "
            "because no identity-based policy allows the SNS:Publish action"
        )

    def test_s3_quotes_the_resource(self) -> None:
        error = refusal(FakeSource(), "s3", "GetObject", {"Bucket": "b", "Key": "k"})
        assert (error.code, error.status) == ("AccessDenied", 403)
        assert 's3:GetObject on resource: "arn:aws:s3:::b/k" because' in error.message

    @pytest.mark.parametrize(
        ("service", "operation", "params"),
        [
            ("dynamodb", "PutItem", {"TableName": "t"}),
            ("kinesis", "PutRecord", {"StreamName": "s"}),
            ("events", "PutEvents", {"Entries": [{}]}),
            ("logs", "PutLogEvents", {"logGroupName": "g", "logStreamName": "s"}),
            ("kms", "Decrypt", {"KeyId": KEY}),
        ],
    )
    def test_json_services_answer_400(self, service: str, operation: str, params: dict[str, Any]) -> None:
        error = refusal(FakeSource(), service, operation, params)
        assert (error.code, error.status) == ("AccessDeniedException", 400)

    @pytest.mark.parametrize(
        ("identity", "boundary", "session", "resource", "ending"),
        [
            ([allow(), deny()], None, None, None, "with an explicit deny in an identity-based policy"),
            ([allow()], [deny()], None, None, "with an explicit deny in a permissions boundary"),
            (
                [allow()],
                [allow("s3:*")],
                None,
                None,
                "because no permissions boundary allows the sqs:sendmessage action",
            ),
            ([allow()], None, [deny()], None, "with an explicit deny in a session policy"),
            ([allow()], None, [allow("s3:*")], None, "because no session policy allows the sqs:sendmessage action"),
            ([allow()], None, None, {**deny(), **EVERYONE}, "with an explicit deny in a resource-based policy"),
        ],
    )
    def test_texts_by_policy_type(self, identity: Any, boundary: Any, session: Any, resource: Any, ending: str) -> None:
        source = FakeSource()
        source.grant(*identity, boundary=boundary)
        if session is not None:
            source.sessions[SESSION] = [document(session)]
        if resource is not None:
            source.protect(resource)
        asked = f"User: {SESSION} is not authorized to perform: sqs:sendmessage on resource: {QUEUE} "
        assert refusal(source, "sqs", "SendMessage", {"QueueUrl": URL}).message == asked + ending

    def test_trust_policy(self) -> None:
        target = f"arn:aws:iam::{ACCOUNT}:role/target"
        source = FakeSource()
        source.grant(allow("sts:AssumeRole"))
        source.roles[target] = RoleDocuments(document(trust(), "trust"))
        error = refusal(source, "sts", "AssumeRole", {"RoleArn": target, "RoleSessionName": "s"})
        assert (error.code, error.status) == ("AccessDenied", 403)
        assert error.message.endswith("because no role trust policy allows the sts:AssumeRole action")

    def test_a_call_without_a_rule_is_refused_to_a_role_and_open_to_root(self) -> None:
        error = refusal(FakeSource(), "iam", "CreateRole", {"RoleName": "r"})
        assert error.code == "AccessDenied"
        assert "cannot tell whether" in error.message
        assert "iam:CreateRole" in error.message
        authoriser(FakeSource()).check(call("iam", "CreateRole", {"RoleName": "r"}, ROOT))

    def test_an_unreadable_policy_refuses_a_role_but_not_root(self, caplog: pytest.LogCaptureFixture) -> None:
        source = FakeSource()
        source.grant(allow())
        source.resources[QUEUE] = Document("queue policy", "{")
        assert "Policy queue policy: not JSON" in refusal(source, "sqs", "SendMessage", {"QueueUrl": URL}).message
        with caplog.at_level(logging.WARNING):
            authoriser(source).check(call("sqs", "SendMessage", {"QueueUrl": URL}, ROOT))
        assert "Policy queue policy" in caplog.text

    def test_an_unknown_condition_is_logged_beside_the_refusal(self, caplog: pytest.LogCaptureFixture) -> None:
        source = FakeSource()
        source.grant(allow(Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))
        with caplog.at_level(logging.WARNING):
            error = refusal(source, "sqs", "SendMessage", {"QueueUrl": URL})
        assert error.message.endswith("because no identity-based policy allows the sqs:sendmessage action")
        assert "IpAddress aws:sourceip" in caplog.text


class TestIsolation:
    """What a role must not reach."""

    def checkpointer(self) -> FakeSource:
        source = FakeSource()
        source.grant(allow(["lambda:CheckpointDurableExecution", "lambda:GetDurableExecutionState"], f"{FUNCTION}:*"))
        return source

    @pytest.mark.parametrize(("function", "allowed"), [("store", True), ("store-2", False), ("other", False)])
    def test_a_durable_function_checkpoints_its_own_executions_only(self, function: str, allowed: bool) -> None:
        execution = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}:1/durable-execution/n/i"
        checkpoint = call("lambda", "CheckpointDurableExecution", {"DurableExecutionArn": execution})
        if allowed:
            authoriser(self.checkpointer()).check(checkpoint)
        else:
            with pytest.raises(AwsError, match="lambda:CheckpointDurableExecution"):
                authoriser(self.checkpointer()).check(checkpoint)

    def test_a_callback_is_authorised_on_its_execution(self) -> None:
        source = FakeSource()
        source.grant(allow("lambda:SendDurableExecutionCallbackSuccess", f"{FUNCTION}:*"))
        operation = "SendDurableExecutionCallbackSuccess"
        own = callback_id(f"{FUNCTION}:1/durable-execution/n/i")
        authoriser(source).check(call("lambda", operation, {"CallbackId": own}))
        refusal(source, "lambda", operation, {"CallbackId": callback_id(f"{FUNCTION}-2:1/durable-execution/n/i")})

    def test_an_alias_is_its_own_resource(self) -> None:
        source = FakeSource()
        source.grant(allow("lambda:InvokeFunction", f"{FUNCTION}:live"))
        authoriser(source).check(call("lambda", "Invoke", {"FunctionName": f"{FUNCTION}:live"}))
        refusal(source, "lambda", "Invoke", {"FunctionName": "store"})
        refusal(source, "lambda", "Invoke", {"FunctionName": "store", "Qualifier": "7"})

    def test_plain_http_would_be_refused(self) -> None:
        source = FakeSource()
        source.grant(allow())
        insecure = {"Bool": {"aws:SecureTransport": "false"}}
        source.protect({**deny("sqs:*", QUEUE, Condition=insecure), **EVERYONE})
        asked = authoriser(source)
        asked.check(SEND)
        with pytest.raises(AwsError, match="explicit deny in a resource-based policy"):
            asked.require(
                Principal.of(WORKER),
                "sqs:SendMessage",
                QUEUE,
                service="sqs",
                region=REGION,
                context={"aws:SecureTransport": "false"},
            )

    def test_all_needs_of_a_call_must_be_met(self) -> None:
        dlq = f"{QUEUE}-dlq"
        source = FakeSource()
        source.grant(allow("sqs:*", dlq))
        error = refusal(source, "sqs", "StartMessageMoveTask", {"SourceArn": dlq, "DestinationArn": QUEUE})
        assert "sqs:sendmessage" in error.message


class TestKeysOfEncryptedResources:
    VIA = {"StringEquals": {"kms:ViaService": f"sqs.{REGION}.amazonaws.com"}}  # noqa: RUF012

    def source(self, *actions: str) -> FakeSource:
        source = FakeSource()
        source.keys[QUEUE] = KEY
        source.protect(
            {**allow("kms:*"), "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}},
            resource=KEY,
        )
        source.grant(allow("sqs:*"), *(allow(action, KEY, Condition=self.VIA) for action in actions))
        return source

    def test_a_producer_needs_both_actions(self) -> None:
        authoriser(self.source("kms:GenerateDataKey", "kms:Decrypt")).check(SEND)
        error = refusal(self.source("kms:Decrypt"), "sqs", "SendMessage", {"QueueUrl": URL})
        assert error.code == "KmsAccessDenied"
        assert f"kms:GenerateDataKey on resource: {KEY}" in error.message

    def test_a_consumer_needs_to_decrypt(self) -> None:
        receive = call("sqs", "ReceiveMessage", {"QueueUrl": URL})
        authoriser(self.source("kms:Decrypt")).check(receive)
        refusal(self.source("kms:GenerateDataKey"), "sqs", "ReceiveMessage", {"QueueUrl": URL})

    def test_a_queue_that_becomes_encrypted(self) -> None:
        source = self.source()
        del source.keys[QUEUE]
        asked = authoriser(source)
        asked.check(SEND)
        source.keys[QUEUE] = KEY
        asked.changed()
        with pytest.raises(AwsError, match="kms:GenerateDataKey"):
            asked.check(SEND)

    def test_other_actions_need_no_key(self) -> None:
        authoriser(self.source()).check(call("sqs", "DeleteMessage", {"QueueUrl": URL}))

    def test_the_grant_through_a_service_does_not_serve_directly(self) -> None:
        refusal(self.source("kms:Decrypt"), "kms", "Decrypt", {"KeyId": KEY})


class TestServices:
    def test_a_delivery_needs_the_queues_policy(self) -> None:
        source = FakeSource()
        condition = {"ArnEquals": {"aws:SourceArn": TOPIC}}
        statement = {**allow(resource=QUEUE, Condition=condition), "Principal": {"Service": "sns.amazonaws.com"}}
        source.protect(statement)
        asked = authoriser(source)
        sns = Principal.service("sns.amazonaws.com", ACCOUNT)

        def deliver(topic: str) -> None:
            asked.require(sns, "sqs:SendMessage", QUEUE, service="sqs", region=REGION, context={"aws:SourceArn": topic})

        deliver(TOPIC)
        with pytest.raises(AwsError, match="because no resource-based policy allows the sqs:sendmessage action"):
            deliver(f"{TOPIC}-2")

    def test_assumable(self) -> None:
        pipe = f"arn:aws:pipes:{REGION}:{ACCOUNT}:pipe/orders"
        source = FakeSource()
        condition = {"StringEquals": {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": pipe}}
        source.roles[ROLE] = RoleDocuments(document(trust("pipes.amazonaws.com", Condition=condition), "trust"))
        asked = authoriser(source)
        service = "pipes.amazonaws.com"
        assert asked.assumable(ROLE, service, source_arn=pipe, source_account=ACCOUNT).allowed
        assert not asked.assumable(ROLE, service, source_arn=f"{pipe}-2", source_account=ACCOUNT).allowed
        assert not asked.assumable(ROLE, "lambda.amazonaws.com", source_arn=pipe, source_account=ACCOUNT).allowed
        assert not asked.assumable(f"{ROLE}-2", service, source_arn=pipe, source_account=ACCOUNT).allowed


class TestCache:
    def test_policies_are_read_once_until_they_change(self) -> None:
        source = FakeSource()
        source.grant(allow())
        asked = authoriser(source)
        asyncio.run(asked.authorise(SEND))
        asyncio.run(asked.authorise(SEND))
        assert source.reads == 1
        source.grant()
        asked.check(SEND)
        asked.changed()
        with pytest.raises(AwsError):
            asked.check(SEND)

    def test_a_decision_is_kept_for_the_same_condition_values_only(self) -> None:
        source = FakeSource()
        source.grant(allow("events:PutEvents", Condition={"StringEquals": {"events:source": "app"}}))
        asked = authoriser(source)

        def put(name: str) -> None:
            asked.check(call("events", "PutEvents", {"Entries": [{"Source": name}]}))

        put("app")
        with pytest.raises(AwsError):
            put("other")
        put("app")

    def test_time_moves_on(self) -> None:
        now = 1_000.0
        source = FakeSource()
        source.grant(allow(Condition={"NumericLessThan": {"aws:EpochTime": "2000"}}))
        asked = authoriser(source, now=lambda: now)
        asked.check(SEND)
        now = 3_000.0
        with pytest.raises(AwsError):
            asked.check(SEND)

    def test_sessions_of_one_role_are_apart(self) -> None:
        source = FakeSource()
        source.grant()
        source.protect({**allow(resource=QUEUE), "Principal": {"AWS": SESSION}})
        asked = authoriser(source)
        asked.check(SEND)
        other = Caller(ACCOUNT, SESSION.replace("/run", "/other"), "ASIA2", ROLE)
        with pytest.raises(AwsError):
            asked.check(call("sqs", "SendMessage", {"QueueUrl": URL}, other))

    def test_a_kept_decision_is_fast(self) -> None:
        """Target under 10 us; the bar leaves room for a busy machine."""
        source = FakeSource()
        source.grant(*(allow(f"s3:Get{n}") for n in range(20)), allow())
        source.protect({**deny("sqs:*", QUEUE, Condition={"Bool": {"aws:SecureTransport": "false"}}), **EVERYONE})
        asked = authoriser(source)
        rounds = []
        for _ in range(20):
            start = time.perf_counter()
            for _ in range(200):
                asked.check(SEND)
            rounds.append((time.perf_counter() - start) / 200)
        assert statistics.median(rounds) < 100e-6


class TestLog:
    def test_used_and_refused(self) -> None:
        source = FakeSource()
        source.grant(allow(["sqs:SendMessage", "sqs:PurgeQueue"], QUEUE, Sid="Send"), allow("s3:GetObject", Sid="Read"))
        asked = authoriser(source)
        for _ in range(3):
            asked.check(SEND)
        with pytest.raises(AwsError):
            asked.check(call("sqs", "ReceiveMessage", {"QueueUrl": URL}))
        asked.check(call("sqs", "SendMessage", {"QueueUrl": URL}, ROOT))
        assert asked.log.find("worker") == asked.log.find(ROLE) == asked.log.principals() == [ROLE]
        (used,) = asked.log.used(ROLE)
        assert used.as_json() == {
            "principal": ROLE,
            "action": "sqs:SendMessage",
            "resource": QUEUE,
            "allowed": True,
            "count": 3,
            "reason": "identity-based policy",
            "policy": "inline",
            "statement": "Send",
        }
        (refused,) = asked.log.refused(ROLE)
        assert (refused.action, refused.count, refused.grant) == ("sqs:ReceiveMessage", 1, None)
        assert asked.unused(ROLE) == [
            Unused("inline", "Send", "sqs:PurgeQueue", whole_statement=False),
            Unused("inline", "Read", "s3:GetObject", whole_statement=True),
        ]

    def test_of_two_statements_that_allow_the_same_one_is_unused(self) -> None:
        source = FakeSource()
        source.grant(allow("sqs:*", Sid="Wide"), allow(Sid="Narrow"), deny("sqs:PurgeQueue", Sid="Never"))
        asked = authoriser(source)
        asked.check(SEND)
        assert [entry.statement for entry in asked.unused(ROLE)] == ["Narrow"]

    @pytest.mark.parametrize(
        ("resource", "pattern"),
        [
            (f"{QUEUE}", QUEUE),
            ("arn:aws:logs:r:a:log-group:g:log-stream:2026/[1]ab", "arn:aws:logs:r:a:log-group:g:log-stream:*"),
            (f"{FUNCTION}:3/durable-execution/n/i", f"{FUNCTION}:3/durable-execution/*"),
            ("arn:aws:s3:::b/k/l", "arn:aws:s3:::b/*"),
            ("arn:aws:s3:::b", "arn:aws:s3:::b"),
            ("arn:aws:execute-api:r:a:i/s/POST/@connections/c", "arn:aws:execute-api:r:a:i/s/POST/@connections/*"),
        ],
    )
    def test_resources_that_differ_from_call_to_call_are_one_line(self, resource: str, pattern: str) -> None:
        assert resource_pattern(resource) == pattern

    def test_memory_is_bounded_and_grants_stay_exact(self) -> None:
        log = DecisionLog(limit=10)
        principal = Principal.of(WORKER)
        for number in range(100):
            grant = Grant("inline", f"#{number % 20}", "sqs:SendMessage")
            log.record(
                principal, "sqs:SendMessage", f"{QUEUE}-{number}", Decision(True, PolicyType.IDENTITY, grant=grant)
            )
        tallies = log.used(ROLE)
        assert len(tallies) <= 10 + 20
        assert sum(tally.count for tally in tallies) == 100
        assert any(tally.resource == OTHERS for tally in tallies)
        log.clear()
        assert log.principals() == []
