"""Operations on versions, aliases and resource policies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

from durable_sandbox.aws.call import Call
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.services.lambda_.context import LambdaContext
from durable_sandbox.services.lambda_.model import LATEST, Alias, Function


class VersionOperations(LambdaContext):
    """What hangs on a function."""

    def publish_version(self, call: Call) -> Mapping[str, Any]:
        """PublishVersion: the last version again when nothing changed since."""
        function = self.functions.get(self.reference(call))
        wanted = call.params.get("CodeSha256")
        if wanted and wanted != function.latest.code.sha256:
            raise AwsError(
                "InvalidParameterValueException",
                f"CodeSHA256 ({wanted}) is different from current CodeSHA256 in $LATEST ({function.latest.code.sha256}).",
                Type="User",
            )
        return self.publish(function, call.params.get("Description")).to_api(qualified=True)

    def list_versions_by_function(self, call: Call) -> Mapping[str, Any]:
        """ListVersionsByFunction, all in one page."""
        function = self.functions.get(self.reference(call))
        return {"Versions": [version.to_api(qualified=True) for version in function.all_versions()]}

    # --- aliases ------------------------------------------------------------------------------------------------

    def create_alias(self, call: Call) -> Mapping[str, Any]:
        """CreateAlias."""
        function = self.functions.get(self.reference(call))
        name = call.params["Name"]
        if name in function.aliases:
            raise AwsError(
                "ResourceConflictException", f"Alias already exists: {function.arn(name)}", status=409, Type="User"
            )
        version = self._known_version(function, call.params["FunctionVersion"])
        alias = Alias(name, version, call.params.get("Description", ""), _routing(call))
        function.aliases[name] = alias
        return alias.to_api(function.arn(name))

    def get_alias(self, call: Call) -> Mapping[str, Any]:
        """GetAlias."""
        function, alias = self._alias(call)
        return alias.to_api(function.arn(alias.name))

    def list_aliases(self, call: Call) -> Mapping[str, Any]:
        """ListAliases, all in one page."""
        function = self.functions.get(self.reference(call))
        wanted = call.params.get("FunctionVersion")
        shown = [alias for alias in function.aliases.values() if wanted in (None, alias.version)]
        return {"Aliases": [alias.to_api(function.arn(alias.name)) for alias in shown]}

    def update_alias(self, call: Call) -> Mapping[str, Any]:
        """UpdateAlias. Running executions stay on the version that started them."""
        function, alias = self._alias(call)
        if "FunctionVersion" in call.params:
            alias.version = self._known_version(function, call.params["FunctionVersion"])
        if "Description" in call.params:
            alias.description = call.params["Description"]
        if "RoutingConfig" in call.params:
            alias.routing = _routing(call)
        alias.revision_id = str(uuid4())
        return alias.to_api(function.arn(alias.name))

    def delete_alias(self, call: Call) -> None:
        """DeleteAlias; deleting none is no error."""
        self.functions.get(self.reference(call)).aliases.pop(call.params["Name"], None)

    # --- resource policies --------------------------------------------------------------------------------------

    def add_permission(self, call: Call) -> Mapping[str, Any]:
        """AddPermission."""
        reference = self.reference(call)
        function = self.functions.get(reference)
        qualifier = reference.qualifier or ""
        if qualifier == LATEST:
            raise AwsError(
                "InvalidParameterValueException",
                "We currently do not support adding policies for $LATEST.",
                Type="User",
            )
        if qualifier:
            self.functions.version(reference)
        policy = function.policies.setdefault(qualifier, {"Version": "2012-10-17", "Id": "default", "Statement": []})
        sid = call.params["StatementId"]
        if any(statement["Sid"] == sid for statement in policy["Statement"]):
            raise AwsError(
                "ResourceConflictException",
                f"The statement id ({sid}) provided already exists. Please provide a new statement id, or remove the "
                "existing statement.",
                status=409,
                Type="User",
            )
        statement = _statement(call, function.arn(qualifier or None))
        policy["Statement"].append(statement)
        return {"Statement": json.dumps(statement)}

    def remove_permission(self, call: Call) -> None:
        """RemovePermission."""
        policy = self._policy(call)
        kept = [s for s in policy["Statement"] if s["Sid"] != call.params["StatementId"]]
        if len(kept) == len(policy["Statement"]):
            raise _no_policy(f"Statement {call.params['StatementId']} is not found in resource policy.")
        policy["Statement"] = kept

    def get_policy(self, call: Call) -> Mapping[str, Any]:
        """GetPolicy."""
        policy = self._policy(call)
        if not policy["Statement"]:
            raise _no_policy("The resource you requested does not exist.")
        return {"Policy": json.dumps(policy), "RevisionId": str(uuid4())}

    # --- inside -------------------------------------------------------------------------------------------------

    def _alias(self, call: Call) -> tuple[Function, Alias]:
        return self.functions.alias(replace(self.reference(call), qualifier=call.params["Name"]))

    @staticmethod
    def _known_version(function: Function, version: str) -> str:
        if version != LATEST and version not in function.versions:
            raise AwsError("ResourceNotFoundException", f"Function not found: {function.arn(version)}", status=404)
        return version

    def _policy(self, call: Call) -> dict[str, Any]:
        reference = self.reference(call)
        policy = self.functions.get(reference).policies.get(reference.qualifier or "")
        if policy is None:
            raise _no_policy("The resource you requested does not exist.")
        return policy


def _routing(call: Call) -> dict[str, float]:
    return dict((call.params.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {})


def _no_policy(message: str) -> AwsError:
    return AwsError("ResourceNotFoundException", message, status=404, Type="User")


def _statement(call: Call, arn: str) -> dict[str, Any]:
    """A policy statement as AddPermission writes it."""
    principal = call.params["Principal"]
    service = principal.endswith(".amazonaws.com")
    conditions: dict[str, dict[str, str]] = {}
    if call.params.get("SourceAccount"):
        conditions.setdefault("StringEquals", {})["AWS:SourceAccount"] = call.params["SourceAccount"]
    if call.params.get("SourceArn"):
        conditions.setdefault("ArnLike", {})["AWS:SourceArn"] = call.params["SourceArn"]
    statement: dict[str, Any] = {
        "Sid": call.params["StatementId"],
        "Effect": "Allow",
        "Principal": {"Service": principal} if service else {"AWS": principal},
        "Action": call.params["Action"],
        "Resource": arn,
    }
    return statement | ({"Condition": conditions} if conditions else {})
