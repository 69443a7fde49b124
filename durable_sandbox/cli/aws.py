"""boto3 clients of the sandbox, whatever the user's environment and profiles say."""

from __future__ import annotations

import os
from typing import Any

from durable_sandbox.cli.environment import REGION, endpoint_url


def client(port: int, service: str, *, region: str = REGION) -> Any:
    """A boto3 client of ``service`` for the sandbox on ``port``."""
    import boto3  # noqa: PLC0415 - a third of a second that most commands need not wait for
    import botocore.session  # noqa: PLC0415 - comes with it
    from botocore.config import Config  # noqa: PLC0415 - comes with it

    # A variable is (name in the configuration, in the environment, default, conversion): nothing of the user's is read.
    own = {
        "profile": (None, None, None, None),
        "config_file": (None, None, os.devnull, None),
        "credentials_file": (None, None, os.devnull, None),
    }
    session = boto3.Session(
        botocore_session=botocore.session.Session(session_vars=own),
        aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox",  # noqa: S106 - no secret
        region_name=region,
    )
    config = Config(proxies={}, retries={"mode": "standard", "total_max_attempts": 3}, max_pool_connections=20)
    return session.client(service, endpoint_url=endpoint_url(port), config=config)
