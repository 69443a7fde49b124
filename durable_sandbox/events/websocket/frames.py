"""What API Gateway itself says to a client of a WebSocket API: error frames and close codes.

Sources: close codes: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-overview.html;
1003 and 1009 also .../apigateway-websocket-api-routes-integrations.html; 1000: https://github.com/aws/chalice/issues/2060.
Frames as clients received them, byte for byte (``{"message": "Forbidden", "connectionId":"...", "requestId":"..."}``):
https://github.com/aws-samples/simple-websockets-chat-app/issues/24 (Forbidden) and /42 (Internal server error),
https://github.com/nearst/laconia/issues/41.
"""

from __future__ import annotations

import json

FORBIDDEN = "Forbidden"
"""No route for the message, and no $default."""

INTERNAL_ERROR = "Internal server error"
"""The integration failed, or its template."""

BAD_BODY = "Bad request body"
"""The model refused the message: .../websocket-api-request-validation.html.

An older guide shows this frame, with the words "similar to", with ``messageId`` in place of ``requestId``; here its members
are those of the frames that were seen.
"""

TOO_MANY = "Too Many Requests"
"""The route is throttled: .../websocket-api-protect.html ("429 Too Many Requests"). No source shows the frame."""

TIMED_OUT = "Endpoint request timed out"
"""The integration took too long: the words of REST APIs. No source shows the frame."""

DELETED = 1000
"""The backend deleted the connection."""

GOING_AWAY = 1001
"""Idle for 10 minutes, or 2 hours old."""

UNSUPPORTED = 1003
"""A binary frame."""

NO_STATUS = 1005
"""Never sent: what $disconnect is told if the client closed without a code."""

ABNORMAL = 1006
"""Never sent: what $disconnect is told if the connection broke."""

RESTART = 1012
"""API Gateway restarts."""


def error(message: str, connection_id: str, request_id: str) -> str:
    """An error frame, with the blanks where API Gateway has them."""
    return (
        f'{{"message": {json.dumps(message)}, '
        f'"connectionId":{json.dumps(connection_id)}, "requestId":{json.dumps(request_id)}}}'
    )
