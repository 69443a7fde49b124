"""AWS Lambda: functions, durable executions, event source mappings.

Source: Service Authorization Reference list_awslambda; Lambda Developer Guide durable-security: durable execution APIs
are authorised on the execution's ARN, below a version or $LATEST; an Invoke on the ARN it names, so that an alias is its
own resource.
"""

from __future__ import annotations

import base64
import json
import re

from durable_sandbox.iam.actions.rules import (
    Need,
    Operation,
    Table,
    UnmappedError,
    anything,
    each,
    named,
    on,
)

# botocore's lambda model, NamespacedFunctionName.
_FUNCTION = re.compile(
    r"(?:arn:[a-zA-Z-]+:lambda:(?P<region>[a-z0-9-]+):)?(?:(?P<account>\d{12}):)?(?:function:)?"
    r"(?P<name>[a-zA-Z0-9-_]+)(?::(?P<qualifier>\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
)


def function(operation: Operation, text: str | None = None, *, qualified: bool = True) -> str:
    """The function's ARN, with the qualifier of its name or of the Qualifier parameter unless ``qualified`` is False."""
    name = text if text is not None else operation.text("FunctionName")
    match = _FUNCTION.fullmatch(name)
    if match is None:
        raise UnmappedError(f"{name!r} is no function name")
    region = match["region"] or operation.region
    account = match["account"] or operation.account
    arn = f"arn:aws:lambda:{region}:{account}:function:{match['name']}"
    qualifier = match["qualifier"] or operation.params.get("Qualifier")
    return f"{arn}:{qualifier}" if qualifier and qualified else arn


def _plain_function(operation: Operation) -> str:
    return function(operation, qualified=False)


def _execution(operation: Operation) -> str:
    return operation.text("DurableExecutionArn")


def _called_back(operation: Operation) -> str:
    """The execution inside a callback id: base64 JSON with ``arn``, as the durable engine issues it."""
    try:
        return str(json.loads(base64.b64decode(operation.text("CallbackId"), validate=True))["arn"])
    except (ValueError, KeyError, TypeError) as error:
        raise UnmappedError("CallbackId names no execution") from error


def _mapping(operation: Operation) -> str:
    return operation.arn(f"event-source-mapping:{operation.text('UUID')}")


def _create_mapping(operation: Operation) -> tuple[Need, ...]:
    arn = function(operation)
    return (Need("lambda:CreateEventSourceMapping", "*", {"lambda:functionarn": (arn,)}),)


def _change_mapping(operation: Operation) -> tuple[Need, ...]:
    given = operation.params.get("FunctionName")
    context = {"lambda:functionarn": (function(operation, str(given)),)} if given else {}
    return (Need("lambda:UpdateEventSourceMapping", _mapping(operation), context),)


def _layer_version(operation: Operation) -> str:
    name = operation.text("LayerName")
    layer = name if name.startswith("arn:") else operation.arn(f"layer:{name}")
    return f"{layer}:{operation.text('VersionNumber')}"


TABLE: Table = {
    **each(
        "AddPermission DeleteFunction DeleteFunctionEventInvokeConfig GetFunction GetFunctionConfiguration "
        "GetFunctionEventInvokeConfig GetPolicy GetRuntimeManagementConfig InvokeAsync "
        "ListDurableExecutionsByFunction PutFunctionEventInvokeConfig PutRuntimeManagementConfig RemovePermission "
        "UpdateFunctionEventInvokeConfig PutProvisionedConcurrencyConfig GetProvisionedConcurrencyConfig "
        "DeleteProvisionedConcurrencyConfig CreateFunctionUrlConfig GetFunctionUrlConfig UpdateFunctionUrlConfig "
        "DeleteFunctionUrlConfig",
        on(function),
    ),
    **each(
        "CreateAlias CreateFunction DeleteAlias DeleteFunctionCodeSigningConfig DeleteFunctionConcurrency GetAlias "
        "GetFunctionCodeSigningConfig GetFunctionConcurrency GetFunctionRecursionConfig ListAliases "
        "ListFunctionEventInvokeConfigs ListFunctionUrlConfigs ListProvisionedConcurrencyConfigs ListVersionsByFunction "
        "PublishVersion PutFunctionConcurrency PutFunctionRecursionConfig UpdateAlias UpdateFunctionCode "
        "UpdateFunctionConfiguration",
        on(_plain_function),
    ),
    **each("Invoke InvokeWithResponseStream", on(function, "InvokeFunction")),
    **each(
        "CheckpointDurableExecution DeleteDurableExecution GetDurableExecution GetDurableExecutionHistory "
        "GetDurableExecutionState PauseDurableExecution ResumeDurableExecution StopDurableExecution",
        on(_execution),
    ),
    **each(
        "SendDurableExecutionCallbackFailure SendDurableExecutionCallbackHeartbeat SendDurableExecutionCallbackSuccess",
        on(_called_back),
    ),
    **each("GetEventSourceMapping DeleteEventSourceMapping", on(_mapping)),
    "CreateEventSourceMapping": _create_mapping,
    "UpdateEventSourceMapping": _change_mapping,
    **each("GetAccountSettings ListEventSourceMappings ListFunctions ListLayers ListLayerVersions", on(anything)),
    **each("ListTags TagResource UntagResource", on(named("function:", "Resource"))),
    "PublishLayerVersion": on(named("layer:", "LayerName")),
    **each("GetLayerVersion DeleteLayerVersion GetLayerVersionPolicy", on(_layer_version)),
    "GetLayerVersionByArn": on(named("layer:", "Arn"), "GetLayerVersion"),
}
