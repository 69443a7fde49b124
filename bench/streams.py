"""What a Kinesis mapping does on the sandbox, in one run: records a second, CPU and invocations, with and without poison.

    python bench/streams.py [--records 20000] [--shards 4]

The function only looks at each record. A backlog is read from TRIM_HORIZON, once without and once with one poisoned record
in a hundred; the ratio of the two is what isolating costs. The sandbox is the bench's own.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any
from uuid import uuid4

from pipeline import ACCOUNT, REGION, Usage, policy, sandbox

from durable_sandbox.cli.aws import client
from durable_sandbox.cli.process import request_json

_HANDLER = """
import base64


def handler(event, context):
    for position, record in enumerate(event["Records"]):
        kinesis = record["kinesis"]
        if base64.b64decode(kinesis["data"]).startswith(b"poison"):
            if position == 0 and len(event["Records"]) > 1:
                raise ValueError(kinesis["sequenceNumber"])
            return {"batchItemFailures": [{"itemIdentifier": kinesis["sequenceNumber"]}]}
    return {"batchItemFailures": []}
"""


def role(port: int) -> str:
    """A role that may read any stream and tell any queue."""
    iam = client(port, "iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    work = {"Effect": "Allow", "Action": ["kinesis:*", "sqs:*", "logs:*"], "Resource": "*"}
    arn: str = iam.create_role(RoleName="bench", AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName="bench", PolicyName="bench", PolicyDocument=policy(work))
    return arn


def deploy(port: int) -> None:
    """The function ``look``."""
    import io  # noqa: PLC0415 - here only
    import zipfile  # noqa: PLC0415 - here only

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("handler.py", _HANDLER)
    client(port, "lambda").create_function(
        FunctionName="look",
        Role=role(port),
        Runtime="python3.13",
        Handler="handler.handler",
        Code={"ZipFile": buffer.getvalue()},
        Timeout=60,
    )


def fill(port: int, records: int, shards: int, *, poisoned: bool) -> str:
    """A stream of ``records``; returns its ARN."""
    kinesis = client(port, "kinesis")
    name = f"bench-{uuid4().hex[:8]}"
    kinesis.create_stream(StreamName=name, ShardCount=shards)
    for first in range(0, records, 500):
        entries = [
            {
                "PartitionKey": f"key-{position % 997}",
                "Data": b"poison" if poisoned and position % 100 == 50 else b'{"value": 21.5}',  # noqa: PLR2004 - 1 in 100
            }
            for position in range(first, min(records, first + 500))
        ]
        kinesis.put_records(StreamName=name, Records=entries)
    return f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{name}"


def process(port: int, stream: str, records: int, *, poisoned: bool) -> tuple[float, dict[str, Any]]:
    """Map ``stream`` to the function and wait until all is dealt with; seconds and the mapping's counts."""
    queue = client(port, "sqs").create_queue(QueueName=f"q-{uuid4().hex[:8]}")["QueueUrl"].rsplit("/", 1)[1]
    functions = client(port, "lambda")
    started = time.perf_counter()
    uuid = functions.create_event_source_mapping(
        EventSourceArn=stream,
        FunctionName="look",
        StartingPosition="TRIM_HORIZON",
        MaximumRetryAttempts=3,
        BisectBatchOnFunctionError=True,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        DestinationConfig={"OnFailure": {"Destination": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"}},
    )["UUID"]
    wanted = records // 100 if poisoned else 0
    while True:
        rows = request_json(port, "/_sandbox/status", method="GET", timeout=60.0)["mappings"]
        row = next(row for row in rows if row["uuid"] == uuid)
        counts = row["counts"]
        through = counts["polled"] == records and counts["invoked"] >= records and not row["in_flight"]
        if through and counts["delivered_to_destination"] == wanted:
            return time.perf_counter() - started, counts
        if time.perf_counter() - started > 300:  # noqa: PLR2004 - five minutes are a hang
            sys.exit(f"not done after five minutes: {row}")
        time.sleep(0.1)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--shards", type=int, default=4)
    arguments = parser.parse_args()
    rates = {}
    with sandbox() as (port, pid):
        deploy(port)
        process(port, fill(port, 1000, arguments.shards, poisoned=False), 1000, poisoned=False)
        for poisoned in (False, True):
            stream = fill(port, arguments.records, arguments.shards, poisoned=poisoned)
            before = Usage.of(pid)
            seconds, counts = process(port, stream, arguments.records, poisoned=poisoned)
            after = Usage.of(pid)
            rates[poisoned] = arguments.records / seconds
            print(f"{'1 % poison' if poisoned else 'no poison'}:")
            print(f"  {rates[poisoned]:.0f} records/s, {seconds:.1f} s")
            print(f"  {1e6 * (after.server_cpu - before.server_cpu) / arguments.records:.0f} us of server CPU a record")
            print(f"  {counts['invoked'] / arguments.records:.2f} deliveries a record")
        print(f"without poison {rates[False] / rates[True]:.1f} times as fast")


if __name__ == "__main__":
    main()
