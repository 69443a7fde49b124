"""Resources as a tree: a region has APIs and domain names, an API has routes, a route has route responses."""

from __future__ import annotations

import base64
import binascii
import secrets
import string
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from durable_sandbox.events.websocket.deployed import Route
from durable_sandbox.services.apigatewayv2.errors import bad_request, not_found
from durable_sandbox.services.apigatewayv2.kinds import API, API_MAPPING, DOMAIN_NAME, STAGE, Kind

_ALPHABET = string.ascii_lowercase + string.digits
_DEFAULT_PAGE = 100


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a deployment froze of its API. Routes come without throttles, which are the stage's."""

    selection: str
    routes: Mapping[str, Route]


@dataclass(slots=True)
class Resource:
    """A resource, or a region itself. ``members`` is replaced by a change, never written into."""

    members: Mapping[str, Any] = field(default_factory=dict)
    snapshot: Snapshot | None = None
    _children: dict[str, dict[str, Resource]] = field(default_factory=dict)

    def of(self, kind: Kind) -> dict[str, Resource]:
        """Its resources of a kind, by id: what is written into it is kept."""
        return self._children.setdefault(kind.name, {})

    def text(self, member: str) -> str:
        """A member of the API's shape, such as ``RouteKey``, as text; empty if there is none."""
        return str(self.members.get(member) or "")

    @property
    def websocket(self) -> bool:
        """Whether it is a WebSocket API."""
        return self.members.get("ProtocolType") == "WEBSOCKET"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a resource is. ``owners``: what it is in, outermost (the API, say) first; none in the region itself."""

    region: str
    root: Resource
    owners: tuple[Resource, ...] = ()

    @property
    def owner(self) -> Resource:
        """What it is directly in."""
        return self.owners[-1] if self.owners else self.root


@dataclass(frozen=True, slots=True)
class Change:
    """A resource as it would be. ``key``: its id, if it is there already.

    ``given``: the request's own members; ``members``: with those that were there, and defaults. ``account_role``: region ->
    ARN of the role by which API Gateway writes logs, None without one.
    """

    place: Place
    kind: Kind
    key: str | None
    given: Mapping[str, Any]
    members: Mapping[str, Any]
    account_role: Callable[[str], str | None]

    @property
    def api(self) -> Resource:
        """The API, or the domain name, that it is in. Raises IndexError for one of those itself."""
        return self.place.owners[0]

    def text(self, member: str) -> str:
        """A member of the API's shape, such as ``RouteKey``, as text; empty if there is none."""
        return str(self.members.get(member) or "")

    def others(self) -> Iterable[Resource]:
        """The resources of its kind beside it, without itself."""
        return (one for key, one in self.place.owner.of(self.kind).items() if key != self.key)


def random_id(length: int) -> str:
    """``length`` random small letters and digits, as API Gateway makes its ids."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def place_of(region: str, root: Resource, kind: Kind, params: Mapping[str, Any], account: str) -> Place:
    """Where a resource of ``kind`` is that ``params`` name. Raises AwsError (NotFoundException)."""
    if kind.parent is None:
        return Place(region, root)
    above = place_of(region, root, kind.parent, params, account)
    return Place(region, root, (*above.owners, one_of(above.owner, kind.parent, params, account)))


def one_of(owner: Resource, kind: Kind, params: Mapping[str, Any], account: str) -> Resource:
    """The resource that ``params`` name. Raises AwsError (NotFoundException).

    AWS names account and id of an API: https://github.com/aws/aws-sam-cli/issues/7030. The others by moto 5.2.
    """
    key = str(params.get(kind.id_member, ""))
    found = owner.of(kind).get(key)
    if found is not None:
        return found
    if kind is API:
        raise not_found(f"Invalid API identifier specified {account}:{key}")
    if kind is STAGE:
        raise not_found("Invalid stage identifier specified")
    if kind in {DOMAIN_NAME, API_MAPPING}:
        raise not_found(f"The {kind.noun.lower()} resource specified in the request was not found.")
    raise not_found(f"Invalid {kind.noun or kind.name} identifier specified {key}")


def page(found: Mapping[str, Resource], params: Mapping[str, Any]) -> dict[str, Any]:
    """The output of a list: ``Items`` by id, ``NextToken`` if there are more. Raises AwsError (BadRequestException)."""
    size, token = params.get("MaxResults"), params.get("NextToken")
    try:
        most = _DEFAULT_PAGE if size is None else int(size)
        after = "" if token is None else base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (ValueError, binascii.Error) as error:
        raise bad_request("Invalid MaxResults or NextToken specified.") from error
    if most < 1:
        raise bad_request(f"Invalid MaxResults specified: {most}.")
    keys = [key for key in sorted(found) if key > after]
    answer: dict[str, Any] = {"Items": [dict(found[key].members) for key in keys[:most]]}
    if len(keys) > most:
        answer["NextToken"] = base64.urlsafe_b64encode(keys[most - 1].encode()).decode()
    return answer
