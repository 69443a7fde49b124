"""The API of API Gateway version 2, and what its data plane asks of it.

Source: https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/ and the botocore model. What all kinds of resources
have in common runs by the table of kinds; what one has of its own is a method.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from durable_sandbox.aws.call import Call, Service
from durable_sandbox.events.websocket.deployed import ENDPOINT_PATH, DeployedStage
from durable_sandbox.services.apigatewayv2 import tags
from durable_sandbox.services.apigatewayv2.checks import check
from durable_sandbox.services.apigatewayv2.defaults import updated, with_defaults
from durable_sandbox.services.apigatewayv2.deletion import check_deletion
from durable_sandbox.services.apigatewayv2.deploying import auto_deploy, deployed_stage, point, snapshot
from durable_sandbox.services.apigatewayv2.errors import bad_request, not_emulated, not_found
from durable_sandbox.services.apigatewayv2.kinds import (
    API,
    API_MAPPING,
    DEPLOYMENT,
    DOMAIN_NAME,
    INTEGRATION,
    OPERATIONS,
    ROUTE,
    STAGE,
    Kind,
    check_shape,
    given,
)
from durable_sandbox.services.apigatewayv2.resources import Change, Place, Resource, one_of, page, place_of, random_id

_DEFAULT = "$default"

OnDeleted = Callable[[str, str | None], None]


def _no_role(_: str) -> None:
    return None


class ApiGatewayService(Service):
    """APIs by region, and what is deployed of them: the control plane of ``events.websocket``.

    ``account_role``: region -> ARN of the role by which API Gateway writes logs, a setting of version 1.
    ``on_deleted``: told of an API that is gone, or a stage of it (API id, stage or None for all).
    """

    name: ClassVar[str] = "apigatewayv2"

    def __init__(
        self,
        *,
        account: str,
        base_url: str,
        account_role: Callable[[str], str | None] = _no_role,
        on_deleted: OnDeleted | None = None,
    ) -> None:
        self._account = account
        self._endpoint = f"ws{base_url.removeprefix('http').rstrip('/')}{ENDPOINT_PATH}"
        self._account_role = account_role
        self.on_deleted = on_deleted
        self._regions: dict[str, Resource] = {}
        self._served: dict[tuple[str, str], DeployedStage] = {}

    async def handle(self, call: Call) -> Mapping[str, Any]:
        """Run ``call``. Raises AwsError."""
        check_shape(call.operation, call.params)
        verb, kind = OPERATIONS.get(call.operation, ("", API))
        if not verb:
            return await super().handle(call)
        run: Mapping[str, Callable[[Kind, Call], dict[str, Any]]] = {
            "create": self._create,
            "get": self._get,
            "list": self._list,
            "update": self._update,
            "delete": self._delete,
        }
        return run[verb](kind, call)

    # --- what every kind has ----------------------------------------------------------------------------------

    def _create(self, kind: Kind, call: Call) -> dict[str, Any]:
        place = self._place(kind, call)
        if kind is API and call.params.get("Target") and call.params["ProtocolType"] != "HTTP":
            raise bad_request("Target is for an API of protocol type HTTP.")
        stage = self._stage_to_deploy(place, kind, call.params)
        made = self._made(place, kind, given(kind, call.params))
        if kind is API:
            made.members = {**made.members, "ApiEndpoint": self._endpoint_of(call.region, made)}
            if call.params.get("Target"):
                self._quick_create(call.region, made, call.params)
        elif kind is DEPLOYMENT:
            made.snapshot = snapshot(place.owner)
            if stage is not None:
                point(stage, made.text("DeploymentId"))
        self._changed(kind, place.owners)
        if kind is STAGE and made.members["AutoDeploy"]:
            auto_deploy(place.owner)
        return dict(made.members)

    def _made(self, place: Place, kind: Kind, asked: Mapping[str, Any], **more: Any) -> Resource:
        """A new resource, checked and in its place; ``more`` are members that no request can ask for."""
        beside = place.owner.of(kind)
        members = with_defaults(place, kind, asked) | more
        check(Change(place, kind, None, asked, members, self._account_role))
        if kind.id_length:
            members[kind.id_member] = self._new_id(kind, beside)
        made = beside[str(members[kind.id_member])] = Resource(members)
        return made

    def _stage_to_deploy(self, place: Place, kind: Kind, params: Mapping[str, Any]) -> Resource | None:
        """The stage that CreateDeployment is to change, if any. Raises AwsError (NotFoundException)."""
        if kind is not DEPLOYMENT or not params.get("StageName"):
            return None
        return one_of(place.owner, STAGE, params, self._account)

    def _get(self, kind: Kind, call: Call) -> dict[str, Any]:
        return dict(self._find(kind, call).members)

    def _list(self, kind: Kind, call: Call) -> dict[str, Any]:
        return page(self._place(kind, call).owner.of(kind), call.params)

    def _update(self, kind: Kind, call: Call) -> dict[str, Any]:
        if kind is API and any(call.params.get(member) for member in ("CredentialsArn", "RouteKey", "Target")):
            raise not_emulated("changes to what a quick create made by UpdateApi")
        place, found = self._place(kind, call), self._find(kind, call)
        asked = {name: value for name, value in given(kind, call.params).items() if name != kind.id_member}
        members = updated(kind, found.members, asked)
        check(Change(place, kind, found.text(kind.id_member), asked, members, self._account_role))
        begins = bool(members.get("AutoDeploy")) and not found.members.get("AutoDeploy")
        found.members = members
        self._changed(kind, place.owners or (found,))
        if begins:
            auto_deploy(place.owner)
        return dict(found.members)

    def _delete(self, kind: Kind, call: Call) -> dict[str, Any]:
        place, found = self._place(kind, call), self._find(kind, call)
        check_deletion(place, kind, found)
        del place.owner.of(kind)[found.text(kind.id_member)]
        self._changed(kind, place.owners)
        if kind is API:
            self._gone(found.text("ApiId"), None)
        elif kind is STAGE:
            self._gone(place.owner.text("ApiId"), found.text("StageName"))
        return {}

    # --- what some kinds have besides -------------------------------------------------------------------------

    def delete_access_log_settings(self, call: Call) -> None:
        """Stop a stage's access log. Raises NotFoundException."""
        stage = self._find(STAGE, call)
        stage.members = {name: value for name, value in stage.members.items() if name != "AccessLogSettings"}
        self._served.clear()

    def delete_route_settings(self, call: Call) -> None:
        """Let a route have the stage's settings again. Raises NotFoundException."""
        self._remove(STAGE, call, "RouteSettings", "RouteKey")
        self._served.clear()

    def delete_route_request_parameter(self, call: Call) -> None:
        """Remove one of a route's request parameters. Raises NotFoundException."""
        self._remove(ROUTE, call, "RequestParameters", "RequestParameterKey")
        self._changed(ROUTE, self._place(ROUTE, call).owners)

    def delete_cors_configuration(self, call: Call) -> None:
        """Remove an API's CORS configuration. Raises NotFoundException."""
        api = self._find(API, call)
        api.members = {name: value for name, value in api.members.items() if name != "CorsConfiguration"}

    def get_tags(self, call: Call) -> Mapping[str, Any]:
        """Give a resource's tags. Raises NotFoundException."""
        return {"Tags": dict(self._tagged(call).members["Tags"])}

    def tag_resource(self, call: Call) -> None:
        """Add or overwrite tags. Raises NotFoundException, BadRequestException."""
        found = self._tagged(call)
        found.members = {**found.members, "Tags": tags.added(found.members["Tags"], call.params.get("Tags") or {})}

    def untag_resource(self, call: Call) -> None:
        """Remove tags. Raises NotFoundException."""
        found, keys = self._tagged(call), call.params["TagKeys"]
        kept = {name: value for name, value in found.members["Tags"].items() if name not in keys}
        found.members = {**found.members, "Tags": kept}

    # --- the data plane ---------------------------------------------------------------------------------------

    def stage(self, api_id: str, stage: str) -> DeployedStage | None:
        """What is deployed there now; None if there is no such WebSocket API, stage or deployment.

        Asked for every frame, so kept until a change; but the account's role is no part of the API.
        """
        key = (api_id, stage)
        found = self._served.get(key) or self._deployed(api_id, stage)
        if found is None:
            return None
        role = None if found.access_log is None else self._account_role(found.region)
        if role != found.log_role:
            found = replace(found, log_role=role)
        self._served[key] = found
        return found

    def mapped(self, host: str, mapping_key: str) -> tuple[str, str] | None:
        """API id and stage behind a custom domain's name and the path's first part ("" for none)."""
        for root in self._regions.values():
            domain = root.of(DOMAIN_NAME).get(host)
            for mapping in domain.of(API_MAPPING).values() if domain is not None else ():
                if mapping.text("ApiMappingKey") == mapping_key:
                    return mapping.text("ApiId"), mapping.text("Stage")
        return None

    def status(self) -> dict[str, list[dict[str, Any]]]:
        """APIs and their stages, for the status page."""
        return {
            "apis": [
                {
                    "region": region,
                    "id": api_id,
                    "name": api.text("Name"),
                    "protocol": api.text("ProtocolType"),
                    "endpoint": api.text("ApiEndpoint"),
                    "stages": sorted(api.of(STAGE)),
                }
                for region, root in sorted(self._regions.items())
                for api_id, api in sorted(root.of(API).items())
            ]
        }

    def reset(self) -> None:
        """Remove everything, without a word to ``on_deleted``."""
        self._regions.clear()
        self._served.clear()

    # --- inside -----------------------------------------------------------------------------------------------

    def _place(self, kind: Kind, call: Call) -> Place:
        root = self._regions.setdefault(call.region, Resource())
        return place_of(call.region, root, kind, call.params, self._account)

    def _find(self, kind: Kind, call: Call) -> Resource:
        return one_of(self._place(kind, call).owner, kind, call.params, self._account)

    def _new_id(self, kind: Kind, beside: Mapping[str, Resource]) -> str:
        """An id that is free; an API's in every region, for the data plane knows APIs by nothing else."""
        while True:
            made = random_id(kind.id_length)
            everywhere = kind is API and any(made in root.of(API) for root in self._regions.values())
            if made not in beside and not everywhere:
                return made

    def _endpoint_of(self, region: str, api: Resource) -> str:
        if api.websocket:
            return f"{self._endpoint}/{api.text('ApiId')}"
        return f"https://{api.text('ApiId')}.execute-api.{region}.amazonaws.com"

    def _quick_create(self, region: str, api: Resource, params: Mapping[str, Any]) -> None:
        """An HTTP API with integration, route and stage at once: CreateApi with ``Target`` (botocore)."""
        target = params["Target"]
        asked = {
            "IntegrationType": "AWS_PROXY" if target.startswith("arn:") else "HTTP_PROXY",
            "IntegrationUri": target,
        }
        if params.get("CredentialsArn"):
            asked["CredentialsArn"] = params["CredentialsArn"]
        place = Place(region, self._regions[region], (api,))
        integration = self._made(place, INTEGRATION, asked, ApiGatewayManaged=True)
        route = {
            "RouteKey": params.get("RouteKey") or _DEFAULT,
            "Target": f"integrations/{integration.text('IntegrationId')}",
        }
        self._made(place, ROUTE, route, ApiGatewayManaged=True)
        self._made(place, STAGE, {"StageName": _DEFAULT, "AutoDeploy": True}, ApiGatewayManaged=True)
        auto_deploy(api)

    def _changed(self, kind: Kind, owners: tuple[Resource, ...]) -> None:
        """After a change to a resource: deploy its API where that goes by itself, and forget what was served."""
        self._served.clear()
        if owners and kind not in {STAGE, DEPLOYMENT, DOMAIN_NAME, API_MAPPING}:
            auto_deploy(owners[0])

    def _gone(self, api_id: str, stage: str | None) -> None:
        if self.on_deleted is not None:
            self.on_deleted(api_id, stage)

    def _remove(self, kind: Kind, call: Call, member: str, key_member: str) -> None:
        found, key = self._find(kind, call), call.params[key_member]
        entries = found.members.get(member) or {}
        if key not in entries:
            raise not_found(f"{member} has no {key!r}.")
        found.members = {**found.members, member: {name: one for name, one in entries.items() if name != key}}

    def _tagged(self, call: Call) -> Resource:
        region, kind, params = tags.named(call.params["ResourceArn"])
        place = place_of(region, self._regions.get(region, Resource()), kind, params, self._account)
        return one_of(place.owner, kind, params, self._account)

    def _deployed(self, api_id: str, stage: str) -> DeployedStage | None:
        for region, root in self._regions.items():
            api = root.of(API).get(api_id)
            if api is not None and api.websocket and stage in api.of(STAGE):
                return deployed_stage(region, api, api.of(STAGE)[stage])
        return None
