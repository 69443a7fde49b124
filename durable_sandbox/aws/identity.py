"""Which principal an access key stands for, and keys for the roles that AWS would assume."""

from __future__ import annotations

import secrets
import string
import threading
from dataclasses import dataclass

from durable_sandbox.aws.arns import Arn, role_session_arn
from durable_sandbox.aws.call import Caller

_KEY_ALPHABET = string.ascii_uppercase + "234567"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Temporary keys of a role's session, as they appear in a Lambda environment."""

    access_key: str
    secret_key: str
    session_token: str


class Identities:
    """Access keys and their principals. A key that nobody issued is the account's root (Terraform, the CLI)."""

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
        key = "ASIA" + "".join(secrets.choice(_KEY_ALPHABET) for _ in range(16))
        caller = Caller(self._account, role_session_arn(self._account, role_name, session), key, role_arn)
        with self._lock:
            self._callers[key] = caller
        return Credentials(key, secrets.token_urlsafe(30), secrets.token_urlsafe(60)), caller

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

    def forget(self) -> None:
        """Drop every issued key."""
        with self._lock:
            self._callers.clear()
            self._services.clear()
