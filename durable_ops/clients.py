"""boto3 clients, made when they are first used."""

from __future__ import annotations

import os
from typing import Any, Protocol
from urllib.parse import urlsplit

from durable_ops.errors import Exit, OpsError

# A start is idempotent by its name and a send by its kept id, so that a retry does no harm.
_CONFIG: dict[str, Any] = {
    "retries": {"mode": "standard", "total_max_attempts": 4},
    "connect_timeout": 5,
    "read_timeout": 30,
    "max_pool_connections": 20,
}


class Clients(Protocol):
    """Gives the client of a service; the same one each time, since they are safe on threads, and dear."""

    def __call__(self, service: str) -> Any:
        """The client of ``service``."""


class Session:
    """Clients of a profile, region and endpoint; None: as the environment says.

    boto3 itself does not read AWS_REGION, as the other SDKs and the aws CLI do
    (https://docs.aws.amazon.com/sdkref/latest/guide/feature-region.html).
    """

    def __init__(self, profile: str | None = None, region: str | None = None, endpoint_url: str | None = None) -> None:
        import boto3  # noqa: PLC0415 - a third of a second that a help text need not wait for

        region = region or os.environ.get("AWS_REGION") or None
        self._session = boto3.Session(profile_name=profile, region_name=region)
        self._endpoint_url = endpoint_url
        self._clients: dict[str, Any] = {}

    def __call__(self, service: str) -> Any:
        """The client of ``service``. Raises OpsError (USAGE) for an endpoint that is no address."""
        if service not in self._clients:
            self._clients[service] = self._made(service)
        return self._clients[service]

    def _made(self, service: str) -> Any:
        from botocore.config import Config  # noqa: PLC0415 - comes with boto3
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - as well

        try:
            client = self._session.client(service, endpoint_url=self._endpoint_url, config=Config(**_CONFIG))
            _check(client.meta.endpoint_url)
        except BotoCoreError:
            raise  # some are ValueErrors, too
        except ValueError as error:
            raise OpsError(
                f"The address of the endpoint cannot be read: {error}.",
                "Write http://HOST:PORT or https://HOST:PORT as --endpoint-url or AWS_ENDPOINT_URL; neither, for AWS.",
                Exit.USAGE,
            ) from error
        return client


def _check(url: str) -> None:
    """Raise ValueError for what botocore lets pass, and fails at with each call."""
    parts = urlsplit(url)
    try:
        known = parts.scheme in {"http", "https"} and parts.port != 0
    except ValueError:  # the port is no number
        known = False
    if not known:
        raise ValueError(f"Invalid endpoint: {url}")
