"""API Gateway, version 2: its actions are HTTP methods, its resources the paths of its API.

Source: Service Authorization Reference list_amazonapigatewaymanagementv2; API Gateway Developer Guide
arn-format-reference. An ARN has no account.
"""

from __future__ import annotations

from urllib.parse import quote

from durable_sandbox.iam.actions.rules import Need, Operation, Rule, Table

# A collection's path, the parameter that names one of it, and what the operations call one and many.
_COLLECTIONS = (
    ("/apis", "ApiId", "Api", "Apis"),
    ("/apis/{ApiId}/authorizers", "AuthorizerId", "Authorizer", "Authorizers"),
    ("/apis/{ApiId}/deployments", "DeploymentId", "Deployment", "Deployments"),
    ("/apis/{ApiId}/integrations", "IntegrationId", "Integration", "Integrations"),
    (
        "/apis/{ApiId}/integrations/{IntegrationId}/integrationresponses",
        "IntegrationResponseId",
        "IntegrationResponse",
        "IntegrationResponses",
    ),
    ("/apis/{ApiId}/models", "ModelId", "Model", "Models"),
    ("/apis/{ApiId}/routes", "RouteId", "Route", "Routes"),
    ("/apis/{ApiId}/routes/{RouteId}/routeresponses", "RouteResponseId", "RouteResponse", "RouteResponses"),
    ("/apis/{ApiId}/stages", "StageName", "Stage", "Stages"),
    ("/domainnames", "DomainName", "DomainName", "DomainNames"),
    ("/domainnames/{DomainName}/apimappings", "ApiMappingId", "ApiMapping", "ApiMappings"),
    ("/vpclinks", "VpcLinkId", "VpcLink", "VpcLinks"),
)


def _of(method: str, path: str) -> Rule:
    """``method`` on ``path``, in which {Name} is the parameter Name."""

    def rule(operation: Operation) -> tuple[Need, ...]:
        place = path.format_map({name: str(value) for name, value in operation.params.items()})
        return (_need(operation, method, place),)

    return rule


def _on_tags(method: str) -> Rule:
    def rule(operation: Operation) -> tuple[Need, ...]:
        return (_need(operation, method, f"/tags/{quote(operation.text('ResourceArn'), safe='')}"),)

    return rule


def _need(operation: Operation, method: str, path: str) -> Need:
    return Need(f"{operation.prefix}:{method}", f"arn:aws:{operation.prefix}:{operation.region}::{path}")


def _collection(path: str, parameter: str, one: str, many: str) -> Table:
    item = f"{path}/{{{parameter}}}"
    return {
        f"Create{one}": _of("POST", path),
        f"Get{many}": _of("GET", path),
        f"Get{one}": _of("GET", item),
        f"Update{one}": _of("PATCH", item),
        f"Delete{one}": _of("DELETE", item),
    }


TABLE: Table = {
    **{operation: rule for row in _COLLECTIONS for operation, rule in _collection(*row).items()},
    "ImportApi": _of("PUT", "/apis"),
    "ReimportApi": _of("PUT", "/apis/{ApiId}"),
    "ExportApi": _of("GET", "/apis/{ApiId}/exports/{Specification}"),
    "GetModelTemplate": _of("GET", "/apis/{ApiId}/models/{ModelId}/template"),
    "DeleteCorsConfiguration": _of("DELETE", "/apis/{ApiId}/cors"),
    "DeleteAccessLogSettings": _of("DELETE", "/apis/{ApiId}/stages/{StageName}/accesslogsettings"),
    "DeleteRouteSettings": _of("DELETE", "/apis/{ApiId}/stages/{StageName}/routesettings/{RouteKey}"),
    "ResetAuthorizersCache": _of("DELETE", "/apis/{ApiId}/stages/{StageName}/cache/authorizers"),
    "DeleteRouteRequestParameter": _of(
        "DELETE", "/apis/{ApiId}/routes/{RouteId}/requestparameters/{RequestParameterKey}"
    ),
    "GetTags": _on_tags("GET"),
    "TagResource": _on_tags("POST"),
    "UntagResource": _on_tags("DELETE"),
}
