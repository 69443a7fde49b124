"""Running a WSGI application on our request and response values."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote_to_bytes

from durable_sandbox.aws.http import HttpRequest, HttpResponse

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_PRESERVED_NAMES = "moto.preserved_header_names"
# The body is whole by now, so its framing on the wire is not the application's to see again.
_FRAMING = frozenset({"transfer-encoding", "content-length", "expect", "connection"})


def environ_of(request: HttpRequest, *, host: str) -> dict[str, Any]:
    """The WSGI environ of ``request``, as moto.server's own handler makes it.

    Headers with an underscore are dropped, as werkzeug's server does, but for S3 user metadata, whose spelling
    is kept for moto (moto.moto_server.werkzeug_app.MotoRequestHandler).
    """
    name, _, port = host.partition(":")
    target = request.raw_path + (f"?{request.query_string}" if request.query_string else "")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(request.raw_path).decode("latin-1"),
        "QUERY_STRING": request.query_string,
        "REQUEST_URI": target,
        "RAW_URI": target,
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": 0,
        "SERVER_NAME": name or "127.0.0.1",
        "SERVER_PORT": port or "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    preserved: dict[str, str] = {}
    for header, value in request.headers.items():
        if header in _FRAMING:
            continue
        key = header.upper().replace("-", "_")
        if "_" in header:
            dashed = header.replace("_", "-")
            if not header.startswith("x-amz-meta-") or dashed in request.headers:
                continue
            preserved[f"HTTP_{key}"] = header
        environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    environ.setdefault("HTTP_HOST", host)
    environ[_PRESERVED_NAMES] = preserved
    return environ


def run_wsgi(app: WsgiApp, environ: dict[str, Any]) -> HttpResponse:
    """Call ``app`` and collect its response. Blocks: for worker threads only."""
    started: dict[str, Any] = {}

    def start_response(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> Callable[[bytes], None]:
        started["status"] = int(status.split(" ", 1)[0])
        started["headers"] = headers
        return lambda _chunk: None

    chunks = app(environ, start_response)
    try:
        body = b"".join(chunks)
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
    headers = [(key, value) for key, value in started["headers"] if key.lower() not in ("connection", "date", "server")]
    if environ["REQUEST_METHOD"] != "HEAD":
        # moto copies Content-Length from S3 metadata now and then; what is sent is what counts.
        headers = [(key, value) for key, value in headers if key.lower() != "content-length"]
    return HttpResponse(started["status"], headers, body)
