"""boto3 clients, made when they are first used."""

from __future__ import annotations

from typing import Any, Protocol

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
    """Clients of a profile, region and endpoint; None: as the environment says."""

    def __init__(self, profile: str | None = None, region: str | None = None, endpoint_url: str | None = None) -> None:
        import boto3  # noqa: PLC0415 - a third of a second that a help text need not wait for

        self._session = boto3.Session(profile_name=profile, region_name=region)
        self._endpoint_url = endpoint_url
        self._clients: dict[str, Any] = {}

    def __call__(self, service: str) -> Any:
        """The client of ``service``."""
        from botocore.config import Config  # noqa: PLC0415 - comes with it

        if service not in self._clients:
            self._clients[service] = self._session.client(
                service, endpoint_url=self._endpoint_url, config=Config(**_CONFIG)
            )
        return self._clients[service]
