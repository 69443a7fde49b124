"""A pipe's definition: from a request's members to what runs, and back to DescribePipe.

Merge rules of UpdatePipe: only given members change, but the objects of one service (``SqsQueueParameters``,
``LambdaFunctionParameters``) are replaced whole, what they leave out going back to its default; an empty
``InputTemplate`` or ``Enrichment`` removes it; ``LogConfiguration`` is replaced whole (botocore model, UpdatePipe).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from durable_sandbox.aws.arns import Arn
from durable_sandbox.events.pipe_log import PipeLogConfig
from durable_sandbox.events.pipe_spec import PipeSpec, SqsTarget
from durable_sandbox.events.templates import InputTemplate, TemplateError
from durable_sandbox.services.pipes.sources import Params, source_kind
from durable_sandbox.services.pipes.validation import field_error

_TARGET_MEMBERS = {
    "lambda": frozenset({"InputTemplate", "LambdaFunctionParameters"}),
    "sqs": frozenset({"InputTemplate", "SqsQueueParameters"}),
}
_LOG_DESTINATION = "CloudwatchLogsLogDestination"


@dataclass(frozen=True, slots=True)
class PipeDefinition:
    """The members of CreatePipe and UpdatePipe as DescribePipe gives them back."""

    name: str
    source: str
    target: str
    role_arn: str
    description: str | None = None
    enrichment: str | None = None
    source_parameters: Params = field(default_factory=dict)
    enrichment_parameters: Params = field(default_factory=dict)
    target_parameters: Params = field(default_factory=dict)
    log_configuration: Params | None = None
    kms_key: str | None = None

    @classmethod
    def created(cls, params: Params) -> PipeDefinition:
        """From CreatePipe's ``params``. Raises AwsError (ValidationException) for a source that is not run."""
        kind = source_kind(params["Source"])
        return cls(
            name=params["Name"],
            source=params["Source"],
            target=params["Target"],
            role_arn=params["RoleArn"],
            source_parameters={} if kind.is_stream else {kind.member: kind.shown},
        ).updated(params)

    def updated(self, params: Params) -> PipeDefinition:
        """With UpdatePipe's ``params`` merged in."""
        log = params.get("LogConfiguration")
        return replace(
            self,
            description=_given(params, "Description", self.description),
            target=params.get("Target") or self.target,
            role_arn=params.get("RoleArn") or self.role_arn,
            enrichment=_given(params, "Enrichment", self.enrichment) or None,
            kms_key=_given(params, "KmsKeyIdentifier", self.kms_key) or None,
            source_parameters=source_kind(self.source).merged(
                self.source_parameters, params.get("SourceParameters") or {}
            ),
            enrichment_parameters=_merged(self.enrichment_parameters, params.get("EnrichmentParameters") or {}),
            target_parameters=_merged(self.target_parameters, params.get("TargetParameters") or {}),
            log_configuration=self.log_configuration if log is None else log,
        )

    def described(self) -> dict[str, Any]:
        """Members for DescribePipe; what was never given is left out."""
        members = {
            "Name": self.name,
            "Description": self.description,
            "Source": self.source,
            "SourceParameters": self.source_parameters,
            "Enrichment": self.enrichment,
            "EnrichmentParameters": self.enrichment_parameters or None,
            "Target": self.target,
            "TargetParameters": self.target_parameters or None,
            "RoleArn": self.role_arn,
            "LogConfiguration": self.log_configuration,
            "KmsKeyIdentifier": self.kms_key,
        }
        return {name: value for name, value in members.items() if value is not None}

    def spec(self, arn: str) -> PipeSpec:
        """What runs. Raises AwsError (ValidationException) for what is invalid or what the sandbox does not run."""
        source, target, kind = Arn.parse(self.source), Arn.parse(self.target), source_kind(self.source)
        if target.service not in _TARGET_MEMBERS or not _is_queue_or_function(target):
            raise field_error(
                "Target", f"The sandbox runs pipes to Lambda functions and SQS queues only, not to {target}."
            )
        enrichment = None if self.enrichment is None else Arn.parse(self.enrichment)
        if enrichment is not None and (enrichment.service != "lambda" or not _is_queue_or_function(enrichment)):
            raise field_error("Enrichment", f"The sandbox enriches by Lambda functions only, not by {self.enrichment}.")
        _no_others(self.source_parameters, kind.members, "SourceParameters")
        _no_others(self.enrichment_parameters, frozenset({"InputTemplate"}), "EnrichmentParameters")
        _no_others(self.target_parameters, _TARGET_MEMBERS[target.service], "TargetParameters")
        record_filter = kind.record_filter(self.source_parameters)
        stream = kind.stream_spec(source, self.source_parameters, record_filter)
        batching = self.source_parameters[kind.member]
        function = self.target_parameters.get("LambdaFunctionParameters") or {}
        return PipeSpec(
            arn=arn,
            name=self.name,
            role_arn=self.role_arn,
            source=source,
            target=target,
            batch_size=batching["BatchSize"],
            batching_window=batching.get("MaximumBatchingWindowInSeconds", 0),
            record_filter=record_filter,
            stream=stream,
            enrichment=enrichment,
            enrichment_template=_template(self.enrichment_parameters, "InputTemplate", "EnrichmentParameters"),
            target_template=_template(self.target_parameters, "InputTemplate", "TargetParameters"),
            fire_and_forget=function.get("InvocationType") == "FIRE_AND_FORGET",
            sqs_target=self._sqs_target(target),
            log=_log_config(self.log_configuration),
        )

    def _sqs_target(self, target: Arn) -> SqsTarget:
        parameters, path = self.target_parameters.get("SqsQueueParameters") or {}, "TargetParameters.SqsQueueParameters"
        if target.service == "sqs" and target.resource.endswith(".fifo") and not parameters.get("MessageGroupId"):
            raise field_error(f"{path}.MessageGroupId", "Missing required parameter: the target is a FIFO queue.")
        return SqsTarget(
            _template(parameters, "MessageGroupId", path, path_alone=True),
            _template(parameters, "MessageDeduplicationId", path, path_alone=True),
        )


def _given(params: Params, name: str, current: str | None) -> str | None:
    value = params.get(name)
    return current if value is None else str(value)


def _merged(current: Params, change: Params) -> Params:
    """Members of ``change`` over ``current``; an empty InputTemplate removes it."""
    merged = {**current, **{name: value for name, value in change.items() if value is not None}}
    if merged.get("InputTemplate") == "":
        del merged["InputTemplate"]
    return merged


def _is_queue_or_function(arn: Arn) -> bool:
    return arn.service == "sqs" or arn.resource.startswith("function:")


def _no_others(parameters: Params, allowed: frozenset[str], path: str) -> None:
    for name in parameters:
        if name not in allowed:
            raise field_error(f"{path}.{name}", "This parameter does not belong to the pipe's source or target.")


def _template(parameters: Params, name: str, path: str, *, path_alone: bool = False) -> InputTemplate | None:
    """The template in member ``name``; ``path_alone``: a bare ``$.a.b`` is a path too (dynamic path parameters)."""
    text = parameters.get(name)
    if not text:
        return None
    try:
        return InputTemplate.parse(f"<{text}>" if path_alone and text.startswith("$") else text)
    except TemplateError as error:
        raise field_error(f"{path}.{name}", str(error)) from error


def _log_config(configuration: Params | None) -> PipeLogConfig | None:
    if configuration is None or configuration["Level"] == "OFF":
        return None
    for name in ("S3LogDestination", "FirehoseLogDestination"):
        if configuration.get(name):
            raise field_error(f"LogConfiguration.{name}", "The sandbox writes pipe logs to CloudWatch Logs only.")
    destination = configuration.get(_LOG_DESTINATION)
    if not destination:
        raise field_error(f"LogConfiguration.{_LOG_DESTINATION}", "A log level needs a log destination.")
    arn = Arn.parse(destination["LogGroupArn"])
    return PipeLogConfig(
        region=arn.region,
        group=arn.resource.removeprefix("log-group:").removesuffix(":*"),
        level=configuration["Level"],
        include_execution_data="ALL" in (configuration.get("IncludeExecutionData") or []),
    )
