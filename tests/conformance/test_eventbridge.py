"""EventBridge rules where IAM is enforced: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html.

A target lets the rule in by its policy, or the target's role may do it; what is refused goes to the dead-letter queue at
once: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from enforcement_support import ACCOUNT, REGION, Account, Role, allow, document, trust, unique
from lambda_support import ECHO
from support import Bench

from durable_sandbox.pytest_plugin import Sandbox, eventually

EVENTS = {"Principal": {"Service": "events.amazonaws.com"}}


class Rules:
    """Rules whose targets have a dead-letter queue that lets them in."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.account = Account(sandbox)
        self.events = sandbox.client("events")
        self.sandbox = sandbox

    def rule(self, target: Mapping[str, Any]) -> tuple[str, str, str]:
        """Name and ARN of a rule that matches its name as the source, and the URL of its dead-letter queue."""
        name = unique("rule")
        arn = self.events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))["RuleArn"]
        url, dead = self.account.queue()
        source = {"Condition": {"ArnEquals": {"aws:SourceArn": arn}}}
        self.account.protect(url, allow("sqs:SendMessage", dead, **EVENTS, **source))
        self.events.put_targets(Rule=name, Targets=[{"Id": "t", "DeadLetterConfig": {"Arn": dead}, **target}])
        return name, arn, url

    def put(self, source: str, detail: Mapping[str, Any] | None = None) -> None:
        """Put one event."""
        entry = {"Source": source, "DetailType": "T", "Detail": json.dumps(detail or {})}
        assert self.events.put_events(Entries=[entry])["FailedEntryCount"] == 0

    def buried(self, url: str) -> dict[str, str]:
        """The attributes of the next dead letter."""
        message = self.message(url)
        return {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}

    def message(self, url: str) -> dict[str, Any]:
        """The next message of a queue."""

        def one() -> dict[str, Any] | None:
            found = self.account.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1, MessageAttributeNames=["All"])
            message: dict[str, Any] | None = next(iter(found.get("Messages", [])), None)
            return message

        return eventually(one)

    def refused(self, url: str, source: str, code: str, words: str) -> None:
        """Put an event that must be dead-lettered at once."""
        self.put(source)
        letter = self.buried(url)
        assert (letter["ERROR_CODE"], letter["RETRY_ATTEMPTS"]) == (code, "0")
        assert words in letter["ERROR_MESSAGE"]
        self.account.sqs.purge_queue(QueueUrl=url)


@pytest.fixture(scope="module")
def rules(sandbox: Sandbox) -> Rules:
    return Rules(sandbox)


def _role(rules: Rules, *statements: Mapping[str, Any]) -> Role:
    return rules.account.role(*statements, trusted=trust("events"))


def test_a_function_needs_the_policy_of_its_alias(rules: Rules, bench: Bench) -> None:
    function = bench.functions.deploy(ECHO)
    name = function.partition(":")[0]
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"
    source, rule, dead = rules.rule({"Arn": arn})
    rules.refused(dead, source, "NO_PERMISSIONS", "lambda:InvokeFunction")
    bench.lambda_.add_permission(
        FunctionName=name,
        Qualifier="live",
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=rule,
    )
    rules.put(source)
    logs = rules.sandbox.client("logs")

    def ran() -> bool | None:
        groups = logs.describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{name}")["logGroups"]
        return bool(groups) or None

    assert eventually(ran)


def test_a_durable_function_starts_by_its_alias_alone(rules: Rules, bench: Bench) -> None:
    live = bench.functions.durable()
    name = live.partition(":")[0]
    bare = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
    for qualifier in ({}, {"Qualifier": "live"}):
        bench.lambda_.add_permission(
            FunctionName=name,
            StatementId="rules",
            Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com",
            SourceAccount=ACCOUNT,
            **qualifier,
        )
    unqualified, _, dead = rules.rule({"Arn": bare})
    rules.refused(dead, unqualified, "INVALID_PARAMETER", "unqualified ARN")
    source, _, _ = rules.rule({"Arn": f"{bare}:live", "InputPath": "$.detail"})
    rules.put(source, {"value": 7})

    def succeeded() -> dict[str, Any] | None:
        found = bench.lambda_.list_durable_executions_by_function(FunctionName=name)["DurableExecutions"]
        return next((one for one in found if one["Status"] == "SUCCEEDED"), None)

    execution = bench.functions.finished(eventually(succeeded)["DurableExecutionArn"])
    assert json.loads(execution["InputPayload"]) == {"value": 7}


def test_a_topic_needs_its_policy(rules: Rules) -> None:
    sns = rules.sandbox.client("sns")
    topic = sns.create_topic(Name=unique("topic"))["TopicArn"]
    url, queue = rules.account.queue()
    open_to_topic = allow("sqs:SendMessage", queue, Principal={"Service": "sns.amazonaws.com"})
    rules.account.protect(url, open_to_topic)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes={"RawMessageDelivery": "true"})
    source, rule, dead = rules.rule({"Arn": topic, "Input": '"told"'})
    rules.refused(dead, source, "NO_PERMISSIONS", "SNS:Publish")
    statement = allow("sns:Publish", topic, **EVENTS, Condition={"ArnEquals": {"aws:SourceArn": rule}})
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=document(statement))
    rules.put(source)
    assert rules.message(url)["Body"] == '"told"'


def test_a_stream_needs_a_role_that_events_may_assume(rules: Rules) -> None:
    kinesis, name = rules.sandbox.client("kinesis"), unique("stream")
    kinesis.create_stream(StreamName=name, ShardCount=1)
    arn = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{name}"
    put_record = allow("kinesis:PutRecord", arn)
    others = rules.account.role(put_record, trusted=trust("lambda"))
    source, _, dead = rules.rule({"Arn": arn, "RoleArn": others.arn})
    rules.refused(dead, source, "FAILED_TO_ASSUME_ROLE", others.arn)
    role = _role(rules, allow("kinesis:PutRecords", arn))
    source, _, dead = rules.rule({"Arn": arn, "RoleArn": role.arn})
    rules.refused(dead, source, "NO_PERMISSIONS", "kinesis:PutRecord")
    rules.account.grant(role, put_record)
    rules.put(source)
    shard = kinesis.get_shard_iterator(
        StreamName=name, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
    )
    records = eventually(lambda: kinesis.get_records(ShardIterator=shard["ShardIterator"])["Records"] or None)
    assert [json.loads(record["Data"])["source"] for record in records] == [source]


def test_a_bus_needs_a_role_that_may_put_events(rules: Rules) -> None:
    name = unique("bus")
    bus = rules.events.create_event_bus(Name=name)["EventBusArn"]
    role = _role(rules, allow("events:PutEvents", f"{bus}-other"))
    source, _, dead = rules.rule({"Arn": bus, "RoleArn": role.arn})
    url, queue = rules.account.queue()
    end = rules.events.put_rule(Name=name, EventBusName=name, EventPattern=json.dumps({"source": [source]}))["RuleArn"]
    condition = {"Condition": {"ArnEquals": {"aws:SourceArn": end}}}
    rules.account.protect(url, allow("sqs:SendMessage", queue, **EVENTS, **condition))
    rules.events.put_targets(Rule=name, EventBusName=name, Targets=[{"Id": "q", "Arn": queue}])
    rules.refused(dead, source, "NO_PERMISSIONS", "events:PutEvents")
    rules.account.grant(role, allow("events:PutEvents", bus))
    rules.put(source, {"n": 1})
    assert json.loads(rules.message(url)["Body"])["detail"] == {"n": 1}


def test_a_log_group_needs_a_resource_policy_of_logs(rules: Rules) -> None:
    logs, group = rules.sandbox.client("logs"), f"/aws/events/{unique('group')}"
    logs.create_log_group(logGroupName=group)
    arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}"
    source, _, dead = rules.rule({"Arn": arn})
    rules.refused(dead, source, "NO_PERMISSIONS", "logs:CreateLogStream")
    services = {"Principal": {"Service": ["events.amazonaws.com", "delivery.logs.amazonaws.com"]}}
    statement = allow(["logs:CreateLogStream", "logs:PutLogEvents"], f"{arn}:*", **services)
    logs.put_resource_policy(policyName=unique("policy"), policyDocument=document(statement))
    rules.put(source)
    events = eventually(lambda: logs.filter_log_events(logGroupName=group)["events"] or None)
    assert [json.loads(event["message"])["source"] for event in events] == [source]


def test_a_dead_letter_names_rule_target_and_error(rules: Rules) -> None:
    _, queue = rules.account.queue()
    source, rule, dead = rules.rule({"Arn": queue, "InputPath": "$.detail"})
    rules.put(source, {"n": 1})
    message = rules.message(dead)
    letter = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert letter.pop("ERROR_MESSAGE").endswith(
        f"is not authorized to perform: sqs:sendmessage on resource: {queue} because no resource-based policy allows "
        "the sqs:sendmessage action"
    )
    assert letter == {
        "RULE_ARN": rule,
        "TARGET_ARN": queue,
        "ERROR_CODE": "NO_PERMISSIONS",
        "RETRY_ATTEMPTS": "0",
    }
    body = json.loads(message["Body"])
    assert (body["source"], body["detail"]) == (source, {"n": 1})


def test_who_puts_targets_may_be_held_to_their_arns(rules: Rules) -> None:
    _, queue = rules.account.queue()
    name, arn, _ = rules.rule({"Arn": queue})
    only = {"Condition": {"ForAllValues:ArnEquals": {"events:TargetArn": queue}}}
    role = rules.account.role(allow("events:PutTargets", arn, **only), trusted=trust("lambda"))
    client = rules.account.session(role, "events")
    client.put_targets(Rule=name, Targets=[{"Id": "a", "Arn": queue}])
    targets = [{"Id": "a", "Arn": queue}, {"Id": "b", "Arn": f"{queue}-other"}]
    with pytest.raises(client.exceptions.ClientError, match="events:PutTargets"):
        client.put_targets(Rule=name, Targets=targets)
