"""Connections: keeps the table of a WebSocket API's connections, as the integration of $connect and $disconnect."""

import functools
import logging
import os
import re
from typing import Any

import boto3
from botocore.config import Config

LOGGER = logging.getLogger("connections")
if "AWS_LAMBDA_LOG_LEVEL" not in os.environ:
    LOGGER.setLevel(logging.INFO)

# A connection lasts no longer, and $disconnect is best effort:
# https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html and
# https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-route-keys-connect-disconnect.html
LIFETIME_SECONDS = 7200
# What a key of an index holds: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
MAX_CLIENT_ID_BYTES = 2048
# A MessageGroupId: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
GROUP_ID = re.compile(r"[!-~]{1,128}")


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Put the connection of a CONNECT into the table TABLE_NAME, and delete that of a DISCONNECT.

    The item is `{"connection_id", "connected_at" (N, ms), "expires_at" (N, s), "client_id"}`, the last where CLIENT_ID_FROM names
    one that is there: "authorizer" (its principal) or "query" (parameter `client_id`, which every client may choose).

    Args:
        event: Of an AWS_PROXY integration
            (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-mapping-template-reference.html).

    Returns:
        `{"statusCode": 200}`; 400, which refuses the connection
        (https://docs.aws.amazon.com/apigateway/latest/developerguide/websocket-connect-route-subprotocol.html), for a client id
        above 2,048 bytes, and, where GROUP is "client", for one that is no message group: none of its messages could be sent.

    Raises:
        RuntimeError: if TABLE_NAME is not set, or CLIENT_ID_FROM is something else; an error refuses the connection as well.
        ValueError: for the event of another route.
        botocore.exceptions.ClientError: what DynamoDB answers, after retries.
    """
    table = os.environ.get("TABLE_NAME")
    if not table:
        raise RuntimeError("environment variable TABLE_NAME is not set: give the function its connection table's name")
    request = event["requestContext"]
    connection_id, kind = request["connectionId"], request.get("eventType")
    if kind == "DISCONNECT":
        dynamodb().delete_item(TableName=table, Key={"connection_id": {"S": connection_id}})
        return {"statusCode": 200}
    if kind != "CONNECT":
        raise ValueError(
            f"event type {kind} of route {request.get('routeKey')}: route $connect and $disconnect here only"
        )
    item = {
        "connection_id": {"S": connection_id},
        "connected_at": {"N": str(request["connectedAt"])},
        "expires_at": {"N": str(request["connectedAt"] // 1000 + LIFETIME_SECONDS)},
    }
    client_id = _client_id(event)
    if client_id:
        if len(client_id.encode()) > MAX_CLIENT_ID_BYTES:
            LOGGER.warning("connection %s was refused: its client id is longer than a key", connection_id)
            return {"statusCode": 400}
        if os.environ.get("GROUP") == "client" and not GROUP_ID.fullmatch(client_id):
            LOGGER.warning("connection %s was refused: SQS takes no group by its client id", connection_id)
            return {"statusCode": 400}
        item["client_id"] = {"S": client_id}
    dynamodb().put_item(TableName=table, Item=item)
    return {"statusCode": 200}


def _client_id(event: dict[str, Any]) -> str | None:
    source = os.environ.get("CLIENT_ID_FROM", "")
    match source:
        case "":
            return None
        case "authorizer":
            value = (event["requestContext"].get("authorizer") or {}).get("principalId")
        case "query":
            value = (event.get("queryStringParameters") or {}).get("client_id")
        case _:
            raise RuntimeError(
                f'environment variable CLIENT_ID_FROM is "{source}": say "authorizer", "query" or nothing'
            )
    return str(value) if value else None


@functools.cache
def dynamodb() -> Any:
    """Return the environment's one client; it gives up after 9 seconds, before the function and API Gateway do."""
    retries = {"mode": "standard", "total_max_attempts": 2}
    return boto3.client("dynamodb", config=Config(retries=retries, connect_timeout=1, read_timeout=3))
