"""AWS::Lambda::Function, ::Version and ::Alias in CloudFormation, made by our Lambda.

Gaps closed in moto 5.2.5: no AWS::Lambda::Alias at all, and a Function that knows neither DurableConfig nor
DeadLetterConfig nor LoggingConfig and lives in moto's own Lambda.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar

from moto.core.common_models import CloudFormationModel

from durable_sandbox.aws.errors import AwsError
from durable_sandbox.moto_adapter import cfn_properties as props
from durable_sandbox.moto_adapter.bridge import Bridge

_READY_SECONDS = 60.0
_POLL_SECONDS = 0.02
_NAME_LIMIT = 64
_SUFFIX = 13
_GONE = "ResourceNotFoundException"


class LambdaResource(CloudFormationModel):
    """What the three types share. ``bridge`` is set on the subclasses that ``models`` makes."""

    bridge: ClassVar[Bridge]
    attributes: ClassVar[tuple[str, ...]] = ()
    replaced_by: ClassVar[frozenset[str]] = frozenset()
    takes_stack_tags: ClassVar[bool] = False

    def __init__(self, region: str, identifier: str, values: Mapping[str, str]) -> None:
        self.region = region
        self.identifier = identifier
        self.values = dict(values)

    @property
    def physical_resource_id(self) -> str:
        """What Ref gives."""
        return self.identifier

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        """Whether Fn::GetAtt knows ``attr``."""
        return attr in cls.attributes

    def get_cfn_attribute(self, attribute_name: str) -> str:
        """What Fn::GetAtt gives."""
        return self.values[attribute_name]

    @classmethod
    def requires_replacement(cls, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        """Whether going from ``old`` to ``new`` properties needs another resource."""
        return any(old.get(name) != new.get(name) for name in cls.replaced_by)

    def call(self, operation: str, **params: Any) -> Mapping[str, Any]:
        """Call our Lambda in this resource's region."""
        return self.bridge.call(self.region, "lambda", operation, params)

    def call_unless_gone(self, operation: str, **params: Any) -> None:
        """Call our Lambda; what is already deleted is no error."""
        try:
            self.call(operation, **params)
        except AwsError as error:
            if error.code != _GONE:
                raise


class Function(LambdaResource):
    """AWS::Lambda::Function."""

    attributes = ("Arn",)
    replaced_by = frozenset({"FunctionName", "PackageType"})
    takes_stack_tags = True

    @staticmethod
    def cloudformation_name_type() -> str:
        """The property that names the resource."""
        return "FunctionName"

    @staticmethod
    def cloudformation_type() -> str:
        """The resource type."""
        return "AWS::Lambda::Function"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **_: Any
    ) -> Function:
        """CreateFunction, then what it cannot set."""
        del account_id
        properties = cloudformation_json["Properties"]
        name = properties.get("FunctionName") or _shortened(resource_name)
        given = {key: value for key, value in properties.items() if key not in props.CONFIGURED_APART}
        params = props.request("CreateFunction", {**given, "FunctionName": name, "Code": props.code(properties)})
        if labels := props.tags(properties):
            params["Tags"] = labels
        function = cls(region_name, name, {})
        created = function.call("CreateFunction", **params)
        function.values["Arn"] = created["FunctionArn"]
        try:
            function.wait_until_ready()
            function.configure_apart({}, properties)
        except Exception:
            # The stack does not know this function yet and could not roll it back.
            function.call_unless_gone("DeleteFunction", FunctionName=name)
            raise
        return function

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: Function,
        new_resource_name: str,
        cloudformation_json: Any,
        account_id: str,
        region_name: str,
    ) -> Function:
        """UpdateFunctionConfiguration and UpdateFunctionCode, each only if something of its changed."""
        del new_resource_name, account_id, region_name
        function = original_resource
        old: Mapping[str, Any] = function.applied_properties
        new = cloudformation_json["Properties"]
        name = function.identifier
        if old.get("Code") != new.get("Code") or old.get("Architectures") != new.get("Architectures"):
            params = props.request("UpdateFunctionCode", {"FunctionName": name, **props.code(new)})
            if "Architectures" in new:
                params["Architectures"] = new["Architectures"]
            function.call("UpdateFunctionCode", **params)
            function.wait_until_ready()
        changed = _changed_configuration(old, new)
        if changed:
            function.call("UpdateFunctionConfiguration", FunctionName=name, **changed)
            function.wait_until_ready()
        function.configure_apart(old, new)
        return function

    def configure_apart(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        """Set what neither CreateFunction nor UpdateFunctionConfiguration takes."""
        name = self.identifier
        if old.get("ReservedConcurrentExecutions") != new.get("ReservedConcurrentExecutions"):
            if new.get("ReservedConcurrentExecutions") is None:
                self.call("DeleteFunctionConcurrency", FunctionName=name)
            else:
                reserved = int(new["ReservedConcurrentExecutions"])
                self.call("PutFunctionConcurrency", FunctionName=name, ReservedConcurrentExecutions=reserved)
        if new.get("RuntimeManagementConfig") and old.get("RuntimeManagementConfig") != new["RuntimeManagementConfig"]:
            self.call("PutRuntimeManagementConfig", FunctionName=name, **new["RuntimeManagementConfig"])
        if new.get("RecursiveLoop") and old.get("RecursiveLoop") != new["RecursiveLoop"]:
            self.call("PutFunctionRecursionConfig", FunctionName=name, RecursiveLoop=new["RecursiveLoop"])
        if old:
            self._retag(props.tags(old), props.tags(new))

    def _retag(self, old: Mapping[str, str], new: Mapping[str, str]) -> None:
        gone = sorted(set(old) - set(new))
        if gone:
            self.call("UntagResource", Resource=self.values["Arn"], TagKeys=gone)
        added = {key: value for key, value in new.items() if old.get(key) != value}
        if added:
            self.call("TagResource", Resource=self.values["Arn"], Tags=added)

    def wait_until_ready(self) -> None:
        """Wait until the function is Active and no update runs. Raises AwsError if either failed."""
        deadline = time.monotonic() + _READY_SECONDS
        while True:
            found = self.call("GetFunctionConfiguration", FunctionName=self.identifier)
            if found.get("State") == "Failed" or found.get("LastUpdateStatus") == "Failed":
                reason = found.get("LastUpdateStatusReason") or found.get("StateReason") or "no reason given"
                raise AwsError("NotStabilized", f"Function {self.identifier} did not stabilize: {reason}")
            if found.get("State", "Active") != "Pending" and found.get("LastUpdateStatus") != "InProgress":
                return
            if time.monotonic() > deadline:
                raise AwsError("NotStabilized", f"Function {self.identifier} did not stabilize in {_READY_SECONDS} s")
            time.sleep(_POLL_SECONDS)

    def delete(self, account_id: str, region: str) -> None:
        """DeleteFunction, with all its versions and aliases."""
        del account_id, region
        self.call_unless_gone("DeleteFunction", FunctionName=self.identifier)


class Version(LambdaResource):
    """AWS::Lambda::Version."""

    attributes = ("Version", "FunctionArn")
    replaced_by = frozenset({"FunctionName", "Description", "CodeSha256"})

    @staticmethod
    def cloudformation_name_type() -> str:
        """The property that names the resource; a version has none."""
        return ""

    @staticmethod
    def cloudformation_type() -> str:
        """The resource type."""
        return "AWS::Lambda::Version"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **_: Any
    ) -> Version:
        """PublishVersion. Like CloudFormation's, it fails if nothing changed since the last version."""
        del resource_name, account_id
        properties = dict(cloudformation_json["Properties"])
        provisioned = properties.pop("ProvisionedConcurrencyConfig", None)
        version = cls(region_name, "", {})
        name = properties["FunctionName"]
        listed = version.call("ListVersionsByFunction", FunctionName=name)["Versions"]
        published = version.call("PublishVersion", **props.request("PublishVersion", properties))
        if any(known["Version"] == published["Version"] for known in listed):
            raise AwsError(
                "AlreadyExists",
                f"A version for this Lambda function exists ( {published['Version']} ). "
                "Modify the function to create a new version.",
            )
        version.identifier = published["FunctionArn"]
        version.values = {"Version": published["Version"], "FunctionArn": published["FunctionArn"]}
        version.function = name
        _provision(version, name, published["Version"], provisioned)
        return version

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: Version,
        new_resource_name: str,
        cloudformation_json: Any,
        account_id: str,
        region_name: str,
    ) -> Version:
        """Provisioned concurrency; everything else needs another version."""
        del new_resource_name, account_id, region_name
        wanted = cloudformation_json["Properties"].get("ProvisionedConcurrencyConfig")
        _provision(original_resource, original_resource.function, original_resource.values["Version"], wanted)
        return original_resource

    function: str = ""

    def delete(self, account_id: str, region: str) -> None:
        """Delete this version alone."""
        del account_id, region
        self.call_unless_gone("DeleteFunction", FunctionName=self.function, Qualifier=self.values["Version"])


class Alias(LambdaResource):
    """AWS::Lambda::Alias."""

    attributes = ("AliasArn",)
    replaced_by = frozenset({"FunctionName", "Name"})

    @staticmethod
    def cloudformation_name_type() -> str:
        """The property that names the resource."""
        return "Name"

    @staticmethod
    def cloudformation_type() -> str:
        """The resource type."""
        return "AWS::Lambda::Alias"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **_: Any
    ) -> Alias:
        """CreateAlias."""
        del resource_name, account_id
        properties = cloudformation_json["Properties"]
        alias = cls(region_name, "", {})
        created = alias.call("CreateAlias", **_alias_request("CreateAlias", properties))
        alias.identifier = created["AliasArn"]
        alias.values = {"AliasArn": created["AliasArn"]}
        _provision(
            alias, properties["FunctionName"], properties["Name"], properties.get("ProvisionedConcurrencyConfig")
        )
        return alias

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: Alias,
        new_resource_name: str,
        cloudformation_json: Any,
        account_id: str,
        region_name: str,
    ) -> Alias:
        """UpdateAlias."""
        del new_resource_name, account_id, region_name
        properties = cloudformation_json["Properties"]
        params = _alias_request("UpdateAlias", properties)
        params.setdefault("Description", "")
        params.setdefault("RoutingConfig", {"AdditionalVersionWeights": {}})
        original_resource.call("UpdateAlias", **params)
        wanted = properties.get("ProvisionedConcurrencyConfig")
        _provision(original_resource, properties["FunctionName"], properties["Name"], wanted)
        return original_resource

    def delete(self, account_id: str, region: str) -> None:
        """DeleteAlias."""
        del account_id, region
        properties = self.applied_properties
        self.call_unless_gone("DeleteAlias", FunctionName=properties["FunctionName"], Name=properties["Name"])


def models(bridge: Bridge) -> list[type[CloudFormationModel]]:
    """Give the types their way to our Lambda."""
    for model in (Function, Version, Alias):
        model.bridge = bridge
    return [Function, Version, Alias]


def _changed_configuration(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    changed: dict[str, Any] = {}
    for name in sorted(set(old) | set(new)):
        if name in props.CONFIGURED_APART or old.get(name) == new.get(name):
            continue
        if name == "Architectures":
            continue
        if name in new:
            changed[name] = new[name]
        elif name in props.DEFAULTS:
            changed[name] = props.DEFAULTS[name]
        else:
            raise AwsError("ValidationError", f"{name} cannot be removed from a function; give it a new FunctionName.")
    return props.request("UpdateFunctionConfiguration", changed)


def _alias_request(operation: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    given = {key: value for key, value in properties.items() if key != "ProvisionedConcurrencyConfig"}
    weights = (given.get("RoutingConfig") or {}).get("AdditionalVersionWeights")
    if weights is not None:
        shares = {str(weight["FunctionVersion"]): weight["FunctionWeight"] for weight in weights}
        given["RoutingConfig"] = {"AdditionalVersionWeights": shares}
    return props.request(operation, given)


def _provision(resource: LambdaResource, function: str, qualifier: str, wanted: Mapping[str, Any] | None) -> None:
    if wanted:
        amount = int(wanted["ProvisionedConcurrentExecutions"])
        resource.call(
            "PutProvisionedConcurrencyConfig",
            FunctionName=function,
            Qualifier=qualifier,
            ProvisionedConcurrentExecutions=amount,
        )


def _shortened(name: str) -> str:
    """A generated name within Lambda's 64 characters, its random suffix kept."""
    return name if len(name) <= _NAME_LIMIT else name[: _NAME_LIMIT - _SUFFIX] + name[-_SUFFIX:]
