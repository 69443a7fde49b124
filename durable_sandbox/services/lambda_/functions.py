"""Operations on functions: create, read, update, delete, concurrency, tags."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from durable_sandbox.aws.arns import function_arn
from durable_sandbox.aws.call import Call
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.services.lambda_.context import LambdaContext
from durable_sandbox.services.lambda_.errors import invalid
from durable_sandbox.services.lambda_.model import LATEST, Code, Function, Version
from durable_sandbox.services.lambda_.settings import apply_settings, durable_config, refuse_unsupported

MAX_NAME = 64
ACCOUNT_CONCURRENCY = 1000
MIN_UNRESERVED = 100
"""https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html: 1,000 by default, 100 kept unreserved."""


class FunctionOperations(LambdaContext):
    """The function itself."""

    async def create_function(self, call: Call) -> Mapping[str, Any]:
        """CreateFunction."""
        params = call.params
        refuse_unsupported(params)
        reference = self.reference(call)
        if len(reference.name) > MAX_NAME:
            raise AwsError(
                "ValidationException", f"FunctionName {reference.name!r} is longer than {MAX_NAME} characters."
            )
        for member in ("Runtime", "Handler"):
            if not params.get(member):
                raise invalid(f"{member} is required for a zip package.")
        self._check_role(params["Role"], function_arn(reference.region, self.account, reference.name))
        version = Version(
            function_name=reference.name,
            region=reference.region,
            account=self.account,
            version=LATEST,
            code=await self._code(call, params["Code"]),
            role=params["Role"],
            handler=params["Handler"],
            runtime=params["Runtime"],
        )
        apply_settings(version, params)
        version.durable = durable_config(params.get("DurableConfig"), None)
        version.touch()
        function = Function(
            reference.name, reference.region, self.account, version, tags=dict(params.get("Tags") or {})
        )
        self.functions.add(function)
        if params.get("Publish"):
            return self.publish(function, None).to_api(qualified=True)
        return version.to_api(qualified=False)

    def get_function(self, call: Call) -> Mapping[str, Any]:
        """GetFunction, without a location to download the code from."""
        reference = self.reference(call)
        function, version = self.functions.version(reference)
        shown: dict[str, Any] = {
            "Configuration": version.to_api(qualified=reference.qualifier is not None),
            "Code": {"RepositoryType": "S3"},
        }
        if function.tags:
            shown["Tags"] = dict(function.tags)
        if function.reserved_concurrency is not None:
            shown["Concurrency"] = {"ReservedConcurrentExecutions": function.reserved_concurrency}
        return shown

    def get_function_configuration(self, call: Call) -> Mapping[str, Any]:
        """GetFunctionConfiguration."""
        reference = self.reference(call)
        return self.functions.version(reference)[1].to_api(qualified=reference.qualifier is not None)

    def list_functions(self, call: Call) -> Mapping[str, Any]:
        """ListFunctions, all in one page."""
        mine = [f for f in self.functions if f.region == call.region]
        if call.params.get("FunctionVersion") == "ALL":
            return {"Functions": [v.to_api(qualified=True) for f in mine for v in f.all_versions()]}
        return {"Functions": [f.latest.to_api(qualified=False) for f in mine]}

    async def update_function_code(self, call: Call) -> Mapping[str, Any]:
        """UpdateFunctionCode."""
        refuse_unsupported({"Code": call.params})
        function = self.functions.get(self.reference(call))
        self._check_revision(function.latest, call)
        code = await self._code(call, call.params)
        if call.params.get("DryRun"):
            return function.latest.to_api(qualified=False)
        function.latest.code = code
        if call.params.get("Architectures"):
            function.latest.settings["Architectures"] = call.params["Architectures"]
        self._changed(function)
        if call.params.get("Publish"):
            return self.publish(function, None).to_api(qualified=True)
        return function.latest.to_api(qualified=False)

    def update_function_configuration(self, call: Call) -> Mapping[str, Any]:
        """UpdateFunctionConfiguration."""
        refuse_unsupported(call.params)
        function = self.functions.get(self.reference(call))
        self._check_revision(function.latest, call)
        if call.params.get("Role"):
            self._check_role(call.params["Role"], function.arn())
        given = call.params.get("DurableConfig")
        if given and function.latest.durable is None:
            raise AwsError(
                "InvalidParameterValueException",
                "You cannot add a durable configuration to a function that was originally created with no durable "
                "configuration",
                Type="User",
            )
        # On a copy: a refused member must not leave the others applied.
        changed = replace(function.latest, settings=dict(function.latest.settings))
        apply_settings(changed, call.params)
        changed.durable = durable_config(given, changed.durable)
        function.latest = changed
        self._changed(function)
        return function.latest.to_api(qualified=False)

    def delete_function(self, call: Call) -> None:
        """DeleteFunction. Running executions are stopped first; AWS drains them."""
        reference = self.reference(call)
        function = self.functions.get(reference)
        if reference.qualifier is not None:
            self._delete_version(function, reference.qualifier)
            return
        self.engine.stop_function(function.region, function.name)
        self.functions.remove(function)
        self.engine.forget_function(function.region, function.name)
        self.runtime.retire(function.region, function.name)

    # --- concurrency and tags -----------------------------------------------------------------------------------

    def put_function_concurrency(self, call: Call) -> Mapping[str, Any]:
        """PutFunctionConcurrency."""
        function = self.functions.get(self.reference(call))
        wanted = call.params["ReservedConcurrentExecutions"]
        others = sum(
            f.reserved_concurrency or 0 for f in self.functions if f.region == call.region and f is not function
        )
        if ACCOUNT_CONCURRENCY - others - wanted < MIN_UNRESERVED:
            raise AwsError(
                "InvalidParameterValueException",
                "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
                f"below its minimum value of [{MIN_UNRESERVED}].",
                Type="User",
            )
        function.reserved_concurrency = wanted
        return {"ReservedConcurrentExecutions": function.reserved_concurrency}

    def get_function_concurrency(self, call: Call) -> Mapping[str, Any]:
        """GetFunctionConcurrency."""
        reserved = self.functions.get(self.reference(call)).reserved_concurrency
        return {} if reserved is None else {"ReservedConcurrentExecutions": reserved}

    def delete_function_concurrency(self, call: Call) -> None:
        """DeleteFunctionConcurrency."""
        self.functions.get(self.reference(call)).reserved_concurrency = None

    def tag_resource(self, call: Call) -> None:
        """TagResource."""
        self.functions.get(self.reference(call, "Resource")).tags.update(call.params["Tags"])

    def untag_resource(self, call: Call) -> None:
        """UntagResource."""
        tags = self.functions.get(self.reference(call, "Resource")).tags
        for key in call.params["TagKeys"]:
            tags.pop(key, None)

    def list_tags(self, call: Call) -> Mapping[str, Any]:
        """ListTags."""
        return {"Tags": dict(self.functions.get(self.reference(call, "Resource")).tags)}

    # --- what Terraform reads and a sandbox answers with Lambda's defaults --------------------------------------

    def get_function_code_signing_config(self, call: Call) -> Mapping[str, Any]:
        """GetFunctionCodeSigningConfig: none is ever set."""
        return {"CodeSigningConfigArn": "", "FunctionName": self.functions.get(self.reference(call)).name}

    def get_function_recursion_config(self, call: Call) -> Mapping[str, Any]:
        """GetFunctionRecursionConfig: Lambda's default."""
        self.functions.get(self.reference(call))
        return {"RecursiveLoop": "Terminate"}

    def get_runtime_management_config(self, call: Call) -> Mapping[str, Any]:
        """GetRuntimeManagementConfig: Lambda's default."""
        function = self.functions.get(self.reference(call))
        return {"UpdateRuntimeOn": "Auto", "FunctionArn": function.arn()}

    # --- inside -------------------------------------------------------------------------------------------------

    def _check_role(self, role: str, function: str) -> None:
        """Raises AwsError unless the role's trust policy lets Lambda assume it."""
        trusted = self.access.assumable(role, "lambda.amazonaws.com", source_arn=function, source_account=self.account)
        if not trusted:
            raise AwsError(
                "InvalidParameterValueException",
                "The role defined for the function cannot be assumed by Lambda.",
                Type="User",
            )

    async def _code(self, call: Call, given: Mapping[str, Any]) -> Code:
        if given.get("ZipFile"):
            archive = bytes(given["ZipFile"])
        elif given.get("S3Bucket") and given.get("S3Key"):
            wanted = {"Bucket": given["S3Bucket"], "Key": given["S3Key"]}
            if given.get("S3ObjectVersion"):
                wanted["VersionId"] = given["S3ObjectVersion"]
            try:
                found = await self.api.call(call.caller, call.region, "s3", "GetObject", wanted)
            except AwsError as error:
                raise AwsError(
                    "InvalidParameterValueException",
                    f"Error occurred while GetObject. S3 Error Code: {error.code}. S3 Error Message: {error.message}",
                    Type="User",
                ) from error
            archive = found["Body"]
        else:
            raise invalid("Please provide a source for function code.")
        directory = await asyncio.get_running_loop().run_in_executor(None, self.runtime.unpack, archive)
        return Code.from_archive(archive, directory)

    def _changed(self, function: Function) -> None:
        function.latest.touch()
        self.runtime.retire(function.region, function.name, LATEST, keep=function.latest.revision_id)

    def _delete_version(self, function: Function, qualifier: str) -> None:
        if qualifier == LATEST or qualifier in function.aliases:
            raise AwsError(
                "InvalidParameterValueException",
                f"{qualifier} cannot be deleted without deleting the function.",
                Type="User",
            )
        users = [alias.name for alias in function.aliases.values() if qualifier in (alias.version, *alias.routing)]
        if users:
            raise AwsError(
                "ResourceConflictException",
                f"Function version {qualifier} is referenced by alias {', '.join(users)}.",
                status=409,
                Type="User",
            )
        if function.versions.pop(qualifier, None) is None:
            raise AwsError("ResourceNotFoundException", f"Function not found: {function.arn(qualifier)}", status=404)
        self.runtime.retire(function.region, function.name, qualifier)

    @staticmethod
    def _check_revision(version: Version, call: Call) -> None:
        wanted = call.params.get("RevisionId")
        if wanted and wanted != version.revision_id:
            raise AwsError(
                "PreconditionFailedException",
                "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to "
                "retrieve the latest Revision Id",
                status=412,
                Type="User",
            )
