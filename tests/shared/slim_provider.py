"""The AWS provider with the schema of those types alone that this repository uses.

Each run of terraform reads the provider's whole schema: 5 MB of 1,500 types, of which the modules write 40. That is half of the time
of a plan. Here terraform attaches to a proxy, which passes every call to the provider as it is, and its answers back, but
leaves the other types out of the schema. A configuration that uses one of them is told that the provider does not support it.

The call, and the message whose fields are numbered here: GetSchema and GetProviderSchema.Response in
https://github.com/hashicorp/terraform/blob/v1.11.0/docs/plugin-protocol/tfplugin5.8.proto.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

from durable_sandbox.provider_process import REATTACH, attached_provider

_REPO = Path(__file__).parents[2]
_TYPE = re.compile(r"\baws_[a-z0-9_]+")
_PROVIDER = "/tfplugin5.Provider/"
_RESOURCES, _DATA_SOURCES = 2, 3
_KEY = 1
_VARINT, _BYTES = 0, 2
_ANY_SIZE = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


@contextmanager
def slim_provider(env: Mapping[str, str], directory: Path, cwd: Path) -> Iterator[dict[str, str]]:
    """attached_provider, with its arguments, through a proxy. Yields the variable for runs of terraform."""
    with attached_provider(env, directory, cwd) as attached, tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, attached[REATTACH], str(Path(folder) / "socket"), *sorted(types_used())]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as proxy:
            try:
                assert proxy.stdout is not None
                told = proxy.stdout.readline().strip()
                assert told, f"the proxy of the provider ended with {proxy.wait()}"
                yield {REATTACH: told}
            finally:
                proxy.terminate()


def types_used() -> set[str]:
    """Every type of the AWS provider that a file of Terraform or a document names."""
    found: set[str] = set()
    for folder, folders, files in os.walk(_REPO):
        folders[:] = [name for name in folders if not name.startswith(".")]  # .venv has ten thousands of files
        for file in files:
            if file.endswith((".tf", ".hcl", ".md")):
                found |= set(_TYPE.findall(Path(folder, file).read_text(encoding="utf-8")))
    return found


def slimmed(schema: bytes, types: Collection[str]) -> bytes:
    """A GetProviderSchema.Response without the resources and data sources that are not among ``types``."""
    kept = []
    for number, value, raw in _fields(schema):
        if number in {_RESOURCES, _DATA_SOURCES}:
            name = next(key for field, key, _ in _fields(value) if field == _KEY).decode()
            if name not in types:
                continue
        kept.append(raw)
    return b"".join(kept)


def _fields(message: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Number, value and encoding of each field: https://protobuf.dev/programming-guides/encoding/. Of a number the value is empty."""
    at = 0
    while at < len(message):
        begin, value = at, b""
        tag, at = _varint(message, at)
        size, at = _varint(message, at)
        if tag & 7 == _BYTES:
            value, at = message[at : at + size], at + size
        elif tag & 7 != _VARINT:
            raise ValueError(f"field {tag >> 3} of the schema has the wire type {tag & 7}, which this message has not")
        yield tag >> 3, value, message[begin:at]


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at


class _Proxy(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Answers the calls of Terraform core; anything else (streams of the plugin's own) is not implemented, and not missed."""

    def __init__(self, provider: Any, types: Collection[str]) -> None:
        self._provider = provider
        self._types = types
        self._schema: bytes | None = None

    def service(self, details: Any) -> Any:
        """The handler of a call, None for one that is not of the provider."""
        if not details.method.startswith(_PROVIDER):
            return None
        call = self._provider.unary_unary(details.method)
        reading_schema = details.method == f"{_PROVIDER}GetSchema"

        async def answer(request: bytes, context: Any) -> bytes:
            try:
                return await (self._slim_schema(call, request) if reading_schema else call(request))
            except grpc.aio.AioRpcError as error:
                await context.abort(error.code(), error.details() or "")
                raise

        return grpc.unary_unary_rpc_method_handler(answer)

    async def _slim_schema(self, call: Any, request: bytes) -> bytes:
        if self._schema is None:
            self._schema = slimmed(await call(request), self._types)
        return self._schema


async def _serve(attached: str, path: str, types: Collection[str]) -> None:
    told = json.loads(attached)
    (provider,) = told.values()
    # The name of a socket in the file system is none of HTTP's, which the provider would refuse.
    options = [*_ANY_SIZE, ("grpc.default_authority", "localhost")]
    server = grpc.aio.server(options=_ANY_SIZE)
    async with grpc.aio.insecure_channel(f"unix:{provider['Addr']['String']}", options=options) as channel:
        server.add_generic_rpc_handlers((_Proxy(channel, types),))
        server.add_insecure_port(f"unix:{path}")
        await server.start()
        provider["Addr"]["String"], provider["Pid"] = path, os.getpid()
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
        await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], sys.argv[2], frozenset(sys.argv[3:])))
