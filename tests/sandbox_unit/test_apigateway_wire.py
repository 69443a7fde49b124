"""API Gateway v2 as boto3 sees it: paths, members and errors on the wire."""

from __future__ import annotations

import pytest
from apigateway_fakes import QUEUE_URI, REGION, Bench
from botocore.exceptions import ClientError

TAGS = {"k": "v"}


def test_boto3_sees_aws_s_shapes() -> None:
    bench = Bench()
    client = bench.client()
    api = client.create_api(Name="a", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.a")
    assert api["ResponseMetadata"]["HTTPStatusCode"] == 201
    place = {"ApiId": api["ApiId"]}
    integration = client.create_integration(
        **place,
        IntegrationType="AWS",
        IntegrationUri=QUEUE_URI,
        RequestTemplates={"$default": "x"},
        RequestParameters={"integration.request.header.Content-Type": "'x'"},
    )
    route = client.create_route(
        **place, RouteKey="$connect", RequestParameters={"route.request.header.a": {"Required": True}}
    )
    client.update_route(**place, RouteId=route["RouteId"], Target=f"integrations/{integration['IntegrationId']}")
    client.delete_route_request_parameter(
        **place, RouteId=route["RouteId"], RequestParameterKey="route.request.header.a"
    )
    client.create_stage(
        **place,
        StageName="live",
        AutoDeploy=True,
        RouteSettings={"$connect": {"ThrottlingRateLimit": 0.5}},
        StageVariables={"a": "b"},
        Tags=TAGS,
    )
    client.delete_route_settings(**place, StageName="live", RouteKey="$connect")
    stage = client.get_stage(**place, StageName="live")
    assert (stage["Tags"], stage["RouteSettings"], stage["StageVariables"]) == (TAGS, {}, {"a": "b"})
    assert stage["CreatedDate"].tzinfo is not None
    arn = f"arn:aws:apigateway:{REGION}::/apis/{api['ApiId']}/stages/live"
    client.tag_resource(ResourceArn=arn, Tags={"x": "y"})
    client.untag_resource(ResourceArn=arn, TagKeys=["k"])
    assert client.get_tags(ResourceArn=arn)["Tags"] == {"x": "y"}
    assert [one["RouteKey"] for one in client.get_routes(**place, MaxResults="5")["Items"]] == ["$connect"]
    with pytest.raises(client.exceptions.NotFoundException):
        client.get_route(**place, RouteId="none")
    with pytest.raises(ClientError, match="does not emulate VPC links") as unsupported:
        client.create_integration(**place, IntegrationType="MOCK", ConnectionType="VPC_LINK")
    assert unsupported.value.response["Error"]["Code"] == "UnsupportedOperation"
    client.delete_api(**place)
    assert client.get_apis()["Items"] == []
