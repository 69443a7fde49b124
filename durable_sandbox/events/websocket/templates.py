"""API Gateway's mapping templates: Velocity with $input, $context, $stageVariables and $util.

Sources: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-mapping-template-reference.html
(it has no $input.params); https://github.com/localstack/localstack/pull/12413 (seen on AWS: an empty $input.body is ``{}``).
No source tells what is missing prints as in $input.json: ``""`` here; nor which of Java's escapes $util.escapeJavaScript
uses for slashes and for what is not ASCII: none here, which JavaScript reads the same.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from durable_sandbox.events.websocket.expressions import ExpressionError, json_document, path_value
from durable_sandbox.events.websocket.velocity import Provided, TemplateError, argument, json_text, merged

__all__ = ["TemplateError", "TemplateInput", "render"]


@dataclass(frozen=True, slots=True)
class TemplateInput:
    """What a template sees: the message as it came, ``$context`` as JSON values, and the stage's variables."""

    body: str
    context: Mapping[str, Any] = field(default_factory=dict)
    stage_variables: Mapping[str, str] = field(default_factory=dict)


def render(template: str, values: TemplateInput) -> str:
    """The text of ``template``. What is inserted is never parsed again.

    A reference to what is missing prints as "" where its name is known ($input, $context, a variable that was set) and as
    itself where it is not, as in Velocity; ``$!`` prints "" for both. Raises TemplateError: for what is no template, for
    $input.path and $input.json of a body that is not JSON, and for methods that there are not.
    """
    namespace = {
        "input": _input(values.body or "{}"),
        "util": _UTIL,
        "context": _copied(values.context),
        "stageVariables": dict(values.stage_variables),
    }
    return merged(template, namespace)


def _copied(value: Any) -> Any:
    """A copy that templates may change, with plain containers."""
    if isinstance(value, Mapping):
        return {str(key): _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, (list, tuple)) else value


def _input(body: str) -> Provided:
    def path(expression: str) -> Any:
        try:
            return path_value(json_document(body), expression)
        except ExpressionError as error:
            raise TemplateError(f"$input.path and $input.json: {error}") from error

    def json(expression: str) -> str:
        found = path(expression)
        return '""' if found is None else json_text(found)

    return Provided("$input", {"path": path, "json": json}, {"body": body})


def _bytes(value: Any) -> bytes:
    return argument(value).encode(errors="replace")


def _url_encode(value: Any) -> str:
    # java.net.URLEncoder leaves letters, digits and *-._ as they are; Python leaves the tilde too.
    return quote_plus(_bytes(value), safe="*").replace("~", "%7E")


def _url_decode(value: Any) -> str:
    return unquote_plus(argument(value), errors="replace")


_ESCAPES = {"\b": "\\b", "\n": "\\n", "\t": "\\t", "\f": "\\f", "\r": "\\r", '"': '\\"', "'": "\\'", "\\": "\\\\"}


def _escape_javascript(value: Any) -> str:
    return "".join(
        _ESCAPES.get(character) or (f"\\u{ord(character):04X}" if character < " " else character)
        for character in argument(value)
    )


def _parse_json(value: Any) -> Any:
    try:
        return json_document(argument(value))
    except ExpressionError as error:
        raise TemplateError(f"$util.parseJson: {error}") from error


def _base64_encode(value: Any) -> str:
    return base64.b64encode(_bytes(value)).decode()


def _base64_decode(value: Any) -> str:
    try:
        return base64.b64decode(_bytes(value), validate=True).decode(errors="replace")
    except binascii.Error as error:
        raise TemplateError(f"$util.base64Decode: {error}") from error


_UTIL = Provided(
    "$util",
    {
        "urlEncode": _url_encode,
        "urlDecode": _url_decode,
        "escapeJavaScript": _escape_javascript,
        "parseJson": _parse_json,
        "base64Encode": _base64_encode,
        "base64Decode": _base64_decode,
    },
)
