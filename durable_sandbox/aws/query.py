"""SQS's older query protocol (form in, XML out), through moto.core's parser and serialiser.

Query-compatible error codes: https://smithy.io/2.0/aws/protocols/aws-query-protocol.html#aws-protocols-awsquerycompatible-trait
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from moto.core.model import ServiceModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.serialize import SerializationContext, get_serializer_class

from durable_sandbox.aws.errors import AwsError
from durable_sandbox.aws.http import HttpRequest, HttpResponse


def parse_query(model: ServiceModel, operation: str, values: dict[str, str], request: HttpRequest) -> dict[str, Any]:
    """The input of a query request. Raises AwsError for a missing or unreadable parameter."""
    shape = model.operation_model(operation)
    if shape.input_shape is None:
        return {}
    if "QueueUrl" in shape.input_shape.members and request.raw_path.strip("/"):
        # Old clients post to the queue's URL and name no QueueUrl.
        host = request.headers.get("host", "localhost")
        values.setdefault("QueueUrl", f"http://{host}{unquote(request.raw_path)}")
    try:
        params: dict[str, Any] = PROTOCOL_PARSERS["query"](shape).parse({"values": values})
    except ValueError as error:
        raise AwsError("InvalidParameterValue", f"A parameter of {operation} cannot be read: {error}") from error
    for name in shape.input_shape.required_members:
        if name not in params:
            raise AwsError("MissingParameter", f"The request must contain the parameter {name}.")
    return params


def serialise_query(model: ServiceModel, operation: str, result: Mapping[str, Any], request_id: str) -> HttpResponse:
    """The success response of a query request."""
    return _response(model, operation, result, request_id)


def serialise_query_error(model: ServiceModel, error: AwsError, status: int, request_id: str) -> HttpResponse:
    """The error response of a query request."""
    response = _response(model, next(iter(model.operation_names)), error, request_id)
    response.status = status
    return response


def _response(model: ServiceModel, operation: str, result: Any, request_id: str) -> HttpResponse:
    serialiser = get_serializer_class(model.service_name, "query")(
        model.operation_model(operation), SerializationContext(request_id)
    )
    with warnings.catch_warnings():
        # moto warns about codes outside the model; SQS has several (InvalidParameterValue, MissingParameter).
        warnings.simplefilter("ignore")
        response = serialiser.serialize(result)
    body = response["body"]
    headers = [("x-amzn-RequestId", request_id), *response["headers"].items()]
    return HttpResponse(response["status_code"], headers, body.encode() if isinstance(body, str) else body)
