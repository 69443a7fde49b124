"""Importing moto and closing its gaps. Slow (about half a second): runs in a thread."""

from __future__ import annotations

import asyncio
import functools
import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from moto import backends
from moto.moto_api._internal.models import moto_api_backend
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from durable_sandbox.moto_adapter import (
    alarms,
    cfn_models,
    deliveries,
    dynamodb_streams,
    event_rules,
    identity,
    instances,
    kinesis,
    managed_policies,
    s3_policies,
)
from durable_sandbox.moto_adapter.bridge import Background, Bridge

if TYPE_CHECKING:
    from durable_sandbox.aws.access import Access
    from durable_sandbox.aws.call import Api, Caller
    from durable_sandbox.aws.clock import TimePolicy
    from durable_sandbox.aws.identity import Identities

# What most of our stacks need at once; any other service loads at its first request.
_MODULES = (
    "s3",
    "iam",
    "sts",
    "logs",
    "dynamodb",
    "dynamodbstreams",
    "kinesis",
    "sns",
    "events",
    "cloudwatch",
    "kms",
)


class Dispatcher(DomainDispatcherApplication):
    """moto's dispatcher.

    Gaps closed in 5.2.5: it breaks with an AttributeError on a service that moto lacks; for each request it lists moto's folder and
    tries some hundred patterns, under a lock.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._modules = frozenset(backends.list_of_moto_modules())
        self._found: dict[str, str] = {}

    def get_backend_for_host(self, host: str | None) -> str | None:
        """The backend of ``host``. Raises NotImplementedError naming a service that moto lacks."""
        if host is None or host == "moto_api" or host in self._modules:
            return host
        if host not in self._found:
            self._found[host] = self._matched(host)
        return self._found[host]

    def reset(self) -> None:
        """Empty every backend. A service that loads just now is waited for: it adds to what moto walks through."""
        with self.lock:
            moto_api_backend.reset()

    def _matched(self, host: str) -> str:
        for backend, pattern in self.backend_url_patterns:
            if pattern.match(f"http://{host}"):
                return str(backend)
        raise NotImplementedError(f"the service {host.split('.', 1)[0]!r}")


class Current:
    """The sandbox that moto's patches serve. moto's backends are the process's, so only one can."""

    bridge: Bridge
    identities: Identities
    on_session: ClassVar[Callable[[str, str | None], None] | None] = None

    @classmethod
    def session_issued(cls, caller: Caller, policy: str | None) -> None:
        """STS issued keys."""
        cls.identities.register(caller)
        if cls.on_session is not None:
            cls.on_session(caller.arn, policy)


def load(
    api: Api,
    identities: Identities,
    loop: asyncio.AbstractEventLoop,
    access: Access,
    on_session: Callable[[str, str | None], None] | None = None,
    *,
    time: TimePolicy,
    background: Background,
) -> Dispatcher:
    """Give moto's application, patched so that what it delivers in-process reaches ``api`` in ``loop``.

    ``on_session`` is told of each session that STS issues keys for: its ARN and its session policy; ``background`` runs
    what is delivered later, whose waits ``time`` scales.
    """
    for name in _MODULES:
        importlib.import_module(f"moto.{name}.models")
        importlib.import_module(f"moto.{name}.responses")
    Current.bridge = Bridge(api, loop, identities, access, time, background)
    Current.identities = identities
    Current.on_session = on_session
    cfn_models.models(Current.bridge)
    _patch_once()
    return Dispatcher(_service_app)


def _service_app(service: backends.SERVICE_NAMES) -> Any:
    """Give the application of one of moto's services: called at its first request, under the dispatcher's lock."""
    if service == "cloudformation":
        _patch_stacks()
    return create_backend_app(service)


@functools.cache
def _patch_stacks() -> None:
    # Imports the models of EC2: a second, and 136 of 205 MB.
    from durable_sandbox.moto_adapter import cfn_stacks  # noqa: PLC0415 - a sandbox need not have a stack, or not yet

    cfn_stacks.patch([cfn_models.Function, cfn_models.Version, cfn_models.Alias])


@functools.cache
def _patch_once() -> None:
    instances.patch()
    managed_policies.patch()
    s3_policies.patch()
    identity.patch(lambda: Current.identities, Current.session_issued)
    deliveries.patch(lambda: Current.bridge)
    event_rules.patch(lambda: Current.bridge)
    alarms.patch()
    kinesis.patch()
    dynamodb_streams.patch()
