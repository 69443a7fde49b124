"""The sandbox's own routes, under ``/_sandbox/``: health, status, reset, environments, faults, alarms."""

from __future__ import annotations

import dataclasses
import inspect
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import psutil

from durable_sandbox import __version__
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.aws.http import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from durable_sandbox.server import Sandbox

Handler = Callable[[HttpRequest], Awaitable[Any]]


class Control:
    """One method a route. ``add`` lets a service bring routes of its own."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._routes: dict[tuple[str, str], Handler] = {
            ("GET", "/_sandbox/health"): self._health,
            ("GET", "/_sandbox/status"): self._status,
            ("GET", "/_sandbox/environments"): self._environments,
            ("GET", "/_sandbox/faults"): self._faults,
            ("POST", "/_sandbox/faults"): self._inject_faults,
            ("POST", "/_sandbox/reset"): self._reset,
            ("GET", "/_sandbox/iam"): self._iam,
            ("GET", "/_sandbox/alarms"): self._alarms,
        }

    def add(self, method: str, path: str, handler: Handler) -> None:
        """Serve ``method path`` by ``handler``, whose result is sent as JSON."""
        self._routes[method, path] = handler

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer a request under ``/_sandbox/``: 404 for an unknown path, 405 for another method, 4xx for a wrong body."""
        path = request.raw_path.rstrip("/")
        handler = self._routes.get((request.method, path))
        if handler is not None:
            try:
                return _json(200, await handler(request))
            except AwsError as error:
                return _json(error.status, {"message": error.message})
        known = sorted(method for method, known_path in self._routes if known_path == path)
        if known:
            return _json(405, {"message": f"{path} takes {', '.join(known)}, not {request.method}."})
        paths = sorted({known_path for _, known_path in self._routes})
        return _json(404, {"message": f"No route {path}. There are: {', '.join(paths)}."})

    async def _health(self, _: HttpRequest) -> Mapping[str, Any]:
        config = self._sandbox.config
        return {
            "status": "ok",
            "version": __version__,
            "pid": os.getpid(),
            "instance": self._sandbox.instance,
            "real_time": config.real_time,
            "time_scale": config.time_scale,
            "iam": self._sandbox.iam is not None,
        }

    async def _status(self, request: HttpRequest) -> Mapping[str, Any]:
        # Every section is always there, so that a reader needs no presence checks before the first resource.
        status: dict[str, Any] = {
            **await self._health(request),
            "queues": [],
            "functions": [],
            "pipes": [],
            "mappings": [],
            "executions": {},
            "apis": [],
            "websockets": [],
            "memory": _memory(),
        }
        for service in self._sandbox.services.values():
            queues = getattr(service, "queues", None)
            if service.name == "sqs" and queues is not None:
                status["queues"] = queues()
            section = getattr(service, "status", None)
            if section is not None:
                found = section()
                status.update(await found if inspect.isawaitable(found) else found)
        return status

    async def _environments(self, _: HttpRequest) -> Any:
        service = self._sandbox.services.get("lambda")
        environments = getattr(service, "environments", None)
        return {"environments": environments() if environments is not None else []}

    async def _faults(self, _: HttpRequest) -> Mapping[str, Any]:
        return {"sqs": self._queues_with_faults().faults(self._sandbox.config.region)}

    async def _inject_faults(self, request: HttpRequest) -> Mapping[str, Any]:
        try:
            body = json.loads(request.body)
        except ValueError as error:
            raise AwsError("InvalidParameterValue", f"The body is no JSON: {error}.") from error
        return {"sqs": self._queues_with_faults().inject_faults(self._sandbox.config.region, body)}

    def _queues_with_faults(self) -> Any:
        service = self._sandbox.services.get("sqs")
        if not hasattr(service, "inject_faults"):
            raise AwsError("InvalidAction", "This sandbox has no SQS that faults could be injected into.")
        return service

    async def _iam(self, request: HttpRequest) -> Mapping[str, Any]:
        """Without ``role`` the roles; with it (ARN or name) what it used, what was refused and what it never needed."""
        iam = self._sandbox.iam
        if iam is None:
            return {"enforced": False, "roles": []}
        wanted = parse_qs(request.query_string).get("role")
        if not wanted:
            return {"enforced": True, "roles": iam.roles()}
        return {"enforced": True, "report": iam.report(wanted[0])}

    async def _alarms(self, _: HttpRequest) -> Mapping[str, Any]:
        """Every alarm with its state; ``since`` when it was entered."""
        found = sorted(self._sandbox.moto.alarms.alarms(), key=lambda alarm: (alarm.region, alarm.name))
        return {
            "alarms": [
                {
                    "region": alarm.region,
                    "name": alarm.name,
                    "type": "metric" if alarm.composite is None else "composite",
                    "state": alarm.state,
                    "since": alarm.since,
                    "reason": alarm.reason,
                    "metric": alarm.watches,
                }
                for alarm in found
            ]
        }

    async def _reset(self, _: HttpRequest) -> Mapping[str, Any]:
        await self._sandbox.reset()
        return {"status": "ok"}


def _memory() -> Mapping[str, Any]:
    """Resident bytes of the server and of its children (Lambda environments)."""
    process = psutil.Process()
    children = 0
    for child in process.children(recursive=True):
        try:
            children += child.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return {"server_bytes": process.memory_info().rss, "environment_bytes": children}


def _json(status: int, value: Any) -> HttpResponse:
    body = json.dumps(value, default=_plain, indent=1).encode()
    return HttpResponse(status, [("Content-Type", "application/json")], body)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return value.isoformat() if isinstance(value, datetime) else str(value)
