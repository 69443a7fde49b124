"""The policies that IAM evaluation reads: moto's for its services, and what our own services keep."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from durable_sandbox.aws.arns import PARTITION, Arn
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.iam.model import Document, RoleDocuments

if TYPE_CHECKING:
    from durable_sandbox.aws.call import Service

logger = logging.getLogger(__name__)

_ALIAS = "alias/"
_AWS_ALIAS = "alias/aws/"


@runtime_checkable
class KeepsPolicies(Protocol):
    """A service of ours with policies on its resources."""

    def resource_policy(self, arn: str) -> str | Mapping[str, Any] | None:
        """The policy on the resource, JSON text or parsed; None if there is none."""
        ...


@runtime_checkable
class Encrypts(Protocol):
    """A service of ours whose resources may name a KMS key."""

    def encryption_key(self, arn: str) -> str | None:
        """The key's id, ARN or alias as it was given; None if there is none."""
        ...


class Policies:
    """A PolicySource. Called in the event loop, while moto's threads may write: it takes snapshots, and never waits.

    Before moto is loaded nothing of moto's can exist, so the root need not wait for it.
    """

    def __init__(self, account: str, loaded: Callable[[], bool], own: Mapping[str, Service]) -> None:
        self._account = account
        self._loaded = loaded
        self._own = own
        self._sessions: dict[str, tuple[Document, ...]] = {}

    def role(self, role_arn: str) -> RoleDocuments | None:
        """The role's documents; None if there is no such role."""
        found = next((role for role in self._roles() if role.arn == role_arn), None)
        if found is None:
            return None
        inline = [Document(name, body) for name, body in dict(found.policies).items()]
        attached = [Document(policy.name, _default_version(policy)) for policy in dict(found.managed_policies).values()]
        boundary = found.permissions_boundary_arn
        return RoleDocuments(
            trust=Document(f"trust policy of {found.name}", found.assume_role_policy_document),
            policies=[*inline, *attached],
            boundary=self._boundary(str(boundary)) if boundary else None,
        )

    def role_arns(self) -> list[str]:
        """Every role."""
        return sorted(str(role.arn) for role in self._roles())

    def session_policies(self, principal_arn: str) -> Sequence[Document]:
        """What AssumeRole was given for this session."""
        return self._sessions.get(principal_arn, ())

    def set_session_policy(self, principal_arn: str, policy: str | None) -> None:
        """Note the policy that AssumeRole was given, or that it was given none. Thread-safe."""
        if policy:
            self._sessions[principal_arn] = (Document("session policy", policy),)
        else:
            self._sessions.pop(principal_arn, None)

    def forget_sessions(self) -> None:
        """Drop all session policies."""
        self._sessions.clear()

    def resource_policy(self, resource_arn: str) -> Document | None:
        """The policy on a resource. Raises nothing: what is no ARN of a known kind has none."""
        arn = _parsed(resource_arn)
        if arn is None:
            return None
        own = self._own.get(arn.service)
        if own is not None:
            body = own.resource_policy(resource_arn) if isinstance(own, KeepsPolicies) else None
        else:
            read = _POLICIES.get(arn.service)
            body = read(self._account, arn) if read is not None and self._loaded() else None
        return Document(f"policy of {resource_arn}", body) if body else None

    def key_arn(self, key: str, region: str) -> str | None:
        """The ARN of the key that an id, an alias or an ARN names."""
        found = self._key(key, region)
        return None if found is None else str(found.arn)

    def encryption_key(self, resource_arn: str) -> str | None:
        """ARN of the customer managed key of a resource."""
        arn = _parsed(resource_arn)
        if arn is None or not self._loaded():
            return None
        own = self._own.get(arn.service)
        if own is not None:
            named = own.encryption_key(resource_arn) if isinstance(own, Encrypts) else None
        else:
            read = _KEYS.get(arn.service)
            named = read(self._account, arn) if read is not None else None
        if not named or _AWS_ALIAS in named:
            return None
        key = self._key(named, arn.region or "us-east-1")
        if key is None:
            # On AWS such a resource cannot be used at all: no policy of this key will ever allow it.
            return named if named.startswith("arn:") else str(Arn("kms", arn.region, self._account, f"key/{named}"))
        if any(alias.startswith(_AWS_ALIAS) for alias in list(key.aliases)):
            return None
        return str(key.arn)

    def _roles(self) -> list[Any]:
        if not self._loaded():
            return []
        return list(self._iam().roles.values())

    def _iam(self) -> Any:
        from moto.iam.models import iam_backends  # noqa: PLC0415 - loaded by now

        return iam_backends[self._account][PARTITION]

    def _boundary(self, arn: str) -> Document:
        policy = self._iam().managed_policies.get(arn)
        if policy is None:
            # A boundary that is gone allows nothing.
            return Document(arn, {"Version": "2012-10-17", "Statement": []})
        return Document(policy.name, _default_version(policy))

    def _key(self, named: str, region: str) -> Any:
        if not self._loaded():
            return None
        from moto.kms.models import kms_backends  # noqa: PLC0415 - loaded by now

        if named.startswith("arn:"):
            arn = Arn.parse(named)
            region, named = arn.region, arn.resource
        keys = list(kms_backends[self._account][region].keys.values())
        if named.startswith(_ALIAS):
            return next((key for key in keys if named in key.aliases), None)
        wanted = named.removeprefix("key/")
        return next((key for key in keys if key.id == wanted), None)


def _default_version(policy: Any) -> str:
    for version in list(policy.versions):
        if version.version_id == policy.default_version_id:
            return str(version.document)
    raise LookupError(f"{policy.arn} has no default version")


def _parsed(text: str) -> Arn | None:
    try:
        return Arn.parse(text)
    except AwsError:
        return None


# --- by service: the policy, and the key, of a resource in moto's backends ----------------------------------------------


def _topic(account: str, arn: Arn) -> Any:
    from moto.sns.models import sns_backends  # noqa: PLC0415 - loaded by now

    return sns_backends[account][arn.region].topics.get(str(arn))


def _topic_policy(account: str, arn: Arn) -> str | None:
    topic = _topic(account, arn)
    return None if topic is None else str(topic.policy)


def _topic_key(account: str, arn: Arn) -> str | None:
    topic = _topic(account, arn)
    return None if topic is None else topic.kms_master_key_id or None


def _key_policy(account: str, arn: Arn) -> str | None:
    from moto.kms.models import kms_backends  # noqa: PLC0415 - loaded by now

    key = kms_backends[account][arn.region].keys.get(arn.resource.removeprefix("key/"))
    return None if key is None else str(key.policy)


def _bus_policy(account: str, arn: Arn) -> str | None:
    from moto.events.models import events_backends  # noqa: PLC0415 - loaded by now

    kind, _, name = arn.resource.partition("/")
    bus = events_backends[account][arn.region].event_buses.get(name) if kind == "event-bus" else None
    return None if bus is None else bus.policy


def _bucket(account: str, arn: Arn) -> Any:
    from moto.s3.models import s3_backends  # noqa: PLC0415 - loaded by now

    return s3_backends[account][PARTITION].buckets.get(arn.resource.partition("/")[0])


def _bucket_policy(account: str, arn: Arn) -> str | None:
    bucket = _bucket(account, arn)
    return None if bucket is None or bucket.policy is None else bucket.policy.decode()


def _bucket_key(account: str, arn: Arn) -> str | None:
    bucket = _bucket(account, arn)
    rule = ((bucket.encryption if bucket is not None else None) or {}).get("Rule") or {}
    default = (rule[0] if isinstance(rule, list) else rule).get("ApplyServerSideEncryptionByDefault") or {}
    if not str(default.get("SSEAlgorithm", "")).startswith("aws:kms"):
        return None
    return default.get("KMSMasterKeyID")


def _table_policy(account: str, arn: Arn) -> str | None:
    from moto.dynamodb.models import dynamodb_backends  # noqa: PLC0415 - loaded by now

    policy = dynamodb_backends[account][arn.region].resource_policies.get(str(arn))
    return None if policy is None else str(policy.policy_doc)


def _table_key(account: str, arn: Arn) -> str | None:
    from moto.dynamodb.models import dynamodb_backends  # noqa: PLC0415 - loaded by now

    kind, _, rest = arn.resource.partition("/")
    table = dynamodb_backends[account][arn.region].tables.get(rest.partition("/")[0]) if kind == "table" else None
    specification = (table.sse_specification if table is not None else None) or {}
    return specification.get("KMSMasterKeyId") if specification.get("Enabled") else None


def _stream_policy(account: str, arn: Arn) -> str | None:
    from moto.kinesis.models import kinesis_backends  # noqa: PLC0415 - loaded by now

    policy = kinesis_backends[account][arn.region].resource_policies.get(str(arn))
    return None if policy is None else str(policy)


def _stream_key(account: str, arn: Arn) -> str | None:
    from moto.kinesis.models import kinesis_backends  # noqa: PLC0415 - loaded by now

    stream = kinesis_backends[account][arn.region].streams.get(arn.resource.removeprefix("stream/"))
    return None if stream is None or stream.encryption_type != "KMS" else stream.key_id


def _logs_policy(account: str, arn: Arn) -> str | None:
    """All policies of the region together: they name log groups as their resources (PutResourcePolicy of Logs)."""
    from moto.logs.models import logs_backends  # noqa: PLC0415 - loaded by now

    kept = [
        json.loads(one.policy_document) for one in list(logs_backends[account][arn.region].resource_policies.values())
    ]
    statements: list[Any] = []
    for document in kept:
        found = document.get("Statement", [])
        statements += found if isinstance(found, list) else [found]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}) if statements else None


_Reader = Callable[[str, Arn], str | None]
_POLICIES: Mapping[str, _Reader] = {
    "logs": _logs_policy,
    "sns": _topic_policy,
    "kms": _key_policy,
    "events": _bus_policy,
    "s3": _bucket_policy,
    "dynamodb": _table_policy,
    "kinesis": _stream_policy,
}
_KEYS: Mapping[str, _Reader] = {
    "sns": _topic_key,
    "s3": _bucket_key,
    "dynamodb": _table_key,
    "kinesis": _stream_key,
}
