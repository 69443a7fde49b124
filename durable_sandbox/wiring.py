"""Which services are ours and how they are built. The one place to plug a service into the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from durable_sandbox.aws.access import Access
from durable_sandbox.aws.call import Api, Service
from durable_sandbox.aws.clock import TimePolicy
from durable_sandbox.aws.identity import Identities

if TYPE_CHECKING:
    from durable_sandbox.moto_adapter.logs import LogWriter


@dataclass(frozen=True)
class Parts:
    """What a service may be built from. ``base_url`` is the endpoint clients use, ``http://127.0.0.1:4566``."""

    api: Api
    identities: Identities
    access: Access
    account: str
    time: TimePolicy
    logs: LogWriter
    base_url: str


ServiceBuilder = Callable[[Parts], Service]


def build_sqs(parts: Parts) -> Service:
    """SQS."""
    from durable_sandbox.services.sqs.service import SqsService  # noqa: PLC0415 - services load when they are built

    return SqsService(base_url=parts.base_url, account=parts.account)


def build_lambda(parts: Parts) -> Service:
    """Lambda, with its runtime and the durable engine."""
    from durable_sandbox.runtime.manager import Runtime  # noqa: PLC0415 - as above
    from durable_sandbox.services.lambda_.service import LambdaService  # noqa: PLC0415 - as above

    runtime = Runtime(parts.base_url, parts.identities, parts.logs)
    return LambdaService(
        api=parts.api,
        identities=parts.identities,
        access=parts.access,
        account=parts.account,
        time=parts.time,
        runtime=runtime,
    )


def build_pipes(parts: Parts) -> Service:
    """EventBridge Pipes."""
    from durable_sandbox.services.pipes.service import PipesService  # noqa: PLC0415 - as above

    return PipesService(
        api=parts.api,
        identities=parts.identities,
        access=parts.access,
        account=parts.account,
        time=parts.time,
        log=None,
    )


SERVICES: tuple[ServiceBuilder, ...] = (build_sqs, build_lambda, build_pipes)
