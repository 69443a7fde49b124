"""Reply: posts to the client of a WebSocket API, where a durable function invokes it or a queue's mapping does."""

import json
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from clients import THREADS, Remaining, dynamodb, management
from delivery import Replies
from records import Message, lanes
from table import ConnectionTable

LOGGER = logging.getLogger("reply")
if "AWS_LAMBDA_LOG_LEVEL" not in os.environ:
    LOGGER.setLevel(logging.INFO)


class RequestError(ValueError):
    """The event is in none of the supported shapes."""


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Post to the clients of the stage at MANAGEMENT_ENDPOINT, whose connection table is TABLE_NAME.

    The endpoint is https://<api>.execute-api.<region>.amazonaws.com/<stage>, or a custom domain's
    (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html).

    A gone connection is no failure: the data goes to the newest connection of its client, if the client is known and has one,
    and else nowhere. Data may arrive twice, as everywhere where an answer can be lost.

    Args:
        event: `{"connection_id", "data"}`, with `client_id` if the caller knows it, and any JSON as data: text goes as it is.
            Or a mapping's `{"Records": [...]}`: attributes `connectionId` and, if known, `clientId`; the body goes as it is.
        context: Lambda's.

    Returns:
        `{"delivered", "connection_id", "client_id"}`: whether and where it went (None for nowhere) and the client where it is
        known, for the caller to keep.
        Of records, `{"batchItemFailures": [{"itemIdentifier": <message id>}...]}`: what could not be posted, and what is behind
        it in its FIFO group. Messages of different groups are posted side by side, those of one group, and of one
        connection on a standard queue, one after another.

    Raises:
        RuntimeError: if an environment variable is not set.
        RequestError: for another event.
        Whatever `Replies.deliver` raises, for `{"connection_id", "data"}`.
    """
    replies = _replies(context.get_remaining_time_in_millis)
    if isinstance(event.get("Records"), list):
        return _post_records(replies, event["Records"])
    connection_id = event.get("connection_id")
    if not isinstance(connection_id, str) or not connection_id or "data" not in event:
        raise RequestError(
            f"the event has the keys {sorted(event)}: give connection_id (text) and data, or Records of a queue"
        )
    data = event["data"]
    delivery = replies.deliver(
        data if isinstance(data, str) else json.dumps(data), connection_id, event.get("client_id") or None
    )
    client_id = delivery.client_id
    if client_id is None and delivery.connection_id is not None:
        client_id = replies.client_of(connection_id)
    return {
        "delivered": delivery.connection_id is not None,
        "connection_id": delivery.connection_id,
        "client_id": client_id,
    }


def _replies(remaining: Remaining) -> Replies:
    values = {name: os.environ.get(name, "") for name in ("MANAGEMENT_ENDPOINT", "TABLE_NAME")}
    if missing := [name for name, value in values.items() if not value]:
        raise RuntimeError(
            f"environment variable {', '.join(missing)} is not set: give the reply function the management endpoint of a "
            "WebSocket stage and the name of its connection table"
        )
    # Here: to make a client is not safe on several threads at once.
    return Replies(
        management(values["MANAGEMENT_ENDPOINT"]), ConnectionTable(dynamodb(), values["TABLE_NAME"]), remaining
    )


def _post_records(replies: Replies, records: list[dict[str, Any]]) -> dict[str, Any]:
    messages = [Message.of(record) for record in records]
    with ThreadPoolExecutor(THREADS) as pool:
        failures = list(pool.map(lambda lane: _post_lane(replies, lane), lanes(messages)))
    # SQS may deliver a message twice in one batch; its id is reported once.
    failed = dict.fromkeys(message.message_id for failure in failures for message in failure)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _post_lane(replies: Replies, lane: list[Message]) -> list[Message]:
    """Post a lane in order, and return what was not posted; in a FIFO group nothing overtakes it."""
    failed = []
    for position, message in enumerate(lane):
        if _post(replies, message):
            continue
        if message.group is not None:
            if behind := len(lane) - position - 1:
                LOGGER.warning(
                    "%d messages behind %s in its group wait for it", behind, message.message_id, extra=_extra(message)
                )
            return lane[position:]
        failed.append(message)
    return failed


def _post(replies: Replies, message: Message) -> bool:
    """Post one message; False if it is to be delivered again, and to end in the dead-letter queue if that never helps."""
    try:
        delivery = replies.deliver(message.text, message.require_connection_id(), message.client_id)
    except Exception as error:  # noqa: BLE001  # whatever one message meets, its neighbours are not to be posted again
        LOGGER.error(  # noqa: TRY400  # the text says it
            "message %s was not posted: %s: %s",
            *(message.message_id, type(error).__name__, error),
            extra=_extra(message) | {"error": type(error).__name__},
        )
        return False
    if delivery.connection_id is None:
        LOGGER.info("message %s has no client any more", message.message_id, extra=_extra(message))
    return True


def _extra(message: Message) -> dict[str, Any]:
    return {"message_id": message.message_id, "connection_id": message.connection_id}
