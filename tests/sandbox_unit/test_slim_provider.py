"""What the proxy leaves out of a provider's schema, and what goes through it untouched."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
import slim_provider


def _number(value: int) -> bytes:
    low, rest = value & 127, value >> 7
    return bytes([low | 128]) + _number(rest) if rest else bytes([low])


def _field(number: int, value: bytes) -> bytes:
    return _number(number << 3 | 2) + _number(len(value)) + value


def _entry(number: int, name: str) -> bytes:
    """One of a map's, with a value longer than 127 bytes."""
    return _field(number, _field(1, name.encode()) + _field(2, b"\xff" * 300))


ANY_SIZE = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
CONFIGURATION = _field(1, b"region")
CAPABILITIES = _number(6 << 3) + _number(300)
SCHEMA = b"".join(
    [
        CONFIGURATION,
        _entry(2, "aws_sqs_queue"),
        _entry(2, "aws_instance"),
        _entry(3, "aws_sqs_queue"),
        _entry(3, "aws_ami"),
        CAPABILITIES,
        _entry(7, "aws_ami"),
    ]
)
SLIM = b"".join(
    [CONFIGURATION, _entry(2, "aws_sqs_queue"), _entry(3, "aws_sqs_queue"), CAPABILITIES, _entry(7, "aws_ami")]
)


def test_other_types_are_left_out_and_all_else_stays() -> None:
    """Functions (field 7) too, whatever they are called."""
    assert slim_provider.slimmed(SCHEMA, {"aws_sqs_queue"}) == SLIM


def test_an_encoding_that_is_not_known_is_an_error() -> None:
    with pytest.raises(ValueError, match="field 9 of the schema has the wire type 5"):
        slim_provider.slimmed(_number(9 << 3 | 5) + b"\0\0\0\0", {"aws_sqs_queue"})


def test_the_types_are_those_of_modules_scenarios_examples_and_documents() -> None:
    types = slim_provider.types_used()
    assert {"aws_sqs_queue", "aws_lambda_function", "aws_kms_key", "aws_sns_topic"} <= types
    assert "aws_instance" not in types


class Provider(grpc.GenericRpcHandler):
    """Gives SCHEMA; echoes every other request, but for Stop, which it refuses."""

    def service(self, details: Any) -> Any:
        async def answer(request: bytes, context: Any) -> bytes:
            if details.method.endswith("/Stop"):
                await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "not now")
            return SCHEMA if details.method.endswith("/GetSchema") else request

        return grpc.unary_unary_rpc_method_handler(answer)


@asynccontextmanager
async def _proxied(directory: Path) -> AsyncIterator[Any]:
    """A channel to a proxy of Provider."""
    server, path = grpc.aio.server(options=ANY_SIZE), directory / "provider"
    server.add_generic_rpc_handlers((Provider(),))
    server.add_insecure_port(f"unix:{path}")
    await server.start()
    attached = json.dumps({"aws": {"Pid": 1, "Addr": {"Network": "unix", "String": str(path)}}})
    arguments = [slim_provider.__file__, attached, str(directory / "proxy"), "aws_sqs_queue"]
    proxy = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=asyncio.subprocess.PIPE)
    try:
        assert proxy.stdout is not None
        told = json.loads(await proxy.stdout.readline())["aws"]
        assert told["Pid"] == proxy.pid
        async with grpc.aio.insecure_channel(f"unix:{told['Addr']['String']}", options=ANY_SIZE) as channel:
            yield channel
    finally:
        proxy.terminate()
        await proxy.wait()
        await server.stop(None)


def test_calls_go_through(tmp_path: Path) -> None:
    async def talk() -> None:
        async with _proxied(tmp_path) as channel:
            schema = channel.unary_unary("/tfplugin5.Provider/GetSchema")
            assert [await schema(b""), await schema(b"")] == [SLIM, SLIM]
            big = b"x" * (5 << 20)
            assert await channel.unary_unary("/tfplugin5.Provider/PlanResourceChange")(big) == big

    asyncio.run(talk())


@pytest.mark.parametrize(
    ("method", "code", "details"),
    [
        ("/tfplugin5.Provider/Stop", grpc.StatusCode.RESOURCE_EXHAUSTED, "not now"),
        ("/plugin.GRPCStdio/StreamStdio", grpc.StatusCode.UNIMPLEMENTED, "Method not found!"),
    ],
)
def test_errors_go_through_and_other_services_are_not_there(
    tmp_path: Path, method: str, code: grpc.StatusCode, details: str
) -> None:
    async def talk() -> None:
        async with _proxied(tmp_path) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await channel.unary_unary(method)(b"")
            assert (refused.value.code(), refused.value.details()) == (code, details)

    asyncio.run(talk())
