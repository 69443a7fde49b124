"""AWS's managed policies, with their real documents, in each account.

Gap closed in moto 5.2.5: it has them only if a variable of the process says so, and then parses all of them, 1,582 documents, for
each account and again at each reset: 0.2 s each time.
"""

from __future__ import annotations

import functools
import json
from typing import Any, TypeVar

from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.models import AWSManagedPolicy, IAMBackend

Model = TypeVar("Model")


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
    versions = [_copy(version) for version in policy.versions]
    return _copy(policy, account_id=account, tags={}, versions=versions)


def _copy(model: Model, **own: Any) -> Model:
    """As copy.copy, in a fifth of its time, but for what is its ``own``."""
    copied: Model = model.__class__.__new__(model.__class__)
    vars(copied).update(vars(model), **own)
    return copied
