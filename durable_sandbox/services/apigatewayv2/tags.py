"""Tags of APIs, stages and domain names, which their ARNs name.

ARNs: https://docs.aws.amazon.com/apigateway/latest/developerguide/arn-format-reference.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from durable_sandbox.services.apigatewayv2.errors import bad_request, not_found
from durable_sandbox.services.apigatewayv2.kinds import API, DOMAIN_NAME, STAGE, Kind

_MAXIMUM = 50
_ARN = re.compile(r"arn:aws[a-z-]*:apigateway:([a-z0-9-]+)::(/.+)")
_PATHS = (
    (API, re.compile(r"/apis/(?P<ApiId>[^/]+)")),
    (STAGE, re.compile(r"/apis/(?P<ApiId>[^/]+)/stages/(?P<StageName>[^/]+)")),
    (DOMAIN_NAME, re.compile(r"/domainnames/(?P<DomainName>[^/]+)")),
)


def named(arn: str) -> tuple[str, Kind, dict[str, str]]:
    """Region and kind of ``arn``, and the members that name the resource. Raises AwsError (NotFoundException)."""
    match = _ARN.fullmatch(arn)
    region, path = (match[1], match[2]) if match is not None else ("", "")
    for kind, pattern in _PATHS:
        found = pattern.fullmatch(path)
        if found is not None:
            return region, kind, found.groupdict()
    raise not_found(f"Invalid resource identifier specified {arn}")


def added(current: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """Both. Raises AwsError (BadRequestException) if they are too many."""
    both = {**current, **new}
    if len(both) > _MAXIMUM:
        raise bad_request(f"A resource has at most {_MAXIMUM} tags, this would make {len(both)}.")
    return both
