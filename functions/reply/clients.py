"""One client a service and environment, and the time that a call takes at most."""

import functools
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config

# Lanes side by side, as in the dispatcher.
THREADS = 10

CONNECT_SECONDS = 1
READ_SECONDS = 3
# "Throttled" is an ordinary answer where a client reads slowly: its buffer is full
# (https://docs.aws.amazon.com/botocore/latest/reference/services/apigatewaymanagementapi/client/exceptions/LimitExceededException.html).
ATTEMPTS = 3
# Before the second and third attempt, botocore's standard mode waits up to 1 and 2 seconds:
# https://docs.aws.amazon.com/boto3/latest/guide/retries.html
LONGEST_CALL_MILLISECONDS = 1000 * (ATTEMPTS * (CONNECT_SECONDS + READ_SECONDS) + 1 + 2)

Remaining = Callable[[], int]


class OutOfTimeError(RuntimeError):
    """A call might not end before the function's own timeout, which would take back what is done as well."""


def check_time(remaining: Remaining) -> None:
    """Let no call begin that might take longer than the `remaining` milliseconds.

    Raises:
        OutOfTimeError: if it might.
    """
    if (left := remaining()) < LONGEST_CALL_MILLISECONDS:
        raise OutOfTimeError(f"{left} ms are left, and a call may take {LONGEST_CALL_MILLISECONDS}")


@functools.cache
def management(endpoint: str) -> Any:
    """Return the client of the stage at `endpoint`; its pool has a connection for each thread."""
    return boto3.client("apigatewaymanagementapi", endpoint_url=endpoint, config=_config())


@functools.cache
def dynamodb() -> Any:
    """Return the client of the connection table, as patient as the other."""
    return boto3.client("dynamodb", config=_config())


def _config() -> Config:
    return Config(
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        max_pool_connections=THREADS,
    )
