"""What moto delivers inside its own process, delivered to our queues and functions instead.

Gap closed in moto 5.2.5: SNS, S3 notifications and Logs subscriptions call moto.sqs and moto.awslambda backends
directly; SNS ignores a subscription's RedrivePolicy and fails the publisher instead. For EventBridge see event_rules.
"""

from __future__ import annotations

import base64
import gzip
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import moto.awslambda.utils
import moto.s3.notifications
import moto.sns.models
import moto.sqs
import moto.sqs.models
from moto.sqs.exceptions import QueueDoesNotExist

from durable_sandbox.aws.arns import Arn
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.moto_adapter.bridge import Bridge, sending

logger = logging.getLogger(__name__)

BridgeSource = Callable[[], Bridge]


class Regions(Mapping[str, "OurQueues"]):
    """``sqs_backends[account][region]``, as moto's modules index it."""

    def __init__(self, bridge: BridgeSource, account: str) -> None:
        self._bridge = bridge
        self._account = account

    def __getitem__(self, region: str) -> OurQueues:
        return OurQueues(self._bridge(), self._account, region)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


class Accounts(Mapping[str, Regions]):
    """``sqs_backends``, as moto's modules index it."""

    def __init__(self, bridge: BridgeSource) -> None:
        self._bridge = bridge

    def __getitem__(self, account: str) -> Regions:
        return Regions(self._bridge, account)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


class OurQueue:
    """What moto wants to know of a queue before it delivers there."""

    def __init__(self, attributes: Mapping[str, str]) -> None:
        self.fifo_queue = attributes.get("FifoQueue") == "true"
        self.attributes = attributes


class OurQueues:
    """Our SQS in the shape of moto's SQSBackend, as far as its deliveries use it."""

    def __init__(self, bridge: Bridge, account: str, region: str) -> None:
        self._bridge = bridge
        self._account = account
        self._region = region

    def _url(self, name: str) -> str:
        params = {"QueueName": name, "QueueOwnerAWSAccountId": self._account}
        return str(self._bridge.call(self._region, "sqs", "GetQueueUrl", params)["QueueUrl"])

    def get_queue(self, name: str) -> OurQueue:
        """The queue. Raises moto's QueueDoesNotExist, which Subscribe expects."""
        try:
            return OurQueue(self.get_queue_attributes(name, ["All"]))
        except AwsError as error:
            raise QueueDoesNotExist from error

    def get_queue_attributes(self, queue_name: str, attribute_names: list[str]) -> Mapping[str, str]:
        """The queue's attributes. Raises AwsError."""
        params = {"QueueUrl": self._url(queue_name), "AttributeNames": attribute_names}
        attributes: Mapping[str, str] = self._bridge.call(self._region, "sqs", "GetQueueAttributes", params).get(
            "Attributes", {}
        )
        return attributes

    def send_message(
        self,
        queue_name: str,
        message_body: str,
        message_attributes: Mapping[str, Any] | None = None,
        *,
        deduplication_id: str | None = None,
        group_id: str | None = None,
        validate_group_id: bool = True,
    ) -> None:
        """SendMessage. Raises AwsError."""
        del validate_group_id
        params: dict[str, Any] = {"QueueUrl": self._url(queue_name), "MessageBody": message_body}
        if message_attributes:
            params["MessageAttributes"] = {key: _attribute(value) for key, value in message_attributes.items()}
        if group_id:
            params["MessageGroupId"] = group_id
        if deduplication_id:
            params["MessageDeduplicationId"] = deduplication_id
        self._bridge.deliver(self._region, "sqs", "SendMessage", params)


def _attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(value)
    binary = out.get("BinaryValue")
    if isinstance(binary, str):
        out["BinaryValue"] = base64.b64decode(binary)
    return out


class OurFunctions:
    """Our Lambda in the shape of moto's LambdaBackend, as far as its deliveries use it: each is an async Invoke."""

    def __init__(self, bridge: Bridge, account: str, region: str) -> None:
        self._bridge = bridge
        self._account = account
        self._region = region

    def get_function(self, name_or_arn: str) -> OurFunction:
        """The function, if it exists. Raises AwsError (ResourceNotFoundException)."""
        self._bridge.call(self._region, "lambda", "GetFunctionConfiguration", {"FunctionName": name_or_arn})
        return OurFunction(self, name_or_arn)

    def send(self, function: str, event: Any) -> None:
        """Invoke ``function`` with ``event``, asynchronously."""
        payload = json.dumps(event, separators=(",", ":")).encode()
        params = {"FunctionName": function, "InvocationType": "Event", "Payload": payload}
        self._bridge.deliver(self._region, "lambda", "Invoke", params)

    def invoke(
        self,
        function_name: str,
        qualifier: str | None,
        body: str,
        headers: Mapping[str, str],
        response_headers: Mapping[str, str],
    ) -> None:
        """Invoke asynchronously, as EventBridge and S3 do."""
        del headers, response_headers
        target = f"{function_name}:{qualifier}" if qualifier else function_name
        self.send(target, json.loads(body))

    def send_log_event(
        self, destination: str, filter_name: str, group: str, stream: str, log_events: list[dict[str, Any]]
    ) -> None:
        """A Logs subscription's event: https://docs.aws.amazon.com/lambda/latest/dg/services-cloudwatchlogs.html."""
        data = {
            "messageType": "DATA_MESSAGE",
            "owner": self._account,
            "logGroup": group,
            "logStream": stream,
            "subscriptionFilters": [filter_name],
            "logEvents": log_events,
        }
        packed = gzip.compress(json.dumps(data, separators=(",", ":")).encode())
        source = f"arn:aws:logs:{self._region}:{self._account}:log-group:{group}:*"
        with sending("logs.amazonaws.com", source):
            self.send(destination, {"awslogs": {"data": base64.b64encode(packed).decode()}})


class OurFunction:
    """One function as moto's notifications hold it."""

    def __init__(self, functions: OurFunctions, name: str) -> None:
        self._functions = functions
        self._name = name

    def invoke(self, body: str, headers: Mapping[str, str], response_headers: Mapping[str, str]) -> None:
        """Invoke asynchronously."""
        self._functions.invoke(self._name, None, body, headers, response_headers)


def patch(bridge: BridgeSource) -> None:
    """Point moto's in-process deliveries at our services, once a process. ``bridge`` gives the current one."""
    accounts = Accounts(bridge)
    # Imported by name in some modules and looked up at the call in others: both have to be replaced.
    moto.sqs.sqs_backends = accounts
    moto.sqs.models.sqs_backends = accounts
    moto.sns.models.sqs_backends = accounts
    moto.awslambda.utils.get_backend = lambda account, region: OurFunctions(bridge(), account, region)
    _patch_sns(bridge)
    _patch_s3(bridge)


def _patch_sns(bridge: BridgeSource) -> None:
    publish = moto.sns.models.Subscription.publish

    def delivered(self: Any, message: str, message_id: str, *args: Any, **kwargs: Any) -> None:
        with sending("sns.amazonaws.com", self.topic.arn):
            try:
                if self.protocol == "lambda":
                    _publish_to_lambda(self, bridge(), message, message_id, *args, **kwargs)
                else:
                    publish(self, message, message_id, *args, **kwargs)
            except AwsError as error:
                _redrive_sns(self, bridge(), message, error)

    moto.sns.models.Subscription.publish = delivered


def _patch_s3(bridge: BridgeSource) -> None:
    """Notifications need the bucket's permission: moto publishes to topics without asking anybody."""
    notifications = moto.s3.notifications
    send_event, send_test_event = notifications.send_event, notifications.send_test_event

    def event(account_id: str, event_name: Any, bucket: Any, *args: Any, **kwargs: Any) -> None:
        with sending("s3.amazonaws.com", bucket.arn):
            send_event(account_id, event_name, bucket, *args, **kwargs)

    def test_event(account_id: str, bucket: Any) -> None:
        with sending("s3.amazonaws.com", bucket.arn):
            send_test_event(account_id, bucket)

    def to_topic(_account: str, event_body: Any, topic_arn: str, region_name: str) -> None:
        try:
            bridge().deliver(region_name, "sns", "Publish", {"TopicArn": topic_arn, "Message": json.dumps(event_body)})
        except AwsError as error:
            logger.warning("S3 could not notify %s: %s (%s)", topic_arn, error.message, error.code)

    notifications.send_event = event
    notifications.send_test_event = test_event
    notifications._send_sns_message = to_topic  # noqa: SLF001 - moto offers no other way


def _publish_to_lambda(
    subscription: Any,
    bridge: Bridge,
    message: str,
    message_id: str,
    subject: str | None = None,
    message_attributes: Mapping[str, Any] | None = None,
    group_id: str | None = None,
    deduplication_id: str | None = None,
    message_structure: str | None = None,
) -> None:
    """The real event instead of moto's constant one: https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html."""
    del group_id, deduplication_id
    matcher = subscription._filter_policy_matcher  # noqa: SLF001 - moto's only copy of the policy
    if matcher is not None and not matcher.matches(message_attributes, message):
        return
    if message_structure == "json":
        message = subscription._parse_message_structure(message, "lambda")  # noqa: SLF001
    region = Arn.parse(subscription.topic.arn).region
    notification = {
        "Type": "Notification",
        "MessageId": message_id,
        "TopicArn": subscription.topic.arn,
        "Subject": subject,
        "Message": message,
        "Timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "SignatureVersion": "1",
        "Signature": "unsigned",
        "SigningCertUrl": f"https://sns.{region}.amazonaws.com/unsigned.pem",
        "UnsubscribeUrl": f"https://sns.{region}.amazonaws.com/?Action=Unsubscribe&SubscriptionArn={subscription.arn}",
        "MessageAttributes": {
            key: {"Type": value["Type"], "Value": str(value["Value"])}
            for key, value in (message_attributes or {}).items()
        },
    }
    record = {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription.arn,
        "Sns": notification,
    }
    target = Arn.parse(subscription.endpoint)
    OurFunctions(bridge, target.account, target.region).send(subscription.endpoint, {"Records": [record]})


def _redrive_sns(subscription: Any, bridge: Bridge, message: str, error: AwsError) -> None:
    """A delivery that failed goes to the subscription's DLQ; Publish itself succeeds, as on AWS."""
    policy = json.loads(subscription.attributes.get("RedrivePolicy") or "{}")
    dead_letters = policy.get("deadLetterTargetArn")
    if not dead_letters:
        logger.warning("SNS could not deliver to %s: %s (%s)", subscription.endpoint, error.message, error.code)
        return
    queue = Arn.parse(dead_letters)
    try:
        OurQueues(bridge, queue.account, queue.region).send_message(queue.resource, message)
    except AwsError:
        logger.exception("A dead letter could not be sent to %s", dead_letters)
