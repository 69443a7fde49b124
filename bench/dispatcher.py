"""What backlog protection costs the dispatcher on the sandbox, in one run: messages a second, with and without it.

    python bench/dispatcher.py [--messages 2000] [--rounds 3]

A full queue is mapped to the dispatcher, and timed until it is empty: without a backlog queue, with one and fresh messages, and
with one and old messages, which all step aside. Prints the best of the rounds. What the dispatcher starts has one environment, so
that it hardly counts. The sandbox is the bench's own.
"""

from __future__ import annotations

import argparse
import io
import time
import zipfile
from typing import Any
from uuid import uuid4

from pipeline import ACCOUNT, REGION, Usage, open_role, package, sandbox

from durable_sandbox.cli.aws import client

_TARGET = """
from aws_durable_execution_sdk_python import durable_execution


@durable_execution
def handler(event, context):
    return None
"""
_VARIANTS = {"no backlog queue": None, "fresh messages": 86_400, "old messages": 0}
_STATES = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")


def target(port: int, role: str) -> str:
    """A durable function of one environment; returns its alias."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("handler.py", _TARGET)
    functions, name = client(port, "lambda"), f"target-{uuid4().hex[:8]}"
    _create(functions, name, role, buffer.getvalue(), DurableConfig={"ExecutionTimeout": 3600})
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=1)
    arn: str = functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")["AliasArn"]
    return arn


def _create(functions: Any, name: str, role: str, code: bytes, **settings: Any) -> None:
    functions.create_function(
        FunctionName=name,
        Role=role,
        Runtime="python3.13",
        Handler="handler.handler",
        Code={"ZipFile": code},
        Timeout=30,
        MemorySize=256,
        Publish=True,
        LoggingConfig={"LogFormat": "JSON"},
        **settings,
    )


def measure(port: int, pid: int, role: str, messages: int, max_age: int | None) -> tuple[float, float]:
    """Messages a second, and CPU of everything in ms a message."""
    queues, functions = client(port, "sqs"), client(port, "lambda")
    name = f"bench-{uuid4().hex[:8]}"
    url = queues.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "180"})["QueueUrl"]
    environment = {"TARGET_FUNCTION_ARN": target(port, role)}
    if max_age is not None:
        environment |= {
            "BACKLOG_QUEUE_ARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}-backlog",
            "BACKLOG_QUEUE_URL": queues.create_queue(QueueName=f"{name}-backlog")["QueueUrl"],
            "BACKLOG_START_SECONDS": "0.5",
            "MAX_AGE_SECONDS": str(max_age),
        }
    _create(functions, name, role, package("dispatcher"), Environment={"Variables": environment})
    for first in range(0, messages, 10):
        entries = [{"Id": str(number), "MessageBody": f'{{"n": {first + number}}}'} for number in range(10)]
        queues.send_message_batch(QueueUrl=url, Entries=entries)
    before, began = Usage.of(pid), time.perf_counter()
    functions.create_event_source_mapping(
        EventSourceArn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}",
        FunctionName=f"{name}:1",
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    while any(map(int, queues.get_queue_attributes(QueueUrl=url, AttributeNames=list(_STATES))["Attributes"].values())):
        time.sleep(0.05)
    seconds, after = time.perf_counter() - began, Usage.of(pid)
    cpu = after.server_cpu + after.handler_cpu - before.server_cpu - before.handler_cpu
    return messages / seconds, cpu / messages * 1000


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    best = dict.fromkeys(_VARIANTS, (0.0, 0.0))
    for _ in range(arguments.rounds):
        for name, max_age in _VARIANTS.items():
            with sandbox() as (port, pid):
                found = measure(port, pid, open_role(port), arguments.messages // 10 * 10, max_age)
            best[name] = max(best[name], found)
    for name, (rate, cpu) in best.items():
        print(f"{name:<18}{rate:8.0f} /s   {cpu:6.2f} ms CPU a message")


if __name__ == "__main__":
    main()
