"""AWS's managed policies, with their real documents, in each account.

Gap closed in moto 5.2.5: it has them only if a variable of the process says so, and then parses all of them, 1,582 documents, for
each account and again at each reset: 0.2 s each time.
"""

from __future__ import annotations

import functools
import json

from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.models import AWSManagedPolicy, IAMBackend


def patch() -> None:
    """Give moto's IAM these policies, once a process."""

    def policies(backend: IAMBackend) -> list[AWSManagedPolicy]:
        return [_for_account(policy, backend.account_id) for policy in _all(backend.region_name)]

    IAMBackend._init_aws_policies = policies  # noqa: SLF001 - the one place where moto makes them


@functools.cache
def _all(region: str) -> tuple[AWSManagedPolicy, ...]:
    data = json.loads(aws_managed_policies_data)
    return tuple(AWSManagedPolicy.from_data(name, "aws", region, policy) for name, policy in data.items())


def _for_account(policy: AWSManagedPolicy, account: str) -> AWSManagedPolicy:
    """A copy for what an account may say of it: how often it is attached, and tags. Nobody may change its versions."""
    own = AWSManagedPolicy.__new__(AWSManagedPolicy)
    vars(own).update(vars(policy), account_id=account, tags={})  # copy.copy takes five times as long
    return own
