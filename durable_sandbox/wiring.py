"""Which services are ours and how they are built. The one place to plug a service into the sandbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from durable_sandbox.aws.access import Access
from durable_sandbox.aws.call import Api, Service
from durable_sandbox.aws.clock import TimePolicy
from durable_sandbox.aws.identity import Identities

if TYPE_CHECKING:
    from durable_sandbox.events.websocket.ports import AwsHttp
    from durable_sandbox.metrics.collector import Source
    from durable_sandbox.metrics.evaluator import AlarmStore
    from durable_sandbox.metrics.monitor import Monitor
    from durable_sandbox.moto_adapter.logs import LogWriter


@dataclass(frozen=True)
class Parts:
    """What a service may be built from. ``base_url`` is the endpoint clients use, ``http://127.0.0.1:4566``.

    ``built``: the services so far, by name. ``http``: AWS in its wire protocols. ``log_role``: the role by which API Gateway logs in a region, None if unset.
    """

    api: Api
    identities: Identities
    access: Access
    account: str
    time: TimePolicy
    logs: LogWriter
    base_url: str
    built: Mapping[str, Service]
    http: AwsHttp
    log_role: Callable[[str], str | None]


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
        log=parts.logs,
    )


def build_apigateway(parts: Parts) -> Service:
    """API Gateway, as far as APIs of version 2 go."""
    from durable_sandbox.services.apigatewayv2.service import ApiGatewayService  # noqa: PLC0415 - as above

    return ApiGatewayService(account=parts.account, base_url=parts.base_url, account_role=parts.log_role)


def build_connections(parts: Parts) -> Service:
    """The connections of WebSocket APIs, which the service before knows."""
    from durable_sandbox.events.websocket.ports import Gateway  # noqa: PLC0415 - as above
    from durable_sandbox.iam.authorizer_policies import AuthorizerPolicies  # noqa: PLC0415 - as above
    from durable_sandbox.services.apigatewayv2.service import ApiGatewayService  # noqa: PLC0415 - as above
    from durable_sandbox.services.connections.service import ConnectionsService  # noqa: PLC0415 - as above

    apis = parts.built[ApiGatewayService.name]
    assert isinstance(apis, ApiGatewayService)  # noqa: S101 - built before, see SERVICES
    service = ConnectionsService(
        Gateway(
            account=parts.account,
            api=parts.api,
            http=parts.http,
            identities=parts.identities,
            access=parts.access,
            policies=AuthorizerPolicies(parts.account),
            apis=apis,
            time=parts.time,
            logs=parts.logs,
        )
    )
    apis.on_deleted = service.deleted
    return service


def build_monitor(parts: Parts, services: Mapping[str, Any], store: AlarmStore, *more: Source) -> Monitor:
    """Metrics of the services that are ours and of ``more``, and CloudWatch's alarms."""
    from durable_sandbox.metrics.actions import Actions  # noqa: PLC0415 - as above
    from durable_sandbox.metrics.collector import Collector  # noqa: PLC0415 - as above
    from durable_sandbox.metrics.evaluator import Evaluator  # noqa: PLC0415 - as above
    from durable_sandbox.metrics.functions import FunctionSource  # noqa: PLC0415 - as above
    from durable_sandbox.metrics.monitor import Monitor, window  # noqa: PLC0415 - as above
    from durable_sandbox.metrics.pipes import PipeSource  # noqa: PLC0415 - as above
    from durable_sandbox.metrics.queues import QueueSource  # noqa: PLC0415 - as above
    from durable_sandbox.metrics.websockets import WebSocketSource  # noqa: PLC0415 - as above

    sources: list[Source] = [*more]
    # A test may put something else in a service's place, which counts nothing.
    if hasattr(services.get("sqs"), "read_queues"):
        sources.append(QueueSource(services["sqs"]))
    if hasattr(services.get("lambda"), "read_functions"):
        sources.append(FunctionSource(services["lambda"]))
    if hasattr(services.get("pipes"), "pipes"):
        sources.append(PipeSource(services["pipes"], parts.account))
    if hasattr(services.get("apigatewaymanagementapi"), "counts"):
        sources.append(WebSocketSource(services["apigatewaymanagementapi"]))
    actions = Actions(parts.api, parts.identities)
    evaluator = Evaluator(store, actions, lambda period: window(period, parts.time))
    return Monitor(Collector(parts.api, parts.identities, sources, evaluator.watched), evaluator)


SERVICES: tuple[ServiceBuilder, ...] = (build_sqs, build_lambda, build_pipes, build_apigateway, build_connections)
