"""Calls by operation name on an application in the same process: botocore serialises and parses, no socket between."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from botocore import parsers, serialize
from botocore.awsrequest import HeadersDict
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel
from botocore.validate import ParamValidator

from durable_sandbox.aws.errors import AwsError
from durable_sandbox.aws.http import HttpRequest, HttpResponse

# moto speaks these; botocore may prefer a newer one (CBOR) that it does not.
_PROTOCOLS = ("json", "rest-json", "rest-xml", "query", "ec2")
_CLIENT_ERROR = 300
logger = logging.getLogger(__name__)


class _Body:
    """A whole body, as botocore reads an event stream."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self) -> Iterator[bytes]:
        """All of it."""
        yield self._content


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request made and the parser of its response."""

    request: HttpRequest
    operation: OperationModel
    parser: Any

    def parse(self, response: HttpResponse) -> Mapping[str, Any]:
        """The output by botocore member names, a streaming body as bytes, an event stream as the list of its events.

        Raises AwsError for an error response.
        """
        headers = HeadersDict()
        for name, value in response.headers:
            headers[name] = value
        succeeded = response.status < _CLIENT_ERROR
        blob = self._blob_payload() if succeeded else None
        shape = self.operation.output_shape
        events = shape.event_stream_name if shape is not None and succeeded else None
        # botocore decodes a payload that is not a stream as text; ours is whole and may be anything.
        body = b"" if blob is not None else _Body(response.body) if events else response.body
        context = {"operation_name": self.operation.name}
        raw = {"status_code": response.status, "headers": headers, "body": body, "context": context}
        parsed: dict[str, Any] = self.parser.parse(raw, shape)
        if not succeeded:
            error = parsed.get("Error", {})
            text = response.body[:500].decode(errors="replace")
            raise AwsError(
                error.get("Code") or str(response.status), error.get("Message") or text, status=response.status
            )
        parsed.pop("ResponseMetadata", None)
        if blob is not None:
            parsed[blob] = response.body
        if events:
            parsed[events] = list(parsed[events])
        return parsed

    def _blob_payload(self) -> str | None:
        shape = self.operation.output_shape
        payload: str | None = shape.serialization.get("payload") if shape is not None else None
        return payload if payload is not None and shape.members[payload].type_name == "blob" else None


class InProcessClient:
    """Prepares requests for any service that botocore knows."""

    def __init__(self) -> None:
        self._models: dict[str, ServiceModel] = {}
        self._lock = threading.Lock()
        self._loader = Loader()

    def _model(self, service: str) -> ServiceModel:
        with self._lock:
            model = self._models.get(service)
            if model is None:
                model = ServiceModel(self._loader.load_service_model(service, "service-2"), service)
                self._models[service] = model
            return model

    def prepare(
        self, access_key: str, region: str, service: str, operation: str, params: Mapping[str, Any]
    ) -> Exchange:
        """The request of one call. Raises AwsError (ValidationException) if ``params`` do not fit the model."""
        model = self._model(service)
        operation_model = model.operation_model(operation)
        if operation_model.input_shape is not None:
            report = ParamValidator().validate(dict(params), operation_model.input_shape)
            if report.has_errors():
                raise AwsError("ValidationException", f"{service}:{operation}: {report.generate_report()}")
        offered = model.metadata.get("protocols", [model.metadata["protocol"]])
        protocol = next(name for name in _PROTOCOLS if name in offered)
        serialised = serialize.create_serializer(protocol, include_validation=False).serialize_to_request(
            dict(params), operation_model
        )
        request = _http_request(serialised, access_key, region, model)
        return Exchange(request, operation_model, parsers.create_parser(protocol))

    def describe(self, service: str, request: HttpRequest) -> tuple[str, dict[str, Any]] | None:
        """The operation and input of a raw request, by moto's router and parser; None if they cannot read it."""
        from botocore.exceptions import DataNotFoundError  # noqa: PLC0415 - only where authorisation is on
        from moto.core.parse import PROTOCOL_PARSERS  # noqa: PLC0415 - as above
        from moto.core.request import Request, determine_request_protocol  # noqa: PLC0415 - as above
        from moto.core.routing import get_service_router  # noqa: PLC0415 - as above
        from werkzeug.exceptions import HTTPException  # noqa: PLC0415 - as above

        from durable_sandbox.moto_adapter.wsgi import environ_of  # noqa: PLC0415 - as above

        raw = Request(environ_of(request, host=request.headers.get("host", "127.0.0.1")))
        try:
            operation, labels = get_service_router(service).match(raw)
            protocol = determine_request_protocol(operation.service_model, raw.content_type)
            params = PROTOCOL_PARSERS[protocol](operation).parse(
                {
                    "body": request.body,
                    "headers": raw.headers,
                    "method": request.method,
                    "url_params": labels,
                    "url_path": request.path,
                    "values": raw.values,
                }
            )
        except (HTTPException, DataNotFoundError, LookupError, ValueError, TypeError) as error:
            logger.info("%s: cannot tell the call of %s %s: %r", service, request.method, request.path, error)
            return None
        return str(operation.name), params


def _http_request(serialised: Mapping[str, Any], access_key: str, region: str, model: ServiceModel) -> HttpRequest:
    parts = urlsplit(serialised["url_path"])
    query = parts.query
    if serialised.get("query_string"):
        pairs = serialised["query_string"]
        extra = pairs if isinstance(pairs, str) else urlencode(pairs, doseq=True, quote_via=quote)
        query = f"{query}&{extra}" if query else extra
    body = serialised.get("body", b"")
    if isinstance(body, Mapping):
        body = urlencode(body, doseq=True)
    elif hasattr(body, "read"):
        body = body.read()
    headers = {name.lower(): _text(value) for name, value in serialised["headers"].items()}
    scope = f"{access_key}/20260101/{region}/{model.signing_name}/aws4_request"
    headers["authorization"] = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
    headers["host"] = "127.0.0.1"
    return HttpRequest(
        serialised["method"], parts.path or "/", query, headers, body.encode() if isinstance(body, str) else body
    )


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
