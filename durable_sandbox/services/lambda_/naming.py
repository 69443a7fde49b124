"""The forms in which a caller names a function: name, name:qualifier, partial and full ARN.

Grammar: botocore's lambda model, NamespacedFunctionName.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from durable_sandbox.aws.errors import AwsError

_GRAMMAR = re.compile(
    r"(arn:(?P<partition>[a-zA-Z-]+):lambda:(?P<region>[a-z0-9-]+):)?"
    r"((?P<account>\d{12}):)?"
    r"(function:)?"
    r"(?P<name>[a-zA-Z0-9-_]{1,64})"
    r"(:(?P<qualifier>\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]{1,128}))?"
)


@dataclass(frozen=True, slots=True)
class FunctionReference:
    """A function as a caller named it; ``qualifier`` is None when it named none."""

    region: str
    name: str
    qualifier: str | None

    @classmethod
    def parse(cls, text: str, region: str, qualifier: str | None = None) -> FunctionReference:
        """Parse ``text``; ``qualifier`` is the API's own parameter. Raises AwsError if they are malformed or disagree."""
        match = _GRAMMAR.fullmatch(text)
        if match is None:
            raise AwsError(
                "ValidationException",
                f"1 validation error detected: Value '{text}' at 'functionName' failed to satisfy constraint: "
                "Member must be a function name, name:qualifier, or function ARN",
            )
        named = match["qualifier"]
        if named and qualifier and named != qualifier:
            raise AwsError(
                "InvalidParameterValueException",
                "The derived qualifier from the function name does not match the specified qualifier.",
            )
        return cls(match["region"] or region, match["name"], named or qualifier)
