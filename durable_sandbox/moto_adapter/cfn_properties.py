"""CloudFormation properties of Lambda's resource types as inputs of Lambda's API.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-function.html
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape
from moto.core.utils import get_service_model

from durable_sandbox.aws.errors import AwsError

CONFIGURED_APART = frozenset(
    {"Code", "Tags", "ReservedConcurrentExecutions", "RuntimeManagementConfig", "RecursiveLoop"}
)
"""Function properties that other calls than CreateFunction or UpdateFunctionConfiguration set."""

DEFAULTS: Mapping[str, Any] = {
    "Description": "",
    "Timeout": 3,
    "MemorySize": 128,
    "Environment": {"Variables": {}},
    "DeadLetterConfig": {"TargetArn": ""},
    "KmsKeyArn": "",
    "KMSKeyArn": "",
    "Layers": [],
    "TracingConfig": {"Mode": "PassThrough"},
    "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []},
    "EphemeralStorage": {"Size": 512},
    "FileSystemConfigs": [],
    "LoggingConfig": {"LogFormat": "Text"},
    "SnapStart": {"ApplyOn": "None"},
    "ImageConfig": {},
}
"""What a property returns to when a template stops naming it (Lambda's defaults)."""

# CloudFormation spells two names unlike the API.
_RENAMED = {"KmsKeyArn": "KMSKeyArn"}


def request(operation: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """``properties`` as input of a Lambda operation, numbers and booleans given as text converted.

    Raises AwsError (ValidationError) for a property that the operation does not know: dropping it would report
    success for a setting that was never made.
    """
    shape = get_service_model("lambda").operation_model(operation).input_shape
    converted: dict[str, Any] = _convert(shape, {_RENAMED.get(k, k): v for k, v in properties.items()}, "")
    return converted


def knows(operation: str, name: str) -> bool:
    """Whether a Lambda operation takes the property ``name``."""
    shape = get_service_model("lambda").operation_model(operation).input_shape
    return _RENAMED.get(name, name) in shape.members


def _convert(shape: Shape, value: Any, path: str) -> Any:
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        unknown = sorted(set(value) - set(shape.members))
        if unknown:
            where = ", ".join(f"{path}/{name}".lstrip("/") for name in unknown)
            raise AwsError("ValidationError", f"Encountered unsupported property {where}")
        return {name: _convert(shape.members[name], item, f"{path}/{name}") for name, item in value.items()}
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_convert(shape.member, item, path) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, Mapping):
        return {key: _convert(shape.value, item, f"{path}/{key}") for key, item in value.items()}
    return _scalar(shape.type_name, value, path)


def _scalar(kind: str, value: Any, path: str) -> Any:
    try:
        if kind in ("integer", "long"):
            return int(value)
        if kind in ("float", "double"):
            return float(value)
    except (TypeError, ValueError) as error:
        raise AwsError("ValidationError", f"{path.lstrip('/')}: {value!r} is not a number") from error
    if kind == "boolean":
        return value if isinstance(value, bool) else str(value).lower() == "true"
    if kind == "string" and isinstance(value, int | float):
        # A template may write a number or boolean where the API wants text (an environment variable).
        return str(value).lower() if isinstance(value, bool) else str(value)
    return value


def code(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The ``Code`` property as CreateFunction's Code: inline text becomes a zip with ``index.py`` or ``index.js``."""
    source = dict(properties.get("Code") or {})
    inline = source.get("ZipFile")
    if isinstance(inline, str):
        suffix = "js" if str(properties.get("Runtime", "")).startswith("nodejs") else "py"
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr(zipfile.ZipInfo(f"index.{suffix}", (1980, 1, 1, 0, 0, 0)), inline)
        source["ZipFile"] = buffer.getvalue()
    return source


def tags(properties: Mapping[str, Any]) -> dict[str, str]:
    """The ``Tags`` list as a map."""
    return {str(tag["Key"]): str(tag["Value"]) for tag in properties.get("Tags") or []}
