"""HTTP messages as values, apart from any server: what protocol, moto adapter and routes exchange."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import parse_qsl, unquote


@dataclass
class HttpRequest:
    """One request, its body read whole.

    ``raw_path`` is the path as it arrived, still percent-encoded: an ARN in a path label keeps its ``%2F``.
    ``headers`` have lower-case names; a repeated header's values are joined with commas (RFC 9110, 5.3).
    """

    method: str
    raw_path: str
    query_string: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @cached_property
    def path(self) -> str:
        """The decoded path."""
        return unquote(self.raw_path)

    @cached_property
    def query(self) -> list[tuple[str, str]]:
        """The query string's pairs in order, blank values kept."""
        return parse_qsl(self.query_string, keep_blank_values=True) if self.query_string else []


@dataclass
class HttpResponse:
    """One response. ``Content-Length`` is added by the server from ``body`` unless it is among the headers."""

    status: int
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The first value of header ``name``, whatever its case."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)
