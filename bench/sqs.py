"""Speed of the sandbox's SQS, in one run: over HTTP with boto3 clients, and in process without HTTP.

    python bench/sqs.py [--depth 10000] [--clients 2] [--seconds 1] [--no-http]

Bar (at the given depth, on 2 cores): 1,000 sends/s, 2,000 received and deleted messages/s in batches of ten, and a call at
depth 10,000 no slower than 1.5 times one at depth 100. The exit status is 1 if a figure misses it.
Only one sandbox of its own is used, on a free port; it ends with this process.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
import psutil
from botocore.config import Config

from durable_sandbox.aws.call import Call, Caller
from durable_sandbox.services.sqs.service import SqsService

REGION = "us-east-1"
ACCOUNT = "123456789012"
SHALLOW = 100
BODY = '{"data_source":"test.csv","processing_type":"standard","padding":"' + "x" * 180 + '"}'
BAR_SENDS, BAR_MESSAGES, BAR_RATIO = 1_000.0, 2_000.0, 1.5
START_SECONDS = 20.0
WINDOWS = 3


@dataclass(frozen=True)
class Row:
    """One line of the table. ``bar`` is a minimum, or with ``at_most`` a maximum."""

    name: str
    value: float
    unit: str
    bar: float | None = None
    at_most: bool = False

    @property
    def met(self) -> bool:
        """Whether the bar, if any, is met."""
        if self.bar is None:
            return True
        return self.value <= self.bar if self.at_most else self.value >= self.bar

    def __str__(self) -> str:
        bar = (
            ""
            if self.bar is None
            else f"{'<=' if self.at_most else '>='} {self.bar:,g} {'ok' if self.met else 'MISSED'}"
        )
        return f"{self.name:<58}{self.value:>12,.2f} {self.unit:<12}{bar}"


def entries(number: int = 10) -> list[dict[str, str]]:
    """Entries of a SendMessageBatch."""
    return [{"Id": str(n), "MessageBody": BODY} for n in range(number)]


def receipts(messages: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Entries of a DeleteMessageBatch."""
    return [{"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]} for n, message in enumerate(messages)]


class Subject:
    """A queue under measurement, reached through ``call(operation, params)``."""

    def __init__(self, call: Callable[[str, Mapping[str, Any]], Mapping[str, Any]], name: str, depth: int) -> None:
        self.call = call
        self.url = str(call("CreateQueue", {"QueueName": name})["QueueUrl"])
        for _ in range(depth // 10):
            call("SendMessageBatch", {"QueueUrl": self.url, "Entries": entries()})

    def round(self) -> dict[str, float]:
        """Seconds of one call each; the depth is the same afterwards."""
        took: dict[str, float] = {}

        def timed(name: str, operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
            start = time.perf_counter()
            result = self.call(operation, {"QueueUrl": self.url, **params})
            took[name] = time.perf_counter() - start
            return result

        timed("send", "SendMessage", {"MessageBody": BODY})
        timed("send 10", "SendMessageBatch", {"Entries": entries()})
        one = timed("receive 1", "ReceiveMessage", {"MaxNumberOfMessages": 1})["Messages"]
        timed("delete 1", "DeleteMessage", {"ReceiptHandle": one[0]["ReceiptHandle"]})
        ten = timed("receive 10", "ReceiveMessage", {"MaxNumberOfMessages": 10})["Messages"]
        timed("delete 10", "DeleteMessageBatch", {"Entries": receipts(ten)})
        return took


def per_call(
    call: Callable[[str, Mapping[str, Any]], Mapping[str, Any]], label: str, depth: int, rounds: int, *, barred: bool
) -> list[Row]:
    """Median microseconds a call at both depths; rounds alternate, so that load on the machine hits both alike."""
    subjects = {at: Subject(call, f"{label}-{at}".replace(" ", "-"), at) for at in (SHALLOW, depth)}
    samples: dict[int, list[dict[str, float]]] = {at: [] for at in subjects}
    for _ in range(rounds):
        for at, subject in subjects.items():
            samples[at].append(subject.round())
    rows = []
    for name in samples[depth][0]:
        medians = {at: statistics.median(sample[name] for sample in samples[at]) * 1e6 for at in subjects}
        rows += [Row(f"{label}: {name}, depth {at:,}", medians[at], "us/call") for at in subjects]
        ratio = medians[depth] / medians[SHALLOW]
        rows.append(Row(f"{label}: {name}, ratio", ratio, "x", BAR_RATIO if barred else None, at_most=True))
    return rows


def in_process(depth: int, seconds: float) -> list[Row]:
    """The service without HTTP."""
    service = SqsService(base_url="http://127.0.0.1:1", account=ACCOUNT)
    caller = Caller(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", "bench")
    loop = asyncio.new_event_loop()

    def call(operation: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        return loop.run_until_complete(service.handle(Call("sqs", operation, params, caller, REGION)))

    async def sends(url: str) -> float:
        count, start = 0, time.perf_counter()
        while (elapsed := time.perf_counter() - start) < seconds:
            await service.handle(Call("sqs", "SendMessage", {"QueueUrl": url, "MessageBody": BODY}, caller, REGION))
            count += 1
        return count / elapsed

    async def drains(url: str) -> float:
        count, start = 0, time.perf_counter()
        asked = {"QueueUrl": url, "MaxNumberOfMessages": 10}
        while time.perf_counter() - start < seconds:
            received = await service.handle(Call("sqs", "ReceiveMessage", asked, caller, REGION))
            messages = received.get("Messages", [])
            if not messages:
                break
            deletes = {"QueueUrl": url, "Entries": receipts(messages)}
            await service.handle(Call("sqs", "DeleteMessageBatch", deletes, caller, REGION))
            count += len(messages)
        return count / (time.perf_counter() - start)

    try:
        rows = per_call(call, "in process", depth, 300, barred=True)
        subject = Subject(call, "flow", depth)
        rows.append(
            Row(f"in process: sends from depth {depth:,}", loop.run_until_complete(sends(subject.url)), "calls/s")
        )
        rows.append(
            Row("in process: receive+delete in tens", loop.run_until_complete(drains(subject.url)), "messages/s")
        )
    finally:
        loop.close()
    return rows


def client(port: int) -> Any:
    """A boto3 client of the sandbox at ``port``, as its users have one."""
    return boto3.client(
        "sqs",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name=REGION,
        aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox",  # noqa: S106 - the sandbox accepts any
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=30),
    )


def caller_of(sqs: Any) -> Callable[[str, Mapping[str, Any]], Mapping[str, Any]]:
    """``call(operation, params)`` over a boto3 client."""
    methods = {
        "CreateQueue": sqs.create_queue,
        "SendMessage": sqs.send_message,
        "SendMessageBatch": sqs.send_message_batch,
        "ReceiveMessage": sqs.receive_message,
        "DeleteMessage": sqs.delete_message,
        "DeleteMessageBatch": sqs.delete_message_batch,
    }
    return lambda operation, params: methods[operation](**params)


def work(port: int, url: str, kind: str, seconds: float, together: Any) -> list[tuple[int, float]]:
    """One client process: messages handled and seconds taken in each window."""
    sqs = client(port)
    sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    windows = []
    for _ in range(WINDOWS):
        together.wait()
        count, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            count += once(sqs, url, kind)
        windows.append((count, time.perf_counter() - start))
    return windows


def once(sqs: Any, url: str, kind: str) -> int:
    """One unit of work; returns how many messages it handled."""
    if kind == "send":
        sqs.send_message(QueueUrl=url, MessageBody=BODY)
        return 1
    if kind == "send 10":
        return len(sqs.send_message_batch(QueueUrl=url, Entries=entries())["Successful"])
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    return len(sqs.delete_message_batch(QueueUrl=url, Entries=receipts(messages))["Successful"])


def throughput(server: Server, url: str, kind: str, clients: int, seconds: float) -> tuple[float, float]:
    """Messages a second of ``clients`` processes together, and the server's CPU microseconds a message.

    The rate is the best window's, for other load on the machine only ever lowers it.
    """
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, context.Pool(clients) as pool:
        together = manager.Barrier(clients)
        before = server.cpu_seconds()
        results = pool.starmap(work, [(server.port, url, kind, seconds, together)] * clients)
        spent = server.cpu_seconds() - before
    windows = list(zip(*results, strict=True))
    total = sum(count for window in windows for count, _ in window)
    best = max(sum(count for count, _ in window) / max(took for _, took in window) for window in windows)
    return best, spent / total * 1e6


@dataclass(frozen=True)
class Server:
    """The sandbox under measurement."""

    port: int
    process: psutil.Process

    def cpu_seconds(self) -> float:
        """CPU that it has used so far."""
        times = self.process.cpu_times()
        return float(times.user + times.system)


@contextmanager
def sandbox() -> Iterator[Server]:
    """A sandbox of our own on a free port; yields it when it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "durable_sandbox.cli.serve", "--port", str(port), "--until-stdin-closes"]
    process = subprocess.Popen([*command, "--log-level", "warning"], stdin=subprocess.PIPE)
    try:
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/_sandbox/health", timeout=1):
                    break
            except OSError:
                if process.poll() is not None or time.monotonic() > end:
                    raise
                time.sleep(0.05)
        yield Server(port, psutil.Process(process.pid))
    finally:
        process.terminate()
        process.wait(10)


def over_http(depth: int, clients: int, seconds: float) -> list[Row]:
    """A real sandbox and boto3 clients."""
    with sandbox() as server:
        call = caller_of(client(server.port))
        rows = per_call(call, "HTTP", depth, 200, barred=True)
        url = Subject(call, "flow", depth).url
        kinds = (
            ("send", "sends", BAR_SENDS),
            ("send 10", "sends in tens", None),
            ("drain", "receive+delete in tens", BAR_MESSAGES),
        )
        for kind, name, bar in kinds:
            if kind == "drain":
                # Drained messages are those beyond the depth, of which fast clients need many.
                for _ in range(int(WINDOWS * seconds * 5 * BAR_MESSAGES) // 10):
                    call("SendMessageBatch", {"QueueUrl": url, "Entries": entries()})
            rate, cpu = throughput(server, url, kind, clients, seconds)
            rows.append(Row(f"HTTP: {name}, {clients} boto3 clients", rate, "messages/s", bar))
            rows.append(Row(f"HTTP: {name}, CPU of the server", cpu, "us/message"))
        names = ["ApproximateNumberOfMessages"]
        left = int(client(server.port).get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"][names[0]])
        rows.append(Row("HTTP: depth when draining ended", float(left), "messages", float(depth)))
    return rows


def main() -> int:
    """Measure, print, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--depth", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each of three windows")
    parser.add_argument("--no-http", action="store_true")
    options = parser.parse_args()
    rows = in_process(options.depth, options.seconds)
    if not options.no_http:
        rows += over_http(options.depth, options.clients, options.seconds)
    for row in rows:
        print(row)
    return 0 if all(row.met for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
