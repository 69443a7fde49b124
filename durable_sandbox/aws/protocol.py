"""AWS's wire protocols for the services that are ours: JSON 1.0, rest-json, and SQS's older query protocol.

Everything is derived from botocore's service models, loaded by moto.core; no shape is written by hand. The JSON
protocols go through converters compiled once (aws/shapes.py), for they are the hot path; the query protocol goes
through moto.core's parser and serialiser (aws/query.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from botocore.model import ListShape, OperationModel, Shape, StructureShape
from moto.core.model import ServiceModel
from moto.core.utils import get_service_model

from durable_sandbox.aws.errors import AwsError
from durable_sandbox.aws.http import HttpRequest, HttpResponse
from durable_sandbox.aws.shapes import Codec, Decoder, Encoder, InvalidValueError, missing, parse_moment, wire_name

_LABEL = re.compile(r"\{([^}+]+)\+?\}")
_FORM = "application/x-www-form-urlencoded"
_SERVER_ERROR = 500
_TRUE_FALSE = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class ParsedRequest:
    """What a request asks for: the operation, its input by botocore member names, and how to answer."""

    operation: str
    params: dict[str, Any]
    query_protocol: bool = False


@dataclass(frozen=True, slots=True)
class _Bound:
    """A member bound to the path, the query string or a header."""

    member: str
    wire: str
    decode: Decoder
    is_list: bool


@dataclass(frozen=True, slots=True)
class _Route:
    """A method and path. ``patterns``: one label a path segment, then labels that run over slashes."""

    method: str
    patterns: tuple[re.Pattern[str], re.Pattern[str]]
    operation: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Plan:
    """An operation compiled for the JSON protocols."""

    name: str
    status: int
    decode_body: Decoder | None
    payload: str | None
    payload_is_raw: bool
    uri: tuple[_Bound, ...]
    query: tuple[_Bound, ...]
    headers: tuple[_Bound, ...]
    required_outside: tuple[str, ...]
    out_headers: Mapping[str, str]
    out_status: str | None
    out_payload: str | None
    out_payload_is_raw: bool
    encode_body: Encoder | None
    has_body: bool


class ServiceProtocol:
    """Requests and responses of one service, named as in botocore (``sqs``, ``lambda``, ``pipes``)."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.model: ServiceModel = get_service_model(service)
        self._rest = self.model.protocol == "rest-json"
        self._codec = Codec(constraints=self._rest)
        self._plans: dict[str, _Plan] = {}
        self._names = frozenset(self.model.operation_names)
        self._routes = list(self._compile_routes()) if self._rest else []
        self._target_prefix = f"{self.model.metadata.get('targetPrefix', '')}."
        self._query_compatible = "awsQueryCompatible" in self.model.metadata
        self._errors = {shape.name: shape for shape in self.model.error_shapes}
        for shape in self.model.error_shapes:
            self._errors.setdefault(str(shape.error_code), shape)
        version = self.model.metadata.get("jsonVersion", "1.0")
        self._content_type = "application/json" if self._rest else f"application/x-amz-json-{version}"

    # --- requests ---------------------------------------------------------------------------------------------

    def parse(self, request: HttpRequest) -> ParsedRequest:
        """The operation and input of ``request``. Raises AwsError naming what is unknown, missing or malformed."""
        try:
            if self._rest:
                return self._parse_rest(request)
            target = request.headers.get("x-amz-target", "")
            if target:
                return self._parse_json(target, request.body)
            return self._parse_query(request)
        except InvalidValueError as error:
            raise self._invalid(error) from error

    def _invalid(self, error: InvalidValueError) -> AwsError:
        if not self._rest and error.problem.endswith("must not be null"):
            # SQS's own wording: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
            member = ".".join(reversed(error.path))
            return AwsError("MissingParameter", f"The request must contain the parameter {member}.")
        return error.as_aws_error()

    def _parse_json(self, target: str, body: bytes) -> ParsedRequest:
        operation = target.removeprefix(self._target_prefix)
        plan = self._plan(operation)
        params = plan.decode_body(_load_json(body)) if plan.decode_body is not None else {}
        return ParsedRequest(operation, params)

    def _parse_query(self, request: HttpRequest) -> ParsedRequest:
        from durable_sandbox.aws.query import parse_query  # noqa: PLC0415 - the old protocol is rare, its parser heavy

        values = dict(request.query)
        if request.headers.get("content-type", "").startswith(_FORM):
            values.update(_form(request))
        operation = values.get("Action", "")
        self._known(operation)
        return ParsedRequest(operation, parse_query(self.model, operation, values, request), query_protocol=True)

    def _parse_rest(self, request: HttpRequest) -> ParsedRequest:
        operation, labels = self._route(request.method, request.raw_path)
        plan = self._plan(operation)
        params = _read_body(plan, request.body)
        for bound in plan.uri:
            params[bound.member] = _decode_text(bound, unquote(labels[bound.wire]))
        for bound in plan.headers:
            text = request.headers.get(bound.wire)
            if text is not None:
                params[bound.member] = _decode_text(bound, text)
        if plan.query and request.query_string:
            _read_query(plan.query, request, params)
        for name in plan.required_outside:
            if name not in params:
                raise missing(name)
        return ParsedRequest(operation, params)

    def _route(self, method: str, raw_path: str) -> tuple[str, dict[str, str]]:
        path = raw_path.rstrip("/") or "/"
        # First with one label a path segment, then with labels that run over slashes: some clients send an ARN
        # without encoding its slash.
        for strictness in (0, 1):
            for route in self._routes:
                if route.method == method:
                    match = route.patterns[strictness].fullmatch(path)
                    if match is not None:
                        return route.operation, dict(zip(route.labels, match.groups(), strict=True))
        raise AwsError(
            "UnknownOperationException", f"{self.service} has no operation at {method} {unquote(path)}.", status=404
        )

    def _compile_routes(self) -> Iterator[_Route]:
        for name in self.model.operation_names:
            trait = self.model.operation_model(name).http_trait
            path = trait.path.rstrip("/") or "/"
            pieces = _LABEL.split(path)
            literal = [re.escape(piece) if index % 2 == 0 else None for index, piece in enumerate(pieces)]
            strict, lenient = (
                re.compile("".join(label if piece is None else piece for piece in literal))
                for label in ("([^/]+)", "(.+)")
            )
            yield _Route(trait.method, (strict, lenient), name, tuple(pieces[1::2]))

    # --- responses --------------------------------------------------------------------------------------------

    def serialise(self, request: ParsedRequest, result: Mapping[str, Any], request_id: str) -> HttpResponse:
        """The success response of an operation. Raises TypeError for a member that the model lacks."""
        if request.query_protocol:
            from durable_sandbox.aws.query import serialise_query  # noqa: PLC0415 - as in _parse_query

            return serialise_query(self.model, request.operation, result, request_id)
        plan = self._plan(request.operation)
        headers = [("x-amzn-RequestId", request_id), ("Content-Type", self._content_type)]
        status = plan.status
        if plan.out_headers or plan.out_status or plan.out_payload:
            status, result, payload = self._outside_body(plan, result, headers)
            if plan.out_payload_is_raw:
                return HttpResponse(status, headers, payload)
        if not plan.has_body:
            return HttpResponse(status, headers, b"" if self._rest else b"{}")
        encoded = plan.encode_body(result) if plan.encode_body is not None else result
        return HttpResponse(status, headers, json.dumps(encoded, separators=(",", ":")).encode())

    def _outside_body(
        self, plan: _Plan, result: Mapping[str, Any], headers: list[tuple[str, str]]
    ) -> tuple[int, Mapping[str, Any], bytes]:
        body = {name: value for name, value in result.items() if value is not None}
        status = int(body.pop(plan.out_status, plan.status)) if plan.out_status else plan.status
        for member, wire in plan.out_headers.items():
            if member in body:
                headers.append((wire, _header_text(body.pop(member))))
        if plan.out_payload is None:
            return status, body, b""
        payload = body.pop(plan.out_payload, b"" if plan.out_payload_is_raw else {})
        if body:
            raise TypeError(f"{plan.name} has no output members {sorted(body)} in botocore's model")
        if not plan.out_payload_is_raw:
            return status, payload, b""
        return status, {}, payload.encode() if isinstance(payload, str) else payload

    def serialise_error(self, error: AwsError, request_id: str, *, query_protocol: bool = False) -> HttpResponse:
        """The error response of ``error``: status and members by the model's error shape when it has one."""
        if query_protocol:
            from durable_sandbox.aws.query import serialise_query_error  # noqa: PLC0415 - as in _parse_query

            return serialise_query_error(self.model, error, self.error_status(error), request_id)
        shape = self._errors.get(error.code)
        code = shape.name if shape is not None else error.code
        namespace = self.model.metadata.get("errorNamespace")
        headers = [
            ("x-amzn-RequestId", request_id),
            ("Content-Type", self._content_type),
            ("x-amzn-errortype", code),
        ]
        body: dict[str, Any] = {"__type": f"{namespace}#{code}" if namespace else code}
        message_key = "message"
        if shape is not None:
            message_key = next((name for name in shape.members if name.lower() == "message"), message_key)
            self._error_members(shape, error, headers, body)
        body[message_key] = error.message
        status = self.error_status(error)
        if self._query_compatible:
            public = str(shape.error_code) if shape is not None else error.code
            headers.append(("x-amzn-query-error", f"{public};{'Receiver' if status >= _SERVER_ERROR else 'Sender'}"))
        return HttpResponse(status, headers, json.dumps(body, separators=(",", ":")).encode())

    def error_status(self, error: AwsError) -> int:
        """The HTTP status of ``error``."""
        shape = self._errors.get(error.code)
        modelled = shape.metadata.get("error", {}).get("httpStatusCode") if shape is not None else None
        return int(modelled) if modelled is not None else error.status

    def _error_members(
        self, shape: StructureShape, error: AwsError, headers: list[tuple[str, str]], body: dict[str, Any]
    ) -> None:
        for name, sub in shape.members.items():
            value = error.members.get(name)
            if value is None:
                if name == "Type":
                    body[name] = "Service" if self.error_status(error) >= _SERVER_ERROR else "User"
                continue
            if sub.serialization.get("location") == "header":
                headers.append((wire_name(sub, name), _header_text(value)))
                continue
            encoder = self._codec.encoder(sub)
            body[wire_name(sub, name)] = value if encoder is None else encoder(value)

    # --- plans ------------------------------------------------------------------------------------------------

    def _known(self, operation: str) -> None:
        if operation not in self._names:
            raise AwsError(
                "InvalidAction" if self._query_compatible else "UnknownOperationException",
                f"{self.service} has no operation {operation!r}.",
                status=404 if self._rest else 400,
            )

    def _plan(self, operation: str) -> _Plan:
        plan = self._plans.get(operation)
        if plan is None:
            self._known(operation)
            plan = self._plans[operation] = self._compile(self.model.operation_model(operation))
        return plan

    def _compile(self, operation: OperationModel) -> _Plan:
        source, target = operation.input_shape, operation.output_shape
        members = dict(source.members) if source is not None else {}
        payload = source.serialization.get("payload") if source is not None else None
        raw = payload is not None and members[payload].type_name in ("blob", "string")
        bound = {place: self._bound(members, place) for place in ("uri", "querystring", "header")}
        required = source.required_members if source is not None else []
        out_members = dict(target.members) if target is not None else {}
        out_payload = target.serialization.get("payload") if target is not None else None
        out_raw = out_payload is not None and out_members[out_payload].type_name in ("blob", "string")
        body_shape: Shape | None = source if payload is None else members[payload]
        out_shape: Shape | None = target if out_payload is None else out_members[out_payload]
        by_place = {name: sub.serialization.get("location") for name, sub in out_members.items()}
        return _Plan(
            name=operation.name,
            status=int(operation.http.get("responseCode", 200)),
            decode_body=None if raw or body_shape is None else self._codec.decoder(body_shape),
            payload=payload,
            payload_is_raw=raw,
            uri=bound["uri"],
            query=bound["querystring"],
            headers=bound["header"],
            required_outside=tuple(n for n in required if "location" in members[n].serialization or n == payload),
            out_headers={n: wire_name(out_members[n], n) for n, place in by_place.items() if place == "header"},
            out_status=next((name for name, place in by_place.items() if place == "statusCode"), None),
            out_payload=out_payload,
            out_payload_is_raw=out_raw,
            encode_body=None if out_raw or out_shape is None else self._codec.encoder(out_shape),
            has_body=out_payload is not None or any(place is None for place in by_place.values()),
        )

    def _bound(self, members: Mapping[str, Shape], place: str) -> tuple[_Bound, ...]:
        found = []
        for name, sub in members.items():
            if sub.serialization.get("location") == place:
                wire = wire_name(sub, name)
                item = sub.member if isinstance(sub, ListShape) else sub
                decode = self._codec.within(item, _text_decoder(item.type_name))
                found.append(_Bound(name, wire.lower() if place == "header" else wire, decode, item is not sub))
        return tuple(found)


def _load_json(body: bytes) -> Any:
    if not body:
        return {}
    try:
        return json.loads(body)
    except ValueError as error:
        raise AwsError("SerializationException", f"The request body is not JSON: {error}") from error


def _read_body(plan: _Plan, body: bytes) -> dict[str, Any]:
    if plan.payload_is_raw:
        return {str(plan.payload): body} if body else {}
    if plan.decode_body is None:
        return {}
    decoded: dict[str, Any] = {}
    if plan.payload is None:
        decoded = plan.decode_body(_load_json(body))
    elif body:
        decoded[plan.payload] = plan.decode_body(_load_json(body))
    return decoded


def _form(request: HttpRequest) -> dict[str, str]:
    return dict(parse_qsl(request.body.decode(), keep_blank_values=True))


def _decode_text(bound: _Bound, text: str) -> Any:
    try:
        if bound.is_list:
            return [bound.decode(part.strip()) for part in text.split(",")]
        return bound.decode(text)
    except InvalidValueError as error:
        error.path.append(bound.member)
        raise


def _read_query(bounds: tuple[_Bound, ...], request: HttpRequest, params: dict[str, Any]) -> None:
    for bound in bounds:
        values = [value for key, value in request.query if key == bound.wire]
        if not values:
            continue
        try:
            params[bound.member] = (
                [bound.decode(value) for value in values] if bound.is_list else bound.decode(values[0])
            )
        except InvalidValueError as error:
            error.path.append(bound.member)
            raise


def _text_decoder(kind: str) -> Decoder:
    """How a scalar is read from a path label, a query parameter or a header."""

    def number(convert: type[int | float]) -> Decoder:
        def decode(text: str) -> float:
            try:
                return convert(text)
            except ValueError as error:
                raise InvalidValueError(f"{text!r} is not a number", "SerializationException") from error

        return decode

    def boolean(text: str) -> bool:
        try:
            return _TRUE_FALSE[text.lower()]
        except KeyError as error:
            raise InvalidValueError(f"{text!r} is neither true nor false", "SerializationException") from error

    if kind in ("integer", "long", "short", "byte"):
        return number(int)
    if kind in ("float", "double"):
        return number(float)
    if kind == "boolean":
        return boolean
    return parse_moment if kind == "timestamp" else str


def _header_text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
