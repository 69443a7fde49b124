"""Parsing, wildcards, variables, NotAction and NotResource, condition operators."""

from __future__ import annotations

import json
from typing import Any

import pytest
from iam_support import ACCOUNT, QUEUE, REGION, ROLE, FakeSource, allow, decide, deny, document, trust
from moto.iam.aws_managed_policies import aws_managed_policies_data

from durable_sandbox.iam.documents import PolicyError, PolicyKind, parse_policy
from durable_sandbox.iam.model import Document

LOGS = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/f:log-stream:2026/01/01/[1]ab"


def allows(statement: dict[str, Any], action: str = "sqs:SendMessage", resource: str = QUEUE, **context: Any) -> bool:
    source = FakeSource()
    source.grant(statement)
    return decide(source, action, resource, **context).allowed


class TestDocuments:
    @pytest.mark.parametrize(
        ("statement", "kind", "message"),
        [
            ({"Effect": "allow", "Action": "*", "Resource": "*"}, "identity", "Effect: 'allow' is neither Allow nor"),
            ({"Effect": "Allow", "Resource": "*"}, "identity", "has neither Action nor NotAction"),
            ({"Effect": "Allow", "Action": "SendMessage", "Resource": "*"}, "identity", "has no service prefix"),
            ({"Effect": "Allow", "Action": "*", "NotAction": "*", "Resource": "*"}, "identity", "has both Action and"),
            ({"Effect": "Allow", "Action": "*"}, "identity", "has neither Resource nor NotResource"),
            ({"Effect": "Allow", "Action": [], "Resource": "*"}, "identity", "Action: expected text or a list"),
            ({**allow(), "Principal": "*"}, "identity", "a policy of an identity has no Principal"),
            (allow(), "resource", "has neither Principal nor NotPrincipal"),
            ({**allow(), "Principal": "me"}, "resource", r"Principal: neither \"\*\" nor an object"),
            ({**allow(), "Principal": {"aws": "*"}}, "resource", "Principal.aws is not an element"),
            ({**trust(), "Resource": "*"}, "trust", "a trust policy has no Resource"),
            ({**allow(), "Conditions": {}}, "identity", r"Statement\[0\].Conditions is not an element"),
            ({**allow(), "Condition": []}, "identity", "Condition is not an object"),
            ({**allow(), "Condition": {"Bool": "x"}}, "identity", "Condition.Bool is not an object of condition keys"),
            ({**allow(), "Condition": {"Bool": {"k": None}}}, "identity", "Condition.Bool.k: None is not text"),
            ("text", "identity", r"Statement\[0\] is not an object"),
        ],
    )
    def test_errors_name_the_element(self, statement: Any, kind: str, message: str) -> None:
        with pytest.raises(PolicyError, match=f"^Policy p: .*{message}"):
            parse_policy(document([statement], "p"), PolicyKind(kind))

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ("[]", "not a JSON object"),
            ("{}", "Statement is missing"),
            ('{"Version": "2012", "Statement": []}', "Version: '2012' is not one of"),
            ('{"Statements": []}', "Statements is not an element"),
        ],
    )
    def test_errors_of_the_document(self, body: str, message: str) -> None:
        with pytest.raises(PolicyError, match=message):
            parse_policy(Document("p", body), PolicyKind.IDENTITY)

    def test_one_statement_needs_no_list(self) -> None:
        policy = parse_policy(Document("p", {"Statement": allow(Sid="Only")}), PolicyKind.IDENTITY)
        assert [statement.label for statement in policy.statements] == ["Only"]

    def test_keys_are_those_of_conditions_and_variables(self) -> None:
        condition = {"StringEquals": {"aws:SourceArn": "${aws:PrincipalAccount}"}}
        policy = parse_policy(
            document(allow(resource="arn:aws:sqs:::${aws:PrincipalArn}", Condition=condition)), PolicyKind.IDENTITY
        )
        assert policy.keys == {"aws:sourcearn", "aws:principalaccount", "aws:principalarn"}

    def test_every_aws_managed_policy_of_moto_can_be_read(self) -> None:
        managed = json.loads(aws_managed_policies_data)
        assert len(managed) > 1000
        for name, data in managed.items():
            parse_policy(Document(name, data["Document"]), PolicyKind.IDENTITY)


@pytest.mark.parametrize(
    ("pattern", "action", "matches"),
    [
        ("*", "sqs:SendMessage", True),
        ("sqs:*", "sqs:SendMessage", True),
        ("SQS:sendmessage", "sqs:SendMessage", True),
        ("sqs:Send*", "sqs:SendMessage", True),
        ("sqs:?endMessage", "sqs:SendMessage", True),
        ("sqs:*Message", "sqs:SendMessage", True),
        ("sqs:Send", "sqs:SendMessage", False),
        ("sns:*", "sqs:SendMessage", False),
        ("sqs:Send?", "sqs:SendMessage", False),
        ("lambda:CheckpointDurableExecutions", "lambda:CheckpointDurableExecution", False),
    ],
)
def test_actions(pattern: str, action: str, matches: bool) -> None:
    assert allows(allow(pattern), action) is matches
    assert allows({"Effect": "Allow", "NotAction": pattern, "Resource": "*"}, action) is not matches


FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:store"


@pytest.mark.parametrize(
    ("pattern", "resource", "matches"),
    [
        ("*", QUEUE, True),
        (QUEUE, QUEUE, True),
        (QUEUE, f"{QUEUE}-dlq", False),
        (f"{QUEUE}*", f"{QUEUE}-dlq", True),
        ("arn:aws:sqs:*:*:orders", QUEUE, True),
        ("arn:aws:sqs:*", QUEUE, True),
        ("arn:aws:sqs:us-*-1:*:orders", QUEUE, True),
        ("arn:aws:sqs:us-*2:orders", QUEUE, False),  # inside a segment * does not cross a colon
        ("arn:aws:sqs:us-?ast-1:123456789012:orders", QUEUE, True),
        ("arn:aws:sqs:us-east-1?123456789012:orders", QUEUE, False),
        (QUEUE.upper(), QUEUE, False),
        (FUNCTION, f"{FUNCTION}:live", False),
        (f"{FUNCTION}:*", f"{FUNCTION}:live", True),
        (f"{FUNCTION}:*", FUNCTION, False),
        (f"{FUNCTION}:*", f"{FUNCTION}:3/durable-execution/n/i", True),
        (FUNCTION, f"{FUNCTION}:3/durable-execution/n/i", False),
        (f"{FUNCTION}:live", f"{FUNCTION}:3/durable-execution/n/i", False),
        (f"{FUNCTION}:1/durable-execution/*", f"{FUNCTION}:3/durable-execution/n/i", False),
        (f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/f:*", LOGS, True),
        (f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/f", LOGS, False),
        ("arn:aws:s3:::artifacts/*", "arn:aws:s3:::artifacts/a/b.zip", True),
        ("arn:aws:s3:::artifacts", "arn:aws:s3:::artifacts/a/b.zip", False),
        (f"arn:aws:sqs:{REGION}:${{aws:PrincipalAccount}}:orders", QUEUE, True),
        (f"arn:aws:sqs:{REGION}:${{aws:username}}:orders", QUEUE, False),
        (f"arn:aws:sqs:{REGION}:${{aws:username, '{ACCOUNT}'}}:orders", QUEUE, True),
        ("arn:aws:s3:::b/${*}", "arn:aws:s3:::b/*", True),
        ("arn:aws:s3:::b/${*}", "arn:aws:s3:::b/a", False),
        ("arn:aws:s3:::b/${?}${$}", "arn:aws:s3:::b/?$", True),
        (QUEUE, "*", False),
    ],
)
def test_resources(pattern: str, resource: str, matches: bool) -> None:
    assert allows(allow("*", pattern), "any:Action", resource) is matches
    negated = {"Effect": "Allow", "Action": "*", "NotResource": pattern}
    assert allows(negated, "any:Action", resource) is not matches


def test_variables_need_the_newer_version() -> None:
    text = f"arn:aws:sqs:{REGION}:${{aws:PrincipalAccount}}:orders"
    policy = parse_policy(
        Document("p", {"Version": "2008-10-17", "Statement": allow(resource=text)}), PolicyKind.IDENTITY
    )
    assert policy.keys == frozenset()


def test_a_value_put_in_for_a_variable_is_no_pattern() -> None:
    statement = allow("*", "arn:aws:s3:::b/${s3:prefix}")
    assert not allows(statement, "s3:GetObject", "arn:aws:s3:::b/anything", s3__prefix="*")
    assert allows(statement, "s3:GetObject", "arn:aws:s3:::b/*", s3__prefix="*")


TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:orders"
CONDITIONS: list[tuple[str, dict[str, Any], dict[str, Any], bool]] = [
    # operator, condition, context, holds
    ("StringEquals", {"k": "a"}, {"k": "a"}, True),
    ("StringEquals", {"k": ["b", "a"]}, {"k": "a"}, True),
    ("StringEquals", {"k": "A"}, {"k": "a"}, False),
    ("StringEquals", {"k": "a*"}, {"k": "ab"}, False),
    ("StringEquals", {"K": "a"}, {"k": "a"}, True),
    ("StringEquals", {"k": "a"}, {"k": ()}, False),
    ("stringequals", {"k": "a"}, {"k": "a"}, True),
    ("StringEquals", {"k": "${aws:PrincipalArn}"}, {"k": ROLE}, True),
    ("StringEquals", {"k": "a", "l": "b"}, {"k": "a", "l": "b"}, True),
    ("StringEquals", {"k": "a", "l": "b"}, {"k": "a", "l": "c"}, False),
    ("StringNotEquals", {"k": "a"}, {"k": "b"}, True),
    ("StringNotEquals", {"k": ["a", "b"]}, {"k": "b"}, False),
    ("StringNotEquals", {"k": "a"}, {"k": ()}, True),
    ("StringEqualsIgnoreCase", {"k": "ABC"}, {"k": "abc"}, True),
    ("StringNotEqualsIgnoreCase", {"k": "ABC"}, {"k": "abc"}, False),
    ("StringLike", {"k": "a*c?"}, {"k": "abbcd"}, True),
    ("StringLike", {"k": "a:*"}, {"k": "a:b:c"}, True),
    ("StringLike", {"k": "a?"}, {"k": "a"}, False),
    ("StringNotLike", {"k": "a*"}, {"k": "b"}, True),
    ("StringNotLike", {"k": "a*"}, {"k": ()}, True),
    ("ArnEquals", {"k": TOPIC}, {"k": TOPIC}, True),
    ("ArnEquals", {"k": "arn:aws:sns:*:*:orders"}, {"k": TOPIC}, True),
    ("ArnLike", {"k": "arn:aws:sns:*:orders"}, {"k": TOPIC}, False),  # each component by itself
    ("ArnLike", {"k": "arn:aws:sns:*:*:*"}, {"k": f"{TOPIC}:sub"}, True),
    ("ArnNotLike", {"k": "arn:aws:sns:*:*:orders"}, {"k": TOPIC}, False),
    ("ArnNotEquals", {"k": TOPIC}, {"k": ()}, True),
    ("Bool", {"k": "true"}, {"k": "true"}, True),
    ("Bool", {"k": True}, {"k": "true"}, True),
    ("Bool", {"k": "False"}, {"k": "false"}, True),
    ("Bool", {"k": "true"}, {"k": "false"}, False),
    ("Bool", {"k": "false"}, {"k": ()}, False),
    ("BoolIfExists", {"k": "false"}, {"k": ()}, True),
    ("NumericEquals", {"k": 5}, {"k": "5.0"}, True),
    ("NumericNotEquals", {"k": 5}, {"k": "6"}, True),
    ("NumericLessThan", {"k": "5"}, {"k": "5"}, False),
    ("NumericLessThanEquals", {"k": "5"}, {"k": "5"}, True),
    ("NumericGreaterThan", {"k": "5"}, {"k": "6"}, True),
    ("NumericGreaterThanEquals", {"k": "5"}, {"k": "4"}, False),
    ("DateEquals", {"k": "2026-01-01T00:00:00Z"}, {"k": "2026-01-01T01:00:00+01:00"}, True),
    ("DateLessThan", {"aws:CurrentTime": "2027-01-01T00:00:00Z"}, {}, True),
    ("DateGreaterThan", {"aws:CurrentTime": "2027-01-01T00:00:00Z"}, {}, False),
    ("DateGreaterThan", {"aws:EpochTime": "1700000000"}, {}, True),
    ("DateNotEquals", {"k": "2026-01-01"}, {"k": "2026-01-02"}, True),
    ("IpAddress", {"k": "10.0.0.0/8"}, {"k": "10.1.2.3"}, True),
    ("IpAddress", {"k": "10.0.0.0/8"}, {"k": "11.1.2.3"}, False),
    ("IpAddress", {"k": "2001:db8::/32"}, {"k": "2001:db8::1"}, True),
    ("NotIpAddress", {"k": ["10.0.0.0/8", "11.0.0.0/8"]}, {"k": "11.1.2.3"}, False),
    ("BinaryEquals", {"k": "QmluYXJ5"}, {"k": "QmluYXJ5"}, True),
    ("Null", {"k": "true"}, {"k": ()}, True),
    ("Null", {"k": "false"}, {"k": "a"}, True),
    ("Null", {"k": "true"}, {"k": "a"}, False),
    ("StringEqualsIfExists", {"k": "a"}, {"k": ()}, True),
    ("StringEqualsIfExists", {"k": "a"}, {"k": "b"}, False),
    ("ForAnyValue:StringEquals", {"k": ["a", "b"]}, {"k": ("b", "c")}, True),
    ("ForAnyValue:StringEquals", {"k": ["a", "b"]}, {"k": ("c", "d")}, False),
    ("ForAnyValue:StringEquals", {"k": "a"}, {"k": ()}, False),
    ("ForAnyValue:StringNotEquals", {"k": "a"}, {"k": ("a", "b")}, True),
    ("ForAnyValue:StringNotEquals", {"k": "a"}, {"k": ()}, False),
    ("ForAllValues:StringEquals", {"k": ["a", "b"]}, {"k": ("b", "a")}, True),
    ("ForAllValues:StringEquals", {"k": ["a", "b"]}, {"k": ("b", "c")}, False),
    ("ForAllValues:StringEquals", {"k": "a"}, {"k": ()}, True),
    ("ForAllValues:StringNotLike", {"k": "a*"}, {"k": ("b", "ab")}, False),
    ("ForAllValues:StringLike", {"k": "a*"}, {"k": ("a", "ab")}, True),
    ("StringEquals", {"aws:PrincipalArn": ROLE}, {}, True),
    ("StringEquals", {"aws:PrincipalAccount": ACCOUNT, "aws:ResourceAccount": ACCOUNT}, {}, True),
    ("StringEquals", {"aws:RequestedRegion": REGION}, {}, True),
    ("Bool", {"aws:SecureTransport": "true"}, {}, True),
    ("Bool", {"aws:SecureTransport": "false"}, {}, False),
    ("Bool", {"aws:SecureTransport": "false"}, {"aws__SecureTransport": "false"}, True),
    ("Null", {"aws:SourceArn": "true"}, {}, True),
    ("Bool", {"aws:PrincipalIsAWSService": "false"}, {}, True),
]


@pytest.mark.parametrize(("operator", "keys", "context", "holds"), CONDITIONS)
def test_condition_operators(operator: str, keys: dict[str, Any], context: dict[str, Any], holds: bool) -> None:
    condition = {operator: keys}
    assert allows(allow(Condition=condition), **context) is holds
    source = FakeSource()
    source.grant(allow(), deny(Condition=condition))
    assert decide(source, **context).allowed is not holds


def test_conditions_of_two_operators_must_both_hold() -> None:
    condition = {"StringEquals": {"k": "a"}, "Bool": {"l": "true"}}
    assert allows(allow(Condition=condition), k="a", l="true")
    assert not allows(allow(Condition=condition), k="a", l="false")
