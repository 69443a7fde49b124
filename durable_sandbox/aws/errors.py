"""The one exception that becomes an AWS error response."""

from __future__ import annotations

from typing import Any


class AwsError(Exception):
    """An error that an AWS client must see.

    ``code`` is the error's shape name in botocore's service model (``ResourceNotFoundException``,
    ``AWS.SimpleQueueService.NonExistentQueue``); the HTTP status comes from that shape when the model has one,
    else from ``status``. ``members`` are further members of the shape, by their botocore names.
    """

    def __init__(self, code: str, message: str, *, status: int = 400, **members: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.members = members
