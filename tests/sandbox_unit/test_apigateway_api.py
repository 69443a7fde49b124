"""The control plane of API Gateway v2: resources, their defaults, changes and what is refused."""

from __future__ import annotations

import re
from typing import Any

import pytest
from apigateway_fakes import ACCOUNT, FUNCTION, FUNCTION_URI, QUEUE_URI, REGION, ROLE, Bench

from durable_sandbox.aws.errors import AwsError

TAGS = {"k": "v"}


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_websocket_api_has_defaults_and_the_sandbox_s_own_endpoint(bench: Bench) -> None:
    made = bench.do(
        "CreateApi", Name="a", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.a", Tags=TAGS
    )
    assert re.fullmatch(r"[a-z0-9]{10}", made["ApiId"])
    assert made.pop("CreatedDate").tzinfo is not None
    assert made == {
        "ApiId": made["ApiId"],
        "ApiEndpoint": f"ws://127.0.0.1:4566/_aws/execute-api/{made['ApiId']}",
        "ApiKeySelectionExpression": "$request.header.x-api-key",
        "DisableExecuteApiEndpoint": False,
        "IpAddressType": "ipv4",
        "Name": "a",
        "ProtocolType": "WEBSOCKET",
        "RouteSelectionExpression": "$request.body.a",
        "Tags": TAGS,
    }


def test_an_http_api_is_accepted(bench: Bench) -> None:
    api = bench.http_api()
    made = bench.do("GetApi", ApiId=api)
    assert made["ApiEndpoint"] == f"https://{api}.execute-api.{REGION}.amazonaws.com"
    assert made["RouteSelectionExpression"] == "$request.method $request.path"
    integration = bench.do(
        "CreateIntegration",
        ApiId=api,
        IntegrationType="HTTP_PROXY",
        IntegrationMethod="GET",
        IntegrationUri="https://example.com",
    )
    assert integration["TimeoutInMillis"] == 30_000
    assert "PassthroughBehavior" not in integration
    bench.route(api, "GET /x", Target=f"integrations/{integration['IntegrationId']}")
    bench.stage(api, StageName="$default", AutoDeploy=True)
    assert bench.service.stage(api, "$default") is None
    refused = bench.refused("CreateIntegration", ApiId=api, IntegrationType="MOCK")
    assert "may only be associated with proxy integrations" in refused.message


def test_a_quick_create_makes_managed_resources(bench: Bench) -> None:
    api = bench.http_api(Target=FUNCTION)
    [integration] = bench.do("GetIntegrations", ApiId=api)["Items"]
    [route] = bench.do("GetRoutes", ApiId=api)["Items"]
    [stage] = bench.do("GetStages", ApiId=api)["Items"]
    assert (integration["IntegrationType"], integration["IntegrationUri"]) == ("AWS_PROXY", FUNCTION)
    assert (route["RouteKey"], route["Target"]) == ("$default", f"integrations/{integration['IntegrationId']}")
    assert stage["DeploymentId"] in {one["DeploymentId"] for one in bench.do("GetDeployments", ApiId=api)["Items"]}
    assert all(one["ApiGatewayManaged"] for one in (integration, route, stage))
    refused = bench.refused("CreateApi", Name="a", ProtocolType="WEBSOCKET", Target=FUNCTION)
    assert refused.code == "BadRequestException"
    assert len(bench.do("GetApis")["Items"]) == 1


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"IntegrationType": "MOCK"},
            {"IntegrationResponseSelectionExpression": "${integration.response.statuscode}"},
        ),
        (
            {"IntegrationType": "AWS", "IntegrationUri": FUNCTION_URI},
            {
                "IntegrationMethod": "POST",
                "IntegrationResponseSelectionExpression": "${integration.response.body.errorMessage}",
            },
        ),
        (
            {
                "IntegrationType": "AWS",
                "IntegrationUri": QUEUE_URI,
                "CredentialsArn": ROLE,
                "PassthroughBehavior": "NEVER",
                "RequestParameters": {"integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"},
                "RequestTemplates": {"$default": "Action=SendMessage"},
                "TemplateSelectionExpression": "\\$default",
                "TimeoutInMillis": 5000,
            },
            {
                "IntegrationMethod": "POST",
                "IntegrationResponseSelectionExpression": "${integration.response.statuscode}",
            },
        ),
        ({"IntegrationType": "AWS_PROXY", "IntegrationUri": FUNCTION_URI}, {"IntegrationMethod": "POST"}),
    ],
)
def test_an_integration_keeps_what_it_was_given(bench: Bench, given: Any, expected: Any) -> None:
    api = bench.api()
    made = bench.do("CreateIntegration", ApiId=api, **given)
    defaults = {
        "ConnectionType": "INTERNET",
        "PassthroughBehavior": "WHEN_NO_MATCH",
        "PayloadFormatVersion": "1.0",
        "TimeoutInMillis": 29_000,
    }
    assert made == {**defaults, **expected, **given, "IntegrationId": made["IntegrationId"]}
    assert bench.do("GetIntegration", ApiId=api, IntegrationId=made["IntegrationId"]) == made


def test_an_update_changes_only_what_it_gives(bench: Bench) -> None:
    api = bench.api(Description="d", Version="1")
    before = bench.do("GetApi", ApiId=api)
    assert bench.do("UpdateApi", ApiId=api, Name="b", Description="") == {
        **{name: value for name, value in before.items() if name != "Description"},
        "Name": "b",
    }
    assert bench.refused("UpdateApi", ApiId=api, Name="").code == "BadRequestException"
    integration = bench.integration(api, RequestParameters={"a": "'1'", "b": "'2'"}, RequestTemplates={"x": "1"})
    changed = bench.do(
        "UpdateIntegration",
        ApiId=api,
        IntegrationId=integration,
        RequestParameters={"a": "", "c": "'3'"},
        RequestTemplates={"y": "2"},
    )
    assert changed["RequestParameters"] == {"b": "'2'", "c": "'3'"}
    assert changed["RequestTemplates"] == {"y": "2"}


def test_a_route_s_request_parameters_are_removed_one_by_one(bench: Bench) -> None:
    api = bench.api()
    header, query = "route.request.header.a", "route.request.querystring.b"
    route = bench.route(api, "$connect", RequestParameters={header: {"Required": True}})
    changed = bench.do("UpdateRoute", ApiId=api, RouteId=route, RequestParameters={query: {"Required": False}})
    assert changed["RequestParameters"] == {header: {"Required": True}, query: {"Required": False}}
    bench.do("DeleteRouteRequestParameter", ApiId=api, RouteId=route, RequestParameterKey=header)
    assert bench.do("GetRoute", ApiId=api, RouteId=route)["RequestParameters"] == {query: {"Required": False}}
    gone = bench.refused("DeleteRouteRequestParameter", ApiId=api, RouteId=route, RequestParameterKey=header)
    assert gone.code == "NotFoundException"


def test_a_route_gives_its_authorizer_up(bench: Bench) -> None:
    api = bench.api()
    authorizer = bench.authorizer(api)
    made = bench.do("CreateRoute", ApiId=api, RouteKey="$default", AuthorizerId=authorizer)
    assert "AuthorizerId" not in made
    route = bench.route(api, "$connect", AuthorizationType="CUSTOM", AuthorizerId=authorizer)
    assert bench.do("GetRoute", ApiId=api, RouteId=route)["AuthorizerId"] == authorizer
    changed = bench.do("UpdateRoute", ApiId=api, RouteId=route, AuthorizationType="AWS_IAM", AuthorizerId="")
    assert changed == {
        "RouteId": route,
        "RouteKey": "$connect",
        "AuthorizationType": "AWS_IAM",
        "ApiKeyRequired": False,
    }


def test_nested_resources_are_their_parents_own(bench: Bench) -> None:
    api = bench.api()
    routes = [bench.route(api), bench.route(api, "x", RouteResponseSelectionExpression="$default")]
    made = bench.do("CreateRouteResponse", ApiId=api, RouteId=routes[0], RouteResponseKey="$default")
    place = {"ApiId": api, "RouteId": routes[0], "RouteResponseId": made["RouteResponseId"]}
    assert bench.do("GetRouteResponse", **place) == made
    assert bench.do("GetRouteResponses", ApiId=api, RouteId=routes[1]) == {"Items": []}
    assert bench.refused("GetRouteResponse", **{**place, "RouteId": routes[1]}).code == "NotFoundException"
    bench.do("DeleteRouteResponse", **place)
    assert bench.refused("DeleteRouteResponse", **place).code == "NotFoundException"


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("GetApi", {}),
        ("GetRoute", {"RouteId": "x"}),
        ("CreateRoute", {"RouteKey": "x"}),
        ("GetRouteResponses", {"RouteId": "x"}),
        ("UpdateIntegration", {"IntegrationId": "x"}),
        ("DeleteStage", {"StageName": "x"}),
        ("DeleteModel", {"ModelId": "x"}),
    ],
)
def test_what_is_not_there(bench: Bench, operation: str, params: Any) -> None:
    missing = bench.refused(operation, ApiId="abcdefghij", **params)
    assert (missing.code, missing.message) == (
        "NotFoundException",
        f"Invalid API identifier specified {ACCOUNT}:abcdefghij",
    )
    if params and not operation.startswith("Create"):
        assert bench.refused(operation, ApiId=bench.api(), **params).code == "NotFoundException"


def test_apis_are_of_a_region(bench: Bench) -> None:
    api = bench.api()
    assert bench.do("GetApis", region="eu-west-1") == {"Items": []}
    with pytest.raises(AwsError):
        bench.do("GetApi", region="eu-west-1", ApiId=api)


def test_a_list_has_pages(bench: Bench) -> None:
    made = {bench.api(Name=str(number)) for number in range(5)}
    first = bench.do("GetApis", MaxResults="3")
    rest = bench.do("GetApis", MaxResults="3", NextToken=first["NextToken"])
    assert (len(first["Items"]), len(rest["Items"])) == (3, 2)
    assert "NextToken" not in rest
    assert {one["ApiId"] for one in (*first["Items"], *rest["Items"])} == made
    assert bench.refused("GetApis", MaxResults="x").code == "BadRequestException"
    assert bench.refused("GetApis", NextToken="!").code == "BadRequestException"


def test_what_a_route_uses_cannot_be_deleted(bench: Bench) -> None:
    api = bench.api()
    integration, authorizer = bench.integration(api), bench.authorizer(api)
    model = bench.do("CreateModel", ApiId=api, Name="M", Schema="{}")["ModelId"]
    route = bench.route(
        api,
        "$connect",
        Target=f"integrations/{integration}",
        AuthorizationType="CUSTOM",
        AuthorizerId=authorizer,
        RequestModels={"$default": "M"},
    )
    wanted = {
        "DeleteIntegration": (
            {"IntegrationId": integration},
            f"Cannot delete Integration because it is referenced by the following Routes with Ids: [{route}]",
        ),
        "DeleteAuthorizer": (
            {"AuthorizerId": authorizer},
            "Cannot delete authorizer 'auth', is referenced in route: $connect",
        ),
        "DeleteModel": ({"ModelId": model}, "Cannot delete model 'M', is referenced in route: $connect"),
    }
    for operation, (params, message) in wanted.items():
        refused = bench.refused(operation, ApiId=api, **params)
        assert (refused.code, refused.message) == ("ConflictException", message)
    bench.do("DeleteRoute", ApiId=api, RouteId=route)
    for operation, (params, _) in wanted.items():
        bench.do(operation, ApiId=api, **params)


@pytest.mark.parametrize(
    ("operation", "params", "code", "text"),
    [
        ("CreateRoute", {"RouteKey": "$default"}, "ConflictException", "Route with key $default already exists"),
        ("CreateRoute", {"RouteKey": "$other"}, "BadRequestException", "route key"),
        ("CreateRoute", {"RouteKey": ""}, "BadRequestException", "RouteKey"),
        ("CreateRoute", {"RouteKey": "x", "Target": "integrations/none"}, "BadRequestException", "target"),
        ("CreateRoute", {"RouteKey": "x", "RequestModels": {"a": "No"}}, "BadRequestException", "no model 'No'"),
        ("CreateRoute", {"RouteKey": "x", "AuthorizationType": "AWS_IAM"}, "BadRequestException", "$connect only"),
        ("CreateRoute", {"RouteKey": "$connect", "AuthorizationType": "JWT"}, "BadRequestException", "JWT"),
        (
            "CreateRoute",
            {"RouteKey": "$connect", "AuthorizationType": "CUSTOM"},
            "BadRequestException",
            "Invalid authorizer ID specified. Setting the authorization type to CUSTOM",
        ),
        ("CreateRoute", {"RouteKey": "x", "ApiKeyRequired": True}, "UnsupportedOperation", "does not emulate API keys"),
        ("CreateRoute", {"RouteKey": "x", "RouteResponseSelectionExpression": "x"}, "BadRequestException", "$default"),
        ("CreateModel", {"Name": "a-b", "Schema": "{}"}, "BadRequestException", "alphanumeric"),
        ("CreateModel", {"Name": "M", "Schema": "{}"}, "ConflictException", "already exists"),
        ("CreateModel", {"Name": "N", "Schema": "{"}, "BadRequestException", "not JSON"),
        ("CreateModel", {"Name": "N", "Schema": " " * 32769}, "BadRequestException", "between 0 and 32768"),
        ("CreateModel", {"Name": "N"}, "BadRequestException", "Schema"),
    ],
)
def test_routes_and_models_that_are_refused(bench: Bench, operation: str, params: Any, code: str, text: str) -> None:
    api = bench.api()
    bench.route(api)
    bench.do("CreateModel", ApiId=api, Name="M", Schema="{}")
    refused = bench.refused(operation, ApiId=api, **params)
    assert (refused.code, text in refused.message) == (code, True), refused.message
    assert len(bench.do("GetRoutes", ApiId=api)["Items"]) == 1
    assert len(bench.do("GetModels", ApiId=api)["Items"]) == 1


@pytest.mark.parametrize(
    ("params", "code", "text"),
    [
        ({"IntegrationType": "HTTP", "IntegrationUri": "http://x"}, "UnsupportedOperation", "HTTP integrations"),
        ({"IntegrationType": "HTTP_PROXY", "IntegrationUri": "http://x"}, "UnsupportedOperation", "HTTP_PROXY"),
        ({"IntegrationType": "MOCK", "ConnectionType": "VPC_LINK"}, "UnsupportedOperation", "VPC links"),
        ({"IntegrationType": "MOCK", "TimeoutInMillis": 49}, "BadRequestException", "between 50"),
        ({"IntegrationType": "MOCK", "TimeoutInMillis": 29_001}, "BadRequestException", "29000"),
        ({"IntegrationType": "MOCK", "RequestTemplates": {"x": "é" * 153_601}}, "BadRequestException", "300 KB"),
        ({"IntegrationType": "AWS_PROXY"}, "BadRequestException", "AWS_PROXY needs"),
        ({"IntegrationType": "AWS_PROXY", "IntegrationUri": QUEUE_URI}, "BadRequestException", "AWS_PROXY needs"),
        ({"IntegrationType": "AWS", "IntegrationUri": "https://x"}, "BadRequestException", "integration URI"),
        ({"IntegrationType": "MOCK", "IntegrationSubtype": "SQS-SendMessage"}, "BadRequestException", "HTTP"),
        (
            {"IntegrationType": "MOCK", "ContentHandlingStrategy": "CONVERT_TO_BINARY"},
            "UnsupportedOperation",
            "binary",
        ),
        ({"IntegrationType": "MOCK", "CredentialsArn": "arn:aws:iam::*:user/*"}, "UnsupportedOperation", "caller's"),
    ],
)
def test_integrations_that_are_refused(bench: Bench, params: Any, code: str, text: str) -> None:
    api = bench.api()
    refused = bench.refused("CreateIntegration", ApiId=api, **params)
    assert (refused.code, text in refused.message) == (code, True), refused.message
    assert refused.status == (501 if code == "UnsupportedOperation" else 400)
    assert bench.do("GetIntegrations", ApiId=api)["Items"] == []


def test_a_template_may_have_300_kb(bench: Bench) -> None:
    bench.integration(bench.api(), RequestTemplates={"x": "a" * 300 * 1024})


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"AuthorizerType": "JWT"}, "REQUEST only"),
        ({"AuthorizerUri": QUEUE_URI}, "Invalid Authorizer URI"),
        (
            {"AuthorizerResultTtlInSeconds": 300},
            "AuthorizerResultTtlInSeconds cannot be set for WEBSOCKET protocol Apis",
        ),
        ({"IdentitySource": ["$request.header.Auth"]}, "identity source"),
        ({"Name": "auth"}, "Authorizer name must be unique. Authorizer auth already exists in this RestApi."),
    ],
)
def test_authorizers_that_are_refused(bench: Bench, params: Any, text: str) -> None:
    api = bench.api()
    bench.authorizer(api)
    given = {"Name": "b", "AuthorizerType": "REQUEST", "AuthorizerUri": FUNCTION_URI, "IdentitySource": [], **params}
    refused = bench.refused("CreateAuthorizer", ApiId=api, **given)
    assert (refused.code, text in refused.message) == ("BadRequestException", True), refused.message


def test_keys_of_responses(bench: Bench) -> None:
    api = bench.api()
    place = {"ApiId": api, "IntegrationId": bench.integration(api)}
    for key in ("$default", "/4\\d\\d/"):
        bench.do("CreateIntegrationResponse", **place, IntegrationResponseKey=key)
    assert (
        bench.refused("CreateIntegrationResponse", **place, IntegrationResponseKey="200").code == "BadRequestException"
    )
    twice = bench.refused("CreateIntegrationResponse", **place, IntegrationResponseKey="$default")
    assert twice.code == "ConflictException"
    place = {"ApiId": api, "RouteId": bench.route(api)}
    assert bench.refused("CreateRouteResponse", **place, RouteResponseKey="x").code == "BadRequestException"


def test_apis_that_are_refused(bench: Bench) -> None:
    assert "RouteSelectionExpression" in bench.refused("CreateApi", Name="a", ProtocolType="WEBSOCKET").message
    assert bench.refused("CreateApi", ProtocolType="HTTP").code == "BadRequestException"
    for operation, params in (("CreateVpcLink", {"Name": "a", "SubnetIds": []}), ("ImportApi", {"Body": "{}"})):
        refused = bench.refused(operation, **params)
        assert (refused.code, refused.status) == ("UnsupportedOperation", 501)


def test_tags_of_apis_stages_and_domain_names(bench: Bench) -> None:
    api = bench.api(Tags=TAGS)
    bench.stage(api)
    bench.do("CreateDomainName", DomainName="ws.example.com")
    for path in (f"apis/{api}", f"apis/{api}/stages/live", "domainnames/ws.example.com"):
        arn = f"arn:aws:apigateway:{REGION}::/{path}"
        bench.do("TagResource", ResourceArn=arn, Tags={"k": "w", "l": "m"})
        assert bench.do("GetTags", ResourceArn=arn) == {"Tags": {"k": "w", "l": "m"}}
        bench.do("UntagResource", ResourceArn=arn, TagKeys=["l"])
        assert bench.do("GetTags", ResourceArn=arn) == {"Tags": {"k": "w"}}
    assert bench.do("GetApi", ApiId=api)["Tags"] == {"k": "w"}
    for unknown in (f"arn:aws:apigateway:{REGION}::/apis/none", f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"):
        assert bench.refused("GetTags", ResourceArn=unknown).code == "NotFoundException"
    many = {str(number): "" for number in range(51)}
    assert bench.refused("TagResource", ResourceArn=arn, Tags=many).code == "BadRequestException"
