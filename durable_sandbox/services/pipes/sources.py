"""Sources of a pipe: their parameters, from a request's members to what runs, and back to DescribePipe.

Members and defaults are those of botocore's model; that DescribePipe shows BatchSize even if it was not given, and of a
stream's other settings only what was given, is what the acceptance tests of terraform-provider-aws have found
(TestAccPipesPipe_basicSQS, ..._basicKinesisSource, ..._basicDynamoDBSource in internal/service/pipes/pipe_test.go). An
update replaces the object whole, but a stream's starting position, which is none of its members.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from durable_sandbox.aws.arns import Arn
from durable_sandbox.events.filters import EventPattern, PatternError, RecordFilter
from durable_sandbox.events.streams.spec import UNLIMITED, StartingPosition, StreamSpec
from durable_sandbox.services.pipes.validation import field_error, field_errors

Params = Mapping[str, Any]

# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-event-filtering.html: added by the poller.
_ADDED = frozenset(
    {
        "awsRegion",
        "eventID",
        "eventName",
        "eventSource",
        "eventSourceARN",
        "eventSourceKey",
        "eventVersion",
        "invokeIdentityArn",
    }
)
_FILTER = "FilterCriteria"
_WINDOW = "MaximumBatchingWindowInSeconds"
_AGE = "MaximumRecordAgeInSeconds"
_DEAD_LETTERS = "DeadLetterConfig"
_BISECT = "AUTOMATIC_BISECT"
_AGE_RANGE = (60, 604_800)
_PERMANENT = ("StartingPosition", "StartingPositionTimestamp")


@dataclass(frozen=True, slots=True)
class SourceKind:
    """What sources of one service have in common.

    ``member``: of SourceParameters; ``shown``: what it has by default; ``resources``: the end of their ARNs;
    ``unfilterable``: fields of a record that no filter may name.
    """

    member: str
    shown: Params
    resources: re.Pattern[str]
    data_key: str
    unfilterable: frozenset[str]
    is_stream: bool = True

    @property
    def path(self) -> str:
        """Of its parameters."""
        return f"SourceParameters.{self.member}"

    @property
    def members(self) -> frozenset[str]:
        """What SourceParameters may have."""
        return frozenset({_FILTER, self.member})

    def merged(self, current: Params, change: Params) -> Params:
        """SourceParameters with those of a request over them; a filter without patterns goes away."""
        merged = {**current, **_given(change)}
        if change.get(self.member) is not None:
            kept = {name: value for name, value in current.get(self.member, {}).items() if name in _PERMANENT}
            merged[self.member] = {**self.shown, **_given(change[self.member]), **kept}
            if not (merged[self.member].get(_DEAD_LETTERS) or {}).get("Arn"):
                merged[self.member].pop(_DEAD_LETTERS, None)
        if not (merged.get(_FILTER) or {}).get("Filters"):
            merged.pop(_FILTER, None)
        return merged

    def record_filter(self, source_parameters: Params) -> RecordFilter:
        """The filter. Raises AwsError (ValidationException) for one that is not valid."""
        patterns = [item.get("Pattern") or "" for item in (source_parameters.get(_FILTER) or {}).get("Filters") or []]
        for index, text in enumerate(patterns):
            try:
                parsed = RecordFilter.parse([text], nested_anything_but=False, forbidden=self.unfilterable)
                self._check_data(parsed.patterns)
            except PatternError as error:
                name = f"SourceParameters.FilterCriteria.Filters[{index}].Pattern"
                raise field_error(name, f"Invalid filter pattern definition. Reason: {error}") from error
        return RecordFilter.parse(patterns, data_key=self.data_key, nested_anything_but=False)

    def stream_spec(self, source: Arn, source_parameters: Params, record_filter: RecordFilter) -> StreamSpec | None:
        """How a stream is read; None for a queue. Raises AwsError (ValidationException).

        Text for missing parameters: https://github.com/hashicorp/terraform-provider-aws/issues/30773.
        """
        if not self.is_stream:
            return None
        params: Params | None = source_parameters.get(self.member)
        if params is None:
            raise field_error(self.path, "Missing required parameter.")
        _check_ages(params)
        bisect = params.get("OnPartialBatchItemFailure") == _BISECT
        position, timestamp = self._start(params)
        return StreamSpec(
            source=source,
            starting_position=position,
            starting_timestamp=timestamp,
            batch_size=params["BatchSize"],
            batching_window=params.get(_WINDOW, 0),
            parallelization_factor=params.get("ParallelizationFactor", 1),
            maximum_retries=params.get("MaximumRetryAttempts", UNLIMITED),
            maximum_age=params.get(_AGE, UNLIMITED),
            bisect=bisect,
            record_filter=record_filter,
            report_failures=True,
            halve_partial=bisect,
            on_failure=self._dead_letter_target(params),
        )

    def _check_data(self, patterns: tuple[EventPattern, ...]) -> None:
        """A stream's data is filtered as JSON; for a queue's body text will do. Raises PatternError."""
        if self.is_stream and any((self.data_key,) in branch for pattern in patterns for branch in pattern.branches):
            raise PatternError(f"the filter pattern for {self.data_key} must be in a valid JSON format, an object")

    def _start(self, params: Params) -> tuple[StartingPosition, datetime | None]:
        """Where reading begins; AWS's texts are not known."""
        position, timestamp = StartingPosition(params["StartingPosition"]), params.get("StartingPositionTimestamp")
        name = f"{self.path}.StartingPositionTimestamp"
        if position is not StartingPosition.AT_TIMESTAMP:
            if timestamp is not None:
                raise field_error(name, f"It is for StartingPosition AT_TIMESTAMP only, not for {position.value}.")
        elif timestamp is None:
            raise field_error(name, "Missing required parameter: StartingPosition is AT_TIMESTAMP.")
        elif timestamp > datetime.now(UTC):
            raise field_error(name, "It cannot be in the future.")
        return position, timestamp

    def _dead_letter_target(self, params: Params) -> Arn | None:
        """The queue or topic. AWS supports no FIFO one; its text is not known.

        https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-error-troubleshooting.html
        """
        text = (params.get(_DEAD_LETTERS) or {}).get("Arn")
        if not text:
            return None
        target, name = Arn.parse(text), f"{self.path}.DeadLetterConfig.Arn"
        if target.service not in {"sqs", "sns"} or ":" in target.resource:
            raise field_error(name, f"{text} is neither an SQS queue nor an SNS topic.")
        if target.resource.endswith(".fifo"):
            raise field_error(
                name, f"{text} is FIFO, which Pipes does not support here: name a standard queue or topic."
            )
        return target


_KINDS: Mapping[str, SourceKind] = {
    "sqs": SourceKind(
        "SqsQueueParameters", {"BatchSize": 10, _WINDOW: 0}, re.compile(r"[^:/]+"), "body", _ADDED, is_stream=False
    ),
    "kinesis": SourceKind(
        "KinesisStreamParameters", {"BatchSize": 100}, re.compile(r"stream/[^/]+(/consumer/[^/]+:\d+)?"), "data", _ADDED
    ),
    # eventName is no addition there, GetRecords has it; filters on it work: terraform-provider-aws issue 30773.
    "dynamodb": SourceKind(
        "DynamoDBStreamParameters",
        {"BatchSize": 100},
        re.compile(r"table/[^/]+/stream/.+"),
        "dynamodb",
        _ADDED - {"eventName"},
    ),
}


def source_kind(source: str) -> SourceKind:
    """The kind of ``source``. Raises AwsError (ValidationException) for one that the sandbox does not run."""
    arn = Arn.parse(source)
    kind = _KINDS.get(arn.service)
    if kind is None or kind.resources.fullmatch(arn.resource) is None:
        raise field_error(
            "Source",
            "The sandbox runs pipes from SQS queues, Kinesis streams and their consumers, and DynamoDB streams "
            f"(table/<name>/stream/<label>) only, not from {source}.",
        )
    return kind


def _given(params: Params) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}


def _check_ages(params: Params) -> None:
    """Texts: https://github.com/hashicorp/terraform-provider-aws/issues/41573 (an update that sends 0 for both)."""
    age, window, (least, most) = params.get(_AGE, UNLIMITED), params.get(_WINDOW, 0), _AGE_RANGE
    violations: list[tuple[str, str]] = []
    if age != UNLIMITED and not least <= age <= most:
        violations.append((_AGE, f"{_AGE} must be either -1 (forever) or between {least} and {most} (inclusive)"))
    if age != UNLIMITED and window >= age:
        violations.append((_WINDOW, f"{_WINDOW} must be less than {_AGE}."))
    if violations:
        raise field_errors(violations)
