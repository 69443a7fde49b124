"""What PutRule and PutTargets refuse on AWS and moto 5.2.5 takes.

Limits: botocore's model of ``events``; five targets a rule: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html.
Texts that AWS gave in public: cfn-lint issue 306 (LimitExceededException), awsdocs/aws-codepipeline-user-guide 18
(RoleArn), LocalStack's events/target.py (one input, placeholders), serverfault 904992 (InputTemplate). The text for a
dead-letter queue that is FIFO is ours.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.events.exceptions import InvalidEventPatternException, ValidationException

from durable_sandbox.aws.arns import Arn
from durable_sandbox.events.filters import EventPattern, PatternError
from durable_sandbox.moto_adapter.event_input import InputError, check_template, unknown_variables
from durable_sandbox.moto_adapter.event_schedules import period
from durable_sandbox.moto_adapter.event_targets import is_archive, is_bus, is_target

_TARGETS_PER_RULE = 5
_VARIABLES = 100
_VARIABLE = re.compile(r"[A-Za-z0-9_-]{1,256}")
_INPUTS = ("Input", "InputPath", "InputTransformer")


class _UnsupportedError(JsonRESTError):
    code = 501

    def __init__(self, message: str) -> None:
        super().__init__("UnsupportedOperation", message)


@functools.lru_cache(maxsize=1000)
def compiled(pattern: str) -> EventPattern:
    """The pattern of a rule. Raises PatternError."""
    return EventPattern.parse(pattern)


def check_rule(pattern: str | None, schedule: str | None) -> None:
    """Raise moto's exception for a pattern or a rate that is not valid."""
    if pattern:
        try:
            compiled(pattern)
        except PatternError as error:
            raise InvalidEventPatternException(str(error)) from error
    if schedule and schedule.startswith("rate(") and period(schedule) is None:
        raise ValidationException("Parameter ScheduleExpression is not valid.")


def check_targets(present: Iterable[Mapping[str, Any]], targets: list[dict[str, Any]]) -> None:
    """Raise moto's exception if ``targets`` cannot join ``present``."""
    if any(is_archive(Arn.parse(target["Arn"])) for target in targets if target["Arn"].startswith("arn:aws:events:")):
        return
    for number, target in enumerate(targets, 1):
        constraint = next(_broken_constraints(target, f"targets.{number}.member"), None)
        if constraint is not None:
            raise ValidationException(f"1 validation error detected: {constraint}")
        _check_target(target)
    if len({target["Id"] for target in (*present, *targets)}) > _TARGETS_PER_RULE:
        raise JsonRESTError("LimitExceededException", "The requested resource exceeds the maximum number allowed.")


def _broken_constraints(target: Mapping[str, Any], where: str) -> Iterator[str]:
    def longer(name: str, value: str | None, most: int) -> Iterator[str]:
        if value is not None and len(value) > most:
            yield _constraint(value, f"{where}.{name}", f"have length less than or equal to {most}")

    def outside(name: str, value: int | None, least: int, most: int) -> Iterator[str]:
        if value is not None and value < least:
            yield _constraint(value, f"{where}.retryPolicy.{name}", f"have value greater than or equal to {least}")
        if value is not None and value > most:
            yield _constraint(value, f"{where}.retryPolicy.{name}", f"have value less than or equal to {most}")

    transformer, policy = target.get("InputTransformer") or {}, target.get("RetryPolicy") or {}
    yield from longer("id", target["Id"], 64)
    yield from longer("input", target.get("Input"), 8192)
    yield from longer("inputPath", target.get("InputPath"), 256)
    yield from longer("inputTransformer.inputTemplate", transformer.get("InputTemplate"), 8192)
    paths = transformer.get("InputPathsMap") or {}
    if len(paths) > _VARIABLES:
        place = f"{where}.inputTransformer.inputPathsMap"
        yield _constraint(json.dumps(paths), place, f"have length less than or equal to {_VARIABLES}")
    for name in paths:
        if not _VARIABLE.fullmatch(name):
            place = f"{where}.inputTransformer.inputPathsMap"
            yield _constraint(name, place, r"satisfy regular expression pattern: [A-Za-z0-9\_\-]+")
    yield from outside("maximumRetryAttempts", policy.get("MaximumRetryAttempts"), 0, 185)
    yield from outside("maximumEventAgeInSeconds", policy.get("MaximumEventAgeInSeconds"), 60, 86_400)


def _constraint(value: object, where: str, must: str) -> str:
    return f"Value '{value}' at '{where}' failed to satisfy constraint: Member must {must}"


def _check_target(target: Mapping[str, Any]) -> None:
    identifier = target["Id"]
    arn = _arn(target)
    given = [name for name in _INPUTS if target.get(name)]
    if len(given) > 1:
        raise ValidationException(
            f"Only one of Input, InputPath, or InputTransformer must be provided for target {identifier}."
        )
    if is_bus(arn) and given:
        raise _UnsupportedError(
            f"The sandbox forwards events to a bus as they are: target {identifier} has {given[0]}."
        )
    if target.get("Input"):
        _check_json(identifier, target["Input"])
    if target.get("InputTransformer"):
        _check_transformer(identifier, target["InputTransformer"])
    if arn.service == "kinesis" and not target.get("RoleArn"):
        raise ValidationException(f"RoleArn is required for target {arn}.")
    dead_letters = (target.get("DeadLetterConfig") or {}).get("Arn")
    if dead_letters and (":sqs:" not in dead_letters or dead_letters.endswith(".fifo")):
        raise ValidationException(
            f"DeadLetterConfig of target {identifier} names {dead_letters}: it must be a standard SQS queue."
        )


def _arn(target: Mapping[str, Any]) -> Arn:
    text = str(target["Arn"])
    if not re.match(r"arn:[^:]*:[^:]*:[^:]*:[^:]*:.", text):
        raise ValidationException(f"Parameter {text} is not valid. Reason: Provided Arn is not in correct format.")
    arn = Arn.parse(text)
    if not is_target(arn):
        raise _UnsupportedError(
            f"The sandbox delivers no events to {text} (target {target['Id']}): it has Lambda, SQS, SNS, Kinesis, "
            "CloudWatch Logs and event buses as targets."
        )
    return arn


def _check_json(identifier: str, text: str) -> None:
    try:
        json.loads(text)
    except ValueError as error:
        raise ValidationException(f"Input for target {identifier} is not a valid JSON text.") from error


def _check_transformer(identifier: str, transformer: Mapping[str, Any]) -> None:
    template = transformer["InputTemplate"]
    for name in unknown_variables(template, transformer.get("InputPathsMap") or {}):
        raise ValidationException(f"InputTemplate for target {identifier} contains invalid placeholder {name}.")
    try:
        check_template(template)
    except InputError as error:
        raise ValidationException(f"Invalid InputTemplate for target {identifier} : {error}") from error
