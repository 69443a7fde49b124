"""What is sent: the lines of the standard input, and a message in frames."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import AsyncIterator, Iterable, Iterator

# https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
FRAME_BYTES = 32 * 1024
MESSAGE_BYTES = 128 * 1024
_CHUNK_BYTES = 64 * 1024
_CHUNKS = 16  # read ahead


class InputError(ValueError):
    """Text of a message must be UTF-8, and is not."""


def framed(text: str) -> str | list[str]:
    """``text``, as a list of pieces of at most FRAME_BYTES if it is larger; a piece ends between characters."""
    data, start, pieces = text.encode(), 0, list[str]()
    if len(data) <= FRAME_BYTES:
        return text
    while start < len(data):
        pieces.append(data[start : start + FRAME_BYTES].decode(errors="ignore"))
        start += len(pieces[-1].encode())
    return pieces


async def given(texts: Iterable[str]) -> AsyncIterator[str]:
    """``texts`` one by one, to be sent in place of ``lines``."""
    for text in texts:
        yield text


async def lines() -> AsyncIterator[str]:
    """Lines of the standard input as they come, without their ends; empty ones are none. Raises InputError if not UTF-8."""
    rest, number = b"", 0
    async for chunk in _chunks():
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            number += 1
            if text := _text(line, number):
                yield text
    if text := _text(rest, number + 1):
        yield text


def _text(line: bytes, number: int) -> str:
    try:
        return line.decode().rstrip("\r")
    except UnicodeDecodeError as error:
        raise InputError(
            f"Line {number} of the input is no UTF-8: byte {error.start + 1} is 0x{line[error.start]:02x}."
        ) from error


async def _chunks() -> AsyncIterator[bytes]:
    """Read by a thread, which may stay behind in a read that nothing ends; with os.read it holds no lock meanwhile."""
    if sys.stdin is None:  # closed: sandbox ws ... <&-
        return
    loop, descriptor = asyncio.get_running_loop(), sys.stdin.fileno()
    queue, free = asyncio.Queue[bytes](), threading.Semaphore(_CHUNKS)

    def read() -> None:
        with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody waits for the rest
            for chunk in _read(descriptor):
                free.acquire()
                loop.call_soon_threadsafe(queue.put_nowait, chunk)

    threading.Thread(target=read, name="stdin", daemon=True).start()
    while chunk := await queue.get():
        free.release()
        yield chunk


def _read(descriptor: int) -> Iterator[bytes]:
    """Chunks, at last an empty one."""
    chunk = b"-"
    while chunk:
        try:
            chunk = os.read(descriptor, _CHUNK_BYTES)
        except OSError:  # a terminal that has gone
            chunk = b""
        yield chunk
