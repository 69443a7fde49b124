"""Which service, region and access key a request is for.

Signature Version 4 names all three in the credential scope: ``AKID/20260101/us-east-1/sqs/aws4_request``
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from durable_sandbox.aws.http import HttpRequest

_SCOPE = re.compile(r"Credential=([^/,\s]+)/\d{8}/([^/,\s]+)/([^/,\s]+)/aws4_request")
_PRESIGNED = re.compile(r"(?:^|&)X-Amz-Credential=([^&]+)")
_PRESIGNED_SCOPE = re.compile(r"([^/]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
# Signature Version 2, which boto3 still uses for presigned S3 URLs unless told otherwise; S3 alone knows it.
_PRESIGNED_V2 = re.compile(r"(?:^|&)AWSAccessKeyId=([^&]+)")
_LAMBDA_PATHS = re.compile(r"/20\d\d-\d\d-\d\d/(functions|event-source-mappings|layers|durable-|tags|account-settings)")
_QUEUE_PATH = re.compile(r"/\d{12}/[^/]+/?")
_TARGETS = {"AmazonSQS": "sqs"}
# API Gateway's APIs sign by other names than botocore has for them; version 2 differs from 1 by its paths:
# https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/api-reference.html
_CONNECTIONS_SCOPE, _GATEWAY_SCOPE, _GATEWAY_V2_PATH = "execute-api", "apigateway", "/v2/"


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a request goes. ``service`` is None for what only moto can place (an unsigned request to S3, say)."""

    service: str | None
    region: str
    access_key: str | None


def destination(request: HttpRequest, default_region: str) -> Destination:
    """The destination: by credential scope, else by X-Amz-Target, else by path."""
    scope = _SCOPE.search(request.headers.get("authorization", ""))
    if scope is None and "X-Amz-Credential=" in request.query_string:
        presigned = _PRESIGNED.search(request.query_string)
        scope = _PRESIGNED_SCOPE.fullmatch(unquote(presigned.group(1))) if presigned else None
    if scope is not None:
        return Destination(_by_scope(scope.group(3).lower(), request), scope.group(2), scope.group(1))
    legacy = _PRESIGNED_V2.search(request.query_string)
    if legacy is not None:
        return Destination("s3", default_region, unquote(legacy.group(1)))
    target = _TARGETS.get(request.headers.get("x-amz-target", "").partition(".")[0])
    return Destination(target or _by_path(request), default_region, None)


def _by_scope(service: str, request: HttpRequest) -> str:
    if service == _CONNECTIONS_SCOPE:
        return "apigatewaymanagementapi"
    if service == _GATEWAY_SCOPE and request.raw_path.startswith(_GATEWAY_V2_PATH):
        return "apigatewayv2"
    return service


def _by_path(request: HttpRequest) -> str | None:
    if _LAMBDA_PATHS.match(request.raw_path):
        return "lambda"
    if request.raw_path.startswith("/v1/pipes"):
        return "pipes"
    if _QUEUE_PATH.fullmatch(request.raw_path) and (
        "Action=" in request.query_string or request.body.startswith((b"Action=", b"Version="))
    ):
        return "sqs"
    return None
