"""The on-failure destination of a stream mapping: where a batch that is given up leaves a trace.

Record and object key: https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html. A queue or topic
gets pointers to the records, a bucket the whole invocation. What cannot be delivered is counted and lost, as on AWS; a
FIFO queue or topic, which AWS does not support here, refuses for want of a group.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from durable_sandbox.aws.arns import Arn, queue_url
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.events.failures import Failure, kind_of
from durable_sandbox.events.mapping_calls import MappingCalls
from durable_sandbox.events.streams.lane import GivenUp
from durable_sandbox.events.streams.records import StreamRecord, event_of
from durable_sandbox.events.streams.spec import StreamSpec

LOG = logging.getLogger(__name__)

_TRIES = 3
_OK = 200


class FailureDestination:
    """An SQS queue, an SNS topic or an S3 bucket."""

    def __init__(self, uuid: str, function_arn: str, spec: StreamSpec, target: Arn, calls: MappingCalls) -> None:
        self._uuid = uuid
        self._function_arn = unqualified(function_arn)
        self._spec = spec
        self._target = target
        self._calls = calls

    async def send(self, given_up: GivenUp) -> bool:
        """Whether the destination has the record; a service's own failure is tried again."""
        service, operation, params = self._request(given_up)
        region = self._target.region or self._spec.source.region
        for failures in range(1, _TRIES + 1):
            try:
                await self._calls.as_role(region, service, operation, params)
            except AwsError as error:
                if kind_of(error) in (Failure.INTERNAL, Failure.THROTTLE) and failures < _TRIES:
                    await asyncio.sleep(self._calls.pause_after(failures))
                    continue
                LOG.error(  # noqa: TRY400 - the refusal says all; a traceback would hide it
                    "DestinationDeliveryFailures: %d records of %s could not be told to %s: %s: %s",
                    len(given_up.batch.records),
                    given_up.shard_id,
                    self._target,
                    error.code,
                    error.message,
                )
                return False
            return True
        return False

    def _request(self, given_up: GivenUp) -> tuple[str, str, dict[str, Any]]:
        now = datetime.now(UTC)
        record = self._record(given_up, now)
        if self._target.service == "s3":
            record["payload"] = event_of(given_up.batch.records, given_up.window)
            key = f"aws/lambda/{self._uuid}/{given_up.shard_id}/{now:%Y/%m/%d/%Y-%m-%dT%H.%M.%S}-{uuid4()}"
            body = json.dumps(record, ensure_ascii=False).encode()
            return "s3", "PutObject", {"Bucket": self._target.resource, "Key": key, "Body": body}
        return self._target.service, *delivery(self._target, json.dumps(record))

    def _record(self, given_up: GivenUp, now: datetime) -> dict[str, Any]:
        outcome, info = given_up.outcome, batch_info(self._spec, given_up.shard_id, given_up.batch.records)
        record: dict[str, Any] = {
            "requestContext": {
                "requestId": (outcome.request_id if outcome is not None else "") or str(uuid4()),
                "functionArn": self._function_arn,
                "condition": given_up.condition,
                "approximateInvokeCount": given_up.batch.tries,
            }
        }
        if outcome is not None:
            record["responseContext"] = {
                "statusCode": _OK,
                "executedVersion": outcome.executed_version,
                "functionError": outcome.function_error,
            }
        return record | {"version": "1.0", "timestamp": timestamp(now.timestamp())} | info


def delivery(target: Arn, text: str) -> tuple[str, dict[str, Any]]:
    """Operation and parameters that bring ``text`` to a queue or topic."""
    if target.service == "sns":
        return "Publish", {"TopicArn": str(target), "Message": text}
    return "SendMessage", {"QueueUrl": queue_url(target), "MessageBody": text}


def batch_info(spec: StreamSpec, shard_id: str, records: Sequence[StreamRecord]) -> dict[str, Any]:
    """``KinesisBatchInfo`` or ``DDBStreamBatchInfo``: which records they were."""
    first, last = records[0], records[-1]
    name, digits = ("KinesisBatchInfo", 3) if spec.is_kinesis else ("DDBStreamBatchInfo", 0)
    return {
        name: {
            "shardId": shard_id,
            "startSequenceNumber": first.identifier,
            "endSequenceNumber": last.identifier,
            "approximateArrivalOfFirstRecord": timestamp(first.arrived, digits),
            "approximateArrivalOfLastRecord": timestamp(last.arrived, digits),
            "batchSize": len(records),
            "streamArn": str(spec.stream),
        }
    }


def timestamp(seconds: float, digits: int = 3) -> str:
    """ISO 8601 in UTC, with ``digits`` of a second."""
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds" if digits else "seconds")
    return text.replace("+00:00", "Z")


def unqualified(function_arn: str) -> str:
    """A function's ARN without version or alias."""
    return ":".join(function_arn.split(":")[:7])
