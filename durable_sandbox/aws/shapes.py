"""Converters between JSON values and botocore member values, compiled once from a service's shapes.

A decoder turns what ``json.loads`` gave into botocore's Python types (blob -> bytes, timestamp -> aware datetime)
and rejects what the model forbids; an encoder does the reverse. Walking the model anew for each request, as
moto.core does, takes about three times as long (140 against 50 us for a SendMessageBatch of ten) and checks nothing.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape
from botocore.utils import parse_timestamp

from durable_sandbox.aws.errors import AwsError

Decoder = Callable[[Any], Any]
Encoder = Callable[[Any], Any]


_SHOWN = 200
"""Characters of a refused value that its error repeats."""


class InvalidValueError(Exception):
    """A value that the model forbids. ``path`` grows from the inside out while the error rises."""

    def __init__(self, problem: str, code: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.code = code
        self.path: list[str] = []

    def as_aws_error(self) -> AwsError:
        """The error a client sees, naming the member."""
        where = ".".join(reversed(self.path)) or "request body"
        return AwsError(self.code, f"{where}: {self.problem}")


def wrong_type(expected: str, value: Any) -> InvalidValueError:
    """The error of a value whose JSON type is not the model's."""
    return InvalidValueError(f"expected {expected}, got {type(value).__name__}", "SerializationException")


def broken(constraint: str) -> InvalidValueError:
    """The error of a value outside the model's enum, range, length or pattern."""
    return InvalidValueError(f"failed to satisfy constraint: {constraint}", "ValidationException")


def parse_moment(value: Any) -> datetime:
    """A timestamp from its wire form (epoch seconds or ISO 8601) as an aware UTC datetime."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise wrong_type("a timestamp", value)
    try:
        if isinstance(value, str):
            parsed: datetime = parse_timestamp(value)
            return parsed.astimezone(UTC)
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidValueError(f"{value!r} is not a timestamp", "SerializationException") from error


def epoch(value: datetime | float) -> int | float:
    """Epoch seconds to the millisecond, as AWS's JSON protocols write a timestamp."""
    seconds = value.timestamp() if isinstance(value, datetime) else value
    milliseconds = int(seconds * 1000 + 0.5)
    return milliseconds // 1000 if milliseconds % 1000 == 0 else milliseconds / 1000


def _decode_blob(value: Any) -> bytes:
    if not isinstance(value, str):
        raise wrong_type("base64 text", value)
    try:
        return base64.b64decode(value)
    except (binascii.Error, ValueError) as error:
        raise InvalidValueError("is not base64", "SerializationException") from error


def _decode_integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or int(value) != value:
        raise wrong_type("an integer", value)
    return int(value)


def _decode_float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong_type("a number", value)
    return float(value)


def _decode_boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise wrong_type("a boolean", value)
    return value


def _decode_string(value: Any) -> str:
    if not isinstance(value, str):
        raise wrong_type("a string", value)
    return value


_SCALARS: dict[str, Decoder] = {
    "blob": _decode_blob,
    "timestamp": parse_moment,
    "boolean": _decode_boolean,
    **dict.fromkeys(("integer", "long", "short", "byte"), _decode_integer),
    **dict.fromkeys(("float", "double"), _decode_float),
}


def _encode_blob(value: Any) -> str:
    return base64.b64encode(value.encode() if isinstance(value, str) else value).decode()


def wire_name(shape: Shape, member: str) -> str:
    """The JSON key of a member."""
    name: str = shape.serialization.get("name", member)
    return name


class Codec:
    """Decoders and encoders of one service's shapes.

    ``constraints``: also enforce the model's enums, ranges, lengths and patterns, as the rest-json services do
    ("failed to satisfy constraint"). SQS words its own limits, so its service checks them.
    """

    def __init__(self, *, constraints: bool) -> None:
        self._constraints = constraints
        self._decoders: dict[str, Decoder] = {}
        self._encoders: dict[str, Encoder] = {}

    def decoder(self, shape: Shape) -> Decoder:
        """The decoder of ``shape``."""
        found = self._decoders.get(shape.name)
        if found is None:
            # A recursive shape meets this forwarder while its own decoder is being compiled.
            self._decoders[shape.name] = lambda value: self._decoders[shape.name](value)  # noqa: PLW0108 - looks up late
            found = self._decoders[shape.name] = self._compile_decoder(shape)
        return found

    def encoder(self, shape: Shape) -> Encoder | None:
        """The encoder of ``shape``; None where the value already is what JSON needs."""
        if shape.type_name == "timestamp":
            # Keyed by traits rather than by name: the format belongs to the member.
            return _encode_iso if shape.serialization.get("timestampFormat") == "iso8601" else epoch
        if shape.type_name == "blob":
            return _encode_blob
        if not isinstance(shape, StructureShape | ListShape | MapShape):
            return None
        found = self._encoders.get(shape.name)
        if found is None:
            self._encoders[shape.name] = lambda value: self._encoders[shape.name](value)  # noqa: PLW0108 - looks up late
            found = self._encoders[shape.name] = self._compile_encoder(shape)
        return found

    def _compile_decoder(self, shape: Shape) -> Decoder:
        if isinstance(shape, StructureShape):
            return self._structure_decoder(shape)
        if isinstance(shape, ListShape):
            return self._list_decoder(shape)
        if isinstance(shape, MapShape):
            return self._map_decoder(shape)
        return self.within(shape, _SCALARS.get(shape.type_name, _decode_string))

    def within(self, shape: Shape, decode: Decoder) -> Decoder:
        """``decode``, then the constraints of a scalar shape."""
        check = scalar_check(shape) if self._constraints else None
        if check is None:
            return decode

        def decode_and_check(value: Any) -> Any:
            decoded = decode(value)
            check(decoded)
            return decoded

        return decode_and_check

    def _structure_decoder(self, shape: StructureShape) -> Decoder:
        if shape.is_document_type:
            return lambda value: value
        members = {wire_name(sub, name): (name, self.decoder(sub)) for name, sub in shape.members.items()}
        # A member of the path, query or headers is not the body's to require.
        required = [name for name in shape.required_members if "location" not in shape.members[name].serialization]

        def decode(value: Any) -> dict[str, Any]:
            if not isinstance(value, dict):
                raise wrong_type("an object", value)
            out: dict[str, Any] = {}
            for key, item in value.items():
                member = members.get(key)
                if member is None or item is None:
                    continue
                try:
                    out[member[0]] = member[1](item)
                except InvalidValueError as error:
                    error.path.append(member[0])
                    raise
            for name in required:
                if name not in out:
                    raise missing(name)
            return out

        return decode

    def _list_decoder(self, shape: ListShape) -> Decoder:
        item_decoder = self.decoder(shape.member)

        def decode(value: Any) -> list[Any]:
            if not isinstance(value, list):
                raise wrong_type("a list", value)
            try:
                return [item_decoder(item) for item in value]
            except InvalidValueError as error:
                error.path.append("member")
                raise

        return decode

    def _map_decoder(self, shape: MapShape) -> Decoder:
        value_decoder = self.decoder(shape.value)

        def decode(value: Any) -> dict[str, Any]:
            if not isinstance(value, dict):
                raise wrong_type("an object", value)
            out: dict[str, Any] = {}
            for key, item in value.items():
                try:
                    out[key] = value_decoder(item)
                except InvalidValueError as error:
                    error.path.append(key)
                    raise
            return out

        return decode

    def _compile_encoder(self, shape: Shape) -> Encoder:
        if isinstance(shape, StructureShape):
            return self._structure_encoder(shape)
        if isinstance(shape, ListShape):
            encode = self.encoder(shape.member)
            return list if encode is None else lambda value: [encode(item) for item in value]
        assert isinstance(shape, MapShape)  # noqa: S101 - encoder() passes no other shape
        encode_value = self.encoder(shape.value)
        if encode_value is None:
            return dict
        return lambda value: {key: encode_value(item) for key, item in value.items()}

    def _structure_encoder(self, shape: StructureShape) -> Encoder:
        if shape.is_document_type:
            return lambda value: value
        members = {name: (wire_name(sub, name), self.encoder(sub)) for name, sub in shape.members.items()}

        def encode(value: Mapping[str, Any]) -> dict[str, Any]:
            out: dict[str, Any] = {}
            for name, item in value.items():
                if item is None:
                    continue
                try:
                    wire, encoder = members[name]
                except KeyError:
                    # Dropping it silently would hide a service's misspelt member for good.
                    raise TypeError(f"{shape.name} has no member {name!r} in botocore's model") from None
                out[wire] = item if encoder is None else encoder(item)
            return out

        return encode


def missing(name: str) -> InvalidValueError:
    """The error of a required member that was not sent."""
    error = broken("Member must not be null")
    error.path.append(name)
    return error


def _encode_iso(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def scalar_check(shape: Shape) -> Callable[[Any], None] | None:
    """What the model demands of a string or number, or None. Raises InvalidValueError through the check."""
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if not isinstance(shape, StringShape):
        if (low is None and high is None) or shape.type_name in ("blob", "timestamp", "boolean"):
            return None

        def check_number(value: float) -> None:
            if (low is not None and value < low) or (high is not None and value > high):
                raise broken(f"Member must have value between {low} and {high}, got {value}")

        return check_number
    enum = frozenset(shape.enum or ())
    pattern = _compile(shape.metadata.get("pattern"))
    if not enum and pattern is None and low is None and high is None:
        return None

    def check_text(value: str) -> None:
        if enum and value not in enum:
            raise broken(f"Member must satisfy enum value set: [{', '.join(sorted(enum))}], got {value[:_SHOWN]!r}")
        if (low is not None and len(value) < low) or (high is not None and len(value) > high):
            raise broken(f"Member must have length between {low} and {high}, got {len(value)}")
        if pattern is not None and not pattern.fullmatch(value):
            raise broken(f"Member must satisfy regular expression pattern: {pattern.pattern}, got {value[:_SHOWN]!r}")

    return check_text


def _compile(pattern: str | None) -> re.Pattern[str] | None:
    if pattern is None or pattern in (".*", "[\\s\\S]*"):
        return None
    try:
        return re.compile(pattern, re.ASCII)
    except re.error:
        # A few models use Java's own syntax; the service then has the last word.
        return None
