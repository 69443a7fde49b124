"""Who asks for what, and where policies come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

from durable_sandbox.aws.arns import Arn
from durable_sandbox.aws.call import Caller

ContextValues = Mapping[str, tuple[str, ...]]
"""Condition keys in lower case, each with its values; an empty tuple says that AWS would not set the key."""

_ARN_PARTS = 6


class PrincipalKind(Enum):
    """What a principal is, by the value of ``aws:PrincipalType``."""

    ROOT = "Account"
    ROLE = "AssumedRole"
    SERVICE = "Service"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a request. ``arn`` is the account root's, the role session's, or a service's name (sns.amazonaws.com)."""

    kind: PrincipalKind
    account: str
    arn: str
    role_arn: str | None = None

    @classmethod
    def of(cls, caller: Caller) -> Principal:
        """The principal behind a caller: a service, a role's session, else the account's root."""
        if caller.service:
            return cls.service(caller.arn, caller.account)
        if caller.role_arn is None:
            return cls(PrincipalKind.ROOT, caller.account, caller.arn)
        return cls(PrincipalKind.ROLE, caller.account, caller.arn, caller.role_arn)

    @classmethod
    def service(cls, name: str, account: str) -> Principal:
        """An AWS service that acts by itself, such as ``sns.amazonaws.com``, on behalf of ``account``."""
        return cls(PrincipalKind.SERVICE, account, name)

    @property
    def account_root(self) -> str:
        """ARN by which a policy names the whole account."""
        return str(Arn("iam", "", self.account, "root"))


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """One action on one resource. ``resource`` is ``*`` for an action that has no resource type.

    ``context`` holds what the operation itself adds (``events:source`` ...), keys in lower case. Keys of every request
    (``aws:PrincipalArn``, ``aws:RequestedRegion`` ...) are added by ``context.RequestContext``.
    """

    principal: Principal
    action: str
    resource: str
    region: str = ""
    context: ContextValues = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Document:
    """A policy document as it is stored: JSON text or parsed JSON, and the name it is reported by."""

    name: str
    body: str | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RoleDocuments:
    """What IAM holds for a role: trust policy, inline and attached policies, permissions boundary."""

    trust: Document
    policies: Sequence[Document] = ()
    boundary: Document | None = None


class PolicySource(Protocol):
    """Where policies are kept. Read anew whenever ``Authoriser.changed`` was called."""

    def role(self, role_arn: str) -> RoleDocuments | None:
        """The role's documents; None if there is no such role."""
        ...

    def session_policies(self, principal_arn: str) -> Sequence[Document]:
        """The policies passed to AssumeRole for this session (``arn:aws:sts::...:assumed-role/R/S``); usually none."""
        ...

    def resource_policy(self, resource_arn: str) -> Document | None:
        """The policy of the queue, topic, bus, function (by its qualified ARN), key, bucket or table; else None.

        For an object's ARN that is its bucket's policy. A role's trust policy comes from ``role``.
        """
        ...

    def key_arn(self, key: str, region: str) -> str | None:
        """The ARN of the KMS key that an id, an alias or an ARN names; None if there is none."""
        ...

    def encryption_key(self, resource_arn: str) -> str | None:
        """ARN of the customer managed key that encrypts the queue, topic, stream, bucket, object or table; else None.

        None also for keys that AWS manages: their policies let every principal of the account use them.
        """
        ...


def account_of(resource: str) -> str:
    """The account in an ARN; empty where it has none (S3), and for ``*``."""
    parts = resource.split(":", _ARN_PARTS - 1)
    return parts[4] if len(parts) == _ARN_PARTS else ""
