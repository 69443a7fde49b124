"""Messages between the API's shapes and the queue: checks on the way in, attribute filters on the way out.

Rules: botocore model of sqs (SendMessage, ReceiveMessage) and SQS Developer Guide, sqs-message-metadata.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from durable_sandbox.aws.call import Caller
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.services.sqs.errors import (
    invalid_parameter,
    invalid_value,
    missing_parameter,
    unknown_attribute,
)
from durable_sandbox.services.sqs.message import (
    Attributes,
    Message,
    attributes_md5,
    attributes_size,
    encode_receipt,
    new_message_id,
    text_md5,
)

MAX_ATTRIBUTES = 10
_EVERYTHING = ("All", "*")
_TRACE_HEADER = "AWSTraceHeader"
_BAD_CHARACTER = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ATTRIBUTE_NAME = re.compile(r"(?!(?:aws|amazon)\.)(?!\.)(?!.*\.\.)[A-Za-z0-9_.-]{1,256}(?<!\.)", re.IGNORECASE)
_DATA_TYPE = re.compile(r"(String|Number|Binary)(\..{1,249})?")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_TOKEN = re.compile(r"[A-Za-z0-9!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]{1,128}")


def _millis(seconds: float) -> str:
    return str(int(seconds * 1000))


_SYSTEM_ATTRIBUTES: Mapping[str, Callable[[Message], str | None]] = {
    "SenderId": lambda m: m.sender_id,
    "SentTimestamp": lambda m: _millis(m.sent),
    "ApproximateReceiveCount": lambda m: str(m.receive_count),
    "ApproximateFirstReceiveTimestamp": lambda m: None if m.first_received is None else _millis(m.first_received),
    "SequenceNumber": lambda m: None if m.sequence is None else str(m.sequence),
    "MessageDeduplicationId": lambda m: m.dedup_id,
    "MessageGroupId": lambda m: m.group_id,
    "AWSTraceHeader": lambda m: m.trace_header,
    "DeadLetterQueueSourceArn": lambda m: m.source_arn,
}


@functools.lru_cache(maxsize=1024)
def sender_id(caller: Caller) -> str:
    """SenderId as AWS shows it: the account, or a role's unique id with the session's name."""
    if caller.role_arn is None:
        return caller.account
    unique = hashlib.sha256(caller.role_arn.encode()).hexdigest()[:17].upper()
    return f"AROA{unique}:{caller.arn.rsplit('/', 1)[-1]}"


def build_message(params: Mapping[str, Any], caller: Caller, *, fifo: bool) -> Message:
    """The message of a SendMessage input or a SendMessageBatch entry. Raises AwsError for whatever AWS refuses."""
    body = params["MessageBody"]
    if not body:
        raise missing_parameter("MessageBody")
    if not body.isascii() or not body.isprintable():
        _check_characters(body)
    attributes = params.get("MessageAttributes") or {}
    if attributes:
        _check_attributes(attributes)
    system = params.get("MessageSystemAttributes") or {}
    for name, value in system.items():
        if name != _TRACE_HEADER or value.get("DataType") != "String":
            raise invalid_parameter(f"Message system attribute name '{name}' is invalid.")
    group_id = params.get("MessageGroupId") or None
    dedup_id = params.get("MessageDeduplicationId") or None
    _check_fifo_parameters(params, group_id, dedup_id, fifo=fifo)
    return Message(
        message_id=new_message_id(),
        body=body,
        body_md5=text_md5(body),
        sender_id=sender_id(caller),
        size=(len(body) if body.isascii() else len(body.encode())) + (attributes_size(attributes) if attributes else 0),
        attributes=attributes,
        trace_header=system[_TRACE_HEADER]["StringValue"] if system else None,
        group_id=group_id,
        dedup_id=dedup_id,
    )


def send_result(message: Message, params: Mapping[str, Any]) -> dict[str, Any]:
    """SendMessage's output."""
    result: dict[str, Any] = {"MessageId": message.message_id, "MD5OfMessageBody": message.body_md5}
    if message.attributes:
        result["MD5OfMessageAttributes"] = attributes_md5(message.attributes)
    if system := params.get("MessageSystemAttributes"):
        result["MD5OfMessageSystemAttributes"] = attributes_md5(system)
    if message.sequence is not None:
        result["SequenceNumber"] = str(message.sequence)
    return result


@dataclass(frozen=True, slots=True)
class AttributeFilter:
    """Which attributes a ReceiveMessage asks for."""

    system: tuple[str, ...]
    names: frozenset[str]
    prefixes: tuple[str, ...]

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> AttributeFilter:
        """From a ReceiveMessage input. Raises AwsError (InvalidAttributeName)."""
        asked = {*(params.get("AttributeNames") or ()), *(params.get("MessageSystemAttributeNames") or ())}
        for name in asked:
            if name != "All" and name not in _SYSTEM_ATTRIBUTES:
                raise unknown_attribute(name)
        system = tuple(_SYSTEM_ATTRIBUTES if "All" in asked else (n for n in _SYSTEM_ATTRIBUTES if n in asked))
        names: Iterable[str] = params.get("MessageAttributeNames") or ()
        prefixes = tuple("" if n in _EVERYTHING else n[:-2] for n in names if n in _EVERYTHING or n.endswith(".*"))
        return cls(system, frozenset(names), prefixes)

    def render(self, message: Message, queue_uid: str) -> dict[str, Any]:
        """A Message of ReceiveMessage's output; the attributes' MD5 is that of the attributes returned."""
        shown: dict[str, Any] = {
            "MessageId": message.message_id,
            "ReceiptHandle": encode_receipt(queue_uid, message),
            "MD5OfBody": message.body_md5,
            "Body": message.body,
        }
        if self.system:
            values = ((name, _SYSTEM_ATTRIBUTES[name](message)) for name in self.system)
            shown["Attributes"] = {name: value for name, value in values if value is not None}
        if message.attributes and self.names:
            chosen: Attributes = {
                name: value
                for name, value in message.attributes.items()
                if name in self.names or name.startswith(self.prefixes)
            }
            if chosen:
                shown["MessageAttributes"] = chosen
                shown["MD5OfMessageAttributes"] = attributes_md5(chosen)
        return shown


def _check_characters(text: str) -> None:
    if _BAD_CHARACTER.search(text):
        raise AwsError("InvalidMessageContents", "Invalid characters found in the message body or attributes.")


def _check_fifo_parameters(
    params: Mapping[str, Any], group_id: str | None, dedup_id: str | None, *, fifo: bool
) -> None:
    if fifo and group_id is None:
        raise missing_parameter("MessageGroupId")
    if not fifo and dedup_id is not None:
        raise invalid_value(
            "MessageDeduplicationId",
            dedup_id,
            "The request includes a parameter that is not valid for this queue type.",
        )
    for name, value in (("MessageGroupId", group_id), ("MessageDeduplicationId", dedup_id)):
        if value is not None and not _TOKEN.fullmatch(value):
            raise invalid_value(
                name, value, f"{name} can only include alphanumeric and punctuation characters. 1 to 128 in length."
            )
    delay = params.get("DelaySeconds")
    if delay is None:
        return
    if fifo and delay != 0:
        raise invalid_value(
            "DelaySeconds", delay, "The request include parameter that is not valid for this queue type."
        )
    if not 0 <= delay <= 900:  # noqa: PLR2004 - seconds, the attribute's range
        raise invalid_value("DelaySeconds", delay, "DelaySeconds must be >= 0 and <= 900.")


def _check_attributes(attributes: Attributes) -> None:
    if len(attributes) > MAX_ATTRIBUTES:
        raise invalid_parameter(
            f"Number of message attributes [{len(attributes)}] exceeds the allowed maximum [{MAX_ATTRIBUTES}]."
        )
    for name, value in attributes.items():
        if not _ATTRIBUTE_NAME.fullmatch(name):
            raise invalid_parameter(f"Message (user) attribute name '{name}' is invalid.")
        if value.get("StringListValues") or value.get("BinaryListValues"):
            raise AwsError(
                "UnsupportedOperation", "Message attribute list values in SendMessage operation are not supported."
            )
        _check_attribute_value(name, value)


def _check_attribute_value(name: str, value: Mapping[str, Any]) -> None:
    kind = _DATA_TYPE.fullmatch(value.get("DataType") or "")
    if kind is None:
        raise invalid_parameter(
            f"The type of message (user) attribute '{name}' is invalid. You must use only the following supported type "
            "prefixes: Binary, Number, String."
        )
    member = "BinaryValue" if kind[1] == "Binary" else "StringValue"
    content = value.get(member)
    if not content:
        raise invalid_parameter(
            f"Message (user) attribute '{name}' must contain a non-empty value of type '{value['DataType']}'."
        )
    if member == "StringValue":
        _check_characters(content)
    if kind[1] == "Number" and not _NUMBER.fullmatch(content):
        raise invalid_parameter(f"Can't cast the value of message (user) attribute '{name}' to a number.")
