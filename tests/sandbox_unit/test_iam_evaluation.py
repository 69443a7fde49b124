"""The order of evaluation, from IAM User Guide reference_policies_evaluation-logic."""

from __future__ import annotations

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
    FakeSource,
    allow,
    decide,
    deny,
    document,
    trust,
)

from durable_sandbox.iam.documents import PolicyError
from durable_sandbox.iam.evaluator import PolicyType
from durable_sandbox.iam.model import Document, Principal, RoleDocuments

SNS = Principal.service("sns.amazonaws.com", ACCOUNT)
AS_ROOT = Principal.of(ROOT)
EVERYONE = {"Principal": "*"}
BY_ROLE = {"Principal": {"AWS": ROLE}}
BY_SESSION = {"Principal": {"AWS": SESSION}}
BY_ACCOUNT = {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}
BY_ACCOUNT_ID = {"Principal": {"AWS": ACCOUNT}}
OTHER_ROLE = {"Principal": {"AWS": f"{ROLE}-2"}}
NONE = None
OTHER = "sns:Publish"


def on(principal: dict[str, Any], effect: Any = allow, **more: Any) -> dict[str, Any]:
    return {**effect(resource=QUEUE), **principal, **more}


CASES: list[tuple[str, Any, Any, Any, Any, bool, PolicyType]] = [
    # name, identity, resource, boundary, session, allowed, decided by
    ("nothing allows", [], NONE, NONE, NONE, False, PolicyType.IDENTITY),
    ("identity allows", [allow()], NONE, NONE, NONE, True, PolicyType.IDENTITY),
    ("identity allows something else", [allow(OTHER)], NONE, NONE, NONE, False, PolicyType.IDENTITY),
    ("identity denies", [allow(), deny()], NONE, NONE, NONE, False, PolicyType.IDENTITY),
    ("deny first in the list", [deny(), allow()], NONE, NONE, NONE, False, PolicyType.IDENTITY),
    ("resource denies the role", [allow()], [on(BY_ROLE, deny)], NONE, NONE, False, PolicyType.RESOURCE),
    ("resource denies the account", [allow()], [on(BY_ACCOUNT, deny)], NONE, NONE, False, PolicyType.RESOURCE),
    ("resource denies everyone", [allow()], [on(EVERYONE, deny)], NONE, NONE, False, PolicyType.RESOURCE),
    ("resource denies another role", [allow()], [on(OTHER_ROLE, deny)], NONE, NONE, True, PolicyType.IDENTITY),
    ("resource alone, role", [], [on(BY_ROLE)], NONE, NONE, True, PolicyType.RESOURCE),
    ("resource alone, session", [], [on(BY_SESSION)], NONE, NONE, True, PolicyType.RESOURCE),
    ("resource alone, everyone", [], [on(EVERYONE)], NONE, NONE, True, PolicyType.RESOURCE),
    ("resource names the account only", [], [on(BY_ACCOUNT)], NONE, NONE, False, PolicyType.IDENTITY),
    ("resource names the account's id only", [], [on(BY_ACCOUNT_ID)], NONE, NONE, False, PolicyType.IDENTITY),
    ("account and identity", [allow()], [on(BY_ACCOUNT)], NONE, NONE, True, PolicyType.IDENTITY),
    ("resource allows another role", [], [on(OTHER_ROLE)], NONE, NONE, False, PolicyType.IDENTITY),
    ("boundary allows too", [allow()], NONE, [allow("sqs:*")], NONE, True, PolicyType.IDENTITY),
    ("boundary allows nothing of it", [allow()], NONE, [allow(OTHER)], NONE, False, PolicyType.BOUNDARY),
    ("boundary denies", [allow()], NONE, [allow("*"), deny()], NONE, False, PolicyType.BOUNDARY),
    ("boundary alone grants nothing", [], NONE, [allow("*")], NONE, False, PolicyType.IDENTITY),
    ("boundary limits a role grant", [], [on(BY_ROLE)], [allow(OTHER)], NONE, False, PolicyType.BOUNDARY),
    ("boundary limits a grant to all", [], [on(EVERYONE)], [allow(OTHER)], NONE, False, PolicyType.BOUNDARY),
    ("boundary leaves a session grant", [], [on(BY_SESSION)], [allow(OTHER)], NONE, True, PolicyType.RESOURCE),
    ("boundary denies a session grant", [], [on(BY_SESSION)], [deny()], NONE, False, PolicyType.BOUNDARY),
    ("session policy allows too", [allow()], NONE, NONE, [allow("sqs:*")], True, PolicyType.IDENTITY),
    ("session policy allows nothing of it", [allow()], NONE, NONE, [allow(OTHER)], False, PolicyType.SESSION),
    ("session policy denies", [allow()], NONE, NONE, [allow("*"), deny()], False, PolicyType.SESSION),
    ("session policy limits a role grant", [], [on(BY_ROLE)], NONE, [allow(OTHER)], False, PolicyType.SESSION),
    ("session policy leaves a session grant", [], [on(BY_SESSION)], NONE, [allow(OTHER)], True, PolicyType.RESOURCE),
    ("all three allow", [allow()], NONE, [allow("*")], [allow("*")], True, PolicyType.IDENTITY),
]


@pytest.mark.parametrize(
    ("identity", "resource", "boundary", "session", "allowed", "decided_by"),
    [pytest.param(*case[1:], id=case[0]) for case in CASES],
)
def test_order_of_evaluation(
    identity: Any, resource: Any, boundary: Any, session: Any, allowed: bool, decided_by: PolicyType
) -> None:
    source = FakeSource()
    source.grant(*identity, boundary=boundary)
    if resource is not None:
        source.protect(*resource)
    if session is not None:
        source.sessions[SESSION] = [document(session, "session")]
    decision = decide(source)
    assert (decision.allowed, decision.policy_type) == (allowed, decided_by)


def test_an_explicit_deny_names_its_statement() -> None:
    source = FakeSource()
    source.grant(allow("sqs:*"), deny("sqs:Send*", Sid="NoSending"))
    decision = decide(source)
    assert decision.explicit
    assert decision.grant is not None
    assert (decision.grant.policy, decision.grant.statement, decision.grant.action) == (
        "inline",
        "NoSending",
        "sqs:Send*",
    )


def test_the_allowing_statement_is_named_by_position_without_a_sid() -> None:
    source = FakeSource()
    source.grant(allow(OTHER), allow(["sqs:ReceiveMessage", "sqs:Send*"]))
    grant = decide(source).grant
    assert grant is not None
    assert (grant.statement, grant.action) == ("#1", "sqs:Send*")


class TestPrincipals:
    def test_root_needs_no_policy(self) -> None:
        assert decide(FakeSource(), principal=AS_ROOT).allowed

    def test_root_is_subject_to_a_resource_policys_deny(self) -> None:
        source = FakeSource()
        source.protect(on(EVERYONE, deny))
        decision = decide(source, principal=AS_ROOT)
        assert (decision.allowed, decision.policy_type) == (False, PolicyType.RESOURCE)

    def test_a_role_that_does_not_exist_has_no_permission(self) -> None:
        assert not decide(FakeSource()).allowed

    @pytest.mark.parametrize(
        ("principal", "allowed"),
        [
            ({"Service": "sns.amazonaws.com"}, True),
            ({"Service": ["events.amazonaws.com", "sns.amazonaws.com"]}, True),
            ("*", True),
            ({"AWS": "*"}, True),
            ({"Service": "events.amazonaws.com"}, False),
            ({"AWS": ACCOUNT}, False),
        ],
    )
    def test_a_service_needs_the_resources_policy(self, principal: Any, allowed: bool) -> None:
        source = FakeSource()
        source.protect(on({"Principal": principal}))
        decision = decide(source, principal=SNS)
        assert (decision.allowed, decision.policy_type) == (allowed, PolicyType.RESOURCE)

    def test_a_service_without_a_resource_policy_is_refused(self) -> None:
        assert decide(FakeSource(), principal=SNS).policy_type is PolicyType.RESOURCE

    @pytest.mark.parametrize(("topic", "allowed"), [("orders", True), ("others", False)])
    def test_a_service_is_confined_to_its_source(self, topic: str, allowed: bool) -> None:
        source = FakeSource()
        source_arn = f"arn:aws:sns:{REGION}:{ACCOUNT}:orders"
        condition = {"ArnEquals": {"aws:SourceArn": source_arn}}
        source.protect(on({"Principal": {"Service": "sns.amazonaws.com"}}, Condition=condition))
        given = f"arn:aws:sns:{REGION}:{ACCOUNT}:{topic}"
        assert decide(source, principal=SNS, aws__SourceArn=given).allowed is allowed

    @pytest.mark.parametrize(
        ("listed", "bounded", "allowed"),
        [
            ([SESSION, ROLE, ACCOUNT], False, True),
            ([SESSION, ROLE], False, False),
            ([ROLE, ACCOUNT], False, False),
            ([SESSION, ROLE, ACCOUNT], True, False),
            ([f"{ROLE}-2"], False, False),
        ],
    )
    def test_a_deny_with_not_principal(self, listed: list[str], bounded: bool, allowed: bool) -> None:
        source = FakeSource()
        source.grant(allow(), boundary=[allow("*")] if bounded else None)
        source.protect(on({"NotPrincipal": {"AWS": listed}}, deny))
        assert decide(source).allowed is allowed

    @pytest.mark.parametrize(("listed", "allowed"), [([f"{ROLE}-2"], True), ([ROLE], False), ([ACCOUNT], False)])
    def test_an_allow_with_not_principal(self, listed: list[str], allowed: bool) -> None:
        source = FakeSource()
        source.grant()
        source.protect(on({"NotPrincipal": {"AWS": listed}}))
        assert decide(source).allowed is allowed


def test_a_topics_default_policy_grants_a_role_of_its_account_nothing() -> None:
    """SNS writes it for every topic; a role without a policy is refused all the same."""
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:orders"
    source = FakeSource()
    source.grant()
    condition = {"StringEquals": {"AWS:SourceOwner": ACCOUNT}}
    source.protect(
        {**allow(["SNS:GetTopicAttributes", "SNS:Publish"], topic, Condition=condition), "Principal": {"AWS": "*"}},
        resource=topic,
    )
    decision = decide(source, "sns:Publish", topic)
    assert (decision.allowed, decision.policy_type, decision.unknown) == (False, PolicyType.IDENTITY, ())


class TestAcrossAccounts:
    THEIRS = f"arn:aws:sqs:{REGION}:999999999999:orders"

    @pytest.mark.parametrize(
        ("identity", "resource", "allowed", "decided_by"),
        [
            ([allow()], None, False, PolicyType.RESOURCE),
            ([], BY_ROLE, False, PolicyType.IDENTITY),
            ([allow()], BY_ROLE, True, PolicyType.IDENTITY),
            ([allow()], BY_ACCOUNT, True, PolicyType.IDENTITY),
        ],
    )
    def test_both_sides_must_allow(self, identity: Any, resource: Any, allowed: bool, decided_by: PolicyType) -> None:
        source = FakeSource()
        source.grant(*identity)
        if resource is not None:
            source.protect({**allow(resource=self.THEIRS), **resource}, resource=self.THEIRS)
        decision = decide(source, resource=self.THEIRS)
        assert (decision.allowed, decision.policy_type) == (allowed, decided_by)


class TestKeys:
    """KMS: a key's policy must allow, or hand the decision to the account."""

    @pytest.mark.parametrize(
        ("identity", "policy", "allowed", "decided_by"),
        [
            ([allow("kms:*")], None, False, PolicyType.RESOURCE),
            ([allow("kms:*")], BY_ACCOUNT, True, PolicyType.IDENTITY),
            ([], BY_ACCOUNT, False, PolicyType.IDENTITY),
            ([], BY_ROLE, True, PolicyType.RESOURCE),
            ([allow("kms:*")], OTHER_ROLE, False, PolicyType.RESOURCE),
        ],
    )
    def test_the_keys_policy_comes_first(
        self, identity: Any, policy: Any, allowed: bool, decided_by: PolicyType
    ) -> None:
        source = FakeSource()
        source.grant(*identity)
        if policy is not None:
            source.protect({**allow("kms:*"), **policy}, resource=KEY)
        decision = decide(source, "kms:Decrypt", KEY)
        assert (decision.allowed, decision.policy_type) == (allowed, decided_by)


class TestTrust:
    PIPE = f"arn:aws:pipes:{REGION}:{ACCOUNT}:pipe/orders"
    CONDITION = {"StringEquals": {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": PIPE}}  # noqa: RUF012

    @pytest.mark.parametrize(
        ("service", "context", "allowed"),
        [
            ("pipes.amazonaws.com", {"aws__SourceArn": PIPE, "aws__SourceAccount": ACCOUNT}, True),
            ("pipes.amazonaws.com", {"aws__SourceArn": f"{PIPE}-2", "aws__SourceAccount": ACCOUNT}, False),
            ("pipes.amazonaws.com", {"aws__SourceArn": PIPE, "aws__SourceAccount": "999999999999"}, False),
            ("pipes.amazonaws.com", {"aws__SourceArn": PIPE}, False),
            ("lambda.amazonaws.com", {"aws__SourceArn": PIPE, "aws__SourceAccount": ACCOUNT}, False),
        ],
    )
    def test_a_service_assumes_for_its_resource_only(
        self, service: str, context: dict[str, str], allowed: bool
    ) -> None:
        source = FakeSource()
        source.roles[ROLE] = RoleDocuments(document(trust("pipes.amazonaws.com", Condition=self.CONDITION), "trust"))
        principal = Principal.service(service, ACCOUNT)
        decision = decide(source, "sts:AssumeRole", ROLE, principal=principal, **context)
        assert (decision.allowed, decision.policy_type) == (allowed, PolicyType.TRUST)

    TARGET = f"arn:aws:iam::{ACCOUNT}:role/target"

    @pytest.mark.parametrize(
        ("identity", "trusted", "allowed", "decided_by"),
        [
            ([], BY_ROLE, True, PolicyType.TRUST),
            ([], BY_ACCOUNT, False, PolicyType.IDENTITY),
            ([allow("sts:AssumeRole")], BY_ACCOUNT, True, PolicyType.IDENTITY),
            ([allow("sts:AssumeRole")], OTHER_ROLE, False, PolicyType.TRUST),
            ([deny("sts:AssumeRole")], BY_ROLE, False, PolicyType.IDENTITY),
        ],
    )
    def test_a_role_assumes_a_role(self, identity: Any, trusted: Any, allowed: bool, decided_by: PolicyType) -> None:
        source = FakeSource()
        source.grant(*identity)
        statement = {"Effect": "Allow", "Action": "sts:AssumeRole", **trusted}
        source.roles[self.TARGET] = RoleDocuments(document(statement, "trust"))
        decision = decide(source, "sts:AssumeRole", self.TARGET)
        assert (decision.allowed, decision.policy_type) == (allowed, decided_by)


class TestUnknownConditions:
    """What the sandbox cannot know counts against the caller."""

    @pytest.mark.parametrize(
        "condition",
        [
            {"StringSounds": {"aws:PrincipalArn": ROLE}},
            {"StringEquals": {"aws:MultiFactorAuthAge": "1"}},
            {"Null": {"aws:MultiFactorAuthAge": "true"}},
            {"StringEqualsIfExists": {"aws:MultiFactorAuthAge": "1"}},
            {"StringNotEquals": {"aws:MultiFactorAuthAge": "1"}},
            {"ForAllValues:StringEquals": {"aws:TagKeys": "a"}},
            {"Sometimes:StringEquals": {"aws:PrincipalArn": ROLE}},
            {"StringEquals": {"aws:PrincipalArn": "${aws:PrincipalTag/team}"}},
            {"NumericLessThan": {"aws:EpochTime": "soon"}},
        ],
    )
    def test_an_allow_does_not_apply_and_a_deny_does(self, condition: dict[str, Any]) -> None:
        allowing, denying = FakeSource(), FakeSource()
        allowing.grant(allow(Condition=condition))
        denying.grant(allow(), deny(Condition=condition))
        assert not decide(allowing).allowed
        assert decide(allowing).unknown
        assert not decide(denying).allowed

    def test_root_is_not_locked_out(self) -> None:
        source = FakeSource()
        source.protect(on(EVERYONE, deny, Condition={"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))
        source.grant(allow())
        assert decide(source, principal=AS_ROOT).allowed
        assert not decide(source).allowed

    def test_a_condition_that_fails_for_certain_spares_from_a_deny(self) -> None:
        source = FakeSource()
        fails = {"StringEquals": {"aws:PrincipalArn": "someone", "aws:MultiFactorAuthAge": "1"}}
        source.grant(allow(), deny(Condition=fails))
        assert decide(source).allowed

    def test_a_resource_with_an_unknown_variable(self) -> None:
        allowing, denying = FakeSource(), FakeSource()
        tagged = f"arn:aws:sqs:{REGION}:{ACCOUNT}:${{aws:PrincipalTag/queue}}"
        allowing.grant(allow(resource=tagged))
        denying.grant(allow(), deny(resource=tagged))
        assert not decide(allowing).allowed
        assert not decide(denying).allowed


def test_an_unreadable_policy_is_an_error_not_a_decision() -> None:
    source = FakeSource()
    source.roles[ROLE] = RoleDocuments(document(trust(), "trust"), [Document("broken", "{")])
    with pytest.raises(PolicyError, match="Policy broken: not JSON"):
        decide(source)
