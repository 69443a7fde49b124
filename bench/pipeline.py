"""Throughput and cost of the sample pipeline on the sandbox, in one run: queue -> pipe -> durable function -> table.

    python bench/pipeline.py [--messages 1000] [--warm-up 100] [--batch-size 1] [--profile OUT.svg]

Prints executions a second, CPU an execution (server and handlers apart), invocations and durable operations a message, and the
server's memory before and after. ``--profile`` records the server with py-spy (pip install py-spy) while it works. The stack is
made by boto3 alone, of the same handlers and settings that the root module deploys. The sandbox is the bench's own.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from durable_sandbox.cli.aws import client
from durable_sandbox.cli.process import Start, free_port, request_json, stop_tree, wait_until_up

ROOT = Path(__file__).resolve().parent.parent
ACCOUNT = "123456789012"
REGION = "us-east-1"
NAME = "bench"
BAR_EXECUTIONS = 25.0


@dataclass(frozen=True)
class Usage:
    """CPU seconds so far and resident bytes: the server's and, together, those of the environments."""

    server_cpu: float
    handler_cpu: float
    server_bytes: int
    handler_bytes: int
    environments: int

    @classmethod
    def of(cls, pid: int) -> Usage:
        """Read them."""
        server = psutil.Process(pid)
        cpu, size, count = 0.0, 0, 0
        for child in server.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = child.cpu_times()
                cpu, size, count = cpu + times.user + times.system, size + child.memory_info().rss, count + 1
        own = server.cpu_times()
        return cls(own.user + own.system, cpu, server.memory_info().rss, size, count)


@contextlib.contextmanager
def sandbox() -> Iterator[tuple[int, int]]:
    """A sandbox of our own: its port and pid."""
    start = Start(free_port(), log_level="warning")
    log = Path(ROOT / ".sandbox" / "bench.log")
    log.parent.mkdir(exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            start.command(with_stdin=True), stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        running = wait_until_up(process, start.port, log)
        yield start.port, running.pid
    finally:
        stop_tree(process.pid)


def package(function: str) -> bytes:
    """A deployment package of functions/<function>; the runtime has the durable SDK."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for source in sorted((ROOT / "functions" / function).glob("*.py")):
            archive.write(source, source.name)
    return buffer.getvalue()


def open_role(port: int) -> str:
    """A role that may do what the functions and the pipe do."""
    iam = client(port, "iam")
    services = {"Service": ["lambda.amazonaws.com", "pipes.amazonaws.com"]}
    trust = {"Effect": "Allow", "Principal": services, "Action": "sts:AssumeRole"}
    actions = [f"{service}:*" for service in ("dynamodb", "lambda", "logs", "sqs")]
    work = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    role: str = iam.create_role(RoleName="bench", AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName="bench", PolicyName="bench", PolicyDocument=policy(work))
    return role


def policy(statement: dict[str, Any]) -> str:
    """A policy document of one statement."""
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def deploy(port: int, batch_size: int) -> str:
    """Make the pipeline; returns the queue's URL."""
    role = open_role(port)
    functions, queues = client(port, "lambda"), client(port, "sqs")
    client(port, "dynamodb").create_table(
        TableName=NAME,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "message_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "message_id", "AttributeType": "S"}],
    )
    aliases: dict[str, str] = {}
    for function in ("validate", "transform", "store", "pipeline"):
        settings: dict[str, Any] = {"Environment": {"Variables": {"TABLE_NAME": NAME}}}
        if function == "pipeline":
            steps = {f"{step.upper()}_FUNCTION_ARN": arn for step, arn in aliases.items()}
            settings = {"Environment": {"Variables": steps}, "DurableConfig": {"ExecutionTimeout": 86_400}}
        functions.create_function(
            FunctionName=f"{NAME}-{function}",
            Role=role,
            Runtime="python3.13",
            Handler="handler.handler",
            Code={"ZipFile": package(function)},
            Timeout=60,
            MemorySize=256,
            Publish=True,
            LoggingConfig={"LogFormat": "JSON"},
            **settings,
        )
        aliases[function] = functions.create_alias(FunctionName=f"{NAME}-{function}", Name="live", FunctionVersion="1")[
            "AliasArn"
        ]
    url: str = queues.create_queue(QueueName=NAME, Attributes={"VisibilityTimeout": "120"})["QueueUrl"]
    client(port, "pipes").create_pipe(
        Name=NAME,
        RoleArn=role,
        Source=f"arn:aws:sqs:{REGION}:{ACCOUNT}:{NAME}",
        SourceParameters={"SqsQueueParameters": {"BatchSize": batch_size}},
        Target=aliases["pipeline"],
        TargetParameters={"LambdaFunctionParameters": {"InvocationType": "FIRE_AND_FORGET"}},
    )
    return url


def process(port: int, queue_url: str, count: int) -> float:
    """Send ``count`` messages and wait until each is in the table; returns the seconds from the first send."""
    queues, table = client(port, "sqs"), client(port, "dynamodb")
    before = table.scan(TableName=NAME, Select="COUNT")["Count"]
    started = time.perf_counter()
    for first in range(0, count, 10):
        body = json.dumps({"data_source": f"orders-{first}.csv", "processing_type": "standard"})
        entries = [{"Id": str(i), "MessageBody": body} for i in range(min(10, count - first))]
        queues.send_message_batch(QueueUrl=queue_url, Entries=entries)
    while True:
        executions = request_json(port, "/_sandbox/status", method="GET", timeout=60.0)["executions"]
        by_status: dict[str, int] = executions.get(f"{NAME}-pipeline", {})
        failed = sum(number for status, number in by_status.items() if status not in ("RUNNING", "SUCCEEDED"))
        if failed:
            sys.exit(f"{failed} executions failed: {by_status}")
        if not by_status.get("RUNNING"):
            seconds = time.perf_counter() - started
            if table.scan(TableName=NAME, Select="COUNT")["Count"] - before == count:
                return seconds
        time.sleep(0.5)


def costs(port: int) -> tuple[float, float]:
    """Handler invocations and durable operations of the last execution."""
    functions = client(port, "lambda")
    listed = functions.list_durable_executions_by_function(FunctionName=f"{NAME}-pipeline", MaxItems=1)
    arn = listed["DurableExecutions"][0]["DurableExecutionArn"]
    events = functions.get_durable_execution_history(DurableExecutionArn=arn, MaxItems=1000)["Events"]
    invocations = sum(event["EventType"] == "InvocationCompleted" for event in events)
    operations = len({event["Id"] for event in events if event.get("Id")})
    return invocations, operations


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--warm-up", type=int, default=100)
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--profile", help="write a flame graph (.svg) or raw stacks (.txt) of the server")
    arguments = parser.parse_args()
    with sandbox() as (port, pid):
        at_start = Usage.of(pid)
        queue = deploy(port, arguments.batch_size)
        process(port, queue, arguments.warm_up)
        warm = Usage.of(pid)
        if arguments.profile:
            form = "raw" if arguments.profile.endswith(".txt") else "flamegraph"
            recorder = subprocess.Popen(
                [
                    "py-spy",
                    "record",
                    "--pid",
                    str(pid),
                    "--format",
                    form,
                    "--output",
                    arguments.profile,
                    "--rate",
                    "200",
                ]
            )
        seconds = process(port, queue, arguments.messages)
        if arguments.profile:
            recorder.send_signal(2)
            recorder.wait()
        done = Usage.of(pid)
        invocations, operations = costs(port)
    executions = arguments.messages / arguments.batch_size
    rate = executions / seconds
    rows = [
        ("executions", f"{rate:.1f} /s", f"bar {BAR_EXECUTIONS:.0f}: {'met' if rate >= BAR_EXECUTIONS else 'MISSED'}"),
        ("messages", f"{arguments.messages / seconds:.1f} /s", f"{arguments.messages} in {seconds:.1f} s"),
        ("server CPU", f"{(done.server_cpu - warm.server_cpu) / executions * 1000:.1f} ms an execution", ""),
        ("handler CPU", f"{(done.handler_cpu - warm.handler_cpu) / executions * 1000:.1f} ms an execution", ""),
        ("cost", f"{invocations} invocations, {operations} operations", f"an execution of {arguments.batch_size}"),
        (
            "server memory",
            f"{done.server_bytes / 2**20:.0f} MiB",
            f"{at_start.server_bytes / 2**20:.0f} MiB at its start",
        ),
        ("environments", f"{done.environments}", f"{done.handler_bytes / 2**20:.0f} MiB together"),
    ]
    for name, value, note in rows:
        print(f"{name:<14}{value:<34}{note}")
    if rate < BAR_EXECUTIONS and arguments.batch_size == 1:
        sys.exit(1)


if __name__ == "__main__":
    main()
