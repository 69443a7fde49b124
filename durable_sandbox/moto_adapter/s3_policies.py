"""S3 bucket policies.

Gap closed in moto 5.2.5: its S3 evaluates a bucket policy without the request's condition keys and takes a statement
whose condition does not hold for a denial, so the usual "deny without TLS" statement locks everyone out. Policies are
stored and read back; whether they allow a call is for the sandbox's own authorisation to say.
"""

from __future__ import annotations

from typing import Any

from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket


def patch() -> None:
    """Make moto's S3 leave bucket policies to the sandbox, once a process."""

    def get_permission(self: Any, action: str, resource: str) -> PermissionResult:
        del self, action, resource
        return PermissionResult.NEUTRAL

    FakeBucket.get_permission = get_permission
