"""A sandbox on a free port inside the test process, with Lambda replaced by a recorder where asked."""

from __future__ import annotations

import asyncio
import socket
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
import uvicorn
from botocore.config import Config

from durable_sandbox.aws.call import Call, Service
from durable_sandbox.aws.errors import AwsError
from durable_sandbox.server import Authoriser, Sandbox, SandboxConfig
from durable_sandbox.serving import server_config
from durable_sandbox.wiring import Parts, ServiceBuilder, build_sqs


@dataclass
class Running:
    """A running sandbox."""

    sandbox: Sandbox
    url: str
    loop: asyncio.AbstractEventLoop
    _clients: dict[tuple[object, ...], Any] = field(default_factory=dict)

    def client(self, service: str, *, key: str = "sandbox", region: str = "us-east-1", **options: Any) -> Any:
        """A client of this sandbox, with ``options`` of botocore's Config: the same for the same arguments."""
        wanted = (service, key, region, *sorted(options.items()))
        if wanted not in self._clients:
            session = boto3.Session(aws_access_key_id=key, aws_secret_access_key="sandbox", region_name=region)
            config = Config(retries={"total_max_attempts": 1}, **options)
            self._clients[wanted] = session.client(service, endpoint_url=self.url, config=config)
        return self._clients[wanted]


@contextmanager
def running(*services: ServiceBuilder, authoriser: Authoriser | None = None, iam: bool = False) -> Iterator[Running]:
    """Serve a sandbox on a port that the system chose; without IAM unless asked."""
    # With its protocol said, asyncio sets TCP_NODELAY on what it accepts: without, each call takes 40 ms.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    sandbox = Sandbox(SandboxConfig(port=port, iam=iam), services=services or (build_sqs,), authoriser=authoriser)
    server = uvicorn.Server(server_config(sandbox))
    loop = asyncio.new_event_loop()
    listening.listen()

    thread = threading.Thread(target=lambda: loop.run_until_complete(server.serve(sockets=[listening])), daemon=True)
    thread.start()
    # The socket listens already, so the first request waits until the sandbox has started.
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/_sandbox/health", timeout=20) as answer:
        assert answer.status == 200
    try:
        yield Running(sandbox, f"http://127.0.0.1:{port}", loop)
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive(), "the sandbox did not stop"
        loop.close()


class RecordingLambda(Service):
    """Lambda as far as CloudFormation and deliveries use it: functions by name, and every call it got."""

    name = "lambda"

    def __init__(self) -> None:
        self.calls: list[tuple[str, Mapping[str, Any]]] = []
        self.functions: dict[str, dict[str, Any]] = {}
        self.versions: dict[str, list[str]] = {}
        self.aliases: dict[str, dict[str, Any]] = {}
        self.refuse: dict[str, AwsError] = {}

    async def handle(self, call: Call) -> Mapping[str, Any]:
        self.calls.append((call.operation, call.params))
        if call.operation in self.refuse:
            raise self.refuse[call.operation]
        return await super().handle(call)

    def made(self, operation: str) -> list[Mapping[str, Any]]:
        """Inputs of the calls to one operation."""
        return [params for name, params in self.calls if name == operation]

    def _function(self, call: Call) -> dict[str, Any]:
        name = call.params["FunctionName"].split(":function:")[-1].split(":")[0]
        if name not in self.functions:
            raise AwsError("ResourceNotFoundException", f"Function not found: {name}", status=404)
        return self.functions[name]

    def create_function(self, call: Call) -> dict[str, Any]:
        name = call.params["FunctionName"]
        arn = f"arn:aws:lambda:{call.region}:123456789012:function:{name}"
        self.functions[name] = {**call.params, "FunctionArn": arn, "State": "Active"}
        self.versions[name] = []
        return {"FunctionArn": arn}

    def get_function_configuration(self, call: Call) -> dict[str, Any]:
        function = self._function(call)
        return {key: function[key] for key in ("FunctionName", "FunctionArn", "State", "Timeout") if key in function}

    def update_function_code(self, call: Call) -> None:
        self._function(call)["Code"] = {key: value for key, value in call.params.items() if key != "FunctionName"}

    def update_function_configuration(self, call: Call) -> None:
        self._function(call).update(call.params)

    def delete_function(self, call: Call) -> None:
        name = self._function(call)["FunctionName"]
        if "Qualifier" in call.params:
            self.versions[name].remove(call.params["Qualifier"])
        else:
            del self.functions[name], self.versions[name]

    def list_versions_by_function(self, call: Call) -> dict[str, Any]:
        name = self._function(call)["FunctionName"]
        return {"Versions": [{"Version": version} for version in ["$LATEST", *self.versions[name]]]}

    def publish_version(self, call: Call) -> dict[str, Any]:
        function = self._function(call)
        published = self.versions[function["FunctionName"]]
        published.append(str(len(published) + 1))
        return {"Version": published[-1], "FunctionArn": f"{function['FunctionArn']}:{published[-1]}"}

    def create_alias(self, call: Call) -> dict[str, Any]:
        self.aliases[self._alias(call)] = dict(call.params)
        return {"AliasArn": f"{self._function(call)['FunctionArn']}:{call.params['Name']}"}

    def update_alias(self, call: Call) -> dict[str, Any]:
        self.aliases[self._alias(call)] = dict(call.params)
        return {"AliasArn": f"{self._function(call)['FunctionArn']}:{call.params['Name']}"}

    def delete_alias(self, call: Call) -> None:
        del self.aliases[self._alias(call)]

    def _alias(self, call: Call) -> str:
        return f"{self._function(call)['FunctionName']}:{call.params['Name']}"

    def invoke(self, call: Call) -> dict[str, Any]:
        self._function(call)
        return {"StatusCode": 202, "Payload": b""}

    def put_function_concurrency(self, call: Call) -> dict[str, Any]:
        self._function(call)["Reserved"] = call.params["ReservedConcurrentExecutions"]
        return {"ReservedConcurrentExecutions": call.params["ReservedConcurrentExecutions"]}

    def tag_resource(self, call: Call) -> None:
        self._retag(call, {**self._tags(call), **call.params["Tags"]})

    def untag_resource(self, call: Call) -> None:
        self._retag(call, {k: v for k, v in self._tags(call).items() if k not in call.params["TagKeys"]})

    def _tags(self, call: Call) -> dict[str, str]:
        return dict(self.functions[call.params["Resource"].split(":")[-1]].get("Tags", {}))

    def _retag(self, call: Call, tags: dict[str, str]) -> None:
        self.functions[call.params["Resource"].split(":")[-1]]["Tags"] = tags


def recorder() -> tuple[RecordingLambda, ServiceBuilder]:
    """A recording Lambda and its builder."""
    service = RecordingLambda()

    def build(_: Parts) -> Service:
        return service

    return service, build
