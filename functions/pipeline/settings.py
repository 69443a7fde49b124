"""What the deployment sets through environment variables."""

from collections.abc import Mapping
from dataclasses import dataclass


class SettingsError(ValueError):
    """An environment variable of the function is missing."""


@dataclass(frozen=True)
class Settings:
    """The pipeline's environment.

    The three ARNs are alias ARNs of the step functions. `hold_seconds` is the default hold as text ("" for none); it is
    checked per message, like a hold that the message brings itself. `reply_arn` is the alias ARN of the reply function, through
    which WebSocket clients are reported to ("" for nobody), of the result alone without `reply_progress`.
    """

    validate_arn: str
    transform_arn: str
    store_arn: str
    hold_seconds: str = ""
    reply_arn: str = ""
    reply_progress: bool = True

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Read the variables without judging them, so that reading at import cannot fail.

        An error at import would be an init failure, which Lambda retries until ExecutionTimeout
        (https://docs.aws.amazon.com/lambda/latest/dg/durable-execution-sdk-retries.html).
        """
        return cls(
            validate_arn=environment.get("VALIDATE_FUNCTION_ARN", ""),
            transform_arn=environment.get("TRANSFORM_FUNCTION_ARN", ""),
            store_arn=environment.get("STORE_FUNCTION_ARN", ""),
            hold_seconds=environment.get("HOLD_SECONDS", ""),
            reply_arn=environment.get("REPLY_FUNCTION_ARN", ""),
            reply_progress=environment.get("REPLY_PROGRESS", "true") != "false",
        )

    def require_steps(self) -> None:
        """Check that every step function is configured.

        Raises:
            SettingsError: naming each variable that is missing.
        """
        variables = {
            "VALIDATE_FUNCTION_ARN": self.validate_arn,
            "TRANSFORM_FUNCTION_ARN": self.transform_arn,
            "STORE_FUNCTION_ARN": self.store_arn,
        }
        missing = [name for name, value in variables.items() if not value]
        if missing:
            raise SettingsError(
                f"environment variable {', '.join(missing)} is not set: "
                "give the pipeline function the alias ARN of each step function"
            )
