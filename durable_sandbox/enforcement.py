"""IAM as the sandbox enforces it: decisions on calls, trust of services in roles, and the log of both."""

from __future__ import annotations

from typing import Any

from durable_sandbox.aws.call import Call, Caller
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.iam.actions import changes_policies
from durable_sandbox.iam.authoriser import Authoriser
from durable_sandbox.iam.documents import PolicyError
from durable_sandbox.iam.model import Principal
from durable_sandbox.moto_adapter.policies import Policies

_FORBIDDEN = 403


class Enforcement:
    """The authoriser of a sandbox, and its parts' Access. Touched from the event loop only."""

    def __init__(self, source: Policies, *, account: str) -> None:
        self._source = source
        self._authoriser = Authoriser(source, account=account)

    async def authorise(self, call: Call) -> None:
        """Return if ``call`` is allowed. Raises AwsError."""
        self.check(call)

    def check(self, call: Call) -> None:
        """As ``authorise``, without awaiting."""
        self._authoriser.check(call)
        if call.service == "sts" and call.operation == "AssumeRole":
            self._check_session(call)

    def assumable(self, role_arn: str, service: str, *, source_arn: str, source_account: str) -> bool:
        """Whether the role's trust policy lets ``service`` assume it for ``source_arn``."""

        def allowed() -> bool:
            try:
                return self._authoriser.assumable(
                    role_arn, service, source_arn=source_arn, source_account=source_account
                ).allowed
            except AwsError:
                return False

        if allowed():
            return True
        # A stack that creates the role and then its user tells of no change until it is complete.
        self._authoriser.changed()
        return allowed()

    def decrypt(self, caller: Caller, key: str, *, service: str, region: str) -> None:
        """Return if ``caller`` may decrypt with ``key`` through ``service``. Raises AwsError."""
        self._authoriser.require(
            Principal.of(caller),
            "kms:Decrypt",
            self._source.key_arn(key, region) or key,
            service="kms",
            region=region,
            context={"kms:ViaService": f"{service}.{region}.amazonaws.com"},
        )

    def after(self, service: str, operation: str) -> None:
        """Take notice of a call that was made, whatever became of it."""
        if changes_policies(service, operation) or (service == "sts" and operation.startswith("AssumeRole")):
            self._authoriser.changed()

    def reset(self) -> None:
        """Forget decisions, sessions and the log."""
        self._source.forget_sessions()
        self._authoriser.changed()
        self._authoriser.log.clear()

    def roles(self) -> list[str]:
        """Every role that exists, and every principal that asked for anything."""
        return sorted({*self._source.role_arns(), *self._authoriser.log.principals()})

    def report(self, name: str) -> dict[str, Any] | None:
        """What the principal of that ARN or role name used, was refused and never needed; None if it is unknown."""
        found = [who for who in self.roles() if who == name or who.rsplit("/", 1)[-1] == name]
        if not found:
            return None
        who = found[0]
        log = self._authoriser.log
        shown: dict[str, Any] = {
            "principal": who,
            "used": [tally.as_json() for tally in log.used(who)],
            "refused": [tally.as_json() for tally in log.refused(who)],
        }
        try:
            unused = self._authoriser.unused(who) if ":role/" in who else []
        except PolicyError as error:
            return {**shown, "unused": [], "problem": str(error)}
        return {
            **shown,
            "unused": [
                {
                    "policy": one.policy,
                    "statement": one.statement,
                    "action": one.action,
                    "whole_statement": one.whole_statement,
                }
                for one in unused
            ],
        }

    def _check_session(self, call: Call) -> None:
        role = str(call.params.get("RoleArn"))
        if self._source.role(role) is None:
            # The account's root too: moto would issue keys for a role that does not exist.
            raise AwsError(
                "AccessDenied",
                f"User: {call.caller.arn} is not authorized to perform: sts:AssumeRole on resource: {role}",
                status=_FORBIDDEN,
            )
        if call.params.get("PolicyArns"):
            raise AwsError(
                "ValidationError", "The sandbox takes a session policy by Policy only: it would ignore PolicyArns."
            )
