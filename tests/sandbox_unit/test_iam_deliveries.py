"""Deliveries of services, enforced: what the target's policy or the target's role must allow."""

from __future__ import annotations

import json
from typing import Any

import pytest
from enforcement_support import ACCOUNT, Account, allow, trust, unique
from lambda_support import ECHO

from durable_sandbox.pytest_plugin import Sandbox, eventually


@pytest.fixture(scope="module")
def account(sandbox: Sandbox) -> Account:
    return Account(sandbox)


def _bodies(account: Account, url: str) -> list[str]:
    messages = account.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
    return [message["Body"] for message in messages]


def test_a_topic_needs_the_queues_policy(account: Account) -> None:
    url, queue = account.queue()
    sns = account.sandbox.client("sns")
    topic = sns.create_topic(Name=unique("topic"))["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes={"RawMessageDelivery": "true"})

    def open_to(source: str) -> None:
        condition = {"ArnEquals": {"aws:SourceArn": source}, "StringEquals": {"aws:SourceAccount": ACCOUNT}}
        service = {"Service": "sns.amazonaws.com"}
        account.protect(url, allow("sqs:SendMessage", queue, Principal=service, Condition=condition))

    sns.publish(TopicArn=topic, Message="unasked")
    open_to(f"{topic}-other")
    sns.publish(TopicArn=topic, Message="for another")
    open_to(topic)
    sns.publish(TopicArn=topic, Message="asked")
    assert _bodies(account, url) == ["asked"]


def test_a_rule_needs_the_queues_policy_or_a_role(account: Account) -> None:
    url, queue = account.queue()
    dead_url, dead = account.queue()
    events = account.sandbox.client("events")
    source = unique("source")
    rule = events.put_rule(Name=source, EventPattern=json.dumps({"source": [source]}))["RuleArn"]
    service = {"Principal": {"Service": "events.amazonaws.com"}}
    account.protect(
        dead_url, allow("sqs:SendMessage", dead, **service, Condition={"ArnEquals": {"aws:SourceArn": rule}})
    )
    target: dict[str, Any] = {"Id": "q", "Arn": queue, "DeadLetterConfig": {"Arn": dead}}

    def put(detail: str) -> None:
        entry = {"Source": source, "DetailType": detail, "Detail": "{}"}
        assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0

    events.put_targets(Rule=source, Targets=[target])
    put("refused")
    role = account.role(allow("sqs:SendMessage", queue))
    events.put_targets(Rule=source, Targets=[target | {"RoleArn": role.arn}])
    put("by role")
    untrusted = account.role(allow("sqs:SendMessage", queue), trusted=trust("lambda"))
    events.put_targets(Rule=source, Targets=[target | {"RoleArn": untrusted.arn}])
    put("untrusted role")
    details = [json.loads(body)["detail-type"] for body in _bodies(account, url)]
    dead_details = [json.loads(body)["detail-type"] for body in _bodies(account, dead_url)]
    assert (details, sorted(dead_details)) == (["by role"], ["refused", "untrusted role"])


def test_a_rule_invokes_by_the_functions_policy(account: Account) -> None:
    role = account.role(allow("logs:*", "*"))
    function = account.function(role, ECHO)
    events = account.sandbox.client("events")
    source = unique("source")
    rule = events.put_rule(Name=source, EventPattern=json.dumps({"source": [source]}))["RuleArn"]
    events.put_targets(Rule=source, Targets=[{"Id": "f", "Arn": f"{function}:live"}])
    entries = [{"Source": source, "DetailType": "d", "Detail": "{}"}]
    events.put_events(Entries=entries)
    assert account.sandbox.iam(role.name)["used"] == []
    account.functions.add_permission(
        FunctionName=function,
        Qualifier="live",
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule,
    )
    events.put_events(Entries=entries)
    eventually(lambda: account.sandbox.iam(role.name)["used"] or None)


def test_a_bucket_notifies_by_the_queues_policy(account: Account) -> None:
    url, queue = account.queue()
    s3, bucket = account.sandbox.client("s3"), unique("bucket")
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={"QueueConfigurations": [{"QueueArn": queue, "Events": ["s3:ObjectCreated:*"]}]},
    )
    s3.put_object(Bucket=bucket, Key="unasked", Body=b"x")
    condition = {"ArnEquals": {"aws:SourceArn": f"arn:aws:s3:::{bucket}"}}
    service = {"Principal": {"Service": "s3.amazonaws.com"}}
    account.protect(url, allow("sqs:SendMessage", queue, **service, Condition=condition))
    s3.put_object(Bucket=bucket, Key="asked", Body=b"x")
    keys = [json.loads(body)["Records"][0]["s3"]["object"]["key"] for body in _bodies(account, url)]
    assert keys == ["asked"]
