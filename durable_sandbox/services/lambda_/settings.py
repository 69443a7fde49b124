"""CreateFunction's and UpdateFunctionConfiguration's input checked and applied to a version."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from durable_sandbox.aws.errors import AwsError
from durable_sandbox.services.lambda_.errors import invalid
from durable_sandbox.services.lambda_.model import DurableConfig, Version

MAX_TIMEOUT = 900
MAX_EXECUTION_TIMEOUT = 31_622_400
MAX_ENVIRONMENT_BYTES = 4096
_ROLE = re.compile(r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+")
_QUEUE_OR_TOPIC = re.compile(r"arn:(aws[a-zA-Z-]*)?:(sqs|sns):[a-z0-9-]+:\d{12}:[a-zA-Z0-9_.-]+")

_KEPT = (
    "Architectures",
    "EphemeralStorage",
    "KMSKeyArn",
    "SnapStart",
    "TracingConfig",
    "VpcConfig",
)
"""Stored and shown; nothing in a sandbox depends on them."""


def refuse_unsupported(params: Mapping[str, Any]) -> None:
    """Raise AwsError for what the sandbox cannot run, rather than pretend."""
    if params.get("PackageType", "Zip") != "Zip" or params.get("Code", {}).get("ImageUri"):
        raise AwsError(
            "UnsupportedOperation", "The sandbox runs zip packages only: PackageType must be Zip.", status=501
        )
    if (params.get("SnapStart") or {}).get("ApplyOn", "None") != "None":
        raise AwsError("UnsupportedOperation", "The sandbox does not emulate SnapStart: leave it off.", status=501)
    for member in ("FileSystemConfigs", "CodeSigningConfigArn"):
        if params.get(member):
            raise AwsError("UnsupportedOperation", f"The sandbox does not emulate {member}: leave it out.", status=501)
    if params.get("Layers"):
        raise AwsError("UnsupportedOperation", "The sandbox does not emulate layers: bundle the modules.", status=501)


def apply_settings(version: Version, params: Mapping[str, Any]) -> None:
    """Apply the members that ``params`` has. Raises AwsError naming the member, its value and what is allowed."""
    _apply_scalars(version, params)
    if "Environment" in params:
        variables = dict(params["Environment"].get("Variables", {}))
        size = sum(len(k) + len(v) for k, v in variables.items())
        if size > MAX_ENVIRONMENT_BYTES:
            raise invalid(
                f"Lambda was unable to configure your environment variables because the environment variables you have "
                f"provided exceeded the 4KB limit. The size is {size} bytes."
            )
        version.environment = variables
    if "DeadLetterConfig" in params:
        target = params["DeadLetterConfig"].get("TargetArn") or None
        if target and not _QUEUE_OR_TOPIC.fullmatch(target):
            raise invalid(f"The provided destination {target} is invalid: name an SQS queue or an SNS topic by ARN.")
        if target and target.endswith(".fifo"):
            raise invalid(f"A FIFO queue or topic cannot be a dead-letter target: {target}")
        version.dead_letter_target = target
    if "LoggingConfig" in params:
        version.logging = dict(params["LoggingConfig"])
        if version.logging.get("LogFormat") == "JSON":
            version.logging = {"ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO"} | version.logging
    _apply_kept(version, params)


def durable_config(given: Mapping[str, Any] | None, before: DurableConfig | None) -> DurableConfig | None:
    """The DurableConfig after a create (``before`` None) or an update.

    Raises AwsError if the execution timeout is missing or out of range (botocore's lambda model: 1..31622400 s, 1..90 d).
    """
    if not given:
        return before
    timeout = given.get("ExecutionTimeout", before.execution_timeout if before else None)
    if timeout is None:
        raise invalid("You cannot create a function with a durable configuration without an executionTimeout")
    if not 1 <= timeout <= MAX_EXECUTION_TIMEOUT:
        raise _constraint("durableConfig.executionTimeout", timeout, f"between 1 and {MAX_EXECUTION_TIMEOUT}")
    days = given.get("RetentionPeriodInDays", before.retention_days if before else 14)
    if not 1 <= days <= 90:  # noqa: PLR2004 - the docstring's range
        raise _constraint("durableConfig.retentionPeriodInDays", days, "between 1 and 90")
    return DurableConfig(timeout, days, given.get("KMSKeyArn") or (before.kms_key_arn if before else None))


def _apply_scalars(version: Version, params: Mapping[str, Any]) -> None:
    if "Role" in params:
        if not _ROLE.fullmatch(params["Role"]):
            raise _constraint("role", params["Role"], "an IAM role ARN")
        version.role = params["Role"]
    if "Handler" in params:
        version.handler = params["Handler"]
    if "Runtime" in params:
        version.runtime = params["Runtime"]
    if "Description" in params:
        version.description = params["Description"]
    if "Timeout" in params:
        if not 1 <= params["Timeout"] <= MAX_TIMEOUT:
            raise _constraint("timeout", params["Timeout"], f"between 1 and {MAX_TIMEOUT}")
        version.timeout = params["Timeout"]
    if "MemorySize" in params:
        if not 128 <= params["MemorySize"] <= 10240:  # noqa: PLR2004 - Lambda quotas, MB
            raise _constraint("memorySize", params["MemorySize"], "between 128 and 10240")
        version.memory_size = params["MemorySize"]


def _apply_kept(version: Version, params: Mapping[str, Any]) -> None:
    for name in _KEPT:
        if params.get(name):
            version.settings[name] = params[name]
        elif name in params:  # an empty value, as KMSKeyArn "", takes the setting away
            version.settings.pop(name, None)


def _constraint(member: str, value: object, allowed: str) -> AwsError:
    return AwsError(
        "ValidationException",
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must be {allowed}",
    )
