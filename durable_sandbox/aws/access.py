"""What the sandbox's parts ask of IAM, besides what is asked of every API call that passes through ``Api``."""

from __future__ import annotations

from typing import Protocol

from durable_sandbox.aws.call import Call, Caller


class Access(Protocol):
    """Decisions of IAM. To be asked from the event loop only."""

    def check(self, call: Call) -> None:
        """Return if ``call`` is allowed; it need not be made. Raises AwsError as its service would."""
        ...

    def assumable(self, role_arn: str, service: str, *, source_arn: str, source_account: str) -> bool:
        """Whether ``service`` (``pipes.amazonaws.com``) may assume the role on behalf of the resource ``source_arn``."""
        ...

    def decrypt(self, caller: Caller, key: str, *, service: str, region: str) -> None:
        """Return if ``caller`` may decrypt with ``key`` (ARN, id or alias) through ``service``. Raises AwsError."""
        ...


class Unrestricted:
    """The answers of a sandbox that enforces no IAM."""

    def check(self, call: Call) -> None:
        """Allow ``call``."""

    def assumable(self, role_arn: str, service: str, *, source_arn: str, source_account: str) -> bool:
        """Any role may be assumed, even one that does not exist."""
        del role_arn, service, source_arn, source_account
        return True

    def decrypt(self, caller: Caller, key: str, *, service: str, region: str) -> None:
        """Allow it."""
