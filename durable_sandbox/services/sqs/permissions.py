"""AddPermission and RemovePermission: statements of the queue's Policy by label."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from durable_sandbox.aws.arns import Arn
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.services.sqs.errors import invalid_value

_MAX_ACTIONS = 7
_SHAREABLE = frozenset(
    {
        "*",
        "SendMessage",
        "ReceiveMessage",
        "DeleteMessage",
        "ChangeMessageVisibility",
        "GetQueueAttributes",
        "GetQueueUrl",
    }
)


def with_statement(policy: str | None, arn: str, label: str, accounts: Sequence[str], actions: Sequence[str]) -> str:
    """The policy with one more statement. Raises AwsError: OverLimit, InvalidParameterValue."""
    if len(actions) > _MAX_ACTIONS:
        raise AwsError("OverLimit", f"{len(actions)} Actions were found, maximum allowed is {_MAX_ACTIONS}.")
    for action in actions:
        if action not in _SHAREABLE:
            raise invalid_value("ActionName", f"SQS:{action}", "Only the queue owner is allowed to invoke this action.")
    document = _load(policy, arn)
    if any(statement.get("Sid") == label for statement in document["Statement"]):
        raise invalid_value("Label", label, "Already exists.")
    document["Statement"].append(
        {
            "Sid": label,
            "Effect": "Allow",
            "Principal": {"AWS": _one_or_all([str(Arn("iam", "", account, "root")) for account in accounts])},
            "Action": _one_or_all([f"SQS:{action}" for action in actions]),
            "Resource": arn,
        }
    )
    return json.dumps(document, separators=(",", ":"))


def without_statement(policy: str | None, arn: str, label: str) -> str:
    """The policy without that statement, empty text when none is left. Raises AwsError (InvalidParameterValue)."""
    document = _load(policy, arn)
    kept = [statement for statement in document["Statement"] if statement.get("Sid") != label]
    if len(kept) == len(document["Statement"]):
        raise invalid_value("Label", label, "can't find label.")
    document["Statement"] = kept
    return json.dumps(document, separators=(",", ":")) if kept else ""


def _load(policy: str | None, arn: str) -> dict[str, Any]:
    if not policy:
        return {"Version": "2008-10-17", "Id": f"{arn}/SQSDefaultPolicy", "Statement": []}
    document: dict[str, Any] = json.loads(policy)
    statements = document.get("Statement", [])
    document["Statement"] = statements if isinstance(statements, list) else [statements]
    return document


def _one_or_all(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values
