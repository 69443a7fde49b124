"""Who may connect, and who that is: everybody, under the name that the URL gives. In earnest, look at a token here."""

from __future__ import annotations

from typing import Any


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001 - as Lambda calls it
    """Let the client in as its `client_id`; API Gateway refuses one without, before this is called."""
    statement = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": event["methodArn"]}
    return {
        "principalId": event["queryStringParameters"]["client_id"],
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
    }
