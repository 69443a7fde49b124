"""STS and the sandbox's own keys.

Gap closed in moto 5.2.5: GetCallerIdentity knows only keys that moto issued and calls every other one a user named
``moto``; a Lambda handler must see its role's session, Terraform the account's root. And the keys that AssumeRole
issues are known to moto alone: everything else would take them for the root's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.sts.models import STSBackend

from durable_sandbox.aws.call import Caller
from durable_sandbox.aws.identity import Identities


def patch(identities: Callable[[], Identities], issued: Callable[[Caller, str | None], None]) -> None:
    """Teach moto's STS the keys of ``identities``, once a process; ``issued`` hears of sessions and their policies."""
    original = STSBackend.get_caller_identity
    assume = STSBackend.assume_role

    def assume_role(self: Any, *args: Any, **kwargs: Any) -> Any:
        role = assume(self, *args, **kwargs)
        issued(Caller(role.account_id, role.arn, role.access_key_id, role.role_arn), role.policy)
        return role

    def get_caller_identity(self: Any, access_key_id: str, region: str) -> tuple[str, str, str]:
        user_id, arn, account = original(self, access_key_id, region)
        if not arn.endswith(":user/moto"):
            return user_id, arn, account
        caller = identities().caller(access_key_id)
        if caller.role_arn is None:
            return caller.account, caller.arn, caller.account
        session = caller.arn.rsplit("/", 1)[-1]
        return f"AROA{caller.access_key[4:]}:{session}", caller.arn, caller.account

    STSBackend.get_caller_identity = get_caller_identity
    STSBackend.assume_role = assume_role
