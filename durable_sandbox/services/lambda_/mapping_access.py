"""What Lambda looks at before it makes or changes a mapping: whether its source exists and its function's role may use it.

https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html and .../services-dynamodb-eventsourcemapping.html
list what the role needs for a stream, .../kinesis-on-failure-destination.html for a destination.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from durable_sandbox.aws.access import Access
from durable_sandbox.aws.arns import Arn
from durable_sandbox.aws.call import Api, Call, Caller
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.events.failures import Failure, is_missing_queue, kind_of
from durable_sandbox.events.streams.access import Check, check_readable
from durable_sandbox.events.streams.destination import delivery
from durable_sandbox.events.streams.reader import ReadCall
from durable_sandbox.events.streams.spec import StreamSpec
from durable_sandbox.services.lambda_.errors import invalid


@dataclass(frozen=True, slots=True)
class SourceAccess:
    """Asks as ``root`` what exists, and as ``role`` what the function's role may do. All methods raise AwsError."""

    api: Api
    access: Access
    root: Caller
    role: Caller

    async def check_queue(self, queue: Arn, function_timeout: int) -> None:
        """Return if the queue exists, the role may read it, and it hides messages long enough for the function."""
        wanted = {"QueueName": queue.resource, "QueueOwnerAWSAccountId": queue.account}
        try:
            found = await self.api.call(self.root, queue.region, "sqs", "GetQueueUrl", wanted)
            asked = {"QueueUrl": found["QueueUrl"], "AttributeNames": ["VisibilityTimeout"]}
            answer = await self.api.call(self.role, queue.region, "sqs", "GetQueueAttributes", asked)
        except AwsError as error:
            if is_missing_queue(error):
                raise invalid(
                    "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. "
                    f"SQS Error Message: {error.message}"
                ) from error
            if kind_of(error) is Failure.PERMISSION:
                raise _no_permission("GetQueueAttributes", "SQS") from error
            raise
        visibility = int(answer["Attributes"]["VisibilityTimeout"])
        if visibility < function_timeout:
            raise invalid(
                f"Queue visibility timeout: {visibility} seconds is less than Function timeout: "
                f"{function_timeout} seconds"
            )

    async def check_stream(self, spec: StreamSpec) -> None:
        """Return if the stream and its consumer exist and the role may read them.

        Texts as reported: https://github.com/aws-amplify/amplify-cli/issues/12965 (DynamoDB) and
        https://github.com/aws-samples/cross-account-amazon-dynamodb-replication/issues/11 (Kinesis); SubscribeToShard
        in it is ours.
        """
        exists = self._kinesis_exists if spec.is_kinesis else self._dynamodb_exists
        if not await exists(spec):
            raise invalid(f"Stream not found: {spec.source}")
        try:
            region = spec.source.region
            await check_readable(spec, self._read(region), self._may(region))
        except AwsError as error:
            if kind_of(error) is not Failure.PERMISSION:
                raise
            needed = ["GetRecords", "GetShardIterator", "DescribeStream"]
            needed += ["ListShards"] if spec.is_kinesis else []
            needed += ["SubscribeToShard"] if spec.has_consumer else []
            raise invalid(
                f"Cannot access stream {spec.source}. Please ensure the role can perform the {', '.join(needed)}, "
                "and ListStreams Actions on your stream in IAM."
            ) from error

    def check_destination(self, destination: Arn, region: str, uuid: str) -> None:
        """Return if the role may send to where the mapping ``uuid`` puts what it gives up. Nothing is sent."""
        for action, operation, params in _deliveries(destination, uuid):
            try:
                self.access.check(Call(destination.service, operation, params, self.role, region))
            except AwsError as error:
                if kind_of(error) is Failure.PERMISSION:
                    raise _no_permission(action, destination.service.upper()) from error
                raise

    async def _kinesis_exists(self, spec: StreamSpec) -> bool:
        stream, source = {"StreamARN": str(spec.stream)}, {"ConsumerARN": str(spec.source)}
        try:
            await self.api.call(self.root, spec.source.region, "kinesis", "DescribeStreamSummary", stream)
            if spec.has_consumer:
                await self.api.call(self.root, spec.source.region, "kinesis", "DescribeStreamConsumer", source)
        except AwsError as error:
            if error.code == "ResourceNotFoundException":
                return False
            raise
        return True

    async def _dynamodb_exists(self, spec: StreamSpec) -> bool:
        # Not by DescribeStream: moto answers it for any label, and fails for a table without a stream.
        wanted = {"TableName": _table(spec.source)}
        answer = await self.api.call(self.root, spec.source.region, "dynamodbstreams", "ListStreams", wanted)
        return str(spec.source) in {stream["StreamArn"] for stream in answer["Streams"]}

    def _may(self, region: str) -> Check:
        def may(service: str, operation: str, params: Mapping[str, Any]) -> None:
            self.access.check(Call(service, operation, params, self.role, region))

        return may

    def _read(self, region: str) -> ReadCall:
        async def call(service: str, operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
            return await self.api.call(self.role, region, service, operation, params)

        return call


def _no_permission(action: str, service: str) -> AwsError:
    return invalid(f"The provided execution role does not have permissions to call {action} on {service}")


def _deliveries(destination: Arn, uuid: str) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """IAM action, operation and parameters of the calls that a delivery to ``destination`` makes."""
    if destination.service != "s3":
        operation, params = delivery(destination, "{}")
        yield operation, operation, params
    else:
        bucket = {"Bucket": destination.resource}
        yield "PutObject", "PutObject", {**bucket, "Key": f"aws/lambda/{uuid}/record"}
        yield "ListBucket", "ListObjectsV2", bucket


def _table(stream: Arn) -> str:
    return stream.resource.split("/")[1]
