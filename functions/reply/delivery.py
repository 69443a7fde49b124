"""One text to one client, wherever it is connected now."""

import logging
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from clients import Remaining, check_time
from table import ConnectionTable

LOGGER = logging.getLogger("reply")

# Of PostToConnection (botocore model of apigatewaymanagementapi). A client gets more than 32 KB in several frames of one message:
# https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
MAX_DATA_BYTES = 131_072

FORBIDDEN = 403
GONE = 410


class DataTooLargeError(ValueError):
    """API Gateway takes no message of this size."""


class ForbiddenError(RuntimeError):
    """API Gateway does not let the function post."""


@dataclass(frozen=True)
class Delivery:
    """What became of a text.

    Attributes:
        connection_id: Where it went; None if the client has no connection.
        client_id: The client, where it is known.
    """

    connection_id: str | None
    client_id: str | None


@dataclass(frozen=True)
class Replies:
    """Posts to the connections of one stage, as long as `remaining` milliseconds allow."""

    management: Any
    table: ConnectionTable
    remaining: Remaining

    def deliver(self, text: str, connection_id: str, client_id: str | None = None) -> Delivery:
        """Post to the connection or, if it is gone, to the client's newest one; records of gone connections are deleted.

        Args:
            text: What the client gets, as one message.
            connection_id: A connection that was established, such as the one over which a request came.
            client_id: Its client; looked up if the connection is gone.

        Raises:
            DataTooLargeError: above 131,072 bytes in UTF-8, before any call.
            OutOfTimeError: before a call that might not end in time.
            ForbiddenError: for what is wrong with the function's role or endpoint.
            botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError: after retries. A 400 "Invalid connectionId" is
                among them: gone connections are a 410, even such as never were, if only their id is well-formed
                (https://github.com/localstack/localstack/issues/4694). So it is a mistake of the sender, which is to be seen.
        """
        data = text.encode()
        if len(data) > MAX_DATA_BYTES:
            raise DataTooLargeError(
                f"the data takes {len(data)} bytes, API Gateway posts {MAX_DATA_BYTES}: send a reference to it instead"
            )
        if self._post(connection_id, data):
            return Delivery(connection_id, client_id)
        check_time(self.remaining)
        recorded = self.table.remove(connection_id)
        client_id = client_id or recorded
        LOGGER.info("connection %s is gone", connection_id, extra={"connection_id": connection_id})
        if client_id is None:
            return Delivery(None, None)
        return Delivery(self._post_to_client(client_id, data, gone=connection_id), client_id)

    def client_of(self, connection_id: str) -> str | None:
        """Return the id of the connection's client; None if it is not known, or cannot be looked up now."""
        try:
            check_time(self.remaining)
            return self.table.client_of(connection_id)
        except Exception as error:  # noqa: BLE001  # what was posted is not to be posted again for this
            LOGGER.warning(
                "the client of connection %s is not known: %s: %s", connection_id, type(error).__name__, error
            )
            return None

    def _post_to_client(self, client_id: str, data: bytes, *, gone: str) -> str | None:
        check_time(self.remaining)
        for connection_id in self.table.connections_of(client_id):
            if connection_id == gone:  # the index may lag
                continue
            if self._post(connection_id, data):
                return connection_id
            check_time(self.remaining)
            self.table.remove_unless_connecting(connection_id)
        return None

    def _post(self, connection_id: str, data: bytes) -> bool:
        """Return whether the connection took the data; False if it is gone."""
        check_time(self.remaining)
        try:
            self.management.post_to_connection(ConnectionId=connection_id, Data=data)
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status == GONE:
                return False
            if status == FORBIDDEN:
                raise ForbiddenError(
                    f"API Gateway forbids to post through {self.management.meta.endpoint_url} ({error}): the function's role "
                    "needs execute-api:ManageConnections on the stage's POST/@connections/*, and MANAGEMENT_ENDPOINT must "
                    "name that stage"
                ) from error
            raise
        return True
