"""ARNs as values. Formats: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html."""

from __future__ import annotations

from dataclasses import dataclass

from durable_sandbox.aws.errors import AwsError

PARTITION = "aws"


@dataclass(frozen=True, slots=True)
class Arn:
    """``arn:partition:service:region:account:resource``."""

    service: str
    region: str
    account: str
    resource: str
    partition: str = PARTITION

    @classmethod
    def parse(cls, text: str) -> Arn:
        """Parse ``text``. Raises AwsError (ValidationException) if it is no ARN."""
        parts = text.split(":", 5)
        if len(parts) != 6 or parts[0] != "arn":  # noqa: PLR2004 - six fields, as the docstring shows
            raise AwsError(
                "ValidationException", f"{text!r} is not an ARN (arn:partition:service:region:account:resource)."
            )
        return cls(parts[2], parts[3], parts[4], parts[5], parts[1])

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account}:{self.resource}"


def queue_arn(region: str, account: str, name: str) -> str:
    """ARN of an SQS queue."""
    return str(Arn("sqs", region, account, name))


def queue_url(queue: Arn) -> str:
    """A QueueUrl for ``queue``: AWS takes any host, it reads account and name from the path."""
    return f"https://sqs.{queue.region}.amazonaws.com/{queue.account}/{queue.resource}"


def function_arn(region: str, account: str, name: str, qualifier: str | None = None) -> str:
    """ARN of a Lambda function, qualified with a version or alias when given."""
    resource = f"function:{name}" if qualifier is None else f"function:{name}:{qualifier}"
    return str(Arn("lambda", region, account, resource))


def role_session_arn(account: str, role_name: str, session: str) -> str:
    """ARN of an assumed-role session."""
    return str(Arn("sts", "", account, f"assumed-role/{role_name}/{session}"))
