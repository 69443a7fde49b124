"""Carrying out what an alarm is to do when its state changes."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from durable_sandbox.aws.arns import Arn
from durable_sandbox.aws.call import Api
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.aws.identity import Identities
from durable_sandbox.metrics.alarm import Alarm, Change
from durable_sandbox.metrics.notices import event_detail, message, subject, to_function

logger = logging.getLogger(__name__)

_SERVICE = "cloudwatch.amazonaws.com"
# The principal that a function's policy must allow:
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html
_SERVICE_FOR_FUNCTIONS = "lambda.alarms.cloudwatch.amazonaws.com"


class Actions:
    """Publishes to topics, invokes functions and puts the event, as CloudWatch itself."""

    def __init__(self, api: Api, identities: Identities) -> None:
        self._api = api
        self._identities = identities

    async def carry_out(self, alarm: Alarm, change: Change) -> list[tuple[str, Mapping[str, Any]]]:
        """Act on ``alarm``, still in its old state, as ``change`` asks; returns summary and data for its history."""
        await self._put_event(alarm, change)
        if not alarm.actions_enabled:
            return []
        return [await self._act(alarm, change, action) for action in alarm.actions[change.state]]

    async def _act(self, alarm: Alarm, change: Change, action: str) -> tuple[str, Mapping[str, Any]]:
        data = {"actionState": "Succeeded", "stateUpdateTimestamp": int(change.at.timestamp() * 1000)}
        data |= {"notificationResource": action}
        try:
            await self._send(alarm, change, Arn.parse(action))
        except AwsError as error:
            logger.warning("alarm %s cannot act on %s: %s: %s", alarm.name, action, error.code, error.message)
            failed = f'Failed to execute action {action}. Received error: "{error.message}"'
            return failed, data | {"actionState": "Failed", "error": error.message}
        except Exception as error:
            logger.exception("alarm %s failed to act on %s", alarm.name, action)
            return f"Failed to execute action {action}", data | {"actionState": "Failed", "error": str(error)}
        return f"Successfully executed action {action}", data

    async def _send(self, alarm: Alarm, change: Change, action: Arn) -> None:
        if action.service == "sns":
            caller = self._identities.principal(_SERVICE, alarm.arn)
            text = json.dumps(message(alarm, change, alarm.state), separators=(",", ":"))
            params = {"TopicArn": str(action), "Subject": subject(alarm, change), "Message": text}
            await self._api.call(caller, action.region, "sns", "Publish", params)
        elif action.service == "lambda":
            caller = self._identities.principal(_SERVICE_FOR_FUNCTIONS, alarm.arn)
            event = json.dumps(to_function(alarm, change, alarm.state)).encode()
            invoke = {"FunctionName": str(action), "InvocationType": "Event", "Payload": event}
            await self._api.call(caller, action.region, "lambda", "Invoke", invoke)
        else:
            raise AwsError(
                "UnsupportedOperation", f"The sandbox's alarms act on topics and functions, not on {action}."
            )

    async def _put_event(self, alarm: Alarm, change: Change) -> None:
        entry = {
            "Source": "aws.cloudwatch",
            "DetailType": "CloudWatch Alarm State Change",
            "Time": change.at,
            "Resources": [alarm.arn],
            "Detail": json.dumps(event_detail(alarm, change, alarm.state), separators=(",", ":")),
        }
        try:
            # By this key EventBridge knows the service, which alone may name itself as the source.
            caller = self._identities.root(_SERVICE)
            await self._api.call(caller, alarm.region, "events", "PutEvents", {"Entries": [entry]})
        except AwsError as error:
            logger.warning("the event of alarm %s is lost: %s: %s", alarm.name, error.code, error.message)
