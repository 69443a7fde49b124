"""Which principal an access key stands for, and keys for the roles that AWS would assume."""

from __future__ import annotations

import secrets
import string
import threading
from dataclasses import dataclass

from durable_sandbox.aws.arns import Arn, role_session_arn
from durable_sandbox.aws.call import Caller
from durable_sandbox.aws.errors import AwsError

_TEMPORARY = "ASIA"
# Query and XML services answer InvalidClientTokenId, S3 InvalidAccessKeyId, JSON services UnrecognizedClientException:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_general.html and the services' common errors.
_UNKNOWN_KEY_CODES = {
    **dict.fromkeys(
        ("sqs", "sns", "sts", "iam", "cloudformation", "cloudwatch", "monitoring", "ec2"), "InvalidClientTokenId"
    ),
    "s3": "InvalidAccessKeyId",
}
_FORBIDDEN = 403
_KEY_ALPHABET = string.ascii_uppercase + "234567"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Temporary keys of a role's session, as they appear in a Lambda environment."""

    access_key: str
    secret_key: str
    session_token: str


class Identities:
    """Access keys and their principals.

    A key that nobody issued is the account's root (Terraform, the CLI), but for one that says it is temporary (ASIA):
    it was issued before a reset, or never.
    """

    def __init__(self, account: str) -> None:
        self._account = account
        self._callers: dict[str, Caller] = {}
        self._services: dict[tuple[str, str], Caller] = {}
        self._lock = threading.Lock()

    def root(self, access_key: str = "sandbox") -> Caller:
        """The account itself."""
        return Caller(self._account, str(Arn("iam", "", self._account, "root")), access_key)

    def assume(self, role_arn: str, session: str) -> tuple[Credentials, Caller]:
        """Issue keys for a session of ``role_arn``, as a service principal would by sts:AssumeRole."""
        role_name = Arn.parse(role_arn).resource.rsplit("/", 1)[-1]
        key = _TEMPORARY + "".join(secrets.choice(_KEY_ALPHABET) for _ in range(16))
        caller = Caller(self._account, role_session_arn(self._account, role_name, session), key, role_arn)
        self.register(caller)
        return Credentials(key, secrets.token_urlsafe(30), secrets.token_urlsafe(60)), caller

    def register(self, caller: Caller) -> None:
        """Know ``caller`` by its key, which something else (STS) issued. Thread-safe."""
        with self._lock:
            self._callers[caller.access_key] = caller

    def service(self, role_arn: str, session: str) -> Caller:
        """The session in which an AWS service acts as ``role_arn``; one a role and session name."""
        known = self._services.get((role_arn, session))
        if known is None:
            _, known = self.assume(role_arn, session)
            self._services[role_arn, session] = known
        return known

    def caller(self, access_key: str | None) -> Caller:
        """The principal behind ``access_key``."""
        with self._lock:
            known = self._callers.get(access_key or "")
        return known or self.root(access_key or "anonymous")

    def principal(self, service: str, source_arn: str) -> Caller:
        """An AWS service (``sns.amazonaws.com``) that acts by itself for the resource ``source_arn``."""
        return Caller(self._account, service, service, service=True, source_arn=source_arn)

    def refuse_unknown(self, access_key: str | None, service: str) -> None:
        """Raise AwsError in the words of ``service`` for a temporary key that was not issued here, or is forgotten."""
        if access_key is None or not access_key.startswith(_TEMPORARY):
            return
        with self._lock:
            known = access_key in self._callers
        if not known:
            code = _UNKNOWN_KEY_CODES.get(service, "UnrecognizedClientException")
            raise AwsError(code, "The security token included in the request is invalid.", status=_FORBIDDEN)

    def forget(self) -> None:
        """Drop every issued key."""
        with self._lock:
            self._callers.clear()
            self._services.clear()
