"""One client a service and environment, with timeouts and attempts from which the longest call follows."""

import functools
from typing import Any

import boto3
from botocore.config import Config

# Side by side hand-overs, as in the dispatcher.
THREADS = 10

CONNECT_SECONDS = 1
READ_SECONDS = 4

# A failed hand-over is tried again with the message, so patience would only hold up the rest.
ATTEMPTS = 2
# A shard allows five reads a second, which its consumers share: "throttled" is an ordinary answer.
READ_ATTEMPTS = 4
READERS = ("kinesis", "dynamodbstreams")

# Before an attempt, botocore's standard mode waits up to 1, 2, 4 ... seconds; it knows the throttles of both services:
# https://docs.aws.amazon.com/boto3/latest/guide/retries.html
LONGEST_CALL_MILLISECONDS = 1000 * (ATTEMPTS * (CONNECT_SECONDS + READ_SECONDS) + 1)
LONGEST_READ_MILLISECONDS = 1000 * (READ_ATTEMPTS * (CONNECT_SECONDS + READ_SECONDS) + 1 + 2 + 4)

# What an answer may take beyond the function's timeout: 10 seconds in which a new environment is made ready
# (https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html), and 2 for the way.
BEYOND_TIMEOUT_SECONDS = 12


class OutOfTimeError(RuntimeError):
    """A call might not end before the function's own timeout, which would take back what is done as well."""


@functools.cache
def client(service: str) -> Any:
    """Return the environment's one client of a service; its pool has a connection for each thread."""
    attempts = READ_ATTEMPTS if service in READERS else ATTEMPTS
    return boto3.client(
        service,
        config=Config(
            retries={"mode": "standard", "total_max_attempts": attempts},
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            max_pool_connections=THREADS,
        ),
    )


@functools.cache
def waiting_client(timeout: int) -> Any:
    """Return the environment's one client that waits for a function with this timeout, in seconds.

    It tries once: a second attempt might run a function again that still works
    (https://repost.aws/knowledge-center/lambda-function-retry-timeout-sdk).
    """
    return boto3.client(
        "lambda",
        config=Config(
            retries={"mode": "standard", "total_max_attempts": 1},
            connect_timeout=CONNECT_SECONDS,
            read_timeout=timeout + BEYOND_TIMEOUT_SECONDS,
            max_pool_connections=THREADS,
            tcp_keepalive=True,
        ),
    )


def longest_wait_milliseconds(timeout: int) -> int:
    """Return how long an invocation by `waiting_client` takes at most."""
    return 1000 * (CONNECT_SECONDS + timeout + BEYOND_TIMEOUT_SECONDS)
