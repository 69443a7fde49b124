"""Answers that did not arrive: an SDK's next try of a call that was made gets the first one's answer.

A busy machine loses an answer now and then (measured: one apply of about ten, of some 300 calls each, with both processors at
their limit; the provider then tries again within 70 ms). To create something again would fail with a conflict, and leave
Terraform without what it created; to update again what is still being updated, likewise. AWS's SDKs say that a try is another one of the same call: ``amz-sdk-invocation-id`` stays, ``amz-sdk-request``
counts (https://github.com/smithy-lang/smithy-go and botocore's retryhandler write them). Reads need no such help, and what invokes or
sends is done again, as on AWS.
"""

from __future__ import annotations

import logging
import re
from collections import OrderedDict

from durable_sandbox.aws.http import HttpRequest, HttpResponse

logger = logging.getLogger(__name__)

_KEPT = 512
_CHANGING = ("Add", "Create", "Publish", "Update")
_SUCCESS = range(200, 300)
_ATTEMPT = re.compile(r"attempt=(\d+)")
_DATA_PLANE = frozenset({"PublishBatch", "Publish", "UpdateItem"})
"""Messages and rows: they begin as PublishVersion and UpdateFunctionCode do."""


class Answers:
    """The last successful answers of calls that create or update something, by the SDK's id of the call."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, HttpResponse] = OrderedDict()

    def keep(self, request: HttpRequest, operation: str, response: HttpResponse) -> None:
        """Remember what ``operation`` was answered, if it created or updated something."""
        call = request.headers.get("amz-sdk-invocation-id")
        if call is None or response.status not in _SUCCESS or operation in _DATA_PLANE:
            return
        if operation.startswith(_CHANGING):
            self._kept[call] = response
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)

    def again(self, request: HttpRequest) -> HttpResponse | None:
        """The answer of an earlier try of the same call; None for a first try, and for one that had not succeeded."""
        match = _ATTEMPT.match(request.headers.get("amz-sdk-request", ""))
        if match is None or int(match[1]) == 1:
            return None
        response = self._kept.get(request.headers.get("amz-sdk-invocation-id", ""))
        if response is not None:
            logger.warning("%s %s: try %s of a call that was answered", request.method, request.raw_path, match[1])
        return response

    def forget(self) -> None:
        """Forget all: what they tell of is gone."""
        self._kept.clear()
