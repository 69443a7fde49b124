"""URIs of integrations and authorizers.

Form: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-integration-requests.html. A
function's own ARN does as well: https://github.com/aws/aws-cdk/pull/13820. Stage variables may stand anywhere in them.
"""

from __future__ import annotations

import re

_SERVICE = re.compile(r"arn:aws[a-z-]*:apigateway:[a-z0-9-]+:[a-z0-9.-]+:(?:path|action)/.+", re.DOTALL)
_FUNCTION = re.compile(
    r"arn:aws[a-z-]*:apigateway:[a-z0-9-]+:lambda:path/[^/]*/functions/(?:arn:aws[a-z-]*:lambda:[^/]+|\$\{[^/]+)/invocations"
)
_ARN = re.compile(r"arn:aws[a-z-]*:lambda:([a-z0-9-]+):\d{12}:function:\S+")


def names_service(uri: str) -> bool:
    """Whether ``uri`` is of an action of an AWS service."""
    return _SERVICE.fullmatch(uri) is not None or names_function(uri)


def names_function(uri: str) -> bool:
    """Whether ``uri`` invokes a Lambda function."""
    return _FUNCTION.fullmatch(uri) is not None or _ARN.fullmatch(uri) is not None


def invocation(uri: str) -> str:
    """``uri`` in its long form, if it is a function's own ARN."""
    match = _ARN.fullmatch(uri)
    if match is None:
        return uri
    return f"arn:aws:apigateway:{match[1]}:lambda:path/2015-03-31/functions/{uri}/invocations"
