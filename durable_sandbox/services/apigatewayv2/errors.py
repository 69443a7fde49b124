"""Errors, in AWS's words where a source shows them; the source stands where an error is raised."""

from __future__ import annotations

from durable_sandbox.aws.errors import AwsError


def bad_request(message: str) -> AwsError:
    """What cannot be as it was asked for."""
    return AwsError("BadRequestException", message)


def conflict(message: str) -> AwsError:
    """What others are in the way of."""
    return AwsError("ConflictException", message, status=409)


def not_found(message: str) -> AwsError:
    """What is not there."""
    return AwsError("NotFoundException", message, status=404)


def not_emulated(what: str) -> AwsError:
    """What AWS has and the sandbox has not; ``what`` is in the plural."""
    return AwsError(
        "UnsupportedOperation",
        f"The sandbox does not emulate {what}. See 'The sandbox' in the README.",
        status=501,
    )
