"""moto in threads behind the event loop: HTTP requests as they come, and calls from inside by operation name."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from durable_sandbox.aws.access import Access, Unrestricted
from durable_sandbox.aws.call import Api, Call, Caller
from durable_sandbox.aws.clock import TimePolicy
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.aws.http import HttpRequest, HttpResponse
from durable_sandbox.aws.identity import Identities
from durable_sandbox.moto_adapter.alarm_store import MotoAlarms
from durable_sandbox.moto_adapter.bridge import Background
from durable_sandbox.moto_adapter.client import InProcessClient
from durable_sandbox.moto_adapter.gateway_account import log_role
from durable_sandbox.moto_adapter.stream_source import StreamSource
from durable_sandbox.moto_adapter.wsgi import environ_of, run_wsgi

if TYPE_CHECKING:
    from durable_sandbox.moto_adapter.load import Dispatcher
    from durable_sandbox.routing import Destination

logger = logging.getLogger(__name__)

_HTTP_THREADS = 16
_INNER_THREADS = 32
_SERVER_ERROR = 500
_ACTION = re.compile(rb"Action=([A-Za-z0-9]+)")
_REQUEST_ID_HEADERS = ("x-amzn-requestid", "x-amz-request-id")


class MotoApp:
    """moto's services. ``start`` imports them in a thread; whatever needs them waits for that, nothing else does."""

    def __init__(self, api: Api, identities: Identities, *, account: str) -> None:
        self._api = api
        self._identities = identities
        self._account = account
        self._http_pool = ThreadPoolExecutor(_HTTP_THREADS, "moto-http")
        # Calls from inside have threads of their own: a CloudFormation request holds an HTTP thread while our
        # Lambda fetches the function's code from S3.
        self._inner_pool = ThreadPoolExecutor(_INNER_THREADS, "moto-call")
        self._client = InProcessClient()
        self._loaded = threading.Event()
        self._app: Dispatcher | None = None
        self._failure: BaseException | None = None
        self._background = Background()
        self.alarms = MotoAlarms(account, self.loaded)
        self.streams = StreamSource(account, self.loaded)
        self.time = TimePolicy()
        """Scales the waits between tries of what moto's services deliver."""
        self.access: Access = Unrestricted()
        self.on_session: Callable[[str, str | None], None] | None = None
        """Told of each session that STS issues keys for: its ARN, and the policy that AssumeRole was given."""
        self.loop: asyncio.AbstractEventLoop | None = None

    def log_role(self, region: str) -> str | None:
        """The role by which API Gateway writes logs in a region; None if nobody has set it."""
        return log_role(self._account, region)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to load moto; ``loop`` is where our own services live."""
        self.loop = loop
        threading.Thread(target=self._load, name="moto-load", daemon=True).start()

    def _load(self) -> None:
        try:
            # moto's own region checks; read when its modules are imported.
            os.environ.setdefault("MOTO_ALLOW_NONEXISTENT_REGION", "true")
            from durable_sandbox.moto_adapter.load import load  # noqa: PLC0415 - heavy: half a second of imports

            assert self.loop is not None  # noqa: S101 - start() has set it
            self._app = load(
                self._api,
                self._identities,
                self.loop,
                self.access,
                self.on_session,
                time=self.time,
                background=self._background,
            )
        except BaseException as error:
            logger.exception("moto could not be loaded")
            self._failure = error
        finally:
            self._loaded.set()

    def application(self) -> Dispatcher:
        """Give moto's WSGI application, once loaded. Blocks: for worker threads only."""
        self._loaded.wait()
        if self._app is None:
            raise RuntimeError("moto could not be loaded") from self._failure
        return self._app

    def loaded(self) -> bool:
        """Whether moto's modules are there. Until then none of its resources exist."""
        return self._loaded.is_set() and self._app is not None

    async def stop(self) -> None:
        """Let running requests end and drop the waiting ones, and what was to be delivered."""
        await self._background.cancel()
        self._http_pool.shutdown(wait=False, cancel_futures=True)
        self._inner_pool.shutdown(wait=False, cancel_futures=True)

    async def reset(self) -> None:
        """Empty every moto backend. What was to be delivered is not."""
        await self._background.cancel()
        await self.in_thread(self._reset)

    def _reset(self) -> None:
        self.application().reset()

    async def in_thread(self, work: Callable[..., Any], *args: Any) -> Any:
        """Run ``work`` in a thread that may touch moto's backends."""
        return await asyncio.get_running_loop().run_in_executor(self._inner_pool, work, *args)

    # --- requests -------------------------------------------------------------------------------------------------

    async def handle_http(self, request: HttpRequest) -> HttpResponse:
        """Give moto's answer to ``request``; 500 with a logged traceback if moto breaks."""
        return await asyncio.get_running_loop().run_in_executor(self._http_pool, self.run, request)

    def run(self, request: HttpRequest) -> HttpResponse:
        """As ``handle_http``, blocking: for worker threads only."""
        request_id = str(uuid4())
        request.headers.setdefault("x-moto-account-id", self._account)
        try:
            environ = environ_of(request, host=request.headers.get("host", "127.0.0.1"))
            response = run_wsgi(self.application(), environ)
            if _is_unrouted(request, response):
                response = unsupported(request, "", request_id)
        except NotImplementedError as error:
            response = unsupported(request, str(error), request_id)
        except Exception:
            logger.exception("moto failed on %s %s (request %s)", request.method, request.raw_path, request_id)
            response = failure(
                request, 500, "InternalFailure", f"The sandbox's log has request {request_id}.", request_id
            )
        if not any(response.header(name) for name in _REQUEST_ID_HEADERS):
            response.headers = [*response.headers, ("x-amzn-RequestId", request_id)]
        return response

    async def call(
        self, caller: Caller, region: str, service: str, operation: str, params: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Run one operation of a moto service. Raises AwsError with moto's code and message."""
        result: Mapping[str, Any] = await self.in_thread(self.call_blocking, caller, region, service, operation, params)
        return result

    def call_blocking(
        self, caller: Caller, region: str, service: str, operation: str, params: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """As ``call``, blocking: for worker threads only."""
        exchange = self._client.prepare(caller.access_key, region, service, operation, params)
        return exchange.parse(self.run(exchange.request))

    async def describe(self, caller: Caller, to: Destination, request: HttpRequest) -> Call | None:
        """The call that a request makes; None if that cannot be told and the root makes it: moto will say what it lacks.

        Raises AwsError if it cannot be told and a role makes it.
        """
        if to.service is None:
            service, known = "", None
        else:
            service = _botocore_name(to.service, request)
            known = await self.in_thread(self._client.describe, service, request)
        if known is not None:
            return Call(service, known[0], known[1], caller, to.region, headers=request.headers)
        if caller.role_arn is None:
            return None
        raise AwsError(
            "AccessDeniedException",
            f"The sandbox cannot tell what {request.method} {request.path} asks of {to.service}, so {caller.arn} may "
            "not ask it; run with --no-iam to skip authorisation.",
            status=403,
        )


_SIGNING_NAMES = {"monitoring": "cloudwatch", "execute-api": "apigatewaymanagementapi", "states": "stepfunctions"}


def _botocore_name(signed: str, request: HttpRequest) -> str:
    """Name in botocore of the service whose name is in the signature."""
    if signed == "dynamodb" and request.headers.get("x-amz-target", "").startswith("DynamoDBStreams_"):
        return "dynamodbstreams"
    return _SIGNING_NAMES.get(signed, signed)


def _is_unrouted(request: HttpRequest, response: HttpResponse) -> bool:
    """Whether moto found no operation: Flask's HTML page, or an empty 404 outside S3 (where HEAD answers so)."""
    if response.status not in (404, 405):
        return False
    if response.body[:15].lower() == b"<!doctype html>":
        return True
    return (
        not response.body
        and request.method != "HEAD"
        and "/s3/aws4_request" not in request.headers.get("authorization", "")
    )


def unsupported(request: HttpRequest, what: str, request_id: str) -> HttpResponse:
    """The error of an operation that moto lacks: explicit, where moto itself would answer HTML or nothing."""
    action = _ACTION.search(request.body[:500]) if request.body.startswith(b"Action=") else None
    asked = request.headers.get("x-amz-target") or (action.group(1).decode() if action else "")
    asked = asked or f"{request.method} {request.path}"
    message = f"The sandbox does not implement {asked}" + (f" ({what})." if what else ".")
    return failure(request, 501, "UnsupportedOperation", message, request_id)


def failure(request: HttpRequest, status: int, code: str, message: str, request_id: str) -> HttpResponse:
    """An error in the form the request's protocol reads: JSON, or XML for query and S3."""
    import json  # noqa: PLC0415 - errors only
    from xml.sax.saxutils import escape  # noqa: PLC0415 - errors only

    content_type = request.headers.get("content-type", "")
    if "json" in content_type or "x-amz-target" in request.headers:
        body = json.dumps({"__type": code, "message": message}).encode()
        headers = [("Content-Type", content_type or "application/json"), ("x-amzn-errortype", code)]
        return HttpResponse(status, headers, body)
    error = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
    if content_type.startswith("application/x-www-form-urlencoded"):
        xml = f"<ErrorResponse><Error><Type>Sender</Type>{error}</Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    else:
        xml = f"<Error>{error}<RequestId>{request_id}</RequestId></Error>"
    return HttpResponse(status, [("Content-Type", "text/xml"), ("x-amzn-errortype", code)], xml.encode())
