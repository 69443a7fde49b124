"""What Lambda looks at before it takes a destination: what it is, that it exists, and that the function's role may send to it.

Texts as AWS answered LocalStack's recorded runs (test_lambda_api.snapshot.json, test_lambda_eventinvokeconfig_exceptions) and
as terraform-provider-aws knows them (internal/service/lambda/function_event_invoke_config.go, which retries both "The
destination ARN ... is invalid." and "does not have permissions" for things that were just created). The actions:
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html; users report that Lambda takes a bucket
only if the role may write any key of it, not just those under ``aws/lambda/``. The words for a bucket and for a durable
function are ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from durable_sandbox.aws.access import Access
from durable_sandbox.aws.arns import Arn, queue_url
from durable_sandbox.aws.call import Api, Call, Caller
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.events.destinations import EVENT_SOURCE, event_detail_type
from durable_sandbox.events.failures import Failure, kind_of
from durable_sandbox.services.lambda_.errors import invalid
from durable_sandbox.services.lambda_.model import Function
from durable_sandbox.services.lambda_.naming import FunctionReference
from durable_sandbox.services.lambda_.store import FunctionStore

_BUS = "event-bus/"
_FUNCTION = "function:"


@dataclass(frozen=True, slots=True)
class DestinationAccess:
    """Asks as ``root`` what exists, and as ``role`` what the function's role may do. All methods raise AwsError."""

    api: Api
    access: Access
    functions: FunctionStore
    root: Caller
    role: Caller
    function: Function

    async def check(self, on_success: str | None, on_failure: str | None) -> None:
        """Return if both destinations, where given, can be used. Nothing is sent."""
        _check_kinds(on_success, on_failure)
        for text, success in ((on_success, True), (on_failure, False)):
            if text is not None:
                target = Arn.parse(text)
                await self._check_exists(target)
                self._check_role(target, success=success)

    async def _check_exists(self, target: Arn) -> None:
        if target.service == "lambda":
            self._check_function(target)
            return
        operation, params = _lookup(target)
        try:
            await self.api.call(self.root, self._region(target), target.service, operation, params)
        except AwsError as error:
            if kind_of(error) is not Failure.CUSTOMER:
                raise
            raise _no_such(target) from error

    def _check_function(self, target: Arn) -> None:
        try:
            found, _ = self.functions.version(FunctionReference.parse(str(target), target.region))
        except AwsError as error:
            raise _no_such(target) from error
        if found is self.function:
            raise invalid("You can't specify the function as a destination for itself.")

    def _check_role(self, target: Arn, *, success: bool) -> None:
        for action, operation, params in _deliveries(target, success=success):
            try:
                self.access.check(Call(target.service, operation, params, self.role, self._region(target)))
            except AwsError as error:
                if kind_of(error) is Failure.PERMISSION:
                    raise invalid(
                        f"The function's execution role does not have permissions to call {action} on {target}"
                    ) from error
                raise

    def _region(self, target: Arn) -> str:
        return target.region or self.function.region


def refuse_durable() -> AwsError:
    """The error of a destination for a durable function.

    AWS documents that there is none (https://docs.aws.amazon.com/lambda/latest/dg/durable-invoking.html), not what it says.
    """
    return invalid(
        "Lambda does not support destinations for durable functions: use the function's DeadLetterConfig, or an "
        "EventBridge rule on its status change events."
    )


def _check_kinds(on_success: str | None, on_failure: str | None) -> None:
    if (on_success is None or _usable(on_success, success=True)) and (
        on_failure is None or _usable(on_failure, success=False)
    ):
        return
    success = f"OnSuccess(destination={on_success})" if on_success else "null"
    failure = f"OnFailure(destination={on_failure})" if on_failure else "null"
    raise invalid(
        f"The provided destination config DestinationConfig(onSuccess={success}, onFailure={failure}) is invalid."
    )


def _usable(text: str, *, success: bool) -> bool:
    """Whether a record can go to what ``text`` names: a bucket takes failures only."""
    if not text.startswith("arn:"):
        return False
    target = Arn.parse(text)
    match target.service:
        case "sqs" | "sns":
            return True
        case "lambda":
            return target.resource.startswith(_FUNCTION)
        case "events":
            return target.resource.startswith(_BUS)
        case "s3":
            return not success
        case _:
            return False


def _lookup(target: Arn) -> tuple[str, Mapping[str, Any]]:
    """Operation and parameters of a call that fails unless the destination exists."""
    match target.service:
        case "sqs":
            return "GetQueueUrl", {"QueueName": target.resource, "QueueOwnerAWSAccountId": target.account}
        case "sns":
            return "GetTopicAttributes", {"TopicArn": str(target)}
        case "events":
            return "DescribeEventBus", {"Name": target.resource.removeprefix(_BUS)}
        case _:
            return "HeadBucket", {"Bucket": target.resource}


def _deliveries(target: Arn, *, success: bool) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """IAM action, operation and parameters of the calls that a delivery makes."""
    match target.service:
        case "sqs":
            yield "SendMessage", "SendMessage", {"QueueUrl": queue_url(target), "MessageBody": "{}"}
        case "sns":
            yield "Publish", "Publish", {"TopicArn": str(target), "Message": "{}"}
        case "lambda":
            yield "InvokeFunction", "Invoke", {"FunctionName": str(target), "InvocationType": "Event"}
        case "events":
            detail_type = event_detail_type(success=success)
            entry = {"Source": EVENT_SOURCE, "DetailType": detail_type, "Detail": "{}", "EventBusName": str(target)}
            yield "PutEvents", "PutEvents", {"Entries": [entry]}
        case _:
            yield "PutObject", "PutObject", {"Bucket": target.resource, "Key": "*"}
            yield "ListBucket", "ListObjectsV2", {"Bucket": target.resource}


def _no_such(target: Arn) -> AwsError:
    return invalid(f"The destination ARN {target} is invalid.")
