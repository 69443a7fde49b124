"""Who may connect: a token is `<allow or deny> <client>`."""

from __future__ import annotations

from typing import Any


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001 - as Lambda calls it
    """Let the client in, or not, under the name that it gives."""
    effect, _, client = event["queryStringParameters"]["token"].partition(" ")
    statement = {"Effect": effect.capitalize(), "Action": "execute-api:Invoke", "Resource": event["methodArn"]}
    return {"principalId": client, "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}}
