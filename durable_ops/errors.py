"""What can go wrong, as one line with a way out and an exit code.

Codes: https://docs.aws.amazon.com/awsconsolehelpdocs/latest/gsg/common-errors.html, and the services' own common errors.
"""

from __future__ import annotations

import re
from enum import IntEnum

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's, which covers timeouts and refusals
    HTTPClientError,
    InvalidRegionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)


class Exit(IntEnum):
    """Exit codes, as documented in docs/guides/operate.md."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    CREDENTIALS = 4
    DENIED = 5
    NOT_FOUND = 6
    INTERRUPTED = 130


_CREDENTIAL_CODES = frozenset({
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "InvalidSecurity",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
})  # fmt: skip
_DENIED_CODES = frozenset({
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "KMSAccessDeniedException",
    "KmsAccessDenied",
    "KMS.AccessDeniedException",
    "NotAuthorized",
    "UnauthorizedOperation",
})  # fmt: skip
_MISSING_CODES = frozenset({
    "AWS.SimpleQueueService.NonExistentQueue",
    "NotFoundException",
    "QueueDoesNotExist",
    "ResourceNotFoundException",
})  # fmt: skip
_THROTTLED = re.compile(r"Throttl|TooManyRequests|RequestLimitExceeded")
_SERVER_ERROR = 500
_CREDENTIALS_FIX = "Check AWS_PROFILE, the AWS_* keys, or --profile; after a single sign-on: aws sso login."


class OpsError(Exception):
    """``what`` is wrong, in one line whatever AWS said; ``fix`` says what to do."""

    def __init__(self, what: str, fix: str, exit_code: Exit = Exit.FAILED) -> None:
        what = " ".join(what.split())
        super().__init__(what)
        self.what = what
        self.fix = fix
        self.exit_code = exit_code

    @property
    def is_final(self) -> bool:
        """Whether the next call would meet the same, whatever message it is about."""
        return self.exit_code in {Exit.UNREACHABLE, Exit.CREDENTIALS, Exit.DENIED, Exit.NOT_FOUND}


def code_of(error: ClientError) -> str:
    """The error code of an AWS answer."""
    return str(error.response.get("Error", {}).get("Code", ""))


def explain(error: BotoCoreError | ClientError) -> OpsError:
    """Say it in one line, with the fix."""
    return _answered(error) if isinstance(error, ClientError) else _unanswered(error)


def _answered(error: ClientError) -> OpsError:
    code, said = code_of(error), str(error.response.get("Error", {}).get("Message", "")).strip()
    if code in _CREDENTIAL_CODES:
        return OpsError(f"AWS does not accept the credentials: {code}: {said}", _CREDENTIALS_FIX, Exit.CREDENTIALS)
    if code in _DENIED_CODES:
        return OpsError(
            f"Not permitted: {error.operation_name}: {said or code}",
            "Use a role with the permissions of docs/guides/operate.md, or ask for this one.",
            Exit.DENIED,
        )
    if code in _MISSING_CODES:
        return OpsError(
            f"Not found: {error.operation_name}: {said or code}",
            "Check the name, --region and --profile.",
            Exit.NOT_FOUND,
        )
    if _THROTTLED.search(code):
        return OpsError(f"{error.operation_name} is throttled: {said or code}", "Try again later, with a lower --rate.")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return OpsError(
        f"{error.operation_name} failed: {code}: {said}",
        "The fault is on the other side: run it again later."
        if status >= _SERVER_ERROR
        else "AWS refuses what it was asked: compare the arguments with --help.",
    )


def _unanswered(error: BotoCoreError) -> OpsError:
    if isinstance(error, NoRegionError | InvalidRegionError):
        what = "No region is set." if isinstance(error, NoRegionError) else str(error)
        return OpsError(what, "Give --region, or set AWS_REGION, to one such as eu-west-1.", Exit.USAGE)
    if isinstance(error, ProfileNotFound):
        return OpsError(str(error), "List them: aws configure list-profiles.", Exit.CREDENTIALS)
    if isinstance(error, NoCredentialsError | PartialCredentialsError | SSOError | TokenRetrievalError):
        return OpsError(f"There are no credentials: {error}", _CREDENTIALS_FIX, Exit.CREDENTIALS)
    if isinstance(error, ConnectionError | HTTPClientError):
        url = getattr(error, "kwargs", {}).get("endpoint_url")
        return OpsError(
            f"Nothing answers at {url}." if url else f"AWS does not answer: {error}",
            "Check --endpoint-url and AWS_ENDPOINT_URL (leave both unset for AWS), the region and the network.",
            Exit.UNREACHABLE,
        )
    if isinstance(error, ParamValidationError):
        return OpsError(str(error), "AWS was not asked: compare the arguments with --help.", Exit.USAGE)
    return OpsError(str(error), "AWS was not asked: check the configuration, aws configure list.")
