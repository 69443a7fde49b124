"""Names and ids as AWS takes them, checked before it is asked.

Patterns: botocore's model of lambda (FunctionName, DurableExecutionName, DurableExecutionArn, CallbackId).
"""

from __future__ import annotations

import re

from durable_ops.errors import Exit, OpsError

ARN = "arn:"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CALLBACK = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_CALLBACK_LENGTH = 1024
_EXECUTION_ARN = re.compile(
    r"arn:[A-Za-z0-9-]+:lambda:[A-Za-z0-9-]+:\d{12}:function:(?P<function>[A-Za-z0-9_-]+):(?:\$LATEST(?:\.PUBLISHED)?|\d+)"
    r"/durable-execution/[A-Za-z0-9_-]+/[A-Za-z0-9_-]+"
)


def stack_name(text: str) -> str:
    """``text``, a name that a function may have. Raises OpsError (USAGE)."""
    if not _NAME.fullmatch(text):
        raise OpsError(
            f'"{text}" cannot be the name of a stack.',
            "NAME is the root module's input `name`: letters, digits, - and _, at most 64.",
            Exit.USAGE,
        )
    return text


def execution_name(text: str) -> str:
    """``text``, a name that an execution may have. Raises OpsError (USAGE)."""
    if not _NAME.fullmatch(text):
        raise OpsError(
            f'"{text}" cannot be the name of an execution.',
            "Give its ARN, or its name: letters, digits, - and _, at most 64. List them: durable-ops executions list.",
            Exit.USAGE,
        )
    return text


def function_of(execution_arn: str) -> str:
    """The name of the function that an execution's ARN is of. Raises OpsError (USAGE)."""
    found = _EXECUTION_ARN.fullmatch(execution_arn)
    if found is None:
        raise OpsError(
            f'"{execution_arn}" is no ARN of an execution.',
            "It ends in :function:FUNCTION:VERSION/durable-execution/NAME/ID; `durable-ops executions show` names it whole.",
            Exit.USAGE,
        )
    return found["function"]


def callback_id(text: str) -> str:
    """``text``, an id that a callback may have. Raises OpsError (USAGE)."""
    if len(text) > _CALLBACK_LENGTH or not _CALLBACK.fullmatch(text):
        raise OpsError(
            f'"{text}" is no id of a callback.',
            "Copy it whole from `durable-ops executions show`, which names the callback of an execution that waits.",
            Exit.USAGE,
        )
    return text
