"""What API Gateway (version 1) keeps for an account in a region, which version 2 asks for."""

from __future__ import annotations

import sys

_MODELS = "moto.apigateway.models"


def log_role(account: str, region: str) -> str | None:
    """ARN of the role by which API Gateway writes logs (UpdateAccount's cloudwatchRoleArn); None if nobody has set it."""
    models = sys.modules.get(_MODELS)
    if models is None:  # moto loads it at the first request to API Gateway: nobody has made one
        return None
    return models.apigateway_backends[account][region].account.cloudwatch_role_arn or None
