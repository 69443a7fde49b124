"""A sandbox under uvicorn, until it is told to stop."""

from __future__ import annotations

import logging
import sys
from typing import Any

import uvicorn

from durable_sandbox.events.websocket.socket import MAXIMUM_FRAME_BYTES, MAXIMUM_MESSAGE_BYTES
from durable_sandbox.server import Sandbox, SandboxConfig
from durable_sandbox.sockets import LingeringProtocol

logger = logging.getLogger("durable_sandbox")

_KEEP_ALIVE_SECONDS = 120


def run(config: SandboxConfig) -> None:
    """Serve until SIGTERM or SIGINT. Raises SystemExit if the port is taken or the services cannot start."""
    configure_logging(config)
    server = uvicorn.Server(
        server_config(Sandbox(config), host=config.host, port=config.port, timeout_graceful_shutdown=5)
    )
    if not config.iam:
        logger.warning("IAM is not enforced (--no-iam): every call is allowed, which AWS will not do")
    server.run()
    if not server.started:
        raise SystemExit(1)


def server_config(sandbox: Sandbox, **options: Any) -> uvicorn.Config:
    """How uvicorn serves a sandbox; ``options`` of uvicorn.Config come on top."""
    return uvicorn.Config(
        sandbox,
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        http="httptools",
        ws=LingeringProtocol,
        # A pair: of the whole message, and of each of its frames.
        ws_max_size=(MAXIMUM_MESSAGE_BYTES, MAXIMUM_FRAME_BYTES),
        ws_per_message_deflate=False,
        ws_ping_interval=None,
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=True,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        **options,
    )


def configure_logging(config: SandboxConfig) -> None:
    """Log to ``config.log_file``, else to standard error."""
    handler: logging.Handler = (
        logging.FileHandler(config.log_file) if config.log_file is not None else logging.StreamHandler()
    )
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s [%(process)d] %(message)s"))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(config.log_level.upper())
    # werkzeug and botocore tell of every request; uvicorn's own lines add nothing to ours.
    for name in ("werkzeug", "botocore", "urllib3", "uvicorn.error", "aws_durable_execution_sdk_python_testing"):
        logging.getLogger(name).setLevel(logging.WARNING)
