"""The policy that a Lambda authorizer of API Gateway returns, evaluated by itself.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-lambda-authorizer-output.html: statements on
execute-api:Invoke, without principals; an explicit deny counts above all, and what is not allowed is denied.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from durable_sandbox.iam.context import RequestContext
from durable_sandbox.iam.documents import PolicyError, PolicyKind, parse_policy
from durable_sandbox.iam.matching import action_pattern, applies
from durable_sandbox.iam.model import AccessRequest, Document, Principal


class AuthorizerPolicies:
    """Evaluates policies on behalf of an account's API."""

    def __init__(self, account: str) -> None:
        self._principal = Principal.service("apigateway.amazonaws.com", account)

    def allows(self, document: Any, action: str, resource: str, context: Mapping[str, str]) -> bool:
        """Whether ``document`` allows it; ``context`` has condition keys in lower case. Raises ValueError for no policy."""
        try:
            policy = parse_policy(Document("of the authorizer", document), PolicyKind.IDENTITY)
        except PolicyError as error:
            raise ValueError(str(error)) from error
        values = {key: (value,) for key, value in context.items()}
        request = AccessRequest(self._principal, action, resource, context=values)
        known = RequestContext(request, time.time)
        fitting = [
            statement
            for statement in policy.statements
            if action_pattern(statement, action, known) is not None and applies(statement, request, known)
        ]
        return any(statement.allow for statement in fitting) and all(statement.allow for statement in fitting)
