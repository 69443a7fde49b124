"""Stages, deployments and domain names of API Gateway v2, and what the data plane is told of them."""

from __future__ import annotations

from typing import Any

import pytest
from apigateway_fakes import ACCOUNT, FUNCTION, FUNCTION_URI, QUEUE_URI, REGION, ROLE, Bench

from durable_sandbox.events.websocket.deployed import (
    AccessLog,
    Apis,
    Authorizer,
    DeployedStage,
    Integration,
    IntegrationResponse,
    Route,
    Throttle,
)

GROUP = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/ws/access"
FORMAT = '{"id":"$context.requestId"}'
NO_ROLE = "CloudWatch Logs role ARN must be set in account settings to enable logging"


@pytest.fixture
def bench() -> Bench:
    return Bench()


def served(bench: Bench, api: str, stage: str = "live") -> DeployedStage:
    apis: Apis = bench.service
    found = apis.stage(api, stage)
    assert found is not None
    return found


def test_a_stage_has_defaults(bench: Bench) -> None:
    made = bench.stage(bench.api())
    assert made.pop("CreatedDate") == made.pop("LastUpdatedDate")
    assert made == {
        "StageName": "live",
        "AutoDeploy": False,
        "DefaultRouteSettings": {"DataTraceEnabled": False, "DetailedMetricsEnabled": False, "LoggingLevel": "OFF"},
        "RouteSettings": {},
        "StageVariables": {},
        "Tags": {},
    }
    assert bench.stage(bench.http_api())["DefaultRouteSettings"] == {"DetailedMetricsEnabled": False}


def test_a_stage_serves_its_deployment_until_it_gets_another(bench: Bench) -> None:
    api = bench.api()
    assert bench.refused("CreateDeployment", ApiId=api).message == (
        "At least one route is required before deploying the Api"
    )
    bench.route(api)
    first = bench.do("CreateDeployment", ApiId=api, Description="one")
    assert first["DeploymentStatus"] == "DEPLOYED"
    assert first["AutoDeployed"] is False
    bench.stage(api)
    assert bench.service.stage(api, "live") is None
    bench.do("UpdateStage", ApiId=api, StageName="live", DeploymentId=first["DeploymentId"])
    bench.route(api, "more")
    assert set(served(bench, api).routes) == {"$default"}
    missing = bench.refused("CreateDeployment", ApiId=api, StageName="none")
    assert missing.code == "NotFoundException"
    assert len(bench.do("GetDeployments", ApiId=api)["Items"]) == 1
    second = bench.do("CreateDeployment", ApiId=api, StageName="live")["DeploymentId"]
    assert set(served(bench, api).routes) == {"$default", "more"}
    assert bench.do("GetStage", ApiId=api, StageName="live")["DeploymentId"] == second
    refused = bench.refused("DeleteDeployment", ApiId=api, DeploymentId=second)
    assert refused.message == "Active stages pointing to this deployment must be moved or deleted"
    bench.do("DeleteDeployment", ApiId=api, DeploymentId=first["DeploymentId"])


def test_a_stage_that_deploys_by_itself_follows_every_change(bench: Bench) -> None:
    api = bench.api()
    made = bench.stage(api, AutoDeploy=True)
    assert made["LastDeploymentStatusMessage"].startswith("Deployment attempt failed: ")
    assert bench.service.stage(api, "live") is None
    seen = set()

    def deployment() -> str:
        stage = bench.do("GetStage", ApiId=api, StageName="live")
        found = str(stage["DeploymentId"])
        assert stage["LastDeploymentStatusMessage"] == f"Successfully deployed stage with deployment ID '{found}'"
        assert bench.do("GetDeployment", ApiId=api, DeploymentId=found)["AutoDeployed"] is True
        assert found not in seen
        seen.add(found)
        return found

    route = bench.route(api)
    deployment()
    assert served(bench, api).routes["$default"].integration is None
    integration = bench.integration(api)
    bench.do("UpdateRoute", ApiId=api, RouteId=route, Target=f"integrations/{integration}")
    deployment()
    assert served(bench, api).routes["$default"].integration is not None
    bench.do("UpdateIntegration", ApiId=api, IntegrationId=integration, TimeoutInMillis=50)
    found = served(bench, api).routes["$default"].integration
    assert found is not None
    assert found.timeout == 0.05
    deployment()
    bench.do("UpdateApi", ApiId=api, RouteSelectionExpression="$request.body.kind")
    assert served(bench, api).selection == "$request.body.kind"
    last = deployment()
    refused = bench.refused("UpdateStage", ApiId=api, StageName="live", DeploymentId=last)
    assert refused.code == "BadRequestException"
    bench.do("UpdateStage", ApiId=api, StageName="live", AutoDeploy=False)
    bench.do("UpdateApi", ApiId=api, RouteSelectionExpression="$request.body.other")
    assert served(bench, api).selection == "$request.body.kind"
    bench.do("UpdateStage", ApiId=api, StageName="live", AutoDeploy=True)
    assert served(bench, api).selection == "$request.body.other"


def test_the_data_plane_gets_everything(bench: Bench) -> None:
    api = bench.api()
    bench.role = ROLE
    authorizer = bench.authorizer(
        api, IdentitySource=["route.request.querystring.token"], AuthorizerCredentialsArn=ROLE
    )
    connect = bench.integration(api, IntegrationType="AWS_PROXY", IntegrationUri=FUNCTION)
    queue = bench.integration(
        api,
        IntegrationType="AWS",
        IntegrationUri=QUEUE_URI,
        CredentialsArn=ROLE,
        PassthroughBehavior="NEVER",
        RequestParameters={"integration.request.header.Content-Type": "'x'"},
        RequestTemplates={"$default": "Action=SendMessage"},
        TemplateSelectionExpression="\\$default",
        TimeoutInMillis=5000,
    )
    bench.do(
        "CreateIntegrationResponse",
        ApiId=api,
        IntegrationId=queue,
        IntegrationResponseKey="$default",
        ResponseTemplates={"$default": "ok"},
        TemplateSelectionExpression="\\$default",
    )
    bench.do("CreateModel", ApiId=api, Name="M", Schema='{"type":"object"}')
    on_connect = bench.route(
        api,
        "$connect",
        Target=f"integrations/{connect}",
        AuthorizationType="CUSTOM",
        AuthorizerId=authorizer,
    )
    default = bench.route(
        api,
        Target=f"integrations/{queue}",
        RouteResponseSelectionExpression="$default",
        ModelSelectionExpression="$default",
        RequestModels={"$default": "M"},
    )
    bench.do("CreateRouteResponse", ApiId=api, RouteId=default, RouteResponseKey="$default")
    bench.stage(
        api,
        AutoDeploy=True,
        StageVariables={"a": "b"},
        AccessLogSettings={"DestinationArn": GROUP, "Format": FORMAT},
        DefaultRouteSettings={"ThrottlingBurstLimit": 5, "ThrottlingRateLimit": 0.0},
        RouteSettings={"$connect": {"ThrottlingRateLimit": 2.5}},
    )
    assert served(bench, api) == DeployedStage(
        region=REGION,
        api_id=api,
        name="live",
        selection="$request.body.action",
        routes={
            "$connect": Route(
                "$connect",
                on_connect,
                Integration(connect, "AWS_PROXY", FUNCTION_URI, "POST"),
                "CUSTOM",
                Authorizer(authorizer, "auth", FUNCTION_URI, ROLE, ("route.request.querystring.token",)),
                throttle=Throttle(2.5, 5),
            ),
            "$default": Route(
                "$default",
                default,
                Integration(
                    queue,
                    "AWS",
                    QUEUE_URI,
                    "POST",
                    ROLE,
                    "NEVER",
                    {"integration.request.header.Content-Type": "'x'"},
                    {"$default": "Action=SendMessage"},
                    "\\$default",
                    "${integration.response.statuscode}",
                    {"$default": IntegrationResponse("$default", {"$default": "ok"}, "\\$default")},
                    5.0,
                ),
                model_selection="$default",
                models={"$default": '{"type":"object"}'},
                two_way=True,
                throttle=Throttle(0.0, 5),
            ),
        },
        variables={"a": "b"},
        access_log=AccessLog("/ws/access", FORMAT),
        log_role=ROLE,
    )
    assert served(bench, api) is served(bench, api)


def test_a_route_answers_with_expression_and_response_only(bench: Bench) -> None:
    api = bench.api()
    bench.stage(api, AutoDeploy=True)
    route = bench.route(api)
    bench.do("CreateRouteResponse", ApiId=api, RouteId=route, RouteResponseKey="$default")
    assert not served(bench, api).routes["$default"].two_way
    bench.do("UpdateRoute", ApiId=api, RouteId=route, RouteResponseSelectionExpression="$default")
    assert served(bench, api).routes["$default"].two_way


def test_settings_of_a_stage_show_at_once(bench: Bench) -> None:
    api = bench.api()
    bench.route(api)
    bench.stage(api, DeploymentId=bench.do("CreateDeployment", ApiId=api)["DeploymentId"])
    place = {"ApiId": api, "StageName": "live"}

    def throttle() -> Throttle:
        return served(bench, api).routes["$default"].throttle

    assert throttle() == Throttle()
    bench.do("UpdateStage", **place, DefaultRouteSettings={"ThrottlingBurstLimit": 0, "ThrottlingRateLimit": 0.0})
    assert throttle() == Throttle(0.0, 0)
    bench.do("UpdateStage", **place, RouteSettings={"$default": {"ThrottlingBurstLimit": 7}})
    assert throttle() == Throttle(0.0, 7)
    bench.do("DeleteRouteSettings", **place, RouteKey="$default")
    assert throttle() == Throttle(0.0, 0)
    assert bench.refused("DeleteRouteSettings", **place, RouteKey="$default").code == "NotFoundException"
    bench.do("UpdateStage", **place, StageVariables={"a": "1", "b": "2"})
    changed = bench.do("UpdateStage", **place, StageVariables={"a": ""})
    assert changed["StageVariables"] == {"b": "2"}
    assert served(bench, api).variables == {"b": "2"}
    assert changed["DefaultRouteSettings"]["LoggingLevel"] == "OFF"


def test_a_websocket_stage_logs_by_the_account_s_role_only(bench: Bench) -> None:
    api, settings = bench.api(), {"DestinationArn": GROUP, "Format": FORMAT}
    bench.route(api)
    place = {"ApiId": api, "StageName": "live"}
    for wanted in (
        {"AccessLogSettings": settings},
        {"DefaultRouteSettings": {"LoggingLevel": "INFO"}},
        {"RouteSettings": {"$default": {"LoggingLevel": "ERROR"}}},
    ):
        refused = bench.refused("CreateStage", **place, **wanted)
        assert (refused.code, refused.message) == ("BadRequestException", NO_ROLE)
    bench.role = ROLE
    bench.stage(api, AutoDeploy=True, AccessLogSettings=settings)
    assert served(bench, api).log_role == ROLE
    bench.role = f"{ROLE}2"
    assert served(bench, api).log_role == f"{ROLE}2"
    bench.role = None
    bench.do("UpdateStage", **place, Description="d")
    assert served(bench, api).log_role is None
    changed = bench.do("UpdateStage", **place, AccessLogSettings={})
    assert "AccessLogSettings" not in changed
    assert served(bench, api).access_log is None
    bench.role = ROLE
    bench.do("UpdateStage", **place, AccessLogSettings=settings)
    bench.do("DeleteAccessLogSettings", **place)
    assert served(bench, api).access_log is None
    assert "AccessLogSettings" not in bench.do("GetStage", **place)
    bench.role = None
    bench.stage(bench.http_api(), AccessLogSettings={"DestinationArn": GROUP, "Format": "$context.path"})


@pytest.mark.parametrize(
    ("params", "code", "text"),
    [
        ({"StageName": "a b"}, "BadRequestException", "stage name"),
        ({"StageName": "live"}, "ConflictException", "Stage already exists"),
        ({"DeploymentId": "none"}, "BadRequestException", "Deployment id does not exist"),
        ({"StageVariables": {"a": "b c"}}, "BadRequestException", "stage variable"),
        ({"StageVariables": {"a-b": "c"}}, "BadRequestException", "stage variable"),
        ({"ClientCertificateId": "x"}, "UnsupportedOperation", "client certificates"),
        ({"DefaultRouteSettings": {"ThrottlingRateLimit": -1.0}}, "BadRequestException", "negative"),
        (
            {"RouteSettings": {"none": {}}},
            "NotFoundException",
            "Unable to find Route by key none within the provided RouteSettings",
        ),
        ({"AccessLogSettings": {"DestinationArn": "x", "Format": FORMAT}}, "BadRequestException", "Invalid ARN"),
        ({"AccessLogSettings": {"DestinationArn": GROUP}}, "BadRequestException", "single line"),
        ({"AccessLogSettings": {"DestinationArn": GROUP, "Format": "a\nb"}}, "BadRequestException", "single line"),
        ({"AccessLogSettings": {"DestinationArn": GROUP, "Format": "a"}}, "BadRequestException", "requestId"),
        (
            {
                "AccessLogSettings": {
                    "DestinationArn": f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/amazon-apigateway-x",
                    "Format": FORMAT,
                }
            },
            "UnsupportedOperation",
            "Firehose",
        ),
    ],
)
def test_stages_that_are_refused(bench: Bench, params: Any, code: str, text: str) -> None:
    bench.role = ROLE
    api = bench.api()
    bench.stage(api)
    refused = bench.refused("CreateStage", ApiId=api, **{"StageName": "new", **params})
    assert (refused.code, text in refused.message) == (code, True), refused.message
    assert len(bench.do("GetStages", ApiId=api)["Items"]) == 1


def test_what_is_deleted_is_told_and_served_no_more(bench: Bench) -> None:
    api = bench.api()
    bench.route(api)
    bench.stage(api, AutoDeploy=True)
    served(bench, api)
    bench.do("DeleteStage", ApiId=api, StageName="live")
    assert bench.service.stage(api, "live") is None
    bench.stage(api, AutoDeploy=True)
    served(bench, api)
    bench.do("DeleteApi", ApiId=api)
    assert bench.service.stage(api, "live") is None
    assert bench.deleted == [(api, "live"), (api, None)]
    assert bench.refused("GetRoutes", ApiId=api).code == "NotFoundException"


def test_a_reset_forgets_everything(bench: Bench) -> None:
    api = bench.api()
    bench.route(api)
    bench.stage(api, AutoDeploy=True)
    served(bench, api)
    assert bench.service.status()["apis"][0]["stages"] == ["live"]
    bench.service.reset()
    assert bench.service.stage(api, "live") is None
    assert bench.do("GetApis") == {"Items": []}
    assert bench.service.status() == {"apis": []}


def test_a_domain_name_leads_to_stages(bench: Bench) -> None:
    name, certificate = "ws.example.com", f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/x"
    asked = {"CertificateArn": certificate, "EndpointType": "REGIONAL", "SecurityPolicy": "TLS_1_2"}
    domain = bench.do("CreateDomainName", DomainName=name, DomainNameConfigurations=[asked], Tags={"a": "b"})
    [configuration] = domain["DomainNameConfigurations"]
    assert configuration.items() >= {**asked, "DomainNameStatus": "AVAILABLE", "IpAddressType": "ipv4"}.items()
    assert domain["ApiMappingSelectionExpression"] == "$request.basepath"
    assert domain["RoutingMode"] == "API_MAPPING_ONLY"
    changed = bench.do("UpdateDomainName", DomainName=name, DomainNameConfigurations=[asked])
    assert changed == domain
    api = bench.api()
    bench.stage(api)
    mapping = {"DomainName": name, "ApiId": api, "Stage": "live"}
    assert bench.refused("CreateApiMapping", **{**mapping, "Stage": "none"}).code == "BadRequestException"
    assert bench.refused("CreateApiMapping", **{**mapping, "ApiId": "none"}).code == "BadRequestException"
    root = bench.do("CreateApiMapping", **mapping)
    bench.do("CreateApiMapping", **mapping, ApiMappingKey="v1")
    twice = bench.refused("CreateApiMapping", **mapping, ApiMappingKey="v1")
    assert (twice.code, twice.message) == (
        "ConflictException",
        "ApiMapping key already exists for this domain name",
    )
    assert bench.service.mapped(name, "") == (api, "live")
    assert bench.service.mapped(name, "v1") == (api, "live")
    assert bench.service.mapped(name, "v2") is None
    assert bench.service.mapped("other.example.com", "") is None
    for operation, params in (("DeleteApi", {}), ("DeleteStage", {"StageName": "live"})):
        assert name in bench.refused(operation, ApiId=api, **params).message
    place = {"DomainName": name, "ApiMappingId": root["ApiMappingId"]}
    bench.do("UpdateApiMapping", **place, ApiId=api, ApiMappingKey="v3")
    assert bench.service.mapped(name, "v3") == (api, "live")
    bench.do("DeleteApiMapping", **place)
    assert bench.service.mapped(name, "v3") is None
    bench.do("DeleteDomainName", DomainName=name)
    bench.do("DeleteApi", ApiId=api)
    assert bench.refused("GetDomainName", DomainName=name).code == "NotFoundException"


def test_domain_names_that_are_refused(bench: Bench) -> None:
    bench.do("CreateDomainName", DomainName="a.example.com")
    assert bench.refused("CreateDomainName", DomainName="a.example.com").code == "ConflictException"
    tls = {"TruststoreUri": "s3://bucket/key"}
    refused = bench.refused("CreateDomainName", DomainName="b.example.com", MutualTlsAuthentication=tls)
    assert (refused.code, "mutual TLS" in refused.message) == ("UnsupportedOperation", True)
    refused = bench.refused("CreateDomainName", DomainName="b.example.com", RoutingMode="ROUTING_RULE_ONLY")
    assert refused.code == "UnsupportedOperation"
