"""What Lambda's API refuses: https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html#API_CreateFunction_Errors."""

from __future__ import annotations

from durable_sandbox.aws.errors import AwsError


def invalid(message: str) -> AwsError:
    """A value is refused."""
    return AwsError("InvalidParameterValueException", message, Type="User")
