"""How each kind of target gets a rule's event: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from durable_sandbox.aws.arns import Arn, queue_url
from durable_sandbox.aws.call import Call, Caller
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.moto_adapter.bridge import Bridge
from durable_sandbox.moto_adapter.event_input import Occasion, follow, led_nowhere

_BUS = "event-bus/"
_GROUP = "log-group:"


@dataclass(frozen=True, slots=True)
class Shipment:
    """One event on its way to one target; ``body`` is what the target receives."""

    bridge: Bridge
    caller: Caller
    target: Mapping[str, Any]
    arn: Arn
    occasion: Occasion
    body: str

    async def call(self, service: str, operation: str, params: Mapping[str, Any]) -> None:
        """Call ``service`` in the target's region as who delivers. Raises AwsError."""
        await self.bridge.api.call(self.caller, self.arn.region, service, operation, params)


async def _to_queue(shipment: Shipment) -> None:
    params = {"QueueUrl": queue_url(shipment.arn), "MessageBody": shipment.body}
    group = (shipment.target.get("SqsParameters") or {}).get("MessageGroupId")
    if group:
        params["MessageGroupId"] = group
    await shipment.call("sqs", "SendMessage", params)


async def _to_function(shipment: Shipment) -> None:
    """Asynchronously, with the version or alias that the ARN names."""
    params = {"FunctionName": str(shipment.arn), "InvocationType": "Event", "Payload": shipment.body.encode()}
    await shipment.call("lambda", "Invoke", params)


async def _to_topic(shipment: Shipment) -> None:
    await shipment.call("sns", "Publish", {"TopicArn": str(shipment.arn), "Message": shipment.body})


async def _to_stream(shipment: Shipment) -> None:
    """The partition key comes from the original event, by default it is the event's id.

    "dynamic path parameters must reference the original event, not the transformed event": eb-transform-target-input.
    """
    path = (shipment.target.get("KinesisParameters") or {}).get("PartitionKeyPath")
    key = follow(shipment.occasion.event, path) if path else shipment.occasion.event["id"]
    if led_nowhere(key):
        key = shipment.occasion.event["id"]
    text = key if isinstance(key, str) else json.dumps(key)
    params = {"StreamARN": str(shipment.arn), "Data": shipment.body.encode(), "PartitionKey": text}
    await shipment.call("kinesis", "PutRecord", params)


async def _to_log_group(shipment: Shipment) -> None:
    """One stream an event. An input of ``timestamp`` and ``message`` alone sets both: eb-transform-target-input."""
    moment, message = _log_event(shipment.body)
    place = {
        "logGroupName": shipment.arn.resource.removeprefix(_GROUP).removesuffix(":*"),
        "logStreamName": str(uuid4()),
    }
    await shipment.call("logs", "CreateLogStream", place)
    events = [{"timestamp": moment, "message": message}]
    await shipment.call("logs", "PutLogEvents", {**place, "logEvents": events})


def _log_event(body: str) -> tuple[int, str]:
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    now = int(time.time() * 1000)
    if not isinstance(value, dict) or value.keys() != {"timestamp", "message"}:
        return now, body
    message = value["message"] if isinstance(value["message"], str) else json.dumps(value["message"])
    moment = value["timestamp"]
    if isinstance(moment, int):
        return moment, message
    try:
        return int(datetime.fromisoformat(str(moment)).timestamp() * 1000), message
    except ValueError:
        return now, message


async def _to_bus(shipment: Shipment) -> None:
    """The event as it is, sources of AWS included, which PutEvents would refuse; its permission is that of PutEvents.

    Id, account and time stay; the id changes between regions (what LocalStack found on AWS, events/target.py).
    """
    from moto.events.models import events_backends  # noqa: PLC0415 - loaded by now

    event, arn = shipment.occasion.event, shipment.arn
    entry = {"EventBusName": str(arn), "Source": event["source"], "DetailType": event["detail-type"], "Detail": "{}"}
    call = Call("events", "PutEvents", {"Entries": [entry]}, shipment.caller, arn.region)
    shipment.bridge.access.check(call)
    bus = events_backends[arn.account][arn.region].event_buses.get(arn.resource.removeprefix(_BUS))
    if bus is None:
        raise AwsError("ResourceNotFoundException", f"Event bus {arn} does not exist.", status=404)
    forwarded = {**event, "ingestion-time": time.time()}
    if Arn.parse(shipment.occasion.rule_arn).region != arn.region:
        forwarded["id"] = str(uuid4())
    for rule in list(bus.rules.values()):
        rule.send_to_targets(forwarded)


_SENDERS: Mapping[str, Callable[[Shipment], Awaitable[None]]] = {
    "lambda": _to_function,
    "sqs": _to_queue,
    "sns": _to_topic,
    "kinesis": _to_stream,
    "logs": _to_log_group,
    "events": _to_bus,
}


def is_bus(arn: Arn) -> bool:
    """Whether ``arn`` is an event bus."""
    return arn.service == "events" and arn.resource.startswith(_BUS)


def is_archive(arn: Arn) -> bool:
    """Whether ``arn`` is what moto's archives have as their rule's target (``arn:aws:events:us-east-1:::``)."""
    return arn.service == "events" and not arn.resource.strip(":")


def is_target(arn: Arn) -> bool:
    """Whether the sandbox delivers to ``arn``."""
    return is_bus(arn) if arn.service == "events" else arn.service in _SENDERS


async def send(shipment: Shipment) -> None:
    """Deliver once. Raises AwsError."""
    await _SENDERS[shipment.arn.service](shipment)
