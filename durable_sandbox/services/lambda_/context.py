"""What every group of Lambda operations works on."""

from __future__ import annotations

from durable_sandbox.aws.access import Access
from durable_sandbox.aws.call import Api, Call
from durable_sandbox.aws.clock import TimePolicy
from durable_sandbox.aws.identity import Identities
from durable_sandbox.durable.engine import DurableEngine
from durable_sandbox.runtime.manager import Runtime
from durable_sandbox.services.lambda_.model import Function, Version
from durable_sandbox.services.lambda_.naming import FunctionReference
from durable_sandbox.services.lambda_.store import FunctionStore


class LambdaContext:
    """State and collaborators; set by LambdaService."""

    api: Api
    access: Access
    account: str
    engine: DurableEngine
    functions: FunctionStore
    identities: Identities
    runtime: Runtime
    time: TimePolicy

    def reference(self, call: Call, member: str = "FunctionName") -> FunctionReference:
        """The function that a call names."""
        return FunctionReference.parse(call.params[member], call.region, call.params.get("Qualifier"))

    def publish(self, function: Function, description: str | None) -> Version:
        """Publish ``$LATEST``, unless the last version is the same (PublishVersion's documented behaviour)."""
        last = function.versions.get(str(function.next_version - 1))
        if last is not None and function.latest.same_content(last):
            return last
        version = function.latest.published(function.next_version, description)
        function.versions[version.version] = version
        function.next_version += 1
        return version
