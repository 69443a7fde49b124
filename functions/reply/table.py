"""The connection table: which client a connection belongs to, and which connections a client has.

`functions/connections` writes it: key `connection_id`; `client_id` where it is known, `connected_at` in milliseconds; index
`client` by `client_id` and `connected_at`.
"""

import time
from dataclasses import dataclass
from typing import Any

CLIENT_INDEX = "client"
# API Gateway waits up to 29 s for the integration of $connect
# (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html),
# and answers 410 until it is done (https://repost.aws/knowledge-center/410-gone-api-gateway).
CONNECTING_MILLISECONDS = 30_000


@dataclass(frozen=True)
class ConnectionTable:
    """The table `name`.

    Every method makes one call, and raises what DynamoDB answers after retries (botocore.exceptions.ClientError).
    """

    client: Any
    name: str

    def client_of(self, connection_id: str) -> str | None:
        """Return the id of the connection's client; None if it is not known."""
        # Consistent: the client may send its first message right after $connect wrote the record.
        reply = self.client.get_item(TableName=self.name, Key=_key(connection_id), ConsistentRead=True)
        return _client_id(reply.get("Item"))

    def remove(self, connection_id: str) -> str | None:
        """Delete the record of a connection that was established once, and return the id of its client, if known."""
        reply = self.client.delete_item(TableName=self.name, Key=_key(connection_id), ReturnValues="ALL_OLD")
        return _client_id(reply.get("Attributes"))

    def remove_unless_connecting(self, connection_id: str) -> None:
        """Delete the record of a connection, unless it may still be on its way to being established."""
        before = int(time.time() * 1000) - CONNECTING_MILLISECONDS
        try:
            self.client.delete_item(
                TableName=self.name,
                Key=_key(connection_id),
                ConditionExpression="connected_at < :before",
                ExpressionAttributeValues={":before": {"N": str(before)}},
            )
        except self.client.exceptions.ConditionalCheckFailedException:
            return

    def connections_of(self, client_id: str) -> list[str]:
        """Return the client's connections, the newest first.

        One page is enough: it is 1 MB, and so thousands of connections
        (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html).
        """
        reply = self.client.query(
            TableName=self.name,
            IndexName=CLIENT_INDEX,
            KeyConditionExpression="client_id = :client",
            ExpressionAttributeValues={":client": {"S": client_id}},
            ScanIndexForward=False,
        )
        return [item["connection_id"]["S"] for item in reply["Items"]]


def _key(connection_id: str) -> dict[str, Any]:
    return {"connection_id": {"S": connection_id}}


def _client_id(item: dict[str, Any] | None) -> str | None:
    return item["client_id"]["S"] if item and "client_id" in item else None
